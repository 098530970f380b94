//! The instances: lists, details, their metrics, and how they leave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Sender;
use super::answer::{PageEnd, Seconds, Time, milliseconds, seconds};
use super::params;
use super::pieces::{self, Both, Nothing, Rows, closing, opening};
use super::problem::Problem;
use super::recovery_plan;
use super::requests::{DryRunQuery, InstancesQuery, MetricsQuery, RemovalQuery, read_query};
use super::state::{AppState, Load};
use super::streams::next_of;
use crate::actors::heartbeat_log::AskHistory;
use crate::actors::orchestrator::Orchestrator;
use crate::actors::recovery::{PlannedFor, Remove};
use crate::actors::registry::Duplicate;
use crate::domain::commands::{Rejection, SayGoodbye};
use crate::domain::fleet::Evacuation;
use crate::domain::heartbeat::MetricsRecord;
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};
use crate::domain::instance::{Instance, InstanceStatus};
use crate::domain::planned::{Absence, Cordon, Requester};
use crate::domain::queries::{InstanceDetail, InstanceLine, InstanceList};
use crate::domain::time::WallTime;

/// The most records of metrics in one answer: a day of heartbeats every 9 s.
const MAX_RECORDS: u32 = 10_000;

/// How far back metrics are searched by default.
const DEFAULT_HOURS: f64 = 24.0;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InstanceAnswer {
    server_id: InstanceId,
    ip: String,
    port: u16,
    max_streams: u32,
    /// The sum of the weights of the streams it may own, if that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u32>,
    /// How many streams its worker should run; the worker's own number is `reported_streams`.
    current_streams: usize,
    /// How many streams it owns, including those it must release.
    owned: usize,
    /// How many of the owned streams run: none when its lease is over, or it has failed.
    running: usize,
    status: InstanceStatus,
    /// Whether it may be given streams that it does not own, as far as its state and its cordon go.
    schedulable: bool,
    registered_at: Time,
    last_heartbeat: Option<Time>,
    reported_status: Option<Arc<str>>,
    reported_streams: Option<i64>,
    status_since: Time,
    /// Failures on probation; each doubles its next probation.
    flaps: u32,
    incarnation: Incarnation,
    assignment_version: AssignmentVersion,
    heartbeat_interval_seconds: Option<Seconds>,
    auto_assign: bool,
    labels: BTreeMap<String, String>,
    /// The cordon that keeps it from getting streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    cordon: Option<CordonAnswer>,
    /// The planned absence that explains its silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    absence: Option<AbsenceAnswer>,
}

