//! The tables of planned work.

use serde_json::Value;

use super::numbers::counted;
use super::table::{aligned, cell, time, words};

/// Returns one sentence about a cordon.
pub(super) fn cordon(answer: &Value) -> String {
    let until = match &answer["until"] {
        Value::Null => String::new(),
        until => format!(" until {} UTC", time(until)),
    };
    format!(
        "{} is {}{until}.\n",
        cell(&answer["server_id"]),
        cell(&answer["status"])
    )
}

/// Returns the plan of a drain: what it is about, each move, and what fits nowhere.
pub(super) fn drain(answer: &Value) -> String {
    let moves = list(&answer["moves"]);
    let begins = if answer["dry_run"] == true {
        "would move"
    } else {
        "drains:"
    };
    let mut text = format!(
        "{} {begins} {}, until {} UTC at the latest.\n",
        cell(&answer["server_id"]),
        counted(moves.len() as u64, "stream"),
        time(&answer["deadline_at"])
    );
    if !moves.is_empty() {
        let mut rows = vec![["STREAM", "FROM", "TO", "PROGRESS"].map(str::to_owned)];
        rows.extend(moves.iter().map(|line| {
            [
                cell(&line["stream_id"]),
                cell(&line["from"]),
                cell(&line["to"]),
                words(&line["progress"]),
            ]
        }));
        text.push_str(&aligned(&rows));
    }
    let homeless: Vec<String> = list(&answer["would_not_fit"]).iter().map(cell).collect();
    if !homeless.is_empty() {
        text.push_str(&format!(
            "No instance has room for: {}.\n",
            homeless.join(", ")
        ));
    }
    text
}

/// Returns one sentence about a drain that was cancelled.
pub(super) fn cancelled(answer: &Value) -> String {
    format!(
        "{} takes streams again; {} have moved, {} are left.\n",
        cell(&answer["server_id"]),
        cell(&answer["moved"]),
        cell(&answer["streams_left"])
    )
}

/// Returns a roll: its state, and a line for each instance.
pub(super) fn roll(answer: &Value) -> String {
    let state = cell(&answer["state"]);
    let subject = if answer["dry_run"] == true {
        format!("Dry run: the roll would be {state}")
    } else {
        format!("Roll {} is {state}", cell(&answer["id"]))
    };
    let text = match &answer["because"] {
        Value::Null => format!("{subject}.\n"),
        because => format!("{subject}: {}\n", cell(because)),
    };
    let mut rows = vec![["INSTANCE", "STATE"].map(str::to_owned)];
    rows.extend(
        list(&answer["instances"])
            .iter()
            .map(|line| [cell(&line["server_id"]), words(&line["state"])]),
    );
    text + &aligned(&rows)
}

/// Returns one line for each roll.
pub(super) fn rolls(answer: &Value) -> String {
    let mut rows =
        vec![["ID", "STATE", "STARTED", "INSTANCES", "DONE", "REASON"].map(str::to_owned)];
    rows.extend(list(&answer["rolls"]).iter().map(|roll| {
        let instances = list(&roll["instances"]);
        [
            cell(&roll["id"]),
            cell(&roll["state"]),
            time(&roll["started_at"]),
            instances.len().to_string(),
            done(instances).to_string(),
            cell(&roll["reason"]),
        ]
    }));
    aligned(&rows)
}

/// Returns how many instances of a roll are done with.
pub(super) fn done(instances: &[Value]) -> usize {
    let is_done =
        |line: &&Value| matches!(line["state"].as_str(), Some("drained" | "back" | "skipped"));
    instances.iter().filter(is_done).count()
}

/// Returns the entries of a list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[][..], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_is_a_table_and_names_what_fits_nowhere() {
        let answer = json!({
            "status": "draining", "server_id": "a", "dry_run": true, "streams": 2,
            "moves": [{"stream_id": 7, "from": "a", "to": "b", "reason": "planned_move",
                "progress": "planned"}],
            "would_not_fit": [9], "deadline_at": "2026-01-31T08:00:00.000000Z",
        });
        assert_eq!(
            drain(&answer),
            "a would move 1 stream, until 2026-01-31 08:00:00 UTC at the latest.\n\
             STREAM  FROM  TO  PROGRESS\n\
             7       a     b   planned\n\
             No instance has room for: 9.\n"
        );
    }

    #[test]
    fn a_roll_says_why_it_is_paused() {
        let answer = json!({
            "id": 3, "state": "paused", "because": "health is critical",
            "instances": [{"server_id": "a", "state": "back"}, {"server_id": "b", "state": "waiting"}],
        });
        assert_eq!(
            roll(&answer),
            "Roll 3 is paused: health is critical\nINSTANCE  STATE\na         back\nb         waiting\n"
        );
        assert_eq!(done(list(&answer["instances"])), 1);
    }
}
