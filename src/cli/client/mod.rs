//! The commands that talk to a running orchestrator, over HTTP like anybody else.
//!
//! `connection` asks, `table` aligns, and each command has a file that knows what its answer looks
//! like to a person. With `--json` what was answered is printed as JSON, of the same value; what would
//! deceive a reader is written as `\u202e` there.

mod connection;
mod consistency;
mod incidents;
mod recovery;
mod routes;
mod status;
mod table;

use std::ffi::OsString;

use serde_json::Value;

use super::escapes::escaped_json;
use super::exit::Exit;
use super::{complain, print};
use crate::config;
use connection::Connection;

/// What is asked of a running orchestrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) subject: Subject,
    /// The flag `--url`.
    pub(super) url: Option<OsString>,
    /// Whether the answer is printed as JSON.
    pub(super) json: bool,
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// How the fleet is.
    Status,
    /// The recoveries; what restricts them, by parameter.
    Incidents(Vec<(&'static str, String)>),
    /// One recovery with its steps, by its id.
    Incident(String),
    /// Whether the invariants hold.
    Consistency,
    /// The recovery of an instance that has failed, now.
    Recover(String),
    /// The recovery of an instance whether it has failed or not.
    Emergency {
        /// Which one.
        id: String,
        /// Why.
        reason: String,
    },
}

/// Asks, prints, and says by the exit code how it went.
pub(super) fn ask(question: Question) -> Exit {
    let (url, warnings) = match config::server_url(question.url) {
        Ok(read) => read,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}."));
            return Exit::Misused;
        }
    };
    for warning in warnings {
        complain(&format!("orchestrator: warning: {warning}"));
    }
    let connection = Connection::to(url);
    let (answer, show): (_, fn(&Value) -> String) = match &question.subject {
        Subject::Status => (status::ask(&connection), status::show),
        Subject::Incident(id) => (
            connection.get(&recovery::path("incidents", id), &[]),
            incidents::show_one,
        ),
        Subject::Incidents(parameters) => (
            connection.get("/resilience/incidents", parameters),
            incidents::show,
        ),
        Subject::Consistency => (
            connection.get("/resilience/consistency", &[]),
            consistency::show,
        ),
        Subject::Recover(id) => (
            connection.post(&recovery::path("recovery", id), &[]),
            recovery::show,
        ),
        Subject::Emergency { id, reason } => (
            connection.post(
                &recovery::path("emergency", id),
                &[("reason", reason.clone())],
            ),
            recovery::show,
        ),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Exit::Failed;
        }
    };
    let printed = print(&if question.json {
        format!("{}\n", escaped_json(&format!("{answer:#}")))
    } else {
        show(&answer)
    });
    if printed != Exit::Done {
        return printed;
    }
    match question.subject {
        Subject::Status | Subject::Incidents(_) | Subject::Incident(_) => Exit::Done,
        Subject::Consistency => match answer["consistent"].as_bool() {
            Some(true) => Exit::Done,
            Some(false) => Exit::Failed,
            None => Exit::Unknown,
        },
        Subject::Recover(_) | Subject::Emergency { .. } => match answer["status"].as_str() {
            Some("success") => Exit::Done,
            _ => Exit::Failed,
        },
    }
}
