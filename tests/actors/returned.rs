//! Streams that are given back: pauses end by themselves, whatever happens meanwhile.

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, AlertKind};
use resilient_orchestrator::domain::commands::{
    DeleteStream, ReleaseStreams, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::returns::Returns;
use resilient_orchestrator::domain::stream::StreamState;

use crate::faults::{Fault, Outage};
use crate::restart::life;
use crate::rig::{Rig, pass, self_filling, settle_down, spec};
use crate::support_log::expect_errors;

/// Instances that fill themselves and beat on, and stream 1.
async fn filled_by(ids: &[&str]) -> Rig {
    on(Rig::start().await, ids).await
}

async fn on(rig: Rig, ids: &[&str]) -> Rig {
    for id in ids {
        let register = self_filling(*id, 9);
        rig.orchestrator.execute(register).await.unwrap();
    }
    rig.keep_beating(ids);
    rig.streams(1).await;
    rig
}

async fn owner(rig: &Rig) -> Option<String> {
    let fleet = rig.fleet().await;
    let place = fleet.stream(StreamId::new(1)).unwrap().place().clone();
    place.assignment().map(|owned| owned.instance.to_string())
}

/// Whoever owns the stream gives it back at once.
async fn bounce(rig: &Rig) -> String {
    give_back(rig, None).await
}

async fn give_back(rig: &Rig, reason: Option<&str>) -> String {
    let owner = owner(rig).await.expect("somebody owns it");
    let release = ReleaseStreams {
        epochs: None,
        id: owner.as_str().into(),
        incarnation: None,
        streams: vec![StreamId::new(1)],
        reason: reason.map(Into::into),
    };
    rig.orchestrator.execute(release).await.unwrap();
    owner
}

async fn returns(rig: &Rig) -> Option<Returns> {
    let fleet = rig.fleet().await;
    let stream = fleet.stream(StreamId::new(1)).unwrap().stream().clone();
    stream.returns.as_deref().cloned()
}

async fn alerts(rig: &Rig) -> Vec<Alert> {
    let filter = AlertFilter {
        kind: Some(AlertKind::StreamReturned),
        ..AlertFilter::default()
    };
    let ask = AskAlerts { filter, limit: 100 };
    rig.orchestrator.alert_page(ask).await.unwrap().alerts
}

#[actix::test]
async fn a_stream_that_nobody_can_start_bounces_a_few_times_and_not_hundreds() {
    let rig = filled_by(&["a", "b", "c"]).await;
    let before = rig.events().len();
    let mut bounces = 0;
    for _ in 0..1_200 {
        if owner(&rig).await.is_some() {
            bounce(&rig).await;
            bounces += 1;
        }
        pass(0.01).await;
    }
    // After 0, 0, 1, 3 and 7 s; jitter may let the next one begin before the end.
    assert!((5..=6).contains(&bounces), "{bounces} in 12 s");
    let told = rig.events().len() - before;
    assert!(told <= 3 * bounces, "{told} rows for {bounces} bounces");
    rig.invariants_hold().await;
}

#[actix::test]
async fn the_end_of_a_pause_wakes_placement_by_itself() {
    let rig = filled_by(&["a", "b"]).await;
    bounce(&rig).await;
    bounce(&rig).await;
    assert_eq!(rig.place(1).await, StreamState::Unclaimed);
    let saves = rig.store.attempt_count();
    pass(0.7).await;
    assert_eq!(rig.place(1).await, StreamState::Unclaimed);
    assert_eq!(
        rig.store.attempt_count(),
        saves,
        "nothing is saved meanwhile"
    );
    pass(0.4).await;
    assert_eq!(rig.place(1).await, StreamState::Assigned);
    assert_eq!(rig.store.attempt_count(), saves + 1);
    rig.invariants_hold().await;
}

#[actix::test]
async fn the_only_instance_gets_it_again_after_a_pause() {
    let rig = filled_by(&["a"]).await;
    assert_eq!(bounce(&rig).await, "a");
    settle_down().await;
    assert_eq!(owner(&rig).await, None);
    pass(1.1).await;
    assert_eq!(owner(&rig).await.as_deref(), Some("a"));
}

#[actix::test]
async fn an_alert_names_the_stream_the_workers_and_the_reason_until_it_runs_steadily() {
    let rig = filled_by(&["a", "b"]).await;
    bounce(&rig).await;
    settle_down().await;
    assert_eq!(alerts(&rig).await, [], "once is nothing");
    give_back(&rig, Some("no signal")).await;
    settle_down().await;
    let [alert] = alerts(&rig).await.try_into().unwrap();
    assert!(alert.is_open());
    assert_eq!(alert.subject, "stream 1");
    for part in ["Stream 1 (`stream-1`)", "a, b", "no signal"] {
        assert!(alert.detail.contains(part), "`{part}`: {}", alert.detail);
    }
    pass(1.1).await;
    pass(299.0).await;
    assert!(alerts(&rig).await[0].is_open());
    pass(2.0).await;
    assert!(!alerts(&rig).await[0].is_open(), "it runs steadily");
    assert_eq!(returns(&rig).await, None);
    rig.invariants_hold().await;
}

async fn with_an_alert() -> Rig {
    let rig = filled_by(&["a", "b"]).await;
    bounce(&rig).await;
    bounce(&rig).await;
    settle_down().await;
    assert!(alerts(&rig).await[0].is_open());
    rig
}

#[actix::test]
async fn the_alert_is_over_when_the_stream_is_disabled() {
    let rig = with_an_alert().await;
    let streams = vec![StreamSpec {
        enabled: Some(false),
        ..spec(1)
    }];
    let save = SaveStreams { streams };
    rig.orchestrator.execute(save).await.unwrap();
    settle_down().await;
    assert!(!alerts(&rig).await[0].is_open());
}

#[actix::test]
async fn the_alert_is_over_when_the_stream_is_deleted() {
    let rig = with_an_alert().await;
    let id = StreamId::new(1);
    rig.orchestrator.execute(DeleteStream { id }).await.unwrap();
    settle_down().await;
    assert!(!alerts(&rig).await[0].is_open());
}

#[test]
fn a_pause_and_a_trial_go_on_after_a_restart() {
    let first = life(
        async |_| {
            let rig = on(
                Rig::in_paused_time(SystemSettings::default()).await,
                &["a", "b"],
            )
            .await;
            for _ in 0..5 {
                bounce(&rig).await;
                pass(9.0).await;
            }
            // The sixth: a pause of 16 s, a quarter less at the most.
            bounce(&rig).await;
            assert_eq!(returns(&rig).await.unwrap().count, 6);
            pass(2.0).await;
            rig
        },
        None,
    );
    let second = life(
        async |before| {
            let rig = before.unwrap().again(SystemSettings::default()).await;
            rig.keep_beating(&["a", "b"]);
            assert_eq!(returns(&rig).await.unwrap().count, 6);
            assert!(alerts(&rig).await[0].is_open(), "nobody has mended it");
            pass(9.0).await;
            assert_eq!(rig.place(1).await, StreamState::Unclaimed);
            pass(7.2).await;
            assert_eq!(rig.place(1).await, StreamState::Assigned);
            pass(200.0).await;
            rig
        },
        Some(first),
    );
    life(
        async |before| {
            let rig = before.unwrap().again(SystemSettings::default()).await;
            rig.keep_beating(&["a", "b"]);
            pass(80.0).await;
            assert!(returns(&rig).await.is_some(), "not yet a timeout");
            pass(221.0).await;
            assert_eq!(returns(&rig).await, None);
            rig.memory_equals_store().await;
            rig
        },
        Some(second),
    );
}

#[actix::test]
async fn the_end_of_a_pause_that_cannot_be_saved_is_tried_again() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = filled_by(&["a", "b"]).await;
    bounce(&rig).await;
    bounce(&rig).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(60.0).await;
    assert_eq!(rig.place(1).await, StreamState::Unclaimed);
    rig.store.set_outage(None);
    pass(120.0).await;
    assert_eq!(rig.place(1).await, StreamState::Assigned);
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_return_whose_save_is_undone_is_none() {
    let rig = filled_by(&["a", "b"]).await;
    rig.store.script_saves([Fault::Unavailable]);
    let release = ReleaseStreams {
        epochs: None,
        id: owner(&rig).await.unwrap().as_str().into(),
        incarnation: None,
        streams: vec![StreamId::new(1)],
        reason: None,
    };
    assert!(rig.orchestrator.execute(release).await.is_err());
    assert_eq!(returns(&rig).await, None);
    rig.invariants_hold().await;
}
