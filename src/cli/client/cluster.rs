//! What `cluster` and `cluster take-over` print.

use serde_json::Value;

use super::table::{aligned, cell, time, words};

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
    if answer["failsafe"]["active"] == true {
        lines.push(line(
            "failsafe",
            "active: the database does not answer, and no other orchestrator may take over"
                .to_owned(),
        ));
    }
    aligned(&lines) + &members(answer)
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
            "MAY TAKE OVER",
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
            may.to_owned(),
            format!("{:.1} s ago", seen_ms / 1e3),
            cell(&member["release"]),
            cell(&member["address"]),
        ]
    }));
    format!("\n{}", aligned(&rows))
}

/// One sentence.
pub(super) fn show_order(answer: &Value) -> String {
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
                "node": "b:8001", "role": "standby", "admitted": true, "seen_ms": 1_200,
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
            "1.2 s ago",
        ] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
        assert!(!shown.contains("failsafe"));
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
