//! An operator lets an instance that was taken out of use come back.

use super::command::{Command, Rejection, current_life};
use crate::events::Event;
use crate::fleet::Draft;
use crate::ids::{Incarnation, InstanceId};
use crate::instance::InstanceStatus;

/// Ends the maintenance of an instance: one that beats is active again, one that does not has
/// failed, and its next heartbeat begins its probation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndMaintenance {
    /// Which one.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// Whether it beats.
    pub beats: bool,
}

impl Command for EndMaintenance {
    type Reply = InstanceStatus;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<InstanceStatus, Rejection> {
        let instance = current_life(draft, &self.id, self.incarnation)?;
        if instance.status != InstanceStatus::Maintenance {
            return Ok(instance.status);
        }
        // Nobody fails from maintenance: it is back for the blink of one decision.
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
