//! The start, while the database is not there yet.
//!
//! ```text
//!   first try ──▶ failed, passes by itself ──▶ waiting ──▶ next try ──▶ … ──▶ loaded
//!       │                                        └─ longer than the limit ──▶ given up
//!       └──▶ failed, never can succeed ──▶ ended
//! ```
//!
//! The machine decides only about failures that pass by themselves: whether another try comes, when,
//! and whether the failure is logged. Which errors pass by themselves is the store's knowledge (`StoreError`); what
//! HTTP answers meanwhile is in `http/gate.rs`. The wait before the first retry is half a second,
//! and each doubles the one before up to ten seconds: a database that comes back is noticed within
//! that. The first failure and each new reason are logged at once, a lasting one less and less
//! often.

use std::time::Duration;

/// The wait before the second try.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest wait between two tries.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The wait between the first log line and the second.
const FIRST_SILENCE: Duration = Duration::from_secs(10);

/// The longest time without a log line.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(600);

/// The consequence of a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum AfterFailure {
    /// Another try follows.
    TryAgain {
        pause: Duration,
        /// Whether the failure is logged.
        is_news: bool,
    },
    /// The wait has reached its limit.
    GiveUp,
}

/// The wait of a start for its database. Times are counted from the first try.
#[derive(Debug, Clone)]
pub struct DatabaseWait {
    limit: Option<Duration>,
    pause: Duration,
    silence: Duration,
    silent_until: Duration,
    reason: Option<String>,
}

impl DatabaseWait {
    /// Creates a wait that has not begun; `limit` is how long it may take, `None` without limit.
    pub const fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            pause: FIRST_PAUSE,
            silence: FIRST_SILENCE,
            silent_until: Duration::ZERO,
            reason: None,
        }
    }

    /// Notes that a try failed `now`, for a reason that passes by itself. The last pause ends at
    /// the limit, so that there is a try then.
    pub fn failed(&mut self, now: Duration, reason: &str) -> AfterFailure {
        let left = self.limit.map(|limit| limit.saturating_sub(now));
        if left == Some(Duration::ZERO) {
            return AfterFailure::GiveUp;
        }
        let pause = left.map_or(self.pause, |left| self.pause.min(left));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        AfterFailure::TryAgain {
            pause,
            is_news: self.is_news(now, reason),
        }
    }

    fn is_news(&mut self, now: Duration, reason: &str) -> bool {
        if self.reason.as_deref() != Some(reason) {
            self.reason = Some(reason.to_owned());
            self.silence = FIRST_SILENCE;
        } else if now < self.silent_until {
            return false;
        } else {
            self.silence = (self.silence * 2).min(LONGEST_SILENCE);
        }
        self.silent_until = now + self.silence;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "connection refused";

    /// Tries that fail at once until `end` or until the wait is given up: the pauses, and when the
    /// log heard of a failure.
    fn wait(limit: Option<u64>, end: u64) -> (Vec<Duration>, Vec<Duration>, Duration) {
        let mut wait = DatabaseWait::new(limit.map(Duration::from_secs));
        let (mut now, mut pauses, mut lines) = (Duration::ZERO, Vec::new(), Vec::new());
        while now < Duration::from_secs(end) {
            match wait.failed(now, REFUSED) {
                AfterFailure::TryAgain { pause, is_news } => {
                    if is_news {
                        lines.push(now);
                    }
                    pauses.push(pause);
                    now += pause;
                }
                AfterFailure::GiveUp => break,
            }
        }
        (pauses, lines, now)
    }

    #[test]
    fn pauses_double_up_to_ten_seconds() {
        let (pauses, _, _) = wait(None, 60);
        let millis: Vec<_> = pauses.iter().map(Duration::as_millis).take(8).collect();
        assert_eq!(
            millis,
            [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]
        );
    }

    #[test]
    fn a_wait_without_limit_goes_on_and_says_so_less_and_less_often() {
        let week = 7 * 86_400;
        let (pauses, lines, now) = wait(None, week);
        assert!(now >= Duration::from_secs(week));
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE));
        assert_eq!(lines[0], Duration::ZERO);
        let gaps: Vec<_> = lines.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[0] >= FIRST_SILENCE);
        assert!(gaps.is_sorted_by(|earlier, later| *earlier <= *later + LONGEST_PAUSE));
        assert!(lines.len() < 1_020, "{} lines in a week", lines.len());
    }

    #[test]
    fn a_new_reason_is_said_at_once() {
        let mut wait = DatabaseWait::new(None);
        let mut news = |seconds, reason| {
            let after = wait.failed(Duration::from_secs(seconds), reason);
            matches!(after, AfterFailure::TryAgain { is_news: true, .. })
        };
        assert!(news(0, REFUSED));
        assert!(!news(1, REFUSED));
        assert!(news(2, "starting up"));
        assert!(!news(3, "starting up"));
        assert!(news(12, "starting up"));
    }

    #[test]
    fn a_limit_ends_the_wait_with_a_last_try_at_the_limit() {
        let (pauses, _, now) = wait(Some(5), 60);
        assert_eq!(now, Duration::from_secs(5));
        assert_eq!(pauses.last(), Some(&Duration::from_millis(1_500)));
    }

    #[test]
    fn a_limit_of_zero_ends_with_the_first_failure() {
        let (pauses, lines, _) = wait(Some(0), 60);
        assert!(pauses.is_empty() && lines.is_empty());
    }
}
