//! Continues planned work: what is due by itself.

use super::command::{Command, Rejection, known};
use super::cordon::end_cordon;
use super::drain_step::{expire, proceed};
use super::remove::RemoveInstance;
use crate::events::Event;
use crate::fleet::Draft;
use crate::ids::InstanceId;
use crate::instance::InstanceStatus;
use crate::lease::LeaseOver;
use crate::pace::MovePace;
use crate::planned::{AbsenceEnd, Requester};
use crate::planned_timer::PlannedDue;
use crate::time::WallTime;

/// Ends cordons and absences that are over, and takes the next steps of drains. Entries that are out
/// of date are passed over. Repeating the command changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ContinuePlanned {
    pub due: Vec<(InstanceId, PlannedDue)>,
    pub pace: MovePace,
}

impl Command for ContinuePlanned {
    type Reply = ();

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        for (id, due) in &self.due {
            let Ok(instance) = known(draft, id) else {
                continue;
            };
            match due {
                PlannedDue::CordonOver(until) => {
                    if instance.cordon().and_then(|cordon| cordon.until) == Some(*until) {
                        end_cordon(draft, id, Requester::Program, None);
                    }
                }
                PlannedDue::DrainStep => proceed(draft, id, self.pace),
                PlannedDue::DrainDeadline(at) => {
                    if instance.drain().map(|drain| drain.deadline_at) == Some(*at) {
                        expire(draft, id, self.pace);
                    }
                }
                PlannedDue::AbsenceOver(until) => end_absence(draft, id, *until)?,
            }
        }
        Ok(())
    }
}

/// The instance is not back in time: it is judged like any silent one, or removed.
fn end_absence(draft: &mut Draft<'_>, id: &InstanceId, until: WallTime) -> Result<(), Rejection> {
    let instance = known(draft, id)?;
    let Some(absence) = instance.absence().filter(|absence| absence.until == until) else {
        return Ok(());
    };
    match absence.end {
        AbsenceEnd::Judged => {
            draft.set_status(id, InstanceStatus::Active);
            draft.tell(Event::MaintenanceEnded {
                instance: id.clone(),
                incarnation: instance.incarnation,
                status: InstanceStatus::Active,
                by: Some(Requester::Program),
                reason: None,
            });
            Ok(())
        }
        AbsenceEnd::Removed => RemoveInstance::new(id.clone())
            .in_life(instance.incarnation)
            .ordered(Requester::Program, absence.reason.clone())
            .after(LeaseOver::said_by_worker())
            .decide(draft)
            .map(drop),
    }
}
