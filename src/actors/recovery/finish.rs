//! What is left of a recovery once its moves are saved: it is verified, and its incident ends.

use super::check::check_consistency;
use super::fleet_calls::{execute, settle};
use super::links::RecoveryLinks;
use super::stopwatch::Stopwatch;
use crate::actors::fleet::Ask;
use crate::actors::refusal::Refusal;
use crate::domain::commands::EndIncident;
use crate::domain::incident::{IncidentState, StepName, StepRecord, StepResult, Unmoved};
use crate::domain::queries::VerifyRecovery;
use crate::domain::recovery::{Applied, Manner, Progress};

/// What is left once the moves of a recovery are saved.
#[derive(Debug)]
pub(super) struct Finish {
    pub(super) links: RecoveryLinks,
    pub(super) manner: Manner,
}

/// How a recovery whose moves are saved came out.
#[derive(Debug)]
pub(super) struct Finished {
    /// What is to be saved of it.
    pub(super) end: EndIncident,
    /// Its steps, the last ones included.
    pub(super) steps: Vec<StepRecord>,
}

impl Finish {
    /// Verifies; for an emergency, checks the invariants before. None while the system ends: then
    /// the next start does it.
    pub(super) async fn run(self, mut applied: Applied) -> Option<Finished> {
        let attempt = applied.incident().attempts;
        let mut progress = Progress {
            attempt,
            steps: std::mem::take(&mut applied.incident_mut().steps),
            escalated_at: None,
        };
        if self.manner.is_emergency() {
            check_consistency(&self.links, &self.manner, &mut progress).await;
        }
        let watch = Stopwatch::start(&self.links.clock);
        let instance = applied.instance().clone();
        let verified = self.links.fleet.send(Ask(VerifyRecovery(applied))).await;
        let at = watch.read(&self.links.clock);
        let name = if self.manner.is_emergency() {
            StepName::ResetInstance
        } else {
            StepName::Verify
        };
        let end = match verified.ok()? {
            Ok(mut verified) => {
                let detail = match &self.manner {
                    Manner::Ordinary => String::new(),
                    Manner::Emergency | Manner::TakenOut { .. } => {
                        format!("`{instance}` was put into {}", self.manner.end_status())
                    }
                };
                progress.note(name, StepResult::Done, at, detail);
                verified.incident_mut().steps = progress.steps.clone();
                EndIncident::recovered(verified)
            }
            Err(unverified) => {
                progress.note(name, StepResult::Failed, at, unverified.found.join("; "));
                let mut incident = unverified.incident;
                incident.steps = progress.steps.clone();
                EndIncident::unmoved(incident, Unmoved::Failed)
            }
        };
        Some(Finished {
            end,
            steps: progress.steps,
        })
    }
}

/// Saves how an incident ended; if that may have happened before, looks first.
pub(super) async fn save_end(
    links: RecoveryLinks,
    command: EndIncident,
    in_doubt: bool,
) -> Result<(), Refusal> {
    if in_doubt {
        settle(&links.fleet).await?;
        let saved = links.archive.incident(command.incident().id).await?;
        if saved.is_some_and(|incident| incident.state() == IncidentState::Ended) {
            return Ok(());
        }
    }
    execute(&links.fleet, command).await
}
