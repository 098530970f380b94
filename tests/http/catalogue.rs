//! What the contract adds to the classic calls: lives, versions, the catalogue, pages, probes.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use crate::support_http::support_log::expect_errors;
use crate::support_http::{Answer, World, assert_begins_with, assert_has, ids, pass, settle};
use resilient_orchestrator::http::{
    Contract, HttpSettings, Parameters, RequestLimits, console_file, route_table,
};
use serde_json::{Value, json};

#[actix_web::test]
async fn registering_again_with_less_room_lets_go_of_the_excess() {
    expect_errors(&["alert streams_orphaned"]);
    let world = World::start().await;
    world.streams(1..=5).await;
    let body = json!({"server_id": "a", "ip": "h", "port": 1, "max_streams": 4,
        "labels": {"zone": "north"}, "heartbeat_interval": "15s", "auto_assign": true});
    let first = world.post("/register", body).await.ok();
    assert_has(
        &first,
        &json!({"auto_rebalanced": true, "assigned_streams": [1, 2, 3, 4],
            "heartbeat_interval_seconds": 15}),
    );
    let detail = world.get("/instances/a").await.ok();
    assert_has(
        &detail["data"],
        &json!({"labels": {"zone": "north"}, "auto_assign": true,
            "heartbeat_interval_seconds": 15, "incarnation": first["incarnation"]}),
    );
    world.assign("a", 0).await;
    let second = world.register("a", 2).await;
    assert_has(
        &second,
        &json!({"reregistration": true, "assigned_streams": [1, 2], "max_streams": 2}),
    );
    let orphaned = world.get("/streams?state=orphaned").await.ok();
    assert_eq!(orphaned["streams"].as_array().unwrap().len(), 2);
    assert_eq!(orphaned["streams"][0]["reason"], "room_reduced");
}

/// A heartbeat that names its life, with a version.
async fn leased_beat(world: &World, id: &str, incarnation: &Value, version: i64) -> Value {
    let body = json!({"server_id": id, "current_streams": 0, "incarnation": incarnation,
        "assignment_version": version});
    world.post("/heartbeat", body).await.ok()
}

#[actix_web::test]
async fn a_stream_moves_on_purpose_once_its_owner_has_let_go() {
    let world = World::start().await;
    world.streams(1..=2).await;
    let life = world.register("a", 2).await["incarnation"].clone();
    world.assign("a", 2).await;
    world.register("b", 2).await;
    leased_beat(&world, "a", &life, 0).await;
    let moves = json!({"moves": [{"stream_id": 1, "to": "b"}]});
    let answer = world.post("/streams/move", moves).await.ok();
    assert_eq!(
        answer,
        json!({"status": "accepted",
            "moves": [{"stream_id": 1, "to": "b", "state": "releasing"}]})
    );
    let stream = world.get("/streams/1").await.ok();
    assert_has(
        &stream["data"],
        &json!({"server_id": "a", "handoff": "exclusive"}),
    );
    assert_has(
        &stream["data"]["handover"],
        &json!({"state": "releasing", "to": "b"}),
    );
    let told = leased_beat(&world, "a", &life, 0).await;
    assert_eq!(told["assign"][0]["stream_id"], 2);
    assert_eq!(told["assign"][0]["handoff"], "exclusive");
    let version = told["assignment_version"].as_i64().unwrap();
    leased_beat(&world, "a", &life, version).await;
    settle().await;
    let stream = world.get("/streams/1").await.ok();
    assert_has(
        &stream["data"],
        &json!({"server_id": "b", "reason": "planned_move"}),
    );
    assert!(stream["data"].get("handover").is_none());
}

#[actix_web::test]
async fn moves_and_kinds_of_handing_over_that_make_no_sense_are_refused() {
    let world = World::start().await;
    world.streams(1..=1).await;
    let body = json!({"moves": [{"stream_id": 0}, {"stream_id": 1, "to": ""},
        {"stream_id": 1}, {}, 7]});
    let fields = world.post("/streams/move", body).await.bad_fields();
    for field in [
        "moves[0].stream_id",
        "moves[1].to",
        "moves[2].stream_id",
        "moves[3].stream_id",
        "moves[4]",
    ] {
        assert!(
            fields.iter().any(|found| found == field),
            "{field}: {fields:?}"
        );
    }
    let none = world.post("/streams/move", json!({})).await.bad_fields();
    assert_eq!(none, ["moves"]);
    let unknown = json!({"moves": [{"stream_id": 9}]});
    assert_eq!(world.post("/streams/move", unknown).await.status, 404);
    let nobody = json!({"moves": [{"stream_id": 1}]});
    assert_eq!(world.post("/streams/move", nobody).await.status, 409);
    let word = json!({"streams": [{"id": 1, "handoff": "both"}]});
    let fields = world.post("/streams", word).await.bad_fields();
    assert_eq!(fields, ["streams[0].handoff"]);
}

