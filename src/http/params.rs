//! Reads what stands in the path and in the query of a request, by the same rules as a body.

use std::ops::RangeInclusive;
use std::time::Duration;

use actix_web::{FromRequest, HttpRequest, web};

use super::fields::{MAX_SAFE_INTEGER, SERVER_ID_LENGTH, check_text, describe_range};
use super::problem::{FieldError, Problem};
use crate::domain::breaker::BreakerName;
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::time::WallTime;

/// How many items a page has at the most.
pub(super) const MAX_PAGE: usize = 10_000;

/// How many items a page has at the most that is read from the database.
const MAX_STORED_PAGE: u32 = 1_000;

/// The `server_id` in the path. It is percent-decoded once, so that `%2F` is a slash of the id
/// and `%25` a percent sign.
///
/// # Errors
/// 422 if no instance could ever have that name.
pub(super) fn server_id(request: &HttpRequest) -> Result<InstanceId, Problem> {
    let id = segment(request, "server_id")?;
    check_text(&id, &SERVER_ID_LENGTH)
        .map_err(|reason| Problem::invalid_field("server_id", reason))?;
    Ok(InstanceId::new(id))
}

/// The stream id in the path.
///
/// # Errors
/// 422 if it is not a stream id.
pub(super) fn stream_id(request: &HttpRequest) -> Result<StreamId, Problem> {
    number(request, "id").map(StreamId::new)
}

/// The name of a breaker in the path.
///
/// # Errors
/// 422 if no breaker could ever have that name.
pub(super) fn breaker(request: &HttpRequest) -> Result<BreakerName, Problem> {
    let name = segment(request, "name")?;
    check_text(&name, &SERVER_ID_LENGTH)
        .map_err(|reason| Problem::invalid_field("name", reason))?;
    Ok(BreakerName::new(name))
}

/// The number in the path; `name` is what it is called in a refusal.
///
/// # Errors
/// 422 if it is no number that anything could be known by.
pub(super) fn number(request: &HttpRequest, name: &str) -> Result<i64, Problem> {
    let text = segment(request, name)?;
    parse_integer(&text, 1, MAX_SAFE_INTEGER).map_err(|reason| Problem::invalid_field(name, reason))
}

fn segment(request: &HttpRequest, name: &str) -> Result<String, Problem> {
    let unreadable = || Problem::invalid_field(name, "must be percent-encoded UTF-8");
    // The router replaces what is not UTF-8; an id that merely looks the same is another one.
    let replaced = char::REPLACEMENT_CHARACTER;
    let path = web::Path::<String>::extract(request)
        .into_inner()
        .map_err(|_| unreadable())?
        .into_inner();
    if path.contains(replaced)
        && !request
            .uri()
            .path()
            .to_ascii_uppercase()
            .contains("%EF%BF%BD")
    {
        return Err(unreadable());
    }
    Ok(path)
}

pub(super) fn parse_integer(text: &str, least: i64, most: i64) -> Result<i64, String> {
    let range = least..=most;
    text.parse::<i64>()
        .ok()
        .filter(|number| range.contains(number) && !text.starts_with('+'))
        .ok_or_else(|| format!("must be an integer {}", describe_range(&range)))
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

/// The parameters of a query; unknown ones are ignored, of a repeated one the last counts.
#[derive(Debug)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Query {
    /// The query of a request; nothing in it can fail to be read.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map(web::Query::into_inner)
            .unwrap_or_default();
        Self {
            pairs,
            errors: Vec::new(),
        }
    }

    /// A parameter read by `parse`, whose error is the reason. Empty is the same as absent.
    pub(super) fn get<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (_, value) = self
            .pairs
            .iter()
            .rev()
            .find(|(key, value)| key == name && !value.is_empty())?;
        match parse(value) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.errors.push(FieldError {
                    field: name.to_owned(),
                    reason,
                });
                None
            }
        }
    }

    /// How many items a page is to have.
    pub(super) fn limit(&mut self) -> Option<usize> {
        self.get("limit", |text| {
            parse_integer(text, 1, MAX_PAGE as i64)
                .map(|limit| usize::try_from(limit).unwrap_or(MAX_PAGE))
        })
    }

    /// How many items a page is to have that is read from the database.
    pub(super) fn short_limit(&mut self) -> Option<u32> {
        self.get("limit", |text| {
            parse_integer(text, 1, i64::from(MAX_STORED_PAGE))
                .map(|limit| u32::try_from(limit).unwrap_or(MAX_STORED_PAGE))
        })
    }

    /// The number a page follows; 0 stands before the first.
    pub(super) fn after_number(&mut self) -> Option<i64> {
        self.get("after", |text| parse_integer(text, 0, MAX_SAFE_INTEGER))
    }

    /// A number within bounds, both included.
    pub(super) fn number(&mut self, name: &str, least: i64, most: i64) -> Option<i64> {
        self.get(name, |text| parse_integer(text, least, most))
    }

    /// The stream a page follows; 0 stands before the first.
    pub(super) fn after_stream(&mut self) -> Option<StreamId> {
        self.after_number().map(StreamId::new)
    }

    /// The instance a page follows.
    pub(super) fn after_instance(&mut self) -> Option<InstanceId> {
        self.instance("after")
    }

    /// An instance, registered or not.
    pub(super) fn instance(&mut self, name: &str) -> Option<InstanceId> {
        self.get(name, |text| {
            check_text(text, &SERVER_ID_LENGTH)?;
            Ok(InstanceId::new(text))
        })
    }

    /// A text, which is refused if it is given and empty.
    pub(super) fn text(&mut self, name: &str, length: &RangeInclusive<usize>) -> Option<String> {
        let (_, text) = self.pairs.iter().rev().find(|(key, _)| key == name)?;
        match check_text(text, length) {
            Ok(()) => Some(text.clone()),
            Err(reason) => {
                self.refuse(name, &reason);
                None
            }
        }
    }

    /// A moment.
    pub(super) fn time(&mut self, name: &str) -> Option<WallTime> {
        self.get(name, parse_time)
    }

    /// A parameter that must be there; the stand-in is never used if it is not.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        stand_in: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let is_given = |(key, value): &(String, String)| key == name && !value.is_empty();
        if !self.pairs.iter().any(is_given) {
            self.refuse(name, "is missing");
        }
        self.get(name, parse).unwrap_or(stand_in)
    }

    /// How long to wait: seconds, or a text like `30s`; no longer than `most`.
    pub(super) fn wait(&mut self, name: &str, most: Duration) -> Option<Duration> {
        self.get(name, |text| {
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

    /// Notes that parameters do not fit together.
    pub(super) fn refuse(&mut self, name: &str, reason: &str) {
        self.errors.push(FieldError {
            field: name.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with every parameter that was refused.
    pub(super) fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let total = self.errors.len();
        Err(Problem::invalid(self.errors, total))
    }
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
    fn a_wait_is_seconds_or_text_and_has_a_longest() {
        let most = Duration::from_secs(60);
        let read = |text: &str| {
            let mut query = Query {
                pairs: vec![("wait".to_owned(), text.to_owned())],
                errors: Vec::new(),
            };
            let wait = query.wait("wait", most);
            (wait, query.errors.len())
        };
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
            assert_eq!(read(text), (wait, 0), "{text}");
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
            assert_eq!(read(text), (None, 1), "{text}");
        }
        assert_eq!(read(""), (None, 0), "absent");
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
}
