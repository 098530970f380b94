//! Receivers outside, over HTTP.

use resilient_orchestrator::domain::alert::AlertKind;
use resilient_orchestrator::domain::webhook::Secret;
use serde_json::{Value, json};

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{Answer, World, assert_has, pass, settle};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn put(world: &World, name: &str, body: Value) -> Answer {
    let path = format!("/webhooks/{name}");
    let body = body.to_string().into_bytes();
    world.send_bytes("PUT", &path, body).await
}

async fn order(world: &World, path: &str, body: Value) -> Answer {
    world.post(&format!("/webhooks/{path}"), body).await
}

#[actix_web::test]
async fn a_webhook_is_created_listed_changed_and_deleted_without_its_secret_being_shown() {
    let world = World::start().await;
    let url = "https://me:hidden@hooks.example/x?token=hidden";
    let made = put(&world, "ops", json!({"url": url})).await.ok();
    assert_has(
        &made,
        &json!({"status": "saved", "created": true, "name": "ops", "format": "generic",
            "types": ["alert.*", "event.instance_*"], "enabled": true, "source": "api",
            "url": "https://me:***@hooks.example/x?***", "breaker": "closed", "gone": false}),
    );
    let secret = made["secret"].as_str().unwrap();
    assert!(Secret::parse(secret).unwrap().key().len() >= 24);
    let changed = json!({"format": "slack", "secret": SECRET, "min_severity": "warning"});
    let changed = put(&world, "ops", changed).await.ok();
    assert_has(
        &changed,
        &json!({"created": false, "format": "slack", "min_severity": "warning",
            "url": "https://me:***@hooks.example/***?***"}),
    );
    assert!(changed["previous_secret_until"].is_string());
    assert_eq!(changed.get("secret"), None, "it was given, so it is known");
    let rotated = put(&world, "ops", json!({"rotate_secret": true}))
        .await
        .ok();
    assert_ne!(rotated["secret"], secret);
    let list = world.get("/webhooks").await;
    assert_eq!(list.ok()["webhooks"].as_array().unwrap().len(), 1);
    for hidden in ["hidden", "whsec"] {
        assert!(!list.text.contains(hidden), "{}", list.text);
    }
    let deleted = world.delete("/webhooks/ops").await.ok();
    assert_eq!(deleted, json!({"status": "deleted", "name": "ops"}));
    assert_eq!(world.get("/webhooks").await.ok(), json!({"webhooks": []}));
    for path in ["/webhooks/ops", "/webhooks/ops/deliveries"] {
        let method = if path.ends_with("ops") {
            "DELETE"
        } else {
            "GET"
        };
        let gone = world.send(method, path).await.problem(404);
        assert!(gone["detail"].as_str().unwrap().contains("`ops`"));
    }
    order(&world, "ops/test", json!({})).await.problem(404);
    order(&world, "ops/redeliver", json!({"since": "1h"}))
        .await
        .problem(404);
}

#[actix_web::test]
async fn a_bad_field_of_a_webhook_is_named_and_nothing_is_saved() {
    let world = World::start().await;
    let good = || json!({"url": "https://h.example/", "secret": SECRET});
    for (field, value, named) in [
        ("url", json!("ftp://h.example/"), "url"),
        ("url", json!("http://127.0.0.1:9/"), "url"),
        ("url", json!("http://[::ffff:169.254.169.254]/"), "url"),
        ("url", json!("http://169.254.169.254/latest"), "url"),
        ("url", json!("http://h.example/#x"), "url"),
        ("url", json!(7), "url"),
        ("secret", json!("whsec_c2hvcnQ="), "secret"),
        ("secret", json!("secret"), "secret"),
        ("format", json!("xml"), "format"),
        ("types", json!(["alert.*", "no.such"]), "types[1]"),
        ("types", json!([]), "types"),
        ("types", json!("alert.*"), "types"),
        ("min_severity", json!("loud"), "min_severity"),
        ("enabled", json!("yes"), "enabled"),
        ("rotate_secret", json!(true), "rotate_secret"),
    ] {
        let mut body = good();
        body[field] = value;
        let answer = put(&world, "ops", body).await;
        assert_eq!(answer.bad_fields(), [named], "{}", answer.text);
        assert!(!answer.text.contains("whsec_c2"), "{}", answer.text);
    }
    assert_eq!(put(&world, "ops", json!({})).await.bad_fields(), ["url"]);
    assert_eq!(put(&world, "a%20b", good()).await.bad_fields(), ["name"]);
    let events =
        json!({"url": "https://h.example/", "format": "alertmanager", "types": ["event.*"]});
    assert_eq!(put(&world, "ops", events).await.bad_fields(), ["types"]);
    assert_eq!(world.get("/webhooks").await.ok(), json!({"webhooks": []}));
    put(&world, "ops", good()).await.ok();
    for (body, named) in [
        (json!({}), "ids"),
        (json!({"ids": ["a"], "since": "1h"}), "since"),
        (json!({"ids": []}), "ids"),
        (json!({"since": "tomorrow"}), "since"),
    ] {
        let answer = order(&world, "ops/redeliver", body).await;
        assert_eq!(answer.bad_fields(), [named]);
    }
    let answer = world.get("/webhooks/ops/deliveries?state=lost").await;
    assert_eq!(answer.bad_fields(), ["state"]);
}

