//! Most of the fleet falls silent at once: held, come back, released, prolonged, recovered.

use std::time::Duration;

use resilient_orchestrator::actors::recovery::OrderBrake;
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::brake::{Order, OrderRefused, Phase};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::invariants::check_fleet;
use resilient_orchestrator::domain::settings::{LivenessThresholds, WorkerLimits};

use crate::faults::{Fault, Outage};
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

fn name(number: usize) -> String {
    format!("i{number:04}")
}

/// `total` instances with room for all streams; the n-th of the silent ones holds n + 1 streams.
/// The others beat until the runtime ends.
async fn fleet(total: usize, silent: usize) -> Rig {
    let rig = Rig::start().await;
    let streams: usize = (1..=silent).sum();
    rig.streams(i64::try_from(streams).unwrap()).await;
    for number in 0..total {
        rig.register(&name(number), 1_000).await;
        if number < silent {
            rig.ask_for(&name(number), i64::try_from(number + 1).unwrap())
                .await;
        }
    }
    let beating: Vec<String> = (silent..total).map(name).collect();
    rig.keep_beating(&beating.iter().map(String::as_str).collect::<Vec<_>>());
    rig
}

async fn phase(rig: &Rig) -> Phase {
    rig.orchestrator.brake().await.unwrap().phase
}

async fn order(rig: &Rig, order: Order) -> Result<Phase, OrderRefused> {
    let order = OrderBrake {
        order,
        reason: "the switch is being replaced".to_owned(),
    };
    let answer = rig.orchestrator.order_brake(order).await;
    answer
        .unwrap_or_else(|refusal: Refusal| panic!("{refusal}"))
        .map(|report| report.phase)
}

/// Who failed, in the order in which it was saved.
fn failed(rig: &Rig) -> Vec<String> {
    let events = rig.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::InstanceFailed { instance, .. } => Some(instance.to_string()),
            _ => None,
        })
        .collect()
}

async fn nothing_was_touched(rig: &Rig, silent: usize) {
    assert_eq!(failed(rig), Vec::<String>::new());
    for number in 0..silent {
        let held = rig.held(&name(number)).await.len();
        assert_eq!(held, number + 1, "{}", name(number));
        assert!(!rig.entry(&name(number)).is_fenced());
    }
}

async fn invariants_hold(rig: &Rig) {
    for check in check_fleet(&rig.fleet().await) {
        assert!(check.holds, "{check:?}");
    }
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_mass_failure_is_held_and_who_comes_back_has_lost_nothing() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(10, 6).await;
    pass(299.9).await;
    assert_eq!(phase(&rig).await, Phase::Open);
    pass(0.2).await;
    assert_eq!(phase(&rig).await, Phase::Held);
    assert_eq!(rig.orchestrator.telemetry().brake_engaged.get(), 1);
    for number in 0..6 {
        assert_eq!(rig.status(&name(number)), InstanceStatus::Suspect);
    }
    // Past a sweep, and nearly to the end of the hold.
    pass(29.0).await;
    nothing_was_touched(&rig, 6).await;
    for number in 0..6 {
        let answer = rig.beat(&name(number)).await;
        assert!(answer.is_trusted, "it was never fenced");
    }
    pass(1.0).await;
    assert_eq!(phase(&rig).await, Phase::Open);
    let ids: Vec<String> = (0..6).map(name).collect();
    rig.keep_beating(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    pass(600.0).await;
    nothing_was_touched(&rig, 6).await;
    for id in &ids {
        assert_eq!(rig.status(id), InstanceStatus::Active);
    }
    assert_eq!(rig.orchestrator.telemetry().brake_engaged.get(), 0);
    assert_eq!(rig.orchestrator.telemetry().brake_engagements.get(), 1);
    invariants_hold(&rig).await;
}

#[actix::test]
async fn who_stays_silent_is_recovered_after_the_hold_within_20_s_most_loaded_first() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(10, 6).await;
    pass(329.9).await;
    nothing_was_touched(&rig, 6).await;
    pass(0.2).await;
    assert_eq!(failed(&rig), [name(5)], "the most loaded one first");
    pass(19.9).await;
    assert_eq!(failed(&rig), [5, 4, 3, 2, 1, 0].map(name));
    assert_eq!(phase(&rig).await, Phase::Open);
    for number in 0..6 {
        assert!(rig.held(&name(number)).await.is_empty());
    }
    let incidents = rig.store.incident_rows();
    let detected: Vec<_> = incidents.iter().map(|one| one.detected_at).collect();
    assert!(
        detected.windows(2).all(|pair| pair[0] == pair[1]),
        "detected when they passed their timeout, not when their turn came: {detected:?}"
    );
    pass(600.0).await;
    assert_eq!(rig.orchestrator.telemetry().brake_engagements.get(), 1);
    invariants_hold(&rig).await;
}

