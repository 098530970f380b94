//! Planned work: cordons, drains, planned maintenance.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Time, list};
use super::body::Body;
use super::params;
use super::problem::Problem;
use super::requests::{
    CordonRequest, DrainRequest, DryRunQuery, MaintenanceRequest, ReasonQuery, ReasonRequest,
    future, read_query,
};
use super::state::{AppState, Load};
use crate::domain::commands::{
    CancelDrain, CancelledDrain, CordonInstance, DrainInstance, DrainPlan, DrainProgress,
    PlanMaintenance, UncordonInstance,
};
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::instance::InstanceStatus;
use crate::domain::planned::{DrainState, Requester};
use crate::domain::queries::{DrainReport, DrainStatus};
use crate::domain::time::WallTime;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CordonAnswer {
    status: &'static str,
    server_id: InstanceId,
    /// Set if nothing was changed: the rest is what would happen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

/// `POST /instances/{server_id}/cordon`
pub(super) async fn cordon(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<CordonAnswer>, Problem> {
    let id = params::server_id(&request)?;
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    let _permit = state.admit(Load::Write)?;
    let body: CordonRequest = body.read_or_default().await?;
    let now = state.orchestrator().clock().wall();
    let until = body.until.map(|until| future("until", until, now));
    let until = until.transpose()?;
    let command = CordonInstance {
        id: id.clone(),
        until,
        by: Requester::Operator,
        reason: body.reason.0,
    };
    let orchestrator = state.orchestrator();
    orchestrator.execute_or_try(command, dry_run).await?;
    Ok(Json(CordonAnswer {
        status: "cordoned",
        server_id: id,
        dry_run,
        until: until.map(Time),
    }))
}

/// `POST /instances/{server_id}/uncordon`
pub(super) async fn uncordon(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<CordonAnswer>, Problem> {
    let id = params::server_id(&request)?;
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    let _permit = state.admit(Load::Write)?;
    let body: ReasonRequest = body.read_or_default().await?;
    let command = UncordonInstance {
        id: id.clone(),
        by: Requester::Operator,
        reason: body.reason.0,
    };
    let orchestrator = state.orchestrator();
    orchestrator.execute_or_try(command, dry_run).await?;
    Ok(Json(CordonAnswer {
        status: "uncordoned",
        server_id: id,
        dry_run,
        until: None,
    }))
}

/// A move of a plan, or one that was begun by it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlannedMove)]
pub(super) struct MoveLine {
    pub(super) stream_id: StreamId,
    pub(super) from: InstanceId,
    pub(super) to: InstanceId,
    pub(super) reason: &'static str,
    pub(super) progress: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DrainAnswer {
    status: InstanceStatus,
    server_id: InstanceId,
    /// Set if nothing was changed: the moves are those that would be made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    streams: usize,
    moves: Vec<MoveLine>,
    would_not_fit: Vec<StreamId>,
    deadline_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

impl DrainAnswer {
    fn of(plan: DrainPlan, dry_run: bool, deadline_at: WallTime, until: Option<WallTime>) -> Self {
        let from = plan.id;
        let line = |planned: crate::domain::commands::DrainMove| MoveLine {
            stream_id: planned.stream,
            from: from.clone(),
            to: planned.to,
            reason: "planned_move",
            progress: match planned.progress {
                _ if dry_run => "planned",
                DrainProgress::Waiting => "planned",
                DrainProgress::Releasing => "releasing",
                DrainProgress::Overlapping => "overlapping",
                DrainProgress::Moved => "moved",
            },
        };
        let moves = plan.moves.into_iter().map(line).collect();
        Self {
            status: plan.status,
            server_id: from.clone(),
            dry_run,
            streams: plan.streams,
            moves,
            would_not_fit: plan.would_not_fit,
            deadline_at: Time(deadline_at),
            until: until.map(Time),
        }
    }
}

/// `POST /instances/{server_id}/drain`
pub(super) async fn drain(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = params::server_id(&request)?;
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    let _permit = state.admit(Load::Write)?;
    let body: DrainRequest = body.read_or_default().await?;
    let orchestrator = state.orchestrator();
    let (now, planned) = (orchestrator.clock().wall(), orchestrator.planned());
    let deadline_at = match body.deadline {
        Some(deadline) => future("deadline", deadline, now)?,
        None => now + planned.drain_deadline,
    };
    let command = DrainInstance {
        id,
        deadline_at,
        by: Requester::Operator,
        reason: body.reason.0,
        force: body.force.unwrap_or(false),
        then_absent_until: None,
        pace: planned.pace,
    };
    let plan = orchestrator.execute_or_try(command, dry_run).await?;
    let rows = plan.moves.len();
    list(rows, move || {
        DrainAnswer::of(plan, dry_run, deadline_at, None)
    })
    .await
}

/// `POST /instances/{server_id}/maintenance`
pub(super) async fn maintenance(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = params::server_id(&request)?;
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    let _permit = state.admit(Load::Write)?;
    let body: MaintenanceRequest = body.read().await?;
    let orchestrator = state.orchestrator();
    let now = orchestrator.clock().wall();
    let until = match (body.until, body.r#for) {
        (Some(until), _) => future("until", until, now)?,
        (None, Some(span)) => future("for", span, now)?,
        (None, None) => return Err(Problem::internal()),
    };
    let command = PlanMaintenance {
        id,
        until,
        by: Requester::Operator,
        reason: body.reason.0,
        pace: orchestrator.planned().pace,
    };
    let plan = orchestrator.execute_or_try(command, dry_run).await?;
    let rows = plan.moves.len();
    list(rows, move || {
        DrainAnswer::of(plan, dry_run, until, Some(until))
    })
    .await
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DrainStatus)]
pub(super) struct StatusAnswer {
    server_id: InstanceId,
    state: DrainState,
    /// How many streams the instance owned when it began.
    streams: u32,
    streams_left: usize,
    moved: u32,
    /// How many were left without an owner, by force.
    orphaned: u32,
    started_at: Time,
    deadline_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_end: Option<Time>,
    by: Requester,
    force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl StatusAnswer {
    fn of(id: InstanceId, report: DrainReport, now: WallTime) -> Self {
        let DrainReport { drain, left } = report;
        Self {
            server_id: id,
            state: drain.state,
            streams: drain.streams,
            streams_left: left,
            moved: drain.moved,
            orphaned: drain.orphaned,
            started_at: Time(drain.started_at),
            deadline_at: Time(drain.deadline_at),
            ended_at: drain.ended_at.map(Time),
            expected_end: drain.expected_end(left, now).map(Time),
            by: drain.by,
            force: drain.force,
            reason: drain.reason,
        }
    }
}

/// `GET /instances/{server_id}/drain`
pub(super) async fn drain_status(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = params::server_id(&request)?;
    let _permit = state.admit(Load::Read)?;
    let orchestrator = state.orchestrator();
    let report = orchestrator.ask(DrainStatus { id: id.clone() }).await??;
    let now = orchestrator.clock().wall();
    Ok(HttpResponse::Ok().json(state.told(StatusAnswer::of(id, report, now))))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CancelAnswer {
    status: &'static str,
    server_id: InstanceId,
    state: DrainState,
    streams_left: usize,
    moved: u32,
}

/// `DELETE /instances/{server_id}/drain`
pub(super) async fn cancel_drain(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<CancelAnswer>, Problem> {
    let id = params::server_id(&request)?;
    let reason = read_query::<ReasonQuery>(&request)?.reason.0;
    let _permit = state.admit(Load::Write)?;
    let command = CancelDrain {
        id: id.clone(),
        by: Requester::Operator,
        reason,
    };
    let CancelledDrain { drain, left } = state.orchestrator().execute(command).await?;
    Ok(Json(CancelAnswer {
        status: "cancelled",
        server_id: id,
        state: drain.state,
        streams_left: left,
        moved: drain.moved,
    }))
}
