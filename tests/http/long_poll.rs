//! `GET /instances/{server_id}/assignments`: what it answers, when, and what is left when who
//! asked has gone.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::support_http::{World, assert_begins_with, assert_has, pass, settle};
use resilient_orchestrator::http::{self, HttpSettings, RequestLimits};
use serde_json::{Value, json};

fn told(answer: &Value) -> Vec<i64> {
    let lines = answer["assign"].as_array().unwrap();
    let ids = lines.iter().map(|line| line["stream_id"].as_i64().unwrap());
    ids.collect()
}

/// An instance `a` with streams 1 to 3 of 4; its version.
async fn with_three(world: &World) -> i64 {
    world.streams(1..=4).await;
    world.register("a", 9).await;
    world.assign("a", 3).await;
    let shown = world.get("/instances/a").await.ok();
    shown["data"]["assignment_version"].as_i64().unwrap()
}

fn path(version: impl std::fmt::Display, rest: &str) -> String {
    format!("/instances/a/assignments?version={version}{rest}")
}

#[actix_web::test]
async fn the_answer_has_the_fields_of_a_heartbeat() {
    let world = World::start().await;
    let version = with_three(&world).await;
    let all = world.get(&path(0, "&wait=30s")).await;
    assert_begins_with(
        &all.text,
        &[
            "status",
            "incarnation",
            "instance_status",
            "assignment_version",
            "full",
            "assign",
        ],
    );
    let all = all.ok();
    assert_has(
        &all,
        &json!({"full": true, "assignment_version": version, "instance_status": "active",
            "revoke": []}),
    );
    assert_eq!(told(&all), [1, 2, 3]);
    assert!(all["assign"][0]["epoch"].as_i64() > Some(0));
    assert_eq!(all["assign"][0]["name"], "stream 1");
    let beat = json!({"server_id": "a", "current_streams": 0, "assignment_version": 0});
    let beat = world.post("/heartbeat", beat).await.ok();
    assert_eq!(beat["assign"], all["assign"]);

    world.delete("/streams/2").await.ok();
    let news = world.get(&path(version, "&wait=30")).await.ok();
    assert_has(
        &news,
        &json!({"assignment_version": version + 1, "assign": [], "revoke": [2]}),
    );
    assert!(news.get("full").is_none() && news.get("lease_seconds").is_none());
    let nothing = world.get(&path(version + 1, "")).await.ok();
    assert_has(
        &nothing,
        &json!({"assignment_version": version + 1, "assign": [], "revoke": []}),
    );
    world.send("HEAD", &path(0, "")).await;
}

#[actix_web::test]
async fn it_waits_no_longer_than_a_minute_and_answers_when_something_comes() {
    let world = Rc::new(World::start().await);
    let version = with_three(&world).await;
    for (wait, seconds) in [("0.5", 0.5), ("30s", 30.0), ("1h", 60.0), ("1e99", 60.0)] {
        let began = world.orchestrator.clock().now();
        world
            .get(&path(version, &format!("&wait={wait}")))
            .await
            .ok();
        let took = world.orchestrator.clock().now().since(began).as_secs_f64();
        assert!((seconds..seconds + 0.1).contains(&took), "{wait}: {took}");
        world.beat("a").await.ok();
    }
    let asking = {
        let (world, path) = (world.clone(), path(version, "&wait=60"));
        actix_web::rt::spawn(async move { world.get(&path).await.ok() })
    };
    pass(3).await;
    assert!(!asking.is_finished());
    world.assign("a", 1).await;
    settle().await;
    assert!(asking.is_finished());
    assert_eq!(told(&asking.await.unwrap()), [4]);
}

