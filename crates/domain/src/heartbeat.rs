//! What a worker says of itself in a heartbeat. Believed about itself only: shown, never a
//! ground for decisions.

use serde::{Deserialize, Serialize};

use super::ids::{InstanceId, Term};
use super::time::WallTime;

/// The machine's own readings. Whatever a worker leaves out is unknown, not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemMetrics {
    /// Processor use, in percent.
    pub cpu_percent: Option<f64>,
    /// Memory use, in percent.
    pub memory_percent: Option<f64>,
    /// Memory in use, in gigabytes.
    pub memory_used_gb: Option<f64>,
    /// Memory there is, in gigabytes.
    pub memory_total_gb: Option<f64>,
    /// Disk use, in percent.
    pub disk_percent: Option<f64>,
    /// Free disk space, in gigabytes.
    pub disk_free_gb: Option<f64>,
    /// Disk space there is, in gigabytes.
    pub disk_total_gb: Option<f64>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load_average: Option<[f64; 3]>,
    /// Seconds since the machine started.
    pub uptime_seconds: Option<f64>,
}

impl SystemMetrics {
    /// The same without what is no number: of two databases one keeps it, and the other does not.
    #[must_use]
    pub fn finite(self) -> Self {
        let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
        let all = |numbers: &[f64; 3]| numbers.iter().all(|number| number.is_finite());
        Self {
            cpu_percent: finite(self.cpu_percent),
            memory_percent: finite(self.memory_percent),
            memory_used_gb: finite(self.memory_used_gb),
            memory_total_gb: finite(self.memory_total_gb),
            disk_percent: finite(self.disk_percent),
            disk_free_gb: finite(self.disk_free_gb),
            disk_total_gb: finite(self.disk_total_gb),
            load_average: self.load_average.filter(all),
            uptime_seconds: finite(self.uptime_seconds),
        }
    }
}

/// The last heartbeat of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastBeat {
    /// Whose.
    pub instance: InstanceId,
    /// When it arrived.
    pub at: WallTime,
    /// The state the worker gave itself, up to 64 characters.
    pub reported_status: String,
    /// How many streams the worker said it runs.
    pub reported_streams: i64,
}

/// Up to when the saved last heartbeats are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeatWatermark {
    /// The life of the orchestrator that heard them.
    pub term: Term,
    /// Every heartbeat heard up to this moment is among the saved ones. The moment and the times of
    /// those heartbeats are of one clock, so their difference is an age.
    pub through: WallTime,
}

/// Metrics with whose they are and when they arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsRecord {
    /// Whose.
    pub instance: InstanceId,
    /// When.
    pub recorded_at: WallTime,
    /// The readings.
    pub metrics: SystemMetrics,
}