#[actix_web::test]
async fn who_takes_from_a_leased_worker_is_told_until_when_it_waits() {
    expect_errors(&["alert emergency_recovery"]);
    let world = World::start().await;
    world.streams(1..=2).await;
    let life = world.register("a", 2).await["incarnation"].clone();
    world.assign("a", 2).await;
    world.register("b", 9).await;
    let granted = leased_beat(&world, "a", &life, 0).await;
    assert_eq!(granted["lease_seconds"], 240);
    let left = world.send("DELETE", "/instances/a").await.ok();
    assert_has(
        &left,
        &json!({"status": "leaving", "streams_redistributed": 0}),
    );
    let until = left["waiting_until"].as_str().unwrap();
    assert!(until.ends_with('Z'), "{until}");
    let told = leased_beat(&world, "a", &life, 0).await;
    assert_has(
        &told,
        &json!({"lease_seconds": 0, "full": true, "assign": []}),
    );
    for path in [
        "/instances/a/failure",
        "/resilience/emergency/a",
        "/resilience/recovery/a",
    ] {
        let answer = world.post(path, json!({})).await.ok();
        if path != "/resilience/recovery/a" {
            assert!(answer["waiting_until"].is_string(), "{path}: {answer}");
        }
    }
}

/// Found when a worker left while a stream it had been told to drop was not confirmed yet.
#[actix_web::test]
async fn a_worker_that_leaves_by_itself_is_not_waited_for() {
    let world = World::start().await;
    world.streams(1..=2).await;
    let life = world.register("a", 2).await["incarnation"].clone();
    world.assign("a", 2).await;
    leased_beat(&world, "a", &life, 0).await;
    let number = life.as_i64().unwrap();
    let path = |incarnation: i64| format!("/instances/a?incarnation={incarnation}");
    world.send("DELETE", &path(number - 1)).await.problem(409);
    world.send("DELETE", &path(number + 1)).await.problem(409);
    world
        .send("DELETE", "/instances/a?incarnation=x")
        .await
        .problem(422);
    let left = world.send("DELETE", &path(number)).await.ok();
    assert_has(&left, &json!({"status": "deleted", "streams_orphaned": 2}));
    world.get("/instances/a").await.problem(404);
}

#[actix_web::test]
async fn a_sink_learns_whose_claims_are_current() {
    let world = World::start().await;
    world.streams(1..=2).await;
    world.register("a", 2).await;
    world.assign("a", 1).await;
    let verify = async |claims: Value| {
        let body = json!({ "claims": claims });
        world.post("/streams/verify", body).await.ok()["claims"].clone()
    };
    let found = verify(json!([{"stream_id": 1, "epoch": 0}])).await;
    let held = found[0]["current_epoch"].as_i64().unwrap();
    let claim = json!({"stream_id": 1, "epoch": held});
    assert_eq!(
        verify(json!([claim, {"stream_id": 2, "epoch": held}, {"stream_id": 9, "epoch": 1}])).await,
        json!([
            {"stream_id": 1, "epoch": held, "current": true, "current_epoch": held,
                "server_id": "a"},
            {"stream_id": 2, "epoch": held, "current": false, "current_epoch": null,
                "server_id": null},
            {"stream_id": 9, "epoch": 1, "current": false, "current_epoch": null,
                "server_id": null},
        ])
    );
    world.register("b", 2).await;
    world.post("/instances/a/failure", json!({})).await.ok();
    let late = verify(json!([claim])).await;
    assert_has(&late[0], &json!({"current": false, "server_id": "b"}));
    assert!(late[0]["current_epoch"].as_i64().unwrap() > held);

    let bad = json!({"claims": [{"stream_id": -1}, {"stream_id": 1, "epoch": "x"}, 3]});
    let answer = world.post("/streams/verify", bad).await;
    let fields = answer.bad_fields();
    for field in [
        "claims[0].stream_id",
        "claims[0].epoch",
        "claims[1].epoch",
        "claims[2]",
    ] {
        assert!(
            fields.iter().any(|named| named == field),
            "{field} in {fields:?}"
        );
    }
}

