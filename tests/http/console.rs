//! The pages at `/`: what the program serves of the console, and what it says beside events for it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use resilient_orchestrator::http::console_file;
use serde_json::{Value, json};

use crate::support_http::{World, pass};

/// The names of the files in `web`, apart from the page itself.
fn files() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let names = fs::read_dir(folder).unwrap();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".js") || name.ends_with(".css"))
        .collect()
}

#[actix_web::test]
async fn the_page_loads_every_file_of_the_console_and_nothing_else() {
    let world = World::start().await;
    let page = world.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let prefix = console_file("");
    let named: BTreeSet<String> = page
        .text
        .split('"')
        .filter_map(|part| part.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect();
    assert_eq!(named, files());
    assert!(!page.text.contains("://"), "another host");
    assert!(!page.text.contains(" style="), "the policy refuses it");
    assert!(!page.text.contains("__SET__"));
    let scripts = page.text.matches("<script").count();
    assert_eq!(
        scripts,
        page.text.matches("<script type=\"module\" src=").count()
    );
}

#[actix_web::test]
async fn files_are_small_compressed_kept_and_under_a_strict_policy() {
    let world = World::start().await;
    // As a browser asks for it.
    let compressed = [("accept-encoding", "gzip")];
    let page = world.send_with("GET", "/", &compressed, Vec::new()).await;
    assert_eq!(page.header("content-encoding"), Some("gzip"));
    assert_eq!(page.text, world.get("/").await.text);
    let mut wire = page.bytes.len();
    for name in files() {
        let path = console_file(&name);
        let file = world.send_with("GET", &path, &compressed, Vec::new()).await;
        assert_eq!(file.status, 200, "{name}");
        assert_eq!(file.header("content-encoding"), Some("gzip"), "{name}");
        assert_eq!(
            file.header("cache-control"),
            Some("public, max-age=31536000, immutable"),
            "{name}"
        );
        let policy = file.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        wire += file.bytes.len();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("web")
            .join(&name);
        assert_eq!(file.text, fs::read_to_string(source).unwrap(), "{name}");
    }
    assert!(wire < 100_000, "{wire} bytes over the wire");
}

#[actix_web::test]
async fn a_path_that_is_no_file_of_the_console_is_404() {
    let world = World::start().await;
    let set = console_file("");
    for path in [
        "/console".to_owned(),
        "/console/".to_owned(),
        format!("{set}other.js"),
        format!("{set}index.html"),
        format!("{set}../Cargo.toml"),
        format!("{set}..%2f..%2fCargo.toml"),
        format!("{set}%2e%2e"),
        "/console/../Cargo.toml".to_owned(),
        "/../Cargo.toml".to_owned(),
        "/..%2fCargo.toml".to_owned(),
        "/console/000000000000/main.js".to_owned(),
    ] {
        let problem = world.get(&path).await.problem(404);
        assert_eq!(problem["type"], "/problems/unknown-route", "{path}");
    }
    world.get("/?lang=en").await.problem(422);
}

#[actix_web::test]
async fn the_table_of_the_fleet_has_every_instance_in_columns() {
    let world = World::start().await;
    world.streams(1..=3).await;
    for (id, zone) in [("a", "north"), ("b", "north"), ("\u{202e}<b>", "south")] {
        let body = json!({"server_id": id, "ip": "10.0.0.1", "port": 80, "max_streams": 2,
            "labels": {"zone": zone}});
        world.post("/register", body).await.ok();
    }
    world.assign("a", 2).await;
    world.post("/instances/b/cordon", json!({})).await.ok();
    pass(2).await;
    let path = "/fleet";
    let plain = world
        .send_with("GET", path, &[("accept-encoding", "identity")], Vec::new())
        .await;
    assert_eq!(plain.header("content-encoding"), None);
    let table = plain.ok();
    let columns = table["columns"].as_array().unwrap();
    let at = |row: &Value, name: &str| {
        let place = columns.iter().position(|column| column == name).unwrap();
        row[place].clone()
    };
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    let named = |id: &str| rows.iter().find(|row| row[0] == id).unwrap();
    let state = |id: &str| {
        let place = at(named(id), "status").as_u64().unwrap();
        table["states"][place as usize].clone()
    };
    assert_eq!(at(named("a"), "streams"), 2);
    assert_eq!(at(named("a"), "owned"), 2);
    assert_eq!(at(named("a"), "max_streams"), 2);
    assert_eq!(state("a"), "active");
    assert_eq!(at(named("a"), "schedulable"), true);
    assert_eq!(at(named("b"), "schedulable"), false);
    assert!(at(named("a"), "silence_ms").as_u64().unwrap() >= 2_000);
    // Labels that repeat stand there once.
    assert_eq!(at(named("a"), "labels"), at(named("b"), "labels"));
    assert_eq!(table["labels"].as_array().unwrap().len(), 2);
    let packed = world
        .send_with("GET", path, &[("accept-encoding", "gzip")], Vec::new())
        .await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.ok()["rows"].as_array().unwrap().len(), 3);
}

