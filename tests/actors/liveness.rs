//! On time, late, silent; failed, fenced, back, trusted.

use resilient_orchestrator::domain::commands::AssignOutcome;
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::stream::{AssignReason, StreamState};

use crate::faults::{Fault, Outage};
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

fn ids(ids: impl IntoIterator<Item = i64>) -> Vec<StreamId> {
    ids.into_iter().map(StreamId::new).collect()
}

#[actix::test]
async fn a_silent_instance_is_suspect_exactly_at_the_warning_threshold() {
    let rig = Rig::start().await;
    rig.register("a", 5).await;
    pass(119.99).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
    pass(0.02).await;
    assert_eq!(rig.status("a"), InstanceStatus::Suspect);
    assert_eq!(
        rig.kinds_about("a"),
        ["instance_registered", "instance_suspected"]
    );
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_late_instance_that_beats_is_active_again_at_once() {
    let rig = Rig::start().await;
    rig.register("a", 5).await;
    pass(121.0).await;
    assert!(rig.beat("a").await.is_trusted);
    settle_down().await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
    pass(119.9).await;
    assert_eq!(
        rig.status("a"),
        InstanceStatus::Active,
        "its deadline moved"
    );
}

#[actix::test]
async fn status_and_moves_of_a_silent_instance_are_one_transaction_exactly_at_the_timeout() {
    let rig = Rig::start().await;
    rig.streams(6).await;
    rig.register("a", 6).await;
    assert!(matches!(rig.ask_for("a", 6).await, AssignOutcome::Assigned(all) if all.len() == 6));
    // Half full, empty, and empty with twice the room.
    rig.register("half", 4).await;
    rig.try_streams(7..=8).await.unwrap();
    rig.ask_for("half", 2).await;
    rig.register("small", 2).await;
    rig.register("large", 4).await;
    rig.keep_beating(&["half", "small", "large"]);

    pass(299.9).await;
    assert_eq!(rig.status("a"), InstanceStatus::Suspect);
    let before = rig.store.attempt_count();
    pass(0.11).await;
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
    let attempts = rig.store.attempts();
    let [opening, recovery, ending] = &attempts[before..] else {
        panic!("{} transactions instead of three", attempts.len() - before);
    };
    for record in [opening, ending] {
        assert_eq!(record.rows.len(), 1, "the incident and nothing else");
        assert_eq!(record.rows.incidents.len(), 1);
    }
    let row = recovery.rows.instances["a"].as_ref().unwrap();
    assert_eq!(
        row.status,
        InstanceStatus::Failed,
        "status and moves together"
    );
    let moves: Vec<(i64, String)> = recovery
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StreamAssigned {
                stream,
                instance,
                reason,
                from,
                ..
            } => {
                assert_eq!(*reason, AssignReason::InstanceFailed);
                assert_eq!(from.as_ref().unwrap().as_str(), "a");
                Some((stream.get(), instance.to_string()))
            }
            _ => None,
        })
        .collect();
    // 0/4, 0/2, 1/4, then 2/4 = 1/2 = 2/4: the larger first, then by name.
    let expected = ["large", "small", "large", "half", "large", "small"];
    let expected: Vec<_> = (1..=6).zip(expected.map(str::to_owned)).collect();
    assert_eq!(moves, expected);
    assert!(rig.held("a").await.is_empty());
    rig.memory_equals_store().await;
    assert_eq!(rig.store.incident_rows().len(), 1);
    assert_eq!(rig.store.incident_rows()[0].streams_moved, 6);
}

/// The sweep at 300 s detects the silence while the instance's actor is busy; the heartbeat is
/// stamped before the actor comes to the fence.
async fn beat_between_detection_and_fence() -> Rig {
    let rig = Rig::start().await;
    rig.streams(1).await;
    rig.register("a", 1).await;
    rig.ask_for("a", 1).await;
    pass(299.9).await;
    assert_eq!(rig.status("a"), InstanceStatus::Suspect);
    rig.keep_busy("a", 1.0).await;
    pass(0.5).await;
    rig.entry("a").stamp(rig.clock.now(), rig.clock.wall());
    pass(0.6).await;
    rig
}

