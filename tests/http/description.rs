//! The description of the API: it has every route, says what is answered, and its examples work.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support_http::described::{description, validator};
use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, settle};
use resilient_orchestrator::http::{Parameters, route_table};
use serde_json::{Value, json};

/// The operations of the description: method, path, and what it says.
fn operations() -> impl Iterator<Item = (String, &'static str, &'static Value)> {
    let paths = description()["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations
            .map(|(method, operation)| (method.to_ascii_uppercase(), path.as_str(), operation))
    })
}

#[test]
fn every_route_is_described_and_every_description_has_a_route() {
    let described: BTreeSet<String> = operations()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let served: BTreeSet<String> = route_table()
        .iter()
        .map(|route| format!("{route:?}"))
        .collect();
    let missing: Vec<_> = served.difference(&described).collect();
    let left_over: Vec<_> = described.difference(&served).collect();
    assert!(
        missing.is_empty() && left_over.is_empty(),
        "describe in src/http/description: {missing:#?}\nno such route: {left_over:#?}"
    );
}

#[test]
fn every_operation_says_what_it_takes_and_answers() {
    for (method, path, operation) in operations() {
        let place = format!("{method} {path}");
        for text in ["summary", "description", "operationId"] {
            assert!(
                operation[text]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{place}: {text}"
            );
        }
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("200"), "{place}");
        let answer = &responses["200"]["content"]["application/json"];
        let examples = responses.values().flat_map(|response| {
            let contents = response["content"].as_object().into_iter().flatten();
            contents.filter(|(_, content)| content.get("example").is_some())
        });
        assert!(
            answer.is_null() || path == "/openapi.json" || examples.count() > 0,
            "{place}: an example of its answer"
        );
        let route = route_table()
            .iter()
            .find(|route| format!("{route:?}") == place)
            .unwrap();
        let parameters = operation["parameters"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let takes_query = parameters
            .iter()
            .any(|parameter| parameter["in"] == "query");
        assert_eq!(
            takes_query,
            route.parameters == Parameters::Read,
            "{place}: its query"
        );
        if route.path.contains('{') || takes_query || operation["requestBody"].is_object() {
            assert!(responses.contains_key("422"), "{place}: bad input");
        }
        for parameter in parameters {
            for text in ["name", "description"] {
                let text = parameter[text].as_str();
                assert!(
                    text.is_some_and(|text| !text.is_empty()),
                    "{place}: {parameter}"
                );
            }
        }
    }
}

