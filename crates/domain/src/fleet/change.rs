//! A change of the fleet as a picture before and after, so that it can be undone exactly and
//! saved as rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{InstanceId, StreamId};
use crate::incident::Incident;
use crate::instance::Instance;
use crate::stream::{Place, Stream};

/// One row of the fleet that changed. `None` stands for "no such row".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An instance.
    Instance {
        /// Which one.
        id: InstanceId,
        /// The row as it was.
        before: Option<Arc<Instance>>,
        /// The row as it is now.
        after: Option<Arc<Instance>>,
    },
    /// A stream of the catalogue. A stream that appears is unplaced until its `Place` follows.
    Stream {
        /// Which one.
        id: StreamId,
        /// The row as it was.
        before: Option<Arc<Stream>>,
        /// The row as it is now.
        after: Option<Arc<Stream>>,
    },
    /// Where a stream is.
    Place {
        /// Which stream.
        stream: StreamId,
        /// Where it was.
        before: Option<Place>,
        /// Where it is now.
        after: Option<Place>,
    },
    /// A record of a recovery. It has no part in decisions and only travels to the store.
    Incident(Incident),
}

impl Change {
    /// The change that takes this one back.
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
            Self::Incident(incident) => Self::Incident(incident),
        }
    }
}

/// What the rows of a transaction look like at its end: one entry a row, however often it
/// changed. `None` stands for a row that is to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Instances by id.
    pub instances: BTreeMap<InstanceId, Option<Arc<Instance>>>,
    /// Catalogue entries by id.
    pub streams: BTreeMap<StreamId, Option<Arc<Stream>>>,
    /// Places by stream.
    pub places: BTreeMap<StreamId, Option<Place>>,
    /// Incidents, in the order they were recorded.
    pub incidents: Vec<Incident>,
}

impl Rows {
    /// Lets later changes of a row replace earlier ones.
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
                Change::Incident(incident) => rows.incidents.push(incident.clone()),
            }
        }
        rows
    }

    /// How many rows are to be written.
    pub fn len(&self) -> usize {
        self.instances.len() + self.streams.len() + self.places.len() + self.incidents.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
