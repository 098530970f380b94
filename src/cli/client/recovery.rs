//! The output of `recover` and `emergency`.

use serde_json::Value;

use super::routes::in_commands;
use super::table::{aligned, cell, words};

/// Returns the path of an order about an instance, whose name may hold any character.
pub(super) fn path(order: &str, id: &str) -> String {
    format!("/resilience/{order}/{}", encoded(id))
}

/// Returns a name as one segment of a path.
pub(super) fn encoded(id: &str) -> String {
    let mut path = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// Returns the outcome as a sentence, then the steps, if there are any.
pub(super) fn show(answer: &Value) -> String {
    let text = format!("{}\n", in_commands(&cell(&answer["message"])));
    match answer["steps"].as_array() {
        Some(steps) => text + &table_of(steps),
        None => text,
    }
}

/// Returns one line a step.
pub(super) fn table_of(steps: &[Value]) -> String {
    let mut rows = vec![["STEP", "RESULT", "TOOK", "DETAIL"].map(str::to_owned)];
    rows.extend(steps.iter().map(|step| {
        let took = step["duration_ms"].as_f64().unwrap_or_default();
        [
            words(&step["name"]),
            cell(&step["status"]),
            format!("{took:.1} ms"),
            in_commands(&cell(&step["detail"])),
        ]
    }));
    aligned(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_the_path() {
        assert_eq!(path("recovery", "radio-1"), "/resilience/recovery/radio-1");
        assert_eq!(
            path("emergency", "a/b c%?.\u{e4}"),
            "/resilience/emergency/a%2Fb%20c%25%3F%2E%C3%A4"
        );
    }
}
