//! A recovery that cannot be saved: tried again, recorded, escalated, never abandoned; and
//! transactions whose outcome is unknown.

use std::time::Duration;

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::recovery::Forced;
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{AlertFilter, AlertKind};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::incident::{
    FailureCause, Incident, IncidentOutcome, IncidentState, StepName, StepResult,
};
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::recovery::MOST_FAILED_STEPS;
use resilient_orchestrator::domain::stream::AssignReason;

use crate::faults::{Fault, Outage};
use crate::restart::life;
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

/// `a` holds two streams and is silent for 299 s, `b` has room and beats.
async fn nearly_failed(settings: SystemSettings) -> Rig {
    prepared(Rig::with(settings).await).await
}

/// The same, in a runtime of its own whose time stands still already.
async fn nearly_failed_again() -> Rig {
    prepared(Rig::in_paused_time(SystemSettings::default()).await).await
}

async fn prepared(rig: Rig) -> Rig {
    rig.streams(2).await;
    rig.register("a", 2).await;
    rig.ask_for("a", 2).await;
    rig.register("b", 2).await;
    rig.keep_beating(&["b"]);
    pass(299.0).await;
    rig
}

fn the_only_incident(rig: &Rig) -> Incident {
    let incidents = rig.incidents();
    let [incident] = incidents.as_slice() else {
        panic!("{incidents:#?}");
    };
    incident.clone()
}

/// Whom the open alerts of a kind are about.
async fn open_alerts(rig: &Rig, kind: AlertKind) -> Vec<String> {
    let filter = AlertFilter {
        kind: Some(kind),
        open: Some(true),
        ..AlertFilter::default()
    };
    let page = rig
        .orchestrator
        .alert_page(AskAlerts { filter, limit: 100 })
        .await;
    let alerts = page.unwrap().alerts.into_iter();
    alerts.map(|alert| alert.subject).collect()
}

fn names(incident: &Incident) -> Vec<(StepName, StepResult)> {
    let steps = incident.steps.iter();
    steps.map(|step| (step.name, step.result)).collect()
}

#[actix::test]
async fn every_step_is_recorded_in_order() {
    let rig = nearly_failed(SystemSettings::default()).await;
    pass(2.0).await;
    let incident = the_only_incident(&rig);
    let order = [
        StepName::Detect,
        StepName::Refresh,
        StepName::Reconfirm,
        StepName::Plan,
        StepName::Apply,
        StepName::Verify,
    ];
    assert_eq!(names(&incident), order.map(|name| (name, StepResult::Done)));
    assert_eq!(incident.outcome, Some(IncidentOutcome::Recovered));
    assert_eq!((incident.attempts, incident.escalated_at), (1, None));
    assert!(incident.steps.iter().all(|step| step.attempt == 1));
    assert!(incident.steps.is_sorted_by_key(|step| step.started_at));
}

#[actix::test]
async fn a_slow_save_shows_in_the_steps() {
    let rig = nearly_failed(SystemSettings::default()).await;
    let slow = |seconds| Fault::Slow(Duration::from_secs(seconds));
    rig.store.script_saves([slow(1), slow(2)]);
    pass(10.0).await;
    let incident = the_only_incident(&rig);
    let took = |name| {
        let step = incident.steps.iter().find(|step| step.name == name);
        step.unwrap().duration_us
    };
    assert_eq!(took(StepName::Apply) / 1_000_000, 2);
    assert_eq!(took(StepName::Plan), 0, "deciding takes no virtual time");
    assert!(incident.duration().unwrap() >= Duration::from_secs(3));
}

