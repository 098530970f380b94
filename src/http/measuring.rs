//! Counts the answers of routes, with the time until each was made, and logs them: those to orders of
//! operators at INFO, others at DEBUG, those to heartbeats not at all. A dry run changes nothing and is no
//! order.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::{self, Data};
use actix_web::{Error, HttpMessage};
use log::{Level, log, log_enabled};

use super::access::Sender;
use super::answer::milliseconds;
use super::route_table::{BEAT, is_order, pattern_of};
use super::state::AppState;
use crate::actors::telemetry::AnswerLabel;

/// What stands for a path or a method that no route has: callers may invent any number of them.
const UNKNOWN: &str = "unknown";

/// The most characters of a path in a log line.
const LONGEST_PATH: usize = 200;

/// Methods that are shown by name.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"];

/// Middleware: counts each answer while the fleet is loaded. A long list counts when its first piece is
/// ready, a long poll when it is answered.
pub(super) async fn measure(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else {
        return next.call(request).await;
    };
    let clock = state.orchestrator().clock();
    let began = clock.since_made();
    let answer = next.call(request).await?;
    let label = AnswerLabel {
        method: shown(answer.request().method()),
        route: pattern_of(answer.request()).unwrap_or(UNKNOWN),
        status: answer.status().as_u16(),
    };
    let took = clock.since_made().saturating_sub(began);
    state.orchestrator().telemetry().count_answer(&label, took);
    if label.route != BEAT {
        log_answer(&answer, label.route, took);
    }
    Ok(answer)
}

/// Logs an answer. The query is left out, and so is the end of a long path: both are the caller's.
fn log_answer(answer: &ServiceResponse<BoxBody>, route: &str, took: Duration) {
    if !log_enabled!(Level::Info) {
        return;
    }
    let request = answer.request();
    let is_order = is_order(route, request.method()) && !is_dry_run(request.query_string());
    let level = match is_order {
        true => Level::Info,
        false => Level::Debug,
    };
    if !log_enabled!(level) {
        return;
    }
    let path = request.path();
    let cut = path.char_indices().nth(LONGEST_PATH);
    let path = cut.map_or(path, |(end, _)| &path[..end]);
    let method = request.method().as_str();
    let (status, took_ms) = (answer.status().as_u16(), milliseconds(took));
    // The caller of an order, as its events name it.
    let extensions = request.extensions();
    let origin = extensions.get::<Sender>().and_then(Sender::origin);
    let key = origin.and_then(|origin| origin.key.as_deref());
    let address = origin
        .and_then(|origin| origin.address)
        .map(|address| address.to_string());
    let address = address.as_deref();
    log!(level, method, path, status, took_ms, key, address; "{method} {path} was answered {status}");
}

/// Returns whether a query asks for a dry run, as handlers read it: the last one counts, and one without a value too.
fn is_dry_run(query: &str) -> bool {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query);
    let pairs = pairs.map(web::Query::into_inner).unwrap_or_default();
    let mut wanted = pairs.iter().rev().filter(|(name, _)| name == "dry_run");
    let last = wanted.next().map(|(_, value)| value.as_str());
    matches!(last, Some("true" | ""))
}

fn shown(method: &Method) -> &'static str {
    let known = METHODS.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::is_dry_run;

    #[test]
    fn a_dry_run_is_known_however_it_is_written() {
        for query in [
            "dry_run=true",
            "dry_run",
            "dry_run=",
            "dry%5Frun=true",
            "a=1&dry_run=tru%65",
        ] {
            assert!(is_dry_run(query), "{query}");
        }
        for query in [
            "",
            "dry_run=false",
            "dry_run=true&dry_run=false",
            "xdry_run=true",
        ] {
            assert!(!is_dry_run(query), "{query}");
        }
    }
}
