//! Decides what follows when an actor ends unexpectedly.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Timestamp;

/// How many restarts within [`INTENSITY_WINDOW`] are tolerated (the "restart intensity" of
/// Erlang/OTP supervisors).
pub const MAX_RESTARTS: usize = 5;

/// The window restarts are counted in.
pub const INTENSITY_WINDOW: Duration = Duration::from_secs(60);

/// How long an actor that kept ending stays ended before it is created again.
pub const QUARANTINE: Duration = Duration::from_secs(300);

/// The decision about a child that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Create it again at once.
    Restart,
    /// It ends too often: wait for [`QUARANTINE`] and open an alert.
    Quarantine,
}

/// The restart history of one child.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestartHistory {
    restarts: VecDeque<Timestamp>,
    quarantined_at: Option<Timestamp>,
}

impl RestartHistory {
    /// Notes that the child ended.
    pub fn ended(&mut self, now: Timestamp) -> Verdict {
        while self
            .restarts
            .front()
            .is_some_and(|at| now.since(*at) >= INTENSITY_WINDOW)
        {
            self.restarts.pop_front();
        }
        if self.restarts.len() >= MAX_RESTARTS {
            self.quarantined_at = Some(now);
            return Verdict::Quarantine;
        }
        self.restarts.push_back(now);
        Verdict::Restart
    }

    /// Returns whether a quarantine is over; true exactly once.
    pub fn is_released(&mut self, now: Timestamp) -> bool {
        let over = self
            .quarantined_at
            .is_some_and(|at| now.since(at) >= QUARANTINE);
        if over {
            *self = Self::default();
        }
        over
    }

    /// Returns whether the child is in quarantine.
    pub const fn is_quarantined(&self) -> bool {
        self.quarantined_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn rare_ends_are_restarted_for_ever() {
        let mut history = RestartHistory::default();
        for minute in 0..100 {
            assert_eq!(history.ended(at(minute * 60)), Verdict::Restart);
        }
    }

    #[test]
    fn a_child_that_keeps_ending_is_left_alone_for_a_while() {
        let mut history = RestartHistory::default();
        for second in 0..MAX_RESTARTS as u64 {
            assert_eq!(history.ended(at(second)), Verdict::Restart);
        }
        assert_eq!(history.ended(at(6)), Verdict::Quarantine);
        assert!(!history.is_released(at(305)));
        assert!(history.is_released(at(306)));
        assert!(!history.is_released(at(307)), "once");
        assert_eq!(history.ended(at(308)), Verdict::Restart, "a fresh start");
    }
}
