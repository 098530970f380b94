//! The only reader of time.
//!
//! Everybody else is handed a [`Clock`]. In production it shows *running time* (see
//! `domain/running_time.rs`) read from the boot-time clock, which goes on while the machine
//! sleeps, so that sleep is seen and subtracted. In tests it follows tokio's virtual time, in which
//! a process stands still, is slow or has its wall clock set when the test says so.
//!
//! Every reading of the wall clock is noted in a timeline (`domain/timeline.rs`), so that the age of
//! whatever carries a wall time is known although the wall clock jumps.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::domain::running_time::{LONGEST_GRACE, RunningTime};
use crate::domain::time::{Timestamp, WallTime};
use crate::domain::timeline::{ClockStep, Recent, StepDetector, Timeline};

/// Shows the time. Clones show the same.
#[derive(Clone)]
pub struct Clock {
    source: Arc<Source>,
}

enum Source {
    Real {
        made: Duration,
        hands: Mutex<Hands>,
    },
    Virtual {
        started: Instant,
        wall_at_start: WallTime,
        process: Mutex<Process>,
    },
}

/// What the readings so far amount to.
#[derive(Debug)]
struct Hands {
    running: RunningTime,
    timeline: Timeline,
    steps: StepDetector,
}

impl Hands {
    fn starting_at(reading: Duration, wall: WallTime, grace: Duration) -> Self {
        Self {
            running: RunningTime::starting_at(reading, grace),
            timeline: Timeline::starting_at(Timestamp::ZERO, wall),
            steps: StepDetector::starting_at(reading, wall),
        }
    }
}

/// The process was interrupted between two readings of its clocks if they are further apart. What it
/// read then does not belong together.
const ONE_MOMENT: Duration = Duration::from_millis(50);

/// How the process fares whose time is virtual: nobody has to read its clock again and again.
#[derive(Debug)]
struct Process {
    hands: Hands,
    /// By how much each reading moves the clock.
    drag: Duration,
    dragged: Duration,
    /// By how much the wall clock was set, in microseconds.
    set_by: i64,
}

impl Clock {
    /// The machine's clocks, starting now; running time stands still for `grace` after each
    /// standstill of the process.
    pub fn real(grace: Duration) -> Self {
        let made = boot_time();
        let hands = Hands::starting_at(made, time_of_day(), grace);
        Self {
            source: Arc::new(Source::Real {
                made,
                hands: Mutex::new(hands),
            }),
        }
    }

    /// The time of the current tokio runtime, which tests can pause and move, starting now at
    /// the given wall time.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
    pub fn of_runtime(wall_at_start: WallTime) -> Self {
        let process = Process {
            hands: Hands::starting_at(Duration::ZERO, wall_at_start, LONGEST_GRACE),
            drag: Duration::ZERO,
            dragged: Duration::ZERO,
            set_by: 0,
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
            process.hands.running.go_on(reading);
            process.hands.running.stand_still(reading + gap);
        }
    }

    /// Nobody can be heard from now on: running time stands still, and no deadline runs out.
    pub fn stop_listening(&self) {
        self.now();
        self.hands(|hands| hands.running.stop_listening());
    }

    /// Instances can be heard from now on; running time goes on after a grace.
    pub fn start_listening(&self) {
        self.now();
        self.hands(|hands| hands.running.start_listening());
    }

    /// The time for waits of callers: it goes on while the program closes and nobody new is heard.
    /// Never to be compared with running time.
    pub fn awake(&self) -> Timestamp {
        self.now();
        self.hands(|hands| hands.running.awake())
    }

