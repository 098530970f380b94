//! `POST /heartbeat`.

use std::sync::Arc;
use std::time::Duration;

use super::collections::{StreamIds, Triple, inner};
use super::limits::MAX_SAFE_INTEGER;
use super::request::request;
use super::rules::{
    assignment_version, digest, flag, incarnation, integer, number, server_id, text,
};
use crate::domain::digest::StreamsDigest;
use crate::domain::heartbeat::{Heartbeat, ReportedStreams, SystemMetrics};
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId, Term};

request! {
    /// What a worker reports about itself, regularly.
    pub(in crate::http) struct HeartbeatRequest {
        /// Name of the instance, 1 to 128 characters.
        server_id: InstanceId = server_id(),
        /// Number of streams the worker runs, from 0.
        current_streams: i64 = integer(0..=MAX_SAFE_INTEGER, |number| number),
        /// The worker's own word for its state, up to 64 characters; shown only. `active` if
        /// absent.
        status: Option<Arc<str>> = text(0..=64),
        /// Readings of the worker's machine; shown, and considered by placement.
        system_metrics: Option<MetricsEntry> = inner(),
        /// Incarnation from the answer to the worker's registration, from 0. Only a worker that sends
        /// it is granted a lease.
        incarnation: Option<Incarnation> = incarnation(),
        /// Last assignment version the worker has, from 0. If it is not the current one, the answer
        /// holds the changes since.
        assignment_version: Option<AssignmentVersion> = assignment_version(),
        /// Ids of all streams the worker runs, at most 100,000. Takes precedence over the digest.
        streams: Option<Vec<StreamId>> = StreamIds,
        /// Digest of all streams the worker runs: 16 lower-case hexadecimal digits.
        streams_digest: Option<StreamsDigest> = digest(),
        /// Highest `term` the worker has heard of in any answer, from 0.
        term: Option<Term> = integer(0..=MAX_SAFE_INTEGER, Term::new),
        /// Whether the worker's lease has lapsed and it wants to run its streams again.
        resuming: Option<bool> = flag(),
    }
}

request! {
    /// Readings of a worker's machine. A missing reading is unknown, not zero.
    pub(in crate::http) struct MetricsEntry {
        /// Processor use, in percent.
        cpu_percent: Option<f64> = number(),
        /// Memory use, in percent.
        memory_percent: Option<f64> = number(),
        /// Memory in use, in gigabytes.
        memory_used_gb: Option<f64> = number(),
        /// Memory there is, in gigabytes.
        memory_total_gb: Option<f64> = number(),
        /// Disk use, in percent.
        disk_percent: Option<f64> = number(),
        /// Free disk space, in gigabytes.
        disk_free_gb: Option<f64> = number(),
        /// Disk space there is, in gigabytes.
        disk_total_gb: Option<f64> = number(),
        /// Load averages over 1, 5 and 15 minutes: exactly 3 numbers.
        load_average: Option<[f64; 3]> = Triple,
        /// Seconds since the machine started.
        uptime_seconds: Option<f64> = number(),
    }
}

impl From<HeartbeatRequest> for Heartbeat {
    fn from(request: HeartbeatRequest) -> Self {
        let count = request.current_streams.unsigned_abs();
        let digest = request.streams_digest;
        // The streams themselves count for more than a digest.
        let listed = request.streams.map(ReportedStreams::listed);
        let streams = listed.or(digest.map(|digest| ReportedStreams::counted(digest, count)));
        Self {
            id: request.server_id,
            incarnation: request.incarnation,
            version: request.assignment_version,
            streams,
            current_streams: request.current_streams,
            status: request.status.unwrap_or_else(|| "active".into()),
            metrics: request.system_metrics.map(SystemMetrics::from),
            term: request.term,
            resuming: request.resuming.unwrap_or(false),
            age: Duration::ZERO,
        }
    }
}

impl From<MetricsEntry> for SystemMetrics {
    fn from(entry: MetricsEntry) -> Self {
        Self {
            cpu_percent: entry.cpu_percent,
            memory_percent: entry.memory_percent,
            memory_used_gb: entry.memory_used_gb,
            memory_total_gb: entry.memory_total_gb,
            disk_percent: entry.disk_percent,
            disk_free_gb: entry.disk_free_gb,
            disk_total_gb: entry.disk_total_gb,
            load_average: entry.load_average,
            uptime_seconds: entry.uptime_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_streams_count_for_more_than_a_digest() {
        let ids = || vec![StreamId::new(2), StreamId::new(1), StreamId::new(2)];
        let digest = StreamsDigest::of([StreamId::new(9)]);
        let listed = Some(ReportedStreams::listed(ids()));
        let counted = Some(ReportedStreams::counted(digest, 7));
        for (streams, digest, expected) in [
            (Some(ids()), Some(digest), listed.clone()),
            (Some(ids()), None, listed),
            (None, Some(digest), counted),
            (None, None, None),
        ] {
            let request = HeartbeatRequest {
                server_id: "a".into(),
                current_streams: 7,
                status: None,
                system_metrics: None,
                incarnation: None,
                assignment_version: None,
                streams,
                streams_digest: digest,
                term: None,
                resuming: None,
            };
            assert_eq!(Heartbeat::from(request).streams, expected);
        }
    }
}