/// The contents of the frames of a kind.
fn frames(text: &str, kind: &str) -> Vec<Value> {
    let start = format!("event: {kind}\ndata: ");
    let frames = text
        .split("\n\n")
        .filter_map(|frame| frame.strip_prefix(&start));
    frames
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[actix_web::test]
async fn a_follower_that_asks_for_figures_gets_them_at_once_and_whenever_they_change() {
    let world = World::start().await;
    world.register("a", 4).await;
    let mut opened = world
        .open("/resilience/events/stream?figures=true&beats=a", &[])
        .await;
    let text = opened.soon().await;
    let figures = frames(&text, "figures");
    for (place, value) in [
        ("/status/instances/total", json!(1)),
        ("/health/system_health", json!("healthy")),
        ("/alerts", json!({})),
        ("/brake/state", json!("open")),
        ("/leader/role", json!("leader")),
        ("/breakers/store_writes", json!("closed")),
        ("/stale_since", json!(null)),
    ] {
        assert_eq!(figures[0].pointer(place), Some(&value), "{place}");
    }
    assert!(figures[0]["now"].as_str().unwrap().ends_with('Z'));
    let beats = frames(&text, "beat");
    assert_eq!(beats.len(), 1, "{text}");
    assert_eq!(beats[0]["server_id"], "a");
    world.streams(1..=2).await;
    world.beat("a").await;
    let text = opened.soon().await + &opened.soon().await + &opened.soon().await;
    let changed = frames(&text, "figures");
    assert_eq!(changed.len(), 1, "{text}");
    assert_eq!(changed[0]["status"]["streams"]["total"], 2);
    assert_eq!(frames(&text, "beat").len(), 1, "{text}");
    assert!(
        !text.contains("event: figures\nid:") && text.contains("id: "),
        "figures have no number: nothing resumes after them"
    );
    // Nothing happens, so nothing is sent.
    let quiet = opened.soon().await + &opened.soon().await;
    assert_eq!(quiet, "");
}

#[actix_web::test]
async fn a_follower_that_does_not_ask_for_figures_gets_events_only() {
    let world = World::start().await;
    let mut opened = world.open("/resilience/events/stream", &[]).await;
    opened.next().await.unwrap();
    world.register("a", 4).await;
    pass(3).await;
    let text = opened.soon().await;
    assert!(text.starts_with("id: "), "{text}");
    assert!(!text.contains("event: figures") && !text.contains("event: beat"));
}

#[actix_web::test]
async fn heartbeats_of_an_unknown_instance_are_followed_without_an_error() {
    let world = World::start().await;
    let path = "/resilience/events/stream?beats=ghost&kind=instance_registered";
    let mut opened = world.open(path, &[]).await;
    opened.next().await.unwrap();
    assert_eq!(opened.soon().await, "");
    world.register("ghost", 1).await;
    let text = opened.soon().await + &opened.soon().await;
    assert_eq!(frames(&text, "beat").len(), 1, "{text}");
    let bad = world.get("/resilience/events/stream?figures=perhaps").await;
    assert_eq!(bad.bad_fields(), ["figures"]);
}
