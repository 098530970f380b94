//! Planned work over HTTP: cordons, drains, maintenance, and a worker's goodbye for a while.

use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, ids, pass, settle};
use serde_json::{Value, json};

/// `a` owns streams 1 to 4; `b` has room for `room`. Both are classic.
async fn world(room: u32) -> World {
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 4).await;
    world.assign("a", 4).await;
    world.register("b", room).await;
    world
}

async fn data(world: &World, id: &str) -> Value {
    world.get(&format!("/instances/{id}")).await.ok()["data"].clone()
}

async fn events(world: &World, kind: &str) -> Vec<Value> {
    let path = format!("/resilience/events?kind={kind}");
    let answer = world.get(&path).await.ok();
    answer["events"].as_array().cloned().unwrap_or_default()
}

#[actix_web::test]
async fn a_cordoned_instance_keeps_its_streams_and_is_given_no_others() {
    let world = world(9).await;
    let body = json!({"reason": "a fan rattles", "until": "2026-01-01T01:00:00Z"});
    let answer = world.post("/instances/b/cordon", body).await.ok();
    assert_has(
        &answer,
        &json!({"status": "cordoned", "server_id": "b", "until": "2026-01-01T01:00:00.000000Z"}),
    );
    let shown = data(&world, "b").await;
    assert_has(&shown, &json!({"status": "active", "schedulable": false}));
    assert_has(
        &shown["cordon"],
        &json!({"by": "operator", "reason": "a fan rattles"}),
    );
    world.streams([5]).await;
    let asked = world.assign("b", 5).await;
    assert_eq!(asked["status"], "no_capacity");
    assert!(
        asked["message"]
            .as_str()
            .is_some_and(|text| text.contains("cordoned"))
    );
    let moved = json!({"moves": [{"stream_id": 1, "to": "b"}]});
    let refused = world.post("/streams/move", moved).await.problem(409);
    assert!(
        refused["detail"]
            .as_str()
            .is_some_and(|text| text.contains("/instances/b/uncordon"))
    );
    let listed = world.get("/instances").await.ok();
    let states: Vec<_> = (listed["instances"].as_array().into_iter().flatten())
        .map(|line| line["schedulable"].clone())
        .collect();
    assert_eq!(states, [json!(false), json!(true)]);
    // It ends by itself.
    for _ in 0..125 {
        pass(30).await;
        world.beat("a").await.ok();
        world.beat("b").await.ok();
    }
    assert_eq!(data(&world, "b").await["schedulable"], true);
    let ended = events(&world, "instance_uncordoned").await;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["by"], "program");
    assert_eq!(world.assign("b", 5).await["assigned_streams"], json!([5]));
}

#[actix_web::test]
async fn an_uncordon_needs_no_body_and_is_in_the_audit_trail() {
    let world = world(9).await;
    world.send("POST", "/instances/b/cordon").await.ok();
    let answer = world.send("POST", "/instances/b/uncordon").await.ok();
    assert_has(&answer, &json!({"status": "uncordoned", "server_id": "b"}));
    assert_eq!(data(&world, "b").await["schedulable"], true);
    assert_eq!(events(&world, "instance_cordoned").await.len(), 1);
    assert_eq!(
        events(&world, "instance_uncordoned").await[0]["by"],
        "operator"
    );
    let past = json!({"until": "2025-12-31T23:00:00Z"});
    let refused = world.post("/instances/b/cordon", past).await;
    assert_eq!(refused.bad_fields(), ["until"]);
    world.send("POST", "/instances/z/cordon").await.problem(404);
}

