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
