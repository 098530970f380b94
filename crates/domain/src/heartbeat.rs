//! The part of a heartbeat in which a worker describes itself. It is shown to operators; of all
//! this only processor and memory use have an effect, on the order in which instances get streams.

use serde::{Deserialize, Serialize};

use super::ids::InstanceId;
use super::time::WallTime;

/// The readings of the worker's machine. A missing reading is unknown, not zero.
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
    /// Returns the same without values that are not numbers: one of the two databases would keep
    /// them, the other not.
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
#[expect(missing_docs, reason = "the names say it")]
pub struct LastBeat {
    pub instance: InstanceId,
    pub at: WallTime,
    /// The worker's own word for its state, up to 64 characters.
    pub reported_status: String,
    /// The number of streams that the worker says it runs.
    pub reported_streams: i64,
}

/// Readings with their instance and their time of arrival.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MetricsRecord {
    pub instance: InstanceId,
    pub recorded_at: WallTime,
    pub metrics: SystemMetrics,
}