#[actix::test]
async fn attempts_that_are_used_up_become_an_emergency_that_is_tried_for_ever() {
    expect_errors(&["alert recovery_exhausted", "is an emergency after"]);
    let rig = nearly_failed(SystemSettings::default()).await;
    rig.store.refuse_content_about(Some("a".into()));
    pass(3_600.0).await;
    let open = the_only_incident(&rig);
    assert_eq!(open.state(), IncidentState::Open);
    assert!(
        open.escalated_at.is_some(),
        "saved although the moves are not"
    );
    assert_eq!(open_alerts(&rig, AlertKind::RecoveryExhausted).await, ["a"]);
    let escalations: Vec<u32> = rig
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::RecoveryEscalated {
                incident, attempts, ..
            } => {
                assert_eq!(*incident, open.id);
                Some(*attempts)
            }
            _ => None,
        })
        .collect();
    assert_eq!(escalations.len(), 1, "told once");
    let tried = rig.store.attempt_count();
    pass(600.0).await;
    let again = rig.store.attempt_count() - tried;
    assert!(
        (25..=40).contains(&again),
        "{again} in ten minutes, every 15-20 s"
    );
    assert_eq!(rig.held("a").await, [1, 2]);

    rig.store.refuse_content_about(None);
    pass(21.0).await;
    assert_eq!(rig.held("b").await, [1, 2]);
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
    let ended = the_only_incident(&rig);
    assert_eq!(ended.outcome, Some(IncidentOutcome::Recovered));
    assert_eq!(ended.cause, FailureCause::HeartbeatTimeout);
    assert!(ended.attempts > 100);
    let failed = names(&ended)
        .iter()
        .filter(|(_, result)| *result == StepResult::Failed)
        .count();
    assert_eq!(failed, MOST_FAILED_STEPS);
    assert!(names(&ended).contains(&(StepName::Redistribute, StepResult::Done)));
    for kind in [AlertKind::RecoveryExhausted, AlertKind::EmergencyRecovery] {
        assert_eq!(open_alerts(&rig, kind).await, [""; 0], "it is over");
    }
    rig.invariants_hold().await;
}

#[actix::test]
async fn without_automatic_emergencies_it_is_tried_on_in_the_ordinary_way() {
    expect_errors(&["alert recovery_exhausted", "is an emergency after"]);
    let settings = SystemSettings {
        emergency_enabled: false,
        ..SystemSettings::default()
    };
    let rig = nearly_failed(settings).await;
    rig.store.refuse_content_about(Some("a".into()));
    pass(3_600.0).await;
    rig.store.refuse_content_about(None);
    pass(21.0).await;
    assert_eq!(rig.held("b").await, [1, 2]);
    let ended = the_only_incident(&rig);
    assert!(ended.escalated_at.is_some(), "people are told all the same");
    assert!(names(&ended).contains(&(StepName::Apply, StepResult::Done)));
    assert!(!rig.kinds_about("a").contains(&"emergency_recovered"));
}

#[actix::test]
async fn what_failed_during_an_outage_is_recorded_when_it_is_over() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = nearly_failed(SystemSettings::default()).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(120.0).await;
    assert_eq!(rig.incidents(), []);
    rig.store.set_outage(None);
    pass(60.0).await;
    let incident = the_only_incident(&rig);
    assert_eq!(incident.outcome, Some(IncidentOutcome::Recovered));
    assert_eq!(
        incident.escalated_at, None,
        "waiting for the store uses up no attempt"
    );
    let failed: Vec<_> = incident
        .steps
        .iter()
        .filter(|step| step.result == StepResult::Failed)
        .collect();
    assert_eq!(failed.len() + 1, incident.attempts as usize);
    assert!(failed[0].detail.contains("does not answer"), "{failed:?}");
    assert!(!rig.kinds_about("a").contains(&"recovery_escalated"));
    rig.invariants_hold().await;
}

#[actix::test]
async fn no_room_is_no_failed_attempt() {
    expect_errors(&["alert system_health"]);
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("a", 2).await;
    rig.ask_for("a", 2).await;
    pass(301.0).await;
    let incident = the_only_incident(&rig);
    assert_eq!(incident.outcome, Some(IncidentOutcome::RecoveredPartially));
    assert_eq!((incident.attempts, incident.streams_orphaned), (1, 2));
    rig.register("b", 5).await;
    assert_eq!(
        rig.held("b").await,
        [1, 2],
        "first, as soon as there is room"
    );
}

async fn doubtful(doubt: Fault, number: usize) -> Rig {
    let rig = nearly_failed_again().await;
    let before = std::iter::repeat_n(Fault::Fine, number);
    rig.store.script_saves(before.chain([doubt]));
    // The first settlement fails too: nobody knows for a while.
    rig.store.script_settlements([Fault::Unavailable]);
    pass(90.0).await;
    let what = format!("{doubt:?} of transaction {number}");
    assert_eq!(rig.held("b").await, [1, 2], "{what}");
    let incident = the_only_incident(&rig);
    assert_eq!(incident.state(), IncidentState::Ended, "{what}");
    let recovered = Some(IncidentOutcome::Recovered);
    let ending = (incident.outcome, incident.streams_moved);
    assert_eq!(ending, (recovered, 2), "{what}");
    let kinds = rig.kinds_about("a");
    let count = |kind| kinds.iter().filter(|known| **known == kind).count();
    assert_eq!(count("instance_failed"), 1, "{what}");
    assert_eq!(count("recovery_ended"), 1, "{what}");
    rig.invariants_hold().await;
    rig
}

