//! What outlives every orchestrator: the store, the workers, and what they were told.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::fleet::Fleet;
use resilient_orchestrator::domain::time::WallTime;

use resilient_orchestrator::store::Guard;

use crate::faults::FaultyStore;
use crate::history::History;
use crate::leased::Host;
use crate::scene::{Scene, Weather};
use crate::watch::{MOST_STREAMS, Watch};
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
    pub(crate) moves: u32,
    pub(crate) wakings: u32,
    pub(crate) endings: u32,
    pub(crate) copies: u32,
    pub(crate) checks: u32,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) rng: fastrand::Rng,
    pub(crate) clock: VirtualTime,
    /// The time when the last runtime ended.
    pub(crate) left_at: WallTime,
    pub(crate) store: FaultyStore,
    pub(crate) workers: Vec<Worker>,
    pub(crate) streams: BTreeMap<i64, Expected>,
    pub(crate) last_stream: i64,
    pub(crate) history: History,
    pub(crate) counters: Counters,
    pub(crate) watch: Watch,
    /// The fleet as it was last checked.
    pub(crate) fleet: Fleet,
    /// What was acknowledged and stored then, if nothing was under way.
    pub(crate) checked: Option<(u64, Guard)>,
    pub(crate) names: Vec<String>,
    /// How many of a thousand messages are late; half as many are lost.
    pub(crate) roughness: u32,
    pub(crate) is_calm: bool,
    pub(crate) outage_ends: Option<WallTime>,
    pub(crate) violations: Vec<String>,
}

/// Everybody shares one world, on one thread, and never holds it while waiting.
pub(crate) type Shared = Rc<RefCell<World>>;

impl World {
    /// Must be made within a runtime whose time is paused.
    pub(crate) fn new(scene: Scene) -> Self {
        let mut rng = fastrand::Rng::with_seed(scene.seed);
        let clock = VirtualTime::starting_at(START);
        let store = FaultyStore::new(clock.clock(), rng.u64(..));
        let count = rng.usize(2..=7);
        // Some worlds are all classic, some all leased, most are mixed.
        let leased_in_eight = match scene.weather {
            Weather::Foul | Weather::Fair | Weather::OneIsBroken => {
                [0, 4, 6, 8, 8][rng.usize(0..5)]
            }
            Weather::AtTheEdge => 8,
        };
        let workers: Vec<Worker> = (0..count)
            .map(|number| {
                let kind = match (rng.u32(0..8) < leased_in_eight, rng.bool()) {
                    (true, _) => Kind::Leased,
                    (false, false) if !scene.is_fair() => Kind::B,
                    (false, _) => Kind::A,
                };
                let max = rng.u32(1..=MOST_STREAMS);
                let mut worker = Worker::new(format!("worker-{number}"), kind, max);
                if kind == Kind::Leased {
                    worker.host = Some(Host::new(&mut rng, scene.weather, START));
                }
                worker
            })
            .collect();
        let names = (0..count).map(|number| format!("worker-{number}"));
        let names = names.collect();
        Self {
            scene,
            rng,
            clock,
            left_at: START,
            store,
            workers,
            streams: BTreeMap::new(),
            last_stream: 0,
            history: History::default(),
            counters: Counters::default(),
            watch: Watch::default(),
            fleet: Fleet::default(),
            checked: None,
            names,
            roughness: 0,
            is_calm: false,
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

    /// What was found wrong so far.
    pub(crate) fn collect(&mut self) -> Result<(), String> {
        self.violations.append(&mut self.watch.violations);
        self.violations.first().cloned().map_or(Ok(()), Err)
    }

    pub(crate) fn violation(&mut self, text: String) {
        self.violations.push(text);
    }
}
