//! Numbers and times that stand in the address of a request.

use crate::domain::time::WallTime;
use crate::http::requests::{describe_range, integer, read_json};

/// An integer of a path, where a thing has one name only: `3.0` is not another name of `3`.
pub(super) fn parse_integer(text: &str, least: i64, most: i64) -> Result<i64, String> {
    let range = least..=most;
    text.parse::<i64>()
        .ok()
        .filter(|number| range.contains(number) && !text.starts_with('+'))
        .ok_or_else(|| format!("must be an integer {}", describe_range(&range)))
}

/// An integer of a query, by the rules of a body: `3.0` is one.
pub(in crate::http) fn parse_number(text: &str, least: i64, most: i64) -> Result<i64, String> {
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
pub(super) fn parse_time(text: &str) -> Result<WallTime, String> {
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