/// A planned absence, as it is shown beside the state.
#[derive(Debug, Serialize, ToSchema)]
struct AbsenceAnswer {
    since: Time,
    until: Time,
    by: Requester,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl AbsenceAnswer {
    fn of(absence: &Absence) -> Self {
        Self {
            since: Time(absence.since),
            until: Time(absence.until),
            by: absence.by,
            reason: absence.reason.clone(),
        }
    }
}

/// A cordon, as it is shown beside the state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShownCordon)]
struct CordonAnswer {
    since: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    by: Requester,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl CordonAnswer {
    fn of(cordon: &Cordon) -> Self {
        Self {
            since: Time(cordon.since),
            until: cordon.until.map(Time),
            by: cordon.by,
            reason: cordon.reason.clone(),
        }
    }
}

impl InstanceAnswer {
    fn of(line: &InstanceLine, orchestrator: &Orchestrator) -> Self {
        let instance: &Instance = &line.instance;
        let entry = orchestrator.registry().get(&instance.id);
        let reported = entry.as_ref().map(|entry| entry.reported());
        let reported = reported.unwrap_or_default();
        Self {
            server_id: instance.id.clone(),
            ip: instance.ip.clone(),
            port: instance.port,
            max_streams: instance.max_streams,
            capacity: instance.capacity,
            current_streams: line.to_run,
            owned: line.owned,
            running: if orchestrator.runs(&instance.id) {
                line.owned
            } else {
                0
            },
            status: instance.status,
            schedulable: instance.is_schedulable(),
            registered_at: Time(instance.registered_at),
            last_heartbeat: entry.map(|entry| Time(entry.last_beat_wall())),
            reported_status: reported.status,
            reported_streams: reported.streams,
            status_since: Time(instance.status_since),
            flaps: instance.flaps,
            incarnation: instance.incarnation,
            assignment_version: instance.assignment_version,
            heartbeat_interval_seconds: instance.heartbeat_interval.map(seconds),
            auto_assign: instance.auto_assign,
            labels: instance.labels.clone(),
            cordon: instance.cordon().map(CordonAnswer::of),
            absence: instance.absence().map(AbsenceAnswer::of),
        }
    }
}

/// `GET /instances`
pub(super) async fn list(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let question = InstanceList::from(read_query::<InstancesQuery>(&request)?);
    let _permit = state.admit(Load::List)?;
    let orchestrator = state.orchestrator().clone();
    let page = orchestrator.ask(question).await?;
    let page = page.map_err(|_| {
        Problem::invalid_field(
            "after",
            "names no registered instance; read the list from its beginning",
        )
    })?;
    let next = next_of(&page, |line| line.instance.id.clone());
    let end = PageEnd::new(next, state.stale_since());
    // Each line shares its rows with the fleet, so lines are small until they are written.
    let rows = page
        .items
        .into_iter()
        .map(move |line| InstanceAnswer::of(&line, &orchestrator));
    pieces::answer(Rows::of(&Nothing {}, "instances", rows, &end)?).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DetailEnd {
    /// Set while a second process uses this name.
    duplicate_identity: Option<DuplicateAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
struct DuplicateAnswer {
    older_incarnation: Incarnation,
    since: Time,
    last_seen: Time,
}

impl DuplicateAnswer {
    fn of(duplicate: Duplicate) -> Self {
        Self {
            older_incarnation: duplicate.older,
            since: Time(duplicate.since),
            last_seen: Time(duplicate.last_seen),
        }
    }
}

/// `GET /instances/{server_id}`
pub(super) async fn detail(
    state: Data<AppState>,
    sender: Sender,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = params::server_id(&request)?;
    sender.may_act_for(&id)?;
    let _permit = state.admit(Load::Read)?;
    let orchestrator = state.orchestrator();
    let came = orchestrator.prover().moment();
    let found = orchestrator.ask(InstanceDetail { id: id.clone() }).await?;
    let (line, assignments) = found.ok_or(Rejection::UnknownInstance(id))?;
    let entry = orchestrator.registry().get(&line.instance.id);
    let duplicate = entry.and_then(|entry| entry.duplicate());
    let data = InstanceAnswer::of(&line, orchestrator);
    let end = DetailEnd {
        duplicate_identity: duplicate.map(DuplicateAnswer::of),
    };
    let mut before = b"{\"status\":\"success\",\"data\":".to_vec();
    before.append(&mut opening(&data, "assigned_streams")?);
    let mut after = closing(&end)?;
    let stale_since = match state.stale_since() {
        Some(since) => Some(since),
        None => state.unproven_since(came).await,
    };
    let stale_since = PageEnd::<StreamId>::new(None, stale_since);
    after.append(&mut closing(&stale_since)?.split_off(1));
    let assigned_streams: Vec<StreamId> = assignments.iter().map(|one| one.stream).collect();
    let streams = Rows::between(before, assigned_streams, b"],".to_vec());
    let holdings = Rows::between(b"\"assignments\":[".to_vec(), assignments, after);
    pieces::answer(Both::new(streams, holdings)).await
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MetricsRecord)]
pub(super) struct RecordAnswer {
    cpu_percent: Option<f64>,
    memory_percent: Option<f64>,
    disk_percent: Option<f64>,
    load_average_1m: Option<f64>,
    load_average_5m: Option<f64>,
    load_average_15m: Option<f64>,
    uptime_seconds: Option<f64>,
    recorded_at: Time,
    memory_used_gb: Option<f64>,
    memory_total_gb: Option<f64>,
    disk_free_gb: Option<f64>,
    disk_total_gb: Option<f64>,
}

impl RecordAnswer {
    fn of(record: &MetricsRecord) -> Self {
        let metrics = record.metrics;
        let load = metrics.load_average;
        Self {
            cpu_percent: metrics.cpu_percent,
            memory_percent: metrics.memory_percent,
            disk_percent: metrics.disk_percent,
            load_average_1m: load.map(|[one, _, _]| one),
            load_average_5m: load.map(|[_, five, _]| five),
            load_average_15m: load.map(|[_, _, fifteen]| fifteen),
            uptime_seconds: metrics.uptime_seconds,
            recorded_at: Time(record.recorded_at),
            memory_used_gb: metrics.memory_used_gb,
            memory_total_gb: metrics.memory_total_gb,
            disk_free_gb: metrics.disk_free_gb,
            disk_total_gb: metrics.disk_total_gb,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetricsHead {
    server_id: InstanceId,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetricsEnd {
    count: usize,
    /// False while the database is out: then only unsaved records are here.
    complete: bool,
}

/// `GET /instances/{server_id}/metrics`
pub(super) async fn metrics(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = params::server_id(&request)?;
    let query: MetricsQuery = read_query(&request)?;
    let hours = query.hours.unwrap_or(DEFAULT_HOURS);
    let _permit = state.admit(Load::List)?;
    let orchestrator = state.orchestrator();
    if orchestrator.registry().get(&id).is_none() {
        return Err(Rejection::UnknownInstance(id).into());
    }
    let within = Duration::from_secs_f64(hours * 3_600.0);
    let history = orchestrator
        .history(AskHistory {
            instance: id.clone(),
            within,
            limit: MAX_RECORDS,
        })
        .await?;
    let end = MetricsEnd {
        count: history.records.len(),
        complete: history.is_complete,
    };
    let rows = history.records.into_iter();
    let rows = rows.map(|record| RecordAnswer::of(&record));
    pieces::answer(Rows::of(
        &MetricsHead { server_id: id },
        "metrics",
        rows,
        &end,
    )?)
    .await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailureAnswer {
    status: &'static str,
    method: &'static str,
    server_id: InstanceId,
    streams_redistributed: usize,
    instances_affected: usize,
    execution_time_ms: u64,
    error: Option<String>,
    streams_orphaned: usize,
    /// When the lease of its worker is over, and the rest of its streams move.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_until: Option<Time>,
}

/// `POST /instances/{server_id}/failure`
pub(super) async fn failure(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = params::server_id(&request)?;
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    let _permit = state.admit(Load::Write)?;
    if dry_run {
        return recovery_plan::answer(&state, id, PlannedFor::Failure).await;
    }
    let orchestrator = state.orchestrator();
    let began = orchestrator.clock().now();
    let recovered = orchestrator.report_failure(id.clone()).await?;
    let took = orchestrator.clock().now().since(began);
    Ok(HttpResponse::Ok().json(FailureAnswer {
        status: "completed",
        method: "smart",
        server_id: id,
        streams_redistributed: recovered.moved,
        instances_affected: receivers(&recovered.evacuation),
        execution_time_ms: milliseconds(took),
        error: None,
        streams_orphaned: recovered.orphaned,
        waiting_until: recovered.waiting_until.map(Time),
    }))
}

/// Returns how many instances received streams.
fn receivers(evacuation: &Evacuation) -> usize {
    let receivers: BTreeSet<&InstanceId> = evacuation.moved.iter().map(|(_, to)| to).collect();
    receivers.len()
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RemovalAnswer {
    status: &'static str,
    server_id: InstanceId,
    /// Set if nothing was changed: the rest is what would happen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    streams_redistributed: usize,
    instances_affected: usize,
    streams_orphaned: usize,
    /// When the lease of its worker is over, and the rest of its streams move.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_until: Option<Time>,
    /// How many streams are reserved for a worker that comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    streams_reserved: Option<usize>,
    /// When it is removed unless it is back.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

impl RemovalAnswer {
    fn away(server_id: InstanceId, reserved: usize, until: WallTime, dry_run: bool) -> Self {
        Self {
            status: "maintenance",
            server_id,
            dry_run,
            streams_redistributed: 0,
            instances_affected: 0,
            streams_orphaned: 0,
            waiting_until: None,
            streams_reserved: Some(reserved),
            until: Some(Time(until)),
        }
    }
}

/// `DELETE /instances/{server_id}`
pub(super) async fn delete(
    state: Data<AppState>,
    sender: Sender,
    request: HttpRequest,
) -> Result<Json<RemovalAnswer>, Problem> {
    let id = params::server_id(&request)?;
    sender.may_act_for(&id)?;
    let query: RemovalQuery = read_query(&request)?;
    let reason = query.reason.0;
    let dry_run = query.dry_run.unwrap_or(false);
    let _permit = state.admit(Load::Write)?;
    let orchestrator = state.orchestrator();
    if let (Some(incarnation), Some(back_in)) = (query.incarnation, query.back_in) {
        let until = orchestrator.clock().wall() + back_in;
        let goodbye = SayGoodbye {
            id: id.clone(),
            incarnation,
            until,
            reason,
        };
        let reserved = orchestrator.leave_until(goodbye, dry_run).await?;
        return Ok(Json(RemovalAnswer::away(id, reserved, until, dry_run)));
    }
    // Who names its life is the worker itself, and has stopped everything.
    let departure = match query.incarnation {
        Some(incarnation) => {
            let order = Remove {
                reason,
                is_dry_run: dry_run,
                ..Remove::by_worker(id.clone())
            };
            orchestrator.leave(order, incarnation).await?
        }
        None => {
            let order = Remove {
                reason,
                is_dry_run: dry_run,
                ..Remove::by_operator(id.clone())
            };
            orchestrator.remove(order).await?
        }
    };
    let evacuation = departure.evacuation;
    Ok(Json(RemovalAnswer {
        status: match departure.waiting_until {
            None => "deleted",
            Some(_) => "leaving",
        },
        server_id: id,
        dry_run,
        streams_redistributed: evacuation.moved.len(),
        instances_affected: receivers(&evacuation),
        streams_orphaned: evacuation.orphaned.len(),
        waiting_until: departure.waiting_until.map(Time),
        streams_reserved: None,
        until: None,
    }))
}
