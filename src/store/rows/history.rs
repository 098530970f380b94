//! The rows of events, incidents, heartbeats and metrics.

use std::sync::Arc;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::row_at::RowAt;
use crate::domain::events::{DatedEvent, Event};
use crate::domain::heartbeat::{LastBeat, MetricsRecord, SystemMetrics};
use crate::domain::ids::{Incarnation, IncidentId, InstanceId, StreamId};
use crate::domain::incident::{FailureCause, Incident, IncidentOutcome, OrderReason};
use crate::domain::planned::Requester;
use crate::domain::request::EventOrigin;
use crate::domain::time::WallTime;
use crate::store::error::StoreError;
use crate::store::schema::{events, incidents, last_beats, metrics};
use crate::store::stored_event::StoredEvent;

/// A new row of `events`; the database numbers it.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub(in crate::store) struct EventRow {
    pub(in crate::store) at: i64,
    pub(in crate::store) kind: &'static str,
    pub(in crate::store) instance_id: Option<String>,
    pub(in crate::store) stream_id: Option<i64>,
    pub(in crate::store) payload: String,
    pub(in crate::store) incident_id: Option<i64>,
    /// The caller that caused it; `None` for the program itself.
    pub(in crate::store) actor: Option<&'static str>,
}

impl EventRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 7;

    /// Creates the row for an event.
    pub(in crate::store) fn new(dated: &DatedEvent) -> Result<Self, StoreError> {
        let DatedEvent { at, origin, event } = dated;
        let payload = match origin {
            None => serde_json::to_string(event),
            Some(origin) => serde_json::to_string(&Payload {
                origin: Some(origin.clone()),
                event: event.clone(),
            }),
        };
        let payload = payload
            .map_err(|error| StoreError::Refused(format!("an event cannot be kept: {error}")))?;
        Ok(Self {
            at: at.as_micros(),
            kind: event.kind(),
            instance_id: event.instance().map(|id| id.as_str().to_owned()),
            stream_id: event.stream().map(StreamId::get),
            payload,
            incident_id: event.incident().map(IncidentId::get),
            actor: event.caller().map(Requester::as_str),
        })
    }
}

/// The JSON of an event: what it says, and beside it who gave the order.
#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Arc<EventOrigin>>,
    #[serde(flatten)]
    event: Event,
}

/// A row of `events` as it is read.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = events)]
pub(in crate::store) struct StoredEventRow {
    sequence: i64,
    at: i64,
    payload: String,
}

impl TryFrom<StoredEventRow> for StoredEvent {
    type Error = StoreError;

    fn try_from(row: StoredEventRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "events",
            key: &row.sequence,
        };
        let Payload { origin, event } =
            serde_json::from_str(&row.payload).map_err(|_| at.unusable("payload", &row.payload))?;
        Ok(Self {
            sequence: row.sequence,
            event: DatedEvent {
                at: WallTime::from_micros(row.at),
                origin,
                event,
            },
        })
    }
}

/// A row of `incidents`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = incidents, treat_none_as_default_value = false)]
pub(in crate::store) struct IncidentRow {
    id: i64,
    instance_id: String,
    incarnation: i64,
    cause: String,
    detected_at: i64,
    ended_at: Option<i64>,
    outcome: Option<String>,
    streams_affected: i64,
    streams_moved: i64,
    streams_orphaned: i64,
    attempts: i64,
    state: String,
    steps: String,
    reason: Option<String>,
    reason_given: bool,
    escalated_at: Option<i64>,
}

impl IncidentRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 16;
}

impl From<&Incident> for IncidentRow {
    fn from(incident: &Incident) -> Self {
        Self {
            id: incident.id.get(),
            instance_id: incident.instance.as_str().to_owned(),
            incarnation: incident.incarnation.get(),
            cause: incident.cause.as_str().to_owned(),
            detected_at: incident.detected_at.as_micros(),
            ended_at: incident.ended_at.map(WallTime::as_micros),
            outcome: incident.outcome.map(|outcome| outcome.as_str().to_owned()),
            streams_affected: i64::from(incident.streams_affected),
            streams_moved: i64::from(incident.streams_moved),
            streams_orphaned: i64::from(incident.streams_orphaned),
            attempts: i64::from(incident.attempts),
            state: incident.state().as_str().to_owned(),
            // Words and numbers under fixed names, so writing cannot fail.
            steps: serde_json::to_string(&incident.steps).unwrap_or_else(|_| "[]".to_owned()),
            reason: incident.reason.as_ref().map(|reason| reason.text.clone()),
            reason_given: incident
                .reason
                .as_ref()
                .is_none_or(|reason| reason.is_given),
            escalated_at: incident.escalated_at.map(WallTime::as_micros),
        }
    }
}

