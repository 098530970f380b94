//! Instances that fail again as soon as they are back: longer probations, and the way out.

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{AlertFilter, AlertKind};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::stream::StreamState;

use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

/// Beats every 30 s for so long.
async fn beat_for(rig: &Rig, id: &str, seconds: u32) {
    for _ in 0..seconds / 30 {
        pass(30.0).await;
        rig.beat(id).await;
    }
    settle_down().await;
}

/// Falls silent until it has failed, and beats again.
async fn fail_and_return(rig: &Rig, id: &str) {
    pass(300.1).await;
    assert_eq!(rig.status(id), InstanceStatus::Failed);
    rig.beat(id).await;
    settle_down().await;
    assert_eq!(rig.status(id), InstanceStatus::Recovering);
}

fn flaps(rig: &Rig, id: &str) -> u32 {
    rig.entry(id).standing().flaps
}

/// What was told of flaps, in order: true for one more.
fn told(rig: &Rig) -> Vec<(bool, u32)> {
    let events = rig.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::InstanceFlapping { flaps, .. } => Some((true, flaps)),
            Event::InstanceForgiven { flaps, .. } => Some((false, flaps)),
            _ => None,
        })
        .collect()
}

#[actix::test]
async fn failing_on_probation_doubles_the_next_one_and_steady_time_pays_it_back() {
    expect_errors(&["alert system_health"]);
    let rig = Rig::start().await;
    rig.register("a", 5).await;
    fail_and_return(&rig, "a").await;
    assert_eq!(flaps(&rig, "a"), 0, "the first failure is no flapping");
    fail_and_return(&rig, "a").await;
    fail_and_return(&rig, "a").await;
    assert_eq!(told(&rig), [(true, 1), (true, 2)]);
    let alerts = || async {
        let open = AskAlerts {
            filter: AlertFilter {
                kind: Some(AlertKind::Flapping),
                ..AlertFilter::default()
            },
            limit: 10,
        };
        let page = rig.orchestrator.alert_page(open).await.unwrap();
        let alerts = page.alerts.into_iter();
        alerts
            .map(|alert| (alert.subject.clone(), alert.is_open()))
            .collect::<Vec<_>>()
    };
    assert_eq!(alerts().await, [("a".to_owned(), true)]);

    beat_for(&rig, "a", 450).await;
    assert_eq!(rig.status("a"), InstanceStatus::Recovering, "4 times 120 s");
    beat_for(&rig, "a", 60).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);

    beat_for(&rig, "a", 420).await;
    assert_eq!(flaps(&rig, "a"), 2);
    beat_for(&rig, "a", 120).await;
    assert_eq!(flaps(&rig, "a"), 1);
    beat_for(&rig, "a", 300).await;
    assert_eq!(flaps(&rig, "a"), 0);
    assert_eq!(alerts().await, [("a".to_owned(), false)]);
    beat_for(&rig, "a", 3_600).await;
    assert_eq!(
        told(&rig)[2..],
        [(false, 1), (false, 0)],
        "and nothing more"
    );
    rig.memory_equals_store().await;
}

#[actix::test]
async fn an_instance_on_a_long_probation_that_falls_silent_is_recovered_as_always() {
    expect_errors(&["alert system_health"]);
    let rig = Rig::start().await;
    rig.register("a", 2).await;
    for _ in 0..8 {
        fail_and_return(&rig, "a").await;
    }
    assert_eq!(flaps(&rig, "a"), 6, "more would make nothing longer");
    // Nobody else has room: it is pushed to, on probation or not, and it may ask.
    rig.streams(2).await;
    rig.ask_for("a", 2).await;
    assert_eq!(rig.held("a").await, [1, 2]);
    rig.register("b", 2).await;
    rig.keep_beating(&["b"]);
    pass(299.8).await;
    assert_eq!(rig.held("a").await, [1, 2]);
    pass(0.3).await;
    assert_eq!(rig.held("b").await, [1, 2], "at its timeout, to the moment");
    rig.memory_equals_store().await;
}

#[actix::test]
async fn the_length_of_a_probation_survives_a_restart_and_a_registration() {
    expect_errors(&["alert system_health"]);
    let rig = Rig::start().await;
    rig.register("a", 5).await;
    fail_and_return(&rig, "a").await;
    fail_and_return(&rig, "a").await;
    beat_for(&rig, "a", 210).await;
    let rig = rig.again(SystemSettings::default()).await;
    assert_eq!(flaps(&rig, "a"), 1);
    beat_for(&rig, "a", 210).await;
    assert_eq!(rig.status("a"), InstanceStatus::Recovering, "begun anew");
    // A worker that starts again has not been steady.
    rig.register("a", 5).await;
    assert_eq!(flaps(&rig, "a"), 1);
    beat_for(&rig, "a", 210).await;
    assert_eq!(rig.status("a"), InstanceStatus::Recovering);
    beat_for(&rig, "a", 60).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
}

#[actix::test]
async fn registering_after_a_failure_is_a_return_and_excuses_nothing() {
    expect_errors(&["alert system_health"]);
    let rig = Rig::start().await;
    rig.register("a", 5).await;
    for expected in 0..3 {
        pass(300.1).await;
        assert_eq!(rig.status("a"), InstanceStatus::Failed);
        rig.register("a", 5).await;
        assert_eq!(rig.status("a"), InstanceStatus::Recovering);
        assert_eq!(flaps(&rig, "a"), expected);
    }
    beat_for(&rig, "a", 450).await;
    assert_eq!(rig.status("a"), InstanceStatus::Recovering);
    beat_for(&rig, "a", 60).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
}

#[actix::test]
async fn nothing_is_pushed_to_an_instance_on_probation_while_an_active_one_has_room() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    for id in ["back", "full", "roomy"] {
        rig.register(id, 3).await;
    }
    rig.keep_beating(&["full", "roomy"]);
    fail_and_return(&rig, "back").await;
    rig.ask_for("full", 3).await;
    rig.keep_beating(&["back"]);
    // `roomy` is active and takes one; what it has no room for goes to the one on probation.
    rig.register("roomy", 1).await;
    let reported = rig.orchestrator.report_failure("full".into()).await;
    assert_eq!(reported.unwrap().evacuation.moved.len(), 3);
    assert_eq!(rig.held("roomy").await, [1]);
    assert_eq!(rig.held("back").await, [2, 3]);
    for stream in 1..=3 {
        assert_eq!(rig.place(stream).await, StreamState::Assigned);
    }
    rig.memory_equals_store().await;
}
