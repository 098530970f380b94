//! Placement over HTTP: conditions of streams, limits of instances, and room for failure.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use crate::support_http::{World, assert_has, pass};
use serde_json::{Value, json};

async fn register(world: &World, body: Value) {
    let mut whole = json!({"ip": "h", "port": 1});
    let fields = whole.as_object_mut().unwrap();
    fields.extend(body.as_object().unwrap().clone());
    world.post("/register", whole).await.ok();
}

#[actix_web::test]
async fn conditions_of_a_stream_are_saved_shown_kept_and_removed() {
    let world = World::start().await;
    let stream = json!({"name": "s", "weight": 5, "requires": {"gpu": "yes"}, "group": "g",
        "pinned": "a"});
    world
        .post("/streams", json!({"streams": [stream]}))
        .await
        .ok();
    world
        .post(
            "/streams",
            json!({"streams": [{"name": "s", "priority": 1}]}),
        )
        .await
        .ok();
    let shown = json!({"weight": 5, "requires": {"gpu": "yes"}, "group": "g", "pinned": "a"});
    assert_has(&world.get("/streams/1").await.ok()["data"], &shown);
    let of_group = world.get("/streams?group=g").await.ok();
    assert_eq!(of_group["streams"].as_array().unwrap().len(), 1);
    let none = world.get("/streams?group=h").await.ok();
    assert!(none["streams"].as_array().unwrap().is_empty());
    let removed = json!({"id": 1, "requires": {}, "group": "", "pinned": ""});
    world
        .post("/streams", json!({"streams": [removed]}))
        .await
        .ok();
    let plain = json!({"weight": 5, "requires": {}, "group": null, "pinned": null});
    assert_has(&world.get("/streams/1").await.ok()["data"], &plain);
}

#[actix_web::test]
async fn bad_conditions_are_named_one_by_one() {
    let world = World::start().await;
    let stream = json!({"name": "s", "weight": 0, "requires": {"gpu": 1}, "group": 7,
        "pinned": "x".repeat(129)});
    let refused = world.post("/streams", json!({"streams": [stream]})).await;
    let problem = refused.problem(422);
    let errors = problem["errors"].as_array().unwrap();
    let fields: Vec<&str> = errors
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    let expected = ["weight", "requires.gpu", "group", "pinned"];
    assert_eq!(fields, expected.map(|field| format!("streams[0].{field}")));
    let body = json!({"server_id": "a", "ip": "h", "port": 1, "capacity": 0});
    world.post("/register", body).await.problem(422);
}

#[actix_web::test]
async fn a_move_against_a_hard_rule_says_which() {
    let world = World::start().await;
    register(&world, json!({"server_id": "a", "max_streams": 5})).await;
    register(
        &world,
        json!({"server_id": "b", "max_streams": 5, "capacity": 3}),
    )
    .await;
    let heavy = json!({"id": 1, "name": "s", "weight": 4});
    world
        .post("/streams", json!({"streams": [heavy]}))
        .await
        .ok();
    world.assign("a", 1).await;
    let moves = json!({"moves": [{"stream_id": 1, "to": "b"}]});
    let refused = world.post("/streams/move", moves).await;
    let problem = refused.problem(409);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("no capacity left"), "{detail}");
    assert_has(
        &world.get("/instances/b").await.ok()["data"],
        &json!({"capacity": 3, "max_streams": 5}),
    );
}

#[actix_web::test]
async fn room_for_failure_is_known_and_its_lack_is_an_alert() {
    let world = World::start().await;
    world.streams(1..=12).await;
    for (id, zone) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let body = json!({"server_id": id, "max_streams": 5, "labels": {"zone": zone}});
        register(&world, body).await;
    }
    world.assign("a", 5).await;
    world.assign("b", 5).await;
    assert_eq!(
        world.get("/capacity").await.ok(),
        json!({"max_streams": 15, "assigned": 10, "free": 5,
            "waiting": {"unclaimed": 2, "orphaned": 0}, "survives_one_instance": true,
            "headroom_streams": 0,
            "worst_instance": {"server_id": "a", "streams": 5, "streams_without_home": 0},
            "by_label": [
                {"label": "zone", "value": "x", "streams": 10, "streams_without_home": 5,
                    "stream_ids": [6, 7, 8, 9, 10]},
                {"label": "zone", "value": "y", "streams": 0, "streams_without_home": 0}]})
    );
    world.assign("c", 2).await;
    let short = world.get("/capacity").await.ok();
    assert_has(
        &short,
        &json!({"survives_one_instance": false, "headroom_streams": -2,
            "worst_instance": {"server_id": "a", "streams": 5, "streams_without_home": 2,
                "stream_ids": [4, 5]}}),
    );
    pass(6).await;
    let open = "/resilience/alerts?open=true&kind=no_room_for_failure";
    let alerts = world.get(open).await.ok();
    let detail = alerts["alerts"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("`a` is lost, 2 of its 5 streams"),
        "{detail}"
    );
    let metrics = world.get("/metrics").await.text;
    assert!(
        metrics.contains("\norchestrator_capacity_headroom_streams -2\n"),
        "{metrics}"
    );
    register(&world, json!({"server_id": "d", "max_streams": 5})).await;
    pass(6).await;
    assert!(
        world.get(open).await.ok()["alerts"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[actix_web::test]
async fn a_loss_names_the_streams_that_would_have_no_home() {
    let world = World::start().await;
    world.streams(1..=12).await;
    for (id, zone) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let body = json!({"server_id": id, "max_streams": 5, "labels": {"zone": zone}});
        register(&world, body).await;
    }
    world.assign("a", 5).await;
    world.assign("b", 5).await;
    let urgent = json!({"id": 10, "priority": 5});
    world
        .post("/streams", json!({"streams": [urgent]}))
        .await
        .ok();
    assert_eq!(
        world.get("/capacity/loss?instance=a").await.ok(),
        json!({"instances": 1, "streams": 5, "streams_without_home": 0, "stream_ids": []})
    );
    assert_eq!(
        world.get("/capacity/loss?label=zone:x").await.ok(),
        json!({"instances": 2, "streams": 10, "streams_without_home": 5,
            "stream_ids": [5, 6, 7, 8, 9]}),
        "a recovery places stream 10 first"
    );
    let nothing = world.get("/capacity/loss?label=zone:y").await.ok();
    assert_has(&nothing, &json!({"instances": 1, "streams": 0}));
    let both = "/capacity/loss?label=zone:x&label=zone:y";
    for (path, field, part) in [
        ("/capacity/loss", "instance", "is missing"),
        ("/capacity/loss?instance=a&label=zone:x", "label", "beside"),
        ("/capacity/loss?label=zone", "label", "KEY:VALUE"),
        ("/capacity/loss?label=zone:z", "label", "not a label of any"),
        (both, "label", "not a label of any"),
    ] {
        let answer = world.get(path).await;
        let problem = answer.problem(422);
        let error = &problem["errors"][0];
        let named = error["field"].as_str().unwrap();
        assert!(named.starts_with(field), "{path}: {error}");
        let reason = error["reason"].as_str().unwrap();
        assert!(reason.contains(part), "{path}: {error}");
    }
    world.get("/capacity/loss?instance=z").await.problem(404);
}
