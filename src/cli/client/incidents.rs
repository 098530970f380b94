//! The output of `incidents ID`: one incident with its steps.

use serde_json::Value;

use super::list_order::List;
use super::lists::row_text;
use super::recovery::table_of;
use super::table::{cell, time};

/// Returns one incident, then its steps, including those of earlier attempts that failed, and the whole
/// chain.
pub(super) fn show(answer: &Value) -> String {
    let incident = &answer["data"];
    let mut text = row_text(List::Incidents, incident);
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
