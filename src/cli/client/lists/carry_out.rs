//! Carries an order to list out.

use super::form::Form;
use super::moves;
use super::pages::{Cut, each_page};
use super::printer::{Printer, Style};
use crate::cli::client::connection::Connection;
use crate::cli::client::list_order::{List, ListOrder};
use crate::cli::client::output_format::OutputFormat;
use crate::cli::exit::Exit;
use crate::cli::output::{Sink, complain};

/// Prints a list, and returns the exit code.
///
/// # Errors
/// Returns the exit code if the output has ended.
pub(in crate::cli::client) fn carry_out(
    connection: &Connection,
    order: &ListOrder,
    output: OutputFormat,
    sink: &mut Sink,
) -> Result<Exit, Exit> {
    let form = Form::of(order.list);
    let mut printer = Printer::new(sink, output, form.key, Style::Columns(form.columns));
    let rest = match order.list {
        List::Moves => moves::each_block(connection, &form, order, |rows| {
            printer.rows(&rows).map_err(Cut::Output)
        }),
        List::Instances
        | List::Streams
        | List::Alerts
        | List::Silences
        | List::Patterns
        | List::Incidents => each_page(connection, &form, form.key, order, |rows| {
            printer.rows(&rows).map_err(Cut::Output)
        }),
    };
    match rest {
        Ok(rest) => printer.end(&rest, form.none).map(|()| Exit::Done),
        Err(Cut::Output(exit)) => Err(exit),
        Err(Cut::Enough) => Ok(Exit::Done),
        Err(Cut::Reason(reason)) => {
            printer.cut_off(&reason)?;
            complain(&format!("orchestrator: {reason}"));
            Ok(Exit::Failed)
        }
    }
}
