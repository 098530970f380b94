//! The values of all settings, one struct a concern.

use std::time::Duration;

use super::address::BindAddress;
use super::database::DatabaseSettings;
use super::log::LogSettings;
use crate::domain::settings::{
    BreakerSettings, HealthLimits, LivenessThresholds, MassFailureSettings, RetryPolicy,
    WorkerLimits,
};

/// Everything that was set, checked one by one and against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the program is reached.
    pub server: ServerSettings,
    /// Where the fleet is kept.
    pub database: DatabaseSettings,
    /// When silence means lateness, failure, emergency.
    pub liveness: LivenessThresholds,
    /// What workers are told about their own clocks.
    pub worker_limits: WorkerLimits,
    /// How heartbeats are handled beside the thresholds.
    pub heartbeats: HeartbeatSettings,
    /// How hard recoveries are tried.
    pub recovery: RecoverySettings,
    /// When silences that come together are held back.
    pub mass_failure: MassFailureSettings,
    /// When the database is left alone.
    pub breaker: BreakerSettings,
    /// How the program watches the whole.
    pub health: HealthSettings,
    /// What an instance gets that does not say.
    pub registration: RegistrationSettings,
    /// How long things are remembered.
    pub retention: RetentionSettings,
    /// What is written to the log.
    pub log: LogSettings,
}

/// Where the program is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address HTTP is served on.
    pub bind_address: BindAddress,
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

/// How hard recoveries are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoverySettings {
    /// How often and how soon again.
    pub retry: RetryPolicy,
    /// Whether an emergency is acted upon without being asked.
    pub emergency_enabled: bool,
}

/// How the program watches the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthSettings {
    /// The period at which the system's health is judged.
    pub check_interval: Duration,
    /// When it is less than healthy.
    pub limits: HealthLimits,
}

/// What an instance gets that does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationSettings {
    /// Streams an instance may hold, 1 to 100,000.
    pub default_max_streams: u32,
}

/// How long things are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Failed instances without streams, counted from their failure.
    pub instances: Duration,
    /// Metrics reported by workers.
    pub metrics: Duration,
    /// The audit trail.
    pub events: Duration,
    /// Incidents, counted from their end.
    pub incidents: Duration,
    /// The history of the system's health.
    pub health: Duration,
    /// Points of that history at the most.
    pub most_health_rows: u32,
}
