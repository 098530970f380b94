//! The output of `events`: a list, or a line for each event as it happens.
//!
//! The list is read in pages. `--follow` reads server-sent events; after a lost connection it goes on
//! behind the last event that it has printed. A first connection that fails is an error; later ones are
//! tried again every second, because an orchestrator that is started again is back soon.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::Value;

use super::connection::{Connection, Stream};
use super::lists::{Printer, Style};
use super::output_format::OutputFormat;
use super::pause::pause;
use super::question::EventsOrder;
use super::table::{cell, time};
use crate::cli::exit::Exit;
use crate::cli::output::{Sink, complain};
use crate::logging::escapes::escaped_json;

/// How many events are asked for at once.
const PAGE: &str = "1000";

/// How many of the newest events are listed by default.
const NEWEST: &str = "100";

/// How long a lost orchestrator is left before it is called again.
const INTERVAL: Duration = Duration::from_secs(1);

const LIST: &str = "/resilience/events";
const STREAM: &str = "/resilience/events/stream";

/// Lists the events, or follows them, and returns the exit code.
///
/// # Errors
/// Returns the exit code if the output has ended.
pub(super) fn carry_out(
    connection: &Connection,
    order: &EventsOrder,
    output: OutputFormat,
    sink: &mut Sink,
) -> Result<Exit, Exit> {
    if order.follow {
        return follow(connection, &order.parameters, output, sink);
    }
    let mut printer = Printer::new(sink, output, "events", Style::Lines(line));
    let read = match is_since(order) && order.limit.is_none() {
        true => all(connection, order, &mut printer)?,
        false => newest(connection, order, &mut printer)?,
    };
    let is_cut = match read {
        Ok(is_cut) => is_cut,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Ok(Exit::Failed);
        }
    };
    printer.end(&Value::Null, "No events.\n")?;
    if is_cut {
        complain("orchestrator: older events are left out; --since or --limit shows them.");
    }
    Ok(Exit::Done)
}

fn is_since(order: &EventsOrder) -> bool {
    order.parameters.iter().any(|(name, _)| *name == "from")
}

/// Prints all events that the conditions select, page by page.
fn all(
    connection: &Connection,
    order: &EventsOrder,
    printer: &mut Printer<'_>,
) -> Result<Result<bool, String>, Exit> {
    let mut after = None;
    loop {
        let mut parameters = order.parameters.clone();
        parameters.push(("limit", PAGE.to_owned()));
        parameters.extend(after.map(|after| ("after", after)));
        let mut page = match connection.get(LIST, &parameters) {
            Ok(page) => page,
            Err(reason) => return Ok(Err(reason)),
        };
        if let Value::Array(events) = page["events"].take() {
            printer.rows(&events)?;
        }
        match page.get("next") {
            Some(next) => after = Some(next.to_string()),
            None => return Ok(Ok(false)),
        }
    }
}

/// Prints the newest events that the conditions select, oldest first, and returns whether there are older
/// ones.
fn newest(
    connection: &Connection,
    order: &EventsOrder,
    printer: &mut Printer<'_>,
) -> Result<Result<bool, String>, Exit> {
    let mut parameters = order.parameters.clone();
    parameters.push(("order", "desc".to_owned()));
    let limit = order.limit.clone();
    parameters.push(("limit", limit.unwrap_or_else(|| NEWEST.to_owned())));
    let mut page = match connection.get(LIST, &parameters) {
        Ok(page) => page,
        Err(reason) => return Ok(Err(reason)),
    };
    if let Value::Array(mut events) = page["events"].take() {
        events.reverse();
        printer.rows(&events)?;
    }
    Ok(Ok(page.get("next").is_some()))
}

/// Returns an event as a line: its time, how loud it is, and its sentence; a wide one with its id, its kind
/// and its cause.
pub(super) fn line(event: &Value, is_wide: bool) -> String {
    let (at, severity) = (time(&event["at"]), cell(&event["severity"]));
    let sentence = match &event["detail"] {
        Value::Null => cell(&event["text"]),
        detail => cell(detail),
    };
    if !is_wide {
        return format!("{at}  {severity:<7}  {sentence}\n");
    }
    let (id, kind, cause) = (
        cell(&event["id"]),
        cell(&event["kind"]),
        cell(&event["cause"]),
    );
    format!("{id:>10}  {at}  {severity:<7}  {kind:<24}  {cause:<14}  {sentence}\n")
}

