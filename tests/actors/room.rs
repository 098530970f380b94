//! Orphans are placed as soon as there is room, whichever way it appears.

use resilient_orchestrator::domain::commands::{
    DeleteStream, ReleaseStreams, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::stream::StreamState;

use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

/// `full` holds stream 1 and has no room; stream 2 is orphaned by `gone`.
async fn one_orphan() -> Rig {
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("full", 1).await;
    rig.ask_for("full", 1).await;
    rig.register("gone", 1).await;
    rig.ask_for("gone", 1).await;
    rig.keep_beating(&["full"]);
    pass(301.0).await;
    assert_eq!(rig.place(2).await, StreamState::Orphaned);
    rig
}

#[actix::test]
async fn by_a_registration() {
    let rig = one_orphan().await;
    let registered = rig.register("new", 5).await;
    assert!(registered.auto_rebalanced);
    assert_eq!(rig.held("new").await, [2]);
    rig.memory_equals_store().await;
}

#[actix::test]
async fn by_a_release() {
    let rig = one_orphan().await;
    let release = ReleaseStreams {
        epochs: None,
        id: "full".into(),
        incarnation: None,
        streams: vec![StreamId::new(1)],
        reason: None,
    };
    rig.orchestrator.execute(release).await.unwrap();
    assert_eq!(rig.held("full").await, [2]);
    assert_eq!(rig.place(1).await, StreamState::Unclaimed);
    rig.memory_equals_store().await;
}

#[actix::test]
async fn by_registering_again_with_more_room() {
    let rig = one_orphan().await;
    rig.register("full", 2).await;
    assert_eq!(rig.held("full").await, [1, 2]);
    rig.memory_equals_store().await;
}

#[actix::test]
async fn by_the_return_of_an_instance_even_on_probation_if_nobody_else_has_room() {
    let rig = one_orphan().await;
    assert!(!rig.beat("gone").await.is_trusted);
    settle_down().await;
    assert_eq!(rig.status("gone"), InstanceStatus::Recovering);
    assert_eq!(rig.held("gone").await, [2]);
    rig.memory_equals_store().await;
}

#[actix::test]
async fn by_the_deletion_of_a_stream() {
    let rig = one_orphan().await;
    let delete = DeleteStream {
        id: StreamId::new(1),
    };
    rig.orchestrator.execute(delete).await.unwrap();
    assert_eq!(rig.held("full").await, [2]);
    rig.memory_equals_store().await;
}

#[actix::test]
async fn by_disabling_a_stream() {
    let rig = one_orphan().await;
    let disabled = StreamSpec {
        id: Some(StreamId::new(1)),
        enabled: Some(false),
        ..StreamSpec::default()
    };
    let save = SaveStreams {
        streams: vec![disabled],
    };
    rig.orchestrator.execute(save).await.unwrap();
    assert_eq!(rig.held("full").await, [2]);
    rig.memory_equals_store().await;
}

#[actix::test]
async fn by_the_end_of_suspicion() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let rig = Rig::start().await;
    rig.streams(1).await;
    rig.register("gone", 1).await;
    rig.ask_for("gone", 1).await;
    pass(100.0).await;
    rig.register("late", 1).await;
    // At 300 s `gone` fails; `late` has been late since 220 s and is pushed nothing.
    pass(201.0).await;
    assert_eq!(rig.status("late"), InstanceStatus::Suspect);
    assert_eq!(rig.place(1).await, StreamState::Orphaned);
    rig.beat("late").await;
    settle_down().await;
    assert_eq!(rig.held("late").await, [1]);
    rig.memory_equals_store().await;
}
