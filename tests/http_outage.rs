//! While the store is out: heartbeats and reads are answered, what must write is told to come
//! back, and nothing that was answered is lost.

mod support_http;

use serde_json::json;
use support_http::World;
use support_http::faults::Mode;
use support_http::{assert_has, ids, pass, settle};

/// Every call that writes, with a body that would be carried out.
async fn writes(world: &World) -> Vec<(&'static str, support_http::Answer)> {
    let register = json!({"server_id": "new", "ip": "h", "port": 1});
    let ask = json!({"server_id": "a", "requested_count": 1});
    let release = json!({"server_id": "a", "stream_ids": [1]});
    let save = json!({"streams": [{"id": 50, "name": "fifty"}]});
    vec![
        ("register", world.post("/register", register).await),
        ("assign", world.post("/streams/assign", ask).await),
        ("release", world.post("/streams/release", release).await),
        ("save", world.post("/streams", save).await),
        ("delete stream", world.delete("/streams/3").await),
        ("failure", world.send("POST", "/instances/a/failure").await),
        ("delete instance", world.delete("/instances/a").await),
    ]
}

async fn prepared() -> World {
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 3).await;
    world.register("b", 3).await;
    world.assign("a", 2).await;
    world
}

#[actix_web::test]
async fn writes_are_told_to_come_back_and_everything_else_goes_on() {
    outage(Mode::Out).await;
}

#[actix_web::test]
async fn a_store_that_hangs_is_a_store_that_is_out() {
    outage(Mode::Hangs).await;
}

async fn outage(mode: Mode) {
    let world = prepared().await;
    let before = world.saved().await;
    world.store.set(mode);
    for (name, answer) in writes(&world).await {
        let problem = answer.problem(503);
        assert_eq!(
            problem["type"], "/problems/database-unavailable",
            "{mode:?} {name}"
        );
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
    world.beat("a").await.ok();
    world.beat("b").await.ok();
    assert_has(
        &world.get("/health").await.ok(),
        &json!({"status": "healthy", "database": "unavailable"}),
    );
    assert_eq!(world.get("/ready").await.status, 200);
    assert_eq!(world.saved().await, before, "{mode:?}");
    let empty = json!({"server_id": "a", "stream_ids": []});
    world.post("/streams/release", empty).await.ok();
    let metrics = world.get("/instances/a/metrics").await.ok();
    assert_eq!(metrics["complete"], false);

    world.store.set(Mode::Fine);
    pass(61).await;
    assert_eq!(world.get("/health").await.ok()["database"], "available");
    world.assign("a", 1).await;
    assert_eq!(
        world.get("/instances/a/metrics").await.ok()["complete"],
        true
    );
}

#[actix_web::test]
async fn a_write_that_was_carried_out_after_all_is_shown_once_that_is_known() {
    doubt(Mode::LosesAnswer, &[3, 4]).await;
}

#[actix_web::test]
async fn a_write_that_was_lost_is_never_shown() {
    doubt(Mode::LosesWrite, &[]).await;
}

async fn doubt(mode: Mode, settled: &[i64]) {
    let world = prepared().await;
    world.store.set(mode);
    let ask = json!({"server_id": "b", "requested_count": 2});
    world.post("/streams/assign", ask).await.problem(503);
    assert!(world.held("b").await.is_empty(), "not known, so not shown");
    world.beat("b").await.ok();
    world.store.set(Mode::Fine);
    pass(3).await;
    assert_eq!(world.held("b").await, settled, "{mode:?}");
    // The worker asks again, as if nothing had happened, and the list says what it runs.
    world.assign("b", 2).await;
    assert_eq!(world.held("b").await, [3, 4]);
}

#[actix_web::test]
async fn what_the_store_refuses_is_the_value_s_fault_and_not_our_mistake() {
    let world = prepared().await;
    let before = world.saved().await;
    world.store.set(Mode::Refuses);
    for (name, answer) in writes(&world).await {
        let problem = answer.problem(422);
        assert!(!answer.text.contains("secret"), "{name}: {problem}");
    }
    world.store.set(Mode::Fine);
    settle().await;
    assert_eq!(world.saved().await, before);
}

#[actix_web::test]
async fn silence_during_an_outage_is_acted_on_when_the_store_is_back() {
    let world = prepared().await;
    world.store.set(Mode::Out);
    for _ in 0..40 {
        pass(10).await;
        world.beat("b").await.ok();
    }
    assert_eq!(world.held("a").await, [1, 2], "not saved, so not shown");
    world.store.set(Mode::Fine);
    pass(61).await;
    world.beat("b").await.ok();
    assert_eq!(world.held("b").await, [1, 2]);
    assert_eq!(ids(&world.assign("b", 0).await["assigned_streams"]), [1, 2]);
}
