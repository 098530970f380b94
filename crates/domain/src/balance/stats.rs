//! What rebalances have done since the start of the program.

use std::time::Duration;

use crate::time::WallTime;

/// Counts of rebalances. They are kept in memory, and begin anew with the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BalanceStats {
    /// Rebalances that began with at least one move.
    pub begun: u64,
    /// Those of them that are over.
    pub ended: u64,
    /// Those of the ended ones in which every move was made that was begun.
    pub successful: u64,
    /// Streams that have arrived.
    pub moved: u64,
    /// Moves that were given up because the owner did not release the stream in time.
    pub given_up: u64,
    /// Moves that were dropped before they began, because the fleet had changed.
    pub dropped: u64,
    /// The time that planning took, and beginning the first moves.
    pub took: Duration,
    /// When the last one began.
    pub last: Option<WallTime>,
}

impl BalanceStats {
    /// Returns the average time in milliseconds.
    pub fn average_ms(&self) -> f64 {
        match self.begun {
            0 => 0.0,
            begun => self.took.as_secs_f64() * 1e3 / begun as f64,
        }
    }

    /// Returns the part of the ended rebalances that were successful; 1 if none has ended.
    pub fn success_rate(&self) -> f64 {
        match self.ended {
            0 => 1.0,
            ended => self.successful as f64 / ended as f64,
        }
    }
}
