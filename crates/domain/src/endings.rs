//! How incidents ended, until that is saved.
//!
//! The moves of a recovery are saved before its end is: the instance is free for whatever comes
//! next, and only the record is still open. Saving it is tried again until it succeeds; what a
//! crash leaves open is ended at the next start.

use std::collections::BTreeMap;

use crate::commands::EndIncident;
use crate::ids::IncidentId;
use crate::time::Timestamp;

#[derive(Debug, Clone)]
struct Ending {
    command: EndIncident,
    attempt: u32,
    /// None while it is being saved.
    due: Option<Timestamp>,
    in_doubt: bool,
}

/// What is to be saved now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueEnding {
    /// The command.
    pub command: EndIncident,
    /// Whether it may have been saved already: then it has to be looked up before.
    pub in_doubt: bool,
}

/// Every end that is not saved yet.
#[derive(Debug, Clone, Default)]
pub struct Endings {
    unsaved: BTreeMap<IncidentId, Ending>,
}

impl Endings {
    /// An incident has ended; the command is to be carried out now.
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

    /// It is saved, or never will be.
    pub fn done(&mut self, id: IncidentId) {
        self.unsaved.remove(&id);
    }

    /// Which attempt failed just now, from 1.
    pub fn attempt(&self, id: IncidentId) -> u32 {
        self.unsaved.get(&id).map_or(1, |ending| ending.attempt)
    }

    /// It could not be saved, or nobody knows whether it is.
    pub fn retry_at(&mut self, id: IncidentId, due: Timestamp, in_doubt: bool) {
        if let Some(ending) = self.unsaved.get_mut(&id) {
            ending.attempt = ending.attempt.saturating_add(1);
            ending.due = Some(due);
            ending.in_doubt |= in_doubt;
        }
    }

    /// Those whose wait is over.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Vec<DueEnding> {
        self.resume(|due| due <= now)
    }

    /// The store is back: no wait makes sense any more.
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

    /// When the next wait is over.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.unsaved.values().filter_map(|ending| ending.due).min()
    }

    /// How many are not saved yet.
    pub fn len(&self) -> usize {
        self.unsaved.len()
    }

    /// Whether every end is saved.
    pub fn is_empty(&self) -> bool {
        self.unsaved.is_empty()
    }
}
