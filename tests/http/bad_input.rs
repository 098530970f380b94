//! Bad input: the status and body of the contract, every bad field named at once, nothing
//! changed, nothing logged as an error, and never a 500.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::support_http::{World, settle, support_log};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use resilient_orchestrator::http::{self, HttpSettings, MAX_BODY, route_table};
use serde_json::{Value, json};

fn assert_nothing_logged() {
    let errors = support_log::errors();
    assert!(
        errors.is_empty(),
        "bad input is no error of ours: {errors:?}"
    );
}

/// A world with an instance `a` that runs streams 1 and 2, and stream 3 that nobody runs.
async fn prepared() -> World {
    let world = World::start().await;
    world.streams(1..=3).await;
    world.register("a", 5).await;
    world.assign("a", 2).await;
    settle().await;
    world
}

/// A good body with some fields replaced; `Null` takes a field away.
fn with(good: &Value, changes: Value) -> Value {
    let mut body = good.clone();
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn assert_refused(world: &World, path: &str, table: &[(Value, &[&str])]) {
    let before = world.saved().await;
    for (body, fields) in table {
        let answer = world.post(path, body.clone()).await;
        assert_eq!(answer.bad_fields(), *fields, "{path} {body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        for field in fields.iter().take(5) {
            assert!(detail.contains(field), "{detail}");
        }
    }
    assert_eq!(world.saved().await, before, "{path}");
    assert_nothing_logged();
}

#[actix_web::test]
async fn bad_registrations() {
    let world = prepared().await;
    let good = json!({"server_id": "new", "ip": "10.0.0.1", "port": 8080, "max_streams": 5});
    let long = |length| "x".repeat(length);
    let labels: serde_json::Map<String, Value> =
        (0..65).map(|n| (format!("k{n}"), json!("v"))).collect();
    let one = |changes: Value, field: &'static [&'static str]| (with(&good, changes), field);
    let mut table: Vec<(Value, &[&str])> = vec![
        (json!({}), &["server_id", "ip", "port"]),
        (
            json!({"server_id": 1, "ip": [], "port": "x", "max_streams": {}, "labels": 3,
                "heartbeat_interval": "soon", "auto_assign": "yes"}),
            &[
                "server_id",
                "ip",
                "port",
                "max_streams",
                "labels",
                "heartbeat_interval",
                "auto_assign",
            ],
        ),
        one(
            json!({"labels": {"a": 1, "": "x", "b": long(513)}}),
            &["labels", "labels.a", "labels.b"],
        ),
        one(json!({"labels": {"a\nb": "x"}}), &["labels"]),
        one(json!({ "labels": labels }), &["labels"]),
        (
            json!({"server_id": "", "ip": "", "port": 0, "max_streams": 0}),
            &["server_id", "ip", "port", "max_streams"],
        ),
    ];
    for id in [
        json!(null),
        json!(""),
        json!(long(129)),
        json!("a\nb"),
        json!("\u{0}"),
        json!("a\u{7f}"),
        json!("tab\t"),
        json!("\u{85}"),
        json!(7),
        json!(["a"]),
        json!(true),
        json!({}),
    ] {
        table.push(one(json!({ "server_id": id }), &["server_id"]));
    }
    for port in [
        json!(0),
        json!(-1),
        json!(70_000),
        json!(65_536),
        json!("80"),
        json!(80.5),
        json!(null),
        json!(true),
        json!(1e300),
        json!(u64::MAX),
    ] {
        table.push(one(json!({ "port": port }), &["port"]));
    }
    for max in [
        json!(0),
        json!(-1),
        json!(100_001),
        json!(1_000_000_000_000_i64),
        json!(2.5),
        json!("20"),
        json!(false),
        json!(i64::MIN),
    ] {
        table.push(one(json!({ "max_streams": max }), &["max_streams"]));
    }
    for ip in [
        json!(long(256)),
        json!("a\u{1b}[31m"),
        json!(1),
        json!(null),
    ] {
        table.push(one(json!({ "ip": ip }), &["ip"]));
    }
    for interval in [
        json!(0),
        json!(-3),
        json!("1fortnight"),
        json!([]),
        json!(1e18),
    ] {
        table.push(one(
            json!({ "heartbeat_interval": interval }),
            &["heartbeat_interval"],
        ));
    }
    assert_refused(&world, "/register", &table).await;
    // What is just within the bounds is taken, and what is unknown is passed over.
    let most = json!({"server_id": "ä".repeat(128), "ip": long(255), "port": 65_535,
        "max_streams": 100_000, "labels": null, "favourite_colour": [1, {"x": null}]});
    world.post("/register", most).await.ok();
}

