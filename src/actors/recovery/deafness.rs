//! The times during which this process did not listen: a silence that spans one is no evidence against
//! the streams of an instance (`domain/quarantine/mod.rs`).

use std::time::Duration;

use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// The last time during which no heartbeat could be heard, as far as it was noticed.
#[derive(Debug)]
pub(super) struct Deafness {
    /// A heartbeat that came later was followed by no such time.
    until: Timestamp,
    lost: Duration,
}

impl Deafness {
    /// Before its start this process heard nothing.
    pub(super) fn starting(clock: &Clock) -> Self {
        Self {
            until: clock.now(),
            lost: clock.lost(),
        }
    }

    /// Notices whether the process stood still since the last look.
    pub(super) fn look(&mut self, clock: &Clock) {
        let (now, lost) = (clock.now(), clock.lost());
        if lost > self.lost {
            (self.until, self.lost) = (now, lost);
        }
    }

    /// Whether a silence that began after this heartbeat may be this process's own.
    pub(super) fn covers(&self, last_beat: Timestamp) -> bool {
        last_beat <= self.until
    }
}
