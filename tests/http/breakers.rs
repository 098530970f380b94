//! The circuit breakers over HTTP: what is shown and forced, what answers say while they are open.

#![expect(clippy::unwrap_used, reason = "a test says what it found by failing")]

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, pass, settle};
use serde_json::{Value, json};

const PATH: &str = "/resilience/breakers";

fn order(force: &str, reason: &str) -> Value {
    json!({"force": force, "reason": reason})
}

async fn force(world: &World, name: &str, force: &str) -> Value {
    let path = format!("{PATH}/{name}");
    world.post(&path, order(force, "maintenance")).await.ok()
}

async fn breaker(world: &World, name: &str) -> Value {
    let answer = world.get(PATH).await.ok();
    let breakers = answer["breakers"].as_array().unwrap();
    let found = breakers.iter().find(|one| one["name"] == name);
    found.unwrap().clone()
}

/// Two instances, four streams, one recovery; nothing is out.
async fn prepared() -> World {
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 3).await;
    world.register("b", 3).await;
    world.assign("a", 2).await;
    world.send("POST", "/instances/a/failure").await.ok();
    world
}

/// Both breakers opened by themselves: writes by five failures, reads because writes did.
async fn out(outage: Outage) -> World {
    let world = prepared().await;
    world.store.set_outage(Some(outage));
    while world.orchestrator.store_gate().writes().lets_through() {
        let body = json!({"server_id": "new", "ip": "h", "port": 1});
        world.post("/register", body).await.problem(503);
        settle().await;
    }
    while world.orchestrator.store_gate().reads().lets_through() {
        pass(1).await;
    }
    world
}

#[actix_web::test]
async fn closed_breakers_are_shown() {
    let world = World::start().await;
    let answer = world.get(PATH).await.ok();
    let closed = |name: &str| {
        json!({"name": name, "state": "closed", "since": "2026-01-01T00:00:00.000000Z",
            "failures": 0, "next_probe_seconds": null, "forced": null, "reason": null,
            "forced_since": null})
    };
    let both = [closed("store_reads"), closed("store_writes")];
    assert_eq!(answer, json!({ "breakers": both }));
    let metrics = world.get("/metrics").await.text;
    for (state, value) in [("closed", 1), ("open", 0), ("half_open", 0)] {
        let line = format!(
            "orchestrator_breaker_state{{breaker=\"store_writes\",state=\"{state}\"}} {value}"
        );
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[actix_web::test]
async fn an_open_breaker_names_its_next_probe_and_so_does_every_refusal() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let world = out(Outage::Refusing).await;
    let shown = breaker(&world, "store_writes").await;
    assert_eq!(shown["state"], "open");
    assert!(shown["failures"].as_u64() >= Some(5), "{shown}");
    let wait = shown["next_probe_seconds"].as_f64().unwrap();
    let body = json!({"server_id": "new", "ip": "h", "port": 1});
    let refused = world.post("/register", body).await;
    refused.problem(503);
    let named: f64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(named, wait.ceil().max(1.0));
    let metrics = world.get("/metrics").await.text;
    let line = "orchestrator_breaker_state{breaker=\"store_writes\",state=\"open\"} 1";
    assert!(metrics.contains(line));
}

#[actix_web::test]
async fn an_outage_is_refused_in_no_time_and_answered_from_memory_with_its_age() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    from_memory(Outage::Refusing).await;
}

#[actix_web::test]
async fn a_store_that_hangs_is_refused_in_no_time_too() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    from_memory(Outage::Unreachable).await;
}

async fn from_memory(outage: Outage) {
    let world = out(outage).await;
    let writes = [
        ("/register", json!({"server_id": "n", "ip": "h", "port": 1})),
        ("/streams", json!({"streams": [{"id": 9, "name": "nine"}]})),
        (
            "/streams/release",
            json!({"server_id": "b", "stream_ids": [1]}),
        ),
        (
            "/streams/assign",
            json!({"server_id": "b", "requested_count": 1}),
        ),
        ("/instances/b/failure", json!({})),
    ];
    let began = world.orchestrator.clock().now();
    for (path, body) in writes {
        let problem = world.post(path, body).await.problem(503);
        assert_eq!(problem["type"], "/problems/database-unavailable", "{path}");
    }
    for path in ["/instances/b", "/streams/1"] {
        world.delete(path).await.problem(503);
    }
    world.beat("b").await.ok();
    for path in remembered() {
        let answer = world.get(&path).await.ok();
        let since = answer["stale_since"].as_str();
        assert!(since.is_some_and(|time| time.starts_with("2026")), "{path}");
    }
    let incidents = world.get("/resilience/incidents").await.ok();
    let one = format!("/resilience/incidents/{}", incidents["incidents"][0]["id"]);
    let one = world.get(&one).await.ok();
    assert!(one["stale_since"].is_string() && one["data"]["steps"].is_array());
    assert_eq!(
        world.get("/instances/b/metrics").await.ok()["complete"],
        false
    );
    world.get("/resilience/events").await.problem(503);
    let consistency = world.get("/resilience/consistency").await.ok();
    assert_eq!(consistency["consistent"], Value::Null);
    assert_has(
        &world.get("/health").await.ok(),
        &json!({"status": "healthy", "database": "unavailable"}),
    );
    assert_eq!(world.orchestrator.clock().now(), began, "nobody waited");

    world.store.calm_down();
    pass(61).await;
    for path in remembered() {
        let answer = world.get(&path).await.ok();
        assert_eq!(answer.get("stale_since"), None, "{path}");
    }
    assert_eq!(world.get("/health").await.ok()["database"], "available");
    world.register("new", 1).await;
}

