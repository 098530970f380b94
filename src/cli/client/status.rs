//! The questions and the output of `status`.

use serde_json::{Map, Value};

use super::connection::Connection;
use super::routes::in_commands;
use super::table::{aligned, cell, time, words};
use crate::cli::exit::Exit;

/// How many open alerts are listed.
const LISTED_ALERTS: &str = "20";

/// How many failed instances are named.
const NAMED: usize = 5;

/// Returns the totals of `GET /status`, with the answer of `GET /resilience/status` as `resilience`
/// and the newest open alerts as `alerts`. The health is known without the alerts, so if only they are
/// missing, `alerts_missing` says why.
///
/// # Errors
/// Returns one sentence that says what happened.
pub(super) fn ask(connection: &Connection) -> Result<Value, String> {
    let mut whole = connection.get("/status", &[])?;
    let resilience = connection.get("/resilience/status", &[])?;
    let only_open = [
        ("open", "true".to_owned()),
        ("limit", LISTED_ALERTS.to_owned()),
    ];
    let alerts = connection.get("/resilience/alerts", &only_open);
    if let Some(whole) = whole.as_object_mut() {
        whole.insert("resilience".to_owned(), resilience);
        add_alerts(whole, alerts);
    }
    Ok(whole)
}

fn add_alerts(whole: &mut Map<String, Value>, alerts: Result<Value, String>) {
    match alerts {
        Ok(mut alerts) => whole.insert("alerts".to_owned(), alerts["alerts"].take()),
        Err(reason) => whole.insert("alerts_missing".to_owned(), reason.into()),
    };
}

/// Returns the health as an exit code, as programs that monitor read it.
pub(super) fn exit_code(answer: &Value) -> Exit {
    match answer["resilience"]["system_health"].as_str() {
        Some("healthy") => Exit::Done,
        Some("degraded") => Exit::Degraded,
        Some(_) => Exit::Critical,
        None => Exit::Unknown,
    }
}

/// Returns the health first, then the totals, then everything that is not as it should be.
pub(super) fn show(answer: &Value) -> String {
    aligned(&lines(answer)) + &alerts(answer)
}

/// Returns the same line by line, each with its name, without the alerts.
pub(super) fn lines(answer: &Value) -> Vec<[String; 2]> {
    let (instances, streams) = (&answer["instances"], &answer["streams"]);
    let resilience = &answer["resilience"];
    let load = answer["load_percentage"].as_f64().unwrap_or_default();
    let line = |name: &str, value: String| [name.to_owned(), value];
    let mut lines = vec![
        line("health", health(resilience)),
        line(
            "instances",
            format!(
                "{} registered: {}",
                cell(&instances["total"]),
                parts(&instances["by_status"])
            ),
        ),
        line(
            "streams",
            format!(
                "{} to be run: {}",
                cell(&streams["total"]),
                of_streams(streams)
            ),
        ),
        line(
            "load",
            format!(
                "{} of {} ({load:.1} %)",
                cell(&instances["current_load"]),
                cell(&instances["total_capacity"])
            ),
        ),
    ];
    let unusual = [
        ("failed", failed(resilience)),
        ("moves", moves(&answer["moves"])),
        ("brake", brake(&resilience["brake"])),
        ("breakers", breakers(resilience)),
        ("stood still", stalls(&resilience["stalls"])),
        ("database", database(answer)),
        ("alerts", alerts_missing(answer)),
    ];
    lines.extend(
        unusual
            .into_iter()
            .filter_map(|(name, value)| Some(line(name, value?))),
    );
    lines
}

/// Returns the health with its reasons: `degraded: capacity utilization`.
fn health(resilience: &Value) -> String {
    let health = words(&resilience["system_health"]);
    let rules = entries(&resilience["rules"]).iter();
    let rules: Vec<String> = rules.map(|rule| words(&rule["rule"])).collect();
    if rules.is_empty() {
        health
    } else {
        format!("{health}: {}", rules.join(", "))
    }
}

fn failed(resilience: &Value) -> Option<String> {
    let failed = entries(&resilience["failed_instance_details"]);
    let named = failed.iter().take(NAMED);
    let named: Vec<String> = named.map(|one| cell(&one["server_id"])).collect();
    match failed.len().saturating_sub(NAMED) {
        _ if named.is_empty() => None,
        0 => Some(named.join(", ")),
        more => Some(format!("{} and {more} more", named.join(", "))),
    }
}

