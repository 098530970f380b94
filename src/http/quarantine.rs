//! Streams whose owners failed: why they are kept away from the fleet, and how they are released.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

use super::answer::Time;
use super::body::Body;
use super::params;
use super::problem::Problem;
use super::requests::{DryRunQuery, ReleaseQuarantineRequest, read_query};
use super::state::{AppState, Load};
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::quarantine::{OwnerFailure, OwnerFault, Suspicion};
use crate::domain::stream::StreamState;

/// Why a stream is quarantined, and when it is tried again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuarantineAnswer {
    since: Time,
    failures: Vec<FailureAnswer>,
    /// Null while it is on trial: it has an owner.
    retry_at: Option<Time>,
    /// How many retries failed.
    retries: u32,
}

impl QuarantineAnswer {
    /// Returns it for a stream that is quarantined or on trial.
    pub(super) fn of(suspicion: &Suspicion) -> Option<Self> {
        let quarantine = suspicion.quarantine?;
        Some(Self {
            since: Time(quarantine.since),
            failures: suspicion.failures.iter().map(FailureAnswer::of).collect(),
            retry_at: quarantine.retry_at.map(Time),
            retries: quarantine.retries,
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnerFailure)]
struct FailureAnswer {
    server_id: InstanceId,
    at: Time,
    what: OwnerFault,
    /// How long the instance had owned the stream.
    owned_seconds: f64,
    /// The reason that its worker gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Arc<str>>,
}

impl FailureAnswer {
    fn of(failure: &OwnerFailure) -> Self {
        Self {
            server_id: failure.server_id.clone(),
            at: Time(failure.at),
            what: failure.what,
            owned_seconds: failure.owned_ms as f64 / 1_000.0,
            reason: failure.reason.clone(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuarantineReleased)]
pub(super) struct ReleaseAnswer {
    status: &'static str,
    stream_id: StreamId,
    /// Set if nothing was changed: the rest is what would happen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    /// The state it is in now.
    state: StreamState,
    /// The owner that it was given at once; null if none had room.
    server_id: Option<InstanceId>,
}

/// `POST /streams/{id}/release-quarantine`
pub(super) async fn release(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<ReleaseAnswer>, Problem> {
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    let _permit = state.admit(Load::Write)?;
    let id = params::stream_id(&request)?;
    let order: ReleaseQuarantineRequest = body.read_or_default().await?;
    let released = state
        .orchestrator()
        .execute_or_try(order.command(id), dry_run)
        .await?;
    Ok(Json(ReleaseAnswer {
        status: "released",
        stream_id: id,
        dry_run,
        state: released.state,
        server_id: released.owner,
    }))
}
