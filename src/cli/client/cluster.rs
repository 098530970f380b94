//! What `cluster` and its orders send and print.

use std::time::Duration;

use serde_json::{Map, Value};

use super::connection::Connection;
use super::pause::pause;
use super::question::ClusterOrder;
use super::recovery::encoded;
use super::table::{aligned, cell, time, words};

/// How often the orchestrator that takes over is asked whether it leads.
const INTERVAL: Duration = Duration::from_millis(500);

/// How often at most: for a minute.
const TRIES: u32 = 120;

/// Checks that the orchestrator that takes over is the only one that is named.
///
/// # Errors
/// Returns one sentence if an order cannot be sent to one of several orchestrators.
pub(super) fn check(connection: &Connection, order: &ClusterOrder) -> Result<(), String> {
    let urls = connection.urls();
    if !matches!(order, ClusterOrder::TakeOver { .. }) || urls.len() == 1 {
        return Ok(());
    }
    let named: Vec<String> = urls.iter().map(ToString::to_string).collect();
    Err(format!(
        "`orchestrator cluster take-over` needs exactly one URL, that of the standby that is to lead; {} are \
         named: {}. Give one of them by --url.",
        urls.len(),
        named.join(", ")
    ))
}

/// Sends an order; returns the answer.
pub(super) fn order(connection: &Connection, order: &ClusterOrder) -> Result<Value, String> {
    match order {
        ClusterOrder::TakeOver { reason } => {
            connection.post("/cluster/take-over", &[("reason", reason.clone())])
        }
        ClusterOrder::StepDown { to, wait, reason } => {
            let mut body = Map::new();
            body.insert("reason".to_owned(), Value::from(reason.as_str()));
            if let Some(to) = to {
                body.insert("to".to_owned(), Value::from(to.as_str()));
            }
            let answer = connection.order("/cluster/step-down", &[], &Value::Object(body))?;
            if *wait {
                until_led(connection, answer)
            } else {
                Ok(answer)
            }
        }
        ClusterOrder::Forget { node } => {
            connection.cancel(&format!("/cluster/members/{}", encoded(node)), &[])
        }
    }
}

/// Waits until the orchestrator that an answer names leads.
fn until_led(connection: &Connection, mut answer: Value) -> Result<Value, String> {
    let (to, url) = (cell(&answer["to"]), cell(&answer["url"]));
    let next = connection.beside(&url);
    let next = next.ok_or_else(|| format!("`{to}` names no address to ask: `{url}`"))?;
    let mut reason = String::new();
    for _ in 0..TRIES {
        match next.get("/leader", &[]) {
            Ok(_) => {
                answer["status"] = Value::from("stepped_down");
                answer["message"] = Value::from(format!("`{to}` leads at {url}."));
                return Ok(answer);
            }
            Err(refused) => reason = refused,
        }
        pause(INTERVAL);
    }
    Err(format!("`{to}` does not lead after a minute: {reason}"))
}

/// Who leads first, then every orchestrator on the database.
pub(super) fn show(answer: &Value) -> String {
    let leader = &answer["leader"];
    let line = |name: &str, value: String| [name.to_owned(), value];
    let mut lines = vec![
        line(
            "this one",
            format!("{}, {}", cell(&answer["node"]), words(&answer["role"])),
        ),
        line("term", cell(&answer["term"])),
    ];
    if leader.is_object() {
        let proof_ms = leader["proof_age_ms"].as_f64().unwrap_or_default();
        lines.push(line("leader", cell(&leader["node"])));
        lines.push(line("reached at", cell(&leader["url"])));
        lines.push(line("since", format!("{} UTC", time(&leader["since"]))));
        lines.push(line(
            "proof",
            format!("{:.1} s old, {}", proof_ms / 1e3, words(&leader["state"])),
        ));
    }
    if answer["no_leader"] == true {
        lines.push(line(
            "no leader",
            "the leader has not renewed its row, and this standby does not take over by itself"
                .to_owned(),
        ));
    }
    if answer["barred"].is_string() {
        lines.push(line("may not lead", cell(&answer["barred"])));
    }
    if answer["failsafe"]["active"] == true {
        lines.push(line("failsafe", failsafe(&answer["failsafe"])));
    }
    aligned(&lines) + &members(answer)
}

fn failsafe(answer: &Value) -> String {
    let active = "active: the database does not answer, and no other orchestrator takes over";
    match answer["until"].as_str() {
        Some(_) => format!("{active} until {} UTC", time(&answer["until"])),
        None => active.to_owned(),
    }
}

