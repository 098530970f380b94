//! The requests of a worker besides heartbeats.

use std::collections::BTreeMap;
use std::time::Duration;

use super::collections::{Epochs, Labels, StreamIds};
use super::limits::{LONGEST_INTERVAL, MAX_SAFE_INTEGER};
use super::reading::{Record, Refused};
use super::request::request;
use super::rules::{flag, incarnation, integer, interval, server_id, text};
use crate::domain::commands::{AssignStreams, RegisterInstance, ReleaseStreams};
use crate::domain::ids::{Epoch, Incarnation, InstanceId, StreamId};
use crate::domain::masked_url::with_masked_urls;
use crate::domain::queries::Diagnose;
use crate::domain::returns::LONGEST_REASON;

/// How many streams an instance may own at most.
const MAX_STREAMS: i64 = 100_000;

/// The greatest sum of weights of the streams of an instance.
const MAX_CAPACITY: i64 = 1_000_000_000;

/// How many streams a worker gets that does not say how many it requests.
const DEFAULT_REQUESTED: i64 = 20;

request! {
    /// `POST /register`: a worker registers.
    pub(in crate::http) struct RegisterRequest {
        /// Name of the instance, 1 to 128 characters.
        server_id: InstanceId = server_id(),
        /// Address of the worker, 1 to 255 characters; shown only.
        ip: String = text(1..=255),
        /// Port of the worker, 1 to 65,535; shown only.
        port: u16 = integer(1..=65_535, |port| u16::try_from(port).unwrap_or(u16::MAX)),
        /// Number of streams the instance can hold, 1 to 100,000. `DEFAULT_MAX_STREAMS` if absent.
        max_streams: Option<u32> =
            integer(1..=MAX_STREAMS, |most| u32::try_from(most).unwrap_or(u32::MAX)),
        /// Sum of the weights of the streams the instance can hold, 1 to 1,000,000,000; not limited if
        /// absent.
        capacity: Option<u32> =
            integer(1..=MAX_CAPACITY, |most| u32::try_from(most).unwrap_or(u32::MAX)),
        /// Texts by name: at most 64, names of 1 to 128 characters, values of up to 512.
        labels: Option<BTreeMap<String, String>> = Labels,
        /// Time between two heartbeats, as the worker wants it: seconds as a number, or a text like
        /// `15s`, from 1ms to 1day.
        heartbeat_interval: Option<Duration> = interval(LONGEST_INTERVAL),
        /// Whether streams are assigned to the instance without a request for them. `false` if absent.
        auto_assign: Option<bool> = flag(),
    }
}

impl RegisterRequest {
    /// Returns the command; an instance without `max_streams` gets `default_max_streams`.
    pub(in crate::http) fn command(self, default_max_streams: u32) -> RegisterInstance {
        RegisterInstance {
            id: self.server_id,
            ip: self.ip,
            port: self.port,
            max_streams: self.max_streams.unwrap_or(default_max_streams),
            capacity: self.capacity,
            labels: self.labels.unwrap_or_default(),
            heartbeat_interval: self.heartbeat_interval,
            auto_assign: self.auto_assign.unwrap_or(false),
        }
    }
}

request! {
    /// `POST /streams/assign`: a worker requests streams.
    pub(in crate::http) struct AssignRequest {
        /// Name of the instance, 1 to 128 characters.
        server_id: InstanceId = server_id(),
        /// Incarnation from the answer to the worker's registration, from 0.
        incarnation: Option<Incarnation> = incarnation(),
        /// Number of streams the worker wants, an integer; 0 or less requests none. 20 if absent.
        requested_count: Option<i64> =
            integer(-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER, |number| number),
    }
}

impl From<AssignRequest> for AssignStreams {
    fn from(request: AssignRequest) -> Self {
        Self {
            id: request.server_id,
            incarnation: request.incarnation,
            requested: request.requested_count.unwrap_or(DEFAULT_REQUESTED).max(0),
        }
    }
}

request! {
    /// `POST /streams/release`: a worker gives streams back.
    pub(in crate::http) struct ReleaseRequest {
        /// Name of the instance, 1 to 128 characters.
        server_id: InstanceId = server_id(),
        /// Incarnation from the answer to the worker's registration, from 0.
        incarnation: Option<Incarnation> = incarnation(),
        /// Ids of the streams, at most 100,000; may be empty.
        stream_ids: Vec<StreamId> = StreamIds,
        /// The epoch under which the worker has each of the streams, in their order. A stream with another epoch
        /// is left out: it was assigned again meanwhile. Workers that hold epochs send them.
        epochs: Option<Vec<Epoch>> = Epochs,
        /// Why the worker gives them back, up to 512 characters. Shown with its URLs masked.
        reason: Option<String> = text(0..=LONGEST_REASON),
    }
    check one_epoch_each
}

fn one_epoch_each(draft: &<ReleaseRequest as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    if let (Some(Ok(streams)), Some(Ok(epochs))) = (&draft.stream_ids, &draft.epochs)
        && streams.len() != epochs.len()
    {
        let (count, wanted) = (epochs.len(), streams.len());
        refused.note(
            "epochs",
            format!(
                "must have one entry for each of `stream_ids`: it has {count}, they are {wanted}"
            ),
        );
    }
    refused
}

impl From<ReleaseRequest> for ReleaseStreams {
    fn from(request: ReleaseRequest) -> Self {
        let reason = request.reason.filter(|reason| !reason.trim().is_empty());
        Self {
            id: request.server_id,
            incarnation: request.incarnation,
            streams: request.stream_ids,
            epochs: request.epochs,
            // The reason becomes an alert, and a player that cannot open a URL repeats the URL in
            // its error.
            reason: reason.map(|reason| with_masked_urls(&reason).into()),
        }
    }
}

request! {
    /// `POST /diagnostic`: compares the streams a worker runs with the streams it should run.
    pub(in crate::http) struct DiagnosticRequest {
        /// Name of the instance, 1 to 128 characters.
        server_id: InstanceId = server_id(),
        /// Ids of the streams the worker runs, at most 100,000; may be empty.
        local_streams: Vec<StreamId> = StreamIds,
        /// Number of streams the worker counts, from 0.
        local_stream_count: i64 = integer(0..=MAX_SAFE_INTEGER, |count| count),
    }
}

impl From<DiagnosticRequest> for Diagnose {
    fn from(request: DiagnosticRequest) -> Self {
        Self {
            id: request.server_id,
            local_streams: request.local_streams,
            local_stream_count: request.local_stream_count,
        }
    }
}
