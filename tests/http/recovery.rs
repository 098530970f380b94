//! Forced and emergency recovery over HTTP: what is answered, what is refused.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, pass, settle};
use serde_json::{Value, json};

/// `a` with three streams, and `b` with room for two.
async fn world() -> World {
    let world = World::start().await;
    world.streams(1..=3).await;
    world.register("a", 3).await;
    world.assign("a", 3).await;
    world.register("b", 2).await;
    world
}

async fn force(world: &World, id: &str) -> Value {
    let path = format!("/resilience/recovery/{id}");
    world.send("POST", &path).await.ok()
}

async fn emergency(world: &World, id: &str, query: &str) -> Value {
    let path = format!("/resilience/emergency/{id}{query}");
    world.send("POST", &path).await.ok()
}

async fn status(world: &World, id: &str) -> Value {
    world.get(&format!("/instances/{id}")).await.ok()["data"]["status"].clone()
}

async fn last_incident(world: &World) -> Value {
    settle().await;
    let list = world.get("/resilience/incidents?limit=1").await.ok();
    let path = format!("/resilience/incidents/{}", list["incidents"][0]["id"]);
    world.get(&path).await.ok()["data"].clone()
}

fn steps(answer: &Value) -> Vec<(&str, &str)> {
    let steps = answer["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| {
            (
                step["name"].as_str().unwrap(),
                step["status"].as_str().unwrap(),
            )
        })
        .collect()
}

#[actix_web::test]
async fn an_emergency_works_on_an_instance_that_beats_and_tells_its_four_steps() {
    expect_errors(&["alert emergency_recovery"]);
    let world = world().await;
    let answer = emergency(&world, "a", "?reason=it+beats+and+does+nothing").await;
    assert_eq!(answer["status"], "success");
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.starts_with("Of 3 streams of `a`, 2 run elsewhere, 1 waits for room."),
        "{message}"
    );
    let expected = [
        ("force_release", "done"),
        ("redistribute", "done"),
        ("verify_consistency", "done"),
        ("reset_instance", "done"),
    ];
    assert_eq!(steps(&answer), expected);
    for step in answer["steps"].as_array().unwrap() {
        assert!(
            step["duration_ms"].is_number() && step["detail"].is_string(),
            "{step}"
        );
    }
    assert_eq!(status(&world, "a").await, "maintenance");
    assert_eq!(world.held("b").await, [1, 2]);
    let incident = last_incident(&world).await;
    assert_has(
        &incident,
        &json!({"cause": "emergency", "reason": "it beats and does nothing", "state": "ended",
            "outcome": "recovered_partially", "streams_moved": 2, "streams_orphaned": 1}),
    );
    let names: Vec<&str> = steps(&incident).iter().map(|(name, _)| *name).collect();
    assert_eq!(names[..3], ["detect", "refresh", "reconfirm"]);
    assert_eq!(steps(&incident)[3..], expected);
}

#[actix_web::test]
async fn an_instance_in_maintenance_is_answered_and_left_alone_until_it_is_released() {
    expect_errors(&[
        "alert emergency_recovery",
        "alert streams_orphaned",
        "alert system_health",
    ]);
    let world = world().await;
    emergency(&world, "a", "").await;
    assert_has(
        &last_incident(&world).await,
        &json!({"reason": "Manual trigger", "reason_given": false}),
    );
    let beat = world.beat("a").await.ok();
    assert_has(
        &beat,
        &json!({"instance_status": "maintenance", "lease_seconds": 0}),
    );
    assert_eq!(world.assign("a", 3).await["status"], "no_capacity");
    let again = emergency(&world, "a", "").await;
    assert_eq!(again["status"], "success", "twice is harmless: {again}");
    assert_eq!(status(&world, "a").await, "maintenance");
    pass(700).await;
    assert_eq!(
        status(&world, "a").await,
        "maintenance",
        "nobody waits for it"
    );

    world.beat("a").await.ok();
    let released = force(&world, "a").await;
    assert_eq!(released["status"], "success", "{released}");
    assert_eq!(status(&world, "a").await, "active");
    assert_eq!(
        world.held("a").await.len(),
        3,
        "what waited, and what `b` lost by its silence, is placed when there is room"
    );

    emergency(&world, "a", "").await;
    world.register("a", 3).await;
    assert_eq!(status(&world, "a").await, "active", "/register ends it too");
}

#[actix_web::test]
async fn one_that_is_released_and_does_not_beat_has_failed() {
    expect_errors(&[
        "alert emergency_recovery",
        "alert streams_orphaned",
        "alert system_health",
    ]);
    let world = world().await;
    emergency(&world, "a", "").await;
    pass(130).await;
    let released = force(&world, "a").await;
    assert_eq!(released["status"], "success");
    assert!(
        released["message"]
            .as_str()
            .unwrap()
            .contains("does not beat")
    );
    assert_eq!(status(&world, "a").await, "failed");
    world.beat("a").await.ok();
    settle().await;
    assert_eq!(status(&world, "a").await, "recovering");
}

