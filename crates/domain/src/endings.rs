//! The ends of incidents, until they are saved.
//!
//! The moves of a recovery are saved before its end is: the instance is free for the next change,
//! and only the record is still open. Saving the end is retried until it succeeds; an incident that
//! a crash leaves open is ended at the next start.

use std::collections::BTreeMap;

use crate::commands::EndIncident;
use crate::ids::IncidentId;
use crate::time::Timestamp;

#[derive(Debug, Clone)]
struct Ending {
    command: EndIncident,
    attempt: u32,
    /// `None` while the end is being saved.
    due: Option<Timestamp>,
    in_doubt: bool,
}

/// An end that must be saved now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DueEnding {
    pub command: EndIncident,
    /// Whether it may have been saved already: then the store must be read first.
    pub in_doubt: bool,
}

/// Every end that is not saved yet.
#[derive(Debug, Clone, Default)]
pub struct Endings {
    unsaved: BTreeMap<IncidentId, Ending>,
}

impl Endings {
    /// Adds the end of an incident; the command must be carried out now.
    pub fn begin(&mut self, command: EndIncident) -> DueEnding {
        let ending = Ending {
            command: command.clone(),
            attempt: 1,
            due: None,
            in_doubt: false,
        };
        self.unsaved.insert(command.incident().id, ending);
        DueEnding {
            command,
            in_doubt: false,
        }
    }

    /// Removes an end that is saved, or can never be.
    pub fn done(&mut self, id: IncidentId) {
        self.unsaved.remove(&id);
    }

    /// Returns the number of the attempt that failed just now, from 1.
    pub fn attempt(&self, id: IncidentId) -> u32 {
        self.unsaved.get(&id).map_or(1, |ending| ending.attempt)
    }

    /// Notes that an end could not be saved, or that the outcome is unknown.
    pub fn retry_at(&mut self, id: IncidentId, due: Timestamp, in_doubt: bool) {
        if let Some(ending) = self.unsaved.get_mut(&id) {
            ending.attempt = ending.attempt.saturating_add(1);
            ending.due = Some(due);
            ending.in_doubt |= in_doubt;
        }
    }

    /// Returns the ends whose wait is over.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Vec<DueEnding> {
        self.resume(|due| due <= now)
    }

    /// Returns every end: the store is back, so no wait is needed.
    pub fn store_returned(&mut self) -> Vec<DueEnding> {
        self.resume(|_| true)
    }

    fn resume(&mut self, is_due: impl Fn(Timestamp) -> bool) -> Vec<DueEnding> {
        let waiting = self.unsaved.values_mut();
        waiting
            .filter(|ending| ending.due.is_some_and(&is_due))
            .map(|ending| {
                ending.due = None;
                DueEnding {
                    command: ending.command.clone(),
                    in_doubt: ending.in_doubt,
                }
            })
            .collect()
    }

    /// Returns when the next wait is over.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.unsaved.values().filter_map(|ending| ending.due).min()
    }

    /// Returns how many ends are not saved yet.
    pub fn len(&self) -> usize {
        self.unsaved.len()
    }

    /// Returns whether every end is saved.
    pub fn is_empty(&self) -> bool {
        self.unsaved.is_empty()
    }
}
