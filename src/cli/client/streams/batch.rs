//! Rows that are checked or saved in one request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::counts::Counts;
use crate::catalogue::{Fault, Row};
use crate::cli::client::connection::{Act, Connection};

/// How many rows one request has at most.
const MAX_ROWS: usize = 10_000;

/// How many bytes the rows of one request have at most: half of what the orchestrator accepts.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Whether a request saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It only says what it would do.
    Check,
    /// It saves.
    Save,
}

/// Rows for one request, as JSON.
#[derive(Debug, Default)]
pub(super) struct Batch {
    rows: Vec<(u64, String)>,
    bytes: usize,
}

/// The outcome of a batch.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) counts: Counts,
    /// The ids of the streams of the rows that were accepted.
    pub(super) ids: Vec<i64>,
    /// The rows that were refused.
    pub(super) refused: Vec<Fault>,
}

impl Batch {
    /// Adds a row.
    pub(super) fn push(&mut self, row: Row) {
        let json = Value::from(row.fields).to_string();
        self.bytes += json.len() + 1;
        self.rows.push((row.line, json));
    }

    /// Returns whether it is to be sent before another row is added.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= MAX_ROWS || self.bytes >= MAX_BYTES
    }

    /// Returns whether it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn body(&self) -> String {
        let mut body = String::with_capacity(self.bytes + 16);
        body.push_str("{\"streams\":[");
        for (index, (_, row)) in self.rows.iter().enumerate() {
            if index > 0 {
                body.push(',');
            }
            body.push_str(row);
        }
        body.push_str("]}");
        body
    }

    /// Sends the rows, and empties the batch. Rows that are refused are left out, and the others sent
    /// again until they are accepted; to save, only if `keep_going` says so.
    ///
    /// # Errors
    /// Returns a sentence if the orchestrator did not answer, or refused the request as a whole.
    pub(super) fn send(
        &mut self,
        connection: &Connection,
        mode: Mode,
        keep_going: bool,
    ) -> Result<Settled, String> {
        let mut settled = Settled::default();
        while !self.is_empty() {
            let (act, path) = match mode {
                Mode::Check => (Act::Question, "/streams?dry_run=true"),
                Mode::Save => (Act::Order, "/streams"),
            };
            match connection.post_json(act, path, &self.body())? {
                Ok(answer) => {
                    settled.counts = Counts::of(&answer);
                    let ids = answer["ids"].as_array();
                    settled.ids = ids
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_i64)
                        .collect();
                    break;
                }
                Err(refusal) => {
                    let by_row = by_row(&refusal.errors, self.rows.len());
                    if by_row.is_empty() {
                        return Err(refusal.sentence);
                    }
                    self.leave_out(&by_row, &mut settled.refused);
                    if mode == Mode::Save && !keep_going {
                        break;
                    }
                }
            }
        }
        self.rows.clear();
        self.bytes = 0;
        Ok(settled)
    }

    fn leave_out(&mut self, by_row: &BTreeMap<usize, String>, refused: &mut Vec<Fault>) {
        let rows = std::mem::take(&mut self.rows);
        for (index, (line, json)) in rows.into_iter().enumerate() {
            match by_row.get(&index) {
                Some(reason) => refused.push(Fault::of_row(line, reason.clone())),
                None => self.rows.push((line, json)),
            }
        }
    }
}

/// Returns the reason for each row that a refusal names.
fn by_row(errors: &Value, rows: usize) -> BTreeMap<usize, String> {
    let mut by_row: BTreeMap<usize, String> = BTreeMap::new();
    for error in errors.as_array().into_iter().flatten() {
        let (Some(field), Some(reason)) = (error["field"].as_str(), error["reason"].as_str())
        else {
            continue;
        };
        let Some((index, field)) = place(field) else {
            continue;
        };
        if index >= rows {
            continue;
        }
        let reason = if field.is_empty() {
            reason.to_owned()
        } else {
            format!("has a `{field}` that {reason}")
        };
        // A name that is missing is no name that is missing.
        let reason = reason.replace("has a `name` that is missing", "has no `name`");
        by_row
            .entry(index)
            .and_modify(|known| known.push_str(&format!(", and {reason}")))
            .or_insert(reason);
    }
    by_row
}

/// Splits `streams[3].name` into 3 and `name`.
fn place(field: &str) -> Option<(usize, &str)> {
    let (index, field) = field.strip_prefix("streams[")?.split_once(']')?;
    Some((index.parse().ok()?, field.trim_start_matches('.')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_are_sentences_about_their_rows() {
        let errors = json!([
            {"field": "streams[1].weight", "reason": "must be from 1 to 1000"},
            {"field": "streams[1].labels.a", "reason": "must be text"},
            {"field": "streams[0].name", "reason": "is missing; a new stream needs one"},
            {"field": "streams[2]", "reason": "must be an object"},
            {"field": "streams[9].name", "reason": "is no row of ours"},
            {"field": "body", "reason": "must be a JSON object"},
        ]);
        let expected = [
            (0, "has no `name`; a new stream needs one"),
            (
                1,
                "has a `weight` that must be from 1 to 1000, and has a `labels.a` that must be text",
            ),
            (2, "must be an object"),
        ];
        let found = by_row(&errors, 3);
        let expected = expected.map(|(index, reason)| (index, reason.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn a_batch_is_full_by_rows_or_by_bytes() {
        let row = |name: String| Row {
            line: 7,
            fields: json!({ "name": name }).as_object().unwrap().clone(),
        };
        let mut batch = Batch::default();
        assert!(batch.is_empty());
        batch.push(row("a".to_owned()));
        batch.push(row("b".to_owned()));
        assert_eq!(batch.body(), r#"{"streams":[{"name":"a"},{"name":"b"}]}"#);
        assert!(!batch.is_full());
        for _ in 2..MAX_ROWS {
            batch.push(row("c".to_owned()));
        }
        assert!(batch.is_full());
        let mut large = Batch::default();
        for _ in 0..9 {
            large.push(row("x".repeat(1024 * 1024)));
        }
        assert!(large.is_full());
    }
}
