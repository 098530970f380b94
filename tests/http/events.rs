//! The list of events, what narrows it, and the stories of one instance or one stream.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use serde_json::{Value, json};

use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, pass, settle};

/// A fleet in which `a` failed after a minute with four streams, which `b` has now.
async fn after_a_failure() -> World {
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 4).await;
    world.assign("a", 4).await;
    world.register("b", 4).await;
    pass(60).await;
    let failure = world.post("/instances/a/failure", json!({})).await;
    failure.ok();
    settle().await;
    world
}

async fn events(world: &World, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("/resilience/events{query}")).await.ok();
    answer["events"].as_array().unwrap().clone()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn each_event_says_what_it_is_about_who_caused_it_and_reads_as_a_sentence() {
    let world = after_a_failure().await;
    let all = events(&world, "").await;
    for event in &all {
        assert_eq!(event["id"], event["sequence"], "{event}");
        for text in ["at", "kind", "severity", "actor", "cause", "detail"] {
            assert!(event[text].is_string(), "`{text}` in {event}");
        }
        assert_ne!(event["detail"], event["kind"], "{event}");
    }
    let ids: Vec<i64> = all
        .iter()
        .map(|event| event["id"].as_i64().unwrap())
        .collect();
    assert!(ids.is_sorted());
    let incident = world.get("/resilience/incidents").await.ok()["incidents"][0]["id"].clone();
    let failed = all
        .iter()
        .find(|event| event["kind"] == "instance_failed")
        .unwrap();
    assert_has(
        failed,
        &json!({"severity": "warning", "instance": "a", "incident": incident, "actor": "operator",
            "cause": "reported", "streams": 4,
            "detail": "instance a has failed with 4 streams (reported)"}),
    );
    assert!(
        failed["last_heartbeat"]
            .as_str()
            .unwrap()
            .starts_with("2026-01-01T00:00:00")
    );
    let moved = all
        .iter()
        .filter(|event| event["from"] == "a")
        .collect::<Vec<_>>();
    assert_eq!(moved.len(), 4);
    assert_has(
        moved[0],
        &json!({"severity": "debug", "kind": "stream_assigned", "instance": "b", "stream": 1,
            "incident": incident, "actor": "program", "cause": format!("incident {incident}")}),
    );
}

#[actix_web::test]
async fn events_are_found_by_incident_actor_kind_and_time() {
    let world = after_a_failure().await;
    let all = events(&world, "").await;
    let incident = world.get("/resilience/incidents").await.ok()["incidents"][0]["id"].clone();
    let of_incident = events(&world, &format!("?incident={incident}")).await;
    let mut expected = vec!["instance_failed"];
    expected.extend(["stream_assigned"; 4]);
    expected.push("recovery_ended");
    assert_eq!(kinds(&of_incident), expected);
    for actor in ["program", "worker", "operator", "roll"] {
        let found = events(&world, &format!("?actor={actor}")).await;
        let expected: Vec<Value> = (all.iter())
            .filter(|event| event["actor"] == actor)
            .cloned()
            .collect();
        assert_eq!(found, expected, "{actor}");
        assert_eq!(found.is_empty(), actor == "roll");
    }
    let query = format!("?incident={incident}&kind=recovery_ended,stream_created&order=desc");
    assert_eq!(kinds(&events(&world, &query).await), ["recovery_ended"]);
    let lately = events(&world, "?from=30s").await;
    assert!(lately.len() < all.len());
    assert!(kinds(&lately).contains(&"instance_failed"));
    assert!(!kinds(&lately).contains(&"stream_created"));
    assert!(
        events(&world, "?from=1h&to=50s")
            .await
            .iter()
            .any(|one| one["kind"] == "stream_created")
    );
    // A page may begin where nothing is yet.
    assert_eq!(
        events(&world, "?after=9007199254740991").await,
        [] as [Value; 0]
    );
}

#[actix_web::test]
async fn wrong_filters_of_events_are_named() {
    let world = World::start().await;
    for (query, fields) in [
        ("incident=0", &["incident"] as &[&str]),
        ("incident=x", &["incident"]),
        ("actor=nobody", &["actor"]),
        ("from=yesterday", &["from"]),
        ("from=-2h", &["from"]),
        ("from=1h&to=2h", &["to"]),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", &["to"]),
        (
            "kind=nothing&instance=%00&stream=0",
            &["instance", "stream", "kind"],
        ),
        ("since=2h", &["since"]),
    ] {
        let answer = world.get(&format!("/resilience/events?{query}")).await;
        assert_eq!(answer.bad_fields(), fields, "{query}");
    }
}