#[actix_web::test]
async fn a_drain_is_planned_begun_shown_and_over() {
    let world = world(9).await;
    world.get("/instances/a/drain").await.problem(404);
    world.delete("/instances/a/drain").await.problem(404);
    let plan = world
        .send("POST", "/instances/a/drain?dry_run=true")
        .await
        .ok();
    assert_has(
        &plan,
        &json!({"dry_run": true, "streams": 4, "would_not_fit": []}),
    );
    assert_eq!(plan["moves"].as_array().map(Vec::len), Some(4));
    assert_eq!(
        data(&world, "a").await["status"],
        "active",
        "nothing is changed"
    );
    let body = json!({"reason": "update", "deadline": "30m"});
    let begun = world.post("/instances/a/drain", body).await.ok();
    assert_has(
        &begun,
        &json!({"status": "draining", "server_id": "a", "streams": 4, "would_not_fit": []}),
    );
    assert_has(
        &begun["moves"][0],
        &json!({"stream_id": 1, "from": "a", "to": "b", "progress": "moved"}),
    );
    assert!(begun.get("dry_run").is_none());
    let again = world.send("POST", "/instances/a/drain").await.problem(409);
    assert!(
        again["detail"]
            .as_str()
            .is_some_and(|text| text.contains("`draining`"))
    );
    settle().await;
    assert_eq!(world.held("b").await, [1, 2, 3, 4]);
    let shown = world.get("/instances/a/drain").await.ok();
    assert_has(
        &shown,
        &json!({"server_id": "a", "state": "draining", "streams_left": 4, "moved": 0,
            "reason": "update"}),
    );
    // The new owner is notified: only now has `a` drained.
    world.assign("b", 0).await;
    pass(1).await;
    let shown = world.get("/instances/a/drain").await.ok();
    assert_has(
        &shown,
        &json!({"state": "drained", "streams_left": 0, "moved": 4}),
    );
    assert_eq!(data(&world, "a").await["status"], "draining");
    assert_eq!(world.assign("a", 4).await["status"], "no_capacity");
    let cancelled = world.delete("/instances/a/drain?reason=done").await.ok();
    assert_has(
        &cancelled,
        &json!({"status": "cancelled", "server_id": "a", "moved": 4}),
    );
    assert_eq!(data(&world, "a").await["status"], "active");
    world.delete("/instances/a/drain").await.problem(409);
    let ended = events(&world, "drain_ended").await;
    assert_eq!(ended.len(), 2);
    assert_has(
        &ended[1],
        &json!({"state": "cancelled", "by": "operator", "reason": "done"}),
    );
}

#[actix_web::test]
async fn a_drain_names_what_fits_nowhere() {
    expect_errors(&["alert streams_orphaned"]);
    let world = world(3).await;
    let refused = world.send("POST", "/instances/a/drain").await.problem(409);
    assert_eq!(ids(&refused["would_not_fit"]), [4]);
    assert_eq!(data(&world, "a").await["status"], "active");
    for (body, field) in [
        (json!({"deadline": "2020-01-01T00:00:00Z"}), "deadline"),
        (json!({"deadline": true}), "deadline"),
        (json!({"force": "yes"}), "force"),
        (json!({"reason": "x".repeat(513)}), "reason"),
    ] {
        let answer = world.post("/instances/a/drain", body).await;
        assert_eq!(answer.bad_fields(), [field]);
    }
    world.send("POST", "/instances/z/drain").await.problem(404);
    let forced = json!({"force": true, "deadline": 60});
    let begun = world.post("/instances/a/drain", forced).await.ok();
    assert_eq!(ids(&begun["would_not_fit"]), [4]);
    world.assign("b", 0).await;
    pass(30).await;
    for id in ["a", "b"] {
        world.beat(id).await.ok();
    }
    assert_eq!(world.held("a").await, [4]);
    pass(40).await;
    assert_eq!(world.held("a").await, [0; 0]);
    let shown = world.get("/instances/a/drain").await.ok();
    assert_has(
        &shown,
        &json!({"state": "drained", "moved": 3, "orphaned": 1}),
    );
    let orphan = world.get("/streams/4").await.ok();
    assert_eq!(orphan["data"]["state"], "orphaned");
}

#[actix_web::test]
async fn silence_is_expected_after_a_drain_and_in_maintenance() {
    let world = world(9).await;
    let body = json!({"for": "1h", "reason": "a new disk"});
    let answer = world.post("/instances/a/maintenance", body).await.ok();
    assert_eq!(answer["status"], "draining");
    assert_eq!(answer["until"], answer["deadline_at"]);
    world.assign("b", 0).await;
    pass(1).await;
    assert_has(&data(&world, "a").await, &json!({"status": "maintenance"}));
    for _ in 0..100 {
        pass(30).await;
        world.beat("b").await.ok();
    }
    assert_eq!(data(&world, "a").await["status"], "maintenance");
    assert_eq!(events(&world, "instance_failed").await.len(), 0);
    let alerts = world.get("/resilience/alerts?open=true").await.ok();
    assert_eq!(alerts["alerts"], json!([]));
    // Then it is judged as any silent instance.
    for _ in 0..24 {
        pass(30).await;
        world.beat("b").await.ok();
    }
    assert_eq!(data(&world, "a").await["status"], "failed");
    for body in [
        json!({}),
        json!({"for": "1h", "until": "2026-02-01T00:00:00Z"}),
        json!({"until": "2020-01-01T00:00:00Z"}),
    ] {
        let answer = world.post("/instances/b/maintenance", body).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
    }
}

