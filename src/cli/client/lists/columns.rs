//! The columns of the lists.

use serde_json::Value;

use crate::cli::client::alerts::conditions;
use crate::cli::client::routes::in_commands;
use crate::cli::client::table::{cell, time, words};
use crate::logging::escapes::escaped;

/// A column: its head, how a row fills it, and whether only `--output wide` has it.
#[derive(Debug)]
pub(in crate::cli::client) struct Column {
    pub(super) head: &'static str,
    pub(super) value: fn(&Value) -> String,
    pub(super) is_wide: bool,
}

const fn column(head: &'static str, value: fn(&Value) -> String) -> Column {
    Column {
        head,
        value,
        is_wide: false,
    }
}

const fn wide(head: &'static str, value: fn(&Value) -> String) -> Column {
    Column {
        head,
        value,
        is_wide: true,
    }
}

pub(super) const INSTANCES: &[Column] = &[
    column("INSTANCE", |row| cell(&row["server_id"])),
    column("STATE", state),
    column("RUNNING", |row| cell(&row["running"])),
    column("OWNED", |row| cell(&row["owned"])),
    column("MAX", |row| cell(&row["max_streams"])),
    column("LAST HEARTBEAT (UTC)", |row| time(&row["last_heartbeat"])),
    column("LABELS", |row| pairs(&row["labels"])),
    wide("STATE SINCE (UTC)", |row| time(&row["status_since"])),
    wide("ADDRESS", |row| {
        format!("{}:{}", cell(&row["ip"]), cell(&row["port"]))
    }),
    wide("CAPACITY", |row| cell(&row["capacity"])),
    wide("FLAPS", |row| cell(&row["flaps"])),
    wide("REPORTED", |row| cell(&row["reported_streams"])),
    wide("REGISTERED (UTC)", |row| time(&row["registered_at"])),
];

pub(super) const STREAMS: &[Column] = &[
    column("ID", |row| cell(&row["id"])),
    column("NAME", |row| cell(&row["name"])),
    column("STATE", |row| cell(&row["state"])),
    column("INSTANCE", |row| cell(&row["server_id"])),
    column("GROUP", |row| cell(&row["group"])),
    column("URL", |row| cell(&row["url"])),
    wide("RUNNING", |row| yes_or_no(&row["running"])),
    wide("SINCE (UTC)", |row| {
        time(match &row["assigned_at"] {
            Value::Null => &row["waiting_since"],
            assigned => assigned,
        })
    }),
    wide("REASON", |row| words(&row["reason"])),
    wide("EPOCH", |row| cell(&row["epoch"])),
    wide("PRIORITY", |row| cell(&row["priority"])),
    wide("WEIGHT", |row| cell(&row["weight"])),
    wide("PINNED", |row| cell(&row["pinned"])),
    wide("LABELS", |row| pairs(&row["labels"])),
];

pub(super) const MOVES: &[Column] = &[
    column("STREAM", |row| cell(&row["stream_id"])),
    column("NAME", |row| cell(&row["name"])),
    column("FROM", |row| cell(&row["from"])),
    column("TO", |row| cell(&row["to"])),
    column("STATE", |row| words(&row["state"])),
    column("SINCE (UTC)", |row| time(&row["since"])),
    wide("HANDOFF", |row| cell(&row["handoff"])),
    wide("EPOCH", |row| cell(&row["epoch"])),
];

pub(super) const ALERTS: &[Column] = &[
    column("ID", |row| cell(&row["id"])),
    column("SINCE (UTC)", |row| time(&row["opened_at"])),
    column("UNTIL (UTC)", |row| time(&row["closed_at"])),
    column("SEVERITY", |row| cell(&row["severity"])),
    column("ALERT", |row| words(&row["kind"])),
    column("ABOUT", |row| cell(&row["subject"])),
    column("ACK", |row| match row["acknowledged"].is_object() {
        true => time(&row["acknowledged"]["at"]),
        false => "-".to_owned(),
    }),
    column("SILENCED", |row| listed(&row["silenced_by"])),
    column("DETAIL", |row| in_commands(&cell(&row["detail"]))),
    wide("ADVICE", |row| in_commands(&cell(&row["advice"]))),
    wide("RUNBOOK", |row| cell(&row["runbook"])),
    wide("REPEATS", |row| cell(&row["repeats"])),
    wide("INSTANCES", |row| listed(&row["instances"])),
    wide("NOTE", |row| cell(&row["acknowledged"]["note"])),
];

