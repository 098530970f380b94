//! A stream whose owners fail: what is shown of it, and how it is released.

use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, settle};
use serde_json::{Value, json};

/// Stream 1 is quarantined: `a`, `b` and `c` failed with it. `d` owns stream 2.
async fn quarantined() -> World {
    let world = World::start().await;
    for id in ["d", "c", "b", "a"] {
        world.register(id, 1).await;
    }
    world.streams(1..=2).await;
    assert_eq!(world.assign("a", 1).await["assigned_streams"], json!([1]));
    assert_eq!(world.assign("d", 1).await["assigned_streams"], json!([2]));
    for (id, next) in [("a", Some("b")), ("b", Some("c")), ("c", None)] {
        let path = format!("/instances/{id}/failure");
        let report = world.send("POST", &path).await.ok();
        assert_has(
            &report,
            &json!({"streams_redistributed": i32::from(next.is_some())}),
        );
        if let Some(next) = next {
            assert_eq!(world.held(next).await, [1]);
        }
    }
    settle().await;
    world
}

async fn shown(world: &World) -> Value {
    world.get("/streams/1").await.ok()["data"].clone()
}

#[actix_web::test]
async fn it_is_shown_with_its_evidence_wherever_streams_are_counted() {
    expect_errors(&["alert stream_quarantined"]);
    let world = quarantined().await;
    let stream = shown(&world).await;
    assert_has(
        &stream,
        &json!({"state": "quarantined", "server_id": null, "epoch": null}),
    );
    let quarantine = &stream["quarantine"];
    assert_has(quarantine, &json!({"retries": 0}));
    assert!(quarantine["retry_at"].as_str() > quarantine["since"].as_str());
    let failures = quarantine["failures"].as_array().unwrap();
    let owners: Vec<&Value> = failures.iter().map(|one| &one["server_id"]).collect();
    assert_eq!(owners, ["a", "b", "c"]);
    assert!(
        failures
            .iter()
            .all(|one| one["what"] == "failed" && one["at"].is_string())
    );

    let listed = world.get("/streams?state=quarantined").await.ok();
    assert_eq!(listed["streams"].as_array().unwrap().len(), 1);
    assert_eq!(&listed["streams"][0]["quarantine"], quarantine);
    for state in ["orphaned", "unclaimed"] {
        let listed = world.get(&format!("/streams?state={state}")).await.ok();
        assert_eq!(listed["streams"], json!([]), "{state}");
    }
    let status = world.get("/status").await.ok();
    assert_has(
        &status["streams"],
        &json!({"assigned": 1, "available": 1, "waiting": 1, "quarantined": 1, "total": 2,
            "by_state": {"assigned": 1, "unclaimed": 0, "orphaned": 0, "disabled": 0,
            "quarantined": 1}}),
    );
    let metrics = world.get("/metrics").await.text;
    for line in [
        "orchestrator_quarantined_streams 1",
        "orchestrator_streams{state=\"quarantined\"} 1",
        "kind=\"stream_quarantined\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    let alerts = world.get("/resilience/alerts?open=true&kind=stream_quarantined");
    let alerts = alerts.await.ok();
    assert_has(
        &alerts["alerts"][0],
        &json!({"kind": "stream_quarantined", "subject": "stream 1", "severity": "critical"}),
    );
}

#[actix_web::test]
async fn nobody_gets_it_and_a_move_says_what_leads_out() {
    expect_errors(&["alert stream_quarantined"]);
    let world = quarantined().await;
    world.register("e", 5).await;
    let asked = world.assign("e", 5).await;
    assert_has(
        &asked,
        &json!({"status": "no_streams", "assigned_streams": []}),
    );
    let moves = json!({"moves": [{"stream_id": 1, "to": "e"}]});
    let refused = world.post("/streams/move", moves).await.problem(409);
    let detail = refused["detail"].as_str().unwrap();
    for part in ["`quarantined`", "POST /streams/1/release-quarantine"] {
        assert!(detail.contains(part), "{detail}");
    }
}

#[actix_web::test]
async fn it_is_released_by_hand_and_the_trail_says_why() {
    expect_errors(&["alert stream_quarantined"]);
    let world = quarantined().await;
    world.register("e", 5).await;
    let path = "/streams/1/release-quarantine";
    for body in [
        json!({"reason": 7}),
        json!({"reason": "x".repeat(513)}),
        json!([]),
    ] {
        world.post(path, body).await.problem(422);
    }
    world
        .send_bytes("POST", path, b"{".to_vec())
        .await
        .problem(400);
    let tried = world.send("POST", &format!("{path}?dry_run=true")).await;
    assert_eq!(
        tried.ok(),
        json!({"status": "released", "stream_id": 1, "dry_run": true, "state": "assigned",
            "server_id": "e"})
    );
    assert_eq!(shown(&world).await["state"], "quarantined");
    let reason = "camera replaced, see rtsp://user:secret@camera/1";
    let released = world.post(path, json!({"reason": reason})).await.ok();
    assert_eq!(
        released,
        json!({"status": "released", "stream_id": 1, "state": "assigned", "server_id": "e"})
    );
    assert!(shown(&world).await.get("quarantine").is_none());
    settle().await;
    let events = world.get("/resilience/events?limit=1000").await.ok();
    let events = events["events"].as_array().unwrap();
    let over = events
        .iter()
        .find(|event| event["kind"] == "quarantine_over");
    let over = over.unwrap();
    assert_has(
        over,
        &json!({"stream": 1, "because": "by_hand", "by": "operator"}),
    );
    let reason = over["reason"].as_str().unwrap();
    assert!(
        reason.contains("camera replaced") && !reason.contains("secret"),
        "{reason}"
    );
    let alerts = world.get("/resilience/alerts?open=true&kind=stream_quarantined");
    assert_eq!(alerts.await.ok()["alerts"], json!([]));

    let refused = world.send("POST", path).await.problem(409);
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("`assigned`") && detail.contains("`quarantined`"),
        "{detail}"
    );
    let unknown = "/streams/9/release-quarantine";
    world.send("POST", unknown).await.problem(404);
    let bad = "/streams/x/release-quarantine";
    world.send("POST", bad).await.problem(422);
}

#[actix_web::test]
async fn workers_that_cannot_start_it_are_named_with_their_reasons() {
    expect_errors(&["alert stream_quarantined"]);
    let world = World::start().await;
    world.streams(1..=1).await;
    for id in ["a", "b", "c"] {
        world.register(id, 5).await;
    }
    for id in ["a", "b", "c"] {
        if id == "c" {
            crate::support_http::pass(2).await;
        }
        assert_eq!(world.assign(id, 1).await["assigned_streams"], json!([1]));
        let release =
            json!({"server_id": id, "stream_ids": [1], "reason": format!("no codec {id}")});
        world.post("/streams/release", release).await.ok();
    }
    settle().await;
    let stream = shown(&world).await;
    assert_has(&stream, &json!({"state": "quarantined"}));
    assert!(stream.get("returned").is_none(), "one wait at a time");
    let failures = &stream["quarantine"]["failures"];
    assert_has(
        &failures[2],
        &json!({"server_id": "c", "what": "gave_back", "reason": "no codec c"}),
    );
}
