//! Keys, roles and sessions: who is let in, who is refused and how, and when a wait ends.
#![expect(clippy::expect_used, reason = "what cannot be prepared fails the test")]

use std::time::Duration;

use actix_web::http::Method;
use resilient_orchestrator::domain::access::{Permission, Role};
use resilient_orchestrator::http::route_table;
use serde_json::{Value, json};

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{Answer, World, assert_has, pass, settle};

/// Makes a key with the actor, as the first one is made: no caller may yet.
async fn key_of(world: &World, draft: Value) -> String {
    use resilient_orchestrator::domain::access::{KeyDraft, ServerIdPattern};
    let server_ids = draft["server_ids"].as_array().cloned().unwrap_or_default();
    let patterns = server_ids.iter().map(|text| {
        let text = text.as_str().expect("a text");
        ServerIdPattern::parse(text).expect("a pattern")
    });
    let draft = KeyDraft {
        name: draft["name"].as_str().expect("a name").to_owned(),
        role: Role::from_word(draft["role"].as_str().expect("a role")).expect("a role"),
        server_ids: patterns.collect(),
        expires_at: None,
    };
    let made = world.orchestrator.create_key(draft).await;
    made.expect("the store answers").secret.expose()
}

async fn key(world: &World, role: &str) -> String {
    key_of(world, json!({"name": role, "role": role})).await
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

async fn call(world: &World, key: &str, method: &str, path: &str, body: Value) -> Answer {
    let authorization = bearer(key);
    let headers = [("authorization", authorization.as_str())];
    let body = if body.is_null() {
        Vec::new()
    } else {
        body.to_string().into_bytes()
    };
    world.send_with(method, path, &headers, body).await
}

fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().expect("a detail")
}

/// A path with something in each place, which nothing is known by.
fn filled(path: &str) -> String {
    path.replace("{id}", "987654")
        .replace("{server_id}", "nobody")
        .replace("{name}", "nothing")
        .replace("{file}", "nothing.css")
}

#[actix_web::test]
async fn each_role_may_use_the_routes_that_ask_for_it_and_no_other() {
    let world = World::guarded(&[], &[]).await;
    let mut keys = Vec::new();
    for role in Role::ALL {
        keys.push((*role, key(&world, role.as_str()).await));
    }
    for route in route_table() {
        let method = match route.path {
            // Its answer has no end.
            "/resilience/events/stream" => Method::HEAD,
            _ => route.method.clone(),
        };
        let path = filled(route.path);
        let without = world.send(method.as_str(), &path).await;
        let is_public = route.permission == Permission::Public;
        assert_eq!(
            without.status == 401,
            !is_public,
            "{route:?}: {}",
            without.text
        );
        for (role, key) in &keys {
            let answer = call(&world, key, method.as_str(), &path, Value::Null).await;
            let allowed = route.permission.allows(*role);
            assert_ne!(answer.status, 401, "{route:?} {role}: {}", answer.text);
            assert_eq!(
                answer.status != 403,
                allowed,
                "{route:?} {role}: {}",
                answer.text
            );
            if !allowed && method != Method::HEAD {
                let problem = answer.problem(403);
                let said = detail(&problem);
                for part in [format!("`{role}`"), route.permission.needed().to_owned()] {
                    assert!(said.contains(&part), "{route:?}: {said}");
                }
            }
        }
    }
}

#[actix_web::test]
async fn another_spelling_of_a_path_asks_for_the_same_role() {
    let world = World::guarded(&[], &[]).await;
    let viewer = key(&world, "viewer").await;
    for path in ["/keys", "/%6beys", "/key%73", "/webhooks", "/%77ebhooks"] {
        world.get(path).await.problem(401);
        call(&world, &viewer, "GET", path, Value::Null)
            .await
            .problem(403);
    }
}

