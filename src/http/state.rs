//! The state that every handler can reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::answer::Told;
use super::cluster_figures::ClusterFigures;
use super::connection::ClientLimits;
use super::gauges::FleetGauges;
use super::instance_series::InstanceSeries;
use super::kept::{Figures, FleetCache};
use super::problem::Problem;
use crate::actors::orchestrator::Orchestrator;
use crate::domain::leadership::SteadyTime;
use crate::domain::settings::{LivenessThresholds, WorkerLimits};
use crate::domain::time::WallTime;

/// The settings that handlers need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpSettings {
    /// The `max_streams` of an instance that does not send one.
    pub default_max_streams: u32,
    /// The limits that workers are given.
    pub worker_limits: WorkerLimits,
    /// The thresholds of silence; shown.
    pub thresholds: LivenessThresholds,
    /// The period of the safety sweep; shown.
    pub check_interval: Duration,
    /// Shown to workers and operators; decides nothing.
    pub max_missed_heartbeats: u32,
    /// Whether `/metrics` has series of each instance.
    pub metrics_per_instance: bool,
    /// How many requests are answered at once.
    pub limits: RequestLimits,
    /// How long the program waits for clients.
    pub client: ClientLimits,
}

/// How many requests of a kind may be under way at once; more are answered 503. Heartbeats and
/// probes have no limit: they cost next to nothing, and refusing them does harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Requests that change something. They wait for the store and are saved together, so many of
    /// them cost little more than a few; a whole fleet may register at once.
    pub writes: usize,
    /// Requests that read one thing.
    pub reads: usize,
    /// Requests that read lists, each of which may be as long as the fleet is large.
    pub lists: usize,
    /// Long polls. Each costs memory and a connection, and nothing else: twice as many as a large
    /// fleet has workers.
    pub polls: usize,
    /// Readers that follow events. Each costs as much as a poll while nothing happens, and a text for each
    /// event otherwise.
    pub followers: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            writes: 12_000,
            reads: 2_000,
            lists: 32,
            polls: 20_000,
            followers: 1_000,
        }
    }
}

/// How many followers read older events from the store at once; the others wait for their turn. All of
/// them come back together when the program was started again.
const MAX_CATCHING_UP: usize = 4;

/// How many consistency checks are under way at once: each holds a whole fleet in memory.
const MAX_CHECKS: usize = 2;

/// A kind of request that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// Changes something.
    Write,
    /// Reads one thing.
    Read,
    /// Reads a list.
    List,
    /// Reads the whole fleet.
    Check,
    /// Waits for a change.
    Poll,
}

/// Whether this program wants traffic. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Creates the state "not ready".
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether traffic is wanted.
    pub fn set(&self, is_ready: bool) {
        self.0.store(is_ready, Ordering::Release);
    }

    /// Returns whether traffic is wanted.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The state that every handler can reach. Clones are the same.
#[derive(Debug, Clone)]
pub struct AppState {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    orchestrator: Orchestrator,
    settings: HttpSettings,
    readiness: Readiness,
    gauges: FleetGauges,
    registry: Registry,
    writes: Semaphore,
    reads: Semaphore,
    lists: Semaphore,
    checks: Semaphore,
    polls: Semaphore,
    followers: Arc<Semaphore>,
    catching_up: Semaphore,
    scrapes: Semaphore,
    figures: Figures,
    fleet_cache: FleetCache,
}

impl AppState {
    /// Creates the state of a running system. `registry` is the one in which its telemetry was
    /// registered; the gauges of the fleet are added to it.
    pub fn new(
        orchestrator: Orchestrator,
        settings: HttpSettings,
        readiness: Readiness,
        mut registry: Registry,
    ) -> Self {
        let prover = orchestrator.prover().clone();
        let cluster = ClusterFigures::new(orchestrator.cluster().clone(), Some(prover));
        let gauges = FleetGauges::new(&mut registry, cluster);
        if settings.metrics_per_instance {
            let series = InstanceSeries::new(orchestrator.clone());
            registry.register_collector(Box::new(series));
        }
        let limits = settings.limits;
        Self {
            shared: Arc::new(Shared {
                orchestrator,
                settings,
                readiness,
                gauges,
                registry,
                writes: Semaphore::new(limits.writes),
                reads: Semaphore::new(limits.reads),
                lists: Semaphore::new(limits.lists),
                checks: Semaphore::new(MAX_CHECKS.min(limits.lists)),
                polls: Semaphore::new(limits.polls),
                followers: Arc::new(Semaphore::new(limits.followers)),
                catching_up: Semaphore::new(MAX_CATCHING_UP),
                scrapes: Semaphore::new(1),
                figures: Figures::default(),
                fleet_cache: FleetCache::default(),
            }),
        }
    }