pub(super) const SILENCES: &[Column] = &[
    column("ID", |row| cell(&row["id"])),
    column("UNTIL (UTC)", |row| time(&row["until"])),
    column("BY", |row| cell(&row["by"])),
    column("ALERTS WITH", |row| conditions(&row["matchers"])),
    column("REASON", |row| cell(&row["reason"])),
    wide("SINCE (UTC)", |row| time(&row["created_at"])),
];

pub(super) const PATTERNS: &[Column] = &[
    column("PATTERN", |row| words(&row["kind"])),
    column("FIRST (UTC)", |row| time(&row["first_seen"])),
    column("LAST (UTC)", |row| time(&row["last_seen"])),
    column("SUMMARY", |row| cell(&row["summary"])),
    wide("INSTANCES", |row| listed(&row["instances"])),
    wide("INCIDENTS", |row| listed(&row["incidents"])),
];

pub(super) const INCIDENTS: &[Column] = &[
    column("ID", |row| cell(&row["id"])),
    column("DETECTED (UTC)", |row| time(&row["detected_at"])),
    column("TOOK", |row| {
        row["duration_ms"].as_u64().map_or("-".to_owned(), took)
    }),
    column("INSTANCE", |row| cell(&row["server_id"])),
    column("CAUSE", |row| words(&row["cause"])),
    column("OUTCOME", |row| {
        words(match &row["outcome"] {
            Value::Null => &row["state"],
            outcome => outcome,
        })
    }),
    column("MOVED", |row| {
        let (moved, all) = (&row["streams_moved"], &row["streams_affected"]);
        format!("{} of {}", cell(moved), cell(all))
    }),
    column("ORPHANED", |row| cell(&row["streams_orphaned"])),
    wide("ENDED (UTC)", |row| time(&row["ended_at"])),
    wide("ATTEMPTS", |row| cell(&row["attempts"])),
    wide("REASON", |row| cell(&row["reason"])),
];

/// Returns the state of an instance, with what keeps it from getting streams.
fn state(row: &Value) -> String {
    let mut state = words(&row["status"]);
    if row["cordon"].is_object() {
        state.push_str(", cordoned");
    }
    if row["absence"].is_object() {
        let until = time(&row["absence"]["until"]);
        state.push_str(&format!(", absent until {until}"));
    }
    state
}

fn yes_or_no(value: &Value) -> String {
    match value.as_bool() {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => cell(value),
    }
}

/// Returns `zone=north, rack=7`; a dash if there are none.
fn pairs(labels: &Value) -> String {
    let labels = labels.as_object().into_iter().flatten();
    let labels = labels.map(|(key, value)| format!("{}={}", escaped(key), cell(value)));
    joined(labels.collect())
}

fn listed(values: &Value) -> String {
    let values = values.as_array().into_iter().flatten();
    joined(values.map(cell).collect())
}

fn joined(texts: Vec<String>) -> String {
    match texts.is_empty() {
        true => "-".to_owned(),
        false => texts.join(", "),
    }
}

fn took(milliseconds: u64) -> String {
    if milliseconds < 10_000 {
        format!("{milliseconds} ms")
    } else {
        format!("{} s", milliseconds / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cells(columns: &[Column], row: &Value) -> Vec<String> {
        columns.iter().map(|column| (column.value)(row)).collect()
    }

    #[test]
    fn the_state_of_an_instance_says_what_keeps_streams_away() {
        let row = json!({"server_id": "a\u{1b}", "status": "active", "running": 1, "owned": 2,
            "max_streams": 5, "last_heartbeat": "2026-01-31T08:00:00.5Z", "cordon": {},
            "absence": {"until": "2026-01-31T09:00:00Z"}, "labels": {"rack": "7", "zone": "n"}});
        assert_eq!(
            cells(&INSTANCES[..7], &row),
            [
                "a\\u{1b}",
                "active, cordoned, absent until 2026-01-31 09:00:00",
                "1",
                "2",
                "5",
                "2026-01-31 08:00:00",
                "rack=7, zone=n"
            ]
        );
    }

    #[test]
    fn a_row_without_values_has_dashes() {
        for columns in [INSTANCES, STREAMS, MOVES, ALERTS, SILENCES, PATTERNS] {
            for (column, text) in columns.iter().zip(cells(columns, &json!({}))) {
                assert!(
                    text.chars().all(|letter| "-:".contains(letter)),
                    "{}: {text}",
                    column.head
                );
            }
        }
    }

    #[test]
    fn an_incident_that_is_open_shows_its_state() {
        let open = json!({"id": 3, "state": "open", "outcome": null, "duration_ms": 12_345});
        let shown = cells(INCIDENTS, &open);
        assert_eq!((shown[2].as_str(), shown[5].as_str()), ("12 s", "open"));
    }
}
