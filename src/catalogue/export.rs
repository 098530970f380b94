//! Writes streams as files that can be imported again.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::csv::write_cell;
use super::row::FIELDS;

/// The columns of an exported CSV file. Labels and conditions have a column for each key that occurs
/// in the catalogue, so all streams are looked at before the first row is written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CsvHead {
    labels: BTreeSet<String>,
    requires: BTreeSet<String>,
}

impl CsvHead {
    /// Notes the keys of a stream.
    pub(crate) fn note(&mut self, stream: &Value) {
        for (keys, field) in [
            (&mut self.labels, "labels"),
            (&mut self.requires, "requires"),
        ] {
            for key in stream[field].as_object().into_iter().flat_map(Map::keys) {
                if !keys.contains(key) {
                    keys.insert(key.clone());
                }
            }
        }
    }

    /// Returns the header row.
    pub(crate) fn line(&self) -> String {
        let mut cells: Vec<String> = Vec::new();
        for field in FIELDS {
            match field {
                "labels" => cells.extend(self.labels.iter().map(|key| format!("label.{key}"))),
                "requires" => {
                    cells.extend(self.requires.iter().map(|key| format!("requires.{key}")));
                }
                field => cells.push(field.to_owned()),
            }
        }
        joined(cells.iter().map(String::as_str))
    }

    /// Returns the row of a stream; `None` if it has a key that was not noted.
    pub(crate) fn row(&self, stream: &Value) -> Option<String> {
        let mut cells: Vec<&str> = Vec::new();
        let (id, priority, weight) = (
            stream["id"].to_string(),
            stream["priority"].to_string(),
            stream["weight"].to_string(),
        );
        for field in FIELDS {
            match field {
                "id" => cells.push(&id),
                "priority" => cells.push(&priority),
                "weight" => cells.push(&weight),
                "enabled" => cells.push(if stream["enabled"] == true {
                    "true"
                } else {
                    "false"
                }),
                "labels" => columns(&self.labels, &stream["labels"], &mut cells)?,
                "requires" => columns(&self.requires, &stream["requires"], &mut cells)?,
                text => cells.push(stream[text].as_str().unwrap_or_default()),
            }
        }
        Some(joined(cells.into_iter()))
    }
}

/// Adds the cell of each key.
fn columns<'a>(keys: &BTreeSet<String>, texts: &'a Value, cells: &mut Vec<&'a str>) -> Option<()> {
    let known = keys.iter().filter(|key| texts.get(key.as_str()).is_some());
    let all = texts.as_object().map_or(0, Map::len);
    (known.count() == all).then(|| {
        let texts = keys.iter().map(|key| texts[key.as_str()].as_str());
        cells.extend(texts.map(Option::unwrap_or_default));
    })
}

fn joined<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_cell(&mut text, cell);
    }
    text.push('\n');
    text
}

/// Returns a stream as a line of JSON, without what cannot be imported and without what it lacks.
pub(crate) fn jsonl_line(stream: &Value) -> String {
    let mut fields = Map::new();
    for field in FIELDS {
        match &stream[field] {
            Value::Null => {}
            // `null` leaves what is saved as it is, and an empty text takes it away.
            value => {
                fields.insert(field.to_owned(), value.clone());
            }
        }
    }
    for field in ["url", "group", "pinned"] {
        fields.entry(field).or_insert_with(|| "".into());
    }
    format!("{}\n", Value::from(fields))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Format, Rows};
    use super::*;

    fn stream(id: i64, name: &str, labels: Value) -> Value {
        json!({"id": id, "name": name, "url": "rtsp://u:p@h/x,y", "labels": labels, "priority": -1,
            "enabled": false, "created_at": "2026-01-31T08:00:00.000000Z", "state": "disabled",
            "server_id": null, "handoff": "overlap", "weight": 3, "requires": {"gpu": "yes"},
            "group": null, "pinned": "w 1"})
    }

    fn imported(text: &str, format: Format) -> Vec<Value> {
        let mut rows = Rows::new(text.as_bytes(), format);
        let mut all = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            all.push(Value::from(row.fields));
        }
        all
    }

    fn as_csv(streams: &[Value]) -> String {
        let mut head = CsvHead::default();
        streams.iter().for_each(|stream| head.note(stream));
        let rows = streams.iter().map(|stream| head.row(stream).unwrap());
        std::iter::once(head.line()).chain(rows).collect()
    }

    #[test]
    fn an_export_has_a_column_for_each_key() {
        let streams = [
            stream(1, "a", json!({"zone": "n"})),
            stream(2, "b", json!({"rack": "7"})),
        ];
        let text = as_csv(&streams);
        let expected = "id,name,url,enabled,priority,weight,handoff,group,pinned,label.rack,label.zone,requires.gpu\n\
            1,a,\"rtsp://u:p@h/x,y\",false,-1,3,overlap,,w 1,,n,yes\n\
            2,b,\"rtsp://u:p@h/x,y\",false,-1,3,overlap,,w 1,7,,yes\n";
        assert_eq!(text, expected);
        let mut head = CsvHead::default();
        head.note(&streams[0]);
        assert_eq!(head.row(&streams[1]), None, "a key that came in between");
    }

    #[test]
    fn a_line_of_json_has_what_can_be_imported() {
        let line = jsonl_line(&stream(7, "a", json!({})));
        let fields: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            fields,
            json!({"id": 7, "name": "a", "url": "rtsp://u:p@h/x,y", "labels": {},
            "priority": -1, "enabled": false, "handoff": "overlap", "weight": 3,
            "requires": {"gpu": "yes"}, "group": "", "pinned": "w 1"})
        );
    }

    proptest! {
        #[test]
        fn an_export_is_imported_as_it_was(
            name in "[ -~äß]{1,12}",
            // A column is there only for a key that occurs; blanks around its name are cut off.
            labels in prop::collection::btree_map("[!-~ä]([ -~]{0,4}[!-~ä])?", "[ -~ä]{1,8}", 1..4),
            id in 1..1_000_i64,
        ) {
            let streams = [stream(id, &name, json!(labels)), stream(id + 1, "other", json!({}))];
            let lines: String = streams.iter().map(jsonl_line).collect();
            let expected = imported(&lines, Format::Jsonl);
            prop_assert_eq!(imported(&as_csv(&streams), Format::Csv), expected);
        }
    }
}