fn sentences(story: &Value) -> Vec<&str> {
    let story = story["story"].as_array().unwrap();
    story
        .iter()
        .map(|one| one["text"].as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn a_story_tells_the_events_of_one_in_order() {
    let world = after_a_failure().await;
    let story = world.get("/streams/1/story").await.ok();
    assert_eq!(story["stream_id"], 1);
    let told = sentences(&story);
    assert_eq!(told[0], "stream 1 was created");
    assert!(
        told[1].starts_with("stream 1 was given to a under epoch "),
        "{told:?}"
    );
    assert!(
        told[2].starts_with("stream 1 moved from a (epoch "),
        "{told:?}"
    );
    assert!(told[2].ends_with("(instance_failed)"), "{told:?}");
    for one in story["story"].as_array().unwrap() {
        assert!(one["id"].is_i64() && one["at"].is_string() && one["severity"].is_string());
    }

    let story = world.get("/instances/a/story").await.ok();
    assert_eq!(story["server_id"], "a");
    let told = sentences(&story);
    assert_eq!(told[0], "instance a registered");
    assert!(
        told.contains(&"instance a has failed with 4 streams (reported)"),
        "{told:?}"
    );
    let first = world.get("/instances/a/story?limit=1").await.ok();
    assert_eq!(sentences(&first), ["instance a registered"]);
    let next = first["next"].clone();
    let rest = world
        .get(&format!("/instances/a/story?after={next}"))
        .await
        .ok();
    assert_eq!(sentences(&rest), told[1..]);
    let lately = world.get("/instances/a/story?from=30s").await.ok();
    assert!(!sentences(&lately).contains(&"instance a registered"));

    // The story of an instance outlives it.
    world.delete("/instances/a").await.ok();
    let story = world.get("/instances/a/story").await.ok();
    assert!(sentences(&story).last().unwrap().contains("was removed"));
    pass(60).await;
    let late = world.get("/instances/a/story?from=10s").await.ok();
    assert_eq!(late["story"], json!([]), "known, with nothing to tell");
}

#[actix_web::test]
async fn a_story_without_a_subject_is_404_and_bad_input_is_named() {
    let world = after_a_failure().await;
    world.get("/instances/nobody/story").await.problem(404);
    world.get("/streams/77/story").await.problem(404);
    for (path, fields) in [
        ("/streams/x/story", &["id"] as &[&str]),
        ("/streams/1/story?from=x&limit=0", &["from", "limit"]),
        ("/instances/a/story?from=1h&to=2h", &["to"]),
        ("/instances/a/story?kind=x", &["kind"]),
    ] {
        assert_eq!(world.get(path).await.bad_fields(), fields, "{path}");
    }
}

#[actix_web::test]
async fn an_incident_tells_its_whole_chain() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let world = after_a_failure().await;
    let incident = world.get("/resilience/incidents").await.ok()["incidents"][0].clone();
    assert_eq!(incident.get("story"), None, "lists stay short");
    let path = format!("/resilience/incidents/{}", incident["id"]);
    let before = world.get(&path).await.ok();
    assert!(before["data"]["moves"][0]["heard_at"].is_null());
    // The worker of the new owner names its streams.
    let beat = json!({"server_id": "b", "current_streams": 0});
    world.post("/heartbeat", beat).await.ok();
    world.assign("b", 4).await;
    pass(1).await;
    let whole = world.get(&path).await.ok()["data"].clone();
    assert!(whole["last_heartbeat"].is_string());
    let chain: Vec<&str> = (whole["story"].as_array().unwrap().iter())
        .map(|chapter| chapter["what"].as_str().unwrap())
        .collect();
    for what in [
        "last_heartbeat",
        "detect",
        "failed",
        "plan",
        "moved",
        "verify",
        "heard",
    ] {
        assert!(chain.contains(&what), "`{what}` in {chain:?}");
    }
    assert_eq!(
        (chain[0], *chain.last().unwrap()),
        ("last_heartbeat", "heard")
    );
    let moves = whole["moves"].as_array().unwrap();
    assert_eq!(moves.len(), 4);
    for one in moves {
        assert_has(one, &json!({"from": "a", "to": "b"}));
        assert!(one["epoch"].as_i64() > one["from_epoch"].as_i64(), "{one}");
        assert!(one["heard_at"].is_string(), "{one}");
    }
    // Without the database the incident is known, and its events are not.
    world
        .store
        .set_outage(Some(crate::support_http::faults::Outage::Refusing));
    for _ in 0..10 {
        world.get("/resilience/events").await.problem(503);
    }
    let known = world.get(&path).await.ok()["data"].clone();
    assert_eq!(
        (&known["story"], &known["moves"]),
        (&Value::Null, &Value::Null)
    );
    assert!(known["unknown_because"].is_string());
}
