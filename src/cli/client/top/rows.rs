//! The tables of `top`, and their rows.

use std::cmp::Ordering;
use std::time::SystemTime;

use serde_json::Value;

use crate::cli::client::list_order::List;
use crate::cli::client::lists;
use crate::cli::client::table::{cell, time, words};

/// The tables, in the order of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Instances,
    /// Streams without an owner.
    Waiting,
    Moves,
    Incidents,
    Alerts,
}

impl View {
    pub(super) const ALL: [Self; 5] = [
        Self::Instances,
        Self::Waiting,
        Self::Moves,
        Self::Incidents,
        Self::Alerts,
    ];

    /// Returns its place among the tables.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Instances => 0,
            Self::Waiting => 1,
            Self::Moves => 2,
            Self::Incidents => 3,
            Self::Alerts => 4,
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Instances => "Instances",
            Self::Waiting => "Waiting streams",
            Self::Moves => "Moves",
            Self::Incidents => "Incidents",
            Self::Alerts => "Open alerts",
        }
    }

    /// Returns what stands in the place of a table without rows.
    pub(super) const fn none(self) -> &'static str {
        match self {
            Self::Instances => "No instances have registered.",
            Self::Waiting => "No streams wait.",
            Self::Moves => "No moves are under way.",
            Self::Incidents => "No incidents.",
            Self::Alerts => "No alerts are open.",
        }
    }

    /// Returns the names of the columns.
    pub(super) fn heads(self) -> Vec<&'static str> {
        match self {
            Self::Instances => vec![
                "INSTANCE", "STATE", "LOAD", "OWNED", "RUNNING", "MAX", "SILENT", "LABELS",
            ],
            Self::Waiting => vec!["ID", "NAME", "STATE", "SINCE (UTC)", "REASON", "PRIORITY"],
            Self::Moves => lists::heads(List::Moves),
            Self::Incidents => lists::heads(List::Incidents),
            Self::Alerts => lists::heads(List::Alerts),
        }
    }

    /// Returns a row of an answer; `now` is the time at the orchestrator.
    pub(super) fn row(self, value: &Value, now: Option<SystemTime>) -> Row {
        let (id, cells) = match self {
            Self::Instances => (cell(&value["server_id"]), instance(value, now)),
            Self::Waiting => (
                cell(&value["id"]),
                vec![
                    cell(&value["id"]),
                    cell(&value["name"]),
                    words(&value["state"]),
                    time(&value["waiting_since"]),
                    words(&value["reason"]),
                    cell(&value["priority"]),
                ],
            ),
            Self::Moves => (cell(&value["stream_id"]), lists::cells(List::Moves, value)),
            Self::Incidents => (cell(&value["id"]), lists::cells(List::Incidents, value)),
            Self::Alerts => (cell(&value["id"]), lists::cells(List::Alerts, value)),
        };
        Row {
            id,
            name: match self {
                Self::Instances => value["server_id"].as_str().unwrap_or_default().to_owned(),
                Self::Waiting | Self::Incidents | Self::Alerts => value["id"].to_string(),
                Self::Moves => value["stream_id"].to_string(),
            },
            cells,
            tone: tone(self, value),
            value: value.clone(),
        }
    }
}

/// How a row stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// An operator may want to know.
    Warning,
    /// An operator has to do something.
    Bad,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// What it is recognised by in the next answer.
    pub(super) id: String,
    /// The name or the number as the orchestrator knows it, for calls.
    pub(super) name: String,
    pub(super) cells: Vec<String>,
    pub(super) tone: Tone,
    pub(super) value: Value,
}

fn instance(value: &Value, now: Option<SystemTime>) -> Vec<String> {
    let listed = lists::cells(List::Instances, value);
    let labels = listed.last().cloned().unwrap_or_default();
    let state = listed.get(1).cloned().unwrap_or_default();
    vec![
        cell(&value["server_id"]),
        state,
        load(value),
        cell(&value["owned"]),
        cell(&value["running"]),
        cell(&value["max_streams"]),
        silence(value, now),
        labels,
    ]
}

