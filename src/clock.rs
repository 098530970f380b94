//! The only reader of time.
//!
//! Everybody else is handed a [`Clock`]. In production it shows *running time* (see
//! `domain/running_time.rs`) read from the boot-time clock, which goes on while the machine
//! sleeps, so that sleep is seen and subtracted. In tests it follows tokio's virtual time, in which
//! a process stands still or is slow when the test says so.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::domain::running_time::{LONGEST_GRACE, RunningTime};
use crate::domain::time::{Timestamp, WallTime};

/// Shows the time. Clones show the same.
#[derive(Clone)]
pub struct Clock {
    source: Arc<Source>,
}

enum Source {
    Real {
        made: Duration,
        running: Mutex<RunningTime>,
    },
    Virtual {
        started: Instant,
        wall_at_start: WallTime,
        process: Mutex<Process>,
    },
}

/// How the process fares whose time is virtual: nobody has to read its clock again and again.
#[derive(Debug)]
struct Process {
    running: RunningTime,
    /// By how much each reading moves the clock.
    drag: Duration,
    dragged: Duration,
}

impl Clock {
    /// The machine's clocks, starting now; running time stands still for `grace` after each
    /// standstill of the process.
    pub fn real(grace: Duration) -> Self {
        let made = boot_time();
        let running = Mutex::new(RunningTime::starting_at(made, grace));
        Self {
            source: Arc::new(Source::Real { made, running }),
        }
    }

    /// The time of the current tokio runtime, which tests can pause and move, starting now at
    /// the given wall time.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
    pub fn of_runtime(wall_at_start: WallTime) -> Self {
        let process = Process {
            running: RunningTime::starting_at(Duration::ZERO, LONGEST_GRACE),
            drag: Duration::ZERO,
            dragged: Duration::ZERO,
        };
        Self {
            source: Arc::new(Source::Virtual {
                started: Instant::now(),
                wall_at_start,
                process: Mutex::new(process),
            }),
        }
    }

    /// The process whose time is virtual stands still from now on, for so long and the grace that
    /// follows; the test moves the runtime by `gap` right afterwards. Real clocks see for
    /// themselves and ignore this.
    pub fn stand_still(&self, gap: Duration) {
        let reading = self.reading();
        if let Source::Virtual { process, .. } = &*self.source {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.running.go_on(reading);
            process.running.stand_still(reading + gap);
        }
    }

    /// Nobody can be heard from now on: running time stands still, and no deadline runs out.
    pub fn stop_listening(&self) {
        self.now();
        self.running(RunningTime::stop_listening);
    }

    /// Instances can be heard from now on; running time goes on after a grace.
    pub fn start_listening(&self) {
        self.now();
        self.running(RunningTime::start_listening);
    }

    /// The time for waits of callers: it goes on while the program closes and nobody new is heard.
    /// Never to be compared with running time.
    pub fn awake(&self) -> Timestamp {
        self.now();
        self.running(|running| running.awake())
    }

    /// How long ago the clock was made, whatever the process did meanwhile.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
    pub fn age(&self) -> Duration {
        match &*self.source {
            Source::Real { made, .. } => boot_time().saturating_sub(*made),
            Source::Virtual { started, .. } => Instant::now().duration_since(*started),
        }
    }

    /// From now on each reading of a virtual clock takes so long: what is measured by two of them
    /// was slow. Real clocks ignore this.
    pub fn drag(&self, each_reading: Duration) {
        if let Source::Virtual { process, .. } = &*self.source {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.drag = each_reading;
        }
    }

    /// What the clock shows that never stands still.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
    fn reading(&self) -> Duration {
        match &*self.source {
            Source::Real { .. } => boot_time(),
            Source::Virtual {
                started, process, ..
            } => {
                let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
                let drag = process.drag;
                process.dragged += drag;
                Instant::now().duration_since(*started) + process.dragged
            }
        }
    }

    fn running<T>(&self, look: impl FnOnce(&mut RunningTime) -> T) -> T {
        match &*self.source {
            Source::Real { running, .. } => {
                look(&mut running.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Source::Virtual { process, .. } => {
                let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
                look(&mut process.running)
            }
        }
    }

    /// Running time since the clock was made.
    pub fn now(&self) -> Timestamp {
        match &*self.source {
            // Read inside the lock: readings then arrive in order.
            Source::Real { .. } => self.running(|running| running.at(boot_time())),
            Source::Virtual { .. } => {
                let reading = self.reading();
                self.running(|running| running.go_on(reading))
            }
        }
    }

    /// How long to wait until running time shows `deadline`, if the process does not stand still
    /// meanwhile. While it settles after a standstill a plain difference would be over long
    /// before.
    pub fn wait_until(&self, deadline: Timestamp) -> Duration {
        let left = deadline.since(self.now());
        let unsettled_for = self.running(|running| running.unsettled_for());
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
                ..
            } => *wall_at_start + Instant::now().duration_since(*started),
        }
    }

    /// How long the process stood still so far.
    pub fn lost(&self) -> Duration {
        self.running(|running| running.lost())
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

    #[tokio::test(start_paused = true)]
    async fn virtual_time_stands_still_when_told_to() {
        let clock = Clock::of_runtime(WallTime::default());
        tokio::time::advance(Duration::from_secs(5)).await;
        clock.stand_still(Duration::from_secs(100));
        tokio::time::advance(Duration::from_secs(100)).await;
        let deadline = Timestamp::from_micros(7_000_000);
        assert_eq!(clock.wait_until(deadline), Duration::from_secs(3));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), Timestamp::from_micros(5_000_000), "the grace");
        assert_eq!(clock.wall(), WallTime::from_micros(106_000_000));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(clock.now(), deadline);
        assert_eq!(clock.lost(), Duration::from_secs(100));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_measured_by_two_readings_is_slow_when_virtual_time_drags() {
        let clock = Clock::of_runtime(WallTime::default());
        clock.drag(Duration::from_millis(300));
        let began = clock.now();
        assert_eq!(clock.now().since(began), Duration::from_millis(300));
        clock.drag(Duration::ZERO);
        assert_eq!(clock.now(), clock.now());
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
