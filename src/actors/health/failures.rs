//! What the HealthActor answers about failures.

use std::collections::BTreeMap;

use actix::prelude::*;

use super::actor::HealthActor;
use crate::domain::health::RecentIncidents;
use crate::domain::ids::InstanceId;
use crate::domain::incident::FailureCause;
use crate::domain::queries::FailedInstance;
use crate::domain::time::WallTime;

/// What is said about an instance that is failed now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FailedDetail {
    pub id: InstanceId,
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
        let recent = self.links.incidents.recent();
        let details = failed.into_iter().map(|one| detail(&recent, one)).collect();
        MessageResult(Failures {
            counts: recent.failure_counts(),
            success_rate: recent.success_rate(),
            failed: details,
        })
    }
}

fn detail(recent: &RecentIncidents, failed: FailedInstance) -> FailedDetail {
    let last = recent.last_of(&failed.id);
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
