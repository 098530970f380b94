//! Aligned columns, and values as people read them.

use serde_json::Value;

use crate::logging::escapes::escaped;

/// Returns rows in columns as wide as their widest cell, two spaces apart; the first row is the
/// head.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    Sheet::default().lines(rows)
}

/// A table that is written block by block: its columns only grow.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    widths: Vec<usize>,
}

impl Sheet {
    /// Returns rows in columns that are at least as wide as in the blocks before.
    pub(super) fn lines<R: AsRef<[String]>>(&mut self, rows: &[R]) -> String {
        for row in rows {
            let cells = row.as_ref();
            self.widths.resize(self.widths.len().max(cells.len()), 0);
            for (width, cell) in self.widths.iter_mut().zip(cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in rows {
            let cells = row.as_ref().iter().zip(&self.widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// Returns a value for a cell: a dash if there is none, and no character that deceives a reader.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => escaped(text),
        other => escaped(&other.to_string()),
    }
}

/// Returns the words of an answer without underscores.
pub(super) fn words(value: &Value) -> String {
    cell(value).replace('_', " ")
}

/// Returns a time to the second, in UTC: `2026-01-31 08:00:00`.
pub(super) fn time(value: &Value) -> String {
    let text = cell(value);
    match text.split_once(['.', 'Z']) {
        Some((seconds, _)) => seconds.replace('T', " "),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let text = aligned(&[row("a", "long"), row("w\u{f6}rter", ""), row("", "x")]);
        assert_eq!(text, "a       long\nw\u{f6}rter\n        x\n");
    }

    #[test]
    fn the_columns_of_a_long_table_only_grow() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        let mut sheet = Sheet::default();
        assert_eq!(sheet.lines(&[row("ID", "NAME")]), "ID  NAME\n");
        assert_eq!(sheet.lines(&[row("1000", "a")]), "1000  a\n");
        assert_eq!(sheet.lines(&[row("7", "b")]), "7     b\n");
    }

    #[test]
    fn values_cannot_steer_a_terminal() {
        assert_eq!(cell(&json!("a\u{1b}[2J")), "a\\u{1b}[2J");
        assert_eq!(cell(&json!("w\u{202e}1")), "w\\u{202e}1");
        assert_eq!(cell(&Value::Null), "-");
        assert_eq!(cell(&json!(7)), "7");
        assert_eq!(
            time(&json!("2026-01-31T08:00:00.000123Z")),
            "2026-01-31 08:00:00"
        );
        assert_eq!(time(&Value::Null), "-");
    }
}