#[actix_web::test]
async fn bad_heartbeats() {
    let world = prepared().await;
    let good = json!({"server_id": "a", "current_streams": 1});
    let one = |changes: Value, fields: &'static [&'static str]| (with(&good, changes), fields);
    assert_refused(
        &world,
        "/heartbeat",
        &[
            (json!({}), &["server_id", "current_streams"]),
            one(json!({"current_streams": -1}), &["current_streams"]),
            one(json!({"current_streams": "1"}), &["current_streams"]),
            one(json!({"current_streams": 1.5}), &["current_streams"]),
            one(json!({"status": 3}), &["status"]),
            one(json!({"status": "x".repeat(65)}), &["status"]),
            one(json!({"status": "a\nERROR forged"}), &["status"]),
            one(json!({"incarnation": "1"}), &["incarnation"]),
            one(
                json!({"incarnation": 9_007_199_254_740_992_i64}),
                &["incarnation"],
            ),
            one(json!({"assignment_version": -1}), &["assignment_version"]),
            one(json!({"streams": {"1": true}}), &["streams"]),
            one(
                json!({"streams": [1, -2, "3", 0, 4.5]}),
                &["streams[1]", "streams[2]", "streams[3]", "streams[4]"],
            ),
            one(
                json!({"streams": [-1], "streams_digest": 5}),
                &["streams[0]", "streams_digest"],
            ),
            one(json!({"streams_digest": ""}), &["streams_digest"]),
            one(
                json!({"streams_digest": "5692161d100b05e"}),
                &["streams_digest"],
            ),
            one(
                json!({"streams_digest": "5692161d100b05e50"}),
                &["streams_digest"],
            ),
            one(
                json!({"streams_digest": "5692161D100B05E5"}),
                &["streams_digest"],
            ),
            one(
                json!({"streams_digest": "+692161d100b05e5"}),
                &["streams_digest"],
            ),
            one(
                json!({"streams_digest": ["5692161d100b05e5"]}),
                &["streams_digest"],
            ),
            one(json!({"system_metrics": []}), &["system_metrics"]),
            one(
                json!({"system_metrics": {"cpu_percent": "hot", "load_average": [1, 2],
                    "uptime_seconds": true, "disk_percent": null}}),
                &[
                    "system_metrics.cpu_percent",
                    "system_metrics.load_average",
                    "system_metrics.uptime_seconds",
                ],
            ),
        ],
    )
    .await;
    let many: Vec<i64> = (1..=100_001).collect();
    let too_many = with(&good, json!({ "streams": many }));
    assert_eq!(
        world.post("/heartbeat", too_many).await.bad_fields(),
        ["streams"]
    );
    let unknown = json!({"server_id": "nobody", "current_streams": 0});
    world.post("/heartbeat", unknown).await.problem(404);
}

#[actix_web::test]
async fn bad_requests_for_streams() {
    let world = prepared().await;
    assert_refused(
        &world,
        "/streams/assign",
        &[
            (json!({}), &["server_id"]),
            (
                json!({"server_id": "a", "requested_count": "all"}),
                &["requested_count"],
            ),
            (
                json!({"server_id": "a", "requested_count": 1.5}),
                &["requested_count"],
            ),
            (
                json!({"server_id": "a", "requested_count": 1e30}),
                &["requested_count"],
            ),
            (
                json!({"server_id": "a", "incarnation": -1}),
                &["incarnation"],
            ),
        ],
    )
    .await;
    assert_refused(
        &world,
        "/streams/release",
        &[
            (json!({}), &["server_id", "stream_ids"]),
            (json!({"server_id": "a"}), &["stream_ids"]),
            (json!({"server_id": "a", "stream_ids": 1}), &["stream_ids"]),
            (
                json!({"server_id": "a", "stream_ids": [1, -1, null]}),
                &["stream_ids[1]", "stream_ids[2]"],
            ),
            (
                json!({"server_id": "a", "stream_ids": [1], "reason": 5}),
                &["reason"],
            ),
            (
                json!({"server_id": "a", "stream_ids": [1], "reason": "x".repeat(513)}),
                &["reason"],
            ),
            (
                json!({"server_id": "a", "stream_ids": [1], "reason": "two\nlines"}),
                &["reason"],
            ),
        ],
    )
    .await;
    assert_refused(
        &world,
        "/diagnostic",
        &[
            (
                json!({}),
                &["server_id", "local_streams", "local_stream_count"],
            ),
            (
                json!({"server_id": "a", "local_streams": ["1"], "local_stream_count": -1}),
                &["local_streams[0]", "local_stream_count"],
            ),
        ],
    )
    .await;
}