#[actix_web::test]
async fn a_request_without_a_good_key_is_refused_with_the_reason_and_changes_nothing() {
    let world = World::guarded(&[], &[]).await;
    let admin = key(&world, "admin").await;
    let made = json!({"name": "short", "role": "operator", "expires": "60s"});
    let made = call(&world, &admin, "POST", "/keys", made).await.ok();
    let short = made["key"].as_str().unwrap().to_owned();
    let gone = call(
        &world,
        &admin,
        "POST",
        "/keys",
        json!({"name": "gone", "role": "operator"}),
    )
    .await
    .ok();
    let path = format!("/keys/{}", gone["id"]);
    call(&world, &admin, "DELETE", &path, Value::Null)
        .await
        .ok();
    let gone = gone["key"].as_str().unwrap().to_owned();
    pass(61).await;
    let stream = json!({"streams": [{"id": 1, "name": "a"}]});
    let good = "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    for (authorization, part) in [
        (None, "needs a key"),
        (Some("Bearer".to_owned()), "malformed"),
        (Some("Bearer ork_short".to_owned()), "malformed"),
        (Some("Basic b3BzOm9wcw==".to_owned()), "malformed"),
        (Some(format!("Bearer {good}x")), "malformed"),
        (Some(bearer(good)), "not known"),
        (
            Some(bearer(&short)),
            "`short` expired at 2026-01-01T00:01:00",
        ),
        (
            Some(bearer(&gone)),
            "`gone` was revoked at 2026-01-01T00:00:",
        ),
    ] {
        let header = authorization.as_deref().map(|text| ("authorization", text));
        let headers: Vec<_> = header.into_iter().collect();
        let body = stream.to_string().into_bytes();
        let answer = world.send_with("POST", "/streams", &headers, body).await;
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert_eq!(challenge.contains("invalid_token"), authorization.is_some());
        let problem = answer.problem(401);
        assert_eq!(problem["title"], "Unauthorized");
        assert!(detail(&problem).contains(part), "{part}: {problem}");
        if let Some(shown) = &authorization {
            let secret = shown.rsplit(' ').next().unwrap_or_default();
            assert!(
                secret.len() < 10 || !answer.text.contains(secret),
                "{}",
                answer.text
            );
        }
    }
    let streams = call(&world, &admin, "GET", "/streams", Value::Null)
        .await
        .ok();
    assert_eq!(streams["streams"], json!([]));
    // A bad key is looked at before anything else of a request.
    world
        .send_bytes("POST", "/streams?bad=1", b"{".to_vec())
        .await
        .problem(401);
    let metrics = call(&world, &admin, "GET", "/metrics", Value::Null).await;
    for line in [
        "orchestrator_auth_refusals_total{reason=\"malformed\"} 4",
        "orchestrator_auth_refusals_total{reason=\"unknown\"} 1",
        "orchestrator_auth_refusals_total{reason=\"expired\"} 1",
        "orchestrator_auth_refusals_total{reason=\"revoked\"} 1",
        "orchestrator_auth_refusals_total{reason=\"missing\"} 2",
    ] {
        assert!(metrics.text.contains(line), "{line}");
    }
}

