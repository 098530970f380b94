//! One attempt of a recovery, in the only order there is, and what follows once it is saved.
//!
//! The types of `domain/recovery/pipeline.rs` lead through it. What could not be saved is handed
//! back with the case; whether and when it is tried again is the machine's business.

use std::time::Duration;

use super::fleet_calls::{execute, settle};
use super::links::RecoveryLinks;
use super::stopwatch::Stopwatch;
use crate::actors::archive::StoreReader;
use crate::actors::refusal::Refusal;
use crate::actors::registry::Entry;
use crate::domain::commands::{
    EscalateIncident, OpenIncident, Opening, RecoverInstance, Rejection, WithdrawLease,
};
use crate::domain::fleet::{Evacuation, Scoring};
use crate::domain::incident::{Incident, IncidentFilter, IncidentState, StepName, StepResult};
use crate::domain::lease::Lease;
use crate::domain::quarantine::Culpable;
use crate::domain::recovery::{Applied, Confirmed, Failure, Manner, Opened, Progress};
use crate::domain::time::{Timestamp, WallTime};
use crate::domain::withdrawal::WithdrawalCause;

/// How many open incidents one instance can have at the most: the one that is being looked for,
/// and those whose ends are not saved yet.
const OPEN_INCIDENTS: u32 = 100;

/// A recovery of an instance that is fenced, between its attempts.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) confirmed: Confirmed,
    pub(super) opened: Option<Opened>,
    pub(super) progress: Progress,
    /// Whether the outcome of a transaction is unknown: what is saved has to be looked up.
    pub(super) in_doubt: bool,
    /// Whether its caller was answered that it could not be done: unless its moves turn out
    /// to be saved, nothing of it is done later.
    pub(super) is_given_up: bool,
    /// Set if the failure is evidence against the streams of the instance.
    pub(super) culpable: Option<Culpable>,
    /// The last heartbeat before the fence.
    pub(super) last_heartbeat: WallTime,
    /// Whether the lease was withdrawn for it: it is carried out whatever happens.
    pub(super) is_promised: bool,
}

impl Case {
    pub(super) fn failure(&self) -> &Failure {
        self.confirmed.failure()
    }

    /// The number of its incident, if that is open.
    pub(super) fn number(&self) -> Option<i64> {
        Some(self.opened.as_ref()?.incident().id.get())
    }
}

/// What an attempt brought.
#[derive(Debug)]
pub(super) enum Achieved {
    /// There was nothing to do.
    Nothing,
    /// Its worker may still run its streams: they wait.
    LeaseRuns {
        /// Until when, at the most.
        until: Timestamp,
        /// What may be run twice, and did not wait.
        evacuation: Evacuation,
    },
    /// Nothing was saved, and no caller waits for it any more.
    GivenUp,
    /// The moves are saved.
    Moves(Box<Applied>),
}

/// What one attempt works with.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) links: RecoveryLinks,
    pub(super) manner: Manner,
    pub(super) scoring: Scoring,
}

impl Attempt {
    /// Opens the incident, if it is not open yet, and has the fleet plan and apply.
    pub(super) async fn run(mut self, mut case: Case) -> (Case, Manner, Result<Achieved, Refusal>) {
        let watch = Stopwatch::start(&self.links.clock);
        let result = self.carry_out(&mut case).await;
        if let Err(refusal) = &result {
            case.in_doubt |= *refusal == Refusal::OutcomeUnknown;
            let result = match refusal {
                Refusal::Rejected(_) => StepResult::Skipped,
                _ => StepResult::Failed,
            };
            let at = watch.read(&self.links.clock);
            let step = self.step();
            case.progress.note(step, result, at, refusal.to_string());
        }
        (case, self.manner, result)
    }

    /// The step that fails if an attempt does.
    fn step(&self) -> StepName {
        if self.manner.is_emergency() {
            StepName::ForceRelease
        } else {
            StepName::Apply
        }
    }

