//! The routes of the circuit breakers.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Seconds, Time, Told, seconds};
use super::body::Body;
use super::params;
use super::problem::Problem;
use super::requests::ForceRequest;
use super::state::{AppState, Load};
use crate::actors::db_breaker::BreakerReport;
use crate::domain::breaker::{BreakerName, BreakerState, Force};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BreakersAnswer {
    breakers: Vec<BreakerAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BreakerAnswer {
    name: BreakerName,
    /// The state in force.
    state: BreakerState,
    since: Time,
    /// Failures in a row, up to now.
    failures: u32,
    /// Null while no probe is due: the breaker is closed, being probed, or forced.
    next_probe_seconds: Option<Seconds>,
    forced: Option<Force>,
    reason: Option<String>,
    forced_since: Option<Time>,
}

impl From<BreakerReport> for BreakerAnswer {
    fn from(report: BreakerReport) -> Self {
        let forced = report.forced;
        Self {
            name: report.name,
            state: report.state,
            since: Time(report.since),
            failures: report.failures,
            next_probe_seconds: report.next_probe.map(seconds),
            forced: forced.as_ref().map(|given| given.force),
            forced_since: forced.as_ref().map(|given| Time(given.since)),
            reason: forced.map(|given| given.reason),
        }
    }
}

/// `GET /resilience/breakers`
pub(super) async fn list(state: Data<AppState>) -> Result<Json<Told<BreakersAnswer>>, Problem> {
    let _permit = state.admit(Load::Read)?;
    let reports = state.orchestrator().breakers().await?;
    Ok(Json(state.told(BreakersAnswer {
        breakers: reports.into_iter().map(BreakerAnswer::from).collect(),
    })))
}

/// `POST /resilience/breakers/{name}`
pub(super) async fn force(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<BreakerAnswer>, Problem> {
    let _permit = state.admit(Load::Write)?;
    let name = params::breaker(&request)?;
    let order = body.read::<ForceRequest>().await?.order(name.clone());
    let report = state.orchestrator().force_breaker(order).await?;
    let report = report.ok_or_else(|| Problem::unknown_breaker(&name))?;
    Ok(Json(report.into()))
}
