//! Recovers an instance that has failed or is taken out of use: its status and the places of all
//! its streams change together.

use std::time::Duration;

use super::command::{Command, Rejection};
use crate::events::Event;
use crate::fleet::{Draft, Evacuation, EvacuationCause, Scoring, blame_owned, evacuate};
use crate::ids::{IncidentId, InstanceId};
use crate::incident::{FailureCause, Incident, StepName, StepResult};
use crate::instance::{Instance, InstanceStatus};
use crate::lease::LeaseOver;
use crate::quarantine::Culpable;
use crate::recovery::{Applied, Manner, Opened, Progress, step};
use crate::time::WallTime;
use crate::withdrawal::HandedOver;
use crate::withdrawal::WithdrawalCause;

/// Plans where each stream of a fenced instance goes (I4), and moves it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverInstance {
    opened: Opened,
    lease: LeaseOver,
    manner: Manner,
    progress: Progress,
    scoring: Scoring,
    culpable: Option<Culpable>,
    last_heartbeat: Option<WallTime>,
}

impl RecoverInstance {
    /// Creates the next attempt of a recovery whose incident is open. `LeaseOver` proves that no
    /// worker runs the exclusive streams under a lease any more.
    pub fn new(
        opened: Opened,
        lease: LeaseOver,
        manner: Manner,
        progress: Progress,
        scoring: Scoring,
    ) -> Self {
        Self {
            opened,
            lease,
            manner,
            progress,
            scoring,
            culpable: None,
            last_heartbeat: None,
        }
    }

    /// Notes the last heartbeat before the instance was fenced, for the event.
    #[must_use]
    pub fn last_heard(self, last_heartbeat: Option<WallTime>) -> Self {
        Self {
            last_heartbeat,
            ..self
        }
    }

    /// Counts the failure against the streams that the instance had just been given
    /// (`quarantine/mod.rs`), if it is evidence.
    #[must_use]
    pub fn blaming(self, culpable: Option<Culpable>) -> Self {
        Self { culpable, ..self }
    }
}

/// The result of a recovery, for its caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The incident of the recovery; `None` if there was nothing to do.
    pub incident: Option<IncidentId>,
    /// Where the streams went, except those that left the instance before.
    pub evacuation: Evacuation,
    /// How many streams run elsewhere, including those that the worker handed over before.
    pub moved: usize,
    /// How many streams found no room.
    pub orphaned: usize,
    /// The latest moment until which streams wait because their worker may still run them.
    pub waiting_until: Option<WallTime>,
}

impl From<&Applied> for Recovered {
    fn from(applied: &Applied) -> Self {
        Self {
            incident: Some(applied.incident().id),
            evacuation: applied.evacuation().clone(),
            moved: applied.incident().streams_moved as usize,
            orphaned: applied.incident().streams_orphaned as usize,
            waiting_until: None,
        }
    }
}

impl Command for RecoverInstance {
    type Reply = Applied;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Applied, Rejection> {
        let failure = self.opened.failure();
        let id = &failure.id;
        let instance = super::command::current_life(draft, id, failure.incarnation)?;
        let slot = draft.fleet().instance(id);
        if !slot.is_some_and(|slot| self.lease.holds_for(slot)) {
            return Err(Rejection::LeaseRuns(id.clone()));
        }
        let before = handed_over(draft, &instance);
        let streams = count(held(draft, id))
            .saturating_add(before.moved)
            .saturating_add(before.orphaned);
        let status = self.manner.end_status();
        if instance.status != status && !draft.set_status(id, status) {
            return Err(Rejection::WrongStatus {
                instance: id.clone(),
                status: instance.status,
            });
        }
        let is_news = instance.status != status || streams > 0;
        if status == InstanceStatus::Failed && is_news {
            draft.tell(Event::InstanceFailed {
                instance: id.clone(),
                incarnation: failure.incarnation,
                cause: failure.cause,
                streams,
                last_heartbeat: self.last_heartbeat,
                incident: Some(self.opened.incident().id),
            });
        }
        if self.manner.is_emergency() {
            draft.tell(Event::EmergencyRecovered {
                incident: self.opened.incident().id,
                instance: id.clone(),
                incarnation: failure.incarnation,
                status,
                streams,
            });
        }
        let cause = if self.manner.is_emergency() {
            EvacuationCause::Emergency
        } else {
            EvacuationCause::InstanceFailed
        };
        draft.set_incident(Some(self.opened.incident().id));
        let culpable = self.culpable.filter(|_| status == InstanceStatus::Failed);
        let quarantined = culpable.map_or_else(Vec::new, |culpable| {
            blame_owned(draft, id, culpable, |_, _| true)
        });
        let mut evacuation = evacuate(draft, id, cause, &self.scoring);
        evacuation.orphaned.extend(&quarantined);
        draft.set_incident(None);
        let incident = self.record(draft, streams, before, &evacuation, quarantined.len());
        let upto = draft.fleet().counter();
        Ok(Applied::new(incident, evacuation, upto))
    }