#[actix_web::test]
async fn probes_and_the_beginning_of_a_session_need_no_key() {
    let world = World::guarded(&[], &[]).await;
    for path in ["/livez", "/health", "/ready", "/leader"] {
        world.get(path).await.ok();
        let bad = [("authorization", "Bearer nonsense")];
        let answer = world.send_with("GET", path, &bad, Vec::new()).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    world.post("/session", json!({})).await.problem(422);
}

#[actix_web::test]
async fn keys_are_made_listed_and_revoked_and_shown_once() {
    let world = World::guarded(&[], &[]).await;
    let admin = key(&world, "admin").await;
    let draft = json!({"name": "rack-1", "role": "worker", "server_ids": ["rack-1-*", "x"], "expires": "90d"});
    let made = call(&world, &admin, "POST", "/keys", draft.clone())
        .await
        .ok();
    assert_has(
        &made,
        &json!({"status": "created", "id": 2, "name": "rack-1", "role": "worker",
            "expires_at": "2026-04-01T00:00:00.000000Z"}),
    );
    let secret = made["key"].as_str().unwrap().to_owned();
    assert_eq!((&secret[..4], secret.len()), ("ork_", 47));
    let listed = call(&world, &admin, "GET", "/keys", Value::Null).await;
    assert!(!listed.text.contains(&secret[4..]) && !listed.text.contains("hash"));
    let keys = listed.ok()["keys"].as_array().unwrap().clone();
    assert_has(
        &keys[0],
        &json!({"id": 1, "name": "admin", "role": "admin", "server_ids": []}),
    );
    assert!(keys[0]["last_used_at"].is_string());
    assert_has(
        &keys[1],
        &json!({"id": 2, "server_ids": ["rack-1-*", "x"], "last_used_at": null, "revoked_at": null}),
    );
    let page = call(&world, &admin, "GET", "/keys?limit=1", Value::Null)
        .await
        .ok();
    assert_eq!(
        (page["keys"].as_array().unwrap().len(), &page["next"]),
        (1, &json!(1))
    );
    let page = call(&world, &admin, "GET", "/keys?limit=1&after=1", Value::Null)
        .await
        .ok();
    assert_eq!(
        (&page["keys"][0]["id"], page.get("next")),
        (&json!(2), None)
    );
    let taken = call(&world, &admin, "POST", "/keys", draft.clone())
        .await
        .problem(409);
    assert!(detail(&taken).contains("`rack-1`"));
    let who = call(&world, &secret, "GET", "/whoami", Value::Null)
        .await
        .ok();
    assert_eq!(
        who,
        json!({"auth": "on", "name": "rack-1", "role": "worker", "server_ids": ["rack-1-*", "x"],
            "expires_at": "2026-04-01T00:00:00.000000Z"})
    );
    for _ in 0..2 {
        let revoked = call(&world, &admin, "DELETE", "/keys/2", Value::Null)
            .await
            .ok();
        assert_has(
            &revoked,
            &json!({"status": "revoked", "id": 2, "name": "rack-1"}),
        );
    }
    call(&world, &secret, "GET", "/whoami", Value::Null)
        .await
        .problem(401);
    call(&world, &admin, "POST", "/keys", draft).await.ok();
    let unknown = call(&world, &admin, "DELETE", "/keys/99", Value::Null)
        .await
        .problem(404);
    assert!(detail(&unknown).contains("GET /keys"));
    settle().await;
    let path = "/resilience/events?kind=key_created,key_revoked";
    let events = call(&world, &admin, "GET", path, Value::Null).await;
    assert!(!events.text.contains(&secret[4..]));
    let events = events.ok()["events"].as_array().unwrap().clone();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["key_created", "key_created", "key_revoked", "key_created"]
    );
    assert_eq!(events[2]["origin"]["key"], "admin");
    assert_eq!(events[2]["actor"], "operator");
}

#[actix_web::test]
async fn a_bad_field_of_a_key_is_named_and_nothing_is_made() {
    let world = World::start().await;
    let good = json!({"name": "a", "role": "worker"});
    for (field, value) in [
        ("name", json!("two words")),
        ("name", json!("x".repeat(65))),
        ("name", Value::Null),
        ("role", json!("root")),
        ("role", Value::Null),
        ("server_ids", json!([])),
        ("server_ids", json!("a")),
        ("expires", json!("yesterday")),
        ("expires", json!("2020-01-01T00:00:00Z")),
        ("expires", json!(0)),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let fields = world.post("/keys", body).await.bad_fields();
        assert!(fields[0].starts_with(field), "{field} {value}: {fields:?}");
    }
    let body = json!({"name": "a", "role": "viewer", "server_ids": ["a"]});
    assert_eq!(world.post("/keys", body).await.bad_fields(), ["server_ids"]);
    let body = json!({"name": "a", "role": "worker", "server_ids": ["a", ""]});
    assert_eq!(
        world.post("/keys", body).await.bad_fields(),
        ["server_ids[1]"]
    );
    assert_eq!(world.get("/keys").await.ok()["keys"], json!([]));
    for path in ["/keys/0", "/keys/x", "/keys/-1"] {
        assert_eq!(world.delete(path).await.bad_fields(), ["id"], "{path}");
    }
}

#[actix_web::test]
async fn while_the_database_is_out_keys_are_good_and_none_is_made() {
    let world = World::guarded(&[], &[]).await;
    let admin = key(&world, "admin").await;
    world.store.set_outage(Some(Outage::Refusing));
    let made = json!({"name": "b", "role": "viewer"});
    call(&world, &admin, "POST", "/keys", made.clone())
        .await
        .problem(503);
    call(&world, &admin, "DELETE", "/keys/1", Value::Null)
        .await
        .problem(503);
    let listed = call(&world, &admin, "GET", "/keys", Value::Null).await.ok();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1);
    world.store.set_outage(None);
    pass(120).await;
    call(&world, &admin, "POST", "/keys", made).await.ok();
}

