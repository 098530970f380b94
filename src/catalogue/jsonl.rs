//! JSON lines: an object for each stream, as `POST /streams` takes it.

use serde_json::{Map, Value};

use super::fault::Fault;
use super::row::{FIELDS, Row};
use crate::domain::spelling::nearest;

/// Reads one line; `None` if it is blank.
pub(super) fn read(line: u64, text: &str) -> Result<Option<Row>, Fault> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        // Its text may repeat a value; its place does not.
        let reason = if error.is_data() {
            "is not a JSON object; each line has the fields of one stream, such as {\"name\": \"news\"}"
                .to_owned()
        } else {
            format!("is not JSON (column {})", error.column())
        };
        Fault::of_row(line, reason)
    })?;
    for field in fields.keys() {
        if !FIELDS.contains(&field.as_str()) {
            return Err(Fault::of_row(line, unknown_field(field)));
        }
    }
    Ok(Some(Row { line, fields }))
}

fn unknown_field(field: &str) -> String {
    let shown: String = field.chars().take(64).collect();
    match nearest(field, &FIELDS) {
        Some(meant) => format!("has an unknown field `{shown}`; did you mean `{meant}`?"),
        None => format!(
            "has an unknown field `{shown}`; a stream has {}",
            FIELDS.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_an_object_with_the_fields_of_a_stream() {
        let row = read(4, r#"{"id": 7, "labels": {"zone": "a"}}"#)
            .unwrap()
            .unwrap();
        assert_eq!(row.line, 4);
        assert_eq!(
            Value::from(row.fields),
            json!({"id": 7, "labels": {"zone": "a"}})
        );
        assert_eq!(read(5, "  "), Ok(None));
    }

    #[test]
    fn what_is_no_such_object_is_refused_without_its_content() {
        for (text, word) in [
            ("[1]", "not a JSON object"),
            ("\"geheim\"", "not a JSON object"),
            ("7", "not a JSON object"),
            ("{\"name\": \"geheim\" x", "column 19"),
            ("{\"name\": 1} {}", "column 13"),
            ("{\"nmae\": \"geheim\"}", "did you mean `name`?"),
            ("{\"server_id\": \"geheim\"}", "unknown field `server_id`"),
        ] {
            let fault = read(9, text).unwrap_err();
            assert_eq!((fault.line, fault.ends_the_file), (9, false));
            assert!(fault.reason.contains(word), "{text}: {fault}");
            assert!(!fault.reason.contains("geheim"), "{fault}");
        }
    }
}
