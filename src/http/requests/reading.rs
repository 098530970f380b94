//! Reads a typed request straight from the bytes, without a tree of values in between.
//!
//! A refusal of a field is a value, not an error of serde: reading goes on to the end of the body, so
//! that every bad field is named and every mistake in the JSON is found. Errors of serde are mistakes
//! in the JSON only.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::domain::ids::{AssignmentVersion, Epoch, InstanceId, StreamId};
use crate::http::problem::{FieldError, MAX_NAMED_FIELDS, Problem};

/// The refusals of a request, or of a part of it. Names are relative to that part.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Refused {
    named: Vec<FieldError>,
    total: usize,
}

impl Refused {
    /// Refuses the part itself.
    pub(super) fn because(reason: impl Into<String>) -> Self {
        let mut refused = Self::default();
        refused.note(String::new(), reason);
        refused
    }

    /// Notes that a field is bad.
    pub(super) fn note(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.total += 1;
        if self.named.len() < MAX_NAMED_FIELDS {
            self.named.push(FieldError {
                field: field.into(),
                reason: reason.into(),
            });
        }
    }

    /// Adds the refusals of a part, whose place is `prefix`.
    pub(super) fn add(&mut self, prefix: &str, part: Self) {
        self.total += part.total;
        let room = MAX_NAMED_FIELDS.saturating_sub(self.named.len());
        let named = part.named.into_iter().take(room).map(|error| FieldError {
            field: format!("{prefix}{}", error.field),
            ..error
        });
        self.named.extend(named);
    }

    /// Returns the value, unless anything was refused.
    pub(super) fn or<T>(self, value: T) -> Taken<T> {
        if self.total == 0 {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::invalid(refused.named, refused.total)
    }
}

/// The result of a rule: a value, or the refusals.
pub(in crate::http) type Taken<T> = Result<T, Refused>;

/// The content of a field: nothing (absent or `null`), or the result of its rule.
pub(super) type Slot<T> = Option<Taken<T>>;

/// A JSON value, as far as a rule for plain values reads it.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) enum Json<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
    List,
    Object,
}

/// The rule for a value.
pub(in crate::http) trait Rule {
    /// The type of an accepted value.
    type Value;

    /// Describes the accepted values as JSON Schema.
    fn schema(&self) -> Value;

    /// Judges a plain value; a list or an object is judged only as such.
    fn plain(&self, json: Json<'_>) -> Taken<Self::Value>;

    /// Judges a list.
    fn list<'de, A: SeqAccess<'de>>(&self, mut list: A) -> Result<Taken<Self::Value>, A::Error> {
        skip_list(&mut list)?;
        Ok(self.plain(Json::List))
    }

    /// Judges an object.
    fn object<'de, A: MapAccess<'de>>(
        &self,
        mut object: A,
    ) -> Result<Taken<Self::Value>, A::Error> {
        skip_object(&mut object)?;
        Ok(self.plain(Json::Object))
    }
}

/// Reads JSON that is one value.
///
/// # Errors
/// Returns the fault in the JSON, with line and column, and nothing of its content.
pub(in crate::http) fn read_json<R: Rule>(
    bytes: &[u8],
    rule: &R,
) -> Result<Taken<R::Value>, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = Reader(rule).deserialize(&mut json)?;
    json.end()?;
    Ok(read.unwrap_or_else(|| rule.plain(Json::Null)))
}

/// Reads one value by a rule.
pub(super) struct Reader<'r, R>(pub(super) &'r R);

