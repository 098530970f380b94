//! Emergency recovery: by hand, at the threshold, and what it does with a recovery under way.

use std::time::Duration;

use resilient_orchestrator::actors::recovery::{EmergencyReport, Forced};
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::incident::{
    FailureCause, IncidentOutcome, StepName, StepResult,
};
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::settings::{LivenessThresholds, MassFailureSettings};

use crate::faults::{Fault, Flaw, Outage};
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

async fn fleet() -> Rig {
    fleet_with(SystemSettings::default()).await
}

async fn fleet_with(settings: SystemSettings) -> Rig {
    let rig = Rig::with(settings).await;
    rig.streams(3).await;
    rig.register("a", 3).await;
    rig.ask_for("a", 3).await;
    rig.register("b", 3).await;
    rig.keep_beating(&["b"]);
    rig
}

async fn take_out(rig: &Rig) -> Result<EmergencyReport, Refusal> {
    let reason = "it does nothing".to_owned();
    rig.orchestrator.emergency("a".into(), reason).await
}

#[actix::test]
async fn a_beating_instance_is_emptied_and_kept_out_until_it_is_released() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    rig.keep_beating(&["a"]);
    let report = take_out(&rig).await.unwrap();
    assert!(report.is_success());
    assert_eq!(report.recovered.evacuation.moved.len(), 3);
    let names = [
        StepName::ForceRelease,
        StepName::Redistribute,
        StepName::VerifyConsistency,
        StepName::ResetInstance,
    ];
    let steps: Vec<_> = report.steps.iter().map(|step| step.name).collect();
    assert_eq!(steps, names);
    assert_eq!(rig.status("a"), InstanceStatus::Maintenance);
    assert!(!rig.entry("a").is_fenced());
    rig.try_streams(4..=9).await.unwrap();
    pass(700.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Maintenance);
    assert_eq!(rig.held("a").await, Vec::<i64>::new());

    let forced = rig.orchestrator.force_recovery("a".into()).await.unwrap();
    assert_eq!(forced, Forced::Released(InstanceStatus::Active));
    let again = rig.orchestrator.force_recovery("a".into()).await.unwrap();
    assert_eq!(again, Forced::NotFailed(InstanceStatus::Active));
    rig.invariants_hold().await;
}

#[actix::test]
async fn orders_that_come_together_and_twice_are_harmless() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    rig.store
        .script_saves([Fault::Slow(Duration::from_secs(1))]);
    let (first, second) = tokio::join!(take_out(&rig), take_out(&rig));
    assert_eq!(first.unwrap().recovered, second.unwrap().recovered);
    settle_down().await;
    let third = take_out(&rig).await.unwrap();
    assert!(third.is_success());
    assert_eq!(third.recovered.evacuation.moved, []);
    settle_down().await;
    let incidents = rig.incidents();
    assert_eq!(
        incidents.len(),
        2,
        "each order that was carried out is on record"
    );
    for incident in &incidents {
        assert_eq!(incident.cause, FailureCause::Emergency);
        assert_eq!(incident.reason, Some("it does nothing".to_owned().into()));
        assert_eq!(incident.outcome, Some(IncidentOutcome::Recovered));
    }
    rig.invariants_hold().await;
}

#[actix::test]
async fn an_order_joins_a_recovery_that_is_under_way_and_has_the_last_word() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    pass(1.0).await;
    rig.store
        .script_saves([Fault::Slow(Duration::from_secs(1)); 3]);
    let (reported, ordered) = tokio::join!(rig.orchestrator.report_failure("a".into()), async {
        pass(1.5).await;
        take_out(&rig).await
    });
    assert_eq!(reported.unwrap().evacuation.moved.len(), 3);
    assert!(ordered.unwrap().is_success());
    assert_eq!(rig.status("a"), InstanceStatus::Maintenance);
    pass(10.0).await;
    let causes: Vec<_> = rig.incidents().iter().map(|one| one.cause).collect();
    assert_eq!(causes, [FailureCause::Reported, FailureCause::Emergency]);
    assert_eq!(rig.held("b").await, [1, 2, 3]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn an_order_takes_over_a_recovery_that_waits_for_the_store() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    pass(299.0).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(3.0).await;
    assert_eq!(take_out(&rig).await.unwrap_err(), Refusal::StoreUnavailable);
    rig.store.set_outage(None);
    assert!(take_out(&rig).await.unwrap().is_success());
    assert_eq!(rig.status("a"), InstanceStatus::Maintenance);
    settle_down().await;
    let incidents = rig.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].cause, FailureCause::Emergency);
    rig.invariants_hold().await;
}

#[actix::test]
async fn an_unknown_instance_has_no_emergency() {
    let rig = Rig::start().await;
    assert!(matches!(take_out(&rig).await, Err(Refusal::Rejected(_))));
    let forced = rig.orchestrator.force_recovery("a".into()).await.unwrap();
    assert_eq!(forced, Forced::NotFound);
}

/// A brake that holds the single silent instance of two, past the emergency threshold.
fn holding_past_the_emergency_threshold(emergency_enabled: bool) -> SystemSettings {
    SystemSettings {
        thresholds: LivenessThresholds {
            emergency: Duration::from_secs(310),
            ..SystemSettings::default().thresholds
        },
        mass_failure: MassFailureSettings {
            min: 1,
            ratio: resilient_orchestrator::domain::settings::Fraction::new(0.4).unwrap(),
            hold: Duration::from_secs(60),
        },
        emergency_enabled,
        ..SystemSettings::default()
    }
}

