//! The rules for fields. A reason is read after the name of its field, and repeats nothing of the
//! value, which may hold a password.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::limits::{
    MAX_SAFE_INTEGER, SERVER_ID_LENGTH, URL_LENGTH, check_text, describe_range, whole_number,
};
use super::reading::{Json, Refused, Rule, Taken};
use super::schema;
use crate::domain::digest::StreamsDigest;
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId};
use crate::domain::masked_url::is_masked;
use crate::domain::stream_url::StreamUrl;

const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// A rule for plain values. The schema is made only when it is asked for.
pub(super) struct Plain<S, F> {
    schema: S,
    judge: F,
}

impl<T, S: Fn() -> Value, F: Fn(Json<'_>) -> Result<T, String>> Rule for Plain<S, F> {
    type Value = T;

    fn schema(&self) -> Value {
        (self.schema)()
    }

    fn plain(&self, json: Json<'_>) -> Taken<T> {
        (self.judge)(json).map_err(Refused::because)
    }
}

fn plain<T, S: Fn() -> Value, F: Fn(Json<'_>) -> Result<T, String>>(
    schema: S,
    judge: F,
) -> Plain<S, F> {
    Plain { schema, judge }
}

/// Accepts a text of so many characters.
pub(super) fn text<T: for<'a> From<&'a str>>(
    length: RangeInclusive<usize>,
) -> impl Rule<Value = T> {
    let shown = length.clone();
    plain(
        move || schema::text(&shown),
        move |json| checked(json, &length).map(T::from),
    )
}

fn checked<'a>(json: Json<'a>, length: &RangeInclusive<usize>) -> Result<&'a str, String> {
    let Json::Text(text) = json else {
        return Err("must be text".to_owned());
    };
    check_text(text, length).map(|()| text)
}

/// Accepts the URL of a stream, and refuses one that an answer has masked.
pub(super) fn stream_url() -> impl Rule<Value = StreamUrl> {
    plain(
        || schema::text(&URL_LENGTH),
        |json| {
            let url = checked(json, &URL_LENGTH)?;
            if is_masked(url) {
                return Err(
                "is masked, and would replace the whole URL; GET /streams?urls=full shows whole URLs"
                    .to_owned(),
            );
            }
            Ok(StreamUrl::from(url))
        },
    )
}

/// Accepts `true` or `false`.
pub(super) fn flag() -> impl Rule<Value = bool> {
    plain(
        || json!({"type": "boolean"}),
        |json| match json {
            Json::Bool(flag) => Ok(flag),
            _ => Err("must be true or false".to_owned()),
        },
    )
}

/// Accepts one of several words.
pub(super) fn word<T: Copy + 'static>(
    all: &'static [T],
    word: impl Fn(T) -> &'static str + Copy,
) -> impl Rule<Value = T> {
    plain(
        move || schema::words(all.iter().map(|one| word(*one))),
        move |json| {
            let text = if let Json::Text(text) = json {
                text
            } else {
                ""
            };
            find_word(text, all, word)
        },
    )
}

/// The word that a text is.
pub(super) fn find_word<T: Copy>(
    text: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let same = |one: &T| word(*one) == text;
    all.iter().copied().find(same).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
        format!("must be one of {}", words.join(", "))
    })
}

/// A text that `parse` understands, or the reason.
pub(super) fn parsed<T>(
    schema: impl Fn() -> Value,
    parse: impl Fn(&str) -> Result<T, String>,
) -> impl Rule<Value = T> {
    plain(schema, move |json| match json {
        Json::Text(text) => parse(text),
        _ => Err("must be text".to_owned()),
    })
}

/// Accepts a text that `parse` knows; otherwise `parse` returns the reason.
pub(super) fn order<T>(
    words: &'static [&'static str],
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> impl Rule<Value = T> {
    let shown = || schema::words(words.iter().copied());
    plain(shown, move |json| Ok(parse(checked(json, &(1..=64))?)?))
}

