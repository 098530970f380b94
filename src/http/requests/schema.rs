//! The schemas of rules: each rule describes the values that it accepts, as JSON Schema has it.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::limits::SERVER_ID_LENGTH;
use super::reading::{Record, Rule};

/// Returns the schema of a rule that accepts values of this type.
pub(super) fn described_by<T>(rule: &impl Rule<Value = T>) -> Value {
    rule.schema()
}

/// Returns the lines of a comment as one text.
pub(super) fn joined(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// Returns the schema of an object with fields of its own. An optional field may be `null`, which is the
/// same as absent.
pub(in crate::http) fn object_of<T: Record>() -> Value {
    let fields = T::described();
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.is_required)
        .map(|field| field.name)
        .collect();
    let mut schema = about(joined(T::ABOUT), json!({"type": "object"}));
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    for field in fields {
        let shown = match field.is_required {
            true => field.schema,
            false => nullable(field.schema),
        };
        schema["properties"][field.name] = about(field.about, shown);
    }
    schema
}

fn about(text: String, mut schema: Value) -> Value {
    if !text.is_empty() {
        schema["description"] = text.into();
    }
    schema
}

fn nullable(mut schema: Value) -> Value {
    if let Some(one) = schema.get("type").filter(|one| one.is_string()) {
        schema["type"] = json!([one, "null"]);
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
    } else if let Some(forms) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        forms.push(json!({"type": "null"}));
    }
    schema
}

/// A text of so many characters, none of which is a control character.
pub(super) fn text(length: &RangeInclusive<usize>) -> Value {
    json!({
        "type": "string",
        "minLength": length.start(),
        "maxLength": length.end(),
        "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$",
    })
}

/// The name of an instance.
pub(in crate::http) fn server_id() -> Value {
    text(&SERVER_ID_LENGTH)
}

/// The name of a webhook target.
pub(in crate::http) fn webhook_name() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"})
}

/// An integer, which may be written `3.0`.
pub(in crate::http) fn integer(range: &RangeInclusive<i64>) -> Value {
    json!({"type": "integer", "minimum": range.start(), "maximum": range.end()})
}

/// One of several words.
pub(super) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({"type": "string", "enum": words})
}

/// A label as `key:value`.
pub(super) fn label(length: &RangeInclusive<usize>) -> Value {
    let mut schema = text(length);
    schema["pattern"] = r"^[^\u0000-\u001F\u007F-\u009F]*:[^\u0000-\u001F\u007F-\u009F]*$".into();
    schema
}

/// A moment since 1970.
pub(super) fn moment() -> Value {
    json!({"type": "string", "format": "date-time", "pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-"})
}

/// The units of a duration in words, the longest last, each with its milliseconds.
const UNITS: [(&str, u128); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("(d|day|days)", 86_400_000),
];

/// Seconds as a number, or a text such as `15s`, from a millisecond up to `longest`.
pub(super) fn interval(longest: Duration) -> Value {
    let forms: Vec<String> = UNITS
        .iter()
        .filter(|(_, unit)| longest.as_millis() >= *unit)
        .map(|(name, unit)| format!("{}{name}", up_to(longest.as_millis() / unit)))
        .collect();
    json!({"anyOf": [
        {"type": "number", "minimum": 0.001, "maximum": longest.as_secs_f64()},
        {"type": "string", "pattern": format!("^({})$", forms.join("|"))},
    ]})
}

/// A text such as `2h`, however long.
pub(super) fn duration_text() -> Value {
    let units = UNITS.map(|(name, _)| name).join("|");
    json!({"type": "string", "pattern": format!("^(0|[0-9]{{1,6}}({units}))$")})
}

/// Returns a pattern of the numbers from 1 to `most`.
fn up_to(most: u128) -> String {
    let digits = most.to_string();
    let mut forms = Vec::new();
    if digits.len() > 1 {
        forms.push(format!("[1-9][0-9]{{0,{}}}", digits.len() - 2));
    }
    for (place, digit) in digits.bytes().enumerate() {
        let least = if place == 0 { b'1' } else { b'0' };
        if digit > least {
            let (before, after) = (&digits[..place], digits.len() - place - 1);
            let (from, to) = (char::from(least), char::from(digit - 1));
            forms.push(format!("{before}[{from}-{to}][0-9]{{{after}}}"));
        }
    }
    forms.push(digits);
    format!("({})", forms.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn a_pattern_of_numbers_has_its_end_exactly() {
        for most in [1, 7, 10, 24, 99, 100, 105, 1_440, 86_400] {
            let pattern = Regex::new(&format!("^{}$", up_to(most))).unwrap();
            for number in 0..=most * 2 + 20 {
                let expected = (1..=most).contains(&number);
                assert_eq!(
                    pattern.is_match(&number.to_string()),
                    expected,
                    "{number} of {most}"
                );
            }
        }
    }

    #[test]
    fn an_optional_field_may_be_null() {
        let either = nullable(interval(Duration::from_secs(60)));
        assert_eq!(either["anyOf"][2], json!({"type": "null"}));
        let word = nullable(words(["a", "b"]));
        assert_eq!(
            word,
            json!({"type": ["string", "null"], "enum": ["a", "b", null]})
        );
    }
}