#[actix::test]
async fn at_the_threshold_it_is_an_emergency_but_not_while_the_brake_holds_it() {
    expect_errors(&["alert emergency_recovery", "alert mass_failure"]);
    let rig = fleet_with(holding_past_the_emergency_threshold(true)).await;
    pass(359.0).await;
    assert_eq!(rig.held("a").await, [1, 2, 3], "held past 310 s");
    assert_eq!(rig.incidents(), []);
    pass(2.0).await;
    assert_eq!(rig.held("b").await, [1, 2, 3]);
    let incident = rig.incidents().pop().unwrap();
    assert_eq!(incident.cause, FailureCause::EmergencyThreshold);
    assert_eq!(rig.status("a"), InstanceStatus::Failed, "it may come back");
    let result = |name| {
        let mut steps = incident.steps.iter();
        steps.find(|step| step.name == name).map(|step| step.result)
    };
    assert_eq!(result(StepName::Redistribute), Some(StepResult::Done));
    assert_eq!(result(StepName::ResetInstance), Some(StepResult::Done));
    rig.invariants_hold().await;
}

#[actix::test]
async fn the_setting_stops_only_what_begins_by_itself() {
    expect_errors(&["alert emergency_recovery", "alert mass_failure"]);
    let rig = fleet_with(holding_past_the_emergency_threshold(false)).await;
    pass(361.0).await;
    assert_eq!(rig.held("b").await, [1, 2, 3]);
    let incident = rig.incidents().pop().unwrap();
    assert_eq!(incident.cause, FailureCause::HeartbeatTimeout);
    assert!(take_out(&rig).await.unwrap().is_success());
    assert_eq!(rig.status("a"), InstanceStatus::Maintenance);
}

#[actix::test]
async fn a_store_that_goes_out_after_the_moves_does_not_hold_the_answer_back_for_long() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    rig.store
        .script_saves([Fault::Fine, Fault::Fine, Fault::Hang]);
    let store = rig.store.clone();
    let (report, ()) = tokio::join!(take_out(&rig), async {
        while store.attempt_count() < 5 {
            tokio::task::yield_now().await;
        }
        store.set_outage(Some(Outage::Hanging));
    });
    let report = report.unwrap();
    assert!(report.is_success(), "{report:?}");
    assert_eq!(rig.held("b").await, [1, 2, 3]);
    rig.store.set_outage(None);
    pass(120.0).await;
    let incident = rig.incidents().pop().unwrap();
    assert_eq!(incident.outcome, Some(IncidentOutcome::Recovered));
}

fn results(report: &EmergencyReport) -> Vec<StepResult> {
    report.steps.iter().map(|step| step.result).collect()
}

#[actix::test]
async fn what_the_store_refuses_stops_the_steps_that_depend_on_it_and_no_other() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    rig.keep_beating(&["a"]);
    rig.store.refuse_content_about(Some("a".into()));
    let report = take_out(&rig).await.unwrap();
    assert!(!report.is_success());
    assert_eq!(
        results(&report),
        [
            StepResult::Failed,
            StepResult::Skipped,
            StepResult::Done,
            StepResult::Skipped
        ]
    );
    assert_eq!(rig.held("a").await, [1, 2, 3], "nothing was taken");
    rig.store.refuse_content_about(None);
    assert!(take_out(&rig).await.unwrap().is_success());
    assert_eq!(rig.held("b").await, [1, 2, 3]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn an_inconsistency_is_reported_and_the_instance_put_out_of_use_all_the_same() {
    expect_errors(&["alert emergency_recovery", "alert invariant_broken"]);
    let rig = fleet().await;
    rig.register("c", 3).await;
    rig.try_streams([4]).await.unwrap();
    rig.store.set_flaw(Flaw::LosesPlaces);
    rig.ask_for("c", 1).await;
    let report = take_out(&rig).await.unwrap();
    assert!(!report.is_success());
    assert_eq!(
        results(&report),
        [
            StepResult::Done,
            StepResult::Done,
            StepResult::Failed,
            StepResult::Done
        ]
    );
    let detail = &report.steps[2].detail;
    assert!(detail.starts_with("I7: stream 4"), "{detail}");
    assert_eq!(rig.status("a"), InstanceStatus::Maintenance);
    assert!(rig.held("a").await.is_empty());
}

#[actix::test]
async fn there_is_no_limit_on_how_many_streams_it_takes() {
    expect_errors(&["alert emergency_recovery"]);
    const MANY: i64 = 30_000;
    let rig = Rig::start().await;
    for first in (1..=MANY).step_by(10_000) {
        rig.try_streams(first..first + 10_000).await.unwrap();
    }
    rig.register("a", 100_000).await;
    rig.ask_for("a", MANY).await;
    rig.register("b", 100_000).await;
    let report = take_out(&rig).await.unwrap();
    assert!(report.is_success());
    assert_eq!(report.recovered.evacuation.moved.len(), 30_000);
    assert!(rig.held("a").await.is_empty());
    rig.invariants_hold().await;
}
