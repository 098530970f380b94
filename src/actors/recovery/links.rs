//! What the RecoveryActor works with, and the numbers it goes by.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use tokio::sync::Semaphore;

use crate::actors::alerts::Alerts;
use crate::actors::archive::StoreReader;
use crate::actors::db_breaker::StoreGate;
use crate::actors::event_outbox::EventOutbox;
use crate::actors::fatal::FatalSender;
use crate::actors::fleet::FleetActor;
use crate::actors::leadership::WitnessReader;
use crate::actors::registry::{Entry, Registry};
use crate::actors::supervisor::Supervisor;
use crate::actors::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::lease::{Lease, lease};
use crate::domain::settings::{LivenessThresholds, MassFailureSettings, RetryPolicy};
use crate::domain::time::{Timestamp, WallTime};

/// What the RecoveryActor works with.
#[derive(Debug, Clone)]
pub struct RecoveryLinks {
    pub(in crate::actors) clock: Clock,
    pub(in crate::actors) registry: Arc<Registry>,
    pub(in crate::actors) fleet: Addr<FleetActor>,
    pub(in crate::actors) event_outbox: Addr<EventOutbox>,
    pub(in crate::actors) supervisor: Addr<Supervisor>,
    pub(in crate::actors) gate: Arc<StoreGate>,
    pub(in crate::actors) archive: StoreReader,
    pub(in crate::actors) telemetry: Arc<Telemetry>,
    pub(in crate::actors) alerts: Alerts,
    pub(in crate::actors) fatal: FatalSender,
    /// Lets one check of the invariants at a time read the whole store.
    pub(in crate::actors) checks: Arc<Semaphore>,
    /// What other orchestrators heard.
    pub(in crate::actors) witnesses: WitnessReader,
    /// What is added to a lease for clocks that drift.
    pub(in crate::actors) lease_margin: Duration,
}

/// The numbers it goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoverySettings {
    /// When silence is lateness and failure.
    pub thresholds: LivenessThresholds,
    /// How soon what could not be saved is tried again.
    pub retry: RetryPolicy,
    /// Whether an emergency is acted upon without being asked.
    pub emergency_enabled: bool,
    /// When silences that come together are held back.
    pub mass_failure: MassFailureSettings,
    /// The period of the safety sweep.
    pub sweep_interval: Duration,
    /// After how long a failed instance without streams is forgotten.
    pub instance_retention: Duration,
    /// Seeds the jitter of the retries.
    pub jitter_seed: u64,
}

impl RecoveryLinks {
    /// Returns whether a worker may still run the exclusive streams of an instance.
    pub(super) fn lease_of(&self, entry: &Entry) -> Lease {
        let now = self.clock.now();
        lease(
            &entry.standing(),
            entry.granted_until(),
            self.lease_margin,
            now,
        )
    }

    /// A moment on running time as it will be shown.
    pub(super) fn shown(&self, moment: Timestamp) -> WallTime {
        self.clock.wall() + moment.since(self.clock.now())
    }
}