#[actix::test]
async fn a_beat_between_detection_and_decision_leaves_the_instance_alone() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let rig = beat_between_detection_and_fence().await;
    assert_eq!(rig.held("a").await, [1]);
    assert!(!rig.entry("a").is_fenced());
    assert!(!rig.kinds_about("a").contains(&"instance_failed"));
    pass(298.0).await;
    assert_eq!(rig.held("a").await, [1], "a full timeout from that beat on");
    pass(3.0).await;
    assert!(rig.held("a").await.is_empty(), "and not a longer one");
}

#[actix::test]
async fn suspicion_ends_at_once_when_the_fence_is_the_first_to_see_the_beat() {
    expect_errors(&["alert system_health"]);
    let rig = beat_between_detection_and_fence().await;
    assert_eq!(
        rig.status("a"),
        InstanceStatus::Active,
        "not only at the next sweep"
    );
}

#[actix::test]
async fn a_fenced_instance_is_answered_granted_nothing_and_returns_after_the_failure_is_saved() {
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("a", 2).await;
    rig.ask_for("a", 2).await;
    rig.register("b", 2).await;
    rig.keep_beating(&["b"]);
    pass(299.0).await;
    rig.store
        .script_saves([Fault::Slow(std::time::Duration::from_secs(4))]);
    pass(2.0).await;
    assert!(rig.entry("a").is_fenced());
    let answer = rig.beat("a").await;
    assert!(!answer.is_trusted, "fenced");
    assert_eq!(
        answer.standing.status,
        InstanceStatus::Suspect,
        "nothing else is saved yet"
    );
    pass(3.1).await;
    assert_eq!(rig.status("a"), InstanceStatus::Recovering);
    assert_eq!(
        rig.held("b").await,
        [1, 2],
        "its streams stay where they went"
    );
    assert!(!rig.entry("a").is_fenced());

    for _ in 0..3 {
        pass(30.0).await;
        assert!(rig.beat("a").await.is_trusted);
        settle_down().await;
        assert_eq!(
            rig.status("a"),
            InstanceStatus::Recovering,
            "still on probation"
        );
    }
    pass(30.0).await;
    rig.beat("a").await;
    settle_down().await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
    let kinds = rig.kinds_about("a");
    let life: Vec<_> = kinds
        .iter()
        .filter(|kind| kind.starts_with("instance_"))
        .collect();
    assert_eq!(
        life,
        [
            &"instance_registered",
            &"instance_suspected",
            &"instance_failed",
            &"instance_returned",
            &"instance_trusted"
        ]
    );
}

#[actix::test]
async fn registering_again_during_the_recovery_ends_it() {
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("a", 2).await;
    rig.ask_for("a", 2).await;
    rig.register("b", 2).await;
    rig.keep_beating(&["b"]);
    pass(299.0).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(2.0).await;
    assert!(
        rig.entry("a").is_fenced(),
        "its recovery waits for the store"
    );
    rig.store.set_outage(None);
    let registered = rig.register("a", 2).await;
    assert_eq!(registered.assigned_streams(), ids([1, 2]));
    rig.keep_beating(&["a"]);
    pass(100.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
    assert_eq!(rig.held("a").await, [1, 2], "the life that failed is over");
    assert!(rig.beat("a").await.is_trusted);
    assert!(!rig.kinds_about("a").contains(&"instance_failed"));
}

#[actix::test]
async fn what_finds_no_room_is_orphaned_and_the_incident_says_so() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 3).await;
    rig.ask_for("a", 3).await;
    rig.register("b", 1).await;
    rig.keep_beating(&["b"]);
    pass(301.0).await;
    assert_eq!(rig.held("b").await, [1]);
    for stream in [2, 3] {
        assert_eq!(rig.place(stream).await, StreamState::Orphaned);
    }
    let incident = &rig.store.incident_rows()[0];
    assert_eq!((incident.streams_moved, incident.streams_orphaned), (1, 2));
    rig.memory_equals_store().await;
}