impl<'de, R: Rule> DeserializeSeed<'de> for Reader<'_, R> {
    type Value = Slot<R::Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, R: Rule> Visitor<'de> for Reader<'_, R> {
    type Value = Slot<R::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(self.0.plain(Json::Bool(value))))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(self.0.plain(Json::Integer(value))))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        let json = i64::try_from(value).map_or(Json::Float(value as f64), Json::Integer);
        Ok(Some(self.0.plain(json)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(self.0.plain(Json::Float(value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(self.0.plain(Json::Text(value))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        self.0.list(list).map(Some)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        self.0.object(object).map(Some)
    }
}

/// A value that is skipped. serde's own `IgnoredAny` accepts text that is not UTF-8 and numbers out
/// of range, so the same body would be JSON or not depending on the names of its fields.
pub(super) struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Skipped {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        skip_list(&mut list)?;
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self, A::Error> {
        skip_object(&mut object)?;
        Ok(self)
    }
}

/// Reads a list to its end.
pub(super) fn skip_list<'de, A: SeqAccess<'de>>(list: &mut A) -> Result<(), A::Error> {
    while list.next_element::<Skipped>()?.is_some() {}
    Ok(())
}

/// Reads an object to its end.
pub(super) fn skip_object<'de, A: MapAccess<'de>>(object: &mut A) -> Result<(), A::Error> {
    while object.next_entry::<Skipped, Skipped>()?.is_some() {}
    Ok(())
}

/// The name of a field, looked up without a copy of it.
pub(super) struct Key<F>(pub(super) F);

impl<'de, N, F: FnOnce(&str) -> N> DeserializeSeed<'de> for Key<F> {
    type Value = N;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<N, D::Error> {
        json.deserialize_str(self)
    }
}

impl<N, F: FnOnce(&str) -> N> Visitor<'_> for Key<F> {
    type Value = N;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<N, E> {
        Ok((self.0)(name))
    }
}

/// A field of a request, as the description of the API shows it.
#[derive(Debug)]
pub(in crate::http) struct DescribedField {
    pub(in crate::http) name: &'static str,
    pub(in crate::http) about: String,
    pub(in crate::http) is_required: bool,
    pub(in crate::http) schema: Value,
}

/// An object with fields of its own, made by `request!`.
pub(in crate::http) trait Record: Sized {
    /// The fields as they were read.
    type Draft: Default;

    /// What its fields are called.
    const FIELDS: &'static [&'static str];

    /// The comment of the request.
    const ABOUT: &'static [&'static str];

    /// Describes its fields.
    fn described() -> Vec<DescribedField>;

    /// Reads an object. Unknown fields are skipped; of a repeated field the last counts.
    fn read<'de, A: MapAccess<'de>>(object: A) -> Result<Self::Draft, A::Error>;

    /// Returns the request if nothing was refused, else every refusal, in the order of the fields.
    fn settle(draft: Self::Draft) -> Taken<Self>;
}

/// Decides by the type of a field whether it may be absent.
pub(super) trait Field: Sized {
    /// The type that its rule produces.
    type Inner;

    /// Whether it must be there.
    const IS_REQUIRED: bool;

    /// Returns the field; `None` if it was refused.
    fn settle(slot: Slot<Self::Inner>, name: &str, refused: &mut Refused) -> Option<Self>;
}

impl<T> Field for Option<T> {
    type Inner = T;

    const IS_REQUIRED: bool = false;

    fn settle(slot: Slot<T>, name: &str, refused: &mut Refused) -> Option<Self> {
        match slot.transpose() {
            Ok(value) => Some(value),
            Err(part) => {
                refused.add(name, part);
                None
            }
        }
    }
}

impl<T> Field for Vec<T> {
    type Inner = Self;

    const IS_REQUIRED: bool = true;

    fn settle(slot: Slot<Self>, name: &str, refused: &mut Refused) -> Option<Self> {
        required(slot, name, refused)
    }
}

/// Declares types of fields that must be there.
macro_rules! required {
    ($($type:ty),*) => {
        $(impl $crate::http::requests::reading::Field for $type {
            type Inner = Self;

            const IS_REQUIRED: bool = true;

            fn settle(
                slot: $crate::http::requests::reading::Slot<Self>,
                name: &str,
                refused: &mut $crate::http::requests::reading::Refused,
            ) -> Option<Self> {
                $crate::http::requests::reading::required(slot, name, refused)
            }
        })*
    };
}
pub(super) use required as required_types;
required!(
    i64,
    u16,
    String,
    InstanceId,
    StreamId,
    Epoch,
    AssignmentVersion
);

/// Settles a field that must be there.
pub(super) fn required<T>(slot: Slot<T>, name: &str, refused: &mut Refused) -> Option<T> {
    let slot = slot.unwrap_or_else(|| Err(Refused::because("is missing")));
    slot.map_err(|part| refused.add(name, part)).ok()
}
