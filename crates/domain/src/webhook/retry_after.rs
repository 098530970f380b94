//! The header `Retry-After`: seconds, or a moment.

use std::time::Duration;

use crate::time::WallTime;

/// The longest wait that a receiver may ask for: a wrong date must not silence a target for a year.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Returns how long a receiver asks to be left alone, at most an hour; `None` if the header says nothing that can be
/// read.
pub fn retry_after(header: &str, now: WallTime) -> Option<Duration> {
    let header = header.trim();
    let wait = if header.bytes().all(|byte| byte.is_ascii_digit()) && !header.is_empty() {
        header.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        moment(header)?.since(now)
    };
    Some(wait.min(LONGEST))
}

/// Reads a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn moment(text: &str) -> Option<WallTime> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut parts = text.split_once(", ")?.1.split(' ');
    let day: i64 = number(parts.next()?, 1..=31)?;
    let month = parts.next()?;
    let month = i64::try_from(MONTHS.iter().position(|known| *known == month)?).ok()? + 1;
    let year: i64 = number(parts.next()?, 1970..=9999)?;
    let mut time = parts.next()?.split(':');
    let hour = number(time.next()?, 0..=23)?;
    let minute = number(time.next()?, 0..=59)?;
    let second = number(time.next()?, 0..=60)?;
    if parts.next() != Some("GMT") || time.next().is_some() {
        return None;
    }
    // Years begin in March here, so that the day that leap years add is the last one.
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(WallTime::from_micros(seconds * 1_000_000))
}

fn number(text: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    text.parse().ok().filter(|number| range.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_up_to_an_hour() {
        let now = moment("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(now.to_string(), "1994-11-06T08:49:37.000000Z");
        assert_eq!(
            moment("Thu, 29 Feb 2024 23:59:59 GMT").unwrap().to_string(),
            "2024-02-29T23:59:59.000000Z"
        );
        let seconds = Duration::from_secs;
        for (header, wait) in [
            ("0", Some(seconds(0))),
            (" 120 ", Some(seconds(120))),
            ("99999", Some(seconds(3_600))),
            ("99999999999999999999999", Some(seconds(3_600))),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(seconds(30))),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(seconds(0))),
            ("Sun, 06 Nov 2094 08:00:00 GMT", Some(seconds(3_600))),
            ("soon", None),
            ("", None),
            ("-5", None),
            ("Sun, 06 Foo 1994 08:50:07 GMT", None),
            ("Sun, 06 Nov 1994 08:50:07 CET", None),
        ] {
            assert_eq!(retry_after(header, now), wait, "{header}");
        }
    }
}