fn load(value: &Value) -> String {
    let (owned, max) = (value["owned"].as_f64(), value["max_streams"].as_f64());
    match (owned, max) {
        (Some(owned), Some(max)) if max > 0.0 => format!("{:.0} %", owned / max * 100.0),
        _ => "-".to_owned(),
    }
}

fn silence(value: &Value, now: Option<SystemTime>) -> String {
    let last = value["last_heartbeat"].as_str();
    let last = last.and_then(|last| humantime::parse_rfc3339(last).ok());
    match (now, last) {
        (Some(now), Some(last)) => {
            // A heartbeat may have come between the two answers.
            let silent = now.duration_since(last).unwrap_or_default();
            format!("{} s", silent.as_secs())
        }
        _ => "-".to_owned(),
    }
}

fn tone(view: View, value: &Value) -> Tone {
    match view {
        View::Instances => match value["status"].as_str() {
            Some("failed" | "inactive") => Tone::Bad,
            Some("suspect" | "recovering" | "draining" | "maintenance") => Tone::Warning,
            _ => Tone::Plain,
        },
        View::Waiting => match value["state"].as_str() {
            Some("orphaned") => Tone::Bad,
            Some("quarantined") => Tone::Warning,
            _ => Tone::Plain,
        },
        View::Moves => match value["state"].as_str() {
            Some("given_up") => Tone::Warning,
            _ => Tone::Plain,
        },
        View::Incidents => match (value["state"].as_str(), value["outcome"].as_str()) {
            (Some("open"), _) => Tone::Warning,
            (_, Some("failed" | "recovered_partially")) => Tone::Bad,
            _ => Tone::Plain,
        },
        View::Alerts => match value["severity"].as_str() {
            Some("critical" | "error") => Tone::Bad,
            Some("warning") => Tone::Warning,
            _ => Tone::Plain,
        },
    }
}

/// Compares two cells: as numbers if both begin with one, else as texts.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    match (number(one), number(other)) {
        (Some(first), Some(second)) => first.total_cmp(&second),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}

/// Returns a number, with or without a unit behind it; not the year of a time.
fn number(cell: &str) -> Option<f64> {
    let (number, unit) = cell.split_once(' ').unwrap_or((cell, ""));
    let is_unit = matches!(unit, "" | "%" | "s" | "ms");
    number.parse().ok().filter(|_: &f64| is_unit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_instance_is_shown_with_its_load_and_its_silence() {
        let now = humantime::parse_rfc3339("2026-01-31T08:02:11.5Z").ok();
        let value = json!({"server_id": "a\u{1b}", "status": "suspect", "owned": 5, "running": 4,
            "max_streams": 20, "last_heartbeat": "2026-01-31T08:00:00.000000Z", "labels": {"z": "n"}});
        let row = View::Instances.row(&value, now);
        let shown = [
            "a\\u{1b}", "suspect", "25 %", "5", "4", "20", "131 s", "z=n",
        ];
        assert_eq!(row.cells, shown);
        assert_eq!((row.name.as_str(), row.tone), ("a\u{1b}", Tone::Warning));
        assert_eq!(View::Instances.row(&value, None).cells[6], "-");
    }

    #[test]
    fn each_table_has_as_many_cells_as_columns() {
        for view in View::ALL {
            let row = view.row(&json!({}), None);
            assert_eq!(row.cells.len(), view.heads().len(), "{view:?}");
            assert_eq!(View::ALL[view.index()], view);
        }
    }

    #[test]
    fn cells_are_compared_as_numbers_where_they_are_numbers() {
        let mut cells = ["100 %", "9 %", "-", "25 %"];
        cells.sort_by(|one, other| compare(one, other));
        assert_eq!(cells, ["9 %", "25 %", "100 %", "-"]);
        let mut cells = ["b", "a", "2026-01-02 08:00:00", "2026-01-01 09:00:00"];
        cells.sort_by(|one, other| compare(one, other));
        assert_eq!(
            cells,
            ["2026-01-01 09:00:00", "2026-01-02 08:00:00", "a", "b"]
        );
    }
}
