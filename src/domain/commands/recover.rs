//! An instance has failed: its status and the places of all its streams change together.

use super::{Command, Rejection};
use crate::domain::events::Event;
use crate::domain::fleet::{Draft, Evacuation, EvacuationCause, evacuate};
use crate::domain::ids::{Incarnation, IncidentId, InstanceId};
use crate::domain::incident::{FailureCause, Incident, IncidentOutcome};
use crate::domain::instance::InstanceStatus;
use crate::domain::time::WallTime;

/// Fails an instance that has been fenced, and moves exactly its streams (I4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverInstance {
    /// Who failed.
    pub id: InstanceId,
    /// In which life; a later one is left alone.
    pub incarnation: Incarnation,
    /// Why.
    pub cause: FailureCause,
    /// When the failure was noticed.
    pub detected_at: WallTime,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// What the recovery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The incident it was recorded as; none if there was nothing to do.
    pub incident: Option<IncidentId>,
    /// What became of the streams.
    pub evacuation: Evacuation,
}

impl Command for RecoverInstance {
    type Reply = Recovered;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Recovered, Rejection> {
        let instance = super::current_life(draft, &self.id, self.incarnation)?;
        let streams = draft
            .fleet()
            .instance(&self.id)
            .map_or(0, |slot| slot.held().len());
        if instance.status == InstanceStatus::Failed && streams == 0 {
            return Ok(Recovered {
                incident: None,
                evacuation: Evacuation::default(),
            });
        }
        if instance.status != InstanceStatus::Failed
            && !draft.set_status(&self.id, InstanceStatus::Failed)
        {
            return Err(Rejection::WrongStatus {
                instance: self.id.clone(),
                status: instance.status,
            });
        }
        draft.tell(Event::InstanceFailed {
            instance: self.id.clone(),
            incarnation: self.incarnation,
            cause: self.cause,
            streams: count(streams),
        });
        let evacuation = evacuate(draft, &self.id, EvacuationCause::InstanceFailed);
        let incident = self.record(draft, streams, &evacuation);
        Ok(Recovered {
            incident: Some(incident),
            evacuation,
        })
    }
}

impl RecoverInstance {
    fn record(&self, draft: &mut Draft<'_>, streams: usize, evacuation: &Evacuation) -> IncidentId {
        let id = IncidentId::new(draft.next_epoch().get());
        let outcome = if evacuation.orphaned.is_empty() {
            IncidentOutcome::Recovered
        } else {
            IncidentOutcome::RecoveredPartially
        };
        let incident = Incident {
            id,
            instance: self.id.clone(),
            incarnation: self.incarnation,
            cause: self.cause,
            detected_at: self.detected_at,
            ended_at: Some(draft.now()),
            outcome: Some(outcome),
            streams_affected: count(streams),
            streams_moved: count(evacuation.moved.len()),
            streams_orphaned: count(evacuation.orphaned.len()),
            attempts: self.attempt,
            reason: None,
            escalated_at: None,
            steps: Vec::new(),
        };
        draft.tell(Event::RecoveryEnded {
            incident: id,
            instance: self.id.clone(),
            outcome,
            moved: incident.streams_moved,
            orphaned: incident.streams_orphaned,
        });
        draft.record(incident);
        id
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
