//! The recent past in numbers: sampled beside everything else, kept across restarts, and absent where it is unknown.

use std::time::Duration;

use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::series::{SeriesName, SeriesSpan};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::Store;

use crate::faults::Outage;
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

fn now(rig: &Rig) -> WallTime {
    rig.orchestrator.clock().wall()
}

/// The points of the last hour.
async fn points(rig: &Rig, name: SeriesName) -> Vec<(WallTime, f64)> {
    let step = Some(Duration::from_secs(10));
    let span = SeriesSpan::new(now(rig), None, None, step).unwrap();
    rig.orchestrator.series(name, span).await.unwrap()
}

async fn values(rig: &Rig, name: SeriesName) -> Vec<f64> {
    let points = points(rig, name).await.into_iter();
    points.map(|(_, value)| value).collect()
}

#[actix::test]
async fn each_ten_seconds_have_a_point() {
    let rig = Rig::start().await;
    rig.register("a", 10).await;
    rig.streams(4).await;
    rig.ask_for("a", 3).await;
    pass(10.0).await;
    for _ in 0..3 {
        rig.beat("a").await;
    }
    pass(20.0).await;
    let beats = values(&rig, SeriesName::Heartbeats).await;
    assert_eq!(beats.len(), 3, "{beats:?}");
    assert_eq!(beats.iter().sum::<f64>(), 3.0);
    assert_eq!(values(&rig, SeriesName::Waiting).await, [1.0; 3]);
    assert_eq!(values(&rig, SeriesName::Instances).await, [1.0; 3]);
    assert_eq!(values(&rig, SeriesName::Load).await, [30.0; 3]);
    let moments = points(&rig, SeriesName::Load).await;
    for pair in moments.windows(2) {
        assert_eq!(pair[1].0.since(pair[0].0), Duration::from_secs(10));
    }
}

#[actix::test]
async fn failures_and_moves_are_counted_where_they_happen() {
    expect_errors(&["alert"]);
    let rig = Rig::start().await;
    for id in ["a", "b"] {
        rig.register(id, 10).await;
    }
    rig.streams(4).await;
    rig.ask_for("a", 4).await;
    rig.keep_beating(&["b"]);
    pass(400.0).await;
    let sum = async |name| values(&rig, name).await.iter().sum::<f64>();
    assert_eq!(sum(SeriesName::Failures).await, 1.0);
    assert_eq!(sum(SeriesName::Moves).await, 4.0);
    let active = values(&rig, SeriesName::Instances).await;
    assert_eq!((active.first(), active.last()), (Some(&2.0), Some(&1.0)));
}

#[actix::test]
async fn a_restart_goes_on_with_the_saved_points() {
    // Its only instance is silent for longer than the timeout.
    expect_errors(&["alert instance_failed", "alert system_health"]);
    let rig = Rig::start().await;
    rig.register("a", 10).await;
    rig.beat("a").await;
    pass(330.0).await;
    let saved = rig.store.series().await.unwrap().len();
    assert!((30..=33).contains(&saved), "{saved}");
    rig.orchestrator.flush().await;
    let before = values(&rig, SeriesName::Heartbeats).await;
    assert_eq!(before.iter().sum::<f64>(), 1.0);
    let rig = rig.again(SystemSettings::default()).await;
    assert_eq!(values(&rig, SeriesName::Heartbeats).await, before);
    pass(60.0).await;
    rig.beat("a").await;
    pass(20.0).await;
    let after = values(&rig, SeriesName::Heartbeats).await;
    assert_eq!(after.iter().sum::<f64>(), 2.0, "{after:?}");
    assert!(after.len() >= before.len() + 7);
}

#[actix::test]
async fn a_killed_process_leaves_a_gap_and_no_zeros() {
    let rig = Rig::start().await;
    pass(330.0).await;
    let before = points(&rig, SeriesName::Instances).await.len();
    let rig = rig.again(SystemSettings::default()).await;
    let after = points(&rig, SeriesName::Instances).await.len();
    assert!(after < before, "{after} of {before}");
}

#[actix::test]
async fn points_wait_in_memory_while_the_store_is_out() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = Rig::start().await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(700.0).await;
    let known = points(&rig, SeriesName::Load).await.len();
    assert!(known >= 69, "{known}");
    rig.store.set_outage(None);
    pass(120.0).await;
    settle_down().await;
    let saved = rig.store.series().await.unwrap().len();
    assert!(saved >= known, "{saved} of {known}");
}