#[actix_web::test]
async fn a_heartbeat_of_another_life_is_a_conflict() {
    let world = World::start().await;
    let old = world.register("a", 2).await["incarnation"]
        .as_i64()
        .unwrap();
    let new = world.register("a", 2).await["incarnation"]
        .as_i64()
        .unwrap();
    let calls = [
        ("/heartbeat", json!({"current_streams": 0})),
        ("/streams/assign", json!({"requested_count": 1})),
        ("/streams/release", json!({"stream_ids": [1]})),
        ("/streams/release", json!({"stream_ids": []})),
    ];
    for (path, mut body) in calls {
        body["server_id"] = "a".into();
        for wrong in [0, old, new + 1, (1 << 53) - 1] {
            body["incarnation"] = wrong.into();
            let problem = world.post(path, body.clone()).await.problem(409);
            assert_eq!(problem["current_incarnation"], new);
            assert!(
                problem["detail"]
                    .as_str()
                    .unwrap()
                    .contains(&wrong.to_string())
            );
        }
        body["incarnation"] = new.into();
        world.post(path, body).await.ok();
    }
}

#[actix_web::test]
async fn a_second_process_under_the_name_is_shown() {
    let world = World::start().await;
    let older = world.register("a", 2).await["incarnation"].clone();
    let newest = world.register("a", 2).await["incarnation"].clone();
    let shown = async || world.get("/instances/a").await.ok()["data"]["duplicate_identity"].clone();
    let beat = async |life: &Value| {
        let body = json!({"server_id": "a", "current_streams": 0, "incarnation": life});
        world.post("/heartbeat", body).await
    };
    beat(&newest).await.ok();
    beat(&older).await.problem(409);
    assert_eq!(shown().await, Value::Null, "one may be late");
    pass(30).await;
    beat(&newest).await.ok();
    beat(&older).await.problem(409);
    settle().await;
    assert_has(&shown().await, &json!({"older_incarnation": older}));
    assert!(shown().await["since"].as_str().unwrap().ends_with('Z'));
    let alerts = world
        .get("/resilience/alerts?kind=duplicate_identity&open=true")
        .await
        .ok();
    let [alert] = &alerts["alerts"].as_array().unwrap()[..] else {
        panic!("{alerts}");
    };
    assert_has(alert, &json!({"subject": "a", "severity": "warning"}));
}

#[actix_web::test]
async fn a_lease_is_granted_to_who_names_its_life_and_not_while_it_is_in_doubt() {
    let world = World::start().await;
    let registered = world.register("a", 2).await;
    let limits = json!({"lease_seconds": 240, "stop_after_seconds": 216,
        "heartbeat_interval_seconds": 30, "request_timeout_seconds": 15});
    assert_has(&registered, &limits);
    let life = registered["incarnation"].clone();
    let beat = async |incarnation: &Value| {
        let body = json!({"server_id": "a", "current_streams": 0, "incarnation": incarnation});
        world.post("/heartbeat", body).await.ok()
    };
    let granted = json!({"lease_seconds": 240, "stop_after_seconds": 216});
    assert_has(&beat(&life).await, &granted);
    assert_eq!(
        beat(&Value::Null).await["lease_seconds"],
        0,
        "a classic worker"
    );
    world.send("POST", "/instances/a/failure").await.ok();
    settle().await;
    let shown = world.get("/instances/a").await.ok();
    assert_eq!(shown["data"]["status"], "failed");
    assert_has(
        &beat(&life).await,
        &json!({"status": "heartbeat_updated", "lease_seconds": 0, "stop_after_seconds": 0,
            "incarnation": life}),
    );
    settle().await;
    assert_eq!(beat(&life).await["instance_status"], "recovering");
}

