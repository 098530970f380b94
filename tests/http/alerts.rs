//! Alerts that are read: one for a lost rack, acknowledgements, silences, and what each alert advises.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use resilient_orchestrator::http::HttpSettings;
use serde_json::{Value, json};

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, pass, settle};

async fn register(world: &World, id: &str, rack: &str) {
    let body = json!({"server_id": id, "ip": "10.0.0.1", "port": 1, "max_streams": 4,
        "labels": {"rack": rack}});
    world.post("/register", body).await.ok();
}

async fn open(world: &World) -> Vec<Value> {
    let answer = world.get("/resilience/alerts?open=true").await.ok();
    answer["alerts"].as_array().cloned().unwrap()
}

/// The open alert about an instance that has failed.
async fn failed(world: &World, id: &str) -> Value {
    world
        .post(&format!("/instances/{id}/failure"), json!({}))
        .await
        .ok();
    pass(2).await;
    let alerts = open(world).await;
    let mut found = alerts.into_iter().filter(|alert| alert["subject"] == id);
    found.next().unwrap()
}

/// Two instances; `a` has failed, which is the only alert.
async fn one_failure() -> (World, Value) {
    let world = World::start().await;
    for id in ["a", "b", "c"] {
        register(&world, id, "r1").await;
    }
    let alert = failed(&world, "a").await;
    (world, alert)
}

async fn again(world: World) -> World {
    World::on(world.store, HttpSettings::default()).await
}

#[actix_web::test]
async fn a_lost_rack_is_one_alert_that_names_it_and_lists_its_instances() {
    expect_errors(&["alert instance_failed"]);
    let world = World::start().await;
    let well: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    for id in ["r0", "r1", "r2", "r3"] {
        register(&world, id, "r7").await;
        pass(5).await;
    }
    for id in &well {
        register(&world, id, "r8").await;
    }
    for _ in 0..11 {
        pass(30).await;
        for id in &well {
            world.beat(id).await;
        }
        let alerts = open(&world).await;
        assert!(alerts.len() <= 1, "never more than one: {alerts:?}");
    }
    let [alert] = open(&world).await.try_into().unwrap();
    assert_has(
        &alert,
        &json!({"kind": "instance_failed", "subject": "label rack=r7", "severity": "critical",
            "instances": ["r0", "r1", "r2", "r3"], "runbook": "docs/OPERATIONS.md#instance_failed",
            "acknowledged": null, "silenced_by": []}),
    );
    assert!(alert["repeats"].as_u64().is_some_and(|repeats| repeats < 4));
    for id in ["r0", "r1", "r2"] {
        world.beat(id).await;
    }
    settle().await;
    pass(2).await;
    let [left] = open(&world).await.try_into().unwrap();
    assert_has(
        &left,
        &json!({"id": alert["id"], "subject": "label rack=r7", "instances": ["r3"]}),
    );
    world.beat("r3").await;
    settle().await;
    pass(2).await;
    assert_eq!(open(&world).await, [] as [Value; 0]);
}

#[actix_web::test]
async fn what_drains_or_is_in_maintenance_raises_nothing() {
    let world = World::start().await;
    for id in ["a", "b", "c"] {
        register(&world, id, "r1").await;
    }
    world.post("/instances/a/drain", json!({})).await.ok();
    let until = json!({"for": "2h", "reason": "new disks"});
    world.post("/instances/b/maintenance", until).await.ok();
    settle().await;
    for _ in 0..30 {
        pass(60).await;
        world.beat("c").await;
    }
    let kinds: Vec<Value> = open(&world)
        .await
        .into_iter()
        .map(|alert| alert["kind"].clone())
        .collect();
    assert!(
        !kinds.iter().any(|kind| kind == "instance_failed"),
        "{kinds:?}"
    );
    assert!(
        !kinds.iter().any(|kind| kind == "system_health"),
        "{kinds:?}"
    );
}