fn brake(brake: &Value) -> Option<String> {
    let state = brake["state"].as_str().filter(|state| *state != "open")?;
    let (until, why) = (time(&brake["until"]), cell(&brake["why"]));
    Some(format!("{} until {until} UTC: {why}", words(&state.into())))
}

fn breakers(resilience: &Value) -> Option<String> {
    let states = resilience["circuit_breaker_states"].as_object()?;
    let unusual: Vec<String> = states
        .iter()
        .filter(|(_, state)| state.as_str() != Some("closed"))
        .map(|(name, state)| format!("{} is {}", cell(&name.as_str().into()), words(state)))
        .collect();
    (!unusual.is_empty()).then(|| unusual.join(", "))
}

fn stalls(stalls: &Value) -> Option<String> {
    let count = stalls["count"].as_u64().filter(|count| *count > 0)?;
    let seconds = stalls["total_ms"].as_f64().unwrap_or_default() / 1e3;
    Some(match count {
        1 => format!("once, for {seconds:.1} s, since the start"),
        _ => format!("{count} times, {seconds:.1} s in all, since the start"),
    })
}

fn database(answer: &Value) -> Option<String> {
    let since = answer["stale_since"].as_str()?;
    let since = time(&since.into());
    Some(format!(
        "does not answer since {since} UTC; this is from memory"
    ))
}

fn alerts_missing(answer: &Value) -> Option<String> {
    let reason = answer["alerts_missing"].as_str()?;
    Some(format!("not known: {}", cell(&reason.into())))
}

/// Returns the alerts as a table of their own, after an empty line.
fn alerts(answer: &Value) -> String {
    let open = entries(&answer["alerts"]);
    if open.is_empty() {
        return String::new();
    }
    let mut rows =
        vec![["OPEN SINCE (UTC)", "SEVERITY", "ALERT", "ABOUT", "DETAIL"].map(str::to_owned)];
    rows.extend(open.iter().map(|alert| {
        [
            time(&alert["opened_at"]),
            cell(&alert["severity"]),
            words(&alert["kind"]),
            cell(&alert["subject"]),
            in_commands(&cell(&alert["detail"])),
        ]
    }));
    format!("\n{}", aligned(&rows))
}

fn entries(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// Returns `1371 running, 1580 owned and not running, 12 orphaned, 1 quarantined; 50 disabled`: the
/// numbers before the semicolon add up to the streams that should run.
fn of_streams(streams: &Value) -> String {
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let (by_state, running) = (&streams["by_state"], count(&streams["running"]));
    let enabled = [
        (running, "running"),
        (
            count(&by_state["assigned"]).saturating_sub(running),
            "owned and not running",
        ),
        (count(&by_state["unclaimed"]), "unclaimed"),
        (count(&by_state["orphaned"]), "orphaned"),
        (count(&by_state["quarantined"]), "quarantined"),
    ];
    let parts: Vec<String> = enabled
        .iter()
        .filter(|(streams, _)| *streams > 0)
        .map(|(streams, state)| format!("{streams} {state}"))
        .collect();
    let enabled = match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join(", "),
    };
    match count(&streams["disabled"]) {
        0 => enabled,
        disabled => format!("{enabled}; {disabled} disabled"),
    }
}

/// Returns `3 under way, 2 given up`; `None` without moves.
fn moves(moves: &Value) -> Option<String> {
    let (under_way, given_up) = (moves["under_way"].as_u64()?, moves["given_up"].as_u64()?);
    (under_way + given_up > 0).then(|| match given_up {
        0 => format!("{under_way} under way"),
        _ => {
            format!("{under_way} under way, {given_up} given up: their owner did not release them")
        }
    })
}

