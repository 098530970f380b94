//! `GET /instances/{server_id}/assignments`: what it answers, when, and what is left when who
//! asked has gone. And what becomes of clients over real sockets that keep the orchestrator waiting.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use crate::support_http::{World, assert_begins_with, assert_has, pass, settle};
use resilient_orchestrator::http::{self, ClientLimits, HttpSettings, RequestLimits};
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
        followers: 0,
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

/// Serves a world over sockets.
fn serve(world: &World) -> (SocketAddr, actix_web::dev::ServerHandle) {
    let listener = http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let server = http::serve(listener, world.state.clone()).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (address, handle)
}

#[actix_web::test]
async fn over_sockets_clients_that_gave_up_do_not_pile_up_and_the_end_is_quick() {
    let world = World::on(World::empty_store(), HttpSettings::default()).await;
    let version = with_three(&world).await;
    let (address, handle) = serve(&world);
    let path = path(version, "&wait=60");
    let mut clients = actix_web::web::block(move || {
        for _ in 0..50 {
            drop(send(address, &path));
        }
        // One that sends no more is answered at once, and all before it are gone by then.
        let mut last = send(address, &path);
        last.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        last.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        until_waiting(address, 0);
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

#[actix_web::test]
async fn over_sockets_a_follower_that_leaves_frees_its_place() {
    let limits = RequestLimits {
        followers: 1,
        ..RequestLimits::default()
    };
    let settings = HttpSettings {
        limits,
        ..HttpSettings::default()
    };
    let world = World::on(World::empty_store(), settings).await;
    let (address, handle) = serve(&world);
    let follow = move || {
        let mut stream = send(address, "/resilience/events/stream");
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        (stream, head)
    };
    let stays = actix_web::web::block(move || {
        let (first, head) = follow();
        assert_eq!(&head, b"HTTP/1.1 200");
        assert_eq!(&follow().1, b"HTTP/1.1 503");
        drop(first);
        let mut next = (0..10_000).map(|_| follow());
        let next = next.find(|(_, head)| head == b"HTTP/1.1 200");
        next.unwrap().0
    });
    let stays = stays.await.unwrap();
    let clock = world.orchestrator.clock().clone();
    let began = clock.now();
    world.orchestrator.end_polls();
    handle.stop(true).await;
    assert!(clock.now().since(began) < Duration::from_secs(4));
    drop(stays);
}

/// Limits that are over before a test is tired of waiting; the client has longer. (The server reads the
/// clock for the first head twice a second only.)
const SHORT: ClientLimits = ClientLimits {
    handshake: Duration::from_millis(400),
    head: Duration::from_millis(2_000),
    body: Duration::from_millis(400),
    stalled_write: Duration::from_millis(400),
    idle: Duration::from_secs(60),
    close: Duration::from_millis(400),
    send_buffer: 16 * 1024,
};

/// A world over sockets, with short limits.
async fn impatient() -> (World, SocketAddr) {
    let settings = HttpSettings {
        client: SHORT,
        ..HttpSettings::default()
    };
    let world = World::on(World::empty_store(), settings).await;
    let (address, _) = serve(&world);
    (world, address)
}

/// What is answered to some bytes, until the orchestrator closes.
async fn answer_to(address: SocketAddr, sent: String) -> String {
    let ask = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // Only a limit of ours ends this; a reset is an end too.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        String::from_utf8(answer).unwrap()
    };
    actix_web::web::block(ask).await.unwrap()
}

#[actix_web::test]
async fn a_head_that_does_not_end_is_not_waited_for_on_a_new_or_a_kept_connection() {
    let (_world, address) = impatient().await;
    for sent in ["", "GET /livez HT"] {
        let answer = answer_to(address, sent.to_owned()).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{sent:?}: {answer}");
    }
    let whole = "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n";
    let ask = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        for _ in 0..2 {
            stream.write_all(whole.as_bytes()).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
            let mut rest = Vec::new();
            while !rest.ends_with(b"}") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                rest.push(byte[0]);
            }
        }
        stream.write_all(b"GET /livez HT").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"", "closed");
    };
    actix_web::web::block(ask).await.unwrap();
}