impl TryFrom<IncidentRow> for Incident {
    type Error = StoreError;

    fn try_from(row: IncidentRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "incidents",
            key: &row.id,
        };
        let outcome = match &row.outcome {
            Some(word) => Some(at.word("outcome", word, IncidentOutcome::from_word)?),
            None => None,
        };
        Ok(Self {
            cause: at.word("cause", &row.cause, FailureCause::from_word)?,
            outcome,
            streams_affected: at.number("streams_affected", row.streams_affected)?,
            streams_moved: at.number("streams_moved", row.streams_moved)?,
            streams_orphaned: at.number("streams_orphaned", row.streams_orphaned)?,
            attempts: at.number("attempts", row.attempts)?,
            steps: serde_json::from_str(&row.steps)
                .map_err(|_| at.unusable("steps", &row.steps))?,
            reason: row.reason.map(|text| OrderReason {
                text,
                is_given: row.reason_given,
            }),
            escalated_at: row.escalated_at.map(WallTime::from_micros),
            id: IncidentId::new(row.id),
            incarnation: Incarnation::new(row.incarnation),
            detected_at: WallTime::from_micros(row.detected_at),
            ended_at: row.ended_at.map(WallTime::from_micros),
            instance: InstanceId::new(row.instance_id),
        })
    }
}

/// A row of `last_beats`.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = last_beats, treat_none_as_default_value = false)]
pub(in crate::store) struct BeatRow {
    instance_id: String,
    at: i64,
    reported_status: String,
    reported_streams: i64,
}

impl BeatRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 4;
}

impl From<&LastBeat> for BeatRow {
    fn from(beat: &LastBeat) -> Self {
        Self {
            instance_id: beat.instance.as_str().to_owned(),
            at: beat.at.as_micros(),
            // PostgreSQL has no text with NUL in it; the odd text of one worker must not lose the
            // heartbeats of all the others in its batch.
            reported_status: beat.reported_status.replace('\0', "\u{FFFD}"),
            reported_streams: beat.reported_streams,
        }
    }
}

/// A row of `metrics`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = metrics, treat_none_as_default_value = false)]
pub(in crate::store) struct MetricsRow {
    instance_id: String,
    recorded_at: i64,
    cpu_percent: Option<f64>,
    memory_percent: Option<f64>,
    memory_used_gb: Option<f64>,
    memory_total_gb: Option<f64>,
    disk_percent: Option<f64>,
    disk_free_gb: Option<f64>,
    disk_total_gb: Option<f64>,
    load_1: Option<f64>,
    load_5: Option<f64>,
    load_15: Option<f64>,
    uptime_seconds: Option<f64>,
}

impl MetricsRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 13;
}

impl From<&MetricsRecord> for MetricsRow {
    fn from(record: &MetricsRecord) -> Self {
        let metrics = record.metrics.finite();
        let load = |index: usize| metrics.load_average.map(|averages| averages[index]);
        Self {
            instance_id: record.instance.as_str().to_owned(),
            recorded_at: record.recorded_at.as_micros(),
            cpu_percent: metrics.cpu_percent,
            memory_percent: metrics.memory_percent,
            memory_used_gb: metrics.memory_used_gb,
            memory_total_gb: metrics.memory_total_gb,
            disk_percent: metrics.disk_percent,
            disk_free_gb: metrics.disk_free_gb,
            disk_total_gb: metrics.disk_total_gb,
            load_1: load(0),
            load_5: load(1),
            load_15: load(2),
            uptime_seconds: metrics.uptime_seconds,
        }
    }
}

impl From<MetricsRow> for MetricsRecord {
    fn from(row: MetricsRow) -> Self {
        let load_average = match (row.load_1, row.load_5, row.load_15) {
            (Some(one), Some(five), Some(fifteen)) => Some([one, five, fifteen]),
            _ => None,
        };
        Self {
            instance: InstanceId::new(row.instance_id),
            recorded_at: WallTime::from_micros(row.recorded_at),
            metrics: SystemMetrics {
                cpu_percent: row.cpu_percent,
                memory_percent: row.memory_percent,
                memory_used_gb: row.memory_used_gb,
                memory_total_gb: row.memory_total_gb,
                disk_percent: row.disk_percent,
                disk_free_gb: row.disk_free_gb,
                disk_total_gb: row.disk_total_gb,
                load_average,
                uptime_seconds: row.uptime_seconds,
            },
        }
    }
}