#[actix_web::test]
async fn deliveries_are_listed_page_by_page_and_sent_again() {
    let world = World::start().await;
    let types = json!({"url": "https://h.example/", "types": ["alert.*"]});
    put(&world, "ops", types).await.ok();
    let alerts = world.orchestrator.alerts();
    for subject in ["a", "b", "c"] {
        alerts.raise(AlertKind::Flapping, subject, "it flaps");
    }
    pass(2).await;
    let page = world
        .get("/webhooks/ops/deliveries?limit=2&state=pending")
        .await
        .ok();
    let first = &page["deliveries"][0];
    assert_has(
        first,
        &json!({"type": "alert.opened", "state": "pending", "last_status": null,
            "last_answer": "there is no way out"}),
    );
    assert!(first["attempts"].as_i64().unwrap() > 0 && first["next_attempt_at"].is_string());
    let next = page["next"].as_i64().unwrap();
    let rest = format!("/webhooks/ops/deliveries?limit=2&after={next}");
    let rest = world.get(&rest).await.ok();
    assert_eq!(rest["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(rest.get("next"), None);
    let none = world
        .get("/webhooks/ops/deliveries?state=delivered")
        .await
        .ok();
    assert_eq!(none, json!({"deliveries": []}));
    let ids = json!({"ids": [first["id"]]});
    let again = order(&world, "ops/redeliver", ids).await.ok();
    assert_has(&again, &json!({"status": "redelivering", "deliveries": 1}));
    let unknown = order(&world, "ops/redeliver", json!({"ids": ["msg_x"]})).await;
    assert!(
        unknown.problem(404)["detail"]
            .as_str()
            .unwrap()
            .contains("msg_x")
    );
    let tested = order(&world, "ops/test", json!({})).await.ok();
    assert_has(
        &tested,
        &json!({"status": "failed", "type": "webhook.test", "last_answer": "there is no way out"}),
    );
    put(&world, "ops", json!({"enabled": false})).await.ok();
    order(&world, "ops/redeliver", json!({"since": "1h"}))
        .await
        .problem(409);
}

#[actix_web::test]
async fn without_a_store_nothing_is_changed_and_the_list_is_shown() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let world = World::start().await;
    put(&world, "ops", json!({"url": "https://h.example/"}))
        .await
        .ok();
    world.store.set_outage(Some(Outage::Refusing));
    for _ in 0..2 {
        put(&world, "two", json!({"url": "https://h.example/"}))
            .await
            .problem(503);
        world.delete("/webhooks/ops").await.problem(503);
        pass(20).await;
    }
    assert_eq!(
        world.get("/webhooks").await.ok()["webhooks"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let page = world.get("/webhooks/ops/deliveries").await.ok();
    assert!(page["stale_since"].is_string());
    world.store.set_outage(None);
    settle().await;
}

#[actix_web::test]
async fn the_object_of_an_event_is_the_one_that_lists_show() {
    let world = World::start().await;
    world.register("a", 5).await;
    world.streams(1..=3).await;
    world.assign("a", 2).await;
    settle().await;
    let listed = world.get("/resilience/events").await.ok();
    let events = world.orchestrator.archive().events(0, 100).await.unwrap();
    assert!(events.len() > 5);
    for (stored, shown) in events.iter().zip(listed["events"].as_array().unwrap()) {
        let object = resilient_orchestrator::actors::event_fields::event_object(stored);
        assert_eq!(&Value::Object(object), shown);
    }
}
