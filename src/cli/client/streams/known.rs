//! The streams of the catalogue by their label `tvg_id`, for rows that are known by it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pages::each_stream;
use crate::catalogue::{Fault, Key, Row};
use crate::cli::client::connection::Connection;

/// Streams with a `tvg_id`; loaded when the first row needs it.
#[derive(Debug, Default)]
pub(super) struct Known {
    loaded: Option<Streams>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Streams {
    by_tvg_id: BTreeMap<Box<str>, Vec<i64>>,
    /// The streams with a `tvg_id` by their names.
    by_name: BTreeMap<Box<str>, i64>,
}

impl Streams {
    fn note(&mut self, stream: &Value) {
        let tvg_id = stream["labels"]["tvg_id"].as_str().unwrap_or_default();
        if let (Some(id), Some(name), false) = (
            stream["id"].as_i64(),
            stream["name"].as_str(),
            tvg_id.is_empty(),
        ) {
            self.by_tvg_id.entry(tvg_id.into()).or_default().push(id);
            self.by_name.insert(name.into(), id);
        }
    }

    /// Gives a row that is known by its `tvg_id` the id of its stream, if there is one.
    fn name_stream(&self, row: &mut Row) -> Result<(), Fault> {
        let Some(Key::TvgId(tvg_id)) = row.key() else {
            return Ok(());
        };
        match self.by_tvg_id.get(tvg_id).map(Vec::as_slice) {
            Some([id]) => {
                let id = *id;
                row.fields.insert("id".to_owned(), id.into());
                Ok(())
            }
            Some(several) => {
                let ids: Vec<String> = several.iter().take(5).map(i64::to_string).collect();
                Err(Fault::of_row(
                    row.line,
                    format!(
                        "has a tvg_id that several streams have ({}); name one of them by its `id`",
                        ids.join(", ")
                    ),
                ))
            }
            None => match row.name().and_then(|name| self.by_name.get(name)) {
                Some(id) => Err(Fault::of_row(
                    row.line,
                    format!(
                        "has the name of stream {id}, which has another tvg_id; rename one of them, or \
                         name that stream by its `id`"
                    ),
                )),
                None => Ok(()),
            },
        }
    }
}

impl Known {
    /// Gives a row that is known by its `tvg_id` the id of its stream, if there is one.
    ///
    /// # Errors
    /// Returns a sentence if the catalogue cannot be read. The inner error is the row's fault.
    pub(super) fn name_stream(
        &mut self,
        connection: &Connection,
        row: &mut Row,
    ) -> Result<Result<(), Fault>, String> {
        if !matches!(row.key(), Some(Key::TvgId(_))) {
            return Ok(Ok(()));
        }
        let streams = match &mut self.loaded {
            Some(streams) => streams,
            none => {
                let mut streams = Streams::default();
                each_stream(connection, false, |stream| {
                    streams.note(stream);
                    Ok(())
                })?;
                none.insert(streams)
            }
        };
        Ok(streams.name_stream(row))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_finds_its_stream_by_its_tvg_id() {
        let mut streams = Streams::default();
        for stream in [
            json!({"id": 1, "name": "a", "labels": {"tvg_id": "x"}}),
            json!({"id": 2, "name": "b", "labels": {"tvg_id": "y"}}),
            json!({"id": 3, "name": "c", "labels": {"tvg_id": "y"}}),
            json!({"id": 4, "name": "d", "labels": {}}),
        ] {
            streams.note(&stream);
        }
        for (fields, expected) in [
            (
                json!({"name": "new", "labels": {"tvg_id": "x"}}),
                Ok(Some(1)),
            ),
            (json!({"name": "new", "labels": {"tvg_id": "z"}}), Ok(None)),
            (json!({"name": "d", "labels": {"tvg_id": "z"}}), Ok(None)),
            (
                json!({"id": 9, "name": "a", "labels": {"tvg_id": "y"}}),
                Ok(Some(9)),
            ),
            (json!({"name": "a"}), Ok(None)),
            (
                json!({"name": "new", "labels": {"tvg_id": "y"}}),
                Err("(2, 3)"),
            ),
            (
                json!({"name": "a", "labels": {"tvg_id": "z"}}),
                Err("name of stream 1"),
            ),
        ] {
            let mut row = Row {
                line: 5,
                fields: fields.as_object().unwrap().clone(),
            };
            match (streams.name_stream(&mut row), expected) {
                (Ok(()), Ok(id)) => assert_eq!(row.id(), id, "{fields}"),
                (Err(fault), Err(word)) => assert!(fault.reason.contains(word), "{fault}"),
                (found, _) => panic!("{fields}: {found:?}"),
            }
        }
    }
}