#[actix_web::test]
async fn bad_streams() {
    let world = prepared().await;
    let streams = |list: Value| json!({ "streams": list });
    let long = "x".repeat(4_097);
    assert_refused(
        &world,
        "/streams",
        &[
            (json!({}), &["streams"]),
            (streams(json!({})), &["streams"]),
            (streams(json!([7])), &["streams[0]"]),
            (streams(json!([{}])), &["streams[0].name"]),
            (
                streams(json!([{"id": -5, "name": "x"}, {"id": 0, "name": "y"}])),
                &["streams[0].id", "streams[1].id"],
            ),
            (
                streams(json!([{"id": "5", "name": ""}])),
                &["streams[0].id", "streams[0].name"],
            ),
            (
                streams(
                    json!([{"name": "ok"}, {"name": "a\u{0}", "url": long, "labels": [],
                    "priority": 1.5, "enabled": 1}]),
                ),
                &[
                    "streams[1].name",
                    "streams[1].url",
                    "streams[1].labels",
                    "streams[1].priority",
                    "streams[1].enabled",
                ],
            ),
            (
                streams(json!([{"id": 9, "name": "x"}, {"id": 8, "name": "y"},
                {"id": 9, "name": "z"}])),
                &["streams[2].id"],
            ),
            (
                streams(json!([{"name": "x"}, {"name": "x"}])),
                &["streams[1].name"],
            ),
            (
                streams(json!([{"id": 77}, {"name": "new"}])),
                &["streams[0].name"],
            ),
            (
                streams(json!([{"id": 9_007_199_254_740_991_i64, "name": "x"}])),
                &["streams[0].id"],
            ),
            (
                streams(json!([{"name": "x", "priority": 2_147_483_648_i64}])),
                &["streams[0].priority"],
            ),
        ],
    )
    .await;
    let twice = streams(json!([{"id": 9, "name": "x"}, {"id": 9, "name": "z"}]));
    let twice = world.post("/streams", twice).await.json();
    assert!(
        twice["detail"].as_str().unwrap().contains("streams[0].id"),
        "both places: {twice}"
    );
    let many: Vec<Value> = (0..10_001)
        .map(|n| json!({"name": n.to_string()}))
        .collect();
    assert_eq!(
        world
            .post("/streams", streams(many.into()))
            .await
            .bad_fields(),
        ["streams"]
    );
    let all_bad: Vec<Value> = (0..5_000).map(|_| json!({"name": 1})).collect();
    let answer = world.post("/streams", streams(all_bad.into())).await;
    assert_eq!(answer.bad_fields().len(), 1_000);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("4995 more")
    );
}

