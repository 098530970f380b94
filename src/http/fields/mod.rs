//! Reads typed fields from a JSON object, and names every bad one at once.
//!
//! `read` runs a closure over the object. A bad field is noted, and the closure is handed a
//! stand-in so that it can go on to the next; what it built is thrown away if anything was noted.
//!
//! Rules: unknown fields are ignored; `null` is the same as absent; an integer is a number without a
//! fraction, however it is written (`3`, `3.0`, `3e0`), because languages that know only one kind of
//! number write it so; texts have a longest length in characters and no control characters, because
//! they are shown in logs and lists.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use super::problem::{FieldError, MAX_NAMED_FIELDS, Problem};
use crate::domain::digest::StreamsDigest;
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};

/// The greatest integer every JSON reader represents exactly.
pub(super) const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// How long a `server_id` may be, in characters.
pub(super) const SERVER_ID_LENGTH: RangeInclusive<usize> = 1..=128;

/// How many ids one request names at the most: what one instance may hold.
const MAX_IDS: usize = 100_000;

const MAX_LABELS: usize = 64;
const LABEL_KEY_LENGTH: RangeInclusive<usize> = 1..=128;
const LABEL_VALUE_LENGTH: RangeInclusive<usize> = 0..=512;

/// A worker that beats less often than once a day is not watched by heartbeats.
pub(super) const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// What was refused so far.
#[derive(Debug, Default)]
struct Errors {
    named: Vec<FieldError>,
    total: usize,
}

impl Errors {
    fn note(&mut self, field: String, reason: String) {
        self.total += 1;
        if self.named.len() < MAX_NAMED_FIELDS {
            self.named.push(FieldError { field, reason });
        }
    }
}

/// Builds something from the fields of `object`.
///
/// # Errors
/// 422 with every field that was refused.
pub(super) fn read<T>(
    object: &Map<String, Value>,
    build: impl FnOnce(&mut Fields<'_>) -> T,
) -> Result<T, Problem> {
    let mut errors = Errors::default();
    let built = build(&mut Fields {
        prefix: String::new(),
        object,
        errors: &mut errors,
    });
    if errors.total == 0 {
        Ok(built)
    } else {
        Err(Problem::invalid(errors.named, errors.total))
    }
}

/// The fields of one object.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    prefix: String,
    object: &'a Map<String, Value>,
    errors: &'a mut Errors,
}

