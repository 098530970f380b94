//! The columns of a CSV file: the header row, and what a cell of each means.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fault::Fault;
use super::row::{FIELDS, Row};
use crate::domain::spelling::nearest;

/// The fields that stand in a column each; `labels` and `requires` have a column for each key.
fn plain_fields() -> impl Iterator<Item = &'static str> {
    let has_keys = |field: &&str| *field == "labels" || *field == "requires";
    FIELDS.into_iter().filter(move |field| !has_keys(field))
}

/// The meaning of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Field(&'static str),
    Label(String),
    Requires(String),
}

impl Column {
    fn named(name: &str) -> Result<Self, String> {
        for (prefix, make) in [
            ("label.", Self::Label as fn(String) -> Self),
            ("requires.", Self::Requires),
        ] {
            if let Some(key) = name.strip_prefix(prefix) {
                return Ok(make(key.to_owned()));
            }
        }
        if let Some(field) = plain_fields().find(|field| *field == name) {
            return Ok(Self::Field(field));
        }
        let known: Vec<&str> = plain_fields()
            .chain(["label.KEY", "requires.KEY"])
            .collect();
        let shown: String = name.chars().take(64).collect();
        let hint = nearest(&name.to_lowercase(), &known)
            .map(|meant| format!("did you mean `{meant}`? "))
            .unwrap_or_default();
        Err(format!(
            "has an unknown column `{shown}`; {hint}The columns are {}",
            known.join(", ")
        ))
    }
}

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns(Vec<Column>);

impl Columns {
    /// Reads the header row.
    pub(super) fn read(line: u64, cells: &[String]) -> Result<Self, Fault> {
        let mut columns = Vec::with_capacity(cells.len());
        let mut seen = BTreeSet::new();
        for (index, cell) in cells.iter().enumerate() {
            let name = cell.trim();
            if name.is_empty() {
                let number = index + 1;
                let reason =
                    format!("has no name for column {number}; the first row names them all");
                return Err(Fault::of_file(line, reason));
            }
            if !seen.insert(name) {
                let reason = format!("has the column `{name}` twice; remove one of them");
                return Err(Fault::of_file(line, reason));
            }
            let column = Column::named(name).map_err(|reason| Fault::of_file(line, reason))?;
            columns.push(column);
        }
        let has = |name| columns.contains(&Column::Field(name));
        if !has("id") && !has("name") {
            return Err(Fault::of_file(
                line,
                "has neither a column `id` nor a column `name`; a stream is known by one of them",
            ));
        }
        Ok(Self(columns))
    }

    /// Reads a record; `None` if all its cells are empty.
    pub(super) fn row(&self, line: u64, cells: Vec<String>) -> Result<Option<Row>, Fault> {
        if cells.iter().all(String::is_empty) {
            return Ok(None);
        }
        if cells.len() != self.0.len() {
            let reason = format!(
                "has {} cells, and the header has {}; a cell with a separator in it is written \
                 between quotes",
                cells.len(),
                self.0.len()
            );
            return Err(Fault::of_row(line, reason));
        }
        let mut fields = Map::new();
        for (column, cell) in self.0.iter().zip(cells) {
            match column {
                Column::Field(name) => {
                    if let Some(value) = value(name, cell).map_err(|expected| {
                        Fault::of_row(line, format!("has a `{name}` that {expected}"))
                    })? {
                        fields.insert((*name).to_owned(), value);
                    }
                }
                Column::Label(key) => put(&mut fields, "labels", key, cell),
                Column::Requires(key) => put(&mut fields, "requires", key, cell),
            }
        }
        Ok(Some(Row { line, fields }))
    }
}

/// Adds a text to an object; it is there even if none of its columns has a text.
fn put(fields: &mut Map<String, Value>, field: &str, key: &str, cell: String) {
    let object = fields
        .entry(field)
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(object) = object
        && !cell.is_empty()
    {
        object.insert(key.to_owned(), cell.into());
    }
}