#[actix_web::test]
async fn only_the_recovery_of_a_failed_instance_can_be_forced() {
    let world = world().await;
    let answer = force(&world, "a").await;
    assert_eq!(answer["status"], "failed");
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.contains("has not failed, it is active") && message.contains("emergency"),
        "{message}"
    );
    assert_eq!(world.held("a").await, [1, 2, 3]);
    world.post("/instances/a/failure", json!({})).await.ok();
    let answer = force(&world, "a").await;
    assert_eq!(answer["status"], "success");
    assert!(answer["message"].as_str().unwrap().contains("nothing left"));
    assert_eq!(force(&world, "nobody").await["status"], "not_found");
}

#[actix_web::test]
async fn a_forced_recovery_cuts_the_wait_for_a_retry_short() {
    let world = world().await;
    for _ in 0..29 {
        pass(10).await;
        world.beat("b").await.ok();
    }
    world.store.set_outage(Some(Outage::Refusing));
    pass(12).await;
    assert_eq!(world.held("a").await, [1, 2, 3]);
    let path = "/resilience/recovery/a";
    world.send("POST", path).await.problem(503);
    world.store.calm_down();
    let answer = force(&world, "a").await;
    assert_eq!(answer["status"], "success", "{answer}");
    assert_eq!(world.held("b").await, [1, 2]);
    assert_eq!(status(&world, "a").await, "failed");
}

#[actix_web::test]
async fn without_the_database_nothing_is_promised() {
    expect_errors(&["alert emergency_recovery"]);
    let world = world().await;
    for outage in [Outage::Refusing, Outage::Unreachable] {
        world.store.set_outage(Some(outage));
        let answer = world.send("POST", "/resilience/emergency/a").await;
        answer.problem(503);
        assert!(!answer.text.contains("secret"));
        world.store.calm_down();
        pass(40).await;
        assert_eq!(
            world.held("a").await,
            [1, 2, 3],
            "nothing of it is done later"
        );
        assert_eq!(status(&world, "a").await, "active");
        let open = world.get("/resilience/incidents?state=open").await.ok();
        assert_eq!(open["incidents"], json!([]));
    }
    world.store.refuse_content();
    let answer = emergency(&world, "a", "").await;
    assert_eq!(answer["status"], "error");
    assert_eq!(
        steps(&answer),
        [
            ("force_release", "failed"),
            ("redistribute", "skipped"),
            ("verify_consistency", "done"),
            ("reset_instance", "skipped"),
        ]
    );
    assert_eq!(world.held("a").await, [1, 2, 3]);
}

#[actix_web::test]
async fn bad_input_names_its_field_and_changes_nothing() {
    expect_errors(&["alert emergency_recovery"]);
    let world = world().await;
    let before = world.saved().await;
    for reason in [
        "",
        &"x".repeat(1_001),
        &"x".repeat(10_000),
        "a%00b",
        "a%0Ab",
    ] {
        let path = format!("/resilience/emergency/a?reason={reason}");
        let answer = world.send("POST", &path).await;
        assert_eq!(answer.bad_fields(), ["reason"], "{reason}");
    }
    let unknown = world.send("POST", "/resilience/emergency/nobody").await;
    assert_eq!(unknown.problem(404)["type"], "/problems/unknown-instance");
    for order in ["recovery", "emergency"] {
        let long = "x".repeat(129);
        let answer = world
            .send("POST", &format!("/resilience/{order}/{long}"))
            .await;
        assert_eq!(answer.bad_fields(), ["server_id"]);
        let path = format!("/resilience/{order}/a");
        world.get(&path).await.problem(405);
    }
    assert_eq!(world.saved().await, before);
    let reason = "%C3%A4".repeat(1_000);
    let answer = emergency(&world, "a", &format!("?reason={reason}")).await;
    assert_eq!(answer["status"], "success", "a thousand characters");
}

#[actix_web::test]
async fn an_emergency_without_a_reason_is_obeyed_and_recorded_as_such() {
    expect_errors(&["alert emergency_recovery"]);
    let world = world().await;
    let without = emergency(&world, "a", "").await;
    assert_has(
        &without,
        &json!({"status": "success", "reason_given": false}),
    );
    let kept = json!({"reason": "Manual trigger", "reason_given": false});
    assert_has(&last_incident(&world).await, &kept);
    let list = world.get("/resilience/incidents?limit=1").await.ok();
    assert_has(&list["incidents"][0], &kept);
    // One who writes the same words has given a reason.
    let with = emergency(&world, "b", "?reason=Manual+trigger").await;
    assert_eq!(with["reason_given"], true);
    let kept = json!({"reason": "Manual trigger", "reason_given": true});
    assert_has(&last_incident(&world).await, &kept);
}

#[actix_web::test]
async fn an_emergency_of_an_unknown_or_empty_instance_says_so() {
    expect_errors(&["alert emergency_recovery"]);
    let world = World::start().await;
    let unknown = world.send("POST", "/resilience/emergency/nobody").await;
    let problem = unknown.problem(404);
    assert!(problem["detail"].as_str().unwrap().contains("nobody"));
    world.register("a", 3).await;
    let empty = emergency(&world, "a", "?reason=x").await;
    assert_eq!(empty["status"], "success");
    let message = empty["message"].as_str().unwrap();
    assert!(message.contains("there was nothing to move"), "{message}");
}