impl Fields<'_> {
    /// Notes that a field is bad.
    pub(super) fn refuse(&mut self, name: &str, reason: impl Into<String>) {
        self.errors
            .note(format!("{}{name}", self.prefix), reason.into());
    }

    /// Whether a field is there at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A field that may be absent, read by `parse`, whose error is the reason.
    fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.get(name)?) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(name, reason);
                None
            }
        }
    }

    /// A field that must be there.
    fn required<T>(
        &mut self,
        name: &str,
        stand_in: T,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> T {
        if self.get(name).is_none() {
            self.refuse(name, "is missing");
            return stand_in;
        }
        self.optional(name, parse).unwrap_or(stand_in)
    }

    /// A text that must be there.
    pub(super) fn text(&mut self, name: &str, length: RangeInclusive<usize>) -> String {
        self.required(name, String::new(), |value| text(value, &length))
    }

    /// A text that may be absent.
    pub(super) fn optional_text(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        self.optional(name, |value| text(value, &length))
    }

    /// The `server_id`.
    pub(super) fn server_id(&mut self) -> InstanceId {
        InstanceId::new(self.text("server_id", SERVER_ID_LENGTH))
    }

    /// An integer that must be there.
    pub(super) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> i64 {
        self.required(name, *range.start(), |value| integer(value, &range))
    }

    /// An integer that may be absent.
    pub(super) fn optional_integer(
        &mut self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        self.optional(name, |value| integer(value, &range))
    }

    /// A number, whole or not, that may be absent.
    pub(super) fn optional_number(&mut self, name: &str) -> Option<f64> {
        self.optional(name, number)
    }

    /// Three numbers, or nothing.
    pub(super) fn optional_triple(&mut self, name: &str) -> Option<[f64; 3]> {
        self.optional(name, |value| {
            let reason = || "must be a list of 3 numbers".to_owned();
            let list = value.as_array().ok_or_else(reason)?;
            let numbers: Result<Vec<f64>, String> = list.iter().map(number).collect();
            let numbers = numbers.map_err(|_| reason())?;
            <[f64; 3]>::try_from(numbers).map_err(|_| reason())
        })
    }

    /// `true` or `false`, or absent.
    pub(super) fn optional_flag(&mut self, name: &str) -> Option<bool> {
        self.optional(name, |value| {
            value
                .as_bool()
                .ok_or_else(|| "must be true or false".to_owned())
        })
    }

    /// One of some words, or absent.
    pub(super) fn optional_word<T: Copy>(
        &mut self,
        name: &str,
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        self.optional(name, |value| {
            let found = value
                .as_str()
                .and_then(|text| all.iter().copied().find(|one| word(*one) == text));
            found.ok_or_else(|| {
                let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
                format!("must be one of {}", words.join(", "))
            })
        })
    }

    /// The life the worker believes to lead.
    pub(super) fn incarnation(&mut self) -> Option<Incarnation> {
        self.optional_integer("incarnation", 0..=MAX_SAFE_INTEGER)
            .map(Incarnation::new)
    }

    /// The last assignment version the worker has.
    pub(super) fn assignment_version(&mut self) -> Option<AssignmentVersion> {
        self.optional_integer("assignment_version", 0..=MAX_SAFE_INTEGER)
            .map(AssignmentVersion::new)
    }

    /// Seconds as a number, or a text like `15s`, up to `longest`.
    pub(super) fn optional_interval(&mut self, name: &str, longest: Duration) -> Option<Duration> {
        self.optional(name, |value| interval(value, longest))
    }

    /// Texts by name.
    pub(super) fn optional_labels(&mut self, name: &str) -> Option<BTreeMap<String, String>> {
        let labels = match self.get(name)? {
            Value::Object(labels) => labels.clone(),
            _ => {
                self.refuse(name, "must be an object of texts");
                return None;
            }
        };
        if labels.len() > MAX_LABELS {
            self.refuse(name, format!("must have at most {MAX_LABELS} entries"));
            return None;
        }
        let mut read = BTreeMap::new();
        for (key, value) in labels {
            if let Err(reason) = check_text(&key, &LABEL_KEY_LENGTH) {
                self.refuse(name, format!("has a name that {reason}"));
            } else {
                match text(&value, &LABEL_VALUE_LENGTH) {
                    Ok(value) => {
                        read.insert(key, value);
                    }
                    Err(reason) => self.refuse(&format!("{name}.{key}"), reason),
                }
            }
        }
        Some(read)
    }

    /// Stream ids that must be there; the list may be empty.
    pub(super) fn stream_ids(&mut self, name: &str) -> Vec<StreamId> {
        if self.get(name).is_none() {
            self.refuse(name, "is missing");
        }
        self.optional_stream_ids(name).unwrap_or_default()
    }

    /// Stream ids that may be absent.
    pub(super) fn optional_stream_ids(&mut self, name: &str) -> Option<Vec<StreamId>> {
        let object = self.object;
        let Value::Array(list) = object.get(name).filter(|value| !value.is_null())? else {
            self.refuse(name, "must be a list of stream ids");
            return None;
        };
        if list.len() > MAX_IDS {
            self.refuse(name, format!("must have at most {MAX_IDS} entries"));
            return None;
        }
        let range = 1..=MAX_SAFE_INTEGER;
        let mut ids = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            match integer(value, &range) {
                Ok(id) => ids.push(StreamId::new(id)),
                Err(reason) => self.refuse(&format!("{name}[{index}]"), reason),
            }
        }
        Some(ids)
    }

    /// The digest of a set of streams that may be absent.
    pub(super) fn optional_digest(&mut self, name: &str) -> Option<StreamsDigest> {
        self.optional(name, |value| {
            let digest = value.as_str().and_then(StreamsDigest::from_hex);
            digest.ok_or_else(|| "must be a text of 16 lower-case hexadecimal digits".to_owned())
        })
    }

    /// An object inside that may be absent.
    pub(super) fn optional_object<T>(
        &mut self,
        name: &str,
        build: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> Option<T> {
        let object = self.object;
        match object.get(name).filter(|value| !value.is_null())? {
            Value::Object(inner) => Some(build(&mut Fields {
                prefix: format!("{}{name}.", self.prefix),
                object: inner,
                errors: self.errors,
            })),
            _ => {
                self.refuse(name, "must be an object");
                None
            }
        }
    }

    /// A list of objects that must be there, of at most `most`.
    pub(super) fn objects<T>(
        &mut self,
        name: &str,
        most: usize,
        mut build: impl FnMut(&mut Fields<'_>) -> T,
    ) -> Vec<T> {
        let object = self.object;
        let list = match object.get(name) {
            Some(Value::Array(list)) => list,
            None | Some(Value::Null) => {
                self.refuse(name, "is missing");
                return Vec::new();
            }
            Some(_) => {
                self.refuse(name, "must be a list of objects");
                return Vec::new();
            }
        };
        if list.len() > most {
            self.refuse(name, format!("must have at most {most} entries"));
            return Vec::new();
        }
        let mut built = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let Value::Object(inner) = value else {
                self.refuse(&format!("{name}[{index}]"), "must be an object");
                continue;
            };
            built.push(build(&mut Fields {
                prefix: format!("{}{name}[{index}].", self.prefix),
                object: inner,
                errors: self.errors,
            }));
        }
        built
    }
}

