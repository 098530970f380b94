//! When unclaimed streams are assigned without a request.
//!
//! Workers register one after the other, and streams are created one after the other. The first worker
//! would get everything it can hold. So after a registration with `auto_assign`, and after a new stream,
//! unclaimed streams wait until it has been quiet for a while (`AUTO_ASSIGN_SETTLE`), and are then spread
//! over all instances. Orphans never wait, and a worker that requests streams is answered at once.
//!
//! A command assigns so many of them at the most ([`AT_ONCE`]); the next one goes on. So a million streams
//! that wait hold no other command up, and no transaction gets too long.
//!
//! The delay is not saved. If the orchestrator ends meanwhile, the next one assigns the streams with its
//! first command.

use std::time::Duration;

use crate::time::Timestamp;

/// After how many settling times the streams are assigned although it is not quiet.
const LONGEST_DELAY: u32 = 10;

/// How many unclaimed streams one command assigns: less than a tenth of a second of work, also if each goes
/// to another instance (`cargo bench --bench placement`).
pub(super) const AT_ONCE: usize = 10_000;

/// Whether unclaimed streams are assigned with the next command, or wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filling {
    /// Whether there are delays at all.
    delays: bool,
    is_delayed: bool,
    was_delayed: bool,
    is_unfinished: bool,
}

impl Filling {
    /// Returns the state at the start: nothing waits.
    pub fn new(delays: bool) -> Self {
        Self {
            delays,
            ..Self::default()
        }
    }

    /// Lets unclaimed streams wait.
    pub(super) fn delay(&mut self) {
        self.is_delayed = self.delays;
        self.was_delayed = self.delays;
    }

    /// Returns whether unclaimed streams wait.
    pub fn is_delayed(self) -> bool {
        self.is_delayed
    }

    /// Returns whether a delay began, or began again, since the last call.
    pub fn take_delay(&mut self) -> bool {
        std::mem::take(&mut self.was_delayed)
    }

    /// Notes that a command left streams waiting because it had assigned enough.
    pub(super) fn interrupt(&mut self) {
        self.is_unfinished = true;
    }

    /// Returns whether a command left streams waiting since the last call.
    pub fn take_interruption(&mut self) -> bool {
        std::mem::take(&mut self.is_unfinished)
    }

    /// Assigns unclaimed streams with the next command.
    pub fn end(&mut self) {
        self.is_delayed = false;
    }
}

/// When a delay is over.
#[derive(Debug, Clone, Copy)]
pub struct FillTimer {
    settle: Duration,
    /// When the delay began, and when it ends.
    delay: Option<(Timestamp, Timestamp)>,
}

impl FillTimer {
    /// Returns a timer of delays of this length.
    pub fn new(settle: Duration) -> Self {
        Self {
            settle,
            delay: None,
        }
    }

    /// Begins a delay, or begins it again.
    pub fn delay(&mut self, now: Timestamp) {
        let began = self.delay.map_or(now, |(began, _)| began);
        let latest = began + self.settle.saturating_mul(LONGEST_DELAY);
        self.delay = Some((began, (now + self.settle).min(latest)));
    }

    /// Returns when the delay is over.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.delay.map(|(_, ends)| ends)
    }

    /// Returns whether a delay is over; once.
    pub fn handle_deadline(&mut self, now: Timestamp) -> bool {
        let is_over = self.next_deadline().is_some_and(|ends| ends <= now);
        if is_over {
            self.delay = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    #[test]
    fn a_delay_begins_again_with_each_newcomer_and_ends_at_last() {
        let mut timer = FillTimer::new(Duration::from_millis(100));
        assert!(!timer.handle_deadline(at(5)));
        timer.delay(at(0));
        assert_eq!(timer.next_deadline(), Some(at(100)));
        timer.delay(at(60));
        assert!(!timer.handle_deadline(at(100)));
        assert!(timer.handle_deadline(at(160)));
        assert!(!timer.handle_deadline(at(170)), "once");
        for millis in (200..1_300).step_by(50) {
            timer.delay(at(millis));
        }
        assert_eq!(
            timer.next_deadline(),
            Some(at(1_200)),
            "ten times as long at most"
        );
    }

    #[test]
    fn without_delays_nothing_waits() {
        let mut filling = Filling::new(false);
        filling.delay();
        assert!(!filling.is_delayed() && !filling.take_delay());
        let mut filling = Filling::new(true);
        filling.delay();
        assert!(filling.is_delayed() && filling.take_delay() && !filling.take_delay());
        filling.end();
        assert!(!filling.is_delayed());
    }
}