#[actix_web::test]
async fn a_heartbeat_with_a_version_is_told_what_changed_since() {
    let world = World::start().await;
    world.streams(1..=4).await;
    let life = world.register("a", 9).await["incarnation"].clone();
    let beat = async |version: i64| {
        let body = json!({"server_id": "a", "current_streams": 0, "incarnation": life,
            "assignment_version": version});
        world.post("/heartbeat", body).await.ok()
    };
    let told = |answer: &Value| -> Vec<i64> {
        let lines = answer["assign"].as_array().unwrap();
        lines
            .iter()
            .map(|line| line["stream_id"].as_i64().unwrap())
            .collect()
    };
    let nothing = beat(1).await;
    assert_eq!(nothing["assignment_version"], 1);
    assert!(
        nothing.get("assign").is_none() && nothing.get("full").is_none(),
        "{nothing}"
    );

    world.assign("a", 3).await;
    let news = beat(1).await;
    assert_has(&news, &json!({"assignment_version": 2, "revoke": []}));
    assert_eq!(told(&news), [1, 2, 3]);
    assert_eq!(news["assign"][0]["name"], "stream 1");
    assert!(news["assign"][0]["epoch"].as_i64() > Some(0));
    assert!(news.get("full").is_none());

    world.delete("/streams/2").await.ok();
    let news = beat(2).await;
    assert_has(
        &news,
        &json!({"assignment_version": 3, "revoke": [2], "assign": []}),
    );
    assert!(beat(3).await.get("revoke").is_none(), "up to date");
    for stranger in [0, 99] {
        let all = beat(stranger).await;
        assert_has(&all, &json!({"full": true, "assignment_version": 3}));
        assert_eq!(told(&all), [1, 3]);
    }
    let silent = json!({"server_id": "a", "current_streams": 0});
    let silent = world.post("/heartbeat", silent).await.ok();
    assert!(silent.get("assign").is_none(), "nobody asked");
}

#[actix_web::test]
async fn what_a_heartbeat_confirms_is_not_handed_out_again() {
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 2).await;
    world.register("b", 4).await;
    world.assign("a", 2).await;
    world.assign("b", 1).await;
    world.send("POST", "/instances/a/failure").await.ok();
    assert_eq!(world.held("b").await, [1, 2, 3]);
    let delivered = async |id: i64| {
        world.get(&format!("/streams/{id}")).await.ok()["data"]["delivered"].clone()
    };
    assert_eq!(delivered(1).await, false);
    let body = json!({"server_id": "b", "current_streams": 2, "streams": [1, 3]});
    world.post("/heartbeat", body).await.ok();
    settle().await;
    assert_eq!(delivered(1).await, true);
    assert_eq!(ids(&world.assign("b", 0).await["assigned_streams"]), [2]);
}

#[actix_web::test]
async fn streams_are_created_updated_and_keep_what_is_not_said() {
    let world = World::start().await;
    let save = async |streams: Value| world.post("/streams", json!({"streams": streams})).await;
    let saved = save(json!([
        {"id": 7, "name": "seven", "url": "http://seven", "labels": {"k": "v"}, "priority": 3},
        {"name": "eight"}
    ]))
    .await;
    assert_eq!(
        saved.ok(),
        json!({"status": "saved", "created": 2, "updated": 0, "unchanged": 0, "ids": [7, 8]})
    );
    let again = save(
        json!([{"id": 7, "priority": null, "url": null}, {"name": "eight",
        "enabled": false}]),
    )
    .await;
    assert_eq!(
        again.ok(),
        json!({"status": "saved", "created": 0, "updated": 1, "unchanged": 1, "ids": [7, 8]}),
        "what was said of the first is what it was"
    );
    let seven = world.get("/streams/7?urls=full").await.ok();
    assert_eq!(seven["status"], "success");
    assert_has(
        &seven["data"],
        &json!({"id": 7, "name": "seven", "url": "http://seven", "labels": {"k": "v"},
            "priority": 3, "enabled": true, "state": "unclaimed", "server_id": null}),
    );
    assert_has(
        &world.get("/streams/8").await.ok()["data"],
        &json!({"id": 8, "name": "eight", "state": "disabled"}),
    );
    save(json!([{"id": 7, "url": ""}])).await.ok();
    assert_eq!(
        world.get("/streams/7").await.ok()["data"]["url"],
        Value::Null
    );
    save(json!([{"id": 9, "name": "eight"}])).await.problem(409);
    assert_eq!(
        save(json!([{"id": 9}])).await.bad_fields(),
        ["streams[0].name"]
    );
    assert_eq!(save(json!([])).await.ok()["created"], 0);
}

#[actix_web::test]
async fn disabling_or_deleting_a_stream_ends_its_assignment() {
    let world = World::start().await;
    world.streams(1..=3).await;
    world.register("a", 3).await;
    world.assign("a", 3).await;
    let off = json!({"streams": [{"id": 1, "enabled": false}]});
    world.post("/streams", off).await.ok();
    let gone = world.delete("/streams/2").await.ok();
    assert_has(
        &gone,
        &json!({"status": "deleted", "stream_id": 2, "server_id": "a"}),
    );
    assert_eq!(world.held("a").await, [3]);
    world.delete("/streams/2").await.problem(404);
    world.get("/streams/2").await.problem(404);
}