#[actix_web::test]
async fn a_worker_acts_only_for_the_instances_of_its_key() {
    let world = World::guarded(&[], &[]).await;
    let draft = json!({"name": "w", "role": "worker", "server_ids": ["a-*"]});
    let worker = key_of(&world, draft).await;
    let register =
        |id: &str| json!({"server_id": id, "ip": "10.0.0.1", "port": 1, "max_streams": 5});
    call(&world, &worker, "POST", "/register", register("a-1"))
        .await
        .ok();
    let beat = |id: &str| json!({"server_id": id, "current_streams": 0});
    call(&world, &worker, "POST", "/heartbeat", beat("a-1"))
        .await
        .ok();
    call(&world, &worker, "GET", "/instances/a-1", Value::Null)
        .await
        .ok();
    call(
        &world,
        &worker,
        "GET",
        "/instances/a-1/assignments?version=0",
        Value::Null,
    )
    .await
    .ok();
    let admin = key(&world, "admin").await;
    call(&world, &admin, "POST", "/register", register("b-1"))
        .await
        .ok();
    let before = call(&world, &admin, "GET", "/instances/b-1", Value::Null)
        .await
        .ok();
    for (method, path, body) in [
        ("POST", "/register", register("b-1")),
        ("POST", "/register", register("b-2")),
        ("POST", "/heartbeat", beat("b-1")),
        ("POST", "/heartbeat", beat("a1")),
        (
            "POST",
            "/streams/assign",
            json!({"server_id": "b-1", "requested_count": 1}),
        ),
        (
            "POST",
            "/streams/release",
            json!({"server_id": "b-1", "stream_ids": [1]}),
        ),
        (
            "POST",
            "/diagnostic",
            json!({"server_id": "b-1", "local_streams": [], "local_stream_count": 0}),
        ),
        ("GET", "/instances/b-1", Value::Null),
        ("GET", "/instances/%62-1", Value::Null),
        (
            "GET",
            "/instances/b-1/assignments?version=0&wait=1",
            Value::Null,
        ),
        ("DELETE", "/instances/b-1", Value::Null),
        (
            "DELETE",
            "/instances/b-1?incarnation=1&back_in=60s",
            Value::Null,
        ),
    ] {
        let problem = call(&world, &worker, method, path, body).await.problem(403);
        let said = detail(&problem);
        assert!(
            said.contains("`w`") && said.contains("`a-*`"),
            "{method} {path}: {said}"
        );
    }
    pass(3).await;
    let after = call(&world, &admin, "GET", "/instances/b-1", Value::Null)
        .await
        .ok();
    assert_eq!(
        before["data"]["last_heartbeat"],
        after["data"]["last_heartbeat"]
    );
    let list = call(&world, &admin, "GET", "/instances", Value::Null)
        .await
        .ok();
    assert_eq!(list["instances"].as_array().unwrap().len(), 2);
    call(&world, &worker, "DELETE", "/instances/a-1", Value::Null)
        .await
        .ok();
}

#[actix_web::test]
async fn a_revoked_key_ends_its_long_poll_and_its_stream_of_events_at_once() {
    let world = World::guarded(&[], &[]).await;
    let admin = key(&world, "admin").await;
    let worker = key(&world, "worker").await;
    let viewer = key(&world, "viewer").await;
    let register = json!({"server_id": "a", "ip": "10.0.0.1", "port": 1, "max_streams": 5});
    let registered = call(&world, &worker, "POST", "/register", register)
        .await
        .ok();
    let version = &registered["assignment_version"];
    let path = format!("/instances/a/assignments?version={version}&wait=50");
    let poll = call(&world, &worker, "GET", &path, Value::Null);
    let mut poll = std::pin::pin!(poll);
    let authorization = bearer(&viewer);
    let headers = [("authorization", authorization.as_str())];
    let mut events = world.open("/resilience/events/stream", &headers).await;
    assert!(events.soon().await.starts_with("retry: "));
    let limit = Duration::from_secs(5);
    assert!(
        tokio::time::timeout(limit, &mut poll).await.is_err(),
        "it waits"
    );
    for id in [2, 3] {
        call(
            &world,
            &admin,
            "DELETE",
            &format!("/keys/{id}"),
            Value::Null,
        )
        .await
        .ok();
    }
    let limit = Duration::from_millis(100);
    let answer = tokio::time::timeout(limit, &mut poll)
        .await
        .expect("it ended");
    assert!(detail(&answer.problem(401)).contains("revoked"));
    let ended = tokio::time::timeout(limit, async { while events.next().await.is_some() {} }).await;
    assert!(ended.is_ok(), "the stream of events has ended");
}