    async fn carry_out(&mut self, case: &mut Case) -> Result<Achieved, Refusal> {
        if case.in_doubt {
            if let Some(applied) = look_up(&self.links, case).await? {
                self.manner = manner_of(applied.incident());
                return Ok(Achieved::Moves(Box::new(applied)));
            }
            if case.is_given_up {
                return Ok(Achieved::GivenUp);
            }
        }
        let fleet = &self.links.fleet;
        let mut opened = match case.opened.take() {
            Some(opened) => opened,
            None => {
                let (confirmed, progress) = (case.confirmed.clone(), case.progress.clone());
                let command = OpenIncident::new(confirmed, self.manner.clone(), progress);
                match execute(fleet, command).await? {
                    Opening::Opened(opened) => opened,
                    Opening::NothingToDo => return Ok(Achieved::Nothing),
                }
            }
        };
        case.opened = Some(opened.clone());
        if let Some(at) = case.progress.escalated_at
            && opened.incident().escalated_at.is_none()
        {
            let command = EscalateIncident::new(opened, at, case.progress.clone());
            opened = execute(fleet, command).await?;
            case.opened = Some(opened.clone());
        }
        let Some(entry) = self.links.registry.get(&case.failure().id) else {
            let id = case.failure().id.clone();
            return Err(Refusal::Rejected(Rejection::UnknownInstance(id)));
        };
        let over = match self.links.lease_of(&entry) {
            Lease::Over(over) => over,
            Lease::Runs { until } => {
                let evacuation = self.withdraw(case, opened, &entry, until).await?;
                return Ok(Achieved::LeaseRuns { until, evacuation });
            }
        };
        let fleet = &self.links.fleet;
        let command = RecoverInstance::new(
            opened.clone(),
            over,
            self.manner.clone(),
            case.progress.clone(),
            self.scoring.clone(),
        )
        .blaming(case.culpable)
        .last_heard(Some(case.last_heartbeat));
        let watch = Stopwatch::start(&self.links.clock);
        let mut applied = match execute(fleet, command).await {
            // It had no lease, or nothing exclusive, when it was looked at.
            Err(Refusal::Rejected(Rejection::LeaseRuns(_))) => {
                let until = match self.links.lease_of(&entry) {
                    Lease::Runs { until } => until,
                    Lease::Over(_) => self.links.clock.now(),
                };
                let evacuation = self.withdraw(case, opened, &entry, until).await?;
                return Ok(Achieved::LeaseRuns { until, evacuation });
            }
            outcome => outcome?,
        };
        let (_, took) = watch.read(&self.links.clock);
        complete(&mut applied, took);
        Ok(Achieved::Moves(Box::new(applied)))
    }
}

impl Attempt {
    /// Withdraws the lease of the instance, unless that is saved already for the same reason.
    async fn withdraw(
        &self,
        case: &mut Case,
        opened: Opened,
        entry: &Entry,
        until: Timestamp,
    ) -> Result<Evacuation, Refusal> {
        let wanted = match self.manner {
            Manner::Ordinary | Manner::Emergency => WithdrawalCause::Failure,
            Manner::TakenOut { .. } => WithdrawalCause::Emergency,
        };
        let reason = self.manner.reason();
        let is_saved = entry.standing().withdrawn == Some(wanted)
            && (reason.is_none() || opened.incident().reason.as_ref() == reason);
        if is_saved {
            case.is_promised = true;
            return Ok(Evacuation::default());
        }
        let watch = Stopwatch::start(&self.links.clock);
        let mut progress = case.progress.clone();
        let left = until.since(self.links.clock.now());
        let detail = format!(
            "its lease is over in {:.1} s at the latest",
            left.as_secs_f64()
        );
        let at = watch.read(&self.links.clock);
        progress.note(StepName::AwaitLease, StepResult::Done, at, detail);
        let scoring = self.scoring.clone();
        let command = WithdrawLease::for_recovery(opened, &self.manner, &progress, scoring)
            .blaming(case.culpable);
        let withdrawn = execute(&self.links.fleet, command).await?;
        case.progress = progress;
        case.opened = withdrawn.opened;
        case.is_promised = true;
        Ok(withdrawn.evacuation)
    }
}

/// In which manner the moves of an incident were made.
pub(super) fn manner_of(incident: &Incident) -> Manner {
    let was_emergency = incident
        .steps
        .iter()
        .any(|step| step.name == StepName::Redistribute && step.result == StepResult::Done);
    match (&incident.reason, was_emergency) {
        (Some(reason), true) => Manner::TakenOut {
            reason: reason.clone(),
        },
        (None, true) => Manner::Emergency,
        (_, false) => Manner::Ordinary,
    }
}

/// Adds how long planning and saving took, which was not known while they were saved.
fn complete(applied: &mut Applied, took: Duration) {
    let planned = applied.planned_in;
    let saved = took.saturating_sub(planned);
    let mut last_two = applied.incident_mut().steps.iter_mut().rev().take(2);
    for step in &mut last_two {
        let took = match step.name {
            StepName::Plan | StepName::Redistribute => planned,
            _ => saved,
        };
        step.duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    }
}

/// Finds out what was saved of a case whose last transaction is in doubt: its moves, its incident,
/// or nothing.
pub(super) async fn look_up(
    links: &RecoveryLinks,
    case: &mut Case,
) -> Result<Option<Applied>, Refusal> {
    settle(&links.fleet).await?;
    let found = match &case.opened {
        Some(opened) => links.archive.incident(opened.incident().id).await?,
        None => find_open(&links.archive, case.failure()).await?,
    };
    case.in_doubt = false;
    case.opened = found
        .clone()
        .and_then(|incident| case.confirmed.resume(incident));
    Ok(found.and_then(Applied::recorded))
}

/// The incident that was opened for this failure, if it was.
async fn find_open(archive: &StoreReader, failure: &Failure) -> Result<Option<Incident>, Refusal> {
    let filter = IncidentFilter {
        instance: Some(failure.id.clone()),
        state: Some(IncidentState::Open),
        ..IncidentFilter::default()
    };
    let open = archive.incidents(&filter, OPEN_INCIDENTS).await?;
    Ok(open.into_iter().find(|incident| {
        incident.incarnation == failure.incarnation && incident.detected_at == failure.detected_at
    }))
}
