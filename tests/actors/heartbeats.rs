//! Heartbeats reach the store in batches, and metrics are shown before they do.

use std::time::Duration;

use resilient_orchestrator::actors::heartbeat_log::AskHistory;
use resilient_orchestrator::domain::heartbeat::Heartbeat;
use resilient_orchestrator::domain::ids::Incarnation;
use resilient_orchestrator::domain::time::WallTime;

use crate::faults::Outage;
use crate::rig::{Rig, pass};
use crate::support_log::expect_errors;

async fn history(rig: &Rig) -> (usize, bool) {
    let ask = AskHistory {
        instance: "a".into(),
        within: Duration::from_secs(86_400),
        limit: 100,
    };
    let history = rig.orchestrator.history(ask).await.unwrap();
    (history.records.len(), history.is_complete)
}

fn saved_beat(rig: &Rig) -> Option<WallTime> {
    let rows = rig.store.rows().last_beats;
    rows.into_iter().map(|(_, at)| at).next()
}

#[actix::test]
async fn a_heartbeat_is_saved_within_the_flush_interval_and_its_metrics_are_shown_before() {
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    pass(11.0).await;
    rig.beat("a").await;
    let at = rig.clock.wall();
    assert_eq!(saved_beat(&rig), None);
    assert_eq!(history(&rig).await, (1, true), "not saved yet, and shown");
    pass(5.0).await;
    assert_eq!(saved_beat(&rig), Some(at));
    assert_eq!(history(&rig).await, (1, true), "shown once");
}

#[actix::test]
async fn what_a_flush_could_not_save_is_kept_and_saved_later() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    rig.store.set_outage(Some(Outage::Refusing));
    rig.beat("a").await;
    pass(7.0).await;
    rig.beat("a").await;
    let last = rig.clock.wall();
    pass(60.0).await;
    assert_eq!(saved_beat(&rig), None);
    assert_eq!(history(&rig).await, (2, false), "from memory alone");
    rig.store.set_outage(None);
    pass(30.0).await;
    assert_eq!(saved_beat(&rig), Some(last), "the later one");
    assert_eq!(history(&rig).await, (2, true));
}

#[actix::test]
async fn a_heartbeat_never_waits_for_the_store() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    rig.store.set_outage(Some(Outage::Hanging));
    for _ in 0..10 {
        pass(3.0).await;
        let before = rig.clock.now();
        assert!(rig.beat("a").await.is_trusted);
        assert_eq!(rig.clock.now().since(before), Duration::ZERO);
    }
}

#[actix::test]
async fn stopping_saves_the_last_heartbeats() {
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    pass(11.0).await;
    rig.beat("a").await;
    rig.orchestrator.flush().await;
    assert_eq!(saved_beat(&rig), Some(rig.clock.wall()));
}

/// One worker's value must not keep the heartbeats of the others from being saved.
#[actix::test]
async fn a_heartbeat_the_store_refuses_is_left_out_alone_and_is_no_outage() {
    let rig = Rig::start().await;
    let names: Vec<String> = (0..20).map(|number| format!("i{number:02}")).collect();
    for id in &names {
        rig.register(id, 1).await;
    }
    rig.store.refuse_records_of(Some("i07".into()));
    for _ in 0..3 {
        for id in &names {
            rig.beat(id).await;
        }
        pass(6.0).await;
    }
    let saved = rig.store.rows().last_beats;
    assert_eq!(saved.len(), 19);
    assert!(saved.iter().all(|(id, _)| id.as_str() != "i07"));
    assert_eq!(rig.orchestrator.telemetry().records_refused.get(), 3);
    assert!(
        rig.orchestrator.store_gate().is_up(),
        "no breaker counts it"
    );
    rig.store.refuse_records_of(None);
    rig.beat("i07").await;
    pass(6.0).await;
    assert_eq!(rig.store.rows().last_beats.len(), 20);
}

#[actix::test]
async fn metrics_the_store_refuses_take_no_neighbour_along() {
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    rig.register("odd", 1).await;
    rig.store.refuse_content_about(Some("odd".into()));
    rig.beat("a").await;
    rig.beat("odd").await;
    pass(6.0).await;
    assert_eq!(history(&rig).await, (1, true));
    rig.store.set_outage(Some(Outage::Refusing));
    assert_eq!(history(&rig).await, (0, false), "saved, not waiting");
}

/// One record the store will never take must not keep all later ones from being saved.
#[actix::test]
async fn metrics_the_store_refuses_hold_up_no_others() {
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    rig.register("odd", 1).await;
    rig.store.refuse_content_about(Some("odd".into()));
    rig.beat("odd").await;
    pass(6.0).await;
    rig.store.refuse_content_about(None);
    rig.beat("a").await;
    pass(6.0).await;
    let dropped = rig.orchestrator.telemetry().records_dropped.get();
    assert_eq!(dropped, 1, "and counted");
    rig.store.set_outage(Some(Outage::Refusing));
    assert_eq!(
        history(&rig).await,
        (0, false),
        "nothing waits in memory any more"
    );
    rig.store.set_outage(None);
    assert_eq!(history(&rig).await, (1, true));
}

/// A heartbeat that another orchestrator held for a while counts for silence from when that heard it, and for a
/// lease from its arrival.
#[actix::test]
async fn the_age_of_a_carried_heartbeat_counts_for_silence_alone() {
    let rig = Rig::start().await;
    let registered = rig.register("a", 1).await;
    pass(100.0).await;
    let age = Duration::from_secs(40);
    let carried = Heartbeat {
        incarnation: Some(registered.instance.incarnation),
        age,
        ..Heartbeat::of("a".into())
    };
    let (arrived, at) = (rig.clock.now(), rig.clock.wall());
    let outcome = rig.orchestrator.heartbeat(carried).await.unwrap();
    let entry = rig.entry("a");
    assert_eq!(entry.last_beat(), arrived - age);
    assert_eq!(entry.last_beat_wall(), at - age);
    let lease = outcome.granted.unwrap().lease;
    assert!(entry.granted_until().unwrap() >= arrived + lease);
}

#[actix::test]
async fn an_echoed_heartbeat_counts_for_the_silence_of_its_life_and_for_nothing_else() {
    let rig = Rig::start().await;
    let registered = rig.register("a", 1).await;
    let life = registered.instance.incarnation;
    pass(100.0).await;
    let entry = rig.entry("a");
    let before = entry.last_beat();
    let (now, age) = (rig.clock.now(), Duration::from_secs(5));
    let other = Incarnation::new(life.get() + 1);
    rig.orchestrator.echoed(&"a".into(), Some(other), age);
    rig.orchestrator.echoed(&"nobody".into(), None, age);
    assert_eq!(entry.last_beat(), before);
    rig.orchestrator.echoed(&"a".into(), Some(life), age);
    assert_eq!(entry.last_beat(), now - age);
    // One that is older than what is known changes nothing.
    let older = Duration::from_secs(50);
    rig.orchestrator.echoed(&"a".into(), None, older);
    assert_eq!(entry.last_beat(), now - age);
    assert_eq!(entry.granted_until(), None);
}
