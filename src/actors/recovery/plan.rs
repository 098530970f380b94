//! What a recovery would do, for a person who has not ordered it yet.

use actix::prelude::*;

use super::actor::RecoveryActor;
use super::fleet_calls::execute;
use crate::actors::refusal::Refusal;
use crate::domain::commands::{PlanRecovery, RecoveryPlan, Rejection};
use crate::domain::fleet::oldest_reading;
use crate::domain::ids::InstanceId;
use crate::domain::lease::Lease;
use crate::domain::time::WallTime;
use crate::logging;

/// Which recovery is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedFor {
    /// The instance has failed, or is reported as failed.
    Failure,
    /// An operator takes the instance out of use.
    Emergency,
}

/// Asks what a recovery of an instance would do now. Nothing is changed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<PlannedRecovery, Refusal>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct AskRecoveryPlan {
    pub id: InstanceId,
    pub planned_for: PlannedFor,
}

/// What a recovery would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRecovery {
    /// Where the streams would go.
    pub plan: RecoveryPlan,
    /// Until when exclusive streams would wait at the most, because a lease of the worker may run.
    pub waiting_until: Option<WallTime>,
}

impl Handler<AskRecoveryPlan> for RecoveryActor {
    type Result = ResponseFuture<Result<PlannedRecovery, Refusal>>;

    fn handle(
        &mut self,
        AskRecoveryPlan { id, planned_for }: AskRecoveryPlan,
        _: &mut Context<Self>,
    ) -> Self::Result {
        let Some(entry) = self.links.registry.get(&id) else {
            let rejection = Rejection::UnknownInstance(id);
            return Box::pin(async { Err(Refusal::Rejected(rejection)) });
        };
        let oldest = oldest_reading(&self.settings.thresholds);
        let scoring = self.scorer.scoring(&self.links, oldest);
        let waiting_until = match self.links.lease_of(&entry) {
            Lease::Over(_) => None,
            Lease::Runs { until } => Some(self.links.shown(until)),
        };
        let command = match planned_for {
            PlannedFor::Failure => PlanRecovery::of_failure(id, scoring),
            PlannedFor::Emergency => PlanRecovery::of_emergency(id, scoring),
        };
        let fleet = self.links.fleet.clone();
        let planned = async move {
            let plan = execute(&fleet, command).await?;
            Ok(PlannedRecovery {
                plan,
                waiting_until,
            })
        };
        Box::pin(logging::within_any(logging::current(), planned))
    }
}