#[actix_web::test]
async fn a_body_that_does_not_arrive_is_answered_408_and_ends_the_connection() {
    let (_world, address) = impatient().await;
    let head = "POST /heartbeat HTTP/1.1\r\nHost: h\r\n";
    for sent in [
        format!("{head}Content-Length: 50\r\n\r\n{{\"ser"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"ser"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n"),
    ] {
        let answer = answer_to(address, sent.clone()).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{sent}: {answer}");
        assert!(answer.contains("x-request-id: "), "{sent}: {answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("did not arrive in time"), "{answer}");
    }
}

#[actix_web::test]
async fn an_answer_before_the_end_of_the_body_ends_the_connection() {
    let (_world, address) = impatient().await;
    for route in ["/nowhere", "/instances/a/failure", "/livez", "/streams?x=1"] {
        for framing in [
            "Content-Length: 50\r\n\r\n{\"ser",
            "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"ser",
        ] {
            let sent = format!("POST {route} HTTP/1.1\r\nHost: h\r\n{framing}");
            let answer = answer_to(address, sent).await;
            assert!(answer.starts_with("HTTP/1.1 4"), "{route}: {answer}");
            assert!(answer.contains("connection: close"), "{route}: {answer}");
        }
    }
}

#[actix_web::test]
async fn a_connection_is_kept_after_an_answer_to_a_whole_body() {
    let (_world, address) = impatient().await;
    let chunked = "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let known = "Content-Length: 2\r\n\r\n{}";
    let mut sent = String::new();
    for body in [chunked, known] {
        sent.push_str("POST /heartbeat HTTP/1.1\r\nHost: h\r\n");
        sent.push_str(body);
    }
    sent.push_str("GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let answer = answer_to(address, sent).await;
    assert_eq!(answer.matches("HTTP/1.1 422").count(), 2, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
}

/// As many streams as make a list of some megabytes, all of instance `a`.
async fn with_many(world: &World) -> i64 {
    let last = 20_000;
    for from in [1, last / 2 + 1] {
        world.streams(from..from + last / 2).await;
    }
    world.register("a", 100_000).await;
    world.assign("a", last).await;
    last
}

#[actix_web::test]
async fn an_answer_that_is_not_read_ends_the_connection() {
    let (world, address) = impatient().await;
    with_many(&world).await;
    for path in [
        "/streams/assignments",
        "/instances/a",
        "/streams?limit=10000",
        "/resilience/events/stream?after=0",
    ] {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.writable().await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(stream.try_write(request.as_bytes()).unwrap(), request.len());
        // It reads nothing; the orchestrator gives up, and the kernel with it.
        let closed = stream.ready(tokio::io::Interest::ERROR);
        let closed = tokio::time::timeout(Duration::from_secs(30), closed).await;
        assert!(closed.unwrap().unwrap().is_error(), "{path}");
    }
}

#[actix_web::test]
async fn a_long_list_is_whole_for_every_kind_of_client() {
    let (world, address) = impatient().await;
    let last = with_many(&world).await;
    let list = |version: &str, method: &str| {
        format!("{method} /streams/assignments {version}\r\nHost: h\r\nConnection: close\r\n\r\n")
    };
    let old = answer_to(address, list("HTTP/1.0", "GET")).await;
    let (head, body) = old.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("chunked"), "HTTP/1.0 has no chunks: {head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["assignments"].as_array().unwrap().len() as i64, last);
    let new = answer_to(address, list("HTTP/1.1", "GET")).await;
    assert!(new.contains("transfer-encoding: chunked"));
    assert!(new.ends_with("\r\n0\r\n\r\n"), "it is complete");
    let head = answer_to(address, list("HTTP/1.1", "HEAD")).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"));
}
