//! Rolls over HTTP: one batch after the other, across a restart, with bad input.

use crate::support_http::{World, assert_has, pass, settle};
use resilient_orchestrator::http::HttpSettings;
use serde_json::{Value, json};

/// Three classic workers with room for each other's streams; `a` and `b` own one stream each.
async fn world() -> World {
    let world = World::start().await;
    world.streams(1..=2).await;
    for id in ["a", "b", "c"] {
        let body = json!({"server_id": id, "ip": "10.0.0.1", "port": 8080, "max_streams": 4,
            "labels": {"rack": if id == "c" { "r2" } else { "r1" }}});
        world.post("/register", body).await.ok();
        if id != "c" {
            world.assign(id, 1).await;
        }
    }
    settle().await;
    world
}

fn steps(roll: &Value) -> Vec<(&str, &str)> {
    let lines = roll["instances"].as_array().map_or(&[][..], Vec::as_slice);
    lines
        .iter()
        .map(|one| {
            (
                one["server_id"].as_str().unwrap_or_default(),
                one["state"].as_str().unwrap_or_default(),
            )
        })
        .collect()
}

async fn roll(world: &World, id: &Value) -> Value {
    world.get(&format!("/rolls/{id}")).await.ok()
}

/// Every worker requests, so that moves to it are confirmed, and some time passes.
async fn confirm(world: &World) {
    for id in ["a", "b", "c"] {
        world.assign(id, 0).await;
    }
    pass(3).await;
}

#[actix_web::test]
async fn a_roll_takes_one_instance_after_the_other_and_survives_a_restart() {
    let world = world().await;
    let plan = world
        .post("/rolls?dry_run=true", json!({"label": "rack:r1"}))
        .await
        .ok();
    assert_eq!(plan["dry_run"], true);
    assert_eq!(world.get("/rolls").await.ok()["rolls"], json!([]));
    let body = json!({"label": "rack:r1", "reason": "release 4.2"});
    let began = world.post("/rolls", body).await.ok();
    assert_has(
        &began,
        &json!({"state": "running", "reason": "release 4.2", "wait": "healthy"}),
    );
    assert_eq!(steps(&began), [("a", "draining"), ("b", "waiting")]);
    let id = began["id"].clone();
    confirm(&world).await;
    assert_eq!(
        steps(&roll(&world, &id).await),
        [("a", "drained"), ("b", "waiting")]
    );
    // Another life of the orchestrator goes on with it.
    let world = World::on(world.store, HttpSettings::default()).await;
    pass(3).await;
    assert_eq!(
        steps(&roll(&world, &id).await),
        [("a", "drained"), ("b", "waiting")]
    );
    world.register("a", 4).await;
    pass(3).await;
    assert_eq!(
        steps(&roll(&world, &id).await),
        [("a", "back"), ("b", "draining")]
    );
    confirm(&world).await;
    world.register("b", 4).await;
    pass(3).await;
    let over = roll(&world, &id).await;
    assert_eq!(steps(&over), [("a", "back"), ("b", "back")]);
    assert_eq!(over["state"], "done");
    let path = format!("/rolls/{id}/pause");
    world.send("POST", &path).await.problem(409);
    let kinds = world.get("/resilience/events?kind=roll_changed").await.ok();
    let states: Vec<&str> = (kinds["events"].as_array().into_iter().flatten())
        .filter_map(|event| event["state"].as_str())
        .collect();
    assert_eq!(states, ["running", "done"]);
}

#[actix_web::test]
async fn a_roll_is_paused_resumed_and_cancelled_by_an_operator() {
    let world = world().await;
    let began = world
        .post("/rolls", json!({"instances": ["a", "b"]}))
        .await
        .ok();
    let id = began["id"].clone();
    let order = async |word: &str| {
        let path = format!("/rolls/{id}/{word}");
        world.send("POST", &path).await.ok()
    };
    let path = format!("/rolls/{id}/pause");
    let paused = world.post(&path, json!({"reason": "lunch"})).await.ok();
    assert_has(
        &paused,
        &json!({"state": "paused", "because": "an operator has paused it: lunch"}),
    );
    confirm(&world).await;
    world.register("a", 4).await;
    pass(3).await;
    assert_eq!(
        steps(&roll(&world, &id).await),
        [("a", "back"), ("b", "waiting")]
    );
    let tried = order("resume?dry_run").await;
    assert_has(&tried, &json!({"state": "running", "dry_run": true}));
    assert_eq!(steps(&tried), [("a", "back"), ("b", "draining")]);
    let unchanged = roll(&world, &id).await;
    assert_has(&unchanged, &json!({"state": "paused"}));
    assert_eq!(steps(&unchanged), [("a", "back"), ("b", "waiting")]);
    let resumed = order("resume").await;
    assert_eq!(steps(&resumed), [("a", "back"), ("b", "draining")]);
    let cancelled = order("cancel").await;
    assert_has(&cancelled, &json!({"state": "cancelled"}));
    let b = world.get("/instances/b").await.ok();
    assert_eq!(b["data"]["status"], "active");
    let listed = world.get("/rolls").await.ok();
    assert_eq!(listed["rolls"].as_array().map(Vec::len), Some(1));
}

#[actix_web::test]
async fn a_roll_that_does_not_fit_pauses_and_bad_selections_are_refused() {
    let world = world().await;
    for body in [
        json!({"label": "rack:none"}),
        json!({"instances": []}),
        json!({"instances": ["a"], "label": "rack:r1"}),
        json!({"max_unavailable": 0}),
        json!({"wait": "soon"}),
        json!({"instances": [1]}),
    ] {
        let answer = world.post("/rolls", body.clone()).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
    }
    for label in [json!("rack"), json!(""), json!("x:".repeat(400)), json!(7)] {
        let answer = world.post("/rolls", json!({"label": label})).await;
        assert_eq!(answer.bad_fields(), ["label"], "{label}");
    }
    world
        .post("/rolls", json!({"instances": ["z"]}))
        .await
        .problem(404);
    world.get("/rolls/99").await.problem(404);
    world.streams(3..=12).await;
    for id in ["a", "b", "c"] {
        world.assign(id, 4).await;
    }
    let full = world.post("/rolls", json!({"instances": ["a"]})).await.ok();
    assert_has(&full, &json!({"state": "paused"}));
    assert_eq!(steps(&full), [("a", "waiting")]);
    let because = full["because"].as_str();
    assert!(
        because.is_some_and(|text| text.contains("no active instance has room")),
        "{full}"
    );
}

#[actix_web::test]
async fn the_rolls_are_paged_newest_first() {
    let world = world().await;
    let mut began = Vec::new();
    for _ in 0..5 {
        let roll = world.post("/rolls", json!({"instances": ["c"]})).await.ok();
        let path = format!("/rolls/{}/cancel", roll["id"]);
        world.send("POST", &path).await.ok();
        began.push(roll["id"].as_i64().unwrap());
    }
    began.reverse();
    let (mut read, mut path) = (Vec::new(), "/rolls?limit=2".to_owned());
    loop {
        let page = world.get(&path).await.ok();
        let rolls = page["rolls"].as_array().unwrap();
        read.extend(rolls.iter().filter_map(|roll| roll["id"].as_i64()));
        match page.get("next") {
            Some(next) => path = format!("/rolls?limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(read, began);
    let whole = world.get("/rolls").await.ok();
    assert!(whole.get("next").is_none());
    let refused = world.get("/rolls?limit=0&after=x").await;
    assert_eq!(refused.bad_fields(), ["after", "limit"]);
}
