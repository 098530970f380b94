//! The recent past in numbers over HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use serde_json::{Value, json};

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, pass, settle};

async fn refused(world: &World, query: &str) -> Vec<(String, String)> {
    let answer = world.get(&format!("/resilience/series?{query}")).await;
    let problem = answer.problem(422);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap().iter();
    errors
        .map(|error| (text(&error["field"]), text(&error["reason"])))
        .collect()
}

#[actix_web::test]
async fn a_series_has_a_point_for_each_step_and_the_events_that_explain_it() {
    expect_errors(&["alert instance_failed"]);
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 4).await;
    world.assign("a", 4).await;
    world.register("b", 4).await;
    pass(60).await;
    world.post("/instances/a/failure", json!({})).await.ok();
    settle().await;
    pass(60).await;
    let moves = world
        .get("/resilience/series?name=moves&step=30")
        .await
        .ok();
    assert_has(
        &moves,
        &json!({"name": "moves", "kind": "count", "step_seconds": 30}),
    );
    let points = moves["points"].as_array().unwrap();
    assert!((4..=5).contains(&points.len()), "{points:?}");
    let sum: f64 = points.iter().map(|point| point[1].as_f64().unwrap()).sum();
    assert_eq!(sum, 4.0);
    assert!(points[0][0].as_str().unwrap().ends_with('Z'));
    let events = moves["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_has(
        &events[0],
        &json!({"kind": "instance_failed", "source": "event"}),
    );
    let id = events[0]["id"].as_i64().unwrap();
    let event = world
        .get(&format!("/resilience/events?after={}&limit=1", id - 1))
        .await
        .ok();
    assert_eq!(event["events"][0]["detail"], events[0]["detail"]);
    let level = world
        .get("/resilience/series?name=instances&from=30s")
        .await
        .ok();
    let last = level["points"].as_array().unwrap().last().unwrap()[1].clone();
    assert_eq!((last, &level["step_seconds"]), (json!(1.0), &json!(10)));
    let later = world
        .get("/resilience/series?name=moves&from=30s&step=10s")
        .await
        .ok();
    assert_eq!(later["events"], json!([]), "it failed a minute ago");
}

#[actix_web::test]
async fn bad_parameters_are_named_with_the_values_that_would_do() {
    let world = World::start().await;
    let reason = async |query: &str| {
        let mut errors = refused(&world, query).await;
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors.remove(0)
    };
    let missing = ("name".to_owned(), "is missing".to_owned());
    assert_eq!(reason("").await, missing);
    let (field, unknown) = reason("name=beats").await;
    assert_eq!(field, "name");
    for name in [
        "heartbeats",
        "failures",
        "moves",
        "waiting",
        "instances",
        "load",
    ] {
        assert!(unknown.contains(name), "{unknown}");
    }
    for (query, field, part) in [
        ("name=load&from=1h&to=2h", "to", "earlier than `from`"),
        ("name=load&step=5", "step", "at least 10 s"),
        ("name=load&step=0", "step", "above 0"),
        ("name=load&step=-10", "step", "above 0"),
        ("name=load&step=soon", "step", "a text like 5m"),
        ("name=load&step=15", "step", "a multiple of 10 s"),
        ("name=load&step=2d", "step", "at most 86400 s"),
        ("name=load&from=7h&step=60", "step", "at least 300 s"),
        ("name=load&from=30d&step=300", "step", "8640 points"),
        ("name=load&from=yesterday", "from", "RFC 3339"),
        ("name=load&form=1h", "form", "did you mean `from`"),
    ] {
        let (found, reason) = reason(query).await;
        assert_eq!(found, field, "{query}");
        assert!(reason.contains(part), "{query}: {reason}");
    }
    let all = refused(&world, "name=x&from=y&to=z&step=0").await;
    let fields: Vec<&str> = all.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["name", "from", "to", "step"]);
}

#[actix_web::test]
async fn without_the_database_the_numbers_are_shown_without_events() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let world = World::start().await;
    pass(30).await;
    world.store.set_outage(Some(Outage::Refusing));
    pass(60).await;
    let shown = world.get("/resilience/series?name=load").await.ok();
    assert_eq!(shown["events"], json!(null));
    assert!(shown["stale_since"].is_string(), "{shown}");
    assert!(shown["points"].as_array().unwrap().len() >= 8);
    world.store.set_outage(None);
    pass(120).await;
    let shown = world.get("/resilience/series?name=load").await.ok();
    let flags = shown["events"].as_array().unwrap();
    assert_has(
        &flags[0],
        &json!({"kind": "store_unavailable", "severity": "critical", "source": "alert"}),
    );
}