/// Begins a session; returns its cookie.
async fn session(world: &World, key: &str) -> String {
    let answer = world.post("/session", json!({ "key": key })).await;
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    answer.ok();
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict");
    assert!(!pair.contains(&key[4..]), "the cookie is not the key");
    pair.to_owned()
}

#[actix_web::test]
async fn a_session_does_what_its_key_may_until_either_ends() {
    let world = World::guarded(&[], &[]).await;
    let admin = key(&world, "admin").await;
    let operator = key(&world, "operator").await;
    let cookie = session(&world, &operator).await;
    let read = [("cookie", cookie.as_str())];
    let change = [("cookie", cookie.as_str()), ("x-requested-with", "console")];
    let who = world
        .send_with("GET", "/whoami", &read, Vec::new())
        .await
        .ok();
    assert_has(
        &who,
        &json!({"auth": "on", "name": "operator", "role": "operator"}),
    );
    assert_eq!(who["expires_at"], "2026-01-01T12:00:00.000000Z");
    let stream = json!({"streams": [{"id": 1, "name": "a"}]})
        .to_string()
        .into_bytes();
    let refused = world
        .send_with("POST", "/streams", &read, stream.clone())
        .await
        .problem(403);
    assert!(detail(&refused).contains("x-requested-with"));
    world
        .send_with("POST", "/streams", &change, stream)
        .await
        .ok();
    world
        .send_with("GET", "/keys", &change, Vec::new())
        .await
        .problem(403);
    // A bad key is not forgiven because of a good cookie.
    let both = [
        ("cookie", cookie.as_str()),
        ("authorization", "Bearer ork_x"),
    ];
    world
        .send_with("GET", "/status", &both, Vec::new())
        .await
        .problem(401);
    world
        .send_with("DELETE", "/session", &read, Vec::new())
        .await
        .problem(403);
    let ended = world
        .send_with("DELETE", "/session", &change, Vec::new())
        .await;
    assert!(ended.header("set-cookie").unwrap().ends_with("Max-Age=0"));
    ended.ok();
    let over = world
        .send_with("GET", "/whoami", &read, Vec::new())
        .await
        .problem(401);
    assert!(detail(&over).contains("session is over"));

    let cookie = session(&world, &operator).await;
    let read = [("cookie", cookie.as_str())];
    let mut events = world.open("/resilience/events/stream", &read).await;
    assert!(events.soon().await.starts_with("retry: "));
    call(&world, &admin, "DELETE", "/keys/2", Value::Null)
        .await
        .ok();
    let limit = Duration::from_millis(100);
    let ended = tokio::time::timeout(limit, async { while events.next().await.is_some() {} }).await;
    assert!(ended.is_ok(), "the stream of events has ended");
    world
        .send_with("GET", "/whoami", &read, Vec::new())
        .await
        .problem(401);
    world
        .post("/session", json!({ "key": operator }))
        .await
        .problem(401);
    world
        .post("/session", json!({"key": "hunter2"}))
        .await
        .problem(401);

    let cookie = session(&world, &admin).await;
    pass(12 * 3_600 + 1).await;
    let read = [("cookie", cookie.as_str())];
    world
        .send_with("GET", "/whoami", &read, Vec::new())
        .await
        .problem(401);
}