#[actix::test]
async fn exactly_half_is_no_mass() {
    expect_errors(&["alert instance_failed"]);
    let rig = fleet(10, 5).await;
    pass(300.1).await;
    assert_eq!(failed(&rig).len(), 5, "recovered at their timeout");
    assert_eq!(phase(&rig).await, Phase::Open);
}

#[actix::test]
async fn two_instances_are_no_mass() {
    expect_errors(&["alert system_health"]);
    let rig = fleet(3, 2).await;
    pass(300.1).await;
    assert_eq!(failed(&rig).len(), 2, "recovered at their timeout");
    assert_eq!(phase(&rig).await, Phase::Open);
}

#[actix::test]
async fn who_beats_during_the_hold_and_falls_silent_later_is_recovered_at_its_own_timeout() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(10, 6).await;
    pass(310.0).await;
    let hour = Duration::from_secs(3_600);
    let held = order(&rig, Order::Prolong(hour)).await;
    assert_eq!(held, Ok(Phase::Held));
    rig.beat(&name(0)).await;
    pass(299.9).await;
    assert_eq!(failed(&rig), Vec::<String>::new());
    pass(0.2).await;
    assert_eq!(failed(&rig), [name(0)], "outside the mass");
    assert_eq!(phase(&rig).await, Phase::Held, "which is still held");
    invariants_hold(&rig).await;
}

#[actix::test]
async fn an_operator_releases_the_hold_at_once() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(10, 6).await;
    let nothing = order(&rig, Order::Release).await;
    assert_eq!(nothing, Err(OrderRefused::NothingHeld));
    pass(305.0).await;
    nothing_was_touched(&rig, 6).await;
    let released = order(&rig, Order::Release).await;
    assert_eq!(released, Ok(Phase::Releasing));
    settle_down().await;
    assert_eq!(failed(&rig), [name(5)]);
    pass(20.0).await;
    assert_eq!(failed(&rig).len(), 6);
    let report = rig.orchestrator.brake().await.unwrap();
    let given = report.last_order.expect("what was ordered is kept");
    assert_eq!(given.reason, "the switch is being replaced");
    invariants_hold(&rig).await;
}

#[actix::test]
async fn an_operator_prolongs_the_hold_and_it_still_ends_by_itself() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(10, 6).await;
    pass(310.0).await;
    let minute = Duration::from_secs(60);
    let prolonged = order(&rig, Order::Prolong(minute)).await;
    assert_eq!(prolonged, Ok(Phase::Held));
    pass(79.8).await;
    nothing_was_touched(&rig, 6).await;
    let engagement = rig.orchestrator.brake().await.unwrap().engagement.unwrap();
    assert!(engagement.is_prolonged);
    pass(20.4).await;
    assert_eq!(failed(&rig).len(), 6);
}

#[actix::test]
async fn a_failure_somebody_reports_is_not_held() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(10, 6).await;
    pass(305.0).await;
    let reported = rig
        .orchestrator
        .report_failure(name(2).as_str().into())
        .await;
    assert!(reported.unwrap().incident.is_some());
    assert_eq!(failed(&rig), [name(2)]);
    assert_eq!(phase(&rig).await, Phase::Held);
}

#[actix::test]
async fn a_second_mass_failure_is_held_again() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(10, 6).await;
    pass(310.0).await;
    for number in 0..6 {
        rig.beat(&name(number)).await;
    }
    pass(299.9).await;
    assert_eq!(phase(&rig).await, Phase::Open);
    pass(0.2).await;
    assert_eq!(phase(&rig).await, Phase::Held);
    assert_eq!(failed(&rig), Vec::<String>::new());
    assert_eq!(rig.orchestrator.telemetry().brake_engagements.get(), 2);
}

