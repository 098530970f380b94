//! While the store is out: heartbeats and reads are answered, what must write is told to come
//! back, and nothing that was answered is lost. Before there is a fleet everything is told so.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::time::Duration;

use crate::support_http::faults::{Fault, Outage};
use crate::support_http::support_log::expect_errors;
use crate::support_http::{NEW_YEAR, World};
use crate::support_http::{assert_has, ids, pass, settle};
use actix_web::http::header;
use actix_web::{body, test};
use resilient_orchestrator::actors::leadership::{ClusterView, Office};
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::ids::Term;
use resilient_orchestrator::http::{self, Awaited, Gate, Phase, Starting, route_table};
use serde_json::{Value, json};

/// Every call that writes, with a body that would be carried out.
async fn writes(world: &World) -> Vec<(&'static str, crate::support_http::Answer)> {
    let register = json!({"server_id": "new", "ip": "h", "port": 1});
    let ask = json!({"server_id": "a", "requested_count": 1});
    let release = json!({"server_id": "a", "stream_ids": [1]});
    let save = json!({"streams": [{"id": 50, "name": "fifty"}]});
    vec![
        ("register", world.post("/register", register).await),
        ("assign", world.post("/streams/assign", ask).await),
        ("release", world.post("/streams/release", release).await),
        ("save", world.post("/streams", save).await),
        ("delete stream", world.delete("/streams/3").await),
        ("failure", world.send("POST", "/instances/a/failure").await),
        ("delete instance", world.delete("/instances/a").await),
    ]
}

async fn prepared() -> World {
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 3).await;
    world.register("b", 3).await;
    world.assign("a", 2).await;
    world
}

#[actix_web::test]
async fn writes_are_told_to_come_back_and_everything_else_goes_on() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    outage(Outage::Refusing).await;
}

#[actix_web::test]
async fn a_store_that_hangs_is_a_store_that_is_out() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    outage(Outage::Unreachable).await;
}

async fn outage(outage: Outage) {
    let world = prepared().await;
    let before = world.saved().await;
    world.store.set_outage(Some(outage));
    for (name, answer) in writes(&world).await {
        let problem = answer.problem(503);
        assert_eq!(
            problem["type"], "/problems/database-unavailable",
            "{outage:?} {name}"
        );
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
    world.beat("a").await.ok();
    world.beat("b").await.ok();
    assert_has(
        &world.get("/health").await.ok(),
        &json!({"status": "healthy", "database": "unavailable"}),
    );
    assert_eq!(world.get("/ready").await.status, 200);
    assert_eq!(world.saved().await, before, "{outage:?}");
    let empty = json!({"server_id": "a", "stream_ids": []});
    world.post("/streams/release", empty).await.ok();
    let metrics = world.get("/instances/a/metrics").await.ok();
    assert_eq!(metrics["complete"], false);

    world.store.calm_down();
    pass(61).await;
    assert_eq!(world.get("/health").await.ok()["database"], "available");
    world.assign("a", 1).await;
    assert_eq!(
        world.get("/instances/a/metrics").await.ok()["complete"],
        true
    );
}

#[actix_web::test]
async fn a_write_that_was_carried_out_after_all_is_shown_once_that_is_known() {
    doubt(Fault::WrittenInDoubt, &[3, 4]).await;
}

#[actix_web::test]
async fn a_write_that_was_lost_is_never_shown() {
    doubt(Fault::LostInDoubt, &[]).await;
}

async fn doubt(fault: Fault, settled: &[i64]) {
    let world = prepared().await;
    world.store.script_saves([fault]);
    world.store.set_outage(Some(Outage::Refusing));
    let ask = json!({"server_id": "b", "requested_count": 2});
    world.post("/streams/assign", ask).await.problem(503);
    assert!(world.held("b").await.is_empty(), "not known, so not shown");
    world.beat("b").await.ok();
    world.store.calm_down();
    pass(3).await;
    assert_eq!(world.held("b").await, settled, "{fault:?}");
    // The worker asks again, as if nothing had happened, and the list says what it runs.
    world.assign("b", 2).await;
    assert_eq!(world.held("b").await, [3, 4]);
}

#[actix_web::test]
async fn what_the_store_refuses_is_the_value_s_fault_and_not_our_mistake() {
    let world = prepared().await;
    let before = world.saved().await;
    world.store.refuse_content();
    for (name, answer) in writes(&world).await {
        let problem = answer.problem(422);
        assert!(!answer.text.contains("secret"), "{name}: {problem}");
    }
    world.store.calm_down();
    settle().await;
    assert_eq!(world.saved().await, before);
}

#[actix_web::test]
async fn silence_during_an_outage_is_acted_on_when_the_store_is_back() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let world = prepared().await;
    world.store.set_outage(Some(Outage::Refusing));
    for _ in 0..40 {
        pass(10).await;
        world.beat("b").await.ok();
    }
    assert_eq!(world.held("a").await, [1, 2], "not saved, so not shown");
    world.store.calm_down();
    pass(61).await;
    world.beat("b").await.ok();
    assert_eq!(world.held("b").await, [1, 2]);
    assert_eq!(ids(&world.assign("b", 0).await["assigned_streams"]), [1, 2]);
}

