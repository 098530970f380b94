//! Streams whose owners fail are kept away, judged by the events alone: the evidence is what
//! happened, nobody is given the stream before its wait is over, and one is tried at a time. In a world
//! in which nothing else goes wrong, the victims of a stream are counted, too: after enough of them
//! nobody gets it without a trial.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::quarantine::{OwnerFailure, OwnerFault};
use resilient_orchestrator::domain::time::WallTime;

use crate::world::TIMEOUT;

/// How many owners have to fail.
const REQUIRED: usize = 3;

/// How many failures suffice, of however few owners.
const MOST: usize = 2 * REQUIRED;

/// What the events tell of one stream.
#[derive(Debug, Default)]
struct Suspect {
    /// Who owned it, one after the other.
    owners: Vec<String>,
    /// Since when it is quarantined, after so many failed retries.
    quarantined: Option<(WallTime, u32)>,
    /// The workers that it ended since it was last trusted.
    victims: Vec<String>,
}

impl Suspect {
    /// Returns whether its victims are enough for a quarantine.
    fn is_poisonous(&self) -> bool {
        let workers: BTreeSet<&String> = self.victims.iter().collect();
        workers.len() >= REQUIRED || self.victims.len() >= MOST
    }
}

#[derive(Debug, Default)]
pub(crate) struct Quarantined {
    suspects: BTreeMap<i64, Suspect>,
    on_trial: BTreeSet<i64>,
    /// Those that were quarantined, ever.
    pub(crate) count: u32,
}

impl Quarantined {
    pub(crate) fn note_victim(&mut self, stream: i64, worker: String) {
        let suspect = self.suspects.entry(stream).or_default();
        suspect.victims.push(worker);
    }

    pub(crate) fn follow(&mut self, at: WallTime, event: &Event) -> Result<(), String> {
        match event {
            Event::StreamAssigned {
                stream,
                instance,
                from,
                ..
            } => {
                let id = stream.get();
                let suspect = self.suspects.entry(id).or_default();
                suspect.owners.push(instance.to_string());
                let Some((since, retries)) = suspect.quarantined else {
                    return if suspect.is_poisonous() {
                        Err(format!(
                            "quarantine: {instance} gets stream {id}, which ended {:?}",
                            suspect.victims
                        ))
                    } else {
                        Ok(())
                    };
                };
                // One that is on trial may go from owner to owner.
                if from.is_none() && !self.on_trial.contains(&id) {
                    let wait = TIMEOUT * (1 << retries.min(16));
                    if at.since(since) < wait {
                        return Err(format!(
                            "quarantine: stream {id} was given out {:?} after its retry {retries}",
                            at.since(since)
                        ));
                    }
                    self.on_trial.insert(id);
                    if self.on_trial.len() > 1 {
                        return Err(format!("quarantine: {:?} are tried at once", self.on_trial));
                    }
                }
            }
            Event::StreamQuarantined {
                stream,
                failures,
                retries,
                ..
            } => {
                let id = stream.get();
                self.count += 1;
                let suspect = self.suspects.entry(id).or_default();
                has_happened(id, failures, &suspect.owners)?;
                suspect.quarantined = Some((at, *retries));
                self.on_trial.remove(&id);
            }
            Event::QuarantineOver { stream, .. } | Event::StreamDeleted { stream } => {
                self.on_trial.remove(&stream.get());
                if let Some(suspect) = self.suspects.get_mut(&stream.get()) {
                    suspect.quarantined = None;
                    suspect.victims.clear();
                }
            }
            // Its owner left without a fault of its own: its trial goes on with the next one.
            Event::StreamOrphaned { stream, .. } | Event::StreamReleased { stream, .. } => {
                if self.on_trial.remove(&stream.get())
                    && let Some(suspect) = self.suspects.get_mut(&stream.get())
                {
                    suspect.quarantined = Some((WallTime::default(), 0));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// As many failures as are required, each of an instance that owned the stream, for less than the
/// window.
fn has_happened(id: i64, failures: &[OwnerFailure], owners: &[String]) -> Result<(), String> {
    let is_owner =
        |failure: &OwnerFailure| owners.iter().any(|own| *own == failure.server_id.as_str());
    let is_short = |failure: &OwnerFailure| {
        Duration::from_millis(failure.owned_ms) < TIMEOUT * 2 || failure.what != OwnerFault::Failed
    };
    let holds =
        failures.len() == REQUIRED && failures.iter().all(|one| is_owner(one) && is_short(one));
    holds
        .then_some(())
        .ok_or_else(|| format!("quarantine: stream {id} of {owners:?} is accused of {failures:?}"))
}
