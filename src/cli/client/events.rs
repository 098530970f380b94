//! The output of `events`: a list, or a line for each event as it happens.
//!
//! The list is read in pages. `--follow` reads server-sent events; after a lost connection it goes on
//! behind the last event that it has printed. A first connection that fails is an error; later ones are
//! tried again every second, because an orchestrator that is started again is back soon.

use std::io::{self, BufRead, BufReader, Write};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::connection::{Connection, Stream};
use super::question::EventsOrder;
use super::table::{cell, time};
use crate::cli::escapes::{escaped_json, escaped_lines};
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};

/// How many events are asked for at once.
const PAGE: &str = "1000";

/// How many of the newest events are listed by default.
const NEWEST: &str = "100";

/// How long a lost orchestrator is left before it is called again.
const INTERVAL: Duration = Duration::from_secs(1);

const LIST: &str = "/resilience/events";
const STREAM: &str = "/resilience/events/stream";

/// Lists the events, or follows them, and returns the exit code.
pub(super) fn carry_out(connection: &Connection, order: &EventsOrder, is_json: bool) -> Exit {
    if order.follow {
        return follow(connection, &order.parameters, is_json);
    }
    let listed = match is_since(order) && order.limit.is_none() {
        true => all(connection, order),
        false => newest(connection, order),
    };
    let (events, is_cut) = match listed {
        Ok(listed) => listed,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Exit::Failed;
        }
    };
    if is_json {
        let answer = json!({ "events": events });
        return print(&format!("{}\n", escaped_json(&format!("{answer:#}"))));
    }
    if events.is_empty() {
        return print("No events.\n");
    }
    let text: String = events.iter().map(line).collect();
    let printed = print(&text);
    if is_cut {
        complain("orchestrator: older events are left out; --since or --limit shows them.");
    }
    printed
}

fn is_since(order: &EventsOrder) -> bool {
    order.parameters.iter().any(|(name, _)| *name == "from")
}

/// Returns all events that the conditions select.
fn all(connection: &Connection, order: &EventsOrder) -> Result<(Vec<Value>, bool), String> {
    let mut events = Vec::new();
    let mut after = None;
    loop {
        let mut parameters = order.parameters.clone();
        parameters.push(("limit", PAGE.to_owned()));
        parameters.extend(after.map(|after| ("after", after)));
        let mut page = connection.get(LIST, &parameters)?;
        if let Value::Array(page) = page["events"].take() {
            events.extend(page);
        }
        match page.get("next") {
            Some(next) => after = Some(next.to_string()),
            None => return Ok((events, false)),
        }
    }
}

/// Returns the newest events that the conditions select, oldest first, and whether there are older ones.
fn newest(connection: &Connection, order: &EventsOrder) -> Result<(Vec<Value>, bool), String> {
    let mut parameters = order.parameters.clone();
    parameters.push(("order", "desc".to_owned()));
    let limit = order.limit.clone();
    parameters.push(("limit", limit.unwrap_or_else(|| NEWEST.to_owned())));
    let mut page = connection.get(LIST, &parameters)?;
    let mut events = match page["events"].take() {
        Value::Array(events) => events,
        _ => Vec::new(),
    };
    events.reverse();
    Ok((events, page.get("next").is_some()))
}

/// Returns an event as a line: its time, how loud it is, and its sentence.
pub(super) fn line(event: &Value) -> String {
    let (at, severity) = (time(&event["at"]), cell(&event["severity"]));
    let sentence = match &event["detail"] {
        Value::Null => cell(&event["text"]),
        detail => cell(detail),
    };
    format!("{at}  {severity:<7}  {sentence}\n")
}

/// Prints events as they happen, until standard output is closed.
fn follow(connection: &Connection, given: &[(&'static str, String)], is_json: bool) -> Exit {
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
                match read(BufReader::new(body), &mut last, is_json) {
                    Ended::Connection => {}
                    Ended::Output(exit) => return exit,
                }
                // It has begun: what was asked for by time is behind the last event.
                if last.is_some() {
                    parameters.retain(|(name, _)| *name != "from");
                }
                continue_later(false);
            }
            // The same request would be refused again.
            Ok(Stream::Refused(reason)) => {
                complain(&format!("orchestrator: {reason}"));
                return Exit::Failed;
            }
            Err(reason) if last.is_none() => {
                complain(&format!("orchestrator: {reason}"));
                return Exit::Failed;
            }
            Err(reason) => {
                if !is_lost {
                    complain(&format!(
                        "orchestrator: {reason} Trying again every second."
                    ));
                    is_lost = true;
                }
                continue_later(true);
            }
        }
    }
}

/// What ended the reading of one answer.
enum Ended {
    /// The connection, or an answer that says to resume.
    Connection,
    /// Standard output.
    Output(Exit),
}

/// Prints the events of one answer.
fn read(body: impl BufRead, last: &mut Option<String>, is_json: bool) -> Ended {
    let (mut id, mut kind, mut data) = (None, String::new(), String::new());
    for text in body.lines() {
        let Ok(text) = text else {
            return Ended::Connection;
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
            return Ended::Connection;
        }
        if let Ok(event) = serde_json::from_str::<Value>(&data)
            && let Err(exit) = show(&event, is_json)
        {
            return Ended::Output(exit);
        }
        // Only now: a frame that is cut off comes again.
        if let Some(id) = id.take() {
            *last = Some(id);
        }
        kind.clear();
        data.clear();
    }
    Ended::Connection
}

/// Prints one event; an error is the exit code of an output that is closed.
fn show(event: &Value, is_json: bool) -> Result<(), Exit> {
    let text = match is_json {
        true => format!("{}\n", escaped_json(&event.to_string())),
        false => line(event),
    };
    let mut output = io::stdout().lock();
    let written = output.write_all(escaped_lines(&text).as_bytes());
    match written.and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Exit::Done),
        Err(error) => {
            complain(&format!(
                "orchestrator: the output could not be written: {error}"
            ));
            Err(Exit::Failed)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command waits for another process, which announces nothing"
)]
fn continue_later(is_lost: bool) {
    // An answer that ended is continued soon, one that cannot be had is not asked for in a hurry.
    let wait = match is_lost {
        true => INTERVAL,
        false => INTERVAL / 10,
    };
    thread::sleep(wait);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_with_its_time_its_severity_and_its_sentence() {
        let event = json!({"at": "2026-01-31T08:00:00.5Z", "severity": "info",
            "detail": "instance a\u{202e} registered"});
        assert_eq!(
            line(&event),
            "2026-01-31 08:00:00  info     instance a\\u{202e} registered\n"
        );
    }

    #[test]
    fn a_frame_that_is_cut_off_is_asked_for_again() {
        let mut last = None;
        let text = "retry: 1000\nid: 7\n\n: no event\n\nid: 8\nevent: x\ndata: {\"at\"";
        assert!(matches!(
            read(text.as_bytes(), &mut last, false),
            Ended::Connection
        ));
        assert_eq!(last.as_deref(), Some("7"));
        let text = "event: lagged\ndata: {\"missed\":3}\n\nid: 9\n\n";
        assert!(matches!(
            read(text.as_bytes(), &mut last, false),
            Ended::Connection
        ));
        assert_eq!(last.as_deref(), Some("7"), "a lagging reader resumes");
    }
}
