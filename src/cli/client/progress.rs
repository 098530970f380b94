//! Waits for planned work, and shows how far it is.
//!
//! On a terminal one line is written again and again; elsewhere a line is written when something has
//! changed. The line goes to standard error, the last state to standard output.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;

use super::connection::Connection;
use super::pause::pause;
use super::plans::{self, done, list};
use super::table::{cell, time};
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};
use crate::logging::escapes::{escaped, escaped_json};

/// How often the orchestrator is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often an orchestrator that does not answer is asked again: it may be started again.
const TRIES: u32 = 120;

/// How many characters the bar has.
const BAR: usize = 30;

/// Says what begins: the first line of its plan.
pub(super) fn announce(plan: &str) {
    let first = plan.lines().next().unwrap_or_default();
    let _ = writeln!(io::stderr().lock(), "{}", escaped(first));
}

/// Waits until the work at this path is over.
pub(super) fn wait(connection: &Connection, path: &str, json: bool) -> Exit {
    let is_terminal = io::stderr().is_terminal();
    let mut shown = String::new();
    let mut failures = 0;
    let last = loop {
        match connection.get(path, &[]) {
            Ok(answer) => {
                failures = 0;
                let line = line(&answer);
                if line != shown {
                    write(&line, shown.chars().count(), is_terminal);
                    shown = line;
                }
                if is_over(&answer) {
                    break answer;
                }
            }
            Err(reason) => {
                failures += 1;
                if failures >= TRIES {
                    complain(&format!("orchestrator: {reason}"));
                    return Exit::Failed;
                }
            }
        }
        pause(INTERVAL);
    };
    if is_terminal {
        let _ = writeln!(io::stderr().lock());
    }
    let printed = if json {
        print(&format!("{}\n", escaped_json(&format!("{last:#}"))))
    } else {
        print(&ending(&last))
    };
    match last["state"].as_str() {
        Some("drained" | "done") => printed,
        _ => Exit::Failed,
    }
}

/// Waits until none of the moves is under way that a balance has begun.
pub(super) fn wait_for_moves(connection: &Connection, begun: &Value) -> Exit {
    let is_terminal = io::stderr().is_terminal();
    let all = number(&begun["moves_under_way"]);
    let mut shown = String::new();
    let (mut waited, mut failures) = (0, 0);
    let mut left = all;
    while left > 0 {
        match connection.get("/rebalance/check", &[]) {
            Ok(answer) => {
                failures = 0;
                left = number(&answer["moves_under_way"]);
                let line = moves_line(left, all, waited);
                if line != shown {
                    write(&line, shown.chars().count(), is_terminal);
                    shown = line;
                }
            }
            Err(reason) => {
                failures += 1;
                if failures >= TRIES {
                    complain(&format!("orchestrator: {reason}"));
                    return Exit::Failed;
                }
            }
        }
        if left > 0 {
            pause(INTERVAL);
            waited += 1;
        }
    }
    if is_terminal && !shown.is_empty() {
        let _ = writeln!(io::stderr().lock());
    }
    Exit::Done
}

/// Returns how far moves are after so many seconds, in one line. Others may begin meanwhile.
fn moves_line(left: usize, all: usize, seconds: usize) -> String {
    let all = all.max(left);
    let over = all - left;
    let end = match (seconds * left).checked_div(over) {
        Some(more) if left > 0 => format!(", about {more} s to go"),
        _ => String::new(),
    };
    format!(
        "[{}] {over} of {all} moves, {left} left{end}",
        bar(over, all)
    )
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or(0)).unwrap_or(0)
}

fn is_over(answer: &Value) -> bool {
    !matches!(answer["state"].as_str(), Some("draining" | "running"))
}

fn write(line: &str, before: usize, is_terminal: bool) {
    let mut error = io::stderr().lock();
    // A reader that went away cannot be reported to.
    let _ = if is_terminal {
        write!(error, "\r{:width$}", escaped(line), width = before)
    } else {
        writeln!(error, "{}", escaped(line))
    };
    let _ = error.flush();
}

/// Returns how far the work is, in one line.
fn line(answer: &Value) -> String {
    let instances = list(&answer["instances"]);
    let (over, all, what) = if answer["instances"].is_array() {
        (done(instances), instances.len(), "instances")
    } else {
        let moved = number(&answer["moved"]) + number(&answer["orphaned"]);
        (moved, moved + number(&answer["streams_left"]), "streams")
    };
    let draining: Vec<String> = (instances.iter())
        .filter(|one| one["state"] == "draining")
        .map(|one| cell(&one["server_id"]))
        .collect();
    let now = match draining.is_empty() {
        true => String::new(),
        false => format!(", now {}", draining.join(", ")),
    };
    let end = match &answer["expected_end"] {
        Value::Null => String::new(),
        end => format!(", expected end {} UTC", time(end)),
    };
    format!(
        "[{}] {over} of {all} {what}, {} left{now}{end}",
        bar(over, all),
        all - over
    )
}

fn bar(over: usize, all: usize) -> String {
    let full = (over * BAR).checked_div(all).unwrap_or(BAR);
    format!("{}{}", "#".repeat(full), ".".repeat(BAR - full))
}

fn ending(last: &Value) -> String {
    if last["instances"].is_array() {
        return plans::roll(last);
    }
    format!(
        "{} is {}; {} streams have moved, {} are left.\n",
        cell(&last["server_id"]),
        cell(&last["state"]),
        cell(&last["moved"]),
        cell(&last["streams_left"])
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moves_of_balance_have_a_bar_and_an_expected_end() {
        assert_eq!(
            moves_line(5, 20, 30),
            "[######################........] 15 of 20 moves, 5 left, about 10 s to go"
        );
        assert!(moves_line(20, 20, 3).ends_with("0 of 20 moves, 20 left"));
        assert!(moves_line(0, 20, 9).ends_with("20 of 20 moves, 0 left"));
        assert!(moves_line(24, 20, 9).ends_with("0 of 24 moves, 24 left"));
    }

    #[test]
    fn a_line_says_what_is_left_and_when_the_end_is_expected() {
        let drain = json!({"state": "draining", "moved": 15, "orphaned": 0, "streams_left": 5,
            "expected_end": "2026-01-31T08:00:00.5Z"});
        assert_eq!(
            line(&drain),
            "[######################........] 15 of 20 streams, 5 left, expected end 2026-01-31 \
             08:00:00 UTC"
        );
        let roll = json!({"state": "running", "expected_end": "2026-01-31T09:00:00Z",
            "instances": [{"server_id": "a", "state": "back"},
            {"server_id": "b", "state": "draining"}]});
        assert_eq!(
            line(&roll),
            "[###############...............] 1 of 2 instances, 1 left, now b, expected end \
             2026-01-31 09:00:00 UTC"
        );
        let nothing = json!({"state": "drained", "moved": 0, "streams_left": 0});
        assert!(line(&nothing).starts_with("[##############################] 0 of 0"));
        assert!(is_over(&nothing) && !is_over(&drain));
    }
}
