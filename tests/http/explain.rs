//! Why a stream is where it is, and why an instance gets streams or does not.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use crate::support_http::faults::Outage;
use crate::support_http::{World, assert_has, settle};
use serde_json::{Value, json};

fn names(candidates: &Value) -> Vec<&str> {
    let candidates = candidates.as_array().unwrap();
    candidates
        .iter()
        .map(|one| one["server_id"].as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn a_stream_is_explained_with_its_candidates_and_its_way() {
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 3).await;
    world.register("b", 1).await;
    world.assign("b", 1).await;
    world.assign("a", 1).await;
    let explained = world.get("/streams/2/explain").await.ok();
    assert_has(
        &explained,
        &json!({"stream_id": 2, "state": "assigned", "server_id": "a"}),
    );
    assert!(explained["epoch"].is_i64() && explained["since"].is_string());
    let placed = &explained["placed"];
    assert_has(
        placed,
        &json!({"reason": "requested", "at": explained["since"].clone()}),
    );
    assert_eq!(names(&placed["candidates"]), ["a", "b"]);
    assert_has(
        &placed["candidates"][0],
        &json!({"chosen": true, "rank": 1,
            "score": {"load": 0.0, "held": 0, "limit": 3, "streams": 0, "strain": "unknown",
                "policy": "balanced"}}),
    );
    assert_has(
        &placed["candidates"][1],
        &json!({"chosen": false, "excluded_by": "no_room"}),
    );
    let now = &explained["now"];
    assert_has(now, &json!({"would_move": false}));
    assert!(
        now["because"]
            .as_str()
            .unwrap()
            .starts_with("Its owner keeps it.")
    );
    assert_eq!(names(&now["candidates"]), ["a", "b"]);
    assert_has(
        &now["candidates"][0],
        &json!({"chosen": true, "excluded_by": "is_owner"}),
    );
    let history = explained["history"].as_array().unwrap();
    assert_eq!(history.len(), 1);
    assert_has(
        &history[0],
        &json!({"from": null, "to": "a", "reason": "requested",
            "epoch": explained["epoch"].clone()}),
    );

    world.send("POST", "/instances/a/failure").await.ok();
    settle().await;
    let waiting = world.get("/streams/2/explain").await.ok();
    assert_has(
        &waiting,
        &json!({"state": "orphaned", "server_id": null, "epoch": null, "placed": null}),
    );
    assert_has(
        &waiting["history"][0],
        &json!({"from": "a", "to": null, "reason": "instance_failed"}),
    );
    let because = waiting["now"]["because"].as_str().unwrap();
    assert!(
        because.contains("`no_room`") && because.contains("`status`"),
        "{because}"
    );
    world.get("/streams/9/explain").await.problem(404);
    world.get("/streams/x/explain").await.problem(422);
}

#[actix_web::test]
async fn an_instance_is_explained_with_what_it_could_have() {
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 3).await;
    world.register("b", 1).await;
    world.assign("b", 1).await;
    assert_eq!(
        world.get("/instances/b/explain").await.ok(),
        json!({"server_id": "b", "takes_streams": false,
            "because": "It owns as many streams as it may.", "waiting_it_could_take": [],
            "balance": {"fair_share": 0.25, "assigned": 1, "would_give": [], "would_get": []}})
    );
    let open = world.get("/instances/a/explain").await.ok();
    assert_has(
        &open,
        &json!({"takes_streams": true, "waiting_it_could_take": [2, 3, 4]}),
    );
    world.get("/instances/c/explain").await.problem(404);
}

#[actix_web::test]
async fn while_the_store_is_out_the_present_is_explained() {
    let store = World::empty_store();
    let world = World::on(store.clone(), Default::default()).await;
    world.streams(1..=1).await;
    world.register("a", 3).await;
    world.assign("a", 1).await;
    store.set_outage(Some(Outage::Refusing));
    let explained = world.get("/streams/1/explain").await.ok();
    assert_has(
        &explained,
        &json!({"server_id": "a", "placed": null, "history": []}),
    );
    assert!(explained["unknown_because"].is_string());
    assert_eq!(names(&explained["now"]["candidates"]), ["a"]);
}
