//! What `status` prints.

use serde_json::Value;

use super::table::{aligned, cell, words};

/// Totals first, then whatever is not as it should be stands out by its state.
pub(super) fn show(answer: &Value) -> String {
    let (instances, streams) = (&answer["instances"], &answer["streams"]);
    let load = answer["load_percentage"].as_f64().unwrap_or_default();
    let line = |name: &str, value: String| [name.to_owned(), value];
    let mut lines = vec![
        line("orchestrator", cell(&answer["orchestrator_status"])),
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
                parts(&streams["by_state"])
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
    if answer["stale_since"].is_string() {
        let since = cell(&answer["stale_since"]);
        let value = format!("does not answer since {since}; this is from memory");
        lines.push(line("database", value));
    }
    aligned(&lines)
}

/// `3 active, 1 failed`; states nobody is in are left out.
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
    fn an_answer_from_memory_says_so() {
        let stale = show(&json!({"stale_since": "2026-01-01T00:00:00.000000Z"}));
        assert!(
            stale.contains("does not answer since 2026-01-01"),
            "{stale}"
        );
        assert!(!show(&json!({})).contains("database"));
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
