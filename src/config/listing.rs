//! The settings as documents: a commented `.env`, and the table of the README.

use super::setting::{Fallback, Group};
use super::table::settings;

const WIDTH: usize = 96;

/// Returns a `.env` with every setting commented out at its default: an unchanged copy changes
/// nothing.
pub fn sample() -> String {
    let mut text = String::from(
        "# Settings of orchestrator, with their defaults. Remove the # in front of what you change.\n\
         # The same names work as environment variables and as flags (--heartbeat-timeout 90s);\n\
         # flags win over the environment, the environment wins over this file.\n\
         # Durations: 300 or 0.5 (seconds), 1500ms, 90s, 5m, 1h 30m, 7d.\n\
         # A value that holds $, # or spaces needs single quotes around it.\n",
    );
    let mut group: Option<Group> = None;
    for setting in settings() {
        if group != Some(setting.group) {
            text.push_str(&format!("\n# --- {} ---\n", setting.group.title()));
            group = Some(setting.group);
        }
        text.push('\n');
        for line in wrap(&setting.explained()) {
            text.push_str(&format!("# {line}\n"));
        }
        if let Fallback::Derived { formula, .. } = setting.default {
            text.push_str(&format!("# Unless set: {formula}.\n"));
        }
        // No space after the #: this tells a setting that can be switched on from an explanation.
        text.push_str(&format!(
            "#{}={}\n",
            setting.name,
            sample_value(setting.default)
        ));
    }
    text
}

/// Returns the default in the form of a `.env`.
fn sample_value(default: Fallback) -> String {
    let value = default.usual_value();
    if value.contains(' ') {
        format!("'{value}'")
    } else {
        value.to_owned()
    }
}

/// Returns the Markdown table `| variable | default | meaning |` of the README.
pub fn markdown_table() -> String {
    let mut text = String::from("| variable | default | meaning |\n| --- | --- | --- |\n");
    for setting in settings() {
        let default = match setting.default {
            Fallback::Text(value) => format!("`{value}`"),
            Fallback::Derived {
                formula, usually, ..
            } => format!("`{usually}` ({formula})"),
        };
        text.push_str(&format!(
            "| `{}` | {default} | {} |\n",
            setting.name,
            setting.explained()
        ));
    }
    text
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_one_row_of_three_cells_per_setting() {
        let table = markdown_table();
        assert_eq!(table.lines().count(), settings().len() + 2);
        for row in table.lines() {
            assert_eq!(row.matches('|').count(), 4, "{row}");
        }
    }

    #[test]
    fn sample_lines_are_of_readable_width() {
        for line in sample().lines() {
            assert!(line.chars().count() <= WIDTH + 2, "{line}");
        }
    }
}