/// Returns `3 active, 1 failed`; states without instances are left out.
fn parts(counts: &Value) -> String {
    let counts = counts.as_object().into_iter().flatten();
    let parts: Vec<String> = counts
        .filter(|(_, count)| count.as_i64() != Some(0))
        .map(|(state, count)| format!("{} {}", cell(count), words(&state.as_str().into())))
        .collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_exit_code_is_the_health() {
        for (health, exit) in [
            (json!("healthy"), Exit::Done),
            (json!("degraded"), Exit::Degraded),
            (json!("critical"), Exit::Critical),
            (json!("emergency"), Exit::Critical),
            (Value::Null, Exit::Unknown),
        ] {
            let answer = json!({"resilience": {"system_health": health}});
            assert_eq!(exit_code(&answer), exit, "{health}");
        }
    }

    #[test]
    fn the_health_is_known_although_the_alerts_are_not() {
        let mut whole = json!({"resilience": {"system_health": "degraded"}});
        let fields = whole.as_object_mut().unwrap();
        add_alerts(fields, Err("the database does not answer.".to_owned()));
        assert_eq!(exit_code(&whole), Exit::Degraded);
        let shown = show(&whole);
        let line = "alerts     not known: the database does not answer.\n";
        assert!(shown.contains(line), "{shown}");
    }

    #[test]
    fn an_answer_from_memory_says_so() {
        let stale = show(&json!({"stale_since": "2026-01-01T00:00:00.000000Z"}));
        assert!(
            stale.contains("does not answer since 2026-01-01 00:00:00 UTC"),
            "{stale}"
        );
        assert!(!show(&json!({})).contains("database"));
    }

    #[test]
    fn only_what_is_not_as_it_should_be_has_a_line_of_its_own() {
        let fine = show(&json!({"resilience": {
            "system_health": "healthy", "rules": [], "failed_instance_details": [],
            "brake": {"state": "open"}, "stalls": {"count": 0, "total_ms": 0},
            "circuit_breaker_states": {"store_reads": "closed"},
        }, "alerts": []}));
        let names = |text: &str| -> Vec<String> {
            let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
            text.lines().filter_map(first).collect()
        };
        assert_eq!(names(&fine), ["health", "instances", "streams", "load"]);
        let failed: Vec<Value> = (1..=7)
            .map(|n| json!({"server_id": format!("w{n}")}))
            .collect();
        let bad = show(&json!({"resilience": {
            "system_health": "emergency",
            "rules": [{"rule": "mass_failure_held"}, {"rule": "capacity_utilization"}],
            "failed_instance_details": failed,
            "brake": {"state": "held", "until": "2026-01-01T00:00:30.5Z", "why": "6 of 7 silent"},
            "stalls": {"count": 2, "total_ms": 15_076},
            "circuit_breaker_states": {"store_reads": "closed", "store_writes": "half_open"},
        }, "alerts": [{
            "opened_at": "2026-01-01T00:00:00.5Z", "severity": "critical",
            "kind": "mass_failure", "subject": "fleet", "detail": "6 of 7 silent \u{1b}[2J",
        }]}));
        for part in [
            "health       emergency: mass failure held, capacity utilization\n",
            "failed       w1, w2, w3, w4, w5 and 2 more\n",
            "brake        held until 2026-01-01 00:00:30 UTC: 6 of 7 silent\n",
            "breakers     store_writes is half open\n",
            "stood still  2 times, 15.1 s in all, since the start\n",
            "\n\nOPEN SINCE (UTC)     SEVERITY  ALERT         ABOUT  DETAIL\n\
             2026-01-01 00:00:00  critical  mass failure  fleet  6 of 7 silent \\u{1b}[2J\n",
        ] {
            assert!(bad.contains(part), "{part:?} is missing in {bad}");
        }
    }

    #[test]
    fn streams_that_are_owned_and_do_not_run_are_told_apart_and_all_add_up() {
        let streams = json!({
            "total": 2964, "disabled": 50, "running": 1371,
            "by_state": {
                "assigned": 2951, "unclaimed": 0, "orphaned": 12, "quarantined": 1, "disabled": 50,
            },
        });
        assert_eq!(
            of_streams(&streams),
            "1371 running, 1580 owned and not running, 12 orphaned, 1 quarantined; 50 disabled"
        );
        let healthy = json!({
            "total": 3, "disabled": 0, "running": 3, "by_state": {"assigned": 3},
        });
        assert_eq!(of_streams(&healthy), "3 running");
    }

    #[test]
    fn moves_that_were_given_up_have_a_line() {
        let line = |under_way: u32, given_up: u32| {
            let counts = json!({"under_way": under_way, "given_up": given_up});
            show(&json!({ "moves": counts }))
        };
        assert!(!line(0, 0).contains("moves"));
        assert!(
            line(3, 0).contains("moves      3 under way\n"),
            "{}",
            line(3, 0)
        );
        let given_up = line(0, 2);
        let expected = "0 under way, 2 given up: their owner did not release them";
        assert!(given_up.contains(expected), "{given_up}");
    }

    #[test]
    fn states_nobody_is_in_are_left_out() {
        assert_eq!(
            parts(&json!({"active": 2, "failed": 0, "suspect": 1})),
            "2 active, 1 suspect"
        );
        assert_eq!(parts(&json!({"active": 0})), "none");
        assert_eq!(parts(&Value::Null), "none");
    }
}
