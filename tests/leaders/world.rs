//! What everybody shares: true time, the database, the orchestrators and the workers.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::leadership::LeadershipLimits;
use resilient_orchestrator::domain::settings::{LivenessThresholds, WorkerLimits};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{MemoryStore, Store};

use crate::database::Truth;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::scene::Scene;
use crate::watch::Watch;
use crate::worker::Worker;

/// The heartbeat timeout of this world; everything else follows from it as in the program.
const TIMEOUT: Duration = Duration::from_secs(30);

/// For how long an orchestrator goes on without the database, if no other one takes over.
pub(crate) const HORIZON: Duration = Duration::from_secs(40);

const START: WallTime = WallTime::from_micros(1_700_000_000_000_000);

pub(crate) fn thresholds() -> LivenessThresholds {
    LivenessThresholds::from_timeout(TIMEOUT)
}

/// What workers are told of their limits.
pub(crate) fn limits() -> WorkerLimits {
    WorkerLimits::from_thresholds(&thresholds())
}

pub(crate) fn leadership_limits() -> LeadershipLimits {
    LeadershipLimits::from_timeout(TIMEOUT)
}

/// What happened so far, for the one line a seed is worth.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) kills: u32,
    pub(crate) stops: u32,
    pub(crate) cuts: u32,
    pub(crate) outages: u32,
    /// Answers of members to a leader without a database: all of them, and those that confirm it.
    pub(crate) asked: u32,
    pub(crate) confirmed: u32,
    pub(crate) releases: u32,
    pub(crate) hand_overs: u32,
    /// Fleets that were read ahead and used.
    pub(crate) ahead: u32,
    pub(crate) orders: u32,
    pub(crate) moves: u32,
    pub(crate) crashes: u32,
    pub(crate) withheld: u32,
    pub(crate) stale: u32,
    pub(crate) failures: u32,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) rng: fastrand::Rng,
    /// True time.
    pub(crate) clock: VirtualTime,
    pub(crate) database: MemoryStore,
    pub(crate) truth: Truth,
    pub(crate) nodes: Vec<Node>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) oracle: Oracle,
    pub(crate) watch: Watch,
    pub(crate) counters: Counters,
    pub(crate) violations: Vec<String>,
    /// Whether no orchestrator reaches another one.
    pub(crate) are_members_apart: bool,
    /// The ways from one orchestrator to another one that are cut.
    pub(crate) cut_ways: BTreeSet<(usize, usize)>,
    /// How many of a thousand messages are late; half as many are lost.
    pub(crate) roughness: u32,
    pub(crate) is_calm: bool,
}

/// Everybody shares one world, on one thread, and never holds it while waiting.
pub(crate) type Shared = Rc<RefCell<World>>;

impl World {
    /// Must be made within a runtime whose time is paused.
    pub(crate) fn new(scene: Scene) -> Self {
        let mut rng = fastrand::Rng::with_seed(scene.seed);
        let clock = VirtualTime::starting_at(START);
        let there = scene.orchestrators;
        let nodes = (0..there).map(|number| Node::new(number, &mut rng));
        let nodes = nodes.collect();
        let count = rng.usize(2..=4);
        let workers = (0..count).map(|number| Worker::new(number, there, &mut rng, START));
        Self {
            scene,
            nodes,
            workers: workers.collect(),
            clock,
            rng,
            database: MemoryStore::new(),
            truth: Truth::default(),
            oracle: Oracle::default(),
            watch: Watch::default(),
            counters: Counters::default(),
            violations: Vec::new(),
            are_members_apart: false,
            cut_ways: BTreeSet::new(),
            roughness: 0,
            is_calm: false,
        }
    }

    /// The streams that the database has, ascending.
    pub(crate) fn streams(&self) -> Vec<i64> {
        let loaded = self.database.load_guarded().now_or_never();
        let (_, saved) = loaded
            .and_then(Result::ok)
            .expect("the memory store answers");
        let streams = saved.streams.iter();
        streams.map(|(stream, _)| stream.id.get()).collect()
    }

    pub(crate) fn now(&self) -> WallTime {
        self.clock.wall()
    }

    /// True once in `one_in` times, and never when faults are over.
    pub(crate) fn chance(&mut self, one_in: u32) -> bool {
        !self.is_calm && self.rng.u32(0..one_in) == 0
    }

    pub(crate) fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(range))
    }

    /// What was found wrong so far.
    pub(crate) fn collect(&mut self) -> Result<(), String> {
        self.violations.append(&mut self.watch.violations);
        self.violations.extend(self.truth.disorder());
        for node in &self.nodes {
            self.oracle.gather(node.committed());
        }
        let judged = self.oracle.judge();
        self.counters.failures += judged.failures;
        self.violations.extend(judged.violations);
        self.violations.first().cloned().map_or(Ok(()), Err)
    }
}