    /// How long ago the clock was made, whatever the process did meanwhile.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
    pub fn since_made(&self) -> Duration {
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

    /// Somebody sets a virtual wall clock forward, or back if `by_micros` is negative. Real clocks
    /// ignore this.
    pub fn set_wall_by(&self, by_micros: i64) {
        if let Source::Virtual { process, .. } = &*self.source {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.set_by = process.set_by.saturating_add(by_micros);
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

    fn hands<T>(&self, look: impl FnOnce(&mut Hands) -> T) -> T {
        match &*self.source {
            Source::Real { hands, .. } => {
                look(&mut hands.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Source::Virtual { process, .. } => {
                let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
                look(&mut process.hands)
            }
        }
    }

    /// Running time since the clock was made.
    pub fn now(&self) -> Timestamp {
        match &*self.source {
            // Read inside the lock: readings then arrive in order.
            Source::Real { .. } => self.hands(|hands| hands.running.at(boot_time())),
            Source::Virtual { .. } => {
                let reading = self.reading();
                self.hands(|hands| hands.running.go_on(reading))
            }
        }
    }

    /// How long to wait until running time shows `deadline`, if the process does not stand still
    /// meanwhile. While it settles after a standstill a plain difference would be over long
    /// before.
    pub fn wait_until(&self, deadline: Timestamp) -> Duration {
        let left = deadline.since(self.now());
        let unsettled_for = self.hands(|hands| hands.running.unsettled_for());
        if left.is_zero() {
            left
        } else {
            left + unsettled_for
        }
    }

    /// The time of day. It can jump; [`Clock::age`] tells how long ago one was shown.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
    pub fn wall(&self) -> WallTime {
        match &*self.source {
            Source::Real { hands, .. } => {
                let mut hands = hands.lock().unwrap_or_else(PoisonError::into_inner);
                let before = boot_time();
                let wall = time_of_day();
                let reading = boot_time();
                let now = hands.running.at(reading);
                hands.timeline.note(now, wall);
                if reading.saturating_sub(before) < ONE_MOMENT {
                    hands.steps.note(reading, wall);
                }
                wall
            }
            Source::Virtual {
                started,
                wall_at_start,
                process,
            } => {
                let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
                let reading = Instant::now().duration_since(*started) + process.dragged;
                let shown = (*wall_at_start + reading).as_micros();
                let wall = WallTime::from_micros(shown.saturating_add(process.set_by));
                let hands = &mut process.hands;
                let now = hands.running.go_on(reading);
                hands.timeline.note(now, wall);
                hands.steps.note(reading, wall);
                wall
            }
        }
    }

    /// How long ago the wall clock showed `wall`, by running time if that was since the start.
    /// Never negative, whatever the wall clock did.
    pub fn age(&self, wall: WallTime) -> Duration {
        let _ = self.wall();
        let now = self.now();
        self.hands(|hands| hands.timeline.age(wall, now))
    }

    /// How much later `end` was than `begin`, two times of day that were shown.
    pub fn between(&self, begin: WallTime, end: WallTime) -> Duration {
        self.age(begin).saturating_sub(self.age(end))
    }

    /// Which times of day are at most `within` old.
    pub fn recent(&self, within: Duration) -> Recent {
        let _ = self.wall();
        let now = self.now();
        self.hands(|hands| hands.timeline.recent(within, now))
    }

    /// The last jump of the wall clock that was noticed.
    pub fn last_step(&self) -> Option<ClockStep> {
        self.hands(|hands| hands.steps.last())
    }

    /// How long the process stood still so far.
    pub fn lost(&self) -> Duration {
        self.hands(|hands| hands.running.lost())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the reader of time")]
fn time_of_day() -> WallTime {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    WallTime::default() + since_epoch
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

    #[tokio::test(start_paused = true)]
    async fn ages_go_by_running_time_when_the_wall_clock_is_set() {
        const DAY_MICROS: i64 = 86_400_000_000;
        let clock = Clock::of_runtime(WallTime::from_micros(50 * DAY_MICROS));
        let (minute, before) = (Duration::from_secs(60), clock.wall());
        for by in [365 * DAY_MICROS, -400 * DAY_MICROS] {
            tokio::time::advance(minute).await;
            clock.set_wall_by(by);
            let _ = clock.wall();
        }
        let later = clock.wall();
        assert!(later < before);
        assert_eq!(clock.age(before), minute * 2);
        assert_eq!(clock.between(before, later), minute * 2);
        assert!(clock.recent(minute * 2).contains(before));
        assert!(!clock.recent(minute).contains(before));
        let step = clock.last_step().unwrap();
        assert_eq!((step.count, step.by_micros), (2, -400 * DAY_MICROS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_stood_still_or_is_slow_has_seen_no_jump() {
        let clock = Clock::of_runtime(WallTime::default());
        clock.stand_still(Duration::from_secs(100));
        tokio::time::advance(Duration::from_secs(100)).await;
        clock.drag(Duration::from_secs(3));
        let _ = (clock.now(), clock.wall(), clock.now(), clock.wall());
        assert_eq!(clock.last_step(), None);
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
