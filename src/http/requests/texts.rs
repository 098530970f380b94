//! Rules for what stands in the address of a request, where every value is a text.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::SeqAccess;
use serde_json::{Value, json};

use super::limits::{MAX_SAFE_INTEGER, check_text, describe_range};
use super::reading::{Json, Refused, Rule, Taken, read_json, skip_list};
use super::rules::{find_word, integer, interval, parsed};
use super::schema;
use crate::domain::time::WallTime;

/// How many items a page has at the most.
const MAX_PAGE: usize = 10_000;

/// How many items a page has at the most that is read from the database.
const MAX_STORED_PAGE: u32 = 1_000;

/// How many labels a list is narrowed by at the most.
const MAX_LABELS: usize = 16;

/// How long a label may be as `key:value`, in characters: no label is longer.
const LABEL_LENGTH: RangeInclusive<usize> = 1..=641;

/// An integer of a path, where a thing has one name only: `3.0` is not another name of `3`.
pub(in crate::http) fn parse_integer(
    text: &str,
    range: &RangeInclusive<i64>,
) -> Result<i64, String> {
    text.parse::<i64>()
        .ok()
        .filter(|number| range.contains(number) && !text.starts_with('+'))
        .ok_or_else(|| format!("must be an integer {}", describe_range(range)))
}

/// An integer within a range, made into something. `3.0` is one, as in a body.
pub(super) fn digits<T>(
    range: RangeInclusive<i64>,
    make: impl Fn(i64) -> T,
) -> impl Rule<Value = T> {
    let shown = range.clone();
    parsed(
        move || schema::integer(&shown),
        move |text| {
            let number = parse_integer(text, &range).or_else(|reason| {
                // JSON may have blanks around it.
                if text.contains(|letter: char| !letter.is_ascii_graphic()) {
                    return Err(reason);
                }
                let read = read_json(text.as_bytes(), &integer(range.clone(), |number| number));
                read.ok().and_then(Result::ok).ok_or(reason)
            });
            number.map(&make)
        },
    )
}

/// The number by which something is known; 0 stands before the first.
pub(super) fn position<T>(make: impl Fn(i64) -> T) -> impl Rule<Value = T> {
    digits(0..=MAX_SAFE_INTEGER, make)
}

/// How many items a page is to have.
pub(super) fn page_limit() -> impl Rule<Value = usize> {
    digits(1..=MAX_PAGE as i64, |limit| {
        usize::try_from(limit).unwrap_or(MAX_PAGE)
    })
}

/// How many items a page is to have that is read from the database.
pub(super) fn stored_page_limit() -> impl Rule<Value = u32> {
    digits(1..=i64::from(MAX_STORED_PAGE), |limit| {
        u32::try_from(limit).unwrap_or(MAX_STORED_PAGE)
    })
}

/// `true` or `false`.
pub(super) fn truth() -> impl Rule<Value = bool> {
    parsed(
        || json!({"type": "boolean"}),
        |word| match word {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        },
    )
}

/// `true` or `false`; a name without a value means `true`.
pub(super) fn switch() -> impl Rule<Value = bool> {
    parsed(
        || json!({"type": "boolean"}),
        |word| match word {
            "true" | "" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        },
    )
}

/// A moment.
pub(super) fn time() -> impl Rule<Value = WallTime> {
    parsed(schema::moment, parse_time)
}

/// A moment of the past, as a time or as a duration up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Past {
    At(WallTime),
    Ago(Duration),
}

/// Accepts an RFC 3339 time, or how long ago it was, such as `2h`.
pub(super) fn past() -> impl Rule<Value = Past> {
    let shown = || json!({"anyOf": [schema::moment(), schema::duration_text()]});
    parsed(shown, |text| {
        let at = parse_time(text).map(Past::At);
        at.or_else(|_| humantime::parse_duration(text).map(Past::Ago))
            .map_err(|_| {
                "must be an RFC 3339 time such as 2026-01-31T08:00:00Z, or how long ago, such as 2h"
                    .to_owned()
            })
    })
}

