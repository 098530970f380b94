//! One call to a running orchestrator, its output, and its exit code.

use serde_json::Value;

use super::connection::Connection;
use super::question::{Question, Subject};
use super::{
    capacity, cluster, consistency, events, explain, incidents, planned, rebalance, recovery,
    status, story, streams,
};
use crate::cli::escapes::escaped_json;
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};
use crate::config;

/// Sends the call, prints the answer, and returns the exit code.
pub(in crate::cli) fn ask(question: Question) -> Exit {
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
        Subject::Events(order) => return events::carry_out(&connection, order, question.json),
        Subject::Story(order) => return story::carry_out(&connection, order, question.json),
        Subject::Streams(order) => return streams::carry_out(&connection, order, question.json),
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
        Subject::Capacity => (connection.get("/capacity", &[]), capacity::show),
        Subject::Explain(id) => (connection.get(&explain::path(id), &[]), explain::show),
        Subject::Cluster => (connection.get("/cluster", &[]), cluster::show),
        Subject::TakeOver { reason } => (
            connection.post("/cluster/take-over", &[("reason", reason.clone())]),
            cluster::show_order,
        ),
        Subject::Rebalance(parameters) => (
            connection.post("/rebalance/smart", parameters),
            rebalance::show,
        ),
        Subject::Planned(order) => return planned::carry_out(&connection, order, question.json),
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
        Subject::Status
        | Subject::Incidents(_)
        | Subject::Incident(_)
        | Subject::Events(_)
        | Subject::Story(_)
        | Subject::Capacity
        | Subject::Explain(_)
        | Subject::Cluster
        | Subject::Streams(_)
        | Subject::Rebalance(_)
        | Subject::Planned(_)
        | Subject::TakeOver { .. } => Exit::Done,
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