#[actix_web::test]
async fn without_auth_everybody_is_an_admin_and_no_session_is_needed() {
    let world = World::start().await;
    assert_eq!(
        world.get("/whoami").await.ok(),
        json!({"auth": "off", "role": "admin"})
    );
    let refused = world
        .post("/session", json!({"key": "x"}))
        .await
        .problem(409);
    assert!(detail(&refused).contains("AUTH is off"));
    let any = [
        ("authorization", "Bearer nonsense"),
        ("cookie", "orchestrator_session=x"),
    ];
    world
        .send_with("GET", "/status", &any, Vec::new())
        .await
        .ok();
    world.delete("/session").await.ok();
}

#[actix_web::test]
async fn callers_of_a_trusted_network_are_workers_and_nothing_else() {
    let world = World::guarded(&["10.1.0.0/16", "fd00::/8"], &["10.9.0.1"]).await;
    let beat = json!({"server_id": "a", "current_streams": 0})
        .to_string()
        .into_bytes();
    let register = json!({"server_id": "a", "ip": "10.1.0.1", "port": 1, "max_streams": 5});
    let register = register.to_string().into_bytes();
    let inside = "10.1.2.3";
    world
        .send_from(inside, ("POST", "/register"), &[], register)
        .await
        .ok();
    world
        .send_from("fd00::7", ("POST", "/heartbeat"), &[], beat.clone())
        .await
        .ok();
    world
        .send_from("::ffff:10.1.9.9", ("POST", "/heartbeat"), &[], beat.clone())
        .await
        .ok();
    let refused = world
        .send_from(inside, ("GET", "/instances"), &[], Vec::new())
        .await
        .problem(403);
    assert!(detail(&refused).contains("trusted network"));
    for (peer, headers) in [
        ("10.2.0.1", &[][..]),
        ("192.0.2.1", &[("x-forwarded-for", "10.1.2.3")]),
        // Between the worker and this program stands a proxy that is not listed.
        (inside, &[("x-forwarded-for", "10.1.2.3")]),
        (inside, &[("forwarded", "for=10.1.2.3")]),
        // The proxy does not say for whom.
        ("10.9.0.1", &[]),
        ("10.9.0.1", &[("x-forwarded-for", "10.1.2.3, 192.0.2.7")]),
        (
            "10.9.0.1",
            &[
                ("x-forwarded-for", "10.1.2.3"),
                ("forwarded", "for=192.0.2.7"),
            ],
        ),
        ("10.9.0.1", &[("x-forwarded-for", "unknown")]),
        // A bad key is not forgiven because of a good address.
        (inside, &[("authorization", "Bearer ork_x")]),
    ] {
        let answer = world
            .send_from(peer, ("POST", "/heartbeat"), headers, beat.clone())
            .await;
        assert_eq!(answer.status, 401, "{peer} {headers:?}: {}", answer.text);
    }
    let behind = [("x-forwarded-for", "192.0.2.7, 10.1.2.3")];
    world
        .send_from("10.9.0.1", ("POST", "/heartbeat"), &behind, beat)
        .await
        .ok();
}

#[actix_web::test]
async fn a_cookie_over_a_trusted_proxy_with_tls_is_for_tls_alone() {
    let world = World::guarded(&[], &["10.9.0.1"]).await;
    let admin = key(&world, "admin").await;
    let body = json!({ "key": admin }).to_string().into_bytes();
    let proto = [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
    ];
    let answer = world
        .send_from("10.9.0.1", ("POST", "/session"), &proto, body.clone())
        .await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-orchestrator=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    let pair = cookie.split(';').next().unwrap().to_owned();
    let read = [("cookie", pair.as_str())];
    world
        .send_with("GET", "/whoami", &read, Vec::new())
        .await
        .ok();
    let answer = world
        .send_from("192.0.2.9", ("POST", "/session"), &proto, body)
        .await;
    assert!(
        answer
            .header("set-cookie")
            .unwrap()
            .starts_with("orchestrator_session=")
    );
}