/// The view of a process that has its store for itself.
fn view(clock: &Clock) -> ClusterView {
    Office::embedded(Term::new(1), clock).view().clone()
}

/// A start that waits, and goes on in `seconds`.
fn starting(clock: &Clock, awaited: Awaited, seconds: u64) -> Phase {
    Phase::Starting(Starting {
        awaited,
        since: NEW_YEAR,
        next_step_at: clock.since_made() + Duration::from_secs(seconds),
    })
}

/// Status, `Retry-After`, content type and body.
async fn ask(gate: &Gate, method: &str, path: &str) -> (u16, Option<String>, String, Value) {
    let app = test::init_service(http::app(gate.clone())).await;
    let request = test::TestRequest::with_uri(path)
        .method(method.parse().unwrap())
        .set_payload("{}");
    let answer = test::call_service(&app, request.to_request()).await;
    let named = |name| {
        let value = answer.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let (retry, kind) = (named(header::RETRY_AFTER), named(header::CONTENT_TYPE));
    let status = answer.status().as_u16();
    let text = body::to_bytes(answer.into_body()).await.unwrap();
    let json = serde_json::from_slice(&text).unwrap_or_default();
    (status, retry, kind.unwrap_or_default(), json)
}

#[actix_web::test]
async fn before_the_fleet_is_loaded_every_route_is_503_and_says_when_to_come_back() {
    tokio::time::pause();
    let clock = VirtualTime::starting_at(NEW_YEAR).clock();
    for awaited in [Awaited::Database, Awaited::Fleet] {
        let gate = Gate::new(view(&clock), starting(&clock, awaited, 7));
        let known = route_table();
        let known = known
            .iter()
            .map(|route| (route.method.as_str(), route.path));
        let unknown = [
            ("GET", "/no/such/route"),
            ("PUT", "/heartbeat"),
            ("GET", "/console"),
        ];
        // A process answers for itself who leads, in every phase.
        let probes = [
            "/livez",
            "/ready",
            "/leader",
            "/cluster",
            "/cluster/take-over",
            // Of the process alone.
            "/metrics",
            "/logs",
            "/settings",
            // Of the caller.
            "/whoami",
            "/session",
            "/openapi.json",
            "/docs",
            "/docs/{file}",
            "/",
            "/console/{set}/{file}",
        ];
        for (method, path) in known.chain(unknown) {
            let path = path.replace("{server_id}", "a").replace("{id}", "1");
            if probes.contains(&path.as_str()) {
                continue;
            }
            let (status, retry, kind, problem) = ask(&gate, method, &path).await;
            assert_eq!(status, 503, "{method} {path}");
            assert_eq!(retry.as_deref(), Some("8"), "{method} {path}");
            assert_eq!(kind, "application/problem+json", "{method} {path}");
            assert_eq!(problem["status"], 503, "{method} {path}");
            assert_eq!(problem["type"], "/problems/starting");
            assert!(problem["detail"].as_str().unwrap().contains("is starting"));
        }
    }
}

#[actix_web::test]
async fn before_the_fleet_is_loaded_the_process_is_alive_and_not_ready() {
    tokio::time::pause();
    let clock = VirtualTime::starting_at(NEW_YEAR).clock();
    for (awaited, database) in [
        (Awaited::Database, "unavailable"),
        (Awaited::Fleet, "available"),
    ] {
        let gate = Gate::new(view(&clock), starting(&clock, awaited, 0));
        let (status, _, _, alive) = ask(&gate, "GET", "/livez").await;
        assert_eq!((status, &alive["status"]), (200, &json!("alive")));
        assert_eq!(ask(&gate, "HEAD", "/livez").await.0, 200);
        let (status, retry, _, ready) = ask(&gate, "GET", "/ready").await;
        assert_eq!((status, retry.as_deref()), (503, Some("1")));
        assert_has(
            &ready,
            &json!({"status": "not_ready",
                "services": {"fleet": "unavailable", "database": database}}),
        );
        assert!(ready["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}

#[actix_web::test]
async fn before_the_fleet_is_loaded_and_on_a_standby_the_process_is_measured() {
    tokio::time::pause();
    let clock = VirtualTime::starting_at(NEW_YEAR).clock();
    for phase in [starting(&clock, Awaited::Fleet, 7), Phase::Standby] {
        let gate = Gate::new(view(&clock), phase);
        let app = test::init_service(http::app(gate)).await;
        let request = test::TestRequest::with_uri("/metrics").to_request();
        let answer = test::call_service(&app, request).await;
        assert_eq!(answer.status().as_u16(), 200);
        let text = body::to_bytes(answer.into_body()).await.unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        let has = |begin: &str| text.lines().any(|line| line.starts_with(begin));
        assert!(has("orchestrator_ready 0"), "{text}");
        assert!(has("orchestrator_build_info{") && has("process_cpu_seconds_total "));
        assert!(!has("orchestrator_streams"), "it knows no fleet");
    }
}

#[actix_web::test]
async fn the_description_of_the_api_is_served_in_every_phase() {
    tokio::time::pause();
    let clock = VirtualTime::starting_at(NEW_YEAR).clock();
    for phase in [starting(&clock, Awaited::Database, 7), Phase::Standby] {
        let app = test::init_service(http::app(Gate::new(view(&clock), phase))).await;
        let style = http::console_file("console.css");
        for path in [
            "/openapi.json",
            "/docs",
            "/docs/swagger-ui.css",
            "/",
            &style,
        ] {
            let request = test::TestRequest::with_uri(path).to_request();
            let answer = test::call_service(&app, request).await;
            assert_eq!(answer.status().as_u16(), 200, "{path}");
            assert!(answer.headers().contains_key("etag"), "{path}");
        }
        let request = test::TestRequest::with_uri("/docs/other").to_request();
        let answer = test::call_service(&app, request).await;
        assert_eq!(answer.status().as_u16(), 404);
    }
}

#[actix_web::test]
async fn the_gate_opens_for_a_loaded_fleet_and_may_close_again() {
    let world = World::start().await;
    world.register("a", 3).await;
    let clock = world.orchestrator.clock().clone();
    let gate = Gate::new(view(&clock), starting(&clock, Awaited::Fleet, 0));
    assert_eq!(ask(&gate, "GET", "/instances/a").await.0, 503);
    gate.set(Phase::Serving(world.state.clone()));
    let (status, _, _, answer) = ask(&gate, "GET", "/instances/a").await;
    assert_eq!((status, &answer["data"]["server_id"]), (200, &json!("a")));
    assert_eq!(ask(&gate, "GET", "/instances/b").await.0, 404);
    gate.set(starting(&clock, Awaited::Database, 0));
    assert_eq!(ask(&gate, "GET", "/instances/b").await.0, 503);
}
