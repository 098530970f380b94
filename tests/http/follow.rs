//! Events as they happen: where an answer begins, what it sends, and what ends it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use std::time::Duration;

use resilient_orchestrator::http::{HttpSettings, RequestLimits};
use serde_json::{Value, json};

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{Opened, World, pass, settle};

const STREAM: &str = "/resilience/events/stream";

/// The frames of a text, each with its fields.
fn frames(text: &str) -> Vec<Vec<(&str, &str)>> {
    let field = |line| -> (&str, &str) { str::split_once(line, ": ").unwrap_or((line, "")) };
    let frames = text.split("\n\n").filter(|frame| !frame.is_empty());
    frames
        .map(|frame| frame.lines().map(field).collect())
        .collect()
}

fn field<'t>(frame: &[(&'t str, &'t str)], name: &str) -> Option<&'t str> {
    frame
        .iter()
        .find(|(field, _)| *field == name)
        .map(|(_, value)| *value)
}

/// The ids of the events in a text.
fn ids(text: &str) -> Vec<i64> {
    let frames = frames(text);
    let events = frames.iter().filter(|frame| field(frame, "data").is_some());
    events
        .filter_map(|frame| field(frame, "id")?.parse().ok())
        .collect()
}

fn kinds(text: &str) -> Vec<String> {
    let frames = frames(text);
    frames
        .iter()
        .filter_map(|frame| field(frame, "event").map(str::to_owned))
        .collect()
}

async fn open(world: &World, query: &str) -> Opened {
    let opened = world.open(&format!("{STREAM}{query}"), &[]).await;
    assert_eq!(opened.status, 200);
    opened
}

