//! An operator ends the maintenance of an instance.

use super::command::{Command, Rejection, current_life};
use crate::events::Event;
use crate::fleet::Draft;
use crate::ids::{Incarnation, InstanceId};
use crate::instance::InstanceStatus;

/// Ends the maintenance of an instance. An instance that sends heartbeats is active again; another
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
        // No transition leads from maintenance to failed: the instance is back within this one
        // decision.
        let way: &[InstanceStatus] = if self.beats {
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
        });
        Ok(reached)
    }
}