    /// Returns the running system.
    pub fn orchestrator(&self) -> &Orchestrator {
        &self.shared.orchestrator
    }

    /// Returns the settings.
    pub fn settings(&self) -> &HttpSettings {
        &self.shared.settings
    }

    /// Returns the readiness.
    pub fn readiness(&self) -> &Readiness {
        &self.shared.readiness
    }

    /// Returns since when answers come from memory alone.
    pub(super) fn stale_since(&self) -> Option<WallTime> {
        self.orchestrator().store_gate().stale_since()
    }

    /// Returns since when an answer to a worker may be stale because another orchestrator may lead;
    /// none if it is proven that none did when the request came.
    pub(super) async fn unproven_since(&self, came: SteadyTime) -> Option<WallTime> {
        let orchestrator = self.orchestrator();
        let prover = orchestrator.prover();
        match prover.after(came).await {
            Ok(_proof) => None,
            Err(_) => Some(orchestrator.clock().wall() - prover.age()),
        }
    }

    /// Returns an answer that says so if it comes from memory alone.
    pub(super) fn told<T>(&self, answer: T) -> Told<T> {
        Told::new(answer, self.stale_since())
    }

    /// Returns how many long polls wait.
    pub(super) fn polls_waiting(&self) -> usize {
        let free = self.shared.polls.available_permits();
        self.shared.settings.limits.polls.saturating_sub(free)
    }

    /// Admits a follower of events until the permit is dropped, which its answer holds.
    ///
    /// # Errors
    /// Returns 503 if there are too many.
    pub(super) fn admit_follower(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let followers = self.shared.followers.clone();
        followers.try_acquire_owned().map_err(|_| self.shed())
    }

    /// Returns when a follower may read older events, until the permit is dropped; `None` never comes
    /// while the state exists.
    pub(super) async fn turn_to_catch_up(&self) -> Option<SemaphorePermit<'_>> {
        self.shared.catching_up.acquire().await.ok()
    }

    /// Returns when a scrape may ask for the figures of the fleet, until the permit is dropped: one at a
    /// time, so that scrapes are never many in the FleetActor's mailbox.
    pub(super) async fn turn_to_scrape(&self) -> Option<SemaphorePermit<'_>> {
        self.shared.scrapes.acquire().await.ok()
    }

    /// Counts a request that is refused.
    fn shed(&self) -> Problem {
        self.orchestrator().telemetry().requests_shed.inc();
        Problem::overloaded()
    }

    pub(super) fn figures(&self) -> &Figures {
        &self.shared.figures
    }

    pub(super) fn fleet_cache(&self) -> &FleetCache {
        &self.shared.fleet_cache
    }

    pub(super) fn gauges(&self) -> &FleetGauges {
        &self.shared.gauges
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// Refuses what would make a worker start streams, while none is started after a loss of the database.
    pub(super) fn may_start(&self) -> Result<(), Problem> {
        match self.orchestrator().frozen_for() {
            Some(left) => Err(Problem::starts_nothing(left)),
            None => Ok(()),
        }
    }

    /// Admits a request until the permit is dropped. It is called once the body is there, so that
    /// slow senders take no permit.
    ///
    /// # Errors
    /// Returns 503 if too many of its kind are under way.
    pub(super) fn admit(&self, load: Load) -> Result<SemaphorePermit<'_>, Problem> {
        let semaphore = match load {
            Load::Write => &self.shared.writes,
            Load::Read => &self.shared.reads,
            Load::List => &self.shared.lists,
            Load::Check => &self.shared.checks,
            Load::Poll => &self.shared.polls,
        };
        semaphore.try_acquire().map_err(|_| self.shed())
    }
}
