//! Epochs: in every answer and event about an assignment, and what a sink makes of them.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use crate::support_http::{World, assert_has, ids};
use serde_json::{Value, json};

/// The streams of a list of assignments, which must have the epochs `/streams` shows.
async fn checked(world: &World, assignments: &Value) -> Vec<i64> {
    let list = assignments.as_array().unwrap();
    let shown = world.get("/streams?limit=10000").await.ok();
    let shown = shown["streams"].as_array().unwrap();
    let mut streams = Vec::new();
    for line in list {
        let stream = shown.iter().find(|shown| shown["id"] == line["stream_id"]);
        assert_eq!(line["epoch"], stream.unwrap()["epoch"], "{line}");
        streams.push(line["stream_id"].as_i64().unwrap());
    }
    streams
}

#[actix_web::test]
async fn epochs_stand_beside_the_lists_of_ids() {
    let world = World::start().await;
    world.streams(1..=4).await;
    assert_eq!(world.register("a", 9).await["assignments"], json!([]));
    assert_eq!(world.assign("a", 0).await["assignments"], json!([]));
    let asked = world.assign("a", 3).await;
    assert_eq!(checked(&world, &asked["assignments"]).await, [1, 2, 3]);
    let again = world.register("a", 9).await;
    assert_eq!(again["assignments"], asked["assignments"]);
    assert_eq!(ids(&again["assigned_streams"]), [1, 2, 3]);

    let shown = world.get("/instances/a").await.ok();
    assert_eq!(shown["data"]["assignments"], asked["assignments"]);
    let body = json!({"server_id": "a", "local_streams": [1, 77], "local_stream_count": 2});
    let compared = world.post("/diagnostic", body).await.ok();
    assert_eq!(compared["assignments"], asked["assignments"]);
    let list = world.get("/streams/assignments").await.ok();
    for line in list["assignments"].as_array().unwrap() {
        assert!(line["epoch"].as_i64().unwrap() > 0, "{line}");
    }

    let body = json!({"server_id": "a", "stream_ids": [3, 1, 9]});
    let released = world.post("/streams/release", body).await.ok();
    assert_eq!(ids(&released["released_streams"]), [1, 3]);
    let held = asked["assignments"].as_array().unwrap();
    assert_eq!(released["released"], json!([held[0], held[2]]));
    let anew = world.assign("a", 1).await;
    assert!(anew["assignments"][0]["epoch"].as_i64() > held[2]["epoch"].as_i64());
    let gone = world.delete("/streams/2").await.ok();
    assert_has(&gone, &json!({"server_id": "a", "epoch": held[1]["epoch"]}));
    // Whoever gave a stream back is offered it again last.
    let nobodys = world.delete("/streams/1").await.ok();
    assert_has(&nobodys, &json!({"server_id": null, "epoch": null}));
}

#[actix_web::test]
async fn every_event_about_an_assignment_has_its_epoch() {
    let world = World::start().await;
    world.streams(1..=3).await;
    world.register("a", 3).await;
    let held = world.assign("a", 3).await["assignments"].clone();
    world.register("b", 1).await;
    world.send("POST", "/instances/a/failure").await.ok();
    world.assign("b", 0).await;
    let body = json!({"server_id": "b", "stream_ids": [1]});
    world.post("/streams/release", body).await.ok();
    let events = world.get("/resilience/events?limit=1000").await.ok();
    let events = events["events"].as_array().unwrap();
    let mut told = Vec::new();
    for event in events {
        let kind = event["kind"].as_str().unwrap();
        match kind {
            "stream_assigned" if event.get("from").is_some() => {
                assert_eq!(event["from_epoch"], held[0]["epoch"], "{event}");
                assert!(event["epoch"].as_i64() > event["from_epoch"].as_i64());
            }
            "stream_assigned" | "stream_released" | "stream_orphaned" => {
                assert!(event["epoch"].as_i64().is_some(), "{event}");
            }
            "streams_delivered" => {
                let count = event["streams"].as_array().unwrap().len();
                assert_eq!(event["epochs"].as_array().unwrap().len(), count, "{event}");
            }
            _ => continue,
        }
        told.push(kind);
    }
    for kind in [
        "stream_assigned",
        "stream_released",
        "stream_orphaned",
        "streams_delivered",
    ] {
        assert!(told.contains(&kind), "{kind} in {told:?}");
    }
}

#[actix_web::test]
async fn a_claim_to_a_deleted_or_new_stream_is_never_current_by_chance() {
    let world = World::start().await;
    world.streams([1]).await;
    world.register("a", 2).await;
    let first = world.assign("a", 1).await["assignments"][0].clone();
    let verify = async |claims: &Value| {
        let body = json!({ "claims": claims });
        world.post("/streams/verify", body).await.ok()["claims"][0].clone()
    };
    let current = json!({"current": true, "server_id": "a"});
    assert_has(&verify(&json!([first])).await, &current);
    world.delete("/streams/1").await.ok();
    let nobody = json!({"current": false, "current_epoch": null, "server_id": null});
    assert_has(&verify(&json!([first])).await, &nobody);
    world.streams([1]).await;
    assert_has(&verify(&json!([first])).await, &nobody);
    let second = world.assign("a", 1).await["assignments"][0].clone();
    assert!(second["epoch"].as_i64() > first["epoch"].as_i64());
    let late = verify(&json!([first])).await;
    assert_has(
        &late,
        &json!({"current": false, "current_epoch": second["epoch"]}),
    );
    let highest = (1_i64 << 53) - 1;
    let far = json!([{"stream_id": highest, "epoch": highest}]);
    assert_has(&verify(&far).await, &nobody);
}

#[actix_web::test]
async fn a_bad_claim_is_named() {
    let world = World::start().await;
    let verify = async |claims: Value| {
        let body = json!({ "claims": claims });
        world.post("/streams/verify", body).await
    };
    let (good, above) = (json!({"stream_id": 1, "epoch": 1}), 1_i64 << 53);
    for (claims, field) in [
        (json!(null), "claims"),
        (json!({}), "claims"),
        (
            json!([{"stream_id": above, "epoch": 1}]),
            "claims[0].stream_id",
        ),
        (json!([{"stream_id": 1, "epoch": above}]), "claims[0].epoch"),
        (json!([{"stream_id": 1, "epoch": -1}]), "claims[0].epoch"),
        (
            json!([{"stream_id": 1.5, "epoch": 1}]),
            "claims[0].stream_id",
        ),
        (
            json!([{"stream_id": true, "epoch": 1}]),
            "claims[0].stream_id",
        ),
        (json!([good, {"stream_id": 1}]), "claims[1].epoch"),
        (json!(vec![good.clone(); 10_001]), "claims"),
    ] {
        assert_eq!(verify(claims).await.bad_fields(), [field]);
    }
    verify(json!([])).await.ok();
    let judged = verify(json!(vec![good; 10_000])).await.ok();
    assert_eq!(judged["claims"].as_array().unwrap().len(), 10_000);
}
