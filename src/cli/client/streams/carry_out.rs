//! Carries an order about the catalogue out.

use super::{change, export, import};
use crate::cli::client::connection::Connection;
use crate::cli::client::stream_order::StreamsOrder;
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};
use crate::logging::escapes::escaped_json;

/// Carries the order out, prints the outcome, and returns the exit code.
pub(in crate::cli::client) fn carry_out(
    connection: &Connection,
    order: &StreamsOrder,
    json: bool,
) -> Exit {
    let outcome = match order {
        StreamsOrder::Import(order) => return import::import(connection, order, json),
        StreamsOrder::Export(format) => return export::export(connection, *format),
        StreamsOrder::Enable(ids) => change::set_enabled(connection, ids, true, json),
        StreamsOrder::Disable(ids) => change::set_enabled(connection, ids, false, json),
        StreamsOrder::Delete(ids) => change::delete(connection, ids, json),
    };
    match outcome {
        Ok(text) if json => print(&format!("{}\n", escaped_json(text.trim_end()))),
        Ok(text) => print(&text),
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            Exit::Failed
        }
    }
}