#[actix::test]
async fn the_silence_of_a_thousand_is_over_within_hold_and_20_s() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = Rig::start().await;
    rig.streams(1_000).await;
    for number in 0..1_000 {
        rig.register(&name(number), 1).await;
        rig.ask_for(&name(number), 1).await;
    }
    for heir in ["x", "y"] {
        rig.register(heir, 600).await;
    }
    rig.keep_beating(&["x", "y"]);
    pass(329.0).await;
    assert_eq!(failed(&rig), Vec::<String>::new());
    pass(21.1).await;
    assert_eq!(failed(&rig).len(), 1_000);
    let moved = rig.held("x").await.len() + rig.held("y").await.len();
    assert_eq!(moved, 1_000);
    invariants_hold(&rig).await;
}

/// What the store was told of the brake, in order, in words.
fn journal(rig: &Rig) -> Vec<String> {
    let events = rig.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::MassFailureHeld { late, active, .. } => Some(format!("held {late}/{active}")),
            Event::MassFailureEnded { ending, silent, .. } => {
                Some(format!("ended {ending:?} {silent}"))
            }
            Event::BrakeOrdered { action, reason, .. } => Some(format!("{action:?}: {reason}")),
            _ => None,
        })
        .collect()
}

#[actix::test]
async fn what_the_brake_did_and_was_told_is_saved_each_once() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(10, 6).await;
    pass(310.0).await;
    assert_eq!(journal(&rig), ["held 6/10"]);
    let minute = Duration::from_secs(60);
    order(&rig, Order::Prolong(minute)).await.unwrap();
    order(&rig, Order::Release).await.unwrap();
    pass(1.5).await;
    order(&rig, Order::Prolong(minute)).await.unwrap();
    pass(100.0).await;
    let reason = "the switch is being replaced";
    let expected = [
        "held 6/10".to_owned(),
        format!("Prolong: {reason}"),
        format!("Release: {reason}"),
        "ended Released 6".to_owned(),
        format!("Prolong: {reason}"),
        "held 6/10".to_owned(),
        "ended TimeOver 4".to_owned(),
    ];
    assert_eq!(journal(&rig), expected);
    let times: Vec<_> = rig
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::MassFailureHeld { held_at, until, .. } => Some(until.since(held_at)),
            Event::BrakeOrdered {
                until, ordered_at, ..
            } => Some(until.since(ordered_at)),
            _ => None,
        })
        .map(|left| left.as_secs())
        .collect();
    assert_eq!(times, [30, 80, 0, 60, 60]);
    assert_eq!(failed(&rig).len(), 6);
    invariants_hold(&rig).await;
}

#[actix::test]
async fn an_order_takes_effect_while_the_store_is_out_and_is_saved_when_it_is_back() {
    expect_errors(&[
        "alert mass_failure",
        "alert store_unavailable",
        "alert system_health",
        "the store is out",
    ]);
    let rig = fleet(10, 6).await;
    pass(299.0).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(6.0).await;
    assert_eq!(phase(&rig).await, Phase::Held);
    let hour = Duration::from_secs(3_600);
    assert_eq!(order(&rig, Order::Prolong(hour)).await, Ok(Phase::Held));
    pass(60.0).await;
    assert_eq!(order(&rig, Order::Release).await, Ok(Phase::Releasing));
    assert_eq!(journal(&rig), Vec::<String>::new());
    rig.store.set_outage(None);
    pass(30.0).await;
    let reason = "the switch is being replaced";
    let expected = [
        "held 6/10".to_owned(),
        format!("Prolong: {reason}"),
        format!("Release: {reason}"),
        "ended Released 6".to_owned(),
    ];
    assert_eq!(journal(&rig), expected, "in order, each once");
    assert_eq!(failed(&rig).len(), 6);
    invariants_hold(&rig).await;
}