/// What is answered from memory.
fn remembered() -> Vec<String> {
    let paths = [
        "/status",
        "/instances",
        "/instances/b",
        "/streams",
        "/streams/1",
        "/streams/assignments",
        "/resilience/brake",
        "/resilience/breakers",
        "/resilience/consistency",
        "/resilience/incidents",
    ];
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[actix_web::test]
async fn one_breaker_is_forced_and_released_and_the_other_goes_on() {
    expect_errors(&["alert store_unavailable"]);
    let world = prepared().await;
    let forced = force(&world, "store_writes", "open").await;
    assert_has(
        &forced,
        &json!({"name": "store_writes", "state": "open", "forced": "open",
            "reason": "maintenance", "next_probe_seconds": null}),
    );
    let body = json!({"server_id": "new", "ip": "h", "port": 1});
    let refused = world.post("/register", body.clone()).await;
    refused.problem(503);
    assert!(refused.header("retry-after").is_some());
    pass(100).await;
    assert_eq!(breaker(&world, "store_writes").await["state"], "open");
    assert_eq!(breaker(&world, "store_reads").await["state"], "closed");
    assert_eq!(world.get("/status").await.ok().get("stale_since"), None);
    world.get("/resilience/events").await.ok();

    force(&world, "store_reads", "open").await;
    world.get("/resilience/events").await.problem(503);
    assert!(world.get("/status").await.ok()["stale_since"].is_string());
    for name in ["store_reads", "store_writes"] {
        let released = force(&world, name, "none").await;
        assert_has(
            &released,
            &json!({"state": "closed", "forced": null, "reason": null, "forced_since": null}),
        );
    }
    world.get("/resilience/events").await.ok();
    world.post("/register", body).await.ok();
}

#[actix_web::test]
async fn forced_closed_is_shown_as_such_and_asks_the_store() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let world = out(Outage::Refusing).await;
    let forced = force(&world, "store_reads", "closed").await;
    assert_has(&forced, &json!({"state": "closed", "forced": "closed"}));
    assert_eq!(world.get("/status").await.ok().get("stale_since"), None);
    assert_eq!(world.get("/health").await.ok()["database"], "unavailable");
    world.get("/resilience/events").await.problem(503);
    force(&world, "store_reads", "none").await;
    assert!(world.get("/status").await.ok()["stale_since"].is_string());
}

#[actix_web::test]
async fn bad_orders_are_refused_field_by_field_and_change_nothing() {
    expect_errors(&["alert store_unavailable"]);
    let world = World::start().await;
    let before = world.get(PATH).await.ok();
    let long = "x".repeat(1_001);
    let table: Vec<(Value, &[&str])> = vec![
        (json!({}), &["force", "reason"]),
        (order("", "because"), &["force"]),
        (order("Open", "because"), &["force"]),
        (order("half_open", "because"), &["force"]),
        (order("open", ""), &["reason"]),
        (order("none", ""), &["reason"]),
        (order("open", &long), &["reason"]),
        (order("open", "a\u{7}b"), &["reason"]),
        (json!({"force": true, "reason": 1}), &["force", "reason"]),
        (json!({"force": null, "reason": "because"}), &["force"]),
    ];
    for (body, fields) in table {
        let path = format!("{PATH}/store_writes");
        let answer = world.post(&path, body.clone()).await;
        assert_eq!(answer.bad_fields(), fields, "{body}");
    }
    assert_eq!(world.get(PATH).await.ok(), before);
    let reason = "ä".repeat(1_000);
    let path = format!("{PATH}/store_writes");
    world.post(&path, order("open", &reason)).await.ok();
}

#[actix_web::test]
async fn a_name_nobody_knows_is_not_found() {
    let world = World::start().await;
    for name in ["webhook", "Store_Reads", "store_reads%20", "a%2Fb"] {
        let path = format!("{PATH}/{name}");
        let problem = world
            .post(&path, order("open", "because"))
            .await
            .problem(404);
        assert_eq!(problem["type"], "/problems/unknown-breaker", "{name}");
    }
    let path = format!("{PATH}/a%00b");
    let answer = world.post(&path, order("open", "because")).await;
    assert_eq!(answer.bad_fields(), ["name"]);
}
