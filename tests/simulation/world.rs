//! What outlives every orchestrator: the store, the workers, and what they were told.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::time::WallTime;

use crate::faults::FaultyStore;
use crate::history::History;
use crate::worker::{Kind, Worker};

/// The heartbeat timeout of this world; everything else follows from it as in the program.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// How often workers beat, ask and compare.
pub(crate) const INTERVAL: Duration = Duration::from_secs(3);

/// When workers give up on a request.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(3);

const START: WallTime = WallTime::from_micros(1_700_000_000_000_000);

/// What is known of a stream from the answers alone; `None` where an answer was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) exists: Option<bool>,
    pub(crate) enabled: Option<bool>,
    /// A request about it is under way.
    pub(crate) is_changing: bool,
}

/// What happened so far, for the one line a seed is worth.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) lives: u32,
    pub(crate) worker_crashes: u32,
    pub(crate) hangs: u32,
    pub(crate) partitions: u32,
    pub(crate) mass_silences: u32,
    pub(crate) standstills: u32,
    pub(crate) forced_breakers: u32,
    pub(crate) outages: u32,
    pub(crate) actor_panics: u32,
    pub(crate) removals: u32,
    pub(crate) emergencies: u32,
    pub(crate) checks: u32,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rng: fastrand::Rng,
    pub(crate) clock: Clock,
    /// The time when the last runtime ended.
    pub(crate) left_at: WallTime,
    pub(crate) store: FaultyStore,
    pub(crate) workers: Vec<Worker>,
    pub(crate) streams: BTreeMap<i64, Expected>,
    pub(crate) last_stream: i64,
    pub(crate) history: History,
    pub(crate) counters: Counters,
    pub(crate) is_calm: bool,
    /// Whether the orchestrator takes its own standstills for silence of others.
    pub(crate) counts_standstills: bool,
    pub(crate) outage_ends: Option<WallTime>,
    pub(crate) violations: Vec<String>,
}

/// Everybody shares one world, on one thread, and never holds it while waiting.
pub(crate) type Shared = Rc<RefCell<World>>;

impl World {
    /// Must be made within a runtime whose time is paused.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let clock = Clock::of_runtime(START);
        let store = FaultyStore::new(clock.clone(), rng.u64(..));
        let count = rng.usize(2..=7);
        let workers = (0..count)
            .map(|number| {
                let kind = if rng.bool() { Kind::A } else { Kind::B };
                Worker::new(format!("worker-{number}"), kind, rng.u32(1..=8))
            })
            .collect();
        Self {
            rng,
            clock,
            left_at: START,
            store,
            workers,
            streams: BTreeMap::new(),
            last_stream: 0,
            history: History::default(),
            counters: Counters::default(),
            is_calm: false,
            counts_standstills: false,
            outage_ends: None,
            violations: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> WallTime {
        self.clock.wall()
    }

    /// True once in `one_in` times, and never when faults are over.
    pub(crate) fn chance(&mut self, one_in: u32) -> bool {
        !self.is_calm && self.rng.u32(0..one_in) == 0
    }

    pub(crate) fn seconds(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(range.start * 1_000..range.end * 1_000))
    }

    /// Reads the events that are new. Whoever compares anything with them does this first.
    pub(crate) fn follow(&mut self) {
        let new = self.store.events_after(self.history.sequence());
        for stored in new {
            if let Err(violation) = self.history.follow(&stored) {
                self.violations.push(violation);
            }
        }
    }

    pub(crate) fn violation(&mut self, text: String) {
        self.violations.push(text);
    }
}
