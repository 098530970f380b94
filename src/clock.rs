//! The only reader of time.
//!
//! Everybody else is handed a [`Clock`]. In production it shows *running time* (see
//! `domain/running_time.rs`) read from the boot-time clock, which goes on while the machine
//! sleeps, so that sleep is seen and subtracted. In tests it follows tokio's virtual time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::domain::running_time::RunningTime;
use crate::domain::time::{Timestamp, WallTime};

/// Shows the time. Clones show the same.
#[derive(Clone)]
pub struct Clock {
    source: Arc<Source>,
}

enum Source {
    Real {
        running: Mutex<RunningTime>,
    },
    Virtual {
        started: Instant,
        wall_at_start: WallTime,
    },
}

impl Clock {
    /// The machine's clocks, starting now; running time stands still for `grace` after each
    /// standstill of the process.
    pub fn real(grace: Duration) -> Self {
        let running = Mutex::new(RunningTime::starting_at(boot_time(), grace));
        Self {
            source: Arc::new(Source::Real { running }),
        }
    }

    /// The time of the current tokio runtime, which tests can pause and move, starting now at
    /// the given wall time.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
    pub fn of_runtime(wall_at_start: WallTime) -> Self {
        let started = Instant::now();
        Self {
            source: Arc::new(Source::Virtual {
                started,
                wall_at_start,
            }),
        }
    }

    /// Running time since the clock was made.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
    pub fn now(&self) -> Timestamp {
        match &*self.source {
            Source::Real { running } => {
                let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
                // Read inside the lock: readings then arrive in order.
                running.at(boot_time())
            }
            Source::Virtual { started, .. } => {
                Timestamp::ZERO + Instant::now().duration_since(*started)
            }
        }
    }

    /// How long to wait until running time shows `deadline`, if the process does not stand still
    /// meanwhile. While it settles after a standstill a plain difference would be over long
    /// before.
    pub fn wait_until(&self, deadline: Timestamp) -> Duration {
        let left = deadline.since(self.now());
        let unsettled_for = match &*self.source {
            Source::Real { running } => running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .unsettled_for(),
            Source::Virtual { .. } => Duration::ZERO,
        };
        if left.is_zero() {
            left
        } else {
            left + unsettled_for
        }
    }

    /// The time of day.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
    pub fn wall(&self) -> WallTime {
        match &*self.source {
            Source::Real { .. } => {
                let since_epoch = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or(Duration::ZERO);
                WallTime::default() + since_epoch
            }
            Source::Virtual {
                started,
                wall_at_start,
            } => *wall_at_start + Instant::now().duration_since(*started),
        }
    }

    /// How long the process stood still so far.
    pub fn lost(&self) -> Duration {
        match &*self.source {
            Source::Real { running } => running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .lost(),
            Source::Virtual { .. } => Duration::ZERO,
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

fn boot_time() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn virtual_time_moves_both_clocks() {
        let clock = Clock::of_runtime(WallTime::from_micros(1_000));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.now(), Timestamp::from_micros(5_000_000));
        assert_eq!(clock.wall(), WallTime::from_micros(5_001_000));
    }

    #[test]
    fn real_time_moves_forward_from_zero() {
        let clock = Clock::real(Duration::from_secs(1));
        let first = clock.now();
        assert!(first < Timestamp::from_micros(60_000_000));
        assert!(clock.now() >= first);
        assert!(clock.wall() > WallTime::from_micros(1_700_000_000_000_000));
    }
}
