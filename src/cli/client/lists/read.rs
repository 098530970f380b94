//! Reads lists for commands that show them in their own way.

use serde_json::Value;

use super::form::Form;
use super::moves;
use super::pages::{Cut, each_page, next};
use crate::cli::client::connection::Connection;
use crate::cli::client::list_order::{List, ListOrder};

/// Returns at most so many rows of a list, and whether there are more.
///
/// # Errors
/// Returns what the orchestrator answers.
pub(in crate::cli::client) fn read(
    connection: &Connection,
    list: List,
    conditions: &[(&'static str, String)],
    most: usize,
) -> Result<(Vec<Value>, bool), String> {
    let form = Form::of(list);
    let order = ListOrder {
        list,
        parameters: conditions.to_vec(),
        limit: Some(most.to_string()),
    };
    let mut rows = Vec::new();
    let mut take = |some: Vec<Value>| {
        rows.extend(some);
        Ok(())
    };
    let rest = match list {
        List::Moves => moves::each_block(connection, &form, &order, take),
        List::Instances
        | List::Streams
        | List::Alerts
        | List::Silences
        | List::Patterns
        | List::Incidents => each_page(connection, &form, form.key, &order, &mut take),
    };
    match rest {
        Ok(rest) => Ok((rows, next(&rest).is_some())),
        Err(Cut::Reason(reason)) => Err(reason),
        Err(Cut::Enough | Cut::Output(_)) => Ok((rows, true)),
    }
}

/// Returns the names of the columns that a list has without `--output wide`.
pub(in crate::cli::client) fn heads(list: List) -> Vec<&'static str> {
    let columns = Form::of(list).columns.iter();
    let shown = columns.filter(|column| !column.is_wide);
    shown.map(|column| column.head).collect()
}

/// Returns the cells of a row in these columns.
pub(in crate::cli::client) fn cells(list: List, row: &Value) -> Vec<String> {
    let columns = Form::of(list).columns.iter();
    let shown = columns.filter(|column| !column.is_wide);
    shown.map(|column| (column.value)(row)).collect()
}
