//! Recoveries that an operator orders: a forced one, and one that takes an instance out of use.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Time, in_milliseconds};
use super::params;
use super::problem::Problem;
use super::recovery_plan;
use super::requests::{EmergencyQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::recovery::{EmergencyReport, Forced, PlannedFor};
use crate::domain::commands::Recovered;
use crate::domain::ids::InstanceId;
use crate::domain::incident::{OrderReason, StepName, StepRecord, StepResult};
use crate::domain::instance::InstanceStatus;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ForcedAnswer {
    status: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_until: Option<Time>,
}

/// `POST /resilience/recovery/{server_id}`
pub(super) async fn force(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<ForcedAnswer>, Problem> {
    let id = params::server_id(&request)?;
    let _permit = state.admit(Load::Write)?;
    let forced = state.orchestrator().force_recovery(id.clone()).await?;
    let waiting_until = match &forced {
        Forced::Moved(recovered) => recovered.waiting_until.map(Time),
        Forced::NothingLeft | Forced::Released(_) | Forced::NotFailed(_) | Forced::NotFound => None,
    };
    let (status, message) = match forced {
        Forced::Moved(recovered) => ("success", moved(&id, &recovered)),
        Forced::NothingLeft => (
            "success",
            format!("`{id}` has failed and owns no streams: there was nothing left to do."),
        ),
        Forced::Released(InstanceStatus::Active) => (
            "success",
            format!("`{id}` is out of maintenance; it beats, and is active again."),
        ),
        Forced::Released(status) => (
            "success",
            format!(
                "`{id}` is out of maintenance; it does not beat and is {status} until its next \
                 heartbeat."
            ),
        ),
        Forced::NotFailed(status) => (
            "failed",
            format!(
                "`{id}` has not failed, it is {status}; nothing was done. POST \
                 /resilience/emergency/{id} takes the streams even of an instance that beats."
            ),
        ),
        Forced::NotFound => ("not_found", format!("No instance `{id}` is registered.")),
    };
    Ok(Json(ForcedAnswer {
        status,
        message,
        waiting_until,
    }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EmergencyAnswer {
    status: &'static str,
    message: String,
    steps: Vec<StepAnswer>,
    reason_given: bool,
    /// When the lease of its worker is over, and its streams move.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_until: Option<Time>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmergencyStep)]
struct StepAnswer {
    name: StepName,
    status: StepResult,
    duration_ms: f64,
    detail: String,
}

impl StepAnswer {
    fn of(step: StepRecord) -> Self {
        Self {
            name: step.name,
            status: step.result,
            duration_ms: in_milliseconds(step.duration_us),
            detail: step.detail,
        }
    }
}

/// `POST /resilience/emergency/{server_id}`
pub(super) async fn emergency(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = params::server_id(&request)?;
    let query: EmergencyQuery = read_query(&request)?;
    // Classic clients may give none: they are obeyed, and it is written down.
    let reason = query
        .reason
        .map_or_else(OrderReason::missing, OrderReason::from);
    let reason_given = reason.is_given;
    let _permit = state.admit(Load::Write)?;
    if query.dry_run.unwrap_or(false) {
        return recovery_plan::answer(&state, id, PlannedFor::Emergency).await;
    }
    let report = state.orchestrator().emergency(id.clone(), reason).await?;
    Ok(HttpResponse::Ok().json(EmergencyAnswer {
        status: if report.is_success() {
            "success"
        } else {
            "error"
        },
        message: told(&id, &report),
        reason_given,
        waiting_until: report.recovered.waiting_until.map(Time),
        steps: report.steps.into_iter().map(StepAnswer::of).collect(),
    }))
}

fn told(id: &InstanceId, report: &EmergencyReport) -> String {
    if report.recovered.waiting_until.is_some() {
        return moved(id, &report.recovered);
    }
    if report.recovered.incident.is_none() {
        return format!("Nothing was taken from `{id}`: the database refused the change.");
    }
    let moved = moved(id, &report.recovered);
    let kept = format!(
        "{moved} It is in maintenance until it registers again or POST /resilience/recovery/{id} \
         releases it."
    );
    if report.is_success() {
        kept
    } else {
        format!("{kept} But not every step was done; see `steps`.")
    }
}

fn moved(id: &InstanceId, recovered: &Recovered) -> String {
    if let Some(until) = recovered.waiting_until.map(Time) {
        return format!(
            "The lease of `{id}` is withdrawn; its streams move when it is over, at {until}, or \
             as soon as its worker has released them."
        );
    }
    let (moved, orphaned) = (recovered.moved, recovered.orphaned);
    if moved + orphaned == 0 {
        return format!("`{id}` owned no streams: there was nothing to move.");
    }
    let waiting = match orphaned {
        0 => String::new(),
        1 => ", 1 waits for room".to_owned(),
        many => format!(", {many} wait for room"),
    };
    let all = moved + orphaned;
    let (streams, run) = (
        if all == 1 { "stream" } else { "streams" },
        if moved == 1 { "runs" } else { "run" },
    );
    format!("Of {all} {streams} of `{id}`, {moved} {run} elsewhere{waiting}.")
}
