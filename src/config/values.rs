//! The values of all settings, one struct a concern.

use std::time::Duration;

use super::access::AccessSettings;
use super::address::BindAddress;
use super::cluster::ClusterSettings;
use super::database::DatabaseSettings;
use super::log::LogSettings;
use super::webhooks::WebhookSettings;
use crate::domain::placement::PlacementSettings;
use crate::domain::settings::{
    BalanceSettings, BreakerSettings, HealthLimits, LivenessThresholds, MassFailureSettings,
    PlannedSettings, QuarantineSettings, RetryPolicy, WorkerLimits,
};
use crate::tls::ServerTls;

/// Every setting, checked one by one and against the others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Config {
    pub server: ServerSettings,
    pub access: AccessSettings,
    pub database: DatabaseSettings,
    /// The thresholds of silence.
    pub liveness: LivenessThresholds,
    /// The limits that workers are given.
    pub worker_limits: WorkerLimits,
    /// How heartbeats are handled beside the thresholds.
    pub heartbeats: HeartbeatSettings,
    pub recovery: RecoverySettings,
    /// What this process is among the orchestrators of its database.
    pub cluster: ClusterSettings,
    /// When silences at the same time are held back.
    pub mass_failure: MassFailureSettings,
    pub planned: PlannedSettings,
    /// Which instance gets a stream.
    pub placement: PlacementSettings,
    /// When a stream whose owners fail is kept away from the fleet.
    pub quarantine: QuarantineSettings,
    pub balance: BalanceSettings,
    /// When the database is only probed.
    pub breaker: BreakerSettings,
    pub health: HealthSettings,
    /// The defaults of a registration.
    pub registration: RegistrationSettings,
    pub retention: RetentionSettings,
    pub metrics: MetricsSettings,
    pub webhooks: WebhookSettings,
    pub log: LogSettings,
}

/// The address of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address at which HTTP is served.
    pub bind_address: BindAddress,
    /// What TLS is spoken with there; none: HTTP without TLS.
    pub tls: Option<ServerTls>,
}

/// How heartbeats are handled beside the thresholds of [`LivenessThresholds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatSettings {
    /// The period of the safety sweep.
    pub check_interval: Duration,
    /// The longest time a heartbeat waits before it is saved.
    pub flush_interval: Duration,
    /// Shown to workers and operators; decides nothing.
    pub max_missed: u32,
}

/// How recoveries are retried, and whether emergencies begin by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RecoverySettings {
    pub retry: RetryPolicy,
    /// Whether an emergency recovery begins by itself.
    pub emergency_enabled: bool,
}

/// How the health of the system is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct HealthSettings {
    /// The longest time between two judgements.
    pub check_interval: Duration,
    /// How long a stream may be without an owner before an alert says so.
    pub waiting_alert_after: Duration,
    pub limits: HealthLimits,
}

/// The defaults of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationSettings {
    /// The `max_streams` of an instance that sends none, 1 to 100,000.
    pub default_max_streams: u32,
}

/// What `/metrics` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Whether it has series of each instance.
    pub per_instance: bool,
}

/// How long records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RetentionSettings {
    /// Failed instances without streams, counted from their failure.
    pub instances: Duration,
    pub metrics: Duration,
    pub events: Duration,
    /// Incidents, counted from their end.
    pub incidents: Duration,
    /// The history of the system's health.
    pub health: Duration,
    /// The most entries of that history.
    pub most_health_rows: u32,
}