#[actix::test]
async fn nothing_of_it_is_lost_in_a_store_that_hangs() {
    expect_errors(&[
        "alert mass_failure",
        "alert store_unavailable",
        "alert system_health",
        "the store is out",
    ]);
    let rig = fleet(10, 6).await;
    pass(299.0).await;
    rig.store.set_outage(Some(Outage::Hanging));
    pass(20.0).await;
    assert_eq!(order(&rig, Order::Release).await, Ok(Phase::Releasing));
    pass(60.0).await;
    rig.store.set_outage(None);
    pass(60.0).await;
    let told = journal(&rig);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told.first().map(String::as_str), Some("held 6/10"));
    assert_eq!(told.last().map(String::as_str), Some("ended Released 6"));
    invariants_hold(&rig).await;
}

/// An order whose save is in doubt, and nobody can say for a while what became of it.
async fn saved_in_doubt(fault: Fault) {
    let rig = fleet(10, 6).await;
    pass(305.0).await;
    rig.store.script_saves([fault]);
    rig.store
        .script_settlements([Fault::Unavailable, Fault::LostInDoubt]);
    let hour = Duration::from_secs(3_600);
    assert_eq!(order(&rig, Order::Prolong(hour)).await, Ok(Phase::Held));
    assert_eq!(order(&rig, Order::Release).await, Ok(Phase::Releasing));
    pass(60.0).await;
    let reason = "the switch is being replaced";
    let expected = [
        "held 6/10".to_owned(),
        format!("Prolong: {reason}"),
        format!("Release: {reason}"),
        "ended Released 6".to_owned(),
    ];
    assert_eq!(journal(&rig), expected, "{fault:?}: in order, each once");
    invariants_hold(&rig).await;
}

#[actix::test]
async fn what_was_saved_in_doubt_is_not_saved_again() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    saved_in_doubt(Fault::WrittenInDoubt).await;
}

#[actix::test]
async fn what_was_lost_in_doubt_is_saved_again() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    saved_in_doubt(Fault::LostInDoubt).await;
}

#[actix::test]
async fn what_is_saved_late_is_not_saved_again() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    saved_in_doubt(Fault::LateInDoubt(Duration::from_millis(500))).await;
}

/// Beats every 3 s for so long.
async fn beat_all(rig: &Rig, ids: &[String], seconds: u32) {
    for _ in 0..seconds / 3 {
        for id in ids {
            rig.beat(id).await;
        }
        pass(3.0).await;
    }
}

#[actix::test]
async fn a_second_mass_is_held_while_the_first_one_is_released() {
    expect_errors(&[
        "alert emergency_recovery",
        "alert mass_failure",
        "alert streams_orphaned",
        "alert system_health",
    ]);
    let rig = Rig::with(SystemSettings {
        thresholds: LivenessThresholds::from_timeout(Duration::from_secs(30)),
        worker_limits: WorkerLimits::from_thresholds(&LivenessThresholds::from_timeout(
            Duration::from_secs(30),
        )),
        sweep_interval: Duration::from_secs(3),
        ..SystemSettings::default()
    })
    .await;
    let ids: Vec<String> = (0..10).map(name).collect();
    rig.streams(10).await;
    for id in &ids {
        rig.register(id, 10).await;
        rig.ask_for(id, 1).await;
    }
    // Six are silent from the start, held from 30 s, released from 60 s; the others from 33 s on.
    beat_all(&rig, &ids[6..], 36).await;
    pass(23.5).await;
    assert_eq!(failed(&rig), Vec::<String>::new());
    pass(1.0).await;
    assert_eq!(phase(&rig).await, Phase::Releasing);
    pass(3.0).await;
    assert_eq!(
        phase(&rig).await,
        Phase::Held,
        "the others' timeout is over"
    );
    pass(29.0).await;
    assert_eq!(failed(&rig), [0, 1, 2, 3, 4, 5].map(name));
    let held = ["held 6/10", "ended TimeOver 6", "held 4/4"];
    assert_eq!(journal(&rig), held);
    pass(3.0).await;
    assert_eq!(journal(&rig).last().unwrap(), "ended TimeOver 4");
    pass(20.0).await;
    assert_eq!(failed(&rig).len(), 10);
    assert_eq!(phase(&rig).await, Phase::Open);
    assert_eq!(rig.orchestrator.telemetry().brake_engagements.get(), 2);
    invariants_hold(&rig).await;
}