/// The longest time from now to a moment that is given as a duration.
const LONGEST_SPAN: Duration = Duration::from_secs(366 * 86_400);

/// A moment, as a time or as a duration from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum When {
    At(WallTime),
    In(Duration),
}

/// Accepts an RFC 3339 time, or a duration: seconds, or a text like `30m`.
pub(super) struct Moment {
    /// The longest time from now.
    longest: Duration,
}

/// Accepts a moment; one that is given as a duration is at most a year away.
pub(super) fn moment() -> Moment {
    moment_within(LONGEST_SPAN)
}

/// Accepts a moment; one that is given as a duration is at most so far away.
pub(super) fn moment_within(longest: Duration) -> Moment {
    Moment { longest }
}

impl Rule for Moment {
    type Value = When;

    fn schema(&self) -> Value {
        let mut schema = schema::interval(self.longest);
        if let Some(forms) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
            forms.push(schema::moment());
        }
        schema
    }

    fn plain(&self, json: Json<'_>) -> Taken<When> {
        if let Json::Text(text) = json
            && let Ok(at) = parse_time(text)
        {
            return Ok(When::At(at));
        }
        let span = interval(self.longest).plain(json);
        span.map(When::In).map_err(|_| {
            Refused::because(
                "must be an RFC 3339 time such as 2026-01-31T08:00:00Z, or a duration: seconds as a \
                 number, or a text like \"30m\"",
            )
        })
    }
}

/// How long to wait: seconds, or a text like `30s`. A longer wait than `most` is cut to it.
pub(super) fn wait(most: Duration) -> impl Rule<Value = Duration> {
    let shown = || {
        let seconds = json!({"type": "number", "minimum": 0});
        json!({"anyOf": [seconds, schema::duration_text()]})
    };
    parsed(shown, move |text| {
        let read = match text.parse::<f64>() {
            // So many seconds that they do not fit are still only too many.
            Ok(seconds) if seconds.is_finite() => {
                Duration::try_from_secs_f64(seconds.min(most.as_secs_f64())).ok()
            }
            Ok(_) => None,
            Err(_) => humantime::parse_duration(text).ok(),
        };
        read.map(|wait| wait.min(most)).ok_or_else(|| {
            "must be seconds as a number, or a text like 30s, and not negative".to_owned()
        })
    })
}

/// Some words between commas, each once.
pub(super) fn words<T: Copy + PartialEq + 'static>(
    all: &'static [T],
    word: impl Fn(T) -> &'static str + Copy,
) -> impl Rule<Value = Vec<T>> {
    let shown = move || {
        let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
        let words = words.join("|");
        json!({"type": "string", "pattern": format!("^({words})(,({words}))*$")})
    };
    parsed(shown, move |text| {
        let mut found = Vec::new();
        for part in text.split(',') {
            let one = find_word(part.trim(), all, word)?;
            if !found.contains(&one) {
                found.push(one);
            }
        }
        Ok(found)
    })
}

/// Labels, each `key:value`, either of which may hold colons.
pub(super) struct LabelFilters;

impl Rule for LabelFilters {
    type Value = Vec<String>;

    fn schema(&self) -> Value {
        json!({"type": "array", "items": schema::label(&LABEL_LENGTH), "maxItems": MAX_LABELS})
    }

    fn plain(&self, _: Json<'_>) -> Taken<Self::Value> {
        Err(Refused::because("must be a list of labels"))
    }

    fn list<'de, A: SeqAccess<'de>>(&self, mut list: A) -> Result<Taken<Self::Value>, A::Error> {
        let (mut labels, mut refused) = (Vec::new(), Refused::default());
        let mut given = 0;
        while let Some(label) = list.next_element::<String>()? {
            given += 1;
            match check_label(&label) {
                Ok(()) => labels.push(label),
                Err(reason) => refused.note("", reason),
            }
            if given > MAX_LABELS {
                skip_list(&mut list)?;
                break;
            }
        }
        if labels.len() > MAX_LABELS {
            refused.note("", format!("must be given at most {MAX_LABELS} times"));
        }
        Ok(refused.or(labels))
    }
}

