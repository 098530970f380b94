//! The only reader of time.
//!
//! Every other part of the program gets a [`Clock`]. It shows *running time* (see `domain/running_time.rs`) read
//! from the boot-time clock, which goes on while the machine sleeps, so that sleep is seen and
//! subtracted. Tests read it from a virtual machine ([`testing`]).
//!
//! Every reading of the wall clock is noted in a timeline (`domain/timeline.rs`), so that the age of
//! whatever carries a wall time is known although the wall clock jumps.

pub mod testing;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::domain::running_time::RunningTime;
use crate::domain::time::{Timestamp, WallTime};
use crate::domain::timeline::{ClockStep, Recent, StepDetector, Timeline};

/// Shows the time. Clones show the same.
#[derive(Clone)]
pub struct Clock {
    parts: Arc<Parts>,
}

struct Parts {
    source: Box<dyn Source>,
    made: Duration,
    hands: Mutex<Hands>,
}

/// The clocks of a machine.
trait Source: Send + Sync {
    /// What the clock shows that never stands still.
    fn reading(&self) -> Duration;

    /// A reading, the time of day, and a reading again.
    fn moment(&self) -> (Duration, WallTime, Duration);

    /// Running time at a reading, which may end a standstill of the process.
    fn advance(&self, running: &mut RunningTime, reading: Duration) -> Timestamp;
}

/// What running time shows when a process begins: silences that began before it are moments before
/// this one, and no silence that counts is longer.
pub const ONE_DAY: Timestamp = Timestamp::from_micros(86_400_000_000);

/// The machine this process runs on: the process was suspended if two readings are far apart.
struct RealMachine;

impl Source for RealMachine {
    fn reading(&self) -> Duration {
        boot_time()
    }

    fn moment(&self) -> (Duration, WallTime, Duration) {
        (boot_time(), time_of_day(), boot_time())
    }

    fn advance(&self, running: &mut RunningTime, reading: Duration) -> Timestamp {
        running.at(reading)
    }
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
            running: RunningTime::starting_at(reading, grace, ONE_DAY),
            timeline: Timeline::starting_at(ONE_DAY, wall),
            steps: StepDetector::starting_at(reading, wall),
        }
    }
}

/// The process was interrupted between two readings of its clocks if they are further apart. What it
/// read then does not belong together.
const ONE_MOMENT: Duration = Duration::from_millis(50);

impl Clock {
    /// The machine's clocks, starting now; running time stands still for `grace` after each
    /// standstill of the process.
    pub fn real(grace: Duration) -> Self {
        Self::of(RealMachine, grace)
    }

    /// The same, for a process that begins anew without another start: running time and the timeline begin now, and
    /// [`Clock::since_made`] goes on from the clock before.
    pub fn real_after(before: &Self, grace: Duration) -> Self {
        let (_, wall, now) = RealMachine.moment();
        let hands = Hands::starting_at(now, wall, grace);
        Self::made_at(before.parts.made, RealMachine, hands)
    }

    fn of(source: impl Source + 'static, grace: Duration) -> Self {
        let (_, wall, made) = source.moment();
        let hands = Hands::starting_at(made, wall, grace);
        Self::made_at(made, source, hands)
    }

    fn made_at(made: Duration, source: impl Source + 'static, hands: Hands) -> Self {
        Self {
            parts: Arc::new(Parts {
                source: Box::new(source),
                made,
                hands: Mutex::new(hands),
            }),
        }
    }

    /// Notes that no heartbeat can arrive from now on: running time stands still, and no deadline runs out.
    pub fn stop_listening(&self) {
        self.now();
        self.hands(|hands| hands.running.stop_listening());
    }

    /// Instances can be heard from now on; running time goes on after a grace.
    pub fn start_listening(&self) {
        self.now();
        self.hands(|hands| hands.running.start_listening());
    }

    /// The time for waits of callers: it goes on while the program closes and no new heartbeat is heard.
    /// Never to be compared with running time.
    pub fn awake(&self) -> Timestamp {
        self.now();
        self.hands(|hands| hands.running.awake())
    }

    /// How long ago the clock was made, whatever the process did meanwhile.
    pub fn since_made(&self) -> Duration {
        let reading = self.parts.source.reading();
        reading.saturating_sub(self.parts.made)
    }

    fn hands<T>(&self, look: impl FnOnce(&mut Hands) -> T) -> T {
        let hands = self.parts.hands.lock();
        look(&mut hands.unwrap_or_else(PoisonError::into_inner))
    }

    /// Running time.
    pub fn now(&self) -> Timestamp {
        let source = &self.parts.source;
        // Read inside the lock: readings then arrive in order.
        self.hands(|hands| source.advance(&mut hands.running, source.reading()))
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
    pub fn wall(&self) -> WallTime {
        let source = &self.parts.source;
        self.hands(|hands| {
            let (before, wall, reading) = source.moment();
            let now = source.advance(&mut hands.running, reading);
            hands.timeline.note(now, wall);
            if reading.saturating_sub(before) < ONE_MOMENT {
                hands.steps.note(reading, wall);
            }
            wall
        })
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

    #[test]
    fn real_time_moves_forward_from_one_day() {
        let clock = Clock::real(Duration::from_secs(1));
        let first = clock.now();
        assert!(first >= ONE_DAY && first < ONE_DAY + Duration::from_secs(60));
        assert!(clock.now() >= first);
        assert!(clock.wall() > WallTime::from_micros(1_700_000_000_000_000));
    }

    #[test]
    fn steady_time_goes_on_where_running_time_begins_anew() {
        let before = Clock::real(Duration::from_secs(1));
        before.stop_listening();
        let steady = before.since_made();
        let after = Clock::real_after(&before, Duration::from_secs(1));
        assert!(after.since_made() >= steady);
        assert!(after.since_made() <= before.since_made());
        let running = after.now();
        assert!(running >= ONE_DAY && running < ONE_DAY + Duration::from_secs(60));
        assert!(after.now() >= running);
    }
}
