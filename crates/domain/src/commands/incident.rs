//! The record of a recovery, before and after its moves: opened, escalated, ended.

use super::command::{Command, Rejection};
use crate::events::Event;
use crate::fleet::Draft;
use crate::ids::IncidentId;
use crate::incident::{
    FailureCause, Incident, IncidentOutcome, StepName, StepRecord, StepResult, Unmoved,
};
use crate::instance::InstanceStatus;
use crate::recovery::{Confirmed, Manner, Opened, Progress, Verified};
use crate::time::WallTime;
use crate::withdrawal::HandedOver;
use crate::withdrawal::WithdrawalCause;

/// Records that a recovery has begun, before any stream is moved: whatever happens afterwards, the
/// next start finds the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIncident {
    confirmed: Confirmed,
    manner: Manner,
    progress: Progress,
}

impl OpenIncident {
    /// Creates the incident of a confirmed failure, with the steps taken so far.
    pub fn new(confirmed: Confirmed, manner: Manner, progress: Progress) -> Self {
        Self {
            confirmed,
            manner,
            progress,
        }
    }
}

/// Whether there is anything to recover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// The incident is open.
    Opened(Opened),
    /// The instance has failed already and owns nothing.
    NothingToDo,
}

impl Command for OpenIncident {
    type Reply = Opening;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Opening, Rejection> {
        let failure = self.confirmed.failure();
        let instance = super::command::current_life(draft, &failure.id, failure.incarnation)?;
        let held = super::recover::held(draft, &failure.id);
        let status = self.manner.end_status();
        if instance.status == InstanceStatus::Failed
            && held == 0
            && status == InstanceStatus::Failed
        {
            return Ok(Opening::NothingToDo);
        }
        if !instance.status.may_become(status) {
            return Err(Rejection::WrongStatus {
                instance: failure.id.clone(),
                status: instance.status,
            });
        }
        let incident = Incident {
            id: IncidentId::new(draft.next_epoch().get()),
            instance: failure.id.clone(),
            incarnation: failure.incarnation,
            cause: match self.manner {
                Manner::TakenOut { .. } => FailureCause::Emergency,
                Manner::Ordinary | Manner::Emergency => failure.cause,
            },
            detected_at: failure.detected_at,
            ended_at: None,
            outcome: None,
            streams_affected: super::recover::count(held),
            streams_moved: 0,
            streams_orphaned: 0,
            attempts: self.progress.attempt,
            reason: self.manner.reason().cloned(),
            escalated_at: self.progress.escalated_at,
            steps: self.progress.steps.clone(),
        };
        if incident.escalated_at.is_some() {
            tell_escalated(draft, &incident);
        }
        draft.record(incident.clone());
        Ok(Opening::Opened(self.confirmed.clone().opened(incident)))
    }
}

/// Records that the attempts of a recovery are used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalateIncident {
    opened: Opened,
    at: WallTime,
    progress: Progress,
}

impl EscalateIncident {
    /// Escalates an open incident whose attempts were used up at that moment.
    pub fn new(opened: Opened, at: WallTime, progress: Progress) -> Self {
        Self {
            opened,
            at,
            progress,
        }
    }
}

impl Command for EscalateIncident {
    type Reply = Opened;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Opened, Rejection> {
        let incident = Incident {
            attempts: self.progress.attempt,
            escalated_at: Some(self.at),
            steps: self.progress.steps.clone(),
            ..self.opened.incident().clone()
        };
        tell_escalated(draft, &incident);
        draft.record(incident.clone());
        Ok(self.opened.clone().with(incident))
    }
}

fn tell_escalated(draft: &mut Draft<'_>, incident: &Incident) {
    draft.tell(Event::RecoveryEscalated {
        incident: incident.id,
        instance: incident.instance.clone(),
        attempts: incident.attempts,
    });
}

/// Records how an incident ended. It is never rejected: the instance may have been removed long
/// ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndIncident {
    incident: Incident,
    outcome: IncidentOutcome,
}

impl EndIncident {
    /// Ends the incident of a recovery that was verified.
    pub fn recovered(verified: Verified) -> Self {
        let outcome = verified.outcome();
        Self {
            incident: verified.into_incident(),
            outcome,
        }
    }

    /// Ends the incident of a recovery that moved nothing.
    pub fn unmoved(incident: Incident, ending: Unmoved) -> Self {
        let outcome = match ending {
            Unmoved::Averted => IncidentOutcome::Averted,
            Unmoved::Interrupted => IncidentOutcome::Interrupted,
            Unmoved::Failed => IncidentOutcome::Failed,
        };
        Self { incident, outcome }
    }

    /// Returns the incident without its end.
    pub fn incident(&self) -> &Incident {
        &self.incident
    }
}

impl Command for EndIncident {
    type Reply = ();

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        let before = self.handed_over(draft);
        let incident = Incident {
            ended_at: Some(draft.now()),
            outcome: Some(self.outcome),
            streams_moved: self.incident.streams_moved.saturating_add(before.moved),
            streams_orphaned: (self.incident.streams_orphaned).saturating_add(before.orphaned),
            ..self.incident.clone()
        };
        draft.tell(Event::RecoveryEnded {
            incident: incident.id,
            instance: incident.instance.clone(),
            outcome: self.outcome,
            moved: incident.streams_moved,
            orphaned: incident.streams_orphaned,
        });
        draft.record(incident);
        Ok(())
    }
}

impl EndIncident {
    /// Returns what the worker handed over while the lease was withdrawn for this incident, if no
    /// stream was moved otherwise: a recovery that was carried out has counted that already.
    fn handed_over(&self, draft: &mut Draft<'_>) -> HandedOver {
        let (id, life) = (&self.incident.instance, self.incident.incarnation);
        let was_withdrawn = |step: &StepRecord| {
            (step.name, step.result) == (StepName::AwaitLease, StepResult::Done)
        };
        let is_carried_out = |step: &StepRecord| {
            matches!(step.name, StepName::Apply | StepName::Redistribute)
                && step.result == StepResult::Done
        };
        let steps = &self.incident.steps;
        let is_removal = draft.fleet().instance(id).is_some_and(|slot| {
            let withdrawn = slot.instance().withdrawn;
            withdrawn.is_some_and(|withdrawal| withdrawal.cause == WithdrawalCause::Removal)
        });
        if is_removal || !steps.iter().any(was_withdrawn) || steps.iter().any(is_carried_out) {
            return HandedOver::none(life);
        }
        draft.take_handed_over(id, life)
    }
}
