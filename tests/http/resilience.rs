//! What an operator reads: consistency, incidents, the audit trail.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use std::sync::Arc;

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, pass, settle};
use resilient_orchestrator::store::{Save, Store};
use serde_json::{Value, json};

/// A fleet in which `a` failed first, then `b`, each a minute after what was before; `c` has
/// everything now.
async fn after_two_failures() -> World {
    expect_errors(&["alert instance_failed"]);
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 4).await;
    world.assign("a", 4).await;
    for next in ["b", "c"] {
        world.register(next, 4).await;
    }
    for failing in ["a", "b"] {
        pass(60).await;
        world
            .post(&format!("/instances/{failing}/failure"), json!({}))
            .await
            .ok();
        settle().await;
    }
    world
}

async fn incidents(world: &World, query: &str) -> Value {
    world
        .get(&format!("/resilience/incidents{query}"))
        .await
        .ok()
}

fn names(answer: &Value) -> Vec<&str> {
    let incidents = answer["incidents"].as_array().unwrap();
    incidents
        .iter()
        .map(|incident| incident["server_id"].as_str().unwrap())
        .collect()
}

fn checks(answer: &Value) -> Vec<(&str, Option<bool>)> {
    let checks = answer["checks"].as_array().unwrap();
    checks
        .iter()
        .map(|check| {
            (
                check["invariant"].as_str().unwrap(),
                check["holds"].as_bool(),
            )
        })
        .collect()
}

#[actix_web::test]
async fn incidents_are_listed_newest_first_with_every_field() {
    let world = after_two_failures().await;
    let answer = incidents(&world, "").await;
    assert_eq!(names(&answer), ["b", "a"]);
    assert_eq!(answer.get("next"), None);
    let oldest = &answer["incidents"][1];
    assert_has(
        oldest,
        &json!({"server_id": "a", "state": "ended", "cause": "reported", "outcome": "recovered",
            "streams_affected": 4, "streams_moved": 4, "streams_orphaned": 0, "attempts": 1}),
    );
    let detected = oldest["detected_at"].as_str().unwrap();
    assert!(detected.starts_with("2026-01-01T00:01:00"), "{detected}");
    assert!(detected.ends_with('Z'));
    assert!(oldest["ended_at"].is_string() && oldest["duration_ms"].is_u64());
    assert!(oldest["incarnation"].as_i64().unwrap() > 0);

    let path = format!("/resilience/incidents/{}", oldest["id"]);
    let one = world.get(&path).await.ok();
    assert_eq!(one["status"], json!("success"));
    assert_has(&one["data"], oldest);
    assert!(one["data"]["steps"].is_array());
    assert_eq!(oldest.get("steps"), None, "lists stay short");
}

#[actix_web::test]
async fn incidents_are_paged_and_filtered() {
    let world = after_two_failures().await;
    let first = incidents(&world, "?limit=1").await;
    assert_eq!(names(&first), ["b"]);
    assert_eq!(first["next"], first["incidents"][0]["id"]);
    let second = incidents(&world, &format!("?limit=1&after={}", first["next"])).await;
    assert_eq!(names(&second), ["a"]);
    assert_eq!(second.get("next"), None, "exactly full is the end");

    for (query, expected) in [
        ("?instance=a", &["a"] as &[&str]),
        ("?instance=nobody", &[]),
        ("?after=0", &[]),
        ("?from=2026-01-01T00:01:30Z", &["b"]),
        ("?to=2026-01-01T00:01:30Z", &["a"]),
        ("?to=2026-01-01T01:01:30%2B01:00", &["a"]),
        ("?to=2026-01-01T01:01:30+01:00", &["a"]),
        ("?from=2026-01-02T00:00:00Z", &[]),
        ("?state=ended", &["b", "a"]),
        ("?state=open", &[]),
        (
            "?from=2026-01-01T00:00:00Z&to=2026-01-01T00:10:00Z&instance=b",
            &["b"],
        ),
        ("?instance=&limit=&from=", &["b", "a"]),
        ("?limit=1000", &["b", "a"]),
    ] {
        assert_eq!(names(&incidents(&world, query).await), expected, "{query}");
    }
}

#[actix_web::test]
async fn the_audit_trail_is_read_from_its_beginning() {
    let world = after_two_failures().await;
    let all = world.get("/resilience/events").await.ok();
    let events = all["events"].as_array().unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..4], ["stream_created"; 4]);
    assert_eq!(kinds[4], "instance_registered");
    assert!(kinds.contains(&"recovery_ended"));
    assert_eq!(all.get("next"), None);
    assert!(
        events
            .iter()
            .all(|event| event["at"].as_str().unwrap().ends_with('Z'))
    );
    let registered = &events[4];
    assert_has(registered, &json!({"instance": "a", "max_streams": 4}));

    let mut after = json!(0);
    let mut read = Vec::new();
    loop {
        let page = world
            .get(&format!("/resilience/events?limit=3&after={after}"))
            .await
            .ok();
        let items = page["events"].as_array().unwrap();
        assert!((1..=3).contains(&items.len()));
        read.extend(items.clone());
        match page.get("next") {
            Some(next) => after = next.clone(),
            None => break,
        }
    }
    assert_eq!(&read, events);
}