#[actix_web::test]
async fn an_alert_is_acknowledged_with_a_note_that_outlives_a_restart() {
    let (world, alert) = one_failure().await;
    assert_has(
        &alert,
        &json!({"kind": "instance_failed", "severity": "warning", "repeats": 0}),
    );
    let subject = alert["subject"].as_str().unwrap();
    assert_eq!(alert["cause"]["key"], format!("instance:{subject}"));
    assert!(
        alert["advice"]
            .as_str()
            .unwrap()
            .contains("orchestrator incidents")
    );
    let path = format!("/resilience/alerts/{}/acknowledge", alert["id"]);
    let answer = world
        .post(&path, json!({"note": "Mara looks at it"}))
        .await
        .ok();
    assert_has(
        &answer,
        &json!({"status": "acknowledged", "id": alert["id"], "saved": true}),
    );
    let seen = json!({"by": "operator", "note": "Mara looks at it"});
    assert_has(&answer["acknowledged"], &seen);
    let listed = open(&world).await[0].clone();
    assert_has(&listed["acknowledged"], &seen);
    assert_eq!(listed["acknowledged"]["at"], answer["acknowledged"]["at"]);
    settle().await;
    let trail = world
        .get("/resilience/events?kind=alert_acknowledged")
        .await
        .ok();
    assert_has(
        &trail["events"][0],
        &json!({"alert": alert["id"], "alert_kind": "instance_failed", "subject": "a",
            "actor": "operator", "by": "operator", "note": "Mara looks at it"}),
    );
    let world = again(world).await;
    settle().await;
    assert_has(&open(&world).await[0]["acknowledged"], &seen);
    // The note may be left out, and the body too.
    let answer = world.send("POST", &path).await.ok();
    assert_eq!(answer["acknowledged"]["note"], Value::Null);
}

#[actix_web::test]
async fn an_alert_that_is_closed_or_unknown_is_not_acknowledged() {
    let (world, alert) = one_failure().await;
    let path = |id: &Value| format!("/resilience/alerts/{id}/acknowledge");
    let refused = world.post(&path(&json!(7)), json!({})).await.problem(404);
    assert_eq!(refused["type"], "/problems/unknown-alert");
    let refused = world.post(&path(&json!("x")), json!({})).await;
    assert_eq!(refused.status, 422);
    let answer = world
        .post(&path(&alert["id"]), json!({"note": "n".repeat(513)}))
        .await;
    assert_eq!(answer.bad_fields(), ["note"]);
    world.beat("a").await;
    settle().await;
    pass(2).await;
    let refused = world
        .post(&path(&alert["id"]), json!({}))
        .await
        .problem(409);
    assert!(
        refused["detail"].as_str().unwrap().contains("is closed"),
        "{refused}"
    );
    let trail = world
        .get("/resilience/events?kind=alert_acknowledged")
        .await
        .ok();
    assert_eq!(trail["events"], json!([]), "nothing was changed");
}

#[actix_web::test]
async fn a_silence_applies_to_what_it_matches_until_its_end() {
    expect_errors(&["alert instance_failed"]);
    let (world, alert) = one_failure().await;
    let silence = async |matchers: Value, span: &str| -> Value {
        let body = json!({"matchers": matchers, "for": span, "reason": "the rack is moved"});
        world.post("/resilience/silences", body).await.ok()
    };
    let matching = silence(
        json!([{"name": "kind", "value": "instance_.*", "is_regex": true},
            {"name": "label:rack", "value": "r1"}]),
        "10m",
    )
    .await;
    let other = silence(json!([{"name": "instance", "value": "b"}]), "1h").await;
    assert_eq!(
        open(&world).await[0]["silenced_by"],
        json!([matching["id"]])
    );
    assert_eq!(
        open(&world).await[0]["id"],
        alert["id"],
        "it is listed still"
    );
    let listed = world.get("/resilience/silences").await.ok();
    let listed = listed["silences"].as_array().cloned().unwrap();
    assert_eq!(
        [&listed[0]["id"], &listed[1]["id"]],
        [&other["id"], &matching["id"]]
    );
    assert_has(
        &listed[1],
        &json!({"by": "operator", "reason": "the rack is moved", "until": "2026-01-01T00:10:02.004000Z",
            "matchers": [{"name": "kind", "value": "instance_.*", "is_regex": true},
                {"name": "label:rack", "value": "r1", "is_regex": false}]}),
    );
    pass(601).await;
    assert_eq!(
        open(&world).await[0]["silenced_by"],
        json!([]),
        "it has expired by itself"
    );
    let listed = world.get("/resilience/silences").await.ok();
    assert_eq!(listed["silences"].as_array().unwrap().len(), 1);
    let trail = world
        .get("/resilience/events?kind=silence_added,silence_ended")
        .await
        .ok();
    let trail: Vec<(&Value, &Value)> = (trail["events"].as_array().unwrap().iter())
        .map(|event| (&event["kind"], &event["by"]))
        .collect();
    let (added, ended) = (json!("silence_added"), json!("silence_ended"));
    let (operator, program) = (json!("operator"), json!("program"));
    assert_eq!(
        trail,
        [(&added, &operator), (&added, &operator), (&ended, &program)]
    );
}

