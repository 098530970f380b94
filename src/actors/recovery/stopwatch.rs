//! Measures the steps of a recovery.

use std::time::Duration;

use crate::clock::Clock;
use crate::domain::time::{Timestamp, WallTime};

/// Measures a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch {
    began: Timestamp,
    at: WallTime,
}

impl Stopwatch {
    pub(super) fn start(clock: &Clock) -> Self {
        Self {
            began: clock.now(),
            at: clock.wall(),
        }
    }

    /// When it was started, and how long ago that is.
    pub(super) fn read(self, clock: &Clock) -> (WallTime, Duration) {
        (self.at, clock.now().since(self.began))
    }
}
