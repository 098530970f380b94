//! Instances that leave for good.

use super::{Command, Rejection, known};
use crate::domain::events::{Event, RemovalReason};
use crate::domain::fleet::{Draft, Evacuation, EvacuationCause, Scoring, evacuate};
use crate::domain::ids::InstanceId;
use crate::domain::instance::InstanceStatus;
use crate::domain::time::WallTime;

/// Moves an instance's streams elsewhere and forgets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveInstance {
    /// Who leaves.
    pub id: InstanceId,
}

/// What became of its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed(pub Evacuation);

impl Command for RemoveInstance {
    type Reply = Removed;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Removed, Rejection> {
        known(draft, &self.id)?;
        // Nothing is pushed to an inactive instance, so none of its streams comes back to it.
        draft.set_status(&self.id, InstanceStatus::Inactive);
        let evacuation = evacuate(
            draft,
            &self.id,
            EvacuationCause::InstanceRemoved,
            &Scoring::default(),
        );
        draft.remove_instance(&self.id);
        draft.tell(Event::InstanceRemoved {
            instance: self.id.clone(),
            reason: RemovalReason::Requested,
        });
        Ok(Removed(evacuation))
    }
}

/// Forgets instances that have been failed, and without streams, since before a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetFailed {
    /// The moment.
    pub failed_before: WallTime,
}

impl Command for ForgetFailed {
    type Reply = Vec<InstanceId>;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Vec<InstanceId>, Rejection> {
        let forgotten: Vec<InstanceId> = draft
            .fleet()
            .instances()
            .filter(|slot| {
                slot.instance().status == InstanceStatus::Failed
                    && slot.instance().status_since < self.failed_before
                    && slot.held().is_empty()
            })
            .map(|slot| slot.instance().id.clone())
            .collect();
        for id in &forgotten {
            draft.remove_instance(id);
            draft.tell(Event::InstanceRemoved {
                instance: id.clone(),
                reason: RemovalReason::RetentionOver,
            });
        }
        Ok(forgotten)
    }
}