/// The references of a part of the description.
fn references(part: &Value, found: &mut BTreeSet<String>) {
    match part {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(reference.to_owned());
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    let mut found = BTreeSet::new();
    references(description(), &mut found);
    for reference in &found {
        let target = description().pointer(reference.trim_start_matches('#'));
        assert!(target.is_some(), "{reference}");
    }
    for name in description()["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        let reference = format!("#/components/schemas/{name}");
        assert!(found.contains(&reference), "{reference} is not used");
    }
}

#[test]
fn the_examples_of_errors_are_as_described() {
    let responses = description()["components"]["responses"]
        .as_object()
        .unwrap();
    assert_eq!(responses.len(), 10);
    for (name, response) in responses {
        let content = &response["content"]["application/problem+json"];
        assert!(
            validator(&content["schema"]).is_valid(&content["example"]),
            "{name}"
        );
    }
}

/// The parameters and the body of an example, with the values that a world has in place of some.
struct Example {
    path: String,
    body: Option<Value>,
}

fn example(path: &str, operation: &Value, ids: &[(&str, &Value)]) -> Example {
    let (mut filled, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
    {
        let name = parameter["name"].as_str().unwrap();
        let Some(value) = parameter.get("example") else {
            assert_ne!(parameter["required"], true, "{path}: an example of {name}");
            continue;
        };
        let faults = validator(&parameter["schema"]);
        assert!(
            faults.is_valid(value),
            "{path}: the example of {name} breaks its schema"
        );
        let of_world = ids
            .iter()
            .find(|(of, _)| name == "id" && path.starts_with(of));
        let value = of_world.map_or(value, |(_, id)| id);
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if parameter["in"] == "path" {
            filled = filled.replace(&format!("{{{name}}}"), &text);
        } else if parameter["in"] == "query" {
            query.push(format!("{name}={}", text.replace(' ', "%20")));
        }
    }
    let content = &operation["requestBody"]["content"]["application/json"];
    let body = content.get("example").cloned();
    if let Some(body) = &body {
        let faults: Vec<String> = validator(&content["schema"])
            .iter_errors(body)
            .map(|error| error.to_string())
            .collect();
        assert!(faults.is_empty(), "{path}: {faults:?}");
    }
    if !query.is_empty() {
        filled = format!("{filled}?{}", query.join("&"));
    }
    Example { path: filled, body }
}

/// A world in which the examples make sense: `worker-1` owns streams 1 and 2, stream 3 waits, stream 4 is
/// quarantined, `worker-3` is drained, a roll waits for `worker-4`, an alert is open, a silence is active, and the
/// webhook `pager` is switched off.
struct Prepared {
    world: World,
    /// Ids that no example can know: of the roll, of an incident, of an alert, and of a silence.
    roll: Value,
    incident: Value,
    alert: Value,
    silence: Value,
}

async fn prepared() -> Prepared {
    expect_errors(&["alert stream_quarantined", "alert instance_failed"]);
    let world = World::start().await;
    for id in ["f3", "f2", "f1"] {
        world.register(id, 1).await;
    }
    world.streams([4]).await;
    world.assign("f1", 1).await;
    for id in ["f1", "f2", "f3"] {
        let path = format!("/instances/{id}");
        world.send("POST", &format!("{path}/failure")).await.ok();
        settle().await;
    }
    for id in ["f1", "f2", "f3"] {
        world.delete(&format!("/instances/{id}")).await.ok();
    }
    let zones = [
        ("worker-1", "north"),
        ("worker-2", "north"),
        ("worker-3", "south"),
        ("worker-4", "west"),
    ];
    for (id, zone) in zones {
        let body = json!({"server_id": id, "ip": "10.0.0.1", "port": 8080, "max_streams": 20,
            "labels": {"zone": zone}});
        world.post("/register", body).await.ok();
    }
    world.streams(1..=3).await;
    world.assign("worker-1", 2).await;
    world.send("POST", "/instances/worker-3/drain").await.ok();
    let roll = world
        .post("/rolls", json!({"label": "zone:west"}))
        .await
        .ok();
    settle().await;
    let incidents = world.get("/resilience/incidents").await.ok();
    let alerts = world.get("/resilience/alerts?open=true").await.ok();
    let silence = json!({"matchers": [{"name": "instance", "value": "worker-9"}], "for": "1h",
        "reason": "it is built"});
    let silence = world.post("/resilience/silences", silence).await.ok();
    let hook = json!({"url": "https://203.0.113.9/hook", "enabled": false});
    world
        .send_bytes("PUT", "/webhooks/pager", hook.to_string().into_bytes())
        .await
        .ok();
    let key = json!({"name": "ops", "role": "operator"});
    world.post("/keys", key).await.ok();
    Prepared {
        alert: alerts["alerts"][0]["id"].clone(),
        silence: silence["id"].clone(),
        roll: roll["id"].clone(),
        incident: incidents["incidents"][0]["id"].clone(),
        world,
    }
}

#[actix_web::test]
async fn every_example_is_answered_as_described() {
    let mut recorded = serde_json::Map::new();
    for (number, (method, path, operation)) in operations().enumerate() {
        if number > 0 {
            // The next world stops the clock by itself.
            tokio::time::resume();
        }
        let Prepared {
            world,
            roll,
            incident,
            alert,
            silence,
        } = prepared().await;
        let ids = [
            ("/rolls", &roll),
            ("/resilience/incidents", &incident),
            ("/resilience/alerts", &alert),
            ("/resilience/silences", &silence),
        ];
        let example = example(path, operation, &ids);
        if path == "/resilience/events/stream" {
            let mut opened = world.open(&example.path, &[]).await;
            assert_eq!(opened.status, 200);
            assert!(opened.soon().await.starts_with("retry: "));
            continue;
        }
        if path == "/rolls/{id}/resume" {
            world
                .send("POST", &format!("/rolls/{roll}/pause"))
                .await
                .ok();
        }
        let body = example.body.map(|body| body.to_string().into_bytes());
        let answer = world
            .send_bytes(&method, &example.path, body.unwrap_or_default())
            .await;
        let expected = match path {
            // It leads already, and nothing is held.
            "/cluster/take-over" => 409,
            // It has its database for itself.
            "/cluster/step-down" => 409,
            "/cluster/members/{node}" => 404,
            "/resilience/brake" if method == "POST" => 409,
            // The webhook is switched off: the examples call no receiver.
            "/webhooks/{name}/redeliver" => 409,
            // No caller needs a session here.
            "/session" if method == "POST" => 409,
            _ => 200,
        };
        if answer
            .header("content-type")
            .is_some_and(|kind| kind.ends_with("json"))
            && path != "/openapi.json"
        {
            let answer = shortened(answer.json());
            recorded.insert(
                format!("{method} {path}"),
                json!({"status": expected, "answer": answer}),
            );
        }
        assert_eq!(
            answer.status, expected,
            "{method} {}: {}",
            example.path, answer.text
        );
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("answers.json");
    let recorded = Value::from(recorded);
    fs::write(&made, format!("{recorded:#}\n")).unwrap();
    let kept: Value =
        serde_json::from_str(include_str!("../../src/http/description/answers.json")).unwrap();
    assert_eq!(
        shape(&kept),
        shape(&recorded),
        "copy {} to src/http/description/answers.json",
        made.display()
    );
}

/// The answer with at most two rows in each list.
fn shortened(answer: Value) -> Value {
    match answer {
        Value::Array(items) => items.into_iter().take(2).map(shortened).collect(),
        Value::Object(fields) => {
            let shorter = fields
                .into_iter()
                .map(|(name, field)| (name, shortened(field)));
            Value::Object(shorter.collect())
        }
        other => other,
    }
}

/// The names of fields and the types of values, without the values.
fn shape(answer: &Value) -> Value {
    match answer {
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(fields) => {
            let shapes = fields
                .iter()
                .map(|(name, field)| (name.clone(), shape(field)));
            Value::Object(shapes.collect())
        }
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("truth"),
        Value::Null => Value::Null,
    }
}
