//! A copy of the fleet that is taken some rows at a time, while commands go on changing it.
//!
//! The rows are shared, so a copy costs little; what an invariant does not look at is left out. A
//! row that changes during the copying is copied again at its end. So the copy is the fleet at one
//! moment, the end, however long it took.

use std::collections::BTreeSet;

use super::change::Change;
use super::model::Fleet;
use super::model::copied::CopiedRows;
use crate::ids::{InstanceId, StreamId};
use crate::stream::Place;

/// A copy under way.
#[derive(Debug, Default)]
pub struct FleetCopy {
    rows: CopiedRows,
    streams: BTreeSet<StreamId>,
    instances: BTreeSet<InstanceId>,
}

impl FleetCopy {
    /// Copies about `most` rows. Returns whether these were the last ones.
    pub fn proceed(&mut self, fleet: &Fleet, most: usize) -> bool {
        self.rows.copy_next(fleet, most)
    }

    /// Notes a change of the fleet that is being copied.
    pub fn note(&mut self, change: &Change) {
        match change {
            Change::Instance { id, .. } => {
                self.instances.insert(id.clone());
            }
            Change::Stream { id, .. } => {
                self.streams.insert(*id);
            }
            Change::Place {
                stream,
                before,
                after,
            } => {
                self.streams.insert(*stream);
                let places = before.iter().chain(after);
                let concerned = places.filter_map(Place::assignment).flat_map(|assignment| {
                    let others = [assignment.former(), assignment.promised_to()];
                    [Some(&assignment.instance)].into_iter().chain(others)
                });
                self.instances.extend(concerned.flatten().cloned());
            }
            Change::Roll { .. } | Change::Incident(_) | Change::Placing(_) => {}
        }
    }

    /// Ends the copy with the rows that changed meanwhile.
    pub fn finish(mut self, fleet: &Fleet) -> CopiedFleet {
        self.rows.copy_again(fleet, &self.instances, &self.streams);
        CopiedFleet { rows: self.rows }
    }
}

/// The rows of a fleet as they were at one moment.
#[derive(Debug)]
pub struct CopiedFleet {
    rows: CopiedRows,
}

impl CopiedFleet {
    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether the fleet was empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Builds a fleet for the invariants: its rows, and of its indexes those that are checked.
    /// Takes a while for a large fleet.
    pub fn into_fleet(self) -> Fleet {
        self.rows.into_fleet()
    }
}

#[cfg(test)]
mod tests;
