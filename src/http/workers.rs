//! The calls of every worker: register, send heartbeats, request streams, release them.

use std::time::Duration;

use actix_web::web::{Data, Json};
use actix_web::{HttpMessage, HttpRequest};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Sender;
use super::answer::{Seconds, Time, seconds, whole_url};
use super::body::Body;
use super::cluster::orchestrators;
use super::member_headers::Carriage;
use super::problem::Problem;
use super::requests::{AssignRequest, HeartbeatRequest, RegisterRequest, ReleaseRequest};
use super::state::{AppState, Load};
use crate::actors::leadership::ClusterView;
use crate::actors::telemetry::BeatResult;
use crate::domain::commands::{AssignOutcome, AssignStreams, Rejection, ReleaseStreams};
use crate::domain::handover::HandoverMode;
use crate::domain::heartbeat::Heartbeat;
use crate::domain::heartbeat_outcome::HeartbeatOutcome;
use crate::domain::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId, Term};
use crate::domain::instance::InstanceStatus;
use crate::domain::lease::Grant;
use crate::domain::queries::SetUpdate;
use crate::domain::stream::{Holding, Stream};
use crate::domain::stream_url::StreamUrl;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RegisterAnswer {
    status: &'static str,
    server_id: InstanceId,
    max_streams: u32,
    reregistration: bool,
    auto_rebalanced: bool,
    incarnation: Incarnation,
    lease_seconds: Seconds,
    stop_after_seconds: Seconds,
    heartbeat_interval_seconds: Seconds,
    request_timeout_seconds: Seconds,
    /// The URLs of the orchestrators on this database, if there are several: the worker may turn to any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    orchestrators: Vec<String>,
    assigned_streams: Vec<StreamId>,
    assignments: Vec<Holding>,
    assignment_version: AssignmentVersion,
}

