//! Asks the orchestrator for what `top` shows.

use serde_json::{Value, json};

use super::model::{Page, Snapshot, Table};
use super::rows::View;
use crate::cli::client::connection::Connection;
use crate::cli::client::list_order::List;
use crate::cli::client::recovery::{encoded, path};
use crate::cli::client::table::{cell, time};
use crate::cli::client::{explain, incidents, lists, plans, status};

/// How many rows of a table are read at the most: a person does not look at more of them.
const MOST_ROWS: usize = 20_000;

/// How many rows of a table that comes from the database.
const MOST_STORED: usize = 500;

/// The states of streams that wait, the most urgent first.
const WAITING: [&str; 3] = ["orphaned", "quarantined", "unclaimed"];

/// The reason of a drain that is ordered here, in the events.
const REASON: &str = "ordered in orchestrator top";

/// Asks for everything.
///
/// # Errors
/// Returns one sentence if the state of the fleet is not answered.
pub(super) fn snapshot(connection: &Connection) -> Result<Snapshot, String> {
    let status = status::ask(connection)?;
    let at = status["timestamp"].as_str();
    let now = at.and_then(|at| humantime::parse_rfc3339(at).ok());
    let tables = View::ALL.map(|view| match read(connection, view) {
        Ok((rows, is_cut)) => {
            let rows = rows.iter().map(|row| view.row(row, now)).collect();
            Table::Rows(rows, is_cut)
        }
        Err(reason) => Table::Missing(reason),
    });
    Ok(Snapshot {
        lines: status::lines(&status),
        at: time(&status["timestamp"]),
        tables,
    })
}

/// Returns the rows of a table, and whether there are more of them.
fn read(connection: &Connection, view: View) -> Result<(Vec<Value>, bool), String> {
    match view {
        View::Instances => lists::read(connection, List::Instances, &[], MOST_ROWS),
        View::Waiting => {
            let mut rows = Vec::new();
            let mut is_cut = false;
            for state in WAITING {
                let state = [("state", state.to_owned())];
                let (some, more) = lists::read(connection, List::Streams, &state, MOST_STORED)?;
                rows.extend(some);
                is_cut |= more;
            }
            Ok((rows, is_cut))
        }
        View::Moves => lists::read(connection, List::Moves, &[], MOST_STORED),
        View::Incidents => lists::read(connection, List::Incidents, &[], MOST_STORED),
        View::Alerts => {
            let open = [("open", "true".to_owned())];
            lists::read(connection, List::Alerts, &open, MOST_STORED)
        }
    }
}

/// Returns the text about one row of a table.
///
/// # Errors
/// Returns one sentence that says what happened.
pub(super) fn page(connection: &Connection, view: View, name: &str) -> Result<Page, String> {
    let ask = |path: &str| connection.get(path, &[]);
    let (title, text) = match view {
        View::Instances => {
            let answer = ask(&format!("/instances/{}/explain", encoded(name)))?;
            (format!("Instance {name}"), explain::show(&answer))
        }
        View::Waiting | View::Moves => {
            let answer = ask(&format!("/streams/{}/explain", encoded(name)))?;
            (format!("Stream {name}"), explain::show(&answer))
        }
        View::Incidents => {
            let answer = ask(&path("incidents", name))?;
            (format!("Incident {name}"), incidents::show(&answer))
        }
        View::Alerts => {
            let open = [("open", "true".to_owned())];
            let (alerts, _) = lists::read(connection, List::Alerts, &open, MOST_STORED)?;
            let id = name.parse::<i64>().ok();
            let alert = alerts.iter().find(|alert| alert["id"].as_i64() == id);
            let text = alert.map_or("It is not open any more.\n".to_owned(), fields);
            (format!("Alert {name}"), text)
        }
    };
    Ok(Page::new(cell(&title.into()), &text))
}

/// Returns the fields of an answer, a line each.
fn fields(answer: &Value) -> String {
    let fields = answer.as_object().into_iter().flatten();
    let fields = fields.filter(|(_, value)| !value.is_null());
    fields
        .map(|(name, value)| format!("{:<16}{}\n", cell(&name.as_str().into()), cell(value)))
        .collect()
}

/// Returns what a drain of an instance would do.
///
/// # Errors
/// Returns one sentence that says what happened.
pub(super) fn plan(connection: &Connection, id: &str) -> Result<Page, String> {
    let tried = [("dry_run", "true".to_owned())];
    let answer = connection.order(&drain(id), &tried, &json!({ "reason": REASON }))?;
    let title = cell(&format!("Drain {id}").into());
    Ok(Page::new(title, &plans::drain(&answer)))
}

/// Orders a drain, and returns what it does in one line.
///
/// # Errors
/// Returns one sentence that says what happened.
pub(super) fn begin_drain(connection: &Connection, id: &str) -> Result<String, String> {
    let answer = connection.order(&drain(id), &[], &json!({ "reason": REASON }))?;
    let text = plans::drain(&answer);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn drain(id: &str) -> String {
    format!("/instances/{}/drain", encoded(id))
}