/// Whether a standby reaches the leader, and how many instances it hears in its place.
fn reach(member: &Value) -> String {
    match (member["reaches_leader"].as_bool(), member["hears"].as_u64()) {
        (Some(true), _) => "yes".to_owned(),
        (Some(false), Some(hears)) if hears > 0 => format!("no, hears {hears} instances"),
        (Some(false), _) => "no".to_owned(),
        (None, _) => cell(&Value::Null),
    }
}

/// A table of their own, after an empty line.
fn members(answer: &Value) -> String {
    let members = answer["members"].as_array().map_or(&[][..], Vec::as_slice);
    if members.is_empty() {
        return String::new();
    }
    let mut rows = vec![
        [
            "NODE",
            "ROLE",
            "STATE",
            "MAY TAKE OVER",
            "REACHES LEADER",
            "SEEN",
            "RELEASE",
            "ADDRESS",
        ]
        .map(str::to_owned),
    ];
    rows.extend(members.iter().map(|member| {
        let seen_ms = member["seen_ms"].as_f64().unwrap_or_default();
        let may = match member["admitted"].as_bool() {
            Some(true) => "yes",
            Some(false) | None => "not yet",
        };
        [
            cell(&member["node"]),
            words(&member["role"]),
            words(&member["state"]),
            may.to_owned(),
            reach(member),
            format!("{:.1} s ago", seen_ms / 1e3),
            cell(&member["release"]),
            cell(&member["address"]),
        ]
    }));
    format!("\n{}", aligned(&rows))
}

/// One sentence.
pub(super) fn show_order(answer: &Value) -> String {
    if answer["status"] == "forgotten" {
        return format!("`{}` is forgotten.\n", cell(&answer["node"]));
    }
    format!("{}\n", cell(&answer["message"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_is_shown_with_its_leader_and_its_standbys() {
        let answer = json!({
            "node": "a:8001", "role": "leader", "term": 7,
            "leader": {
                "node": "a:8001", "url": "http://10.0.0.1:8001", "since": "2026-01-31T08:00:00.000000Z",
                "state": "held", "proof_age_ms": 240,
            },
            "members": [{
                "node": "b:8001", "role": "standby", "state": "ready", "admitted": true, "seen_ms": 1_200,
                "release": "0.1.0", "address": "10.0.0.2:8001",
            }],
            "failsafe": { "active": false },
        });
        let shown = show(&answer);
        for part in [
            "a:8001, leader",
            "0.2 s old, held",
            "b:8001",
            "yes",
            "ready",
            "1.2 s ago",
        ] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
        assert!(!shown.contains("failsafe"));
    }

    #[test]
    fn a_standby_that_does_not_reach_the_leader_shows_what_it_hears() {
        let table = [
            (json!({ "reaches_leader": true, "hears": 0 }), "yes"),
            (json!({ "reaches_leader": false, "hears": 0 }), "no"),
            (
                json!({ "reaches_leader": false, "hears": 412 }),
                "no, hears 412 instances",
            ),
            (json!({ "role": "leader" }), "-"),
        ];
        for (member, expected) in table {
            assert_eq!(reach(&member), expected, "{member}");
        }
    }

    #[test]
    fn a_standby_says_that_no_orchestrator_leads_and_why_it_does_not() {
        let answer = json!({
            "node": "b", "role": "standby", "term": 7, "no_leader": true, "barred": "it is too old",
            "leader": null, "members": [], "failsafe": { "active": false },
        });
        let shown = show(&answer);
        for part in ["no leader", "does not take over by itself", "it is too old"] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
    }

    #[test]
    fn an_order_is_answered_with_one_sentence() {
        let forgotten = json!({ "status": "forgotten", "node": "b" });
        assert_eq!(show_order(&forgotten), "`b` is forgotten.\n");
        let ordered = json!({ "status": "stepping_down", "message": "`b` takes over." });
        assert_eq!(show_order(&ordered), "`b` takes over.\n");
    }

    #[test]
    fn a_standby_without_members_is_shown_without_a_table() {
        let shown = show(
            &json!({ "node": "b", "role": "joining", "term": null, "leader": null,
            "members": [], "failsafe": { "active": true } }),
        );
        assert!(
            shown.contains("failsafe") && !shown.contains("NODE"),
            "{shown}"
        );
    }
}