/// `POST /register`
pub(super) async fn register(
    state: Data<AppState>,
    view: Data<ClusterView>,
    sender: Sender,
    body: Body,
) -> Result<Json<RegisterAnswer>, Problem> {
    let _permit = state.admit(Load::Write)?;
    let limits = state.settings().worker_limits;
    let default_max_streams = state.settings().default_max_streams;
    let request: RegisterRequest = body.read().await?;
    let command = request.command(default_max_streams);
    sender.may_act_for(&command.id)?;
    state.orchestrator().sign_of_life(&command.id, None)?;
    state.may_start()?;
    let registered = state.orchestrator().register(command).await?;
    let assigned_streams = registered.assigned_streams();
    let instance = registered.instance;
    // A worker may send heartbeats more often than needed, but not so rarely that it seems silent.
    let interval = instance
        .heartbeat_interval
        .map_or(limits.heartbeat_interval, |wanted| {
            wanted.min(limits.heartbeat_interval)
        });
    Ok(Json(RegisterAnswer {
        status: "registered",
        server_id: instance.id,
        max_streams: instance.max_streams,
        reregistration: registered.reregistration,
        auto_rebalanced: registered.auto_rebalanced,
        incarnation: instance.incarnation,
        lease_seconds: seconds(limits.lease),
        stop_after_seconds: seconds(limits.worker_stop),
        heartbeat_interval_seconds: seconds(interval),
        request_timeout_seconds: seconds(limits.request_timeout),
        orchestrators: orchestrators(&view),
        assigned_streams,
        assignments: registered.assignments,
        assignment_version: instance.assignment_version,
    }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BeatAnswer {
    status: &'static str,
    incarnation: Incarnation,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_status: Option<InstanceStatus>,
    lease_seconds: Seconds,
    /// When, after the heartbeat was sent, a worker stops its exclusive streams by itself; zero
    /// without a lease.
    stop_after_seconds: Seconds,
    assignment_version: AssignmentVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    full: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assign: Option<Vec<AssignLine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoke: Option<Vec<StreamId>>,
    /// The term of the orchestrator that answers.
    term: Term,
    /// Whether the database has confirmed lately that this orchestrator leads.
    proven: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssignLine {
    stream_id: StreamId,
    epoch: Epoch,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_url")]
    #[schema(value_type = Option<String>)]
    url: Option<StreamUrl>,
    name: std::sync::Arc<str>,
    handoff: HandoverMode,
}

impl AssignLine {
    pub(super) fn of((stream, epoch): (std::sync::Arc<Stream>, Epoch)) -> Self {
        Self {
            stream_id: stream.id,
            epoch,
            url: stream.url.clone(),
            name: stream.name.clone(),
            handoff: stream.handoff,
        }
    }
}

/// `POST /heartbeat`. It is never refused for load, and never waits for the database.
pub(super) async fn heartbeat(
    state: Data<AppState>,
    sender: Sender,
    request: HttpRequest,
    body: Body,
) -> Result<Json<BeatAnswer>, Problem> {
    let orchestrator = state.orchestrator();
    let read = body.read::<HeartbeatRequest>().await.inspect_err(|_| {
        let telemetry = orchestrator.telemetry();
        telemetry.count_heartbeat(BeatResult::Malformed, 1);
    });
    let mut heartbeat = Heartbeat::from(read?);
    sender.may_act_for(&heartbeat.id)?;
    if let Some(carriage) = request.extensions().get::<Carriage>() {
        heartbeat.age = carriage.age;
    }
    let outcome = orchestrator.heartbeat(heartbeat).await?;
    let prover = orchestrator.prover();
    Ok(Json(BeatAnswer::new(
        outcome,
        prover.term(),
        prover.is_proven(),
    )))
}

impl BeatAnswer {
    fn new(outcome: HeartbeatOutcome, term: Term, proven: bool) -> Self {
        let (full, assign, revoke) = match outcome.update {
            SetUpdate::UpToDate => (None, None, None),
            SetUpdate::Difference { assign, revoke } => (None, Some(assign), Some(revoke)),
            SetUpdate::Full { assign } => (Some(true), Some(assign), Some(Vec::new())),
        };
        let told = |time: fn(Grant) -> Duration| outcome.granted.map_or(Duration::ZERO, time);
        Self {
            status: "heartbeat_updated",
            incarnation: outcome.standing.incarnation,
            instance_status: (!outcome.hides_status).then_some(outcome.standing.status),
            lease_seconds: seconds(told(|granted| granted.lease)),
            stop_after_seconds: seconds(told(|granted| granted.stop_after)),
            assignment_version: outcome.version,
            full,
            assign: assign.map(|lines| lines.into_iter().map(AssignLine::of).collect()),
            revoke,
            term,
            proven,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssignAnswer {
    status: &'static str,
    assigned_streams: Vec<StreamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    assignments: Vec<Holding>,
}

impl AssignAnswer {
    fn none(status: &'static str, message: String) -> Self {
        Self {
            status,
            assigned_streams: Vec::new(),
            count: None,
            message: Some(message),
            assignments: Vec::new(),
        }
    }
}

/// `POST /streams/assign`
pub(super) async fn assign(
    state: Data<AppState>,
    sender: Sender,
    body: Body,
) -> Result<Json<AssignAnswer>, Problem> {
    let _permit = state.admit(Load::Write)?;
    let command = AssignStreams::from(body.read::<AssignRequest>().await?);
    sender.may_act_for(&command.id)?;
    state
        .orchestrator()
        .sign_of_life(&command.id, command.incarnation)?;
    state.may_start()?;
    let requested = command.requested;
    let outcome = state.orchestrator().execute(command).await?;
    Ok(Json(match outcome {
        AssignOutcome::Assigned(assignments) => AssignAnswer {
            status: "assigned",
            count: Some(assignments.len()),
            assigned_streams: streams_of(&assignments),
            message: None,
            assignments,
        },
        AssignOutcome::Full { max_streams } => AssignAnswer::none(
            "no_capacity",
            format!(
                "This instance has no room: it owns the {max_streams} streams it may own, its \
                 `capacity` is used up, or its room is reserved for streams on their way to it."
            ),
        ),
        AssignOutcome::NotEligible(status) => AssignAnswer::none(
            "no_capacity",
            format!("This instance is {status} and gets no streams in that state."),
        ),
        AssignOutcome::Cordoned(until) => AssignAnswer::none(
            "no_capacity",
            match until.map(Time) {
                Some(until) => format!(
                    "This instance is cordoned until {until}: it keeps its streams and is given no \
                     others."
                ),
                None => {
                    "This instance is cordoned: it keeps its streams and is given no others until \
                         an operator ends that."
                        .to_owned()
                }
            },
        ),
        AssignOutcome::Withdrawn => AssignAnswer::none(
            "no_capacity",
            "This instance is being emptied and gets no streams until it registers again."
                .to_owned(),
        ),
        AssignOutcome::NoneWaiting if requested == 0 => AssignAnswer::none(
            "no_streams",
            "No stream was requested, and this instance owns none that it was not notified of."
                .to_owned(),
        ),
        AssignOutcome::Paused(count) => AssignAnswer::none(
            "no_streams",
            format!(
                "No stream waits that this instance can have now: {count} streams are paused, because \
                 workers gave them back again and again (`GET /streams/{{id}}` says until when), and any \
                 others need more `capacity`, require other labels, or are pinned to another instance. \
                 Repeat the request later."
            ),
        ),
        AssignOutcome::NoneWaiting => AssignAnswer::none(
            "no_streams",
            "No stream waits that this instance can have now: any that wait need more `capacity`, \
             require other labels, are pinned to another instance, or are quarantined. Repeat the \
             request later."
                .to_owned(),
        ),
    }))
}

/// Returns the streams alone, as classic workers read them.
fn streams_of(holdings: &[Holding]) -> Vec<StreamId> {
    holdings.iter().map(|holding| holding.stream).collect()
}

/// Only `status` is there if the request named no stream.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReleaseAnswer {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    released_streams: Option<Vec<StreamId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    /// The released streams, with the epochs that are void now.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<Vec<Holding>>,
}

/// `POST /streams/release`
pub(super) async fn release(
    state: Data<AppState>,
    sender: Sender,
    body: Body,
) -> Result<Json<ReleaseAnswer>, Problem> {
    let _permit = state.admit(Load::Write)?;
    let command = ReleaseStreams::from(body.read::<ReleaseRequest>().await?);
    sender.may_act_for(&command.id)?;
    let orchestrator = state.orchestrator();
    orchestrator.sign_of_life(&command.id, command.incarnation)?;
    if command.streams.is_empty() {
        if orchestrator.registry().get(&command.id).is_none() {
            return Err(Rejection::UnknownInstance(command.id).into());
        }
        return Ok(Json(ReleaseAnswer {
            status: "no_streams_to_release",
            released_streams: None,
            count: None,
            released: None,
        }));
    }
    let released = orchestrator.execute(command).await?.0;
    Ok(Json(ReleaseAnswer {
        status: "released",
        count: Some(released.len()),
        released_streams: Some(streams_of(&released)),
        released: Some(released),
    }))
}
