//! A change of the fleet as a picture before and after, so that it can be undone exactly and
//! saved as rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::explain::Placing;
use crate::ids::{InstanceId, RollId, StreamId};
use crate::incident::Incident;
use crate::instance::Instance;
use crate::planned::Roll;
use crate::stream::{Place, Stream};

/// One row of the fleet that changed. `None` stands for "no such row".
#[expect(missing_docs, reason = "the names say it")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Instance {
        id: InstanceId,
        before: Option<Arc<Instance>>,
        after: Option<Arc<Instance>>,
    },
    /// A stream of the catalogue. A stream that appears has no place until its `Place` follows.
    Stream {
        id: StreamId,
        before: Option<Arc<Stream>>,
        after: Option<Arc<Stream>>,
    },
    /// Where a stream is.
    Place {
        stream: StreamId,
        before: Option<Place>,
        after: Option<Place>,
    },
    /// A roll of the fleet.
    Roll {
        id: RollId,
        before: Option<Arc<Roll>>,
        after: Option<Arc<Roll>>,
    },
    /// The record of a recovery. It has no part in decisions and only goes to the store.
    Incident(Incident),
    /// The reasons of placements, for the store too.
    Placing(Placing),
}

impl Change {
    /// Returns the change that undoes this one.
    #[must_use]
    pub fn inverted(self) -> Self {
        match self {
            Self::Instance { id, before, after } => Self::Instance {
                id,
                before: after,
                after: before,
            },
            Self::Stream { id, before, after } => Self::Stream {
                id,
                before: after,
                after: before,
            },
            Self::Place {
                stream,
                before,
                after,
            } => Self::Place {
                stream,
                before: after,
                after: before,
            },
            Self::Roll { id, before, after } => Self::Roll {
                id,
                before: after,
                after: before,
            },
            Self::Incident(incident) => Self::Incident(incident),
            Self::Placing(placing) => Self::Placing(placing),
        }
    }
}

/// The rows of a transaction at its end: one entry a row, however often it changed. `None` stands
/// for a row to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Rows {
    pub instances: BTreeMap<InstanceId, Option<Arc<Instance>>>,
    pub streams: BTreeMap<StreamId, Option<Arc<Stream>>>,
    pub places: BTreeMap<StreamId, Option<Place>>,
    pub rolls: BTreeMap<RollId, Option<Arc<Roll>>>,
    /// The incidents, in the order they were recorded.
    pub incidents: Vec<Incident>,
    /// The reasons of placements.
    pub placings: Vec<Placing>,
}

impl Rows {
    /// Collects changes; a later change of a row replaces an earlier one.
    pub fn from_changes<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Self {
        let mut rows = Self::default();
        for change in changes {
            match change {
                Change::Instance { id, after, .. } => {
                    rows.instances.insert(id.clone(), after.clone());
                }
                Change::Stream { id, after, .. } => {
                    rows.streams.insert(*id, after.clone());
                }
                Change::Place { stream, after, .. } => {
                    rows.places.insert(*stream, after.clone());
                }
                Change::Roll { id, after, .. } => {
                    rows.rolls.insert(*id, after.clone());
                }
                Change::Incident(incident) => rows.incidents.push(incident.clone()),
                Change::Placing(placing) => rows.placings.push(placing.clone()),
            }
        }
        rows
    }

    /// Returns how many rows are to be written.
    pub fn len(&self) -> usize {
        let fleet = self.instances.len() + self.streams.len() + self.places.len();
        fleet + self.rolls.len() + self.incidents.len() + self.placings.len()
    }

    /// Returns whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