#[actix_web::test]
async fn bad_input_names_its_field() {
    let world = after_two_failures().await;
    for path in ["/resilience/incidents", "/resilience/events"] {
        for value in ["0", "-1", "1000000", "1001", "1.5", "ten", "+5"] {
            let answer = world.get(&format!("{path}?limit={value}")).await;
            assert_eq!(answer.bad_fields(), ["limit"], "{path} {value}");
        }
        for value in ["-1", "x", "9007199254740992"] {
            let answer = world.get(&format!("{path}?after={value}")).await;
            assert_eq!(answer.bad_fields(), ["after"], "{path} {value}");
        }
    }
    for value in [
        "yesterday",
        "1767225600",
        "2026-02-30T00:00:00Z",
        "2026-01-01",
    ] {
        for field in ["from", "to"] {
            let answer = world
                .get(&format!("/resilience/incidents?{field}={value}"))
                .await;
            assert_eq!(answer.bad_fields(), [field], "{value}");
        }
    }
    let long = "x".repeat(129);
    for (query, fields) in [
        (format!("instance={long}"), &["instance"] as &[&str]),
        ("instance=a%0Ab".to_owned(), &["instance"]),
        (
            "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z".to_owned(),
            &["to"],
        ),
        (
            "after=x&instance=%00&from=x&to=y&limit=0".to_owned(),
            &["after", "instance", "from", "to", "limit"],
        ),
    ] {
        let answer = world.get(&format!("/resilience/incidents?{query}")).await;
        assert_eq!(answer.bad_fields(), fields, "{query}");
    }
    for id in ["0", "-1", "x", "1.0", "9007199254740992", "%FF"] {
        let answer = world.get(&format!("/resilience/incidents/{id}")).await;
        assert_eq!(answer.bad_fields(), ["id"], "{id}");
    }
    let missing = world.get("/resilience/incidents/9007199254740991").await;
    assert_eq!(missing.problem(404)["type"], "/problems/unknown-incident");
}

#[actix_web::test]
async fn a_healthy_fleet_is_consistent() {
    let world = after_two_failures().await;
    let answer = world.get("/resilience/consistency").await.ok();
    assert_eq!(answer["consistent"], true);
    let names = ["I1", "I2", "I3", "I5", "I7"];
    assert_eq!(checks(&answer), names.map(|name| (name, Some(true))));
    for check in answer["checks"].as_array().unwrap() {
        assert_eq!(check["violations"], json!([]));
        assert!(
            check["demands"]
                .as_str()
                .is_some_and(|text| text.ends_with('.'))
        );
    }
}

#[actix_web::test]
async fn a_failed_read_is_never_a_verdict() {
    expect_errors(&[
        "alert store_unavailable",
        "alert streams_orphaned",
        "alert system_health",
        "the store is out",
    ]);
    let world = after_two_failures().await;
    for outage in [Outage::Refusing, Outage::Unreachable] {
        world.store.set_outage(Some(outage));
        let answer = world.get("/resilience/consistency").await.ok();
        assert_eq!(answer["consistent"], Value::Null);
        let mut found = checks(&answer);
        assert_eq!(found.pop(), Some(("I7", None)));
        assert!(found.iter().all(|(_, holds)| *holds == Some(true)));
        let reason = &answer["checks"][4]["unknown_because"];
        assert_eq!(reason, "the database does not answer");
        let answer = world.get("/resilience/events").await;
        answer.problem(503);
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
    world.store.calm_down();
    let answer = world.get("/resilience/consistency").await.ok();
    assert_eq!(answer["consistent"], true, "it mends by itself");
    assert_eq!(names(&incidents(&world, "").await).len(), 2);
}

#[actix_web::test]
async fn a_store_at_another_version_is_not_compared() {
    let world = after_two_failures().await;
    let guard = world.store.census().await.unwrap().guard;
    let save = Save {
        at: crate::support_http::NEW_YEAR,
        counter: world.store.census().await.unwrap().counter,
        rows: Default::default(),
        events: Vec::new(),
        origins: Vec::new(),
    };
    world.store.save(guard, Arc::new(save)).await.unwrap();
    let answer = world.get("/resilience/consistency").await.ok();
    assert_eq!(checks(&answer).pop(), Some(("I7", None)));
    assert_eq!(answer["consistent"], Value::Null);
}

#[actix_web::test]
async fn a_store_that_somebody_else_has_taken_is_told_of() {
    let world = after_two_failures().await;
    world.store.begin_term().await.unwrap();
    let answer = world.get("/resilience/consistency").await.ok();
    assert_eq!(answer["consistent"], false);
    assert_eq!(
        answer["checks"][4]["violations"],
        json!(["another orchestrator has taken over the database"])
    );
}
