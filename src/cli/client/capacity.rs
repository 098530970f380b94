//! The output of `capacity`.

use serde_json::Value;

use super::numbers::counted;
use super::table::{aligned, cell};

/// Returns what fits, whether any one instance can be lost, and the same for each shared label.
pub(super) fn show(answer: &Value) -> String {
    let waiting = &answer["waiting"];
    let mut text = format!(
        "{} of {} places are taken, {} are free; waiting: {} ({} unclaimed, {} orphaned).\n",
        cell(&answer["assigned"]),
        cell(&answer["max_streams"]),
        cell(&answer["free"]),
        counted(
            count(&waiting["unclaimed"]) + count(&waiting["orphaned"]),
            "stream"
        ),
        cell(&waiting["unclaimed"]),
        cell(&waiting["orphaned"]),
    );
    text.push_str(&verdict(answer));
    let labels = answer["by_label"]
        .as_array()
        .map_or(&[] as &[_], Vec::as_slice);
    if !labels.is_empty() {
        let mut rows = vec![["LABEL", "VALUE", "STREAMS", "WITHOUT HOME"].map(str::to_owned)];
        rows.extend(labels.iter().map(|loss| {
            ["label", "value", "streams", "streams_without_home"].map(|field| cell(&loss[field]))
        }));
        text.push_str("\nIf all instances with one value of a label are lost:\n");
        text.push_str(&aligned(&rows));
    }
    text
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn verdict(answer: &Value) -> String {
    let worst = &answer["worst_instance"];
    if worst.is_null() {
        return "No instance owns a stream.\n".to_owned();
    }
    let (id, streams) = (cell(&worst["server_id"]), cell(&worst["streams"]));
    match count(&worst["streams_without_home"]) {
        0 => format!(
            "Any one instance can be lost (the worst: {id} with {streams} streams), and {} more streams \
             would fit beside that.\n",
            cell(&answer["headroom_streams"])
        ),
        homeless => format!(
            "NOT ENOUGH ROOM: if {id} is lost, {homeless} of its {streams} streams have no home. Start a \
             worker, or raise a `max_streams` or `capacity`.\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_verdict_comes_first() {
        let answer = json!({
            "max_streams": 20, "assigned": 12, "free": 8,
            "waiting": {"unclaimed": 1, "orphaned": 2},
            "survives_one_instance": false, "headroom_streams": -3,
            "worst_instance": {"server_id": "a", "streams": 8, "streams_without_home": 3},
            "by_label": [{"label": "zone", "value": "x", "streams": 8, "streams_without_home": 3}],
        });
        let text = show(&answer);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "12 of 20 places are taken, 8 are free; waiting: 3 streams (1 unclaimed, 2 orphaned)."
        );
        assert!(lines[1].starts_with("NOT ENOUGH ROOM: if a is lost, 3 of its 8 streams"));
        assert_eq!(lines[4], "LABEL  VALUE  STREAMS  WITHOUT HOME");
        assert_eq!(lines[5], "zone   x      8        3");
    }

    #[test]
    fn an_empty_fleet_has_a_sentence_of_its_own() {
        let answer = json!({
            "max_streams": 0, "assigned": 0, "free": 0,
            "waiting": {"unclaimed": 0, "orphaned": 0},
            "survives_one_instance": true, "headroom_streams": 0, "by_label": [],
        });
        assert!(show(&answer).ends_with("No instance owns a stream.\n"));
    }
}
