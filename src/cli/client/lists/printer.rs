//! Prints rows as they are read, in the form that `--output` names.

use serde_json::{Value, json};

use super::columns::Column;
use super::pages::next;
use crate::cli::client::output_format::OutputFormat;
use crate::cli::client::table::{Sheet, cell, time};
use crate::cli::exit::Exit;
use crate::cli::output::{Sink, complain};
use crate::logging::escapes::escaped_json;

/// How people see a row.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::client) enum Style {
    /// In columns below their heads.
    Columns(&'static [Column]),
    /// As lines; the flag says whether `--output wide` was given.
    Lines(fn(&Value, bool) -> String),
}

/// Prints rows, block by block. Columns are as wide as their widest cell so far.
#[derive(Debug)]
pub(in crate::cli::client) struct Printer<'a> {
    sink: &'a mut Sink,
    output: OutputFormat,
    /// The field of the JSON value that has the rows.
    key: &'static str,
    style: Style,
    sheet: Sheet,
    printed: usize,
}

impl<'a> Printer<'a> {
    /// Creates the printer; nothing is written yet.
    pub(in crate::cli::client) fn new(
        sink: &'a mut Sink,
        output: OutputFormat,
        key: &'static str,
        style: Style,
    ) -> Self {
        Self {
            sink,
            output,
            key,
            style,
            sheet: Sheet::default(),
            printed: 0,
        }
    }

    /// Prints some rows.
    ///
    /// # Errors
    /// Returns the exit code if the output has ended.
    pub(in crate::cli::client) fn rows(&mut self, rows: &[Value]) -> Result<(), Exit> {
        if rows.is_empty() {
            return Ok(());
        }
        let is_first = self.printed == 0;
        let text = match self.output {
            OutputFormat::Json => self.members(rows),
            OutputFormat::JsonLines => rows.iter().map(json_line).collect(),
            OutputFormat::Table => self.text(rows, is_first, false),
            OutputFormat::Wide => self.text(rows, is_first, true),
        };
        self.printed += rows.len();
        self.sink.write(&text)
    }

    /// Prints the end: `rest` is the last answer without its rows, `none` the sentence for a list without
    /// rows.
    ///
    /// # Errors
    /// Returns the exit code if the output has ended.
    pub(in crate::cli::client) fn end(self, rest: &Value, none: &str) -> Result<(), Exit> {
        let next = next(rest);
        match self.output {
            OutputFormat::Json => {
                let opening = match self.printed {
                    0 => format!("{{\n  \"{}\": []", self.key),
                    _ => "\n  ]".to_owned(),
                };
                self.sink.write(&(opening + &fields(rest) + "\n}\n"))?;
            }
            OutputFormat::JsonLines => {
                if let Some(next) = next {
                    complain(&format!("orchestrator: the list goes on: --after {next}"));
                }
            }
            OutputFormat::Table | OutputFormat::Wide => {
                if self.printed == 0 {
                    self.sink.write(none)?;
                }
                if let Some(next) = next {
                    let next = cell(&next.into());
                    self.sink.write(&format!("More: --after {next}\n"))?;
                }
            }
        }
        if let Some(since) = rest.get("stale_since").filter(|since| since.is_string()) {
            let since = time(since);
            complain(&format!(
                "orchestrator: warning: the database does not answer since {since} UTC; this is from memory"
            ));
        }
        Ok(())
    }

    /// Ends a list that cannot be read to its end: a JSON value that has begun is completed, and says
    /// why rows are missing.
    ///
    /// # Errors
    /// Returns the exit code if the output has ended.
    pub(in crate::cli::client) fn cut_off(self, reason: &str) -> Result<(), Exit> {
        if self.output != OutputFormat::Json || self.printed == 0 {
            return Ok(());
        }
        self.sink.write(&cut_off(reason))
    }

    fn text(&mut self, rows: &[Value], is_first: bool, is_wide: bool) -> String {
        let columns = match self.style {
            Style::Lines(line) => return rows.iter().map(|row| line(row, is_wide)).collect(),
            Style::Columns(columns) => columns,
        };
        let shown = || columns.iter().filter(|column| is_wide || !column.is_wide);
        let head = || shown().map(|column| column.head.to_owned()).collect();
        let mut lines: Vec<Vec<String>> = Vec::with_capacity(rows.len() + 1);
        lines.extend(is_first.then(head));
        lines.extend(
            rows.iter()
                .map(|row| shown().map(|column| (column.value)(row)).collect()),
        );
        self.sheet.lines(&lines)
    }

    /// Returns rows as members of the array, as they stand in one indented JSON value.
    fn members(&self, rows: &[Value]) -> String {
        let mut text = String::new();
        for (index, row) in rows.iter().enumerate() {
            text.push_str(&match self.printed + index {
                0 => format!("{{\n  \"{}\": [\n    ", self.key),
                _ => ",\n    ".to_owned(),
            });
            text.push_str(&indented(row, "    "));
        }
        text
    }
}

/// Returns the end of a JSON value whose rows are not all there.
fn cut_off(reason: &str) -> String {
    format!("\n  ]{}\n}}\n", fields(&json!({ "incomplete": reason })))
}

/// Returns a row on one line.
fn json_line(row: &Value) -> String {
    format!("{}\n", escaped_json(&row.to_string()))
}

/// Returns the fields of an object as they follow another field.
fn fields(rest: &Value) -> String {
    let fields = rest.as_object().into_iter().flatten();
    let fields = fields.map(|(name, value)| {
        let name = escaped_json(&Value::from(name.as_str()).to_string());
        format!(",\n  {name}: {}", indented(value, "  "))
    });
    fields.collect()
}

/// Returns indented JSON. Line feeds stand only between its tokens.
fn indented(value: &Value, by: &str) -> String {
    escaped_json(&format!("{value:#}")).replace('\n', &format!("\n{by}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_json_are_one_value() {
        let mut sink = Sink::default();
        let style = Style::Lines(|_, _| String::new());
        let mut printer = Printer::new(&mut sink, OutputFormat::Json, "rows", style);
        let rows = [json!({"a": [1, "x\ny\u{202e}"]}), json!({"b": {}})];
        let rest = json!({"next": 7, "more": {"c": 1}});
        let mut text = printer.members(&rows[..1]);
        printer.printed = 1;
        text.push_str(&printer.members(&rows[1..]));
        text.push_str("\n  ]");
        text.push_str(&fields(&rest));
        text.push_str("\n}\n");
        let whole = json!({"rows": rows, "next": 7, "more": {"c": 1}});
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), whole);
        assert!(text.contains("\\u202e") && !text.contains('\u{202e}'));
    }

    #[test]
    fn a_value_that_is_cut_off_is_complete_and_says_why() {
        let mut sink = Sink::default();
        let style = Style::Lines(|_, _| String::new());
        let printer = Printer::new(&mut sink, OutputFormat::Json, "rows", style);
        let text = printer.members(&[json!({"id": 1})]) + &cut_off("no \"answer\"");
        let whole = json!({"rows": [{"id": 1}], "incomplete": "no \"answer\""});
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), whole);
    }

    #[test]
    fn a_row_is_one_line_whatever_it_holds() {
        let line = json_line(&json!({"name": "a\nb\u{2028}"}));
        assert_eq!(line, "{\"name\":\"a\\nb\\u2028\"}\n");
    }
}