#[actix_web::test]
async fn bad_input_is_named_and_strangers_are_told_so() {
    let world = World::start().await;
    let version = with_three(&world).await;
    for (query, fields) in [
        ("", vec!["version"]),
        ("version=", vec!["version"]),
        ("version=-1", vec!["version"]),
        (
            "version=x&wait=-1&incarnation=y",
            vec!["incarnation", "version", "wait"],
        ),
        ("version=1&wait=soon", vec!["wait"]),
        ("version=1&wait=-30s", vec!["wait"]),
        ("version=1&wait=NaN", vec!["wait"]),
        ("version=9007199254740992", vec!["version"]),
        ("version=1&incarnation=-1", vec!["incarnation"]),
    ] {
        let answer = world
            .get(&format!("/instances/a/assignments?{query}"))
            .await;
        assert_eq!(answer.bad_fields(), fields, "{query}");
    }
    world
        .get("/instances/z/assignments?version=1&wait=30")
        .await
        .problem(404);
    world
        .post("/instances/a/assignments", json!({}))
        .await
        .problem(405);
    let life = world.get("/instances/a").await.ok()["data"]["incarnation"]
        .as_i64()
        .unwrap();
    for wrong in [0, life - 1, life + 1] {
        let wrong = format!("&wait=30&incarnation={wrong}");
        let problem = world.get(&path(version, &wrong)).await.problem(409);
        assert!(problem["detail"].as_str().unwrap().ends_with('.'));
    }
    world
        .get(&path(version, &format!("&incarnation={life}")))
        .await
        .ok();
}

#[actix_web::test]
async fn polls_have_a_limit_of_their_own_and_who_goes_away_frees_its_place() {
    let limits = RequestLimits {
        polls: 2,
        reads: 1,
        lists: 1,
        writes: 1,
    };
    let settings = HttpSettings {
        limits,
        ..HttpSettings::default()
    };
    let world = Rc::new(World::with(settings).await);
    let version = with_three(&world).await;
    let ask = || {
        let (world, path) = (world.clone(), path(version, "&wait=60"));
        actix_web::rt::spawn(async move { world.get(&path).await.status })
    };
    let (first, second) = (ask(), ask());
    settle().await;
    world.get(&path(version, "&wait=60")).await.problem(503);
    world.get("/instances/a").await.ok();
    world.get("/streams").await.ok();
    world.register("b", 1).await;
    let shown = world.get("/metrics").await.text;
    assert!(shown.contains("orchestrator_polls_waiting 2\n"), "{shown}");
    first.abort();
    settle().await;
    assert_eq!(world.get(&path(version, "")).await.status, 200);
    pass(61).await;
    assert_eq!(second.await.unwrap(), 200);
}

/// A connection of its own, with one request on it.
fn send(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    stream
}

/// How many polls wait, as `/metrics` says.
fn polls_waiting(address: SocketAddr) -> usize {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("orchestrator_polls_waiting "));
    line.unwrap().parse().unwrap()
}

/// Asks until so many wait. Each round is a request, so this does not spin.
fn until_waiting(address: SocketAddr, count: usize) {
    let reached = (0..10_000).any(|_| polls_waiting(address) == count);
    assert!(reached, "not {count}");
}

#[actix_web::test]
async fn over_sockets_clients_that_gave_up_do_not_pile_up_and_the_end_is_quick() {
    let world = World::on(Arc::default(), HttpSettings::default()).await;
    let version = with_three(&world).await;
    let listener = http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let server = http::serve(listener, world.state.clone()).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let path = path(version, "&wait=60");
    let mut clients = actix_web::web::block(move || {
        for _ in 0..50 {
            drop(send(address, &path));
        }
        let stay: Vec<TcpStream> = (0..2).map(|_| send(address, &path)).collect();
        until_waiting(address, 2);
        stay
    })
    .await
    .unwrap();

    let clock = world.orchestrator.clock().clone();
    let began = clock.now();
    world.orchestrator.end_polls();
    handle.stop(true).await;
    let took = clock.now().since(began);
    assert!(took < Duration::from_secs(4), "{took:?}");
    actix_web::web::block(move || {
        for client in &mut clients {
            let mut head = [0; 15];
            client.read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 200 OK");
        }
    })
    .await
    .unwrap();
}
