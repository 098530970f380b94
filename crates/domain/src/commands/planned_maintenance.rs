//! Planned maintenance: a drain, and then silence that is expected.

use super::absence::begin_absence;
use super::command::{Command, Rejection, known};
use super::drain::DrainInstance;
use super::drain_plan::DrainPlan;
use crate::fleet::Draft;
use crate::ids::InstanceId;
use crate::pace::MovePace;
use crate::planned::{Absence, AbsenceEnd, Drain, Requester};
use crate::time::WallTime;

/// Drains an instance, and then expects its silence until a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PlanMaintenance {
    pub id: InstanceId,
    pub until: WallTime,
    pub by: Requester,
    pub reason: Option<String>,
    pub pace: MovePace,
}

impl Command for PlanMaintenance {
    type Reply = DrainPlan;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<DrainPlan, Rejection> {
        let instance = known(draft, &self.id)?;
        let is_empty = instance.drain().is_some_and(Drain::is_kept_empty);
        let is_absent = instance
            .absence()
            .is_some_and(|absence| !absence.is_reservation());
        if is_empty || is_absent {
            return Ok(self.begin(draft));
        }
        let drain = DrainInstance {
            id: self.id.clone(),
            // What has not moved by the end of the maintenance stays.
            deadline_at: self.until,
            by: self.by,
            reason: self.reason.clone(),
            force: false,
            then_absent_until: Some(self.until),
            pace: self.pace,
        };
        drain.decide(draft)
    }
}

impl PlanMaintenance {
    /// Begins the maintenance of an instance that is kept empty, or moves the end of one.
    fn begin(&self, draft: &mut Draft<'_>) -> DrainPlan {
        release_hold(draft, &self.id, self.until);
        let absence = Absence {
            since: draft.now(),
            until: self.until,
            by: self.by,
            reason: self.reason.clone(),
            end: AbsenceEnd::Judged,
        };
        begin_absence(draft, &self.id, absence);
        DrainPlan::nothing(self.id.clone())
    }
}

/// The drain that has emptied the instance keeps it from nothing any more: its maintenance does.
fn release_hold(draft: &mut Draft<'_>, id: &InstanceId, until: WallTime) {
    let Ok(mut instance) = known(draft, id) else {
        return;
    };
    instance.plan(|planned| {
        if let Some(drain) = &mut planned.drain {
            drain.in_force = false;
            drain.then_absent_until = Some(until);
        }
    });
    draft.put_instance(instance);
}