/// Reads a cell. `None`: the field stays as it is.
fn value(field: &str, cell: String) -> Result<Option<Value>, &'static str> {
    match field {
        // An empty text takes the saved one away.
        "url" | "group" | "pinned" => Ok(Some(cell.into())),
        // A name may consist of blanks, and is exported so.
        "name" => Ok((!cell.is_empty()).then(|| cell.into())),
        _ if cell.trim().is_empty() => Ok(None),
        "id" | "priority" | "weight" => {
            let number = cell.trim().parse::<i64>();
            number
                .map(|number| Some(number.into()))
                .map_err(|_| "is not an integer")
        }
        "enabled" => match cell.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Some(true.into())),
            "false" | "no" | "0" => Ok(Some(false.into())),
            _ => Err("is neither true nor false"),
        },
        _ => Ok(Some(cell.into())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns(names: &[&str]) -> Result<Columns, Fault> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Columns::read(1, &names)
    }

    fn row(names: &[&str], cells: &[&str]) -> Result<Option<Value>, Fault> {
        let cells = cells.iter().map(|cell| (*cell).to_owned()).collect();
        let row = columns(names).unwrap().row(2, cells)?;
        Ok(row.map(|row| Value::from(row.fields)))
    }

    #[test]
    fn a_name_may_consist_of_blanks() {
        // cell, the fields that it gives
        let table = [(" ", json!({"id": 1, "name": " "})), ("", json!({"id": 1}))];
        for (name, expected) in table {
            let found = row(&["id", "name"], &["1", name]).unwrap();
            assert_eq!(found, Some(expected), "{name:?}");
        }
    }

    #[test]
    fn a_header_that_does_not_fit_is_refused_with_the_remedy() {
        for (names, word) in [
            (&["id", "nmae"][..], "did you mean `name`?"),
            (&["id", "Name"], "did you mean `name`?"),
            (&["id", "labels"], "label.KEY"),
            (&["id", "id"], "twice"),
            (&["id", ""], "column 2"),
            (&["url", "label.zone"], "neither a column `id`"),
        ] {
            let fault = columns(names).unwrap_err();
            assert!(fault.ends_the_file);
            assert!(fault.reason.contains(word), "{names:?}: {fault}");
        }
    }

    #[test]
    fn empty_cells_keep_what_is_saved_but_texts_and_labels_are_replaced() {
        let names = [
            "id",
            "name",
            "url",
            "enabled",
            "priority",
            "weight",
            "handoff",
            "group",
            "pinned",
            "label.zone",
            "label.rack",
            "requires.gpu",
        ];
        let full = row(
            &names,
            &[
                "7", "a", "http://h", "TRUE", "-3", "2", "overlap", "g", "w1", "north", "", "yes",
            ],
        );
        let expected = json!({"id": 7, "name": "a", "url": "http://h", "enabled": true,
            "priority": -3, "weight": 2, "handoff": "overlap", "group": "g", "pinned": "w1",
            "labels": {"zone": "north"}, "requires": {"gpu": "yes"}});
        assert_eq!(full, Ok(Some(expected)));
        let empty = row(&names, &["7", "", "", " ", "", "", "", "", "", "", "", ""]);
        let expected = json!({"id": 7, "url": "", "group": "", "pinned": "", "labels": {},
            "requires": {}});
        assert_eq!(empty, Ok(Some(expected)));
        assert_eq!(row(&names, &[""; 12]), Ok(None), "a blank row");
    }

    #[test]
    fn a_cell_that_does_not_fit_is_refused_without_its_value() {
        for (names, cells, word) in [
            (
                ["id", "name"],
                &["geheim", "x"][..],
                "`id` that is not an integer",
            ),
            (
                ["name", "enabled"],
                &["x", "geheim"],
                "neither true nor false",
            ),
            (
                ["name", "weight"],
                &["x", "1.5"],
                "`weight` that is not an integer",
            ),
            (["name", "url"], &["x"], "has 1 cells, and the header has 2"),
            (["name", "url"], &["x", "a", "geheim"], "has 3 cells"),
        ] {
            let fault = row(&names, cells).unwrap_err();
            assert_eq!((fault.line, fault.ends_the_file), (2, false));
            assert!(fault.reason.contains(word), "{fault}");
            assert!(!fault.reason.contains("geheim"), "{fault}");
        }
    }
}
