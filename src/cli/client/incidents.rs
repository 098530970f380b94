//! The output of `incidents`: a list, or one incident with its steps.

use serde_json::Value;

use super::recovery::table_of;
use super::table::{aligned, cell, time, words};

const HEAD: [&str; 8] = [
    "ID",
    "DETECTED (UTC)",
    "TOOK",
    "INSTANCE",
    "CAUSE",
    "OUTCOME",
    "MOVED",
    "ORPHANED",
];

/// Returns one line an incident, newest first.
pub(super) fn show(answer: &Value) -> String {
    let incidents = answer["incidents"]
        .as_array()
        .map_or(&[] as &[_], Vec::as_slice);
    if incidents.is_empty() {
        return "No incidents.\n".to_owned();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(incidents.iter().map(row));
    let mut text = aligned(&rows);
    if let Some(next) = answer.get("next") {
        text.push_str(&format!("More: --after {}\n", cell(next)));
    }
    text
}

/// Returns one incident, then its steps, including those of earlier attempts that failed, and the whole
/// chain.
pub(super) fn show_one(answer: &Value) -> String {
    let incident = &answer["data"];
    let mut text = aligned(&[HEAD.map(str::to_owned), row(incident)]);
    if incident["reason"].is_string() {
        text.push_str(&format!("Reason: {}\n", cell(&incident["reason"])));
    }
    if incident["escalated_at"].is_string() {
        let at = time(&incident["escalated_at"]);
        text.push_str(&format!("Became an emergency at {at} UTC.\n"));
    }
    let steps = incident["steps"].as_array();
    text.push('\n');
    text.push_str(&table_of(steps.map_or(&[] as &[_], Vec::as_slice)));
    let story = incident["story"].as_array();
    if let Some(story) = story.filter(|story| !story.is_empty()) {
        text.push_str("\nThe whole chain (UTC):\n");
        for chapter in story {
            let (at, sentence) = (time(&chapter["at"]), cell(&chapter["text"]));
            text.push_str(&format!("{at}  {sentence}\n"));
        }
    }
    text
}

fn row(incident: &Value) -> [String; 8] {
    let outcome = &incident["outcome"];
    [
        cell(&incident["id"]),
        time(&incident["detected_at"]),
        incident["duration_ms"]
            .as_u64()
            .map_or("-".to_owned(), took),
        cell(&incident["server_id"]),
        words(&incident["cause"]),
        words(if outcome.is_null() {
            &incident["state"]
        } else {
            outcome
        }),
        format!(
            "{} of {}",
            cell(&incident["streams_moved"]),
            cell(&incident["streams_affected"])
        ),
        cell(&incident["streams_orphaned"]),
    ]
}

fn took(milliseconds: u64) -> String {
    if milliseconds < 10_000 {
        format!("{milliseconds} ms")
    } else {
        format!("{} s", milliseconds / 1_000)
    }
}
