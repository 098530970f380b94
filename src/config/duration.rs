//! Reads and writes lengths of time.

use std::time::Duration;

/// Ten years. No setting is meant to last longer, and sums of such values stay far from overflow in
/// every unit the program computes with.
const LONGEST: Duration = Duration::from_secs(3_650 * 86_400);

/// A shorter wait is a busy loop.
const SHORTEST: Duration = Duration::from_millis(1);

const SYNTAX: &str =
    "write seconds (300, 0.5) or numbers with a unit (1500ms, 90s, 5m, 1h 30m, 7d)";

/// Reads a length of time; zero is refused.
pub(super) fn parse_positive(text: &str) -> Result<Duration, String> {
    let duration = parse(text)?;
    if duration < SHORTEST {
        return Err("must be at least 1ms".to_owned());
    }
    Ok(duration)
}

/// Reads a length of time: plain numbers are seconds, with or without a fraction, everything else
/// needs units.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    if text.starts_with('-') {
        return Err(format!("must not be negative; {SYNTAX}"));
    }
    let duration = match parse_seconds(text) {
        Some(duration) => duration?,
        None => parse_with_units(text)?,
    };
    if duration > LONGEST {
        return Err("must be at most 3650d (ten years)".to_owned());
    }
    Ok(duration)
}

/// The word for "no limit".
pub(super) const UNLIMITED: &str = "unlimited";

/// Reads a limit: a length of time, zero included; `None` for `unlimited`.
pub(super) fn parse_limit(text: &str) -> Result<Option<Duration>, String> {
    if text.eq_ignore_ascii_case(UNLIMITED) {
        return Ok(None);
    }
    parse(text)
        .map(Some)
        .map_err(|rule| format!("{rule}; or `{UNLIMITED}`"))
}

/// Reads a plain decimal number of seconds; `None` for any other text.
fn parse_seconds(text: &str) -> Option<Result<Duration, String>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // More digits than a sensible number of seconds has: the message about the bound says so.
    let Ok(seconds) = whole.parse::<u64>() else {
        return Some(Ok(Duration::MAX));
    };
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = nanos.fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some(Ok(Duration::new(seconds, nanos)))
}

fn parse_with_units(text: &str) -> Result<Duration, String> {
    // To humantime `5M` is five months, but nearly always minutes are meant.
    let months = text.char_indices().any(|(at, letter)| {
        letter == 'M' && !text[at + 1..].starts_with(|next: char| next.is_alphabetic())
    });
    if months {
        return Err("`M` could be minutes or months: write 5m or 150d".to_owned());
    }
    humantime::parse_duration(text).map_err(|_| format!("is not a length of time: {SYNTAX}"))
}

/// Writes a length of time in a form that [`parse`] reads back: `3m 36s`, `1s 500ms`, `0s`.
pub(super) fn format(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let nanos = duration.subsec_nanos();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(nanos / 1_000_000), "ms"),
        (u64::from(nanos / 1_000 % 1_000), "us"),
        (u64::from(nanos % 1_000), "ns"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if parts.is_empty() {
        "0s".to_owned()
    } else {
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("300", 300_000),
            ("0", 0),
            ("0.5", 500),
            ("2.25", 2_250),
            ("1500ms", 1_500),
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("3650d", 315_360_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("0.000000001"), Ok(Duration::from_nanos(1)));
        assert_eq!(parse("0.0000000019"), Ok(Duration::from_nanos(1)));
    }

    #[test]
    fn refuses_what_is_no_length_of_time() {
        for text in [
            "abc",
            "5 parsecs",
            "1e5",
            "inf",
            "nan",
            ".5",
            "5.",
            "1.2.3",
            "+5",
            "5,5",
            "٣",
        ] {
            assert!(
                parse(text).is_err_and(|rule| rule.contains("not a length of time")),
                "{text}"
            );
        }
        assert!(parse("-5").is_err_and(|rule| rule.contains("negative")));
        for text in ["5M", "1h 5M", "5 M"] {
            assert!(
                parse(text).is_err_and(|rule| rule.contains("minutes or months")),
                "{text}"
            );
        }
    }

    #[test]
    fn bounds_are_bounds() {
        for text in [
            "3650d 1ns",
            "315360001",
            "99999999999999999999999",
            "1000000y",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["0", "0s", "0.0001", "999us"] {
            assert!(
                parse_positive(text).is_err_and(|rule| rule.contains("at least 1ms")),
                "{text}"
            );
        }
        assert_eq!(parse_positive("1ms"), Ok(Duration::from_millis(1)));
    }

    #[test]
    fn a_limit_is_a_length_of_time_or_none() {
        assert_eq!(parse_limit("unlimited"), Ok(None));
        assert_eq!(parse_limit("Unlimited"), Ok(None));
        assert_eq!(parse_limit("0"), Ok(Some(Duration::ZERO)));
        assert_eq!(parse_limit("2m"), Ok(Some(Duration::from_secs(120))));
        for text in ["forever", "-1", "none"] {
            assert!(parse_limit(text).is_err_and(|rule| rule.contains("unlimited")));
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_secs(300), "5m"),
            (Duration::from_secs(216), "3m 36s"),
            (Duration::from_millis(1_200), "1s 200ms"),
            (Duration::from_secs(31 * 86_400 + 3_600), "31d 1h"),
            (Duration::new(1, 1_001), "1s 1us 1ns"),
        ] {
            assert_eq!(format(duration), text);
            assert_eq!(parse(text), Ok(duration));
        }
    }
}
