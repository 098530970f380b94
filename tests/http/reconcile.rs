//! What a worker says it runs, over HTTP: it is told again what it was told already.

use crate::support_http::{World, assert_has, ids, pass, settle};
use orchestrator_client::machine::digest;
use resilient_orchestrator::domain::digest::StreamsDigest;
use resilient_orchestrator::domain::ids::StreamId;
use serde_json::{Value, json};

/// `a` owns streams 1 to 3; what it sends when it has followed everything and runs them.
async fn prepared() -> (World, Value) {
    let world = World::start().await;
    world.streams(1..=3).await;
    world.register("a", 9).await;
    world.assign("a", 3).await;
    let shown = world.get("/instances/a").await.ok()["data"].clone();
    let beat = json!({"server_id": "a", "current_streams": 3, "streams": [1, 2, 3],
        "incarnation": shown["incarnation"], "assignment_version": shown["assignment_version"]});
    (world, beat)
}

/// The answers to so many heartbeats, 30 s apart.
async fn beats(world: &World, beat: &Value, times: usize) -> Vec<Value> {
    let mut answers = Vec::new();
    for _ in 0..times {
        answers.push(world.post("/heartbeat", beat.clone()).await.ok());
        settle().await;
        pass(30).await;
    }
    answers
}

fn says_nothing(answer: &Value) -> bool {
    ["assign", "revoke", "full"]
        .iter()
        .all(|field| answer.get(field).is_none())
}

#[actix_web::test]
async fn a_worker_that_names_its_streams_is_told_the_difference() {
    let (world, mut beat) = prepared().await;
    assert!(beats(&world, &beat, 4).await.iter().all(says_nothing));
    beat["streams"] = json!([3, 77, 1]);
    let answers = beats(&world, &beat, 4).await;
    assert!(answers[..2].iter().all(says_nothing));
    for answer in &answers[2..] {
        assert_eq!(answer["assign"][0]["stream_id"], 2, "{answer}");
        assert!(answer["assign"][0]["epoch"].as_i64() > Some(0));
        assert_eq!(ids(&answer["revoke"]), [77]);
        assert_eq!(answer["assignment_version"], beat["assignment_version"]);
        assert!(answer["lease_seconds"].as_f64() > Some(0.0), "{answer}");
        assert!(answer.get("full").is_none());
    }
    beats(&world, &beat, 1).await;
    let alerts = world
        .get("/resilience/alerts?kind=streams_differ")
        .await
        .ok();
    assert_has(
        &alerts["alerts"][0],
        &json!({"kind": "streams_differ", "subject": "a", "severity": "warning"}),
    );
    let events = world.get("/resilience/events?limit=1000").await.ok();
    let events = events["events"].as_array().into_iter().flatten();
    let told: Vec<&Value> = events
        .filter(|event| event["kind"] == "streams_differ")
        .collect();
    assert_eq!(told.len(), 1);
    assert_has(
        told[0],
        &json!({"instance": "a", "missing": 1, "surplus": 1}),
    );
}

#[actix_web::test]
async fn a_worker_that_sends_a_digest_is_told_its_whole_list() {
    let (world, mut beat) = prepared().await;
    beat["streams"] = Value::Null;
    beat["streams_digest"] = format!("{:016x}", digest([3, 2, 1])).into();
    assert!(beats(&world, &beat, 4).await.iter().all(says_nothing));
    beat["streams_digest"] = format!("{:016x}", digest([1, 2])).into();
    let answers = beats(&world, &beat, 4).await;
    assert!(answers[..2].iter().all(says_nothing));
    for answer in &answers[2..] {
        assert_has(answer, &json!({"full": true, "revoke": []}));
        assert_eq!(answer["assign"].as_array().map(Vec::len), Some(3));
    }
    // If both are sent, the streams count.
    beat["streams"] = json!([1, 2, 3]);
    assert!(beats(&world, &beat, 6).await.iter().all(says_nothing));
}

#[test]
fn workers_and_orchestrator_agree_on_the_digest() {
    let sets: [&[i64]; 5] = [
        &[],
        &[1],
        &[3, 1, 2],
        &[9_007_199_254_740_991, 1],
        &[17, 4_294_967_296, 4_294_967_297, 100_000],
    ];
    for set in sets {
        let theirs = format!("{:016x}", digest(set.iter().copied()));
        let ours = StreamsDigest::of(set.iter().copied().map(StreamId::new));
        assert_eq!(ours.to_string(), theirs);
        assert_eq!(StreamsDigest::from_hex(&theirs), Some(ours));
    }
    let many = digest(1..=10_000);
    assert_eq!(
        StreamsDigest::of((1..=10_000).map(StreamId::new)).to_string(),
        format!("{many:016x}")
    );
}
