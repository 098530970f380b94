//! The description of the API, as OpenAPI 3.1: `GET /openapi.json`.
//!
//! Nothing in it is written twice:
//!
//! | part | from |
//! | --- | --- |
//! | methods, paths, and the text about each | the route table |
//! | parameters and bodies | the structs of `requests`: comments, and the schemas of their rules |
//! | answers | the structs that are written (`utoipa::ToSchema`) |
//! | errors that any such route may answer | `refusals`, by what the route reads and where it is answered |
//! | which of these belongs to which route, its own errors, and an example | the files of the groups |
//! | examples of answers | `answers.json`: what the program answered to the examples |
//!
//! A route without a description, or a description without a route, fails `tests/http/description.rs`, and so
//! does an example that is not answered as described. All other tests of HTTP compare each answer with the
//! description.
//!
//! The text is made when it is first asked for, and kept.

mod access;
mod alerts;
mod answers;
mod balance;
mod call;
mod catalogue;
mod events;
mod instances;
mod orchestrator;
mod planned;
mod refusals;
mod resilience;
mod workers;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::call::Call;
use super::docs::Page;
use super::route_table::route_table;

static DOCUMENT: LazyLock<Page> =
    LazyLock::new(|| Page::of("application/json", made().to_string()));

/// Returns the description as it is served.
pub(super) fn page() -> &'static Page {
    &DOCUMENT
}

/// Returns the text of the description: what `GET /openapi.json` answers.
pub fn api_description() -> &'static [u8] {
    page().bytes()
}

/// Routes that belong together.
struct Group {
    name: &'static str,
    about: &'static str,
    calls: fn() -> Vec<Call>,
}

const GROUPS: [Group; 10] = [
    Group {
        name: "Workers",
        about: "The calls of a worker: docs/WORKERS.md explains them.",
        calls: workers::calls,
    },
    Group {
        name: "Streams",
        about: "The catalogue of streams, and where each one runs.",
        calls: catalogue::calls,
    },
    Group {
        name: "Instances",
        about: "The registered workers.",
        calls: instances::calls,
    },
    Group {
        name: "Planned work",
        about: "Cordons, drains, maintenance, rolls, and the capacity they need.",
        calls: planned::calls,
    },
    Group {
        name: "Balance",
        about: "How the streams are spread over the instances.",
        calls: balance::calls,
    },
    Group {
        name: "Resilience",
        about: "Health, failures, recoveries, breakers and the brake.",
        calls: resilience::calls,
    },
    Group {
        name: "Alerts",
        about: "Alerts, silences, and receivers outside that are notified.",
        calls: alerts::calls,
    },
    Group {
        name: "Events",
        about: "What happened: the audit trail, stories, and events as they happen.",
        calls: events::calls,
    },
    Group {
        name: "Keys",
        about: "Who may call: keys, sessions, and the caller itself.",
        calls: access::calls,
    },
    Group {
        name: "Orchestrator",
        about: "The process itself: who leads, probes, metrics, and this description.",
        calls: orchestrator::calls,
    },
];

fn made() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas = refusals::schemas();
    let recorded: BTreeMap<String, Recorded> =
        serde_json::from_str(include_str!("answers.json")).unwrap_or_default();
    let mut tags = Vec::new();
    for Group { name, about, calls } in GROUPS {
        tags.push(json!({"name": name, "description": about}));
        for call in calls() {
            let mut routes = route_table().iter();
            let route = routes.find(|route| route.method == call.method && route.path == call.path);
            schemas.extend(call.schemas());
            let mut operation = call.operation(name, route);
            if let Some(recorded) = recorded.get(&format!("{} {}", call.method, call.path)) {
                recorded.add_to(&mut operation);
            }
            let method = call.method.as_str().to_ascii_lowercase();
            paths
                .entry(call.path)
                .or_default()
                .insert(method, operation);
        }
    }
    let schemas: BTreeMap<String, Value> = schemas.into_iter().collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Resilient Orchestrator",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Keeps every stream running on exactly one healthy server.",
            "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas, "responses": refusals::responses(),
            "securitySchemes": refusals::security_schemes()},
    })
}

/// An answer of the program to the example of a route; `tests/http/description.rs` records them.
#[derive(Debug, Deserialize)]
struct Recorded {
    status: u16,
    answer: Value,
}

impl Recorded {
    /// Adds it to its response.
    fn add_to(&self, operation: &mut Value) {
        let response = operation["responses"].get_mut(self.status.to_string());
        let contents = response.and_then(|response| response["content"].as_object_mut());
        let mut contents = contents.into_iter().flatten();
        if let Some((_, content)) = contents.find(|kind| kind.0.ends_with("json")) {
            content["example"] = self.answer.clone();
        }
    }
}

const ABOUT: &str = "\
Bodies and answers are JSON. Unknown fields of a body are ignored; unknown parameters of a query are refused, \
except by the calls of workers and by probes. An integer may be written `3.0`. Times are RFC 3339, in UTC.

Every error is `application/problem+json` (RFC 9457). Its `detail` says what happened and what to do; its `type` \
is stable. Each path answers 405 to other methods, and names those it takes in `Allow`. A route for GET answers \
HEAD too. A 503 has `Retry-After`.

With `AUTH` on a caller needs a key: `Authorization: Bearer ork_…`, or the cookie of a session. `x-role` of each \
operation says which role it needs.

Answers may get more fields in later releases; read those that you know.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_one_schema() {
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        let described = GROUPS.iter().flat_map(|group| (group.calls)());
        let schemas = described.flat_map(|call| call.schemas());
        for (name, schema) in schemas.chain(refusals::schemas()) {
            let first = seen.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(
                *first, schema,
                "two types are called {name}: use #[schema(as = …)]"
            );
        }
        assert!(seen.len() > 50);
    }
}
