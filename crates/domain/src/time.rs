//! The two kinds of time, which must never be mixed up.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment on the orchestrator's *running time*: microseconds since its start during which it
/// really ran (`src/clock`). Monotonic; for deadlines; never stored, never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The start of running time.
    pub const ZERO: Self = Self(0);

    /// Creates it from microseconds of running time.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds of running time.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns how long ago `earlier` was; zero if it is not in the past.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_micros(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_micros(duration)))
    }
}

/// A moment as the world's clocks show it: microseconds since 1970-01-01 UTC. Stored and shown;
/// never a deadline, because it can jump.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WallTime(i64);

impl WallTime {
    /// Creates it from microseconds since 1970-01-01 UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since 1970-01-01 UTC.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Returns how long ago `earlier` was; zero if it is not in the past.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(whole_micros(duration)).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for WallTime {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(whole_micros(duration)).unwrap_or(i64::MAX)),
        )
    }
}

/// RFC 3339, UTC, microseconds, `Z`. A moment before 1970 or after 9999 means a broken clock, and is shown
/// as the nearest one between.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LAST: i64 = 253_402_300_799_999_999;
        const SECOND: i64 = 1_000_000;
        const DAY: i64 = 86_400;
        let micros = self.0.clamp(0, LAST);
        let (seconds, micros) = (micros / SECOND, micros % SECOND);
        let (year, month, day) = date(seconds / DAY);
        let time = seconds % DAY;
        let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
        )
    }
}

/// Returns year, month and day of a day since 1970. The year begins in March here, so that the day that
/// leap years add is its last.
fn date(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    let days = days + 719_468;
    let (era, of_era) = (days / ERA, days % ERA);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of running time", Duration::from_micros(self.0))
    }
}

fn whole_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_never_go_below_zero() {
        let early = Timestamp::from_micros(5);
        let late = early + Duration::from_micros(7);
        assert_eq!(late.since(early), Duration::from_micros(7));
        assert_eq!(early.since(late), Duration::ZERO);
        let wall = WallTime::from_micros(-3);
        assert_eq!((wall - Duration::from_micros(2)).as_micros(), -5);
        assert_eq!(wall.since(wall + Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn a_moment_is_shown_in_utc() {
        for (micros, shown) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-5, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_700_000_000_000_001, "2023-11-14T22:13:20.000001Z"),
            (1_709_251_199_999_999, "2024-02-29T23:59:59.999999Z"),
            (1_709_251_200_000_000, "2024-03-01T00:00:00.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(WallTime::from_micros(micros).to_string(), shown);
        }
    }

    #[test]
    fn absurd_durations_saturate() {
        assert_eq!((Timestamp::ZERO + Duration::MAX).as_micros(), u64::MAX);
        assert_eq!(
            (WallTime::from_micros(1) + Duration::MAX).as_micros(),
            i64::MAX
        );
    }
}
