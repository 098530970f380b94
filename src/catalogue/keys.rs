//! Finds rows of one file that are about the same stream.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

use super::fault::Fault;
use super::row::{Key, Row};

/// 128 bits of a key or a name.
type Fingerprint = [u64; 2];

/// Keeps two fingerprints for each row, one of its key and one of its name, each with the number of the
/// line; so what it holds of a row does not depend on what the row contains. The fingerprints are made
/// anew in each process; that two keys have the same one is less likely than a fault of the memory.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    hashers: [RandomState; 2],
    /// The line of each key.
    lines: HashMap<Fingerprint, u64>,
    /// The line of each name.
    names: HashMap<Fingerprint, u64>,
}

impl Keys {
    fn fingerprint(&self, text: impl Hash) -> Fingerprint {
        let hash = |hasher: &RandomState| hasher.hash_one(&text);
        self.hashers.each_ref().map(hash)
    }

    /// Notes a row.
    ///
    /// # Errors
    /// Returns the fault if an earlier row has its key, or its name under another key.
    pub(crate) fn note(&mut self, row: &Row) -> Result<(), Fault> {
        let Some(key) = row.key() else {
            return Err(Fault::of_row(
                row.line,
                "has neither `id` nor `name`; a stream is known by one of them",
            ));
        };
        let fingerprint = self.fingerprint(key);
        if let Some(first) = self.lines.get(&fingerprint) {
            let reason = format!(
                "has the same {} as line {first}; remove one of them, or give each an id of its own",
                match key {
                    Key::Id(_) => "id",
                    Key::TvgId(_) => "tvg_id",
                    Key::Name(_) => "name, and neither an id nor a tvg_id,",
                }
            );
            return Err(Fault::of_row(row.line, reason));
        }
        if let Some(name) = row.name() {
            let name = self.fingerprint(name);
            if let Some(first) = self.names.get(&name) {
                let reason = format!(
                    "has the same name as line {first} under another key ({key}); rename one of them"
                );
                return Err(Fault::of_row(row.line, reason));
            }
            self.names.insert(name, row.line);
        }
        self.lines.insert(fingerprint, row.line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(rows: Value) -> Vec<(u64, String)> {
        let mut keys = Keys::default();
        let rows = rows.as_array().unwrap().iter().enumerate();
        rows.filter_map(|(index, fields)| {
            let row = Row {
                line: index as u64 + 2,
                fields: fields.as_object().unwrap().clone(),
            };
            keys.note(&row)
                .err()
                .map(|fault| (fault.line, fault.reason))
        })
        .collect()
    }

    #[test]
    fn two_rows_about_one_stream_are_named_by_both_lines() {
        for (rows, words) in [
            (
                json!([{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]),
                &["same id", "line 2"][..],
            ),
            (
                json!([{"name": "a"}, {"name": "a"}]),
                &["same name, and neither", "line 2"],
            ),
            (
                json!([{"name": "a", "labels": {"tvg_id": "x"}},
                {"name": "b", "labels": {"tvg_id": "x"}}]),
                &["same tvg_id", "line 2"],
            ),
            (
                json!([{"id": 1, "name": "a"}, {"name": "a"}]),
                &["same name", "line 2", "another key (name `a`)"],
            ),
            (
                json!([{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]),
                &["same name", "line 2", "another key (id 2)"],
            ),
        ] {
            let found = faults(rows);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0, 3);
            for word in words {
                assert!(found[0].1.contains(word), "{found:?}");
            }
        }
    }

    #[test]
    fn rows_about_different_streams_are_fine() {
        let rows = json!([{"id": 1, "name": "a"}, {"id": 2}, {"name": "b"}, {"name": "1"},
            {"name": "c", "labels": {"tvg_id": "b"}}]);
        assert_eq!(faults(rows), []);
        let rows = json!([{"url": "http://h"}]);
        assert!(faults(rows)[0].1.contains("neither `id` nor `name`"));
    }
}