async fn listed(world: &World, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("/resilience/events{query}")).await.ok();
    answer["events"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn new_events_are_sent_once_in_order_as_the_list_shows_them() {
    let world = World::start().await;
    world.register("old", 4).await;
    let mut opened = open(&world, "").await;
    assert_eq!(
        opened.headers.get("content-type").unwrap(),
        "text/event-stream"
    );
    assert_eq!(opened.headers.get("cache-control").unwrap(), "no-cache");
    let newest = listed(&world, "?order=desc&limit=1").await[0]["id"].clone();
    assert_eq!(
        opened.next().await.unwrap(),
        format!("retry: 1000\nid: {newest}\n\n")
    );
    world.streams(1..=3).await;
    world.register("a", 4).await;
    world.assign("a", 3).await;
    let text = opened.soon().await;
    let expected = listed(&world, &format!("?after={newest}")).await;
    assert_eq!(expected.len(), 7);
    let frames = frames(&text);
    assert_eq!(frames.len(), expected.len(), "{text}");
    for (frame, event) in frames.iter().zip(&expected) {
        assert_eq!(field(frame, "id").unwrap(), event["id"].to_string());
        assert_eq!(field(frame, "event").unwrap(), event["kind"]);
        let data: Value = serde_json::from_str(field(frame, "data").unwrap()).unwrap();
        assert_eq!(&data, event);
    }
}

#[actix_web::test]
async fn a_client_that_comes_back_misses_no_event_and_gets_none_twice() {
    let world = World::start().await;
    // More than the store is asked for at once.
    world.streams(1..=1_200).await;
    let all: Vec<i64> = (listed(&world, "?limit=1000").await.iter())
        .chain(&listed(&world, "?limit=1000&after=1000").await)
        .map(|event| event["id"].as_i64().unwrap())
        .collect();
    assert_eq!(all.len(), 1_200);
    let mut opened = open(&world, "?after=0").await;
    assert_eq!(ids(&opened.soon().await), all);
    world.register("a", 4).await;
    let newer = ids(&opened.soon().await);
    assert_eq!(newer.len(), 1);
    drop(opened);
    world.streams([2_000]).await;
    let header = newer[0].to_string();
    for (query, header) in [("", Some(header.as_str())), ("?after=3", Some(&header))] {
        let headers: Vec<(&str, &str)> =
            header.map(|id| ("Last-Event-ID", id)).into_iter().collect();
        let mut opened = world.open(&format!("{STREAM}{query}"), &headers).await;
        let text = opened.soon().await;
        assert_eq!(
            kinds(&text),
            ["stream_created"],
            "the header goes before `after`"
        );
        assert!(ids(&text)[0] > newer[0]);
    }
    let mut opened = open(&world, "?from=1h&kind=instance_registered").await;
    assert_eq!(
        kinds(&opened.soon().await),
        ["instance_registered"],
        "it begins at `from`"
    );
}

#[actix_web::test]
async fn a_stream_that_began_at_a_time_is_resumed_where_it_ended() {
    expect_errors(&["alert system_health"]);
    let world = World::start().await;
    world.register("early", 4).await;
    pass(3_600).await;
    let mut opened = open(&world, "?from=10m&kind=stream_created").await;
    let first = opened.soon().await;
    let begin = field(&frames(&first)[0], "id").unwrap();
    let newest = listed(&world, "?order=desc&limit=1").await[0]["id"].to_string();
    assert_eq!(begin, newest, "nothing happened for ten minutes");
    drop(opened);
    world.streams([1]).await;
    pass(1_200).await;
    let headers = [("Last-Event-ID", begin)];
    let path = format!("{STREAM}?from=10m&kind=stream_created");
    let mut resumed = world.open(&path, &headers).await;
    assert_eq!(
        kinds(&resumed.soon().await),
        ["stream_created"],
        "`from` says only where a new stream begins"
    );
}

#[actix_web::test]
async fn a_stream_ends_when_its_last_moment_has_passed() {
    let world = World::start().await;
    world.register("a", 4).await;
    pass(1).await;
    let mut opened = open(&world, "?after=0&to=0s").await;
    opened.next().await.unwrap();
    let sent = opened.next().await.unwrap();
    assert_eq!(kinds(&sent), ["instance_registered"]);
    assert_eq!(opened.next().await, None);
}

#[actix_web::test]
async fn an_answer_sends_only_what_its_filters_select() {
    let world = World::start().await;
    world.streams(1..=2).await;
    for id in ["a", "b"] {
        world.register(id, 4).await;
    }
    let mut all = open(&world, "").await;
    let mut of_a = open(&world, "?instance=a").await;
    let mut of_workers = open(&world, "?actor=worker&stream=2").await;
    let mut failures = open(&world, "?kind=instance_failed,recovery_ended").await;
    world.assign("a", 2).await;
    world.post("/instances/a/failure", json!({})).await.ok();
    let every = all.soon().await;
    assert!(kinds(&every).len() > 4);
    assert!(!of_a.soon().await.contains(r#""instance":"b""#));
    assert_eq!(kinds(&of_workers.soon().await), ["stream_assigned"]);
    assert_eq!(
        kinds(&failures.soon().await),
        ["instance_failed", "recovery_ended"]
    );
    let incident = world.get("/resilience/incidents").await.ok()["incidents"][0]["id"].clone();
    let mut of_incident = open(&world, &format!("?after=0&incident={incident}")).await;
    let told = kinds(&of_incident.soon().await);
    let listed = listed(&world, &format!("?incident={incident}")).await;
    let listed: Vec<&str> = listed
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(told, listed);
}

#[actix_web::test]
async fn a_comment_comes_every_fifteen_seconds_without_events() {
    let world = World::start().await;
    let mut opened = open(&world, "").await;
    opened.next().await.unwrap();
    let clock = world.orchestrator.clock().clone();
    let began = clock.wall();
    for round in 1..=3 {
        assert_eq!(opened.next().await.unwrap(), ": no event\n\n");
        assert_eq!(clock.wall().since(began).as_secs(), 15 * round);
    }
    // An event defers the next comment.
    pass(10).await;
    world.register("a", 1).await;
    assert_eq!(
        kinds(&opened.next().await.unwrap()),
        ["instance_registered"]
    );
    let silent = tokio::time::timeout(Duration::from_secs(14), opened.next()).await;
    assert!(silent.is_err());
    assert_eq!(opened.next().await.unwrap(), ": no event\n\n");
}

#[actix_web::test]
async fn a_slow_reader_is_ended_with_lagged_and_can_resume() {
    let world = World::start().await;
    world.register("a", 1).await;
    let mut opened = open(&world, "").await;
    let first = opened.next().await.unwrap();
    let begin: i64 = field(&frames(&first)[0], "id").unwrap().parse().unwrap();
    world.streams(1..=10_000).await;
    world.streams(10_001..=20_000).await;
    pass(3).await;
    let text = opened.next().await.unwrap();
    let frames = frames(&text);
    assert_eq!(frames.len(), 1, "{text}");
    assert_eq!(field(&frames[0], "event"), Some("lagged"));
    let data: Value = serde_json::from_str(field(&frames[0], "data").unwrap()).unwrap();
    assert_eq!(data["resume_after"], begin);
    assert!(data["missed"].as_i64().unwrap() > 0);
    assert_eq!(opened.next().await, None);
    let mut opened = open(&world, &format!("?after={begin}")).await;
    let mut read = Vec::new();
    while read.len() < 20_000 {
        read.extend(ids(&opened.next().await.unwrap()));
    }
    assert_eq!(read, (begin + 1..=begin + 20_000).collect::<Vec<_>>());
}

#[actix_web::test]
async fn the_end_of_the_program_ends_every_answer_at_once() {
    let world = World::start().await;
    let mut opened = open(&world, "").await;
    opened.next().await.unwrap();
    let ended = async {
        settle().await;
        world.orchestrator.end_polls();
    };
    let (end, ()) = tokio::join!(opened.next(), ended);
    assert_eq!(end, None);
    let mut late = open(&world, "").await;
    late.next().await.unwrap();
    assert_eq!(late.next().await, None);
}

#[actix_web::test]
async fn bad_places_to_resume_are_named() {
    let world = World::start().await;
    let mut empty = open(&world, "?after=77").await;
    assert!(
        empty.next().await.is_some(),
        "without events no number is known"
    );
    world.register("a", 1).await;
    assert_eq!(kinds(&empty.soon().await), ["instance_registered"]);
    let newest = listed(&world, "?order=desc&limit=1").await[0]["id"]
        .as_i64()
        .unwrap();
    for (query, header, field) in [
        ("?after=x", None, "after"),
        ("?after=-1", None, "after"),
        ("?order=desc", None, "order"),
        ("", Some("soon"), "Last-Event-ID"),
        ("", Some("1.0"), "Last-Event-ID"),
        ("", Some("-3"), "Last-Event-ID"),
        ("?kind=nothing", Some("0"), "kind"),
    ] {
        let headers: Vec<(&str, &str)> =
            header.map(|id| ("Last-Event-ID", id)).into_iter().collect();
        let answer = world
            .send_with("GET", &format!("{STREAM}{query}"), &headers, Vec::new())
            .await;
        assert_eq!(answer.bad_fields(), [field], "{query} {header:?}");
    }
    // The announcements may be a moment behind the list.
    let mut late = open(&world, &format!("?after={newest}")).await;
    assert!(late.next().await.is_some());
    let future = (newest + 1).to_string();
    let answer = world.get(&format!("{STREAM}?after={future}")).await;
    assert_eq!(answer.bad_fields(), ["after"]);
    let headers = [("Last-Event-ID", future.as_str())];
    let answer = world.send_with("GET", STREAM, &headers, Vec::new()).await;
    assert_eq!(answer.bad_fields(), ["Last-Event-ID"]);
    assert!(answer.text.contains(&newest.to_string()), "{}", answer.text);
    let head = world.send("HEAD", STREAM).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[actix_web::test]
async fn too_many_followers_are_refused_until_one_leaves() {
    let limits = RequestLimits {
        followers: 1,
        ..RequestLimits::default()
    };
    let settings = HttpSettings {
        limits,
        ..HttpSettings::default()
    };
    let world = World::with(settings).await;
    let first = open(&world, "").await;
    world.get(STREAM).await.problem(503);
    drop(first);
    let _second = open(&world, "").await;
}

#[actix_web::test]
async fn an_outage_costs_a_follower_no_event() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let world = World::start().await;
    world.register("a", 1).await;
    let mut opened = open(&world, "").await;
    opened.next().await.unwrap();
    // The event is saved, and cannot be read back.
    world.register("b", 1).await;
    world.store.set_outage(Some(Outage::Refusing));
    pass(3).await;
    world.store.calm_down();
    pass(5).await;
    world.register("c", 1).await;
    let text = opened.soon().await + &opened.soon().await;
    assert_eq!(kinds(&text), ["instance_registered"; 2], "{text}");
}

#[actix_web::test]
async fn a_follower_that_comes_during_an_outage_is_refused() {
    let world = World::start().await;
    world.store.set_outage(Some(Outage::Refusing));
    world.get(STREAM).await.problem(503);
}