#[actix_web::test]
async fn a_drained_instance_may_be_silent_until_it_registers() {
    let world = world(9).await;
    world.send("POST", "/instances/a/drain").await.ok();
    world.assign("b", 0).await;
    for _ in 0..30 {
        pass(30).await;
        world.beat("b").await.ok();
    }
    assert_eq!(data(&world, "a").await["status"], "draining");
    let shown = world.get("/instances/a/drain").await.ok();
    assert_eq!(shown["state"], "drained");
    world.register("a", 4).await;
    assert_eq!(data(&world, "a").await["status"], "active");
    let health = world.get("/resilience/health").await.ok();
    assert_eq!(health["system_health"], "healthy");
}

#[actix_web::test]
async fn a_goodbye_reserves_the_streams_of_a_worker_until_it_is_back() {
    let world = world(9).await;
    let life = data(&world, "a").await["incarnation"].clone();
    let path = format!("/instances/a?incarnation={life}&back_in=60s&reason=update");
    let answer = world.delete(&path).await.ok();
    assert_has(
        &answer,
        &json!({"status": "maintenance", "streams_reserved": 4, "streams_redistributed": 0}),
    );
    settle().await;
    assert_has(
        &data(&world, "a").await,
        &json!({"status": "maintenance", "running": 0}),
    );
    assert_eq!(world.held("b").await, [0; 0], "they are reserved");
    pass(30).await;
    let back = world.register("a", 4).await;
    assert_eq!(ids(&back["assigned_streams"]), [1, 2, 3, 4]);
    assert_eq!(data(&world, "a").await["status"], "active");
    // The next time it does not come back.
    let life = back["incarnation"].clone();
    let path = format!("/instances/a?incarnation={life}&back_in=60");
    world.delete(&path).await.ok();
    pass(61).await;
    world.get("/instances/a").await.problem(404);
    assert_eq!(world.held("b").await, [1, 2, 3, 4]);
    let answer = world.delete("/instances/b?back_in=60s").await;
    assert_eq!(answer.bad_fields(), ["incarnation"]);
}

#[actix_web::test]
async fn an_emergency_is_possible_while_something_is_planned() {
    expect_errors(&["alert emergency_recovery"]);
    let world = world(9).await;
    let life = data(&world, "a").await["incarnation"].clone();
    let path = format!("/instances/a?incarnation={life}&back_in=600s");
    world.delete(&path).await.ok();
    let answer = world
        .send("POST", "/resilience/emergency/a?reason=gone")
        .await
        .ok();
    assert_eq!(answer["status"], "success", "{answer}");
    assert_eq!(world.held("b").await, [1, 2, 3, 4]);
}

#[actix_web::test]
async fn an_empty_reason_is_accepted_and_is_as_if_it_were_not_given() {
    let world = world(9).await;
    let empty = || json!({"reason": ""});
    world.post("/instances/b/cordon", empty()).await.ok();
    assert!(data(&world, "b").await["cordon"].get("reason").is_none());
    world.post("/instances/b/uncordon", empty()).await.ok();
    world.post("/instances/a/drain", empty()).await.ok();
    let shown = world.get("/instances/a/drain").await.ok();
    assert_has(&shown, &json!({"streams": 4, "by": "operator"}));
    assert!(shown.get("reason").is_none());
    world.delete("/instances/a/drain?reason=").await.ok();
    let body = json!({"for": "1h", "reason": ""});
    world.post("/instances/a/maintenance", body).await.ok();
    let roll = world.post("/rolls?dry_run", empty()).await.ok();
    assert!(roll.get("reason").is_none());
    world.delete("/instances/a?reason=").await.ok();
    let refused = world
        .send("POST", "/resilience/emergency/b?reason=")
        .await
        .problem(422);
    assert_eq!(refused["errors"][0]["field"], "reason");
}

#[actix_web::test]
async fn a_reason_shows_no_password() {
    let world = world(9).await;
    let body = json!({"reason": "see rtsp://user:secret@camera/1"});
    world.post("/instances/b/cordon", body).await.ok();
    let shown = data(&world, "b").await["cordon"].to_string();
    assert!(!shown.contains("secret"), "{shown}");
}