#[actix_web::test]
async fn an_instance_that_leaves_hands_its_streams_on() {
    let world = World::start().await;
    world.streams(1..=4).await;
    // Whatever a worker is called, its path leads to it.
    for id in ["plain", "a/b %2F+ü?#"] {
        world.register(id, 2).await;
        world.assign(id, 2).await;
    }
    world.register("rest", 3).await;
    let path = "/instances/a%2Fb%20%252F+%C3%BC%3F%23";
    let detail = world.get(path).await.ok();
    assert_eq!(detail["data"]["server_id"], "a/b %2F+ü?#");
    let left = world.delete(path).await.ok();
    assert_has(
        &left,
        &json!({"status": "deleted", "server_id": "a/b %2F+ü?#", "streams_redistributed": 2,
            "instances_affected": 1, "streams_orphaned": 0}),
    );
    let left = world.delete("/instances/plain").await.ok();
    assert_has(
        &left,
        &json!({"streams_redistributed": 1, "streams_orphaned": 1}),
    );
    world.delete("/instances/plain").await.problem(404);
    assert_eq!(world.held("rest").await, [1, 3, 4]);
}

/// Reads a list page by page; returns all keys, and how many pages there were.
async fn read_pages(world: &World, path: &str, list: &str, key: &str) -> (Vec<String>, usize) {
    let (mut keys, mut pages, mut after) = (Vec::new(), 0, String::new());
    loop {
        let page = world.get(&format!("{path}?limit=2{after}")).await.ok();
        let items = page[list].as_array().unwrap();
        assert!(items.len() <= 2);
        keys.extend(items.iter().map(|item| item[key].to_string()));
        pages += 1;
        match page.get("next").filter(|next| !next.is_null()) {
            Some(next) => after = format!("&after={}", next.to_string().trim_matches('"')),
            None => return (keys, pages),
        }
    }
}

#[actix_web::test]
async fn lists_are_read_in_pages_or_whole() {
    let world = World::start().await;
    world.streams([5, 1, 9, 3, 7]).await;
    for id in ["x", "y", "z"] {
        world.register(id, 5).await;
    }
    world.assign("y", 5).await;
    let numbers: Vec<String> = ["1", "3", "5", "7", "9"].map(String::from).into();
    assert_eq!(
        read_pages(&world, "/streams", "streams", "id").await,
        (numbers.clone(), 3)
    );
    assert_eq!(
        read_pages(&world, "/streams/assignments", "assignments", "stream_id").await,
        (numbers, 3)
    );
    let (names, pages) = read_pages(&world, "/instances", "instances", "server_id").await;
    assert_eq!(
        (names, pages),
        (["\"z\"", "\"y\"", "\"x\""].map(String::from).into(), 2)
    );
    let whole = world.get("/instances").await.ok();
    assert_eq!(whole["instances"].as_array().unwrap().len(), 3);
    assert!(whole.get("next").is_none());
    let gone = world.get("/instances?limit=2&after=nobody").await;
    assert_eq!(gone.bad_fields(), ["after"]);
}

