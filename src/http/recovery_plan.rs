//! What a recovery would do: the answer of each route that recovers an instance, if it is only tried (`dry_run=true`).

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Time, list};
use super::planned::MoveLine;
use super::problem::Problem;
use super::state::AppState;
use crate::actors::recovery::{PlannedFor, PlannedRecovery};
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::instance::InstanceStatus;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecoveryPlan)]
pub(super) struct RecoveryPlanAnswer {
    status: &'static str,
    server_id: InstanceId,
    /// Always true: nothing was changed.
    dry_run: bool,
    /// The state of the instance now.
    instance_status: InstanceStatus,
    /// How many streams it owns.
    streams: usize,
    moves: Vec<MoveLine>,
    would_not_fit: Vec<StreamId>,
    /// Until when exclusive streams would wait at the most, because the lease of its worker runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_until: Option<Time>,
}

impl RecoveryPlanAnswer {
    fn of(id: InstanceId, planned: PlannedRecovery, reason: &'static str) -> Self {
        let PlannedRecovery {
            plan,
            waiting_until,
        } = planned;
        let moves = plan.evacuation.moved.into_iter();
        let line = |(stream_id, to)| MoveLine {
            stream_id,
            from: id.clone(),
            to,
            reason,
            progress: "planned",
        };
        Self {
            status: "planned",
            dry_run: true,
            instance_status: plan.status,
            streams: plan.streams,
            moves: moves.map(line).collect(),
            would_not_fit: plan.evacuation.orphaned,
            waiting_until: waiting_until.map(Time),
            server_id: id,
        }
    }
}

/// Answers with the plan of a recovery; nothing is changed.
///
/// # Errors
/// Returns the refusal that the order itself would get.
pub(super) async fn answer(
    state: &AppState,
    id: InstanceId,
    planned_for: PlannedFor,
) -> Result<HttpResponse, Problem> {
    let orchestrator = state.orchestrator();
    let planned = orchestrator.plan_recovery(id.clone(), planned_for).await?;
    let reason = match planned_for {
        PlannedFor::Failure => "instance_failed",
        PlannedFor::Emergency => "emergency",
    };
    let rows = planned.plan.streams;
    list(rows, move || RecoveryPlanAnswer::of(id, planned, reason)).await
}