#[actix_web::test]
async fn a_removal_is_tried_and_its_reason_is_in_the_audit_trail() {
    let world = world(9).await;
    for tried in ["?dry_run=true", "?dry_run", "?dry_run=&reason=scrapped"] {
        let plan = world.delete(&format!("/instances/a{tried}")).await.ok();
        assert_has(
            &plan,
            &json!({"status": "deleted", "dry_run": true, "streams_redistributed": 4}),
        );
        assert_eq!(world.held("a").await, [1, 2, 3, 4], "nothing is changed");
    }
    let life = data(&world, "a").await["incarnation"].clone();
    let path = format!("/instances/a?incarnation={life}&back_in=60s&dry_run=true");
    let plan = world.delete(&path).await.ok();
    assert_has(
        &plan,
        &json!({"status": "maintenance", "dry_run": true, "streams_reserved": 4}),
    );
    assert_eq!(data(&world, "a").await["status"], "active");
    let unknown = world.delete("/instances/z?dry_run=true").await;
    assert_eq!(unknown.status, 404);
    let done = world.delete("/instances/a?reason=scrapped").await.ok();
    assert_has(
        &done,
        &json!({"status": "deleted", "streams_redistributed": 4}),
    );
    assert!(done.get("dry_run").is_none());
    settle().await;
    let removed = events(&world, "instance_removed").await;
    assert_eq!(removed.len(), 1);
    assert_has(
        &removed[0],
        &json!({"by": "operator", "reason": "requested", "note": "scrapped"}),
    );
    let life = data(&world, "b").await["incarnation"].clone();
    let path = format!("/instances/b?incarnation={life}&reason=update");
    world.delete(&path).await.ok();
    settle().await;
    let removed = events(&world, "instance_removed").await;
    assert_has(&removed[1], &json!({"by": "worker", "note": "update"}));
}

#[actix_web::test]
async fn a_maintenance_shows_who_asked_and_its_end_is_in_the_audit_trail() {
    let world = world(9).await;
    let body = json!({"for": "1h", "reason": "a new disk"});
    world.post("/instances/a/maintenance", body).await.ok();
    world.assign("b", 0).await;
    pass(1).await;
    let absence = data(&world, "a").await["absence"].clone();
    assert_has(&absence, &json!({"by": "operator", "reason": "a new disk"}));
    assert!(absence["since"].as_str() < absence["until"].as_str());
    world.register("a", 4).await;
    settle().await;
    let ended = events(&world, "maintenance_ended").await;
    assert_eq!(ended.len(), 1);
    assert_has(&ended[0], &json!({"by": "worker", "status": "active"}));
}

/// What cannot be done is refused with the reason, and nothing has changed.
#[actix_web::test]
async fn planned_work_that_cannot_be_done_names_why_and_changes_nothing() {
    let world = World::start().await;
    for path in ["/rolls", "/rolls?dry_run=true"] {
        let refused = world.post(path, json!({})).await;
        assert_eq!(refused.bad_fields(), ["instances"], "an empty fleet");
    }
    world.streams(1..=4).await;
    for id in ["a", "b"] {
        world.register(id, 10).await;
    }
    world.assign("a", 2).await;
    world.assign("b", 2).await;
    world.post("/instances/b/failure", json!({})).await.ok();
    settle().await;
    let before = world.saved().await;
    let problem = world
        .post("/instances/b/drain", json!({}))
        .await
        .problem(409);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("`b`") && detail.contains("`failed`"),
        "{detail}"
    );
    let roll = json!({"deadline": "2020-01-01T00:00:00Z"});
    assert_eq!(world.post("/rolls", roll).await.bad_fields(), ["deadline"]);
    let roll = json!({"label": "rack:7"});
    assert_eq!(world.post("/rolls", roll).await.bad_fields(), ["label"]);
    world
        .post("/instances/z/drain", json!({}))
        .await
        .problem(404);
    assert_eq!(world.saved().await, before);
}

/// The streams of a list of moves, each with its target.
fn targets(answer: &Value) -> Vec<(i64, String)> {
    let moves = answer["moves"].as_array().into_iter().flatten();
    let line = |line: &Value| {
        let to = line["to"].as_str().unwrap_or_default().to_owned();
        (line["stream_id"].as_i64().unwrap_or_default(), to)
    };
    moves.map(line).collect()
}

