//! One call to a running orchestrator, its output, and its exit code.

use std::time::Duration;

use serde_json::Value;

use super::connection::Connection;
use super::output_format::OutputFormat;
use super::question::{Address, Question, Subject};
use super::{
    alerts, bundle, capacity, cluster, consistency, events, explain, incidents, keys, lists,
    planned, rebalance, recovery, status, story, streams, top, watch, webhooks,
};
use crate::cli::exit::Exit;
use crate::cli::output::{Sink, complain};
use crate::config;
use crate::logging::escapes::escaped_json;

/// Sends the call, prints the answer, and returns the exit code; again and again if that was asked for.
pub(in crate::cli) fn ask(question: Question) -> Exit {
    let Question {
        subject,
        address,
        output,
        watch,
    } = question;
    // Its file is written also if the orchestrator cannot be asked.
    if let Subject::SupportBundle { file } = &subject {
        return bundle::carry_out(address, file.as_deref());
    }
    let connection = match connect(address) {
        Ok(connection) => connection,
        Err(exit) => return exit,
    };
    if let Subject::OrderCluster(order) = &subject
        && let Err(reason) = cluster::check(&connection, order)
    {
        complain(&format!("orchestrator: {reason}"));
        return Exit::Misused;
    }
    let mut sink = Sink::default();
    let once = |sink: &mut Sink| {
        let exit = answer(&connection, &subject, output, sink)?;
        sink.flush().map(|()| exit)
    };
    let ended = match watch {
        Some(pause) => watch::repeat(pause, output, &mut sink, once),
        None => once(&mut sink),
    };
    ended.unwrap_or_else(|exit| exit)
}

/// Shows the fleet live, and asks again after each pause.
pub(in crate::cli) fn look(address: Address, pause: Duration) -> Exit {
    match connect(address) {
        Ok(connection) => top::run(connection, pause),
        Err(exit) => exit,
    }
}

fn connect(address: Address) -> Result<Connection, Exit> {
    let Address { url, key_file } = address;
    let misused = |reason| {
        complain(&format!("orchestrator: {reason}."));
        Exit::Misused
    };
    let (urls, warnings) = config::server_urls(url).map_err(misused)?;
    for warning in warnings {
        complain(&format!("orchestrator: warning: {warning}"));
    }
    let key = config::server_key(key_file).map_err(misused)?;
    let files = config::caller_files().map_err(misused)?;
    Connection::to(urls, &files, key).map_err(|reason| {
        complain(&format!("orchestrator: {reason}"));
        Exit::Misused
    })
}

/// Sends the call once, prints the answer, and returns the exit code.
fn answer(
    connection: &Connection,
    subject: &Subject,
    output: OutputFormat,
    sink: &mut Sink,
) -> Result<Exit, Exit> {
    let json = output.is_json();
    let (answer, show): (_, fn(&Value) -> String) = match subject {
        Subject::Events(order) => return events::carry_out(connection, order, output, sink),
        Subject::Story(order) => return story::carry_out(connection, order, output, sink),
        Subject::List(order) => return lists::carry_out(connection, order, output, sink),
        Subject::Streams(order) => return Ok(streams::carry_out(connection, order, json)),
        Subject::Rebalance(order) => {
            return Ok(rebalance::carry_out(connection, order, json));
        }
        Subject::Planned(order) => return Ok(planned::carry_out(connection, order, json)),
        // Carried out before the address is read.
        Subject::SupportBundle { .. } => return Ok(Exit::Done),
        Subject::Webhooks(order) => return webhooks::carry_out(connection, order, json, sink),
        Subject::Keys(call) => return keys::carry_out(connection, call, json, sink),
        Subject::Status { .. } => (status::ask(connection), status::show),
        Subject::Incident(id) => (
            connection.get(&recovery::path("incidents", id), &[]),
            incidents::show,
        ),
        Subject::Alert(order) => (alerts::send(connection, order), alerts::show),
        Subject::Consistency => (
            connection.get("/resilience/consistency", &[]),
            consistency::show,
        ),
        Subject::Capacity => (connection.get("/capacity", &[]), capacity::show),
        Subject::Explain(id) => (connection.get(&explain::path(id), &[]), explain::show),
        Subject::Cluster => (connection.get("/cluster", &[]), cluster::show),
        Subject::OrderCluster(order) => (cluster::order(connection, order), cluster::show_order),
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
            return Ok(match subject {
                Subject::Status { judged: true } => Exit::Unknown,
                _ => Exit::Failed,
            });
        }
    };
    sink.write(&match output {
        OutputFormat::Json => format!("{}\n", escaped_json(&format!("{answer:#}"))),
        OutputFormat::JsonLines => format!("{}\n", escaped_json(&answer.to_string())),
        OutputFormat::Table | OutputFormat::Wide => show(&answer),
    })?;
    Ok(match subject {
        Subject::Status { judged: true } => status::exit_code(&answer),
        Subject::Status { judged: false }
        | Subject::List(_)
        | Subject::Incident(_)
        | Subject::Events(_)
        | Subject::Story(_)
        | Subject::Capacity
        | Subject::Explain(_)
        | Subject::Cluster
        | Subject::Streams(_)
        | Subject::SupportBundle { .. }
        | Subject::Rebalance(_)
        | Subject::Planned(_)
        | Subject::Alert(_)
        | Subject::Webhooks(_)
        | Subject::Keys(_)
        | Subject::OrderCluster(_) => Exit::Done,
        Subject::Consistency => match answer["consistent"].as_bool() {
            Some(true) => Exit::Done,
            Some(false) => Exit::Failed,
            None => Exit::Unknown,
        },
        Subject::Recover(_) | Subject::Emergency { .. } => match answer["status"].as_str() {
            Some("success") => Exit::Done,
            _ => Exit::Failed,
        },
    })
}