#[actix_web::test]
async fn an_address_with_bad_keys_is_slowed_down_and_its_neighbours_are_not() {
    let world = World::guarded(&[], &[]).await;
    let admin = key(&world, "admin").await;
    let bad = [(
        "authorization",
        "Bearer ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    )];
    let target = ("GET", "/status");
    for _ in 0..10 {
        world
            .send_from("192.0.2.1", target, &bad, Vec::new())
            .await
            .problem(401);
    }
    let slowed = world.send_from("192.0.2.1", target, &bad, Vec::new()).await;
    assert_eq!(slowed.header("retry-after"), Some("6"));
    slowed.problem(429);
    let body = json!({"key": "ork_x"}).to_string().into_bytes();
    world
        .send_from("192.0.2.1", ("POST", "/session"), &[], body)
        .await
        .problem(429);
    world
        .send_from("192.0.2.2", target, &bad, Vec::new())
        .await
        .problem(401);
    let authorization = bearer(&admin);
    let good = [("authorization", authorization.as_str())];
    world
        .send_from("192.0.2.1", target, &good, Vec::new())
        .await
        .ok();
    world
        .send_from("192.0.2.1", target, &[], Vec::new())
        .await
        .problem(401);
    for _ in 0..10 {
        world
            .send_from("192.0.2.3", target, &bad, Vec::new())
            .await
            .problem(401);
    }
    pass(6).await;
    let path = "/resilience/alerts?kind=auth_failures&open=true";
    let alerts = call(&world, &admin, "GET", path, Value::Null).await.ok();
    let alert = &alerts["alerts"][0];
    assert!(
        detail(alert).contains("23 requests within 5 minutes"),
        "{alert}"
    );
    assert_eq!(alert["severity"], "warning");
    world
        .send_from("192.0.2.1", target, &bad, Vec::new())
        .await
        .problem(401);
    pass(320).await;
    let alerts = call(&world, &admin, "GET", path, Value::Null).await.ok();
    assert_eq!(alerts["alerts"], json!([]));
}

#[actix_web::test]
async fn the_events_of_an_order_name_its_key_address_and_request() {
    expect_errors(&["alert emergency_recovery"]);
    let world = World::guarded(&[], &[]).await;
    let operator = key(&world, "operator").await;
    let worker = key(&world, "worker").await;
    let authorization = bearer(&operator);
    let send = async |path: &str, body: Value| {
        let headers = [
            ("authorization", authorization.as_str()),
            ("x-request-id", "order-1"),
        ];
        let body = body.to_string().into_bytes();
        world
            .send_from("192.0.2.5", ("POST", path), &headers, body)
            .await
            .ok()
    };
    let register = json!({"server_id": "a", "ip": "10.0.0.1", "port": 1, "max_streams": 5});
    call(&world, &worker, "POST", "/register", register)
        .await
        .ok();
    send("/streams", json!({"streams": [{"id": 1, "name": "a"}]})).await;
    send("/instances/a/cordon", json!({"reason": "disk"})).await;
    let silence =
        json!({"matchers": [{"name": "instance", "value": "a"}], "for": "1h", "reason": "built"});
    let silence = send("/resilience/silences", silence).await;
    send("/resilience/emergency/a?reason=test", json!({})).await;
    let path = format!("/resilience/silences/{}", silence["id"]);
    call(&world, &operator, "DELETE", &path, Value::Null)
        .await
        .ok();
    pass(5).await;
    let events = call(&world, &operator, "GET", "/resilience/events", Value::Null)
        .await
        .ok();
    let events = events["events"].as_array().unwrap();
    let origin = |kind: &str| {
        let found = events.iter().find(|event| event["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}"))["origin"].clone()
    };
    let expected = json!({"key": "operator", "address": "192.0.2.5", "request_id": "order-1"});
    for kind in [
        "stream_created",
        "instance_cordoned",
        "silence_added",
        "emergency_recovered",
    ] {
        assert_eq!(origin(kind), expected, "{kind}");
    }
    assert_eq!(origin("silence_ended")["key"], "operator");
    assert_eq!(origin("instance_registered"), Value::Null, "it is no order");
}

#[actix_web::test]
async fn without_auth_the_events_of_an_order_name_its_address_and_request() {
    let world = World::start().await;
    let body = json!({"streams": [{"id": 1, "name": "a"}]})
        .to_string()
        .into_bytes();
    let headers = [("x-request-id", "order-2")];
    world
        .send_from("192.0.2.5", ("POST", "/streams"), &headers, body)
        .await
        .ok();
    let events = world
        .get("/resilience/events?kind=stream_created")
        .await
        .ok();
    let expected = json!({"address": "192.0.2.5", "request_id": "order-2"});
    assert_eq!(events["events"][0]["origin"], expected);
}
