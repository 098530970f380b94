//! The orchestrator's process stands still: that silence is its own.

use std::time::Duration;

use resilient_orchestrator::domain::brake::Phase;
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::instance::InstanceStatus;

use crate::rig::{Rig, pass};

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
