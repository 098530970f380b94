//! Unclaimed streams wait until it is quiet, and are then spread over all instances that take them.

use std::time::Duration;

use resilient_orchestrator::actors::recovery::Remove;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::commands::RegisterInstance;
use resilient_orchestrator::domain::placement::PlacementSettings;
use resilient_orchestrator::domain::stream::StreamState;

use crate::faults::Fault;
use crate::orders::self_filling;
use crate::rig::{Rig, pass};

async fn settling() -> Rig {
    let defaults = SystemSettings::default();
    Rig::with(SystemSettings {
        placement: PlacementSettings {
            settle: Duration::from_secs(1),
            ..defaults.placement.clone()
        },
        ..defaults
    })
    .await
}

async fn join(rig: &Rig, instance: RegisterInstance) {
    rig.orchestrator.register(instance).await.unwrap();
}

#[actix::test]
async fn workers_that_start_one_after_the_other_are_filled_level() {
    let rig = settling().await;
    rig.streams(30).await;
    for id in ["a", "b", "c"] {
        join(&rig, self_filling(id, 20)).await;
        pass(0.9).await;
        assert!(rig.held(id).await.is_empty(), "it waits for others");
    }
    pass(0.2).await;
    for id in ["a", "b", "c"] {
        assert_eq!(rig.held(id).await.len(), 10, "{id}");
    }
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_request_and_an_orphan_do_not_wait() {
    let rig = settling().await;
    rig.streams(3).await;
    join(&rig, self_filling("a", 20)).await;
    rig.ask_for("a", 1).await;
    assert_eq!(rig.held("a").await, [1]);
    rig.register("gone", 1).await;
    rig.ask_for("gone", 1).await;
    rig.orchestrator
        .remove(Remove::by_operator("gone".into()))
        .await
        .unwrap();
    assert_eq!(rig.held("a").await, [1, 2]);
    assert_eq!(rig.place(3).await, StreamState::Unclaimed);
    pass(1.1).await;
    assert_eq!(rig.held("a").await, [1, 2, 3]);
}

#[actix::test]
async fn newcomers_without_end_do_not_keep_streams_waiting() {
    let rig = settling().await;
    rig.streams(4).await;
    for number in 0..12 {
        join(&rig, self_filling(format!("w{number}").as_str(), 1)).await;
        pass(0.9).await;
    }
    assert_eq!(rig.place(1).await, StreamState::Assigned);
}

#[actix::test]
async fn many_streams_are_assigned_a_part_at_a_time_until_none_waits() {
    let rig = settling().await;
    rig.streams(25_000).await;
    for id in ["a", "b"] {
        join(&rig, self_filling(id, 20_000)).await;
    }
    let before = rig.store.attempt_count();
    pass(1.1).await;
    for id in ["a", "b"] {
        assert_eq!(rig.held(id).await.len(), 12_500, "{id}");
    }
    let saves = rig.store.attempt_count() - before;
    assert!(saves >= 3, "{saves} transactions of at most 10,000 streams");
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_part_that_is_not_saved_is_not_tried_again_at_once() {
    let rig = settling().await;
    rig.streams(25_000).await;
    join(&rig, self_filling("a", 30_000)).await;
    let before = rig.store.attempt_count();
    rig.store.script_saves([Fault::Fine, Fault::Unavailable]);
    pass(1.1).await;
    assert_eq!(rig.store.attempt_count() - before, 2);
    assert_eq!(rig.held("a").await.len(), 10_000);
    // The sweep goes on.
    pass(40.0).await;
    assert_eq!(rig.held("a").await.len(), 25_000);
}
