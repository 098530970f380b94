//! The orchestrator's process stands still: that silence is its own.

use std::time::Duration;

use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::domain::brake::Phase;
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::instance::InstanceStatus;

use crate::faults::Outage;
use crate::rig::{Rig, pass, registration};
use crate::support_log::expect_errors;

/// Nothing happens for so long; all timers of that time expire at once afterwards.
async fn stand_still(rig: &Rig, seconds: u64) {
    let gap = Duration::from_secs(seconds);
    rig.clock.stand_still(gap);
    tokio::time::advance(gap).await;
}

fn has_failed(rig: &Rig) -> bool {
    let failed = |event: &Event| matches!(event, Event::InstanceFailed { .. });
    rig.events().iter().any(failed)
}

#[actix::test]
async fn nobody_is_late_for_it_and_who_was_silent_before_has_the_rest_of_its_timeout() {
    let rig = Rig::start().await;
    rig.streams(2).await;
    for id in ["silent", "beats"] {
        rig.register(id, 2).await;
    }
    rig.ask_for("silent", 2).await;
    pass(100.0).await;
    rig.beat("beats").await;
    // Longer than the emergency threshold.
    stand_still(&rig, 1_000).await;
    // What waited in the sockets is read within the grace.
    pass(0.9).await;
    assert_eq!(rig.status("silent"), InstanceStatus::Active);
    rig.beat("beats").await;
    pass(19.9).await;
    assert_eq!(rig.status("silent"), InstanceStatus::Active);
    pass(1.0).await;
    assert_eq!(
        rig.status("silent"),
        InstanceStatus::Suspect,
        "120 s it heard"
    );
    assert_eq!(rig.status("beats"), InstanceStatus::Active);
    rig.keep_beating(&["beats"]);
    pass(178.0).await;
    assert!(!has_failed(&rig));
    pass(2.0).await;
    assert_eq!(
        rig.status("silent"),
        InstanceStatus::Failed,
        "300 s it heard"
    );
    assert_eq!(rig.held("beats").await, [1, 2]);
    let telemetry = rig.orchestrator.telemetry();
    assert_eq!(telemetry.stalls.get(), 1);
    rig.invariants_hold().await;
}

#[actix::test]
async fn again_and_again_it_still_fails_nobody() {
    let rig = Rig::start().await;
    for number in 0..5 {
        rig.register(&format!("i{number}"), 1).await;
    }
    pass(110.0).await;
    for _ in 0..10 {
        stand_still(&rig, 400).await;
        pass(1.5).await;
    }
    for number in 0..5 {
        assert_eq!(rig.status(&format!("i{number}")), InstanceStatus::Active);
    }
    let brake = rig.orchestrator.brake().await.unwrap();
    assert_eq!(brake.phase, Phase::Open);
    assert!(!has_failed(&rig));
}

/// Every instance is silent and nobody can be heard, for longer than every threshold.
async fn hear_nobody(rig: &Rig, seconds: f64) {
    rig.clock.stop_listening();
    pass(seconds).await;
}

#[actix::test]
async fn while_the_program_does_not_listen_no_deadline_runs_out() {
    let rig = Rig::start().await;
    rig.streams(2).await;
    for id in ["a", "b"] {
        rig.register(id, 2).await;
    }
    rig.ask_for("a", 2).await;
    // A moment before the warning threshold; then the sweep comes round many times.
    pass(119.9).await;
    hear_nobody(&rig, 3_600.0).await;
    for id in ["a", "b"] {
        assert_eq!(rig.status(id), InstanceStatus::Active);
    }
    let brake = rig.orchestrator.brake().await.unwrap();
    assert_eq!(brake.phase, Phase::Open);
    assert!(!has_failed(&rig));
    assert_eq!(rig.held("a").await, [1, 2]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn once_the_program_listens_again_what_was_left_of_a_deadline_runs_on_after_the_grace() {
    expect_errors(&["alert system_health"]);
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    pass(100.0).await;
    hear_nobody(&rig, 500.0).await;
    rig.clock.start_listening();
    pass(20.9).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active, "a second of grace");
    pass(0.3).await;
    assert_eq!(rig.status("a"), InstanceStatus::Suspect);
    assert_eq!(
        rig.orchestrator.telemetry().stalls.get(),
        0,
        "no standstill"
    );
}

#[actix::test]
async fn a_mass_failure_that_is_held_stays_held_while_the_program_does_not_listen() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = Rig::start().await;
    for number in 0..5 {
        rig.register(&format!("i{number}"), 1).await;
    }
    pass(301.0).await;
    let brake = rig.orchestrator.brake().await.unwrap();
    assert_eq!(brake.phase, Phase::Held);
    hear_nobody(&rig, 600.0).await;
    let brake = rig.orchestrator.brake().await.unwrap();
    assert_eq!(brake.phase, Phase::Held);
    assert!(!has_failed(&rig));
}

#[actix::test]
async fn callers_are_refused_after_their_wait_although_the_program_does_not_listen() {
    let rig = Rig::start().await;
    rig.store.set_outage(Some(Outage::Hanging));
    let first = rig.orchestrator.clone();
    actix::spawn(async move { first.execute(registration("a", 1)).await });
    pass(0.1).await;
    rig.clock.stop_listening();
    let began = rig.clock.awake();
    let refused = rig.try_register("b", 1).await.unwrap_err();
    assert_eq!(refused, Refusal::StoreUnavailable);
    let waited = rig.clock.awake().since(began);
    assert!(waited < Duration::from_millis(3_100), "{waited:?}");
}