#[actix_web::test]
async fn bad_paths_and_queries() {
    let world = prepared().await;
    let before = world.saved().await;
    let long = format!("/instances/{}", "x".repeat(129));
    let table: [(&str, &str, &str); 22] = [
        ("GET", "/streams/x", "id"),
        ("GET", "/streams/-1", "id"),
        ("GET", "/streams/0", "id"),
        ("GET", "/streams/1.0", "id"),
        ("GET", "/streams/+1", "id"),
        ("GET", "/streams/99999999999999999999", "id"),
        ("DELETE", "/streams/1e0", "id"),
        ("GET", &long, "server_id"),
        ("GET", "/instances/a%00b", "server_id"),
        ("GET", "/instances/%0A", "server_id"),
        ("GET", "/instances/%FF", "server_id"),
        ("DELETE", "/instances/a%0D%0A", "server_id"),
        ("POST", "/instances/%1b/failure", "server_id"),
        ("GET", "/instances/%7f/metrics", "server_id"),
        ("GET", "/instances/a/metrics?hours=0", "hours"),
        ("GET", "/instances/a/metrics?hours=-1", "hours"),
        ("GET", "/instances/a/metrics?hours=NaN", "hours"),
        ("GET", "/instances/a/metrics?hours=8761", "hours"),
        ("GET", "/instances?limit=0", "limit"),
        ("GET", "/instances?limit=x&after=%00", "limit"),
        ("GET", "/streams?limit=10001", "limit"),
        ("GET", "/streams?state=lost", "state"),
    ];
    for (method, path, field) in table {
        let fields = world.send(method, path).await.bad_fields();
        assert!(
            fields.contains(&field.to_owned()),
            "{method} {path}: {fields:?}"
        );
    }
    let all = world
        .get("/streams?limit=-1&after=x&state=7")
        .await
        .bad_fields();
    assert_eq!(all.len(), 3, "all at once: {all:?}");
    for (method, path) in [
        ("GET", "/instances/nobody"),
        ("DELETE", "/instances/nobody"),
        ("GET", "/instances/nobody/metrics"),
        ("POST", "/instances/nobody/failure"),
        ("GET", "/streams/999"),
        ("DELETE", "/streams/999"),
    ] {
        world.send(method, path).await.problem(404);
    }
    assert_eq!(world.saved().await, before);
    assert_nothing_logged();
}

/// Every POST that reads no body.
const WITHOUT_BODY: [&str; 7] = [
    "/cluster/take-over",
    "/instances/{server_id}/failure",
    "/rebalance/basic",
    "/rebalance/smart",
    "/resilience/recovery/{server_id}",
    "/resilience/emergency/{server_id}",
    "/webhooks/{name}/test",
];

/// Every POST whose body may be left out.
const WITH_OPTIONAL_BODY: [&str; 9] = [
    "/rolls",
    "/rolls/1/pause",
    "/rolls/1/resume",
    "/rolls/1/cancel",
    "/instances/{server_id}/cordon",
    "/instances/{server_id}/uncordon",
    "/instances/{server_id}/drain",
    "/streams/1/release-quarantine",
    "/resilience/alerts/1/acknowledge",
];

/// Every route that reads a body: a new one is tested without being written down here.
fn with_body() -> Vec<String> {
    let posts = route_table().iter().filter(|route| route.method == "POST");
    let with = posts.filter(|route| !WITHOUT_BODY.contains(&route.path));
    let path = |path: &str| path.replace("{name}", "store_reads").replace("{id}", "1");
    with.map(|route| path(route.path)).collect()
}

#[actix_web::test]
async fn a_post_reads_a_body_or_is_listed_as_one_that_does_not() {
    let paths: Vec<&str> = route_table().iter().map(|route| route.path).collect();
    assert!(WITHOUT_BODY.iter().all(|path| paths.contains(path)));
    assert!(with_body().len() >= 10);
    let world = prepared().await;
    for path in WITHOUT_BODY {
        let path = path.replace("{server_id}", "nobody");
        let answer = world.send_bytes("POST", &path, "{".into()).await;
        assert_ne!(answer.status, 400, "{path} reads a body");
    }
}

#[actix_web::test]
async fn an_integer_may_be_written_with_a_zero_fraction_wherever_there_is_one() {
    let world = World::start().await;
    let body = br#"{"server_id":"a","ip":"h","port":80.0,"max_streams":2.0}"#;
    let answer = world
        .send_bytes("POST", "/register", body.to_vec())
        .await
        .ok();
    assert_eq!(answer["max_streams"], 2);
    let incarnation = answer["incarnation"].as_f64().unwrap();
    let body = format!(
        "{{\"server_id\":\"a\",\"current_streams\":0.0,\"incarnation\":{incarnation:.1},\
         \"assignment_version\":0.0,\"streams\":[]}}"
    );
    world
        .send_bytes("POST", "/heartbeat", body.into())
        .await
        .ok();
    let body = br#"{"streams":[{"id":7.0,"name":"s","priority":1e1}]}"#;
    let saved = world
        .send_bytes("POST", "/streams", body.to_vec())
        .await
        .ok();
    assert_eq!(saved["ids"], json!([7]));
    let body = br#"{"server_id":"a","requested_count":1.0}"#;
    let assigned = world
        .send_bytes("POST", "/streams/assign", body.to_vec())
        .await;
    assert_eq!(assigned.ok()["assigned_streams"], json!([7]));
    let body = br#"{"server_id":"a","stream_ids":[7.0]}"#;
    let released = world
        .send_bytes("POST", "/streams/release", body.to_vec())
        .await;
    assert_eq!(released.ok()["released_streams"], json!([7]));
}

