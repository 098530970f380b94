//! What the answer of one orchestrator says.

use serde_json::Value;
use ureq::http::Response;
use ureq::{Body, Error};

use super::sentences::{failure, stranger};
use super::turns::{Act, Attempt, Failure};
use crate::cli::client::routes::in_commands;
use crate::config::ServerUrl;
use crate::logging::escapes::escaped;

/// How much of an answer is read: more than the longest page of the catalogue has.
pub(super) const MAX_ANSWER: u64 = 256 * 1024 * 1024;

/// The answer of an orchestrator that did not do what it was asked to.
#[derive(Debug)]
pub(in crate::cli::client) struct Refusal {
    /// The reason.
    pub(in crate::cli::client) sentence: String,
    /// The bad fields, as the answer names them.
    pub(in crate::cli::client) errors: Value,
}

/// The outcome of a request, before its body is read.
pub(super) type Sent = Result<Response<Body>, Error>;

/// The body of a 200, or the refusal.
pub(in crate::cli::client) type Verdict = Result<Value, Refusal>;

/// Returns whether another orchestrator is asked after this answer.
pub(super) fn goes_on(act: Act, status: u16, problem: &Value) -> bool {
    status == 503 && act.goes_on_after(problem["type"].as_str().unwrap_or_default())
}

/// Reads the answer of one orchestrator.
pub(super) fn read_answer(url: &ServerUrl, act: Act, answer: Sent) -> Attempt<Verdict> {
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Attempt::Failed(failure(url, &error)),
    };
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(MAX_ANSWER);
    let mut body: Value = match body.read_json() {
        Ok(body) => body,
        Err(error @ (Error::Timeout(_) | Error::Io(_))) => {
            return Attempt::Failed(failure(url, &error));
        }
        Err(_) => {
            return Attempt::Failed(Failure {
                sentence: stranger(url, status),
                is_gone: false,
                may_be_applied: status == 200 || status >= 500,
            });
        }
    };
    if status == 200 {
        return Attempt::Served(Ok(body));
    }
    let detail = body["detail"].as_str().filter(|detail| !detail.is_empty());
    let sentence = detail.map_or_else(
        || stranger(url, status),
        |detail| in_commands(&escaped(detail)) + &named(&body["would_not_fit"]),
    );
    let goes_on = goes_on(act, status, &body);
    let reason = sentence.clone();
    let refusal = Refusal {
        sentence,
        errors: body["errors"].take(),
    };
    if goes_on {
        Attempt::Declined(Err(refusal), reason)
    } else {
        Attempt::Served(Err(refusal))
    }
}

/// Returns the streams that an answer names, as a sentence of their own.
fn named(streams: &Value) -> String {
    let streams = streams.as_array().map_or(&[][..], Vec::as_slice);
    if streams.is_empty() {
        return String::new();
    }
    let streams: Vec<String> = streams.iter().map(Value::to_string).collect();
    format!(" No room for: {}.", streams.join(", "))
}