/// Prints events as they happen, until standard output is closed.
fn follow(
    connection: &Connection,
    given: &[(&'static str, String)],
    output: OutputFormat,
    sink: &mut Sink,
) -> Result<Exit, Exit> {
    let mut parameters = given.to_vec();
    let mut last: Option<String> = None;
    let mut is_lost = false;
    loop {
        match connection.follow(STREAM, &parameters, last.as_deref()) {
            Ok(Stream::Events(body)) => {
                if is_lost {
                    complain("orchestrator: connected again.");
                    is_lost = false;
                }
                read(BufReader::new(body), &mut last, output, sink)?;
                // It has begun: what was asked for by time is behind the last event.
                if last.is_some() {
                    parameters.retain(|(name, _)| *name != "from");
                }
                // It has only ended, so it is continued soon.
                pause(INTERVAL / 10);
            }
            // The same request would be refused again.
            Ok(Stream::Refused(reason)) => {
                complain(&format!("orchestrator: {reason}"));
                return Ok(Exit::Failed);
            }
            Err(reason) if last.is_none() => {
                complain(&format!("orchestrator: {reason}"));
                return Ok(Exit::Failed);
            }
            Err(reason) => {
                if !is_lost {
                    complain(&format!(
                        "orchestrator: {reason} Trying again every second."
                    ));
                    is_lost = true;
                }
                pause(INTERVAL);
            }
        }
    }
}

/// Prints the events of one answer, until the connection ends or the answer says to resume.
fn read(
    body: impl BufRead,
    last: &mut Option<String>,
    output: OutputFormat,
    sink: &mut Sink,
) -> Result<(), Exit> {
    let (mut id, mut kind, mut data) = (None, String::new(), String::new());
    for text in body.lines() {
        let Ok(text) = text else {
            return Ok(());
        };
        if !text.is_empty() {
            match text.split_once(": ") {
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("event", value)) => value.clone_into(&mut kind),
                Some(("data", value)) => data.push_str(value),
                _ => {}
            }
            continue;
        }
        if kind == "lagged" {
            return Ok(());
        }
        if let Ok(event) = serde_json::from_str::<Value>(&data) {
            sink.write(&match output {
                OutputFormat::Json | OutputFormat::JsonLines => {
                    format!("{}\n", escaped_json(&event.to_string()))
                }
                OutputFormat::Table => line(&event, false),
                OutputFormat::Wide => line(&event, true),
            })?;
            sink.flush()?;
        }
        // Only now: a frame that is cut off comes again.
        if let Some(id) = id.take() {
            *last = Some(id);
        }
        kind.clear();
        data.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line_with_its_time_its_severity_and_its_sentence() {
        let event = json!({"at": "2026-01-31T08:00:00.5Z", "severity": "info", "id": 7,
            "kind": "instance_registered", "cause": "worker",
            "detail": "instance a\u{202e} registered"});
        assert_eq!(
            line(&event, false),
            "2026-01-31 08:00:00  info     instance a\\u{202e} registered\n"
        );
        let wide = line(&event, true);
        for part in ["         7  2026", "  instance_registered  ", "  worker  "] {
            assert!(wide.contains(part), "{part:?} is missing in {wide}");
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_is_asked_for_again() {
        let mut last = None;
        let mut sink = Sink::default();
        let mut told = |text: &str, last: &mut Option<String>| {
            let read = read(text.as_bytes(), last, OutputFormat::Table, &mut sink);
            assert_eq!(read, Ok(()));
        };
        let text = "retry: 1000\nid: 7\n\n: no event\n\nid: 8\nevent: x\ndata: {\"at\"";
        told(text, &mut last);
        assert_eq!(last.as_deref(), Some("7"));
        told(
            "event: lagged\ndata: {\"missed\":3}\n\nid: 9\n\n",
            &mut last,
        );
        assert_eq!(last.as_deref(), Some("7"), "a lagging reader resumes");
    }
}