#[actix_web::test]
async fn a_silence_outlives_a_restart_and_is_ended_by_an_order() {
    let (world, _) = one_failure().await;
    let body = json!({"matchers": [{"name": "instance", "value": "a"}],
        "until": "2026-01-02T00:00:00Z", "reason": "known"});
    let silence = world.post("/resilience/silences", body).await.ok();
    let world = again(world).await;
    settle().await;
    assert_eq!(open(&world).await[0]["silenced_by"], json!([silence["id"]]));
    let path = format!("/resilience/silences/{}", silence["id"]);
    let ended = world.delete(&path).await.ok();
    assert_has(&ended, &json!({"id": silence["id"], "status": "expired"}));
    assert_eq!(open(&world).await[0]["silenced_by"], json!([]));
    assert_eq!(
        world.delete(&path).await.problem(404)["type"],
        "/problems/unknown-silence"
    );
    let world = again(world).await;
    pass(1).await;
    assert_eq!(
        world.get("/resilience/silences").await.ok()["silences"],
        json!([])
    );
}

#[actix_web::test]
async fn a_bad_silence_is_refused_with_each_bad_field_and_changes_nothing() {
    let world = World::start().await;
    let good = json!([{"name": "kind", "value": "flapping"}]);
    let matcher = |name: &str, value: &str, regex: bool| json!([{"name": name, "value": value, "is_regex": regex}]);
    let table: [(Value, &[&str]); 14] = [
        (json!({}), &["matchers", "until", "reason"]),
        (json!({"matchers": good, "reason": "x"}), &["until"]),
        (
            json!({"matchers": good, "for": "1h", "until": "2026-01-02T00:00:00Z", "reason": "x"}),
            &["for"],
        ),
        (
            json!({"matchers": good, "until": "2025-12-31T00:00:00Z", "reason": "x"}),
            &["until"],
        ),
        (
            json!({"matchers": good, "for": "soon", "reason": "x"}),
            &["for"],
        ),
        (
            json!({"matchers": [], "for": "1h", "reason": "x"}),
            &["matchers"],
        ),
        (
            json!({"matchers": good, "for": "1h", "reason": ""}),
            &["reason"],
        ),
        (
            json!({"matchers": matcher("severity", "x", false), "for": "1h", "reason": "x"}),
            &["matchers[0].name"],
        ),
        (
            json!({"matchers": matcher("label:", "x", false), "for": "1h", "reason": "x"}),
            &["matchers[0].name"],
        ),
        (
            json!({"matchers": matcher("kind", "flaping", false), "for": "1h", "reason": "x"}),
            &["matchers[0].value"],
        ),
        (
            json!({"matchers": matcher("instance", "(", true), "for": "1h", "reason": "x"}),
            &["matchers[0].value"],
        ),
        (
            json!({"matchers": matcher("instance", "x{1000}{1000}{1000}", true), "for": "1h", "reason": "x"}),
            &["matchers[0].value"],
        ),
        (
            json!({"matchers": matcher("instance", ".*", true), "for": "1h", "reason": "x"}),
            &["matchers"],
        ),
        (
            json!({"matchers": [{"name": "who", "value": 7}, {"value": "x"}, 3], "reason": 5}),
            &[
                "matchers[0].name",
                "matchers[0].value",
                "matchers[1].name",
                "matchers[2]",
                "until",
                "reason",
            ],
        ),
    ];
    for (body, fields) in table {
        let answer = world.post("/resilience/silences", body.clone()).await;
        let mut named = answer.bad_fields();
        named.sort();
        let mut fields = fields.to_vec();
        fields.sort_unstable();
        assert_eq!(named, fields, "{body}");
    }
    assert_eq!(
        world.get("/resilience/silences").await.ok()["silences"],
        json!([])
    );
}

#[actix_web::test]
async fn while_the_store_is_out_its_alert_is_acknowledged_and_no_silence_is_added() {
    expect_errors(&["alert store_unavailable", "the store "]);
    let world = World::start().await;
    register(&world, "a", "r1").await;
    settle().await;
    world.store.set_outage(Some(Outage::Refusing));
    for _ in 0..8 {
        world
            .post("/streams", json!({"streams": [{"id": 1, "name": "one"}]}))
            .await;
        pass(2).await;
        world.beat("a").await;
    }
    let alerts = open(&world).await;
    let outage = alerts
        .iter()
        .find(|alert| alert["kind"] == "store_unavailable")
        .unwrap();
    let path = format!("/resilience/alerts/{}/acknowledge", outage["id"]);
    let answer = world
        .post(&path, json!({"note": "calling the DBA"}))
        .await
        .ok();
    assert_eq!(answer["saved"], false);
    let alerts = open(&world).await;
    let outage = alerts
        .iter()
        .find(|alert| alert["kind"] == "store_unavailable")
        .unwrap();
    assert_eq!(outage["acknowledged"]["note"], "calling the DBA");
    let body =
        json!({"matchers": [{"name": "instance", "value": "a"}], "for": "1h", "reason": "x"});
    let refused = world.post("/resilience/silences", body).await;
    refused.problem(503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        world.get("/resilience/silences").await.ok()["silences"],
        json!([])
    );
}
