//! The limits of texts and numbers, wherever they stand: in a body, a path or a query.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The greatest integer every JSON reader represents exactly.
pub(in crate::http) const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// The length of a `server_id`, in characters.
pub(in crate::http) const SERVER_ID_LENGTH: RangeInclusive<usize> = 1..=128;

/// The length of the name of an orchestrator, in characters.
pub(in crate::http) const NODE_LENGTH: RangeInclusive<usize> = 1..=128;

/// The length of the name of a group of streams, in characters.
pub(super) const GROUP_LENGTH: RangeInclusive<usize> = 1..=128;

/// How long the name of a stream may be, in characters.
pub(super) const NAME_LENGTH: RangeInclusive<usize> = 1..=256;

/// How long the URL of a stream may be, in characters.
pub(super) const URL_LENGTH: RangeInclusive<usize> = 0..=4_096;

/// A worker that beats less often than once a day is not watched by heartbeats.
pub(super) const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);

/// Checks whether a text may be used where texts are shown.
///
/// # Errors
/// Returns the reason, to be read after the name of the field.
pub(in crate::http) fn check_text(
    text: &str,
    length: &RangeInclusive<usize>,
) -> Result<(), String> {
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

/// Returns the integer that a floating-point number is, if every reader represents it exactly.
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
