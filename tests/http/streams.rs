//! Requests about streams that are only tried, and the URLs of streams in answers.

use crate::support_http::{World, assert_has};
use serde_json::json;

#[actix_web::test]
async fn a_dry_run_of_a_save_counts_and_saves_nothing() {
    let world = World::start().await;
    world.streams(1..=2).await;
    let before = world.get("/streams").await.ok();
    let version = world.get("/status").await.ok();
    let body = json!({"streams": [{"id": 1, "name": "s1", "priority": 7}, {"name": "new"},
        {"id": 2}]});
    let tried = world.post("/streams?dry_run=true", body.clone()).await.ok();
    let expected = json!({"status": "checked", "dry_run": true, "created": 1, "updated": 1,
        "unchanged": 1, "ids": [1, 3, 2]});
    assert_eq!(tried, expected);
    assert_eq!(world.get("/streams").await.ok(), before);
    assert_eq!(world.get("/status").await.ok(), version);
    let saved = world.post("/streams?dry_run=false", body).await.ok();
    assert_has(
        &saved,
        &json!({"status": "saved", "created": 1, "updated": 1, "unchanged": 1, "ids": [1, 3, 2]}),
    );
    assert!(saved.get("dry_run").is_none());
}

#[actix_web::test]
async fn a_dry_run_refuses_what_the_save_would_refuse_and_names_each_entry() {
    let world = World::start().await;
    world.streams(1..=2).await;
    let names = world.get("/streams").await.ok();
    let (first, second) = (&names["streams"][0]["name"], &names["streams"][1]["name"]);
    let taken = json!({"streams": [{"id": 7, "name": second}, {"id": 8, "name": "fine"},
        {"id": 9, "name": first}]});
    for path in ["/streams?dry_run=true", "/streams"] {
        let problem = world.post(path, taken.clone()).await.problem(409);
        let fields = problem["errors"].as_array().unwrap();
        let named: Vec<_> = fields.iter().map(|error| &error["field"]).collect();
        assert_eq!(named, ["streams[0].name", "streams[2].name"], "{problem}");
        let nameless = json!({"streams": [{"id": 7}, {"id": 8}]});
        let fields = world.post(path, nameless).await.bad_fields();
        assert_eq!(fields, ["streams[0].name", "streams[1].name"]);
    }
    let word = world
        .post("/streams?dry_run=perhaps", json!({"streams": []}))
        .await;
    assert_eq!(word.bad_fields(), ["dry_run"]);
}

#[actix_web::test]
async fn urls_are_masked_unless_the_caller_asks_for_them() {
    let world = World::start().await;
    let url = "rtsp://admin:geheim@10.0.0.8/cam";
    let body = json!({"streams": [{"name": "camera", "url": url}, {"name": "none"}]});
    world.post("/streams", body).await.ok();
    for path in [
        "/streams",
        "/streams?urls=masked",
        "/streams/1",
        "/streams/1?urls=masked",
    ] {
        let answer = world.get(path).await;
        answer.ok();
        assert!(answer.text.contains("rtsp://10.0.0.8/…"), "{}", answer.text);
        assert!(!answer.text.contains("geheim"), "{}", answer.text);
    }
    let list = world.get("/streams?urls=full").await.ok();
    assert_eq!(list["streams"][0]["url"], url);
    assert_eq!(list["streams"][1]["url"], json!(null));
    let one = world.get("/streams/1?urls=full").await.ok();
    assert_eq!(one["data"]["url"], url);
    for path in ["/streams?urls=all", "/streams/1?urls=all"] {
        assert_eq!(world.get(path).await.bad_fields(), ["urls"]);
    }
}

#[actix_web::test]
async fn a_masked_url_that_comes_back_replaces_nothing() {
    let world = World::start().await;
    let url = "rtsp://admin:geheim@10.0.0.8/cam";
    let body = json!({"streams": [{"name": "camera", "url": url}]});
    world.post("/streams", body).await.ok();
    let mut read = world.get("/streams/1").await.ok()["data"].take();
    let back = json!({ "streams": [read] });
    let refused = world.post("/streams", back).await;
    assert_eq!(refused.bad_fields(), ["streams[0].url"]);
    read = world.get("/streams/1?urls=full").await.ok()["data"].take();
    assert_eq!(read["url"], url);
    let back = world.post("/streams", json!({ "streams": [read] })).await;
    assert_has(&back.ok(), &json!({"unchanged": 1}));
}

#[actix_web::test]
async fn no_password_is_in_what_everybody_may_read() {
    let world = World::start().await;
    let url = "rtsp://admin:geheim@10.0.0.8/cam";
    let body = json!({"streams": [{"id": 1, "name": "camera", "url": url}]});
    world.post("/streams", body).await.ok();
    world.register("a", 2).await;
    world.assign("a", 2).await;
    let taken = json!({"streams": [{"id": 2, "name": "camera", "url": url},
        {"id": 3, "name": "\u{1}", "url": format!("{url}\u{1}"), "priority": url}]});
    let refused = world.post("/streams", taken).await;
    assert!(!refused.text.contains("geheim"), "{}", refused.text);
    for path in [
        "/streams",
        "/streams/1",
        "/streams/assignments",
        "/instances",
        "/instances/a",
        "/resilience/events",
        "/resilience/status",
        "/resilience/alerts",
        "/metrics",
        "/status",
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text.contains("geheim"), "{path}: {}", answer.text);
    }
    let worker = world.get("/instances/a/assignments?version=0").await;
    assert!(worker.text.contains(url), "{}", worker.text);
}
