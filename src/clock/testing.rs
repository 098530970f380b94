//! Virtual time, for tests and simulations: a machine whose clocks are those of the current tokio
//! runtime, which can be paused and moved.
//!
//! It is public and not behind `cfg(test)` because the programs in `tests/` are crates of their own.
//! No code of the program calls it, and a [`Clock`] does not know it.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Clock, ONE_DAY, Source};
use crate::domain::running_time::{LONGEST_GRACE, RunningTime};
use crate::domain::time::{Timestamp, WallTime};

/// A clock in virtual time, in which the process stands still, is slow or has its wall clock set when
/// the test says so.
#[derive(Clone)]
pub struct VirtualTime {
    clock: Clock,
    machine: Arc<Machine>,
}

struct Machine {
    started: Instant,
    begin: Timestamp,
    wall_at_start: WallTime,
    process: Mutex<Process>,
}

/// How the process fares.
#[derive(Debug, Default)]
struct Process {
    /// By how much each reading moves the clock.
    drag: Duration,
    dragged: Duration,
    /// By how much the wall clock was set, in microseconds.
    set_by: i64,
}

impl VirtualTime {
    /// Starts now, at a wall time. Running time begins with zero.
    pub fn starting_at(wall: WallTime) -> Self {
        Self::beginning_with(Timestamp::ZERO, wall)
    }

    /// The same, but running time begins with what a real process begins with, so that silences that
    /// began before fit below it.
    pub fn of_a_process(wall: WallTime) -> Self {
        Self::beginning_with(ONE_DAY, wall)
    }

    #[expect(clippy::disallowed_methods, reason = "this is a reader of time")]
    fn beginning_with(begin: Timestamp, wall: WallTime) -> Self {
        let machine = Arc::new(Machine {
            started: Instant::now(),
            begin,
            wall_at_start: wall,
            process: Mutex::default(),
        });
        Self {
            clock: Clock::of(machine.clone(), LONGEST_GRACE),
            machine,
        }
    }

    /// The clock, to be handed to the program.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The process stands still from now on, for so long and the grace that follows; the test moves
    /// the runtime by `gap` right afterwards.
    pub fn stand_still(&self, gap: Duration) {
        let reading = self.machine.reading();
        self.clock.hands(|hands| {
            hands.running.go_on(reading);
            hands.running.stand_still(reading + gap);
        });
    }

    /// From now on each reading takes so long: what is measured by two of them was slow.
    pub fn drag(&self, each_reading: Duration) {
        self.machine.process().drag = each_reading;
    }

    /// Sets the wall clock forward, or back if `by_micros` is negative.
    pub fn set_wall_by(&self, by_micros: i64) {
        let mut process = self.machine.process();
        process.set_by = process.set_by.saturating_add(by_micros);
    }
}

impl Deref for VirtualTime {
    type Target = Clock;

    fn deref(&self) -> &Clock {
        &self.clock
    }
}

impl fmt::Debug for VirtualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clock.fmt(f)
    }
}

impl Machine {
    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::disallowed_methods, reason = "this is a reader of time")]
    fn since_start(&self) -> Duration {
        Instant::now().duration_since(self.started)
    }
}

impl Source for Arc<Machine> {
    fn reading(&self) -> Duration {
        let mut process = self.process();
        let drag = process.drag;
        process.dragged += drag;
        self.since_start() + process.dragged
    }

    fn moment(&self) -> (Duration, WallTime, Duration) {
        let process = self.process();
        let reading = self.since_start() + process.dragged;
        let shown = (self.wall_at_start + reading).as_micros();
        let wall = WallTime::from_micros(shown.saturating_add(process.set_by));
        (reading, wall, reading)
    }

    fn begin(&self) -> Timestamp {
        self.begin
    }

    /// Only [`VirtualTime::stand_still`] makes the process stand still: nothing has to read its clock
    /// again and again.
    fn advance(&self, running: &mut RunningTime, reading: Duration) -> Timestamp {
        running.go_on(reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn virtual_time_moves_both_clocks() {
        let clock = VirtualTime::starting_at(WallTime::from_micros(1_000));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.now(), Timestamp::from_micros(5_000_000));
        assert_eq!(clock.wall(), WallTime::from_micros(5_001_000));
    }

    #[tokio::test(start_paused = true)]
    async fn virtual_time_stands_still_when_told_to() {
        let clock = VirtualTime::starting_at(WallTime::default());
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
        let clock = VirtualTime::starting_at(WallTime::default());
        clock.drag(Duration::from_millis(300));
        let began = clock.now();
        assert_eq!(clock.now().since(began), Duration::from_millis(300));
        clock.drag(Duration::ZERO);
        assert_eq!(clock.now(), clock.now());
    }

    #[tokio::test(start_paused = true)]
    async fn ages_go_by_running_time_when_the_wall_clock_is_set() {
        const DAY_MICROS: i64 = 86_400_000_000;
        let clock = VirtualTime::starting_at(WallTime::from_micros(50 * DAY_MICROS));
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
        let clock = VirtualTime::starting_at(WallTime::default());
        clock.stand_still(Duration::from_secs(100));
        tokio::time::advance(Duration::from_secs(100)).await;
        clock.drag(Duration::from_secs(3));
        let _ = (clock.now(), clock.wall(), clock.now(), clock.wall());
        assert_eq!(clock.last_step(), None);
    }
}
