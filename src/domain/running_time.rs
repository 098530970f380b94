//! Running time: the time during which the orchestrator itself was awake.
//!
//! A process that was stopped, starved or asleep has heard nothing, and that silence is its own,
//! not its instances' (I6). So every gap between two readings that is too long to be ordinary
//! scheduling counts as no time at all.

use std::time::Duration;

use super::time::Timestamp;

/// Gaps up to this long are ordinary scheduling and count as time.
pub const LONGEST_ORDINARY_GAP: Duration = Duration::from_millis(500);

/// How often somebody must read the clock, whatever else happens, for gaps to mean anything.
pub const READING_INTERVAL: Duration = Duration::from_millis(100);

/// Turns readings of a clock that never stops into running time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTime {
    started: Duration,
    last_reading: Duration,
    lost: Duration,
}

impl RunningTime {
    /// Starts at zero with the first reading.
    pub const fn starting_at(reading: Duration) -> Self {
        Self {
            started: reading,
            last_reading: reading,
            lost: Duration::ZERO,
        }
    }

    /// The running time at a reading. Readings that arrive out of order count as the latest.
    pub fn at(&mut self, reading: Duration) -> Timestamp {
        let gap = reading.saturating_sub(self.last_reading);
        if gap > LONGEST_ORDINARY_GAP {
            self.lost += gap;
        }
        self.last_reading = self.last_reading.max(reading);
        Timestamp::ZERO + (self.last_reading - self.started).saturating_sub(self.lost)
    }

    /// How much time did not count so far.
    pub const fn lost(&self) -> Duration {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn ordinary_gaps_count_and_long_ones_do_not() {
        let mut time = RunningTime::starting_at(ms(10_000));
        assert_eq!(time.at(ms(10_000)), Timestamp::ZERO);
        assert_eq!(time.at(ms(10_500)), Timestamp::ZERO + ms(500));
        assert_eq!(
            time.at(ms(3_610_500)),
            Timestamp::ZERO + ms(500),
            "an hour asleep"
        );
        assert_eq!(time.at(ms(3_610_600)), Timestamp::ZERO + ms(600));
        assert_eq!(time.lost(), ms(3_600_000));
    }

    #[test]
    fn a_reading_from_another_thread_that_comes_late_takes_nothing_back() {
        let mut time = RunningTime::starting_at(ms(0));
        assert_eq!(time.at(ms(200)), Timestamp::ZERO + ms(200));
        assert_eq!(time.at(ms(150)), Timestamp::ZERO + ms(200));
        assert_eq!(time.at(ms(300)), Timestamp::ZERO + ms(300));
    }
}
