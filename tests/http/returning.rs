//! A failed instance comes back: it is told what it no longer owns, whichever way it asks, and
//! its old streams stay where they are. And streams that workers give back: why they wait is shown.

use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, ids, pass, settle};
use serde_json::{Value, json};

/// `back` owned 1, 2 and 3 under the version this returns, and failed; `other` runs them now.
async fn failed() -> (World, Value) {
    let world = World::start().await;
    world.streams(1..=3).await;
    for id in ["back", "other"] {
        world.register(id, 5).await;
    }
    world.assign("back", 3).await;
    let detail = world.get("/instances/back").await.ok();
    for _ in 0..11 {
        pass(30).await;
        world.beat("other").await.ok();
    }
    assert_eq!(world.held("other").await, [1, 2, 3]);
    let status = world.get("/instances/back").await.ok()["data"]["status"].clone();
    assert_eq!(status, "failed");
    (world, detail["data"]["assignment_version"].clone())
}

async fn returns_and_is_told(incarnation: bool) {
    let (world, version) = failed().await;
    let detail = world.get("/instances/back").await.ok();
    let mut beat = json!({"server_id": "back", "current_streams": 3,
        "assignment_version": version, "streams": [1, 2, 3]});
    if incarnation {
        beat["incarnation"] = detail["data"]["incarnation"].clone();
    }
    let told = world.post("/heartbeat", beat.clone()).await.ok();
    assert_eq!(ids(&told["revoke"]), [1, 2, 3], "{told}");
    assert_has(&told, &json!({"assign": []}));
    settle().await;
    let detail = world.get("/instances/back").await.ok();
    assert_has(
        &detail["data"],
        &json!({"status": "recovering", "assigned_streams": [], "current_streams": 0}),
    );

    // As long as it says the same it is told the same; once it has followed, nothing more.
    let again = world.post("/heartbeat", beat.clone()).await.ok();
    assert_eq!(ids(&again["revoke"]), [1, 2, 3]);
    beat["assignment_version"] = told["assignment_version"].clone();
    beat["streams"] = json!([]);
    let quiet = world.post("/heartbeat", beat.clone()).await.ok();
    assert!(quiet.get("revoke").is_none(), "{quiet}");

    // One that does not know where it stands is told everything it is to run.
    beat["assignment_version"] = json!(0);
    let all = world.post("/heartbeat", beat).await.ok();
    assert_has(&all, &json!({"full": true, "assign": []}));
    assert_eq!(world.held("other").await, [1, 2, 3], "they stay");
}

#[actix_web::test]
async fn its_heartbeat_is_answered_with_what_it_has_to_drop() {
    returns_and_is_told(false).await;
}

#[actix_web::test]
async fn so_is_one_that_names_its_life() {
    returns_and_is_told(true).await;
}

#[actix_web::test]
async fn a_classic_worker_finds_out_by_looking_at_itself() {
    let (world, _) = failed().await;
    world.beat("back").await.ok();
    settle().await;
    assert_eq!(world.held("back").await, Vec::<i64>::new());
    let detail = world.get("/instances/back").await.ok();
    assert_has(
        &detail["data"],
        &json!({"status": "recovering", "flaps": 0}),
    );
    assert_eq!(world.held("other").await, [1, 2, 3]);
}

#[actix_web::test]
async fn failing_again_on_probation_is_shown() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let (world, _) = failed().await;
    world.beat("back").await.ok();
    pass(301).await;
    let detail = world.get("/instances/back").await.ok();
    assert_has(&detail["data"], &json!({"status": "failed", "flaps": 1}));
    let metrics = world.get("/metrics").await.text;
    assert!(
        metrics.contains("kind=\"instance_flapping\"} 1"),
        "{metrics}"
    );
}

#[actix_web::test]
async fn a_stream_that_is_given_back_again_and_again_shows_why_it_waits_and_until_when() {
    let world = World::start().await;
    world.streams(1..=1).await;
    for id in ["a", "b"] {
        world.register(id, 5).await;
    }
    let shown = async || world.get("/streams/1").await.ok()["data"].clone();
    assert!(shown().await.get("returned").is_none());
    for (id, reason) in [("a", Value::Null), ("b", json!("no signal"))] {
        assert_eq!(world.assign(id, 1).await["assigned_streams"], json!([1]));
        let release = json!({"server_id": id, "stream_ids": [1], "reason": reason});
        let released = world.post("/streams/release", release).await.ok();
        assert_eq!(released["released_streams"], json!([1]));
    }
    settle().await;
    let stream = shown().await;
    assert_has(&stream, &json!({"state": "unclaimed", "server_id": null}));
    let returned = &stream["returned"];
    assert_has(
        returned,
        &json!({"times": 2, "by": ["a", "b"], "reason": "no signal"}),
    );
    assert!(returned["paused_until"].as_str() > returned["last_at"].as_str());
    let listed = world.get("/streams?state=unclaimed").await.ok();
    assert_eq!(&listed["streams"][0]["returned"], returned);

    let asked = world.assign("a", 1).await;
    assert_has(
        &asked,
        &json!({"status": "no_streams", "assigned_streams": []}),
    );
    let message = asked["message"].as_str().unwrap_or_default();
    assert!(message.contains("paused"), "{message}");
    let alerts = world.get("/resilience/alerts?open=true").await.ok();
    let alert = &alerts["alerts"][0];
    assert_has(
        alert,
        &json!({"kind": "stream_returned", "subject": "stream 1", "severity": "warning"}),
    );
    let detail = alert["detail"].as_str().unwrap_or_default();
    assert!(
        detail.contains("a, b") && detail.contains("no signal"),
        "{detail}"
    );

    pass(2).await;
    assert!(shown().await["returned"].get("paused_until").is_none());
    assert_eq!(world.assign("a", 1).await["assigned_streams"], json!([1]));
    let events = world.get("/resilience/events?limit=1000").await.ok();
    let events = events["events"].as_array().into_iter().flatten();
    let told: Vec<&Value> = events
        .filter(|event| event["kind"] == "stream_returned")
        .collect();
    assert_eq!(
        told.len(),
        1,
        "the first return is told of by its release alone"
    );
    assert_has(
        told[0],
        &json!({"stream": 1, "instance": "b", "returns": 2}),
    );
}
