//! The route of each list, and how it is printed.

use serde_json::Value;

use super::columns::{self, Column};
use crate::cli::client::list_order::List;
use crate::cli::client::table::Sheet;

/// How a list is read and printed.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) path: &'static str,
    /// The field of an answer that has the rows.
    pub(super) key: &'static str,
    /// How many rows a page may have; `None`: the list has no pages.
    pub(super) page: Option<u64>,
    pub(super) columns: &'static [Column],
    /// Printed if there are no rows.
    pub(super) none: &'static str,
}

impl Form {
    /// Returns the form of a list.
    pub(super) const fn of(list: List) -> Self {
        // The first two are answered from memory, the others from the database: shorter pages.
        let (path, key, page, columns, none) = match list {
            List::Instances => (
                "/instances",
                "instances",
                Some(5_000),
                columns::INSTANCES,
                "No instances.\n",
            ),
            List::Streams => (
                "/streams",
                "streams",
                Some(5_000),
                columns::STREAMS,
                "No streams.\n",
            ),
            List::Moves => (
                "/streams",
                "moves",
                Some(5_000),
                columns::MOVES,
                "No moves are under way.\n",
            ),
            List::Alerts => (
                "/resilience/alerts",
                "alerts",
                Some(1_000),
                columns::ALERTS,
                "No alerts.\n",
            ),
            List::Silences => (
                "/resilience/silences",
                "silences",
                None,
                columns::SILENCES,
                "No silences.\n",
            ),
            List::Patterns => (
                "/resilience/patterns",
                "patterns",
                None,
                columns::PATTERNS,
                "No patterns.\n",
            ),
            List::Incidents => (
                "/resilience/incidents",
                "incidents",
                Some(1_000),
                columns::INCIDENTS,
                "No incidents.\n",
            ),
        };
        Self {
            path,
            key,
            page,
            columns,
            none,
        }
    }
}

/// Returns one row of a list as a table of its own.
pub(in crate::cli::client) fn row_text(list: List, row: &Value) -> String {
    let columns = Form::of(list).columns.iter();
    let shown = columns.filter(|column| !column.is_wide);
    let (heads, cells): (Vec<String>, Vec<String>) = shown
        .map(|column| (column.head.to_owned(), (column.value)(row)))
        .unzip();
    Sheet::default().lines(&[heads, cells])
}