#[test]
fn every_doubtful_transaction_of_a_recovery_is_looked_up_and_nothing_is_recorded_twice() {
    let doubts = [
        Fault::WrittenInDoubt,
        Fault::LostInDoubt,
        Fault::LateInDoubt(Duration::from_secs(3)),
    ];
    for doubt in doubts {
        for number in 0..3 {
            life(async |_| doubtful(doubt, number).await, None);
        }
    }
}

async fn reported_in_doubt(doubt: Fault, is_saved: bool) -> Rig {
    let rig = nearly_failed_again().await;
    rig.beat("a").await;
    rig.keep_beating(&["a"]);
    rig.store.script_saves([Fault::Fine, doubt]);
    rig.store.script_settlements([Fault::Unavailable]);
    let answer = rig.orchestrator.report_failure("a".into()).await;
    assert_eq!(answer.unwrap_err(), Refusal::OutcomeUnknown);
    pass(60.0).await;
    let outcome = the_only_incident(&rig).outcome;
    if is_saved {
        assert_eq!(outcome, Some(IncidentOutcome::Recovered));
        assert_eq!(rig.held("b").await, [1, 2]);
    } else {
        assert_eq!(outcome, Some(IncidentOutcome::Failed));
        assert_eq!(rig.held("a").await, [1, 2]);
        assert!(rig.beat("a").await.is_trusted, "the fence is down");
    }
    rig.invariants_hold().await;
    rig
}

#[test]
fn a_report_in_doubt_is_carried_out_if_it_was_saved_and_forgotten_if_not() {
    for (doubt, is_saved) in [(Fault::WrittenInDoubt, true), (Fault::LostInDoubt, false)] {
        life(async |_| reported_in_doubt(doubt, is_saved).await, None);
    }
}

#[actix::test]
async fn an_instance_that_registers_while_its_recovery_waits_is_left_alone() {
    let rig = nearly_failed(SystemSettings::default()).await;
    rig.store.script_saves([Fault::Fine, Fault::Unavailable]);
    pass(2.0).await;
    assert_eq!(the_only_incident(&rig).state(), IncidentState::Open);
    rig.register("a", 2).await;
    rig.keep_beating(&["a"]);
    pass(60.0).await;
    assert_eq!(rig.held("a").await, [1, 2]);
    let incident = the_only_incident(&rig);
    assert_eq!(incident.outcome, Some(IncidentOutcome::Averted));
    assert_eq!(incident.streams_moved, 0);
    rig.invariants_hold().await;
}

#[actix::test]
async fn an_instance_that_is_removed_while_its_recovery_waits_ends_it() {
    use resilient_orchestrator::domain::commands::RemoveInstance;
    let rig = nearly_failed(SystemSettings::default()).await;
    rig.store.script_saves([Fault::Fine, Fault::Unavailable]);
    pass(2.0).await;
    let remove = RemoveInstance::new("a".into());
    rig.orchestrator.execute(remove).await.unwrap();
    pass(60.0).await;
    assert_eq!(
        the_only_incident(&rig).outcome,
        Some(IncidentOutcome::Averted)
    );
    assert_eq!(rig.held("b").await, [1, 2]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_forced_recovery_joins_the_one_that_waits() {
    let rig = nearly_failed(SystemSettings::default()).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(2.0).await;
    let refused = rig.orchestrator.force_recovery("a".into()).await;
    assert_eq!(refused.unwrap_err(), Refusal::StoreUnavailable);
    rig.store.set_outage(None);
    let forced = rig.orchestrator.force_recovery("a".into()).await.unwrap();
    let Forced::Moved(recovered) = forced else {
        panic!("{forced:?}");
    };
    assert_eq!(recovered.evacuation.moved.len(), 2);
    settle_down().await;
    let incident = the_only_incident(&rig);
    assert_eq!(incident.cause, FailureCause::HeartbeatTimeout);
    assert_eq!(Some(incident.id), recovered.incident);
}

#[actix::test]
async fn a_recovery_that_is_an_emergency_says_so_in_its_moves() {
    expect_errors(&["alert recovery_exhausted", "is an emergency after"]);
    let rig = nearly_failed(SystemSettings::default()).await;
    rig.store.refuse_content_about(Some("a".into()));
    pass(120.0).await;
    rig.store.refuse_content_about(None);
    pass(21.0).await;
    let reasons: Vec<AssignReason> = rig
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::StreamAssigned { reason, from, .. } if from.is_some() => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [AssignReason::Emergency; 2]);
}
