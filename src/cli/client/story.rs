//! The output of `story`.

use serde_json::Value;

use super::connection::Connection;
use super::events::line;
use super::lists::{Printer, Style};
use super::output_format::OutputFormat;
use super::question::StoryOrder;
use super::recovery::encoded;
use crate::cli::exit::Exit;
use crate::cli::output::{Sink, complain};

/// Reads the whole story, prints it page by page, and returns the exit code.
///
/// # Errors
/// Returns the exit code if the output has ended.
pub(super) fn carry_out(
    connection: &Connection,
    order: &StoryOrder,
    output: OutputFormat,
    sink: &mut Sink,
) -> Result<Exit, Exit> {
    let list = match order.is_stream {
        true => "streams",
        false => "instances",
    };
    let path = format!("/{list}/{}/story", encoded(&order.id));
    let mut printer = Printer::new(sink, output, "story", Style::Lines(line));
    let mut parameters = order.parameters.clone();
    loop {
        let mut page = match connection.get(&path, &parameters) {
            Ok(page) => page,
            Err(reason) => {
                complain(&format!("orchestrator: {reason}"));
                return Ok(Exit::Failed);
            }
        };
        if let Value::Array(sentences) = page["story"].take() {
            printer.rows(&sentences)?;
        }
        let Some(next) = page.get("next") else {
            printer.end(&Value::Null, "Nothing has happened.\n")?;
            return Ok(Exit::Done);
        };
        parameters.retain(|(name, _)| *name != "after");
        parameters.push(("after", next.to_string()));
    }
}
