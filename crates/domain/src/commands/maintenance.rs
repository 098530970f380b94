//! An operator ends the maintenance of an instance.

use super::command::{Command, Rejection, current_life};
use super::remove::RemoveInstance;
use crate::events::Event;
use crate::fleet::Draft;
use crate::ids::{Incarnation, InstanceId};
use crate::instance::InstanceStatus;
use crate::lease::LeaseOver;
use crate::planned::Requester;

/// Ends the maintenance of an instance. An instance that sends heartbeats is active again, or goes on
/// with its drain; one whose worker has left for a while is removed; another
/// one has failed, and its next heartbeat begins its probation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct EndMaintenance {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    /// Whether the instance sends heartbeats.
    pub beats: bool,
}

impl Command for EndMaintenance {
    type Reply = InstanceStatus;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<InstanceStatus, Rejection> {
        let instance = current_life(draft, &self.id, self.incarnation)?;
        if instance.status != InstanceStatus::Maintenance {
            return Ok(instance.status);
        }
        if instance.is_reserved() {
            // Its worker has left: what is reserved for it is not waited for any longer.
            let removal = RemoveInstance::new(self.id.clone())
                .in_life(self.incarnation)
                .ordered(Requester::Operator, None)
                .after(LeaseOver::said_by_worker());
            return removal.decide(draft).map(|_| InstanceStatus::Inactive);
        }
        // No transition leads from maintenance to failed: the instance is back within this one
        // decision.
        let is_held = instance.drain_in_force().is_some();
        let way: &[InstanceStatus] = if self.beats && is_held {
            &[InstanceStatus::Active, InstanceStatus::Draining]
        } else if self.beats {
            &[InstanceStatus::Active]
        } else {
            &[InstanceStatus::Recovering, InstanceStatus::Failed]
        };
        let mut reached = instance.status;
        for status in way {
            draft.set_status(&self.id, *status);
            reached = *status;
        }
        draft.tell(Event::MaintenanceEnded {
            instance: self.id.clone(),
            incarnation: self.incarnation,
            status: reached,
            by: Some(Requester::Operator),
            reason: None,
        });
        Ok(reached)
    }
}
