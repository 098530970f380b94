//! Reads what stands in the path and in the query of a request, by the same rules as a body.

mod query;

use actix_web::{FromRequest, HttpRequest, web};

use super::problem::Problem;
use super::requests::{
    MAX_SAFE_INTEGER, SERVER_ID_LENGTH, check_text, describe_range, integer, read_json,
};
use crate::domain::breaker::BreakerName;
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::time::WallTime;

pub(super) use query::{Query, refuse_any};

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

/// An integer of a path, where a thing has one name only: `3.0` is not another name of `3`.
fn parse_integer(text: &str, least: i64, most: i64) -> Result<i64, String> {
    let range = least..=most;
    text.parse::<i64>()
        .ok()
        .filter(|number| range.contains(number) && !text.starts_with('+'))
        .ok_or_else(|| format!("must be an integer {}", describe_range(&range)))
}

/// An integer of a query, by the rules of a body: `3.0` is one.
pub(super) fn parse_number(text: &str, least: i64, most: i64) -> Result<i64, String> {
    parse_integer(text, least, most).or_else(|reason| {
        // JSON may have blanks around it.
        if text.contains(|letter: char| !letter.is_ascii_graphic()) {
            return Err(reason);
        }
        let rule = integer(least..=most, |number| number);
        let read = read_json(text.as_bytes(), &rule);
        read.ok().and_then(Result::ok).ok_or(reason)
    })
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
}
