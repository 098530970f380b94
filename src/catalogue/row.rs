//! A row of a file: the fields of a stream as `POST /streams` takes them.

use std::fmt;

use serde_json::{Map, Value};

/// The label by which a row without an id is known.
pub(crate) const TVG_ID: &str = "tvg_id";

/// The fields of a stream that a file may have, in the order of an export.
pub(super) const FIELDS: [&str; 11] = [
    "id", "name", "url", "enabled", "priority", "weight", "handoff", "group", "pinned", "labels",
    "requires",
];

/// A stream of a file.
#[derive(Clone, PartialEq)]
pub(crate) struct Row {
    /// The first of its lines, from 1.
    pub(crate) line: u64,
    /// Its fields by their names; what is absent stays as it is.
    pub(crate) fields: Map<String, Value>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A field may be a URL with a password.
        let fields: Vec<&String> = self.fields.keys().collect();
        write!(f, "Row {{ line: {}, fields: {fields:?} }}", self.line)
    }
}

/// What a row is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key<'a> {
    /// Its id.
    Id(i64),
    /// Its label `tvg_id`.
    TvgId(&'a str),
    /// Its name.
    Name(&'a str),
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "id {id}"),
            Self::TvgId(id) => write!(f, "tvg_id `{id}`"),
            Self::Name(name) => write!(f, "name `{name}`"),
        }
    }
}

impl Row {
    /// Returns its id.
    pub(crate) fn id(&self) -> Option<i64> {
        self.fields.get("id")?.as_i64()
    }

    /// Returns its name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields.get("name")?.as_str()
    }

    /// Returns its label `tvg_id`.
    pub(crate) fn tvg_id(&self) -> Option<&str> {
        let tvg_id = self.fields.get("labels")?.get(TVG_ID)?.as_str()?;
        (!tvg_id.is_empty()).then_some(tvg_id)
    }

    /// Returns what it is known by; `None` if it has neither id nor name.
    pub(crate) fn key(&self) -> Option<Key<'_>> {
        self.id()
            .map(Key::Id)
            .or_else(|| self.tvg_id().map(Key::TvgId))
            .or_else(|| self.name().map(Key::Name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_known_by_its_id_else_its_tvg_id_else_its_name() {
        for (fields, key) in [
            (
                json!({"id": 7, "name": "a", "labels": {"tvg_id": "x"}}),
                Some(Key::Id(7)),
            ),
            (
                json!({"name": "a", "labels": {"tvg_id": "x"}}),
                Some(Key::TvgId("x")),
            ),
            (
                json!({"name": "a", "labels": {"tvg_id": ""}}),
                Some(Key::Name("a")),
            ),
            (json!({"id": null, "name": "a"}), Some(Key::Name("a"))),
            (json!({"url": "http://h"}), None),
        ] {
            let fields = fields.as_object().unwrap().clone();
            assert_eq!(Row { line: 1, fields }.key(), key);
        }
    }

    #[test]
    fn a_row_that_is_printed_shows_no_value() {
        let fields = json!({"url": "rtsp://u:geheim@h/x"});
        let fields = fields.as_object().unwrap().clone();
        let shown = format!("{:?}", Row { line: 3, fields });
        assert!(
            shown.contains("url") && !shown.contains("geheim"),
            "{shown}"
        );
    }
}
