//! What a worker says of itself in a heartbeat.
//!
//! State, number of streams and readings of the machine are believed and shown. Incarnation, version
//! and streams are compared with what is saved: by `lease/`, `reconciliation/` and `release_watch/`.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::digest::StreamsDigest;
use super::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId, Term};
use super::outbox::Keyed;
use super::time::WallTime;

/// A heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// The instance whose worker sends it.
    pub id: InstanceId,
    /// The life that the worker believes to lead, if it says so.
    pub incarnation: Option<Incarnation>,
    /// The last assignment version the worker has, if it says so.
    pub version: Option<AssignmentVersion>,
    /// The streams that the worker runs, if it says so.
    pub streams: Option<ReportedStreams>,
    /// How many streams the worker says it runs.
    pub current_streams: i64,
    /// The state the worker gives itself.
    pub status: Arc<str>,
    /// The readings of its machine.
    pub metrics: Option<SystemMetrics>,
    /// The highest term that the worker has heard of, from any orchestrator.
    pub term: Option<Term>,
    /// Whether the worker's lease has lapsed and it wants to run its set again.
    pub resuming: bool,
    /// How long another orchestrator held it. It counts for silence only: a lease that is granted on the
    /// heartbeat counts from its arrival here.
    pub age: Duration,
}

impl Heartbeat {
    /// A sign of life that says nothing else.
    pub fn of(id: InstanceId) -> Self {
        Self {
            id,
            incarnation: None,
            version: None,
            streams: None,
            current_streams: 0,
            status: "active".into(),
            metrics: None,
            term: None,
            resuming: false,
            age: Duration::ZERO,
        }
    }

    /// The streams that the worker names as running, ascending, if it names them.
    pub fn running(&self) -> Option<&Arc<[StreamId]>> {
        self.streams.as_ref()?.running.as_ref()
    }
}

/// The streams that a worker says it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedStreams {
    /// Their digest.
    pub digest: StreamsDigest,
    /// How many they are.
    pub count: u64,
    /// The streams themselves, ascending, if the worker named them.
    pub running: Option<Arc<[StreamId]>>,
}

impl ReportedStreams {
    /// Of a worker that names them, in any order.
    pub fn listed(mut running: Vec<StreamId>) -> Self {
        running.sort_unstable();
        running.dedup();
        Self {
            digest: StreamsDigest::of(running.iter().copied()),
            count: running.len() as u64,
            running: Some(running.into()),
        }
    }

    /// Of a worker that sends their digest.
    pub const fn counted(digest: StreamsDigest, count: u64) -> Self {
        Self {
            digest,
            count,
            running: None,
        }
    }
}

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

impl Keyed for LastBeat {
    type Key = InstanceId;

    fn key(&self) -> InstanceId {
        self.instance.clone()
    }
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
#[expect(missing_docs, reason = "the names say it")]
pub struct MetricsRecord {
    pub instance: InstanceId,
    pub recorded_at: WallTime,
    pub metrics: SystemMetrics,
}