/// Accepts seconds as a number, or a text like `15s`, from a millisecond up to `longest`.
pub(super) fn interval(longest: Duration) -> impl Rule<Value = Duration> {
    plain(
        move || schema::interval(longest),
        move |json| {
            let duration = match json {
                Json::Integer(seconds) => u64::try_from(seconds).ok().map(Duration::from_secs),
                Json::Float(seconds) => Duration::try_from_secs_f64(seconds).ok(),
                Json::Text(text) => match text.parse() {
                    Ok(seconds) => Some(Duration::from_secs(seconds)),
                    Err(_) => humantime::parse_duration(text).ok(),
                },
                Json::Null | Json::Bool(_) | Json::List | Json::Object => None,
            };
            duration
            .filter(|duration| (SHORTEST_INTERVAL..=longest).contains(duration))
            // Whole microseconds: a saved value must read back as it was answered.
            .map(|duration| Duration::new(duration.as_secs(), duration.subsec_micros() * 1_000))
            .ok_or_else(|| {
                format!(
                    "must be seconds as a number, or a text like \"15s\", from 1ms to {}",
                    humantime::format_duration(longest)
                )
            })
        },
    )
}

/// Accepts the name of an instance.
pub(super) fn server_id() -> impl Rule<Value = InstanceId> {
    plain(schema::server_id, |json| {
        checked(json, &SERVER_ID_LENGTH).map(InstanceId::new)
    })
}

/// Accepts the name of an instance, or an empty text.
pub(super) fn server_id_or_none() -> impl Rule<Value = InstanceId> {
    let length = 0..=*SERVER_ID_LENGTH.end();
    let shown = length.clone();
    plain(
        move || schema::text(&shown),
        move |json| checked(json, &length).map(InstanceId::new),
    )
}

/// An integer within a range, made into something.
pub(super) fn integer<T>(
    range: RangeInclusive<i64>,
    make: impl Fn(i64) -> T,
) -> impl Rule<Value = T> {
    let shown = range.clone();
    plain(
        move || schema::integer(&shown),
        move |json| whole(json, &range).map(&make),
    )
}

fn whole(json: Json<'_>, range: &RangeInclusive<i64>) -> Result<i64, String> {
    let (integer, fraction) = match json {
        Json::Integer(integer) => (Some(integer), 0.0),
        Json::Float(number) => (whole_number(number), number.fract()),
        Json::Null | Json::Bool(_) | Json::Text(_) | Json::List | Json::Object => {
            return Err("must be an integer".to_owned());
        }
    };
    match integer {
        Some(integer) if range.contains(&integer) => Ok(integer),
        None if fraction != 0.0 => Err(format!(
            "must be an integer, and be {}",
            describe_range(range)
        )),
        Some(_) | None => Err(format!("must be {}", describe_range(range))),
    }
}

/// Accepts a number, whole or not.
pub(super) fn number() -> impl Rule<Value = f64> {
    plain(
        || json!({"type": "number"}),
        |json| match json {
            Json::Integer(integer) => Ok(integer as f64),
            Json::Float(number) => Ok(number),
            Json::Null | Json::Bool(_) | Json::Text(_) | Json::List | Json::Object => {
                Err("must be a number".to_owned())
            }
        },
    )
}

/// Accepts the incarnation that a worker believes to be current.
pub(super) fn incarnation() -> impl Rule<Value = Incarnation> {
    integer(0..=MAX_SAFE_INTEGER, Incarnation::new)
}

/// Accepts the last assignment version a worker has.
pub(super) fn assignment_version() -> impl Rule<Value = AssignmentVersion> {
    integer(0..=MAX_SAFE_INTEGER, AssignmentVersion::new)
}

/// Accepts the digest of a set of streams.
pub(super) fn digest() -> impl Rule<Value = StreamsDigest> {
    let shown = || json!({"type": "string", "pattern": "^[0-9a-f]{16}$"});
    plain(shown, |json| {
        let digest = match json {
            Json::Text(text) => StreamsDigest::from_hex(text),
            _ => None,
        };
        digest.ok_or_else(|| "must be a text of 16 lower-case hexadecimal digits".to_owned())
    })
}
