//! Rolls: drains of many instances, one batch after the other.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{PageEnd, Time, page};
use super::body::Body;
use super::params;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{DryRunQuery, ReasonRequest, RollRequest, RollsQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::refusal::Refusal;
use crate::domain::commands::{OrderRoll, Rejection, RollOrder, RollSelection, StartRoll};
use crate::domain::ids::{InstanceId, RollId};
use crate::domain::planned::{Requester, Roll, RollState, RollStep, RollWait};
use crate::domain::queries::{RollDetail, RollList};
use crate::domain::time::WallTime;

/// How many rolls a page has by default.
const DEFAULT_LIMIT: u32 = 100;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RollInstance)]
struct InstanceLine {
    server_id: InstanceId,
    state: RollStep,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RollAnswer {
    id: RollId,
    state: RollState,
    /// Set if nothing was changed: the roll is the one that would begin.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    instances: Vec<InstanceLine>,
    max_unavailable: u32,
    wait: RollWait,
    started_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Time>,
    /// When it may be over, judged by how fast it was so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_end: Option<Time>,
    by: Requester,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl RollAnswer {
    fn of(roll: Roll, dry_run: bool, now: WallTime) -> Self {
        let line = |one: crate::domain::planned::RollInstance| InstanceLine {
            server_id: one.id,
            state: one.step,
            because: one.because,
        };
        Self {
            expected_end: roll.expected_end(now).map(Time),
            id: roll.id,
            state: roll.state,
            dry_run,
            because: roll.because,
            instances: roll.instances.into_iter().map(line).collect(),
            max_unavailable: roll.max_unavailable,
            wait: roll.wait,
            started_at: Time(roll.started_at),
            ended_at: roll.ended_at.map(Time),
            by: roll.by,
            reason: roll.reason,
        }
    }
}

/// `POST /rolls`
pub(super) async fn start(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<RollAnswer>, Problem> {
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    let _permit = state.admit(Load::Write)?;
    let body: RollRequest = body.read_or_default().await?;
    let orchestrator = state.orchestrator();
    let field = if body.label.is_some() {
        "label"
    } else {
        "instances"
    };
    let selection = match (body.instances, body.label) {
        (Some(ids), _) => RollSelection::Instances(ids),
        (None, Some(label)) => RollSelection::Label(label),
        (None, None) => RollSelection::All,
    };
    let planned = orchestrator.planned();
    let command = StartRoll {
        selection,
        max_unavailable: body.max_unavailable.unwrap_or(1),
        wait: body.wait.unwrap_or(RollWait::Healthy),
        drain_deadline: body.deadline.unwrap_or(planned.drain_deadline),
        by: Requester::Operator,
        reason: body.reason.0,
        health: orchestrator.system_health().await?.verdict.health,
        pace: planned.pace,
    };
    let began = orchestrator.execute_or_try(command, dry_run).await;
    let roll = began.map_err(|refusal| match refusal {
        Refusal::Rejected(Rejection::EmptySelection) => {
            Problem::invalid_field(field, "selects no instance; GET /instances lists them")
        }
        refusal => refusal.into(),
    })?;
    let now = orchestrator.clock().wall();
    Ok(Json(RollAnswer::of(roll, dry_run, now)))
}

/// `GET /rolls`
pub(super) async fn list(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: RollsQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let ask = RollList {
        before: query.after,
        limit: limit as usize + 1,
    };
    let found = state.orchestrator().ask(ask).await?;
    let (rolls, next) = page(found, limit, |roll| roll.id);
    let now = state.orchestrator().clock().wall();
    let rows = rolls
        .into_iter()
        .map(move |roll| RollAnswer::of(Roll::clone(&roll), false, now));
    let end = PageEnd::new(next, state.stale_since());
    pieces::answer(Rows::of(&Nothing {}, "rolls", rows, &end)?).await
}

/// `GET /rolls/{id}`
pub(super) async fn detail(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = RollId::new(params::number(&request, "id")?);
    let _permit = state.admit(Load::Read)?;
    let roll = state.orchestrator().ask(RollDetail { id }).await??;
    let now = state.orchestrator().clock().wall();
    Ok(HttpResponse::Ok().json(state.told(RollAnswer::of(roll, false, now))))
}

/// `POST /rolls/{id}/pause`
pub(super) async fn pause(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<RollAnswer>, Problem> {
    order(state, request, body, RollOrder::Pause, false).await
}

/// `POST /rolls/{id}/resume`
pub(super) async fn resume(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<RollAnswer>, Problem> {
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    order(state, request, body, RollOrder::Resume, dry_run).await
}

/// `POST /rolls/{id}/cancel`
pub(super) async fn cancel(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<RollAnswer>, Problem> {
    order(state, request, body, RollOrder::Cancel, false).await
}

async fn order(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
    order: RollOrder,
    dry_run: bool,
) -> Result<Json<RollAnswer>, Problem> {
    let id = RollId::new(params::number(&request, "id")?);
    let _permit = state.admit(Load::Write)?;
    let reason = body.read_or_default::<ReasonRequest>().await?.reason.0;
    let orchestrator = state.orchestrator();
    let command = OrderRoll {
        id,
        order,
        by: Requester::Operator,
        reason,
        health: orchestrator.system_health().await?.verdict.health,
        pace: orchestrator.planned().pace,
    };
    let roll = orchestrator.execute_or_try(command, dry_run).await?;
    let now = orchestrator.clock().wall();
    Ok(Json(RollAnswer::of(roll, dry_run, now)))
}