/// Whether a text may be used where texts are shown.
///
/// # Errors
/// The reason, to be read after the name of the field.
pub(super) fn check_text(text: &str, length: &RangeInclusive<usize>) -> Result<(), String> {
    // Counting all characters of a text that is far too long would be wasted.
    let count = text.chars().take(length.end() + 1).count();
    if count == 0 && *length.start() > 0 {
        Err("must not be empty".to_owned())
    } else if count > *length.end() {
        Err(format!("must have at most {} characters", length.end()))
    } else if text.chars().any(char::is_control) {
        Err("must not have control characters".to_owned())
    } else {
        Ok(())
    }
}

fn text(value: &Value, length: &RangeInclusive<usize>) -> Result<String, String> {
    let text = value.as_str().ok_or("must be text")?;
    check_text(text, length)?;
    Ok(text.to_owned())
}

/// An integer in a range.
///
/// # Errors
/// The reason, to be read after the name of the field.
pub(super) fn integer(value: &Value, range: &RangeInclusive<i64>) -> Result<i64, String> {
    let Value::Number(number) = value else {
        return Err("must be an integer".to_owned());
    };
    let whole = number
        .as_i64()
        .or_else(|| number.as_f64().and_then(whole_number));
    match whole {
        Some(integer) if range.contains(&integer) => Ok(integer),
        None if number.as_f64().is_some_and(|number| number.fract() != 0.0) => Err(format!(
            "must be an integer, and be {}",
            describe_range(range)
        )),
        Some(_) | None => Err(format!("must be {}", describe_range(range))),
    }
}

/// The integer that a floating-point number is, if it is one that every reader represents exactly.
pub(super) fn whole_number(number: f64) -> Option<i64> {
    let is_exact = number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER as f64;
    is_exact.then_some(number as i64)
}

/// A range in words.
pub(super) fn describe_range(range: &RangeInclusive<i64>) -> String {
    if *range.end() == MAX_SAFE_INTEGER && *range.start() >= 0 {
        format!("at least {} and below 2^53", range.start())
    } else {
        format!("from {} to {}", range.start(), range.end())
    }
}

fn number(value: &Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| "must be a number".to_owned())
}

fn interval(value: &Value, longest: Duration) -> Result<Duration, String> {
    let reason = || {
        format!(
            "must be seconds as a number, or a text like \"15s\", from 1ms to {}",
            humantime::format_duration(longest)
        )
    };
    let duration = match value {
        Value::Number(_) => value
            .as_f64()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        Value::String(text) => match text.parse::<u64>() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => humantime::parse_duration(text).ok(),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    // Whole microseconds: what is kept must read back as it was answered.
    duration
        .filter(|duration| (SHORTEST_INTERVAL..=longest).contains(duration))
        .map(|duration| Duration::new(duration.as_secs(), duration.subsec_micros() * 1_000))
        .ok_or_else(reason)
}

#[cfg(test)]
mod tests;
