//! The output of `explain`.

use serde_json::Value;

use super::recovery::encoded;
use super::table::{aligned, cell};

/// Returns the path of the explanation: a number is the id of a stream.
pub(super) fn path(id: &str) -> String {
    let is_stream = id.bytes().all(|byte| byte.is_ascii_digit());
    let list = if is_stream { "streams" } else { "instances" };
    format!("/{list}/{}/explain", encoded(id))
}

/// Returns why a stream is where it is, or why an instance gets streams or does not.
pub(super) fn show(answer: &Value) -> String {
    if answer["stream_id"].is_null() {
        instance(answer)
    } else {
        stream(answer)
    }
}

fn stream(answer: &Value) -> String {
    let (id, state) = (cell(&answer["stream_id"]), cell(&answer["state"]));
    let mut text = match answer["server_id"].as_str() {
        Some(owner) => format!(
            "Stream {id} is {state} to {} under epoch {} since {}.\n",
            cell(&Value::from(owner)),
            cell(&answer["epoch"]),
            cell(&answer["since"])
        ),
        None if answer["since"].is_null() => format!("Stream {id} is {state}.\n"),
        None => format!("Stream {id} is {state} since {}.\n", cell(&answer["since"])),
    };
    let now = &answer["now"];
    text.push_str(&format!("{}\n", cell(&now["because"])));
    if let Some(unknown) = answer["unknown_because"].as_str() {
        let unknown = cell(&Value::from(unknown));
        text.push_str(&format!("Its past is not known now: {unknown}\n"));
    }
    let placed = &answer["placed"];
    if !placed.is_null() {
        let (reason, at) = (cell(&placed["reason"]), cell(&placed["at"]));
        text.push_str(&format!("\nIt was placed at {at} ({reason}), among:\n"));
        text.push_str(&compared(&placed["candidates"]));
    }
    text.push_str("\nNow:\n");
    text.push_str(&compared(&now["candidates"]));
    let history = entries(&answer["history"]);
    if !history.is_empty() {
        let mut rows = vec![["AT", "FROM", "TO", "REASON", "EPOCH"].map(str::to_owned)];
        let row =
            |step: &Value| ["at", "from", "to", "reason", "epoch"].map(|field| cell(&step[field]));
        rows.extend(history.iter().map(row));
        text.push_str("\nIts way, newest first:\n");
        text.push_str(&aligned(&rows));
    }
    text
}

fn compared(candidates: &Value) -> String {
    let mut rows = vec![["INSTANCE", "CHOSEN", "RANK", "LOAD", "EXCLUDED BY"].map(str::to_owned)];
    rows.extend(entries(candidates).iter().map(|one| {
        let score = &one["score"];
        let load = match score.is_null() {
            true => "-".to_owned(),
            false => format!("{}/{}", cell(&score["held"]), cell(&score["limit"])),
        };
        [
            cell(&one["server_id"]),
            cell(&one["chosen"]),
            cell(&one["rank"]),
            load,
            cell(&one["excluded_by"]),
        ]
    }));
    aligned(&rows)
}

fn instance(answer: &Value) -> String {
    let takes = match answer["takes_streams"].as_bool() {
        Some(true) => "gets streams",
        _ => "gets no streams",
    };
    let balance = &answer["balance"];
    let share = balance["fair_share"].as_f64();
    let share = share.map_or_else(|| "none".to_owned(), |share| format!("{share:.1}"));
    let mut text = format!(
        "Instance {} {takes}. {}\nIt owns a weight of {}, and its fair share is {share}.\n",
        cell(&answer["server_id"]),
        cell(&answer["because"]),
        cell(&balance["assigned"]),
    );
    for (list, sentence) in [
        (
            &answer["waiting_it_could_take"],
            "Waiting streams that it could have",
        ),
        (
            &balance["would_give"],
            "Streams that a rebalance would move away",
        ),
        (
            &balance["would_get"],
            "Streams that a rebalance would move to it",
        ),
    ] {
        let ids: Vec<String> = entries(list).iter().map(cell).collect();
        if !ids.is_empty() {
            text.push_str(&format!("{sentence}: {}.\n", ids.join(", ")));
        }
    }
    text
}

fn entries(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stream_is_explained_from_its_place_to_its_past() {
        let owner = json!({"server_id": "a", "chosen": true, "rank": 1,
            "score": {"held": 3, "limit": 20}});
        let other = json!({"server_id": "b", "chosen": false, "excluded_by": "no_room"});
        let text = show(&json!({
            "stream_id": 7, "state": "assigned", "server_id": "a", "epoch": 9,
            "since": "2026-01-01T00:00:00Z",
            "placed": {"at": "2026-01-01T00:00:00Z", "reason": "requested",
                "candidates": [owner, other]},
            "now": {"candidates": [owner], "would_move": false, "because": "Its owner keeps it."},
            "history": [{"at": "2026-01-01T00:00:00Z", "from": null, "to": "a",
                "reason": "requested", "epoch": 9}],
        }));
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("Stream 7 is assigned to a under epoch 9"),
            "{text}"
        );
        assert_eq!(lines[1], "Its owner keeps it.");
        for part in [
            "(requested), among:",
            "3/20",
            "no_room",
            "Its way, newest first:",
        ] {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
    }

    #[test]
    fn an_instance_is_explained_with_the_streams_it_could_have() {
        let text = show(&json!({
            "server_id": "a", "takes_streams": false, "because": "It is `suspect`.",
            "waiting_it_could_take": [4, 5],
            "balance": {"fair_share": 2.25, "assigned": 3, "would_give": [], "would_get": []},
        }));
        assert_eq!(
            text,
            "Instance a gets no streams. It is `suspect`.\nIt owns a weight of 3, and its fair \
             share is 2.2.\nWaiting streams that it could have: 4, 5.\n"
        );
    }
}
