//! What the HealthActor answers about failures.

use std::collections::BTreeMap;

use actix::prelude::*;

use super::actor::HealthActor;
use crate::domain::ids::InstanceId;
use crate::domain::incident::{FailureCause, Incident};
use crate::domain::queries::FailedInstance;
use crate::domain::time::WallTime;
use crate::domain::timeline::Recent;

/// What is said about an instance that is failed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDetail {
    /// Which one.
    pub id: InstanceId,
    /// Since when.
    pub since: WallTime,
    /// Why; none if its incident is not remembered.
    pub cause: Option<FailureCause>,
    /// How many streams it owned.
    pub streams_affected: u32,
    /// How often its recovery was attempted.
    pub attempts: u32,
    /// When the last attempt was.
    pub last_attempt: Option<WallTime>,
}

/// What is remembered of failures.
#[derive(Debug, Clone, PartialEq)]
pub struct Failures {
    /// How often each instance failed.
    pub counts: BTreeMap<InstanceId, u32>,
    /// Which part of the recoveries went well; none if none has ended.
    pub success_rate: Option<f64>,
    /// The instances that are failed now.
    pub failed: Vec<FailedDetail>,
}

/// Asks what is remembered of failures, with the instances that are failed now.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Failures")]
pub struct AskFailures(pub Vec<FailedInstance>);

impl Handler<AskFailures> for HealthActor {
    type Result = MessageResult<AskFailures>;

    fn handle(&mut self, AskFailures(failed): AskFailures, _: &mut Self::Context) -> Self::Result {
        let details = failed.into_iter().map(|one| self.detail(one)).collect();
        MessageResult(Failures {
            counts: self.incidents.failure_counts(),
            success_rate: self.incidents.success_rate(),
            failed: details,
        })
    }
}

impl HealthActor {
    fn detail(&self, failed: FailedInstance) -> FailedDetail {
        let last = self.incidents.last_of(&failed.id);
        let incident = last.map(|last| &last.incident);
        FailedDetail {
            since: failed.since,
            cause: incident.map(|incident| incident.cause),
            streams_affected: incident.map_or_else(
                || u32::try_from(failed.held).unwrap_or(u32::MAX),
                |incident| incident.streams_affected,
            ),
            attempts: incident.map_or(0, |incident| incident.attempts),
            last_attempt: last.and_then(|last| last.last_attempt),
            id: failed.id,
        }
    }
}

/// Asks for the remembered incidents that were detected lately, oldest first, without their steps.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<Incident>")]
pub struct AskRecentIncidents(pub Recent);

impl Handler<AskRecentIncidents> for HealthActor {
    type Result = Vec<Incident>;

    fn handle(&mut self, ask: AskRecentIncidents, _: &mut Self::Context) -> Self::Result {
        let AskRecentIncidents(lately) = ask;
        let wanted = self
            .incidents
            .iter()
            .filter(|one| lately.contains(one.incident.detected_at));
        wanted.map(|one| one.incident.clone()).collect()
    }
}