#[actix_web::test]
async fn long_lists_are_whole_and_the_same_as_their_pages() {
    let world = World::start().await;
    world.streams(1..=3_000).await;
    world.register("a", 3_000).await;
    world.assign("a", 3_000).await;
    let whole = world.get("/streams/assignments").await.ok();
    let whole: Vec<&Value> = whole["assignments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["stream_id"])
        .collect();
    assert_eq!(whole.len(), 3_000);
    let page = world.get("/streams").await.ok();
    assert_eq!(page["streams"].as_array().unwrap().len(), 1_000);
    assert_eq!(page["next"], 1_000);
    assert_eq!(world.held("a").await.len(), 3_000);
}

#[actix_web::test]
async fn prometheus_is_shown_the_fleet_as_it_is() {
    let world = World::start().await;
    world.streams(1..=5).await;
    world.register("a", 3).await;
    world.assign("a", 2).await;
    world.beat("a").await.ok();
    let metrics = world.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    for line in [
        "orchestrator_instances{status=\"active\"} 1",
        "orchestrator_instances{status=\"failed\"} 0",
        "orchestrator_streams{state=\"assigned\"} 2",
        "orchestrator_streams{state=\"unclaimed\"} 3",
        "orchestrator_capacity_streams 3",
        "orchestrator_load_streams 2",
        "orchestrator_heartbeats_total{result=\"accepted\"} 1",
    ] {
        assert!(metrics.text.lines().any(|shown| shown == line), "{line}");
    }
}

/// A path under which a route can be called.
fn concrete(path: &str) -> String {
    if path.starts_with("/console/") {
        return console_file("console.css");
    }
    path.replace("{server_id}", "a")
        .replace("{id}", "1")
        .replace("{name}", "store_reads")
        .replace("{file}", "swagger-ui.css")
}

#[actix_web::test]
async fn every_route_of_the_table_is_served_and_nothing_else() {
    let world = World::start().await;
    // No answer waits for something to happen.
    world.orchestrator.end_polls();
    let table = route_table();
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"];
    for route in table {
        let path = concrete(route.path);
        for method in methods {
            let listed = |wanted: &str| {
                table
                    .iter()
                    .any(|one| one.path == route.path && one.method.as_str() == wanted)
            };
            let answer = world.send(method, &path).await;
            if listed(method) {
                let unrouted = ["/problems/unknown-route", "/problems/method-not-allowed"];
                let is_routed = answer.status == 200
                    || !unrouted.contains(&answer.json()["type"].as_str().unwrap_or_default());
                assert!(is_routed, "{method} {path}: {answer:?}");
            } else {
                answer.problem(405);
                let allow = answer.header("allow").unwrap();
                let allowed: Vec<&str> = allow.split(", ").collect();
                for method in methods {
                    assert_eq!(allowed.contains(&method), listed(method), "{path}: {allow}");
                }
            }
        }
        let head = world.send("HEAD", &path).await.status;
        let is_read = table
            .iter()
            .any(|one| one.path == route.path && one.method.as_str() == "GET");
        assert_eq!(head != 405, is_read, "HEAD {path}");
    }
    assert_eq!(
        table
            .iter()
            .filter(|route| route.origin == Contract::Current)
            .count(),
        71
    );
    for path in [
        "/console",
        "/nothing",
        "/register/",
        "//register",
        "/Register",
        "/instances/",
        "/streams/",
        "/streams/1/2",
        "/instances/a/",
        "/instances/a/b",
        "/rebalance/nothing",
        "/resilience/nothing",
        "/streams/verify/x",
        "/%2e%2e",
        "/instances//metrics",
    ] {
        world.get(path).await.problem(404);
        world.send("POST", path).await.problem(404);
    }
}

#[actix_web::test]
async fn saved_streams_answer_with_their_ids_in_the_order_of_the_request() {
    let world = World::start().await;
    world.streams([5, 9]).await;
    let streams = json!([
        {"name": "stream 9", "priority": 1},
        {"name": "new"},
        {"id": 2, "name": "second"},
        {"id": 5, "name": "stream 5"},
    ]);
    let saved = world.post("/streams", json!({ "streams": streams })).await;
    assert_eq!(
        saved.ok(),
        json!({"status": "saved", "created": 2, "updated": 1, "unchanged": 1,
            "ids": [9, 10, 2, 5]})
    );
}

/// What a 422 says of its only field.
fn only_reason(answer: &Answer) -> String {
    assert_eq!(answer.bad_fields().len(), 1, "{}", answer.text);
    answer.json()["errors"][0]["reason"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[actix_web::test]
async fn unknown_query_parameters_are_refused_but_by_the_calls_of_workers_and_probes() {
    let world = World::start().await;
    let mut ignoring = Vec::new();
    for route in route_table() {
        let path = format!("{}?no_such_thing=1", concrete(route.path));
        let answer = world.send(route.method.as_str(), &path).await;
        if route.parameters == Parameters::Ignored {
            assert!(!answer.text.contains("no_such_thing"), "{route:?}");
            ignoring.push(route.path);
        } else {
            let fields = answer.bad_fields();
            assert!(fields.contains(&"no_such_thing".to_owned()), "{route:?}");
        }
    }
    assert_eq!(
        ignoring,
        [
            "/register",
            "/heartbeat",
            "/streams/assign",
            "/streams/release",
            "/diagnostic",
            "/leader",
            "/health",
            "/ready",
            "/livez",
        ]
    );
}

#[actix_web::test]
async fn an_unknown_query_parameter_is_answered_with_the_nearest_known_one() {
    let world = World::start().await;
    for (path, meant) in [
        ("/instances?stauts=failed", "`status`"),
        ("/instances?labels=zone:a", "`label`"),
        ("/streams?server_id=w05", "`instance`"),
        ("/streams?nam=radio", "`name`"),
        ("/streams?Limit=3", "`limit`"),
        ("/resilience/events?server_id=w05", "`instance`"),
        ("/resilience/events?since=2026-01-01T00:00:00Z", "`from`"),
        ("/resilience/incidents?instnace=a", "`instance`"),
        ("/resilience/alerts?opened=true", "`open`"),
        ("/instances/a/assignments?version=1&waits=30", "`wait`"),
    ] {
        let reason = only_reason(&world.get(path).await);
        let expected = format!("did you mean {meant}?");
        assert!(reason.contains(&expected), "{path}: {reason}");
    }
    let none = only_reason(&world.get("/status?verbose=1").await);
    assert!(none.contains("takes none"), "{none}");
    let all = world.get("/streams?limit=0&sate=orphaned&sate=x").await;
    assert_eq!(
        all.bad_fields(),
        ["limit", "sate"],
        "all at once, each once"
    );
    world.get("/streams?limit=&state=").await.ok();
}

#[actix_web::test]
async fn an_integer_of_a_query_may_be_written_with_a_zero_fraction() {
    let world = World::start().await;
    world.streams(1..=3).await;
    let page = world.get("/streams?limit=1.0&after=1.0").await.ok();
    assert_eq!(page["streams"][0]["id"], 2);
    assert_eq!(page["next"], 2);
    for bad in ["1.5", "+1", "1e400", "", "0x1", "%201"] {
        let answer = world.get(&format!("/streams?limit={bad}")).await;
        assert_eq!(answer.status == 200, bad.is_empty(), "{bad}");
    }
    world.get("/streams/1.0").await.problem(422);
}

fn names(answer: &Value, list: &str, key: &str) -> Vec<Value> {
    let rows = answer[list].as_array().unwrap();
    rows.iter().map(|row| row[key].clone()).collect()
}

#[actix_web::test]
async fn instances_are_found_by_status_and_labels() {
    let world = World::start().await;
    for (id, zone, rack) in [
        ("a", "north", "r1"),
        ("b", "north", "r2"),
        ("c", "south", "r1"),
    ] {
        let body = json!({"server_id": id, "ip": "h", "port": 1,
            "labels": {"zone": zone, "rack": rack}});
        world.post("/register", body).await.ok();
    }
    world.send("POST", "/instances/c/failure").await.ok();
    settle().await;
    let found = async |query: &str| {
        let answer = world.get(&format!("/instances?{query}")).await.ok();
        names(&answer, "instances", "server_id")
    };
    assert_eq!(found("status=failed").await, ["c"]);
    assert_eq!(found("status=active").await, ["b", "a"]);
    assert_eq!(found("label=zone:north").await, ["b", "a"]);
    assert_eq!(found("label=zone:north&label=rack:r1").await, ["a"]);
    assert_eq!(
        found("status=failed&label=zone:north").await,
        [] as [&str; 0]
    );
    let first = world.get("/instances?label=zone:north&limit=1").await.ok();
    assert_eq!(first["next"], "b");
    assert_eq!(found("label=zone:north&limit=1&after=b").await, ["a"]);
    let bad = world.get("/instances?status=dead&label=zone").await;
    assert_eq!(bad.bad_fields(), ["status", "label"]);
}

#[actix_web::test]
async fn streams_are_found_by_owner_state_name_and_labels_page_by_page() {
    let world = World::start().await;
    let streams: Vec<Value> = (1..=9)
        .map(|id| {
            let name = format!("{} {id}", if id % 2 == 0 { "Radio" } else { "camera" });
            json!({"id": id, "name": name, "labels": {"third": (id % 3).to_string()}})
        })
        .collect();
    world
        .post("/streams", json!({"streams": streams}))
        .await
        .ok();
    world.register("a", 5).await;
    world.assign("a", 5).await;
    let found = async |query: &str| {
        let answer = world.get(&format!("/streams?{query}")).await.ok();
        (ids_of(&answer), answer["next"].clone())
    };
    let all = |ids: &[i64]| (ids.to_vec(), Value::Null);
    assert_eq!(found("instance=a").await, all(&[1, 2, 3, 4, 5]));
    assert_eq!(found("instance=nobody").await, all(&[]));
    assert_eq!(found("name=RADIO").await, all(&[2, 4, 6, 8]));
    assert_eq!(found("name=radio&instance=a").await, all(&[2, 4]));
    assert_eq!(found("name=radio&state=unclaimed").await, all(&[6, 8]));
    assert_eq!(found("label=third:0").await, all(&[3, 6, 9]));
    assert_eq!(found("label=third:0&name=dio+6").await, all(&[6]));
    assert_eq!(found("name=radio&limit=3").await, (vec![2, 4, 6], json!(6)));
    assert_eq!(found("name=radio&limit=3&after=6").await, all(&[8]));
    assert_eq!(found("name=radio&limit=4").await, all(&[2, 4, 6, 8]));
    let bad = world.get("/streams?label=:&label=x&name=%00").await;
    assert_eq!(bad.bad_fields(), ["name", "label"]);
}

/// The ids of the streams in an answer.
fn ids_of(answer: &Value) -> Vec<i64> {
    let rows = answer["streams"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[actix_web::test]
async fn long_lists_are_the_same_whatever_their_length() {
    let world = World::start().await;
    let last = 6_000;
    world.streams(1..=last).await;
    world.register("a", 100_000).await;
    world.assign("a", last).await;
    let every: Vec<i64> = (1..=last).collect();
    let assignments = world.get("/streams/assignments").await.ok();
    let streams = names(&assignments, "assignments", "stream_id");
    assert_eq!(json!(streams), json!(every));
    assert_eq!(assignments.get("next"), None);
    let page = world.get("/streams/assignments?limit=5000").await.ok();
    assert_eq!(page["assignments"].as_array().unwrap().len(), 5_000);
    assert_eq!(page["next"], 5_000);
    let catalogue = world.get("/streams?limit=10000").await.ok();
    assert_eq!(ids_of(&catalogue), every);
    assert_eq!(catalogue["next"], Value::Null);
    assert_eq!(world.held("a").await, every);
    let detail = world.get("/instances/a").await;
    assert_begins_with(
        &detail.text,
        &[
            "status",
            "data",
            "server_id",
            "assigned_streams",
            "assignments",
        ],
    );
    assert_eq!(detail.json()["data"]["duplicate_identity"], Value::Null);
    let news = world.get("/instances/a/assignments?version=0").await.ok();
    assert_eq!(news["assign"].as_array().unwrap().len(), every.len());
    assert_eq!(news["revoke"], json!([]));
    // Somewhere among very many.
    let one = world.get("/streams?name=STREAM+5999&limit=1").await.ok();
    assert_eq!((ids_of(&one), &one["next"]), (vec![5_999], &Value::Null));
}

#[actix_web::test]
async fn an_overload_sheds_everything_but_heartbeats_and_probes() {
    let limits = RequestLimits {
        writes: 0,
        reads: 0,
        lists: 0,
        polls: 0,
        followers: 0,
    };
    let world = World::with(HttpSettings {
        limits,
        ..HttpSettings::default()
    })
    .await;
    // A process answers for itself who leads, however busy it is, describes itself, and shows its metrics.
    let own = [
        "/metrics",
        "/leader",
        "/cluster",
        "/cluster/take-over",
        "/openapi.json",
        "/docs",
        "/docs/{file}",
        "/",
        "/console/{set}/{file}",
    ];
    let spared = ["/heartbeat", "/health", "/livez", "/ready"];
    let mut shed = 0;
    for route in route_table() {
        let answer = world
            .send(route.method.as_str(), &concrete(route.path))
            .await;
        if spared.contains(&route.path) || own.contains(&route.path) {
            assert_ne!(answer.status, 503, "{route:?}");
        } else {
            answer.problem(503);
            assert_eq!(answer.header("retry-after"), Some("1"));
            shed += 1;
        }
    }
    assert_eq!(world.orchestrator.telemetry().requests_shed.get(), shed);
    world.beat("a").await.problem(404);
}

#[actix_web::test]
async fn a_permit_comes_back_when_the_answer_is_out() {
    let limits = RequestLimits {
        writes: 1,
        reads: 1,
        lists: 1,
        ..RequestLimits::default()
    };
    let world = World::with(HttpSettings {
        limits,
        ..HttpSettings::default()
    })
    .await;
    for _ in 0..3 {
        world.register("a", 2).await;
        world.get("/status").await.ok();
        world.get("/instances").await.ok();
        world.post("/register", json!({})).await.problem(422);
    }
    pass(1).await;
}
