//! When failed attempts deserve an alert.
//!
//! ```text
//!            20 or more within 5 minutes
//!   quiet ────────────────────────────────▶ alert open
//!     ▲                                         │
//!     └────────── fewer than 5 of them ─────────┘
//! ```

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::time::Timestamp;

/// How long an attempt counts.
const WINDOW: Duration = Duration::from_secs(300);

/// How many attempts open the alert.
const MANY: u64 = 20;

/// How few close it.
const FEW: u64 = 5;

/// Failed attempts since the look before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// The number of requests with a bad key.
    pub count: u64,
    /// The address of the last one.
    pub last: Option<IpAddr>,
}

/// Watches failed attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptWatch {
    /// One entry a look that found any.
    recent: VecDeque<(Timestamp, Attempts)>,
    is_open: bool,
}

impl AttemptWatch {
    /// Notes what has happened since the last look. Returns the sentence of the alert while it is to be open.
    pub fn note(&mut self, attempts: Attempts, now: Timestamp) -> Option<String> {
        while self
            .recent
            .front()
            .is_some_and(|(at, _)| now.since(*at) >= WINDOW)
        {
            self.recent.pop_front();
        }
        if attempts.count > 0 {
            self.recent.push_back((now, attempts));
        }
        let count: u64 = self.recent.iter().map(|(_, attempts)| attempts.count).sum();
        self.is_open = count >= MANY || (self.is_open && count >= FEW);
        if !self.is_open {
            return None;
        }
        let last = self
            .recent
            .iter()
            .rev()
            .find_map(|(_, attempts)| attempts.last);
        let from = last.map_or(String::new(), |address| {
            format!(", the last from {address}")
        });
        let minutes = WINDOW.as_secs() / 60;
        Some(format!(
            "{count} requests within {minutes} minutes had a key that is malformed, unknown, expired or revoked{from}."
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn some(count: u64) -> Attempts {
        let last = (count > 0).then(|| "192.0.2.1".parse().unwrap());
        Attempts { count, last }
    }

    #[test]
    fn twenty_attempts_open_the_alert_and_few_close_it() {
        let mut watch = AttemptWatch::default();
        assert_eq!(watch.note(some(19), at(0)), None);
        let sentence = watch.note(some(1), at(10)).unwrap();
        assert_eq!(
            sentence,
            "20 requests within 5 minutes had a key that is malformed, unknown, expired or revoked, the last from 192.0.2.1."
        );
        assert!(watch.note(some(4), at(299)).is_some());
        assert!(watch.note(some(0), at(300)).is_some(), "5 are left");
        assert_eq!(watch.note(some(0), at(310)), None, "4 are left");
        assert_eq!(
            watch.note(some(15), at(311)),
            None,
            "19 are too few to open it again"
        );
        assert!(watch.note(some(1), at(312)).is_some());
    }

    #[test]
    fn the_memory_is_bounded_by_the_window() {
        let mut watch = AttemptWatch::default();
        for second in 0..10_000 {
            watch.note(some(1), at(second));
        }
        assert_eq!(watch.recent.len(), 300);
    }
}
