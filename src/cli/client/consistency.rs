//! The output of `consistency`.

use serde_json::Value;

use super::table::{aligned, cell};

/// Returns the verdict, one line an invariant, then every violation.
pub(super) fn show(answer: &Value) -> String {
    let checks = answer["checks"]
        .as_array()
        .map_or(&[] as &[_], Vec::as_slice);
    let mut text = match answer["consistent"].as_bool() {
        Some(true) => "Consistent.\n\n",
        Some(false) => "NOT CONSISTENT.\n\n",
        None => "Unknown: not everything could be checked.\n\n",
    }
    .to_owned();
    let rows: Vec<[String; 3]> = checks.iter().map(row).collect();
    text.push_str(&aligned(&rows));
    for check in checks {
        let name = cell(&check["invariant"]);
        let violations = check["violations"].as_array().into_iter().flatten();
        for found in violations.chain(check.get("unknown_because")) {
            text.push_str(&format!("\n{name}: {}", cell(found)));
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn row(check: &Value) -> [String; 3] {
    let state = match check["holds"].as_bool() {
        Some(true) => "holds",
        Some(false) => "VIOLATED",
        None => "unknown",
    };
    [
        cell(&check["invariant"]),
        state.to_owned(),
        cell(&check["demands"]),
    ]
}