/// Accepts one label as `key:value`.
pub(super) fn label() -> impl Rule<Value = String> {
    let shown = || schema::label(&LABEL_LENGTH);
    parsed(shown, |text| check_label(text).map(|()| text.to_owned()))
}

/// Checks whether a text is a label as `key:value`.
///
/// # Errors
/// Returns the reason, to be read after the name of the field.
fn check_label(text: &str) -> Result<(), String> {
    check_text(text, &LABEL_LENGTH)?;
    if text.contains(':') {
        Ok(())
    } else {
        Err("must be KEY:VALUE, such as zone:north".to_owned())
    }
}

/// An RFC 3339 time. In a query a bare `+` means a space, so a space counts as the plus sign of an
/// offset.
fn parse_time(text: &str) -> Result<WallTime, String> {
    let refused = || "must be an RFC 3339 time such as 2026-01-31T08:00:00Z".to_owned();
    let text = text.to_ascii_uppercase().replace(' ', "+");
    let (local, ahead) = split_offset(&text).ok_or_else(refused)?;
    if !local.ends_with(|last: char| last.is_ascii_digit()) {
        return Err(refused());
    }
    let time = humantime::parse_rfc3339(&format!("{local}Z")).map_err(|_| refused())?;
    let since_epoch = time
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(|_| refused())?;
    let micros = i64::try_from(since_epoch.as_micros()).map_err(|_| refused())?;
    Ok(WallTime::from_micros(micros - ahead * 1_000_000))
}

/// The date and time of day, and by how many seconds they are ahead of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, 0));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let sign = match offset.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let part = |digits: &str, end: i64| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = digits.parse().ok()?;
        (is_number && number < end).then_some(number)
    };
    Some((
        local,
        sign * (part(hours, 24)? * 3_600 + part(minutes, 60)? * 60),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_any_offset() {
        const NEW_YEAR: i64 = 1_767_225_600_000_000;
        for (text, micros) in [
            ("2026-01-01T00:00:00Z", NEW_YEAR),
            ("2026-01-01t00:00:00z", NEW_YEAR),
            ("2026-01-01T00:00:00.000001Z", NEW_YEAR + 1),
            ("2026-01-01T02:00:00+02:00", NEW_YEAR),
            ("2026-01-01T02:00:00 02:00", NEW_YEAR),
            ("2025-12-31T18:30:00-05:30", NEW_YEAR),
            ("1970-01-01T00:00:00+01:00", -3_600_000_000),
        ] {
            assert_eq!(
                parse_time(text),
                Ok(WallTime::from_micros(micros)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "now",
            "1767225600",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-02-30T00:00:00Z",
            "2026-01-01T25:00:00Z",
            "2026-01-01T00:00:00+2:00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+00:60",
            "2026-01-01T00:00:00+-1:00",
            "2026-01-01T00:00:00ZZ",
            "1969-12-31T00:00:00Z",
            "\u{e9}\u{e9}\u{e9}\u{e9}",
            "Z",
            "",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wait_is_seconds_or_text_and_has_a_longest() {
        let rule = wait(Duration::from_secs(60));
        let read = |text: &str| rule.plain(Json::Text(text)).ok();
        for (text, millis) in [
            ("0", 0),
            ("30", 30_000),
            ("0.25", 250),
            ("30s", 30_000),
            ("1500ms", 1_500),
            ("1m", 60_000),
            ("60.001", 60_000),
            ("1h", 60_000),
            ("1e300", 60_000),
        ] {
            let wait = Some(Duration::from_millis(millis));
            assert_eq!(read(text), wait, "{text}");
        }
        for text in [
            "-1",
            "-0.1s",
            "-5s",
            "soon",
            "30 parsecs",
            "NaN",
            "inf",
            "30,5",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
