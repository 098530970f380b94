//! The goodbye of a worker that comes back: its silence is expected.

use super::command::{Command, Rejection, current_life, known};
use super::recover::{count, held};
use super::relocate::releasing;
use crate::events::Event;
use crate::fleet::{Draft, end_overlaps, let_go};
use crate::ids::{Incarnation, InstanceId, StreamId};
use crate::instance::InstanceStatus;
use crate::planned::{Absence, AbsenceEnd, Requester};
use crate::stream::OrphanReason;
use crate::time::WallTime;

/// A worker that has stopped everything leaves for a while. Its streams are reserved until it is back;
/// if it is not back in time, it is removed and they move.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SayGoodbye {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    /// Until when the worker will be back.
    pub until: WallTime,
    pub reason: Option<String>,
}

impl Command for SayGoodbye {
    /// The number of streams that are reserved.
    type Reply = usize;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<usize, Rejection> {
        let instance = current_life(draft, &self.id, self.incarnation)?;
        let is_open = match instance.status {
            InstanceStatus::Active
            | InstanceStatus::Suspect
            | InstanceStatus::Recovering
            | InstanceStatus::Draining => true,
            // Saying it again moves the moment.
            InstanceStatus::Maintenance => instance.absence().is_some(),
            InstanceStatus::Failed | InstanceStatus::Inactive => false,
        };
        if !is_open || instance.withdrawn.is_some() {
            return Err(Rejection::WrongStatus {
                instance: self.id.clone(),
                status: instance.status,
            });
        }
        // It has stopped what it was to stop.
        for stream in releasing(draft, &self.id) {
            let_go(draft, stream);
        }
        end_overlaps(draft, &self.id);
        end_trials(draft, &self.id);
        let absence = Absence {
            since: draft.now(),
            until: self.until,
            by: Requester::Worker,
            reason: self.reason.clone(),
            end: AbsenceEnd::Removed,
        };
        begin_absence(draft, &self.id, absence);
        Ok(held(draft, &self.id))
    }
}

/// Takes the streams on trial from an instance: their trials go on with other owners. One that stayed
/// reserved would hold up every other trial of the fleet until the instance is back. They were not
/// given back by their worker, so they are orphans.
fn end_trials(draft: &mut Draft<'_>, id: &InstanceId) {
    let fleet = draft.fleet();
    let Some(slot) = fleet.instance(id) else {
        return;
    };
    let own = fleet
        .on_trial()
        .filter(|stream| slot.held().contains(stream));
    let own: Vec<StreamId> = own.collect();
    for stream in own {
        draft.orphan(stream, id, OrphanReason::PlannedMove);
    }
}

/// Puts an instance into maintenance until a moment.
pub(super) fn begin_absence(draft: &mut Draft<'_>, id: &InstanceId, absence: Absence) {
    draft.set_status(id, InstanceStatus::Maintenance);
    let Ok(mut instance) = known(draft, id) else {
        return;
    };
    if instance.status != InstanceStatus::Maintenance {
        return;
    }
    let incarnation = instance.incarnation;
    let (by, until, reason) = (absence.by, absence.until, absence.reason.clone());
    instance.plan(|planned| planned.absence = Some(absence));
    draft.put_instance(instance);
    let streams = count(held(draft, id));
    draft.tell(Event::MaintenanceStarted {
        instance: id.clone(),
        incarnation,
        by,
        until,
        streams,
        reason,
    });
}