    fn timed(reply: &mut Applied, took: Duration) {
        reply.planned_in = took;
    }
}

impl RecoverInstance {
    fn record(
        &self,
        draft: &mut Draft<'_>,
        streams: u32,
        before: HandedOver,
        evacuation: &Evacuation,
        quarantined: usize,
    ) -> Incident {
        let (moved, orphaned) = (evacuation.moved.len(), evacuation.orphaned.len());
        let without_room = orphaned.saturating_sub(quarantined);
        let mut planned = format!("{moved} to move, {without_room} without room");
        if quarantined > 0 {
            planned.push_str(&format!(", {quarantined} quarantined"));
        }
        if before.moved > 0 || before.orphaned > 0 {
            planned.push_str(&format!(
                "; before that {} moved and {} found no room as the worker released them",
                before.moved, before.orphaned
            ));
        }
        if let Scoring::LoadAlone(because) = &self.scoring {
            planned.push_str(&format!("; placed by load alone: {because}"));
        }
        // Both durations are known, and added, when the steps are over.
        let done = |name, detail| {
            let at = (draft.now(), Duration::ZERO);
            step(name, StepResult::Done, self.progress.attempt, at, detail)
        };
        let mut steps = self.progress.steps.clone();
        if self.manner.is_emergency() {
            let mut taken = format!("{streams} taken from the instance");
            let handed_over = before.moved.saturating_add(before.orphaned);
            if handed_over > 0 {
                taken.push_str(&format!("; {handed_over} of them its worker handed over"));
            }
            steps.push(done(StepName::ForceRelease, taken));
            steps.push(done(StepName::Redistribute, planned));
        } else {
            steps.push(done(StepName::Plan, planned));
            steps.push(done(StepName::Apply, String::new()));
        }
        let mut incident = Incident {
            streams_affected: streams,
            streams_moved: before.moved.saturating_add(count(moved)),
            streams_orphaned: before.orphaned.saturating_add(count(orphaned)),
            attempts: self.progress.attempt,
            escalated_at: self.progress.escalated_at,
            steps,
            ..self.opened.incident().clone()
        };
        if let Manner::TakenOut { reason } = &self.manner {
            incident.cause = FailureCause::Emergency;
            incident.reason = Some(reason.clone());
        }
        draft.record(incident.clone());
        incident
    }
}

/// Returns what left the instance since its lease was withdrawn for this recovery. What left it
/// because the instance is being removed belongs to its removal.
fn handed_over(draft: &mut Draft<'_>, instance: &Instance) -> HandedOver {
    match instance.withdrawn.map(|withdrawal| withdrawal.cause) {
        Some(WithdrawalCause::Failure | WithdrawalCause::Emergency) => {
            draft.take_handed_over(&instance.id, instance.incarnation)
        }
        Some(WithdrawalCause::Removal) | None => HandedOver::none(instance.incarnation),
    }
}

/// Returns how many streams an instance owns.
pub(super) fn held(draft: &Draft<'_>, id: &InstanceId) -> usize {
    draft
        .fleet()
        .instance(id)
        .map_or(0, |slot| slot.held().len())
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
