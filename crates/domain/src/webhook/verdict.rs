//! The meaning of an answer of a receiver.

use std::fmt;
use std::time::Duration;

/// The end of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The receiver answered with a status.
    Status {
        /// The status.
        code: u16,
        /// How long the receiver asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// There was no whole answer in time.
    TimedOut,
    /// No connection, or no answer on it; holds the reason in words that name no URL.
    Unreachable(String),
}

/// The consequence of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has accepted the message.
    Delivered,
    /// The message is tried again; the target is left alone for this long.
    Retry(Option<Duration>),
    /// The receiver wants no message any more.
    Gone,
}

/// Returns the consequence of an answer. Every answer but 2xx and 410 is tried again: the receiver may be repaired
/// within the 24 hours. A redirect is not followed, because its address was not checked.
pub const fn judge(answer: &Answer) -> Verdict {
    match answer {
        Answer::Status {
            code: 200..=299, ..
        } => Verdict::Delivered,
        Answer::Status { code: 410, .. } => Verdict::Gone,
        Answer::Status {
            code: 429 | 503,
            retry_after,
        } => Verdict::Retry(*retry_after),
        Answer::Status { .. } | Answer::TimedOut | Answer::Unreachable(_) => Verdict::Retry(None),
    }
}

impl Answer {
    /// Returns the status, if there was one.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            Self::TimedOut | Self::Unreachable(_) => None,
        }
    }

    /// Returns whether the receiver asks for a pause and is not broken.
    pub const fn is_throttled(&self) -> bool {
        matches!(
            self,
            Self::Status { code: 429, .. }
                | Self::Status {
                    code: 503,
                    retry_after: Some(_)
                }
        )
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status {
                code: 300..=399, ..
            } => write!(
                f,
                "HTTP {}: redirects are not followed",
                self.status().unwrap_or_default()
            ),
            Self::Status {
                code,
                retry_after: Some(wait),
            } => write!(f, "HTTP {code}: try again after {} s", wait.as_secs()),
            Self::Status { code, .. } => write!(f, "HTTP {code}"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Unreachable(reason) => f.write_str(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_lead_to_one_of_three_consequences() {
        let wait = Duration::from_secs(7);
        for (code, verdict) in [
            (200, Verdict::Delivered),
            (204, Verdict::Delivered),
            (299, Verdict::Delivered),
            (301, Verdict::Retry(None)),
            (302, Verdict::Retry(None)),
            (400, Verdict::Retry(None)),
            (401, Verdict::Retry(None)),
            (410, Verdict::Gone),
            (429, Verdict::Retry(Some(wait))),
            (500, Verdict::Retry(None)),
            (503, Verdict::Retry(Some(wait))),
        ] {
            let answer = Answer::Status {
                code,
                retry_after: Some(wait),
            };
            assert_eq!(judge(&answer), verdict, "{code}");
        }
        assert_eq!(judge(&Answer::TimedOut), Verdict::Retry(None));
        let refused = Answer::Unreachable("connection refused".to_owned());
        assert_eq!(judge(&refused), Verdict::Retry(None));
        assert_eq!(refused.to_string(), "connection refused");
        let moved = Answer::Status {
            code: 302,
            retry_after: None,
        };
        assert_eq!(moved.to_string(), "HTTP 302: redirects are not followed");
    }
}
