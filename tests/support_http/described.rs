//! Compares each answer of a test with the description of the API: its status, its content type, and every field
//! of its body. A field that is not described fails the test.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use resilient_orchestrator::http::api_description;
use serde_json::{Value, json};

use super::Answer;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_slice(api_description()).expect("the description is JSON"));

/// The schemas that others refer to, with nothing allowed beside what they name.
static COMPONENTS: LazyLock<Value> = LazyLock::new(|| {
    let mut components = DESCRIPTION["components"].clone();
    for (_, schema) in components["schemas"].as_object_mut().expect("schemas") {
        close_parts(schema);
    }
    components
});

/// The description as JSON.
pub fn description() -> &'static Value {
    &DESCRIPTION
}

/// Returns what compares a value with a schema of the description.
pub fn validator(schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = COMPONENTS.clone();
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap_or_else(|error| panic!("no schema: {error}: {schema}"))
}

/// Asserts that an answer is one of those described. Paths and methods without a route are passed over.
#[track_caller]
pub fn check(method: &str, path: &str, answer: &Answer) {
    let Some((pattern, operation)) = operation(method, path) else {
        return;
    };
    let status = answer.status.to_string();
    let place = format!("{method} {pattern}");
    let mut response = &operation["responses"][&status];
    assert!(
        response.is_object(),
        "{place}: the status {status} is not described: {}",
        answer.text
    );
    if let Some(reference) = response["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        response = DESCRIPTION
            .pointer(pointer)
            .expect("the reference leads somewhere");
    }
    if method == "HEAD" || answer.status == 304 {
        return;
    }
    let kind = answer.header("content-type").unwrap_or("none");
    let schema = &response["content"][kind]["schema"];
    assert!(
        schema.is_object(),
        "{place}: {status} with {kind} is not described"
    );
    if !kind.ends_with("json") {
        return;
    }
    if is_known_well(&place) {
        return;
    }
    let body = answer.json();
    let faults: Vec<String> = closed(&format!("{place} {status} {kind}"), schema)
        .iter_errors(&body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(
        faults.is_empty(),
        "{place}: {status}: {}\n{body}",
        faults.join("\n")
    );
}

/// How many answers of one route a test compares: some send thousands.
const MOST_COMPARED: usize = 200;

static COMPARED: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// Counts an answer; returns whether enough of its kind were compared.
fn is_known_well(place: &str) -> bool {
    let mut compared = COMPARED.lock().unwrap_or_else(PoisonError::into_inner);
    let count = compared.entry(place.to_owned()).or_default();
    *count += 1;
    *count > MOST_COMPARED
}

/// The validators of answers, by their place: making one takes longer than an answer.
static CLOSED: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());

/// Returns what compares an answer with its schema, and finds what is not in it.
fn closed(place: &str, schema: &Value) -> Arc<Validator> {
    let mut made = CLOSED.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let mut schema = schema.clone();
        close(&mut schema);
        Arc::new(validator(&schema))
    };
    made.entry(place.to_owned()).or_insert_with(make).clone()
}

/// The operation that describes a request.
fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let method = match method {
        "HEAD" => "get".to_owned(),
        other => other.to_ascii_lowercase(),
    };
    let fits = |pattern: &str| {
        let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    let paths = DESCRIPTION["paths"].as_object()?;
    // A fixed part serves a request before a parameter does.
    let found: BTreeMap<bool, (&String, &Value)> = paths
        .iter()
        .filter(|(pattern, _)| fits(pattern))
        .map(|(pattern, item)| (pattern.contains('{'), (pattern, item)))
        .collect();
    let (_, (pattern, item)) = found.into_iter().next()?;
    item.get(&method)
        .map(|operation| (pattern.as_str(), operation))
}

/// Allows nothing in an object beside what its schema names.
fn close(schema: &mut Value) {
    close_parts(schema);
    schema["unevaluatedProperties"] = json!(false);
}

/// Does that for the parts of a schema.
fn close_parts(schema: &mut Value) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(part) = schema.get_mut(name).filter(|part| part.is_object()) {
            close(part);
        }
    }
    for name in ["allOf", "oneOf", "anyOf"] {
        if let Some(parts) = schema.get_mut(name).and_then(Value::as_array_mut) {
            parts.iter_mut().for_each(close_parts);
        }
    }
}