#[actix_web::test]
async fn a_byte_order_mark_before_the_json_is_skipped() {
    let world = prepared().await;
    for path in ["/heartbeat", "/streams/assign"] {
        let body = "\u{feff}{\"server_id\": \"a\", \"current_streams\": 0}";
        world.send_bytes("POST", path, body.into()).await.ok();
    }
}

#[actix_web::test]
async fn a_content_encoding_that_is_not_understood_is_415() {
    let world = prepared().await;
    let beat = br#"{"server_id":"a","current_streams":0}"#;
    for encoding in ["gzip", "deflate", "br", "zstd", "identity, gzip", "x"] {
        for path in with_body() {
            let headers = [("content-encoding", encoding)];
            let answer = world
                .send_with("POST", &path, &headers, beat.to_vec())
                .await;
            let problem = answer.problem(415);
            assert_eq!(problem["type"], "/problems/unsupported-encoding");
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
    }
    let plain = [("content-encoding", "Identity")];
    let answer = world
        .send_with("POST", "/heartbeat", &plain, beat.to_vec())
        .await;
    answer.ok();
}

#[actix_web::test]
async fn malformed_bodies() {
    let world = prepared().await;
    let before = world.saved().await;
    let deep = "[".repeat(200_000);
    for path in with_body() {
        let path = path.as_str();
        for body in [
            "",
            " \n",
            "{",
            "{\"a\":}",
            "{\"a\" 1}",
            "{'a': 1}",
            "nul",
            "{\"a\":1}x",
            "\u{feff}\u{feff}{}",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "server_id=a&port=1",
            "{\"a\":\"\n\"}",
            "{\"a\":1e999}",
            &deep,
        ] {
            if body.trim().is_empty() && WITH_OPTIONAL_BODY.contains(&path) {
                continue;
            }
            let answer = world.send_bytes("POST", path, body.into()).await;
            let detail = answer.problem(400)["detail"].as_str().unwrap().to_owned();
            assert!(
                body.trim().is_empty() || detail.contains("line"),
                "says where: {detail}"
            );
        }
        let broken = b"{\"server_id\": \"\xff\xfe\"}".to_vec();
        world.send_bytes("POST", path, broken).await.problem(400);
        for body in ["null", "1", "\"text\"", "[]", "[{}]", "true"] {
            let answer = world.send_bytes("POST", path, body.into()).await;
            assert_eq!(answer.bad_fields(), ["body"], "{path} {body}");
        }
    }
    assert_eq!(world.saved().await, before);
    assert_nothing_logged();
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2_i64..6).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["a", "b", "stream 1", "15s", "active"]).prop_map(Value::from),
        Just(Value::from("x".repeat(5_000))),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let name = prop::sample::select(vec![
            "server_id",
            "ip",
            "port",
            "max_streams",
            "labels",
            "heartbeat_interval",
            "auto_assign",
            "current_streams",
            "status",
            "system_metrics",
            "cpu_percent",
            "load_average",
            "incarnation",
            "assignment_version",
            "streams",
            "requested_count",
            "stream_ids",
            "id",
            "name",
            "url",
            "priority",
            "enabled",
            "local_streams",
            "local_stream_count",
            "unknown",
            "",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name.prop_map(String::from), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A body that is right for some route, with up to three fields replaced by anything.
fn nearly_right() -> impl Strategy<Value = Value> {
    let right = json!({"server_id": "a", "ip": "h", "port": 1, "max_streams": 3,
        "current_streams": 0, "requested_count": 1, "stream_ids": [1], "local_streams": [1],
        "local_stream_count": 1});
    let names: Vec<String> = right.as_object().unwrap().keys().cloned().collect();
    let changes = prop::collection::vec((prop::sample::select(names), anything()), 0..3);
    let streams = prop::option::of(prop::collection::vec(anything(), 0..4));
    (changes, streams).prop_map(move |(changes, streams)| {
        let mut body = right.clone();
        for (name, value) in changes {
            body[name] = value;
        }
        if let Some(streams) = streams {
            body["streams"] = streams.into();
        }
        body
    })
}

#[actix_web::test]
async fn no_body_makes_a_500_or_ends_an_actor() {
    let world = prepared().await;
    let mut runner = TestRunner::deterministic();
    let strategy = prop_oneof![anything(), nearly_right()];
    let (mut taken, paths) = (0, with_body());
    for _ in 0..1_500 {
        let body = strategy.new_tree(&mut runner).unwrap().current();
        for path in &paths {
            let answer = world.post(path, body.clone()).await;
            match answer.status {
                200 => taken += 1,
                404 | 409 => drop(answer.problem(answer.status)),
                422 => assert!(!answer.bad_fields().is_empty()),
                status => panic!("{status} for {path} {body}: {}", answer.text),
            }
        }
    }
    assert!(
        taken > 100,
        "only {taken} were good: the rest was tested poorly"
    );
    settle().await;
    assert_eq!(world.orchestrator.telemetry().actor_restarts.get(), 0);
    world.register("after", 1).await;
    world.beat("after").await.ok();
    world.saved().await;
    assert_nothing_logged();
}

/// Sends bytes to a real server and reads until it has nothing more to say.
async fn raw(address: SocketAddr, request: Vec<u8>) -> String {
    actix_web::web::block(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        // A server that has heard enough may stop listening.
        let _ = stream.write_all(&request);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .unwrap()
}

fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
            .into_bytes();
    request.extend_from_slice(body);
    request
}

#[track_caller]
fn assert_problem(answer: &str, status: u16) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    assert!(
        answer.contains("content-type: application/problem+json"),
        "{answer}"
    );
}

#[actix_web::test]
async fn over_real_connections() {
    let _log = support_log::watch();
    let world = World::on(World::empty_store(), HttpSettings::default()).await;
    let listener = http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let server = http::serve(listener, world.state.clone()).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);

    let length = |length: usize| format!("content-length: {length}\r\n");
    let body = vec![b' '; MAX_BODY + 1];
    let too_large = raw(
        address,
        request("POST", "/register", &length(body.len()), &body),
    )
    .await;
    assert_problem(&too_large, 413);
    let announced = raw(
        address,
        request("POST", "/register", &length(1 << 40), b"{"),
    )
    .await;
    assert_problem(&announced, 413);
    let mut chunks = Vec::new();
    for _ in 0..17 {
        chunks.extend_from_slice(b"100000\r\n");
        chunks.extend_from_slice(&vec![b'x'; 1 << 20]);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    let chunked = raw(
        address,
        request(
            "POST",
            "/streams",
            "transfer-encoding: chunked\r\n",
            &chunks,
        ),
    )
    .await;
    assert_problem(&chunked, 413);
    let limit = vec![b' '; MAX_BODY];
    let at_limit = raw(
        address,
        request("POST", "/register", &length(MAX_BODY), &limit),
    )
    .await;
    assert_problem(&at_limit, 400);

    assert_problem(
        &raw(address, request("GET", "/nothing", "", b"")).await,
        404,
    );
    let wrong_method = raw(address, request("PUT", "/register", "", b"")).await;
    assert_problem(&wrong_method, 405);
    assert!(wrong_method.contains("allow: POST"), "{wrong_method}");
    let head = raw(address, request("HEAD", "/health", "", b"")).await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /register HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /register HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let answer = raw(address, garbage.to_vec()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{garbage:?}: {answer}");
    }
    let huge = format!("x: {}\r\n", "y".repeat(300_000));
    let huge = raw(address, request("GET", "/health", &huge, b"")).await;
    assert!(huge.is_empty() || huge.starts_with("HTTP/1.1 4"), "{huge}");

    let fine = br#"{"server_id":"a","ip":"h","port":1}"#;
    let fine = raw(
        address,
        request("POST", "/register", &length(fine.len()), fine),
    )
    .await;
    assert!(fine.starts_with("HTTP/1.1 200 "), "{fine}");
    assert_eq!(
        world.get("/instances").await.ok()["instances"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(route_table().iter().any(|route| route.path == "/register"));
    handle.stop(true).await;
    assert_nothing_logged();
}