#[actix_web::test]
async fn a_cordon_that_is_only_tried_changes_nothing_and_is_refused_like_the_order() {
    let world = world(9).await;
    for action in ["cordon", "uncordon"] {
        let path = format!("/instances/b/{action}?dry_run=true");
        let tried = world.send("POST", &path).await.ok();
        let status = format!("{action}ed");
        assert_has(
            &tried,
            &json!({"status": status, "server_id": "b", "dry_run": true}),
        );
        let unknown = format!("/instances/z/{action}?dry_run=true");
        world.send("POST", &unknown).await.problem(404);
    }
    assert_eq!(data(&world, "b").await["schedulable"], true);
    assert!(events(&world, "instance_cordoned").await.is_empty());
    let done = world.send("POST", "/instances/b/cordon").await.ok();
    assert!(done.get("dry_run").is_none());
    let tried = "/instances/b/uncordon?dry_run=true";
    world.send("POST", tried).await.ok();
    assert_eq!(data(&world, "b").await["schedulable"], false);
    let bad = "/instances/b/cordon?dry_run=perhaps";
    assert_eq!(world.send("POST", bad).await.bad_fields(), ["dry_run"]);
}

#[actix_web::test]
async fn a_move_does_what_its_plan_said() {
    let world = world(9).await;
    world.register("c", 9).await;
    let order = json!({"moves": [{"stream_id": 1}, {"stream_id": 2}, {"stream_id": 3, "to": "c"}]});
    let path = "/streams/move?dry_run=true";
    let plan = world.post(path, order.clone()).await.ok();
    assert_eq!(plan["dry_run"], true);
    assert_eq!(targets(&plan).len(), 3);
    settle().await;
    assert_eq!(world.held("a").await, [1, 2, 3, 4], "nothing is changed");
    assert!(
        events(&world, "stream_assigned")
            .await
            .iter()
            .all(|event| event["reason"] == "requested")
    );
    let done = world.post("/streams/move", order).await.ok();
    assert_eq!(targets(&done), targets(&plan));
    assert!(done.get("dry_run").is_none());
    // What the order would get, the plan gets, too.
    let nowhere = json!({"moves": [{"stream_id": 4, "to": "z"}]});
    world.post(path, nowhere.clone()).await.problem(404);
    world.post("/streams/move", nowhere).await.problem(404);
}

/// Tries an order that empties `a`, carries it out, and compares.
async fn does_what_its_plan_said(path: &str, status: &str) {
    expect_errors(&["emergency", "alert"]);
    let world = world(3).await;
    let tried = format!("{path}?dry_run=true");
    let plan = world.send("POST", &tried).await.ok();
    assert_has(
        &plan,
        &json!({"status": "planned", "server_id": "a", "dry_run": true, "streams": 4,
            "instance_status": "active"}),
    );
    let to_b = |id: i64| (id, "b".to_owned());
    assert_eq!(targets(&plan), [to_b(1), to_b(2), to_b(3)]);
    assert_eq!(plan["would_not_fit"], json!([4]));
    assert!(plan.get("waiting_until").is_none(), "no lease runs");
    settle().await;
    assert_eq!(
        data(&world, "a").await["status"],
        "active",
        "nothing is changed"
    );
    assert_eq!(world.held("a").await, [1, 2, 3, 4]);
    assert!(
        events(&world, "instance_failed,lease_withdrawn")
            .await
            .is_empty()
    );
    let incidents = world.get("/resilience/incidents").await.ok();
    assert_eq!(incidents["incidents"], json!([]));
    world.send("POST", path).await.ok();
    settle().await;
    assert_eq!(data(&world, "a").await["status"], status);
    assert_eq!(world.held("b").await, [1, 2, 3]);
    let waiting = world.get("/streams/4").await.ok();
    assert_eq!(waiting["data"]["state"], "orphaned");
    // One that has failed is planned as it is.
    let again = world.send("POST", &tried).await.ok();
    assert_has(
        &again,
        &json!({"streams": 0, "moves": [], "instance_status": status}),
    );
    let unknown = tried.replace("/a", "/z");
    world.send("POST", &unknown).await.problem(404);
}

#[actix_web::test]
async fn a_report_of_a_failure_does_what_its_plan_said() {
    does_what_its_plan_said("/instances/a/failure", "failed").await;
}

#[actix_web::test]
async fn an_emergency_does_what_its_plan_said() {
    does_what_its_plan_said("/resilience/emergency/a", "maintenance").await;
}
