//! The mass-failure brake over HTTP: what is shown, what may be ordered, what is refused.

use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, pass};
use serde_json::{Value, json};

const PATH: &str = "/resilience/brake";

/// Five instances that fell silent together; the brake has just engaged.
async fn held() -> World {
    let world = World::start().await;
    for number in 0..5 {
        world.register(&format!("i{number}"), 2).await;
    }
    pass(300).await;
    world
}

fn order(action: &str, reason: &str) -> Value {
    json!({"action": action, "reason": reason})
}

#[actix_web::test]
async fn an_open_brake_says_so_and_there_is_nothing_to_release() {
    let world = World::start().await;
    let answer = world.get(PATH).await.ok();
    assert_has(
        &answer,
        &json!({"state": "open", "since": null, "until": null, "why": null, "waiting": 0,
            "mass_size": 0, "prolonged": false, "last_order": null,
            "settings": {"min": 3, "ratio": 0.5, "hold_seconds": 30}}),
    );
    let answer = world.post(PATH, order("release", "because")).await;
    let problem = answer.problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("held"));
    let mut prolong = order("prolong", "because");
    prolong["duration"] = "60s".into();
    world.post(PATH, prolong).await.problem(409);
}

#[actix_web::test]
async fn a_held_mass_is_shown_with_its_size_its_end_and_its_reason() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let world = held().await;
    let answer = world.get(PATH).await.ok();
    assert_has(
        &answer,
        &json!({"state": "held", "mass_size": 5, "active_instances": 5, "waiting": 5,
            "prolonged": false, "last_order": null}),
    );
    assert_eq!(answer["promise"]["suspended"], false);
    let why = answer["why"].as_str().unwrap();
    assert!(why.contains("5 of 5 instances"), "{why}");
    for (time, second) in [("since", "00:05:00"), ("until", "00:05:30")] {
        let shown = answer[time].as_str().unwrap();
        assert!(shown.contains(second), "{time}: {shown}");
    }
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains("orchestrator_brake_engaged 1"));
    assert!(metrics.contains("orchestrator_brake_engagements_total 1"));
}

#[actix_web::test]
async fn an_operator_prolongs_and_releases_with_a_reason_that_is_kept() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let world = held().await;
    for (duration, until) in [(json!("60s"), "00:06:30"), (json!(30), "00:07:00")] {
        let mut prolong = order("prolong", "the switch is being replaced");
        prolong["duration"] = duration;
        let answer = world.post(PATH, prolong).await.ok();
        assert_has(&answer, &json!({"state": "held", "prolonged": true}));
        assert_eq!(answer["promise"]["suspended"], true);
        let promise = world.get(PATH).await.ok()["promise"].clone();
        assert!(
            promise["text"]
                .as_str()
                .unwrap()
                .contains("nothing is promised")
        );
        assert!(
            answer["until"].as_str().unwrap().contains(until),
            "{answer}"
        );
        assert_has(
            &answer["last_order"],
            &json!({"action": "prolong", "reason": "the switch is being replaced"}),
        );
    }
    let answer = world
        .post(PATH, order("release", "it is really dead"))
        .await;
    assert_has(&answer.ok(), &json!({"state": "releasing"}));
    let again = world.post(PATH, order("release", "again")).await;
    again.problem(409);
    pass(20).await;
    let answer = world.get(PATH).await.ok();
    assert_has(&answer, &json!({"state": "open", "waiting": 0}));
    assert_eq!(answer["last_order"]["reason"], "it is really dead");
    for number in 0..5 {
        let detail = world.get(&format!("/instances/i{number}")).await.ok();
        assert_eq!(detail["data"]["status"], "failed");
    }
}

#[actix_web::test]
async fn bad_orders_are_refused_field_by_field_and_change_nothing() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let world = held().await;
    let before = world.get(PATH).await.ok();
    let long = "x".repeat(10_000);
    let with = |duration: Value| {
        let mut body = order("prolong", "because");
        body["duration"] = duration;
        body
    };
    let table: Vec<(Value, &[&str])> = vec![
        (json!({}), &["action", "reason"]),
        (order("", "because"), &["action"]),
        (order("explode", "because"), &["action"]),
        (order("Release", "because"), &["action"]),
        (order("release", ""), &["reason"]),
        (order("release", &long), &["reason"]),
        (order("release", "a\u{0}b"), &["reason"]),
        (
            json!({"action": 1, "reason": 2, "duration": []}),
            &["action", "reason", "duration"],
        ),
        (order("prolong", "because"), &["duration"]),
        (order("explode", ""), &["reason", "action"]),
        (with(json!(0)), &["duration"]),
        (with(json!(-1)), &["duration"]),
        (with(json!("soon")), &["duration"]),
        (with(json!("61m")), &["duration"]),
        (with(json!(3_601)), &["duration"]),
        (with(json!("1000d")), &["duration"]),
    ];
    for (body, fields) in table {
        let answer = world.post(PATH, body.clone()).await;
        assert_eq!(answer.bad_fields(), fields, "{body}");
    }
    assert_eq!(world.get(PATH).await.ok(), before);
    world.post(PATH, with(json!("1h"))).await.ok();
    let reason = "ä".repeat(1_000);
    world.post(PATH, order("release", &reason)).await.ok();
}
