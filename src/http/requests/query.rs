//! How a query is read: its parameters are the fields of an object whose values are texts.

use std::collections::BTreeSet;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, web};
use serde::de::value::MapDeserializer;
use serde_json::Value;

use super::reading::{Record, Refused};
use crate::domain::spelling::nearest;
use crate::http::problem::Problem;

/// How much of a parameter's name is repeated in a refusal, in characters.
const MAX_SHOWN_NAME: usize = 64;

/// The parameter that may be given several times. Of any other the last counts.
const LIST: &str = "label";

/// The parameters whose rules read an empty text too: `dry_run` without a value counts as true, so that
/// an order is not carried out because the value was forgotten. Any other that is empty is the same as
/// absent.
const READ_EMPTY: [&str; 2] = ["reason", "dry_run"];

/// Names that other programs have for parameters of ours.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("server_id", "instance"),
    ("server", "instance"),
    ("worker", "instance"),
    ("stream_id", "stream"),
    ("type", "kind"),
    ("since", "from"),
    ("until", "to"),
    ("sort", "order"),
    ("cursor", "after"),
    ("offset", "after"),
    ("page", "after"),
    ("count", "limit"),
    ("per_page", "limit"),
    ("page_size", "limit"),
];

/// Reads the query of a request. Unknown parameters are refused: a filter that was ignored would be
/// answered with everything, which looks like an answer.
///
/// # Errors
/// 422 with every parameter that is bad, unknown ones last.
pub(in crate::http) fn read_query<R: Record>(request: &HttpRequest) -> Result<R, Problem> {
    let pairs = pairs(request);
    let given =
        |(name, text): &&(String, String)| READ_EMPTY.contains(&name.as_str()) || !text.is_empty();
    let (list, single): (Vec<_>, Vec<_>) = pairs
        .iter()
        .filter(given)
        .partition(|(name, _)| name == LIST);
    let list: Vec<&str> = list.iter().map(|(_, text)| text.as_str()).collect();
    let list = (!list.is_empty()).then(|| (LIST, Value::from(list)));
    let single = single.iter();
    let single = single.map(|(name, text)| (name.as_str(), Value::from(text.as_str())));
    let object = MapDeserializer::<_, serde_json::Error>::new(single.chain(list));
    let draft = R::read(object).map_err(|_| Problem::internal())?;
    let unknown = unknown(&pairs, R::FIELDS);
    match R::settle(draft) {
        Ok(query) => Ok(unknown.or(query)?),
        Err(mut refused) => {
            refused.add("", unknown);
            Err(refused.into())
        }
    }
}

/// Middleware of a route without parameters: refuses any.
pub(in crate::http) async fn refuse_any<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match unknown(&pairs(request.request()), &[]).or(()) {
        Ok(()) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(refused) => Ok(request.error_response(Problem::from(refused))),
    }
}

/// The parameters of a request; nothing in them can fail to be read.
fn pairs(request: &HttpRequest) -> Vec<(String, String)> {
    web::Query::from_query(request.query_string())
        .map(web::Query::into_inner)
        .unwrap_or_default()
}

/// The parameters that a route does not have, each once.
fn unknown(pairs: &[(String, String)], known: &[&'static str]) -> Refused {
    let mut known = known.to_vec();
    known.sort_unstable();
    let mut seen: BTreeSet<&str> = known.iter().copied().collect();
    let mut refused = Refused::default();
    for (name, _) in pairs {
        if seen.insert(name) {
            let shown: String = name.chars().take(MAX_SHOWN_NAME).collect();
            refused.note(shown, why_unknown(name, &known));
        }
    }
    refused
}

fn why_unknown(name: &str, known: &[&'static str]) -> String {
    let other = OTHER_NAMES
        .iter()
        .find(|(other, ours)| *other == name && known.contains(ours))
        .map(|(_, ours)| *ours);
    match other.or_else(|| nearest(name, known)) {
        None => "is not a parameter of this route, which takes none".to_owned(),
        Some(meant) => {
            let all: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!(
                "is not a parameter of this route; did you mean `{meant}`? It takes {}",
                all.join(", ")
            )
        }
    }
}
