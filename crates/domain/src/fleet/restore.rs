//! The fleet from what a store holds.

use std::fmt;
use std::sync::Arc;

use super::change::Change;
use super::model::Fleet;
use crate::ids::{Epoch, InstanceId, StreamId};
use crate::instance::Instance;
use crate::stream::{Place, Stream};
use crate::time::WallTime;

/// Everything a store holds about the fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Snapshot {
    /// The last epoch that was used.
    pub counter: Epoch,
    pub instances: Vec<Instance>,
    pub streams: Vec<(Stream, Place)>,
    /// The last saved heartbeat of each instance.
    pub last_beats: Vec<(InstanceId, WallTime)>,
}

/// The rows of a store cannot be a fleet.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotError {
    /// An assignment names an instance that is not there.
    UnknownOwner {
        stream: StreamId,
        instance: InstanceId,
    },
    /// Two streams share a name.
    SharedName {
        first: StreamId,
        second: StreamId,
        name: Arc<str>,
    },
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOwner { stream, instance } => {
                write!(
                    f,
                    "stream {stream} is assigned to `{instance}`, which is not registered"
                )
            }
            Self::SharedName {
                first,
                second,
                name,
            } => {
                write!(f, "streams {first} and {second} are both called `{name}`")
            }
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Fleet {
    /// Builds the fleet and its indexes.
    ///
    /// # Errors
    /// If rows contradict each other in a way the database's own constraints should prevent.
    pub fn from_snapshot(snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        let mut fleet = Self::new(snapshot.counter);
        for instance in &snapshot.instances {
            fleet.apply(Change::Instance {
                id: instance.id.clone(),
                before: None,
                after: Some(Arc::new(instance.clone())),
            });
        }
        for (stream, place) in &snapshot.streams {
            if let Some(assignment) = place.assignment()
                && fleet.instance(&assignment.instance).is_none()
            {
                return Err(SnapshotError::UnknownOwner {
                    stream: stream.id,
                    instance: assignment.instance.clone(),
                });
            }
            if let Some(first) = fleet.stream_named(&stream.name) {
                return Err(SnapshotError::SharedName {
                    first,
                    second: stream.id,
                    name: stream.name.clone(),
                });
            }
            fleet.apply(Change::Stream {
                id: stream.id,
                before: None,
                after: Some(Arc::new(stream.clone())),
            });
            fleet.apply(Change::Place {
                stream: stream.id,
                before: None,
                after: Some(place.clone()),
            });
        }
        Ok(fleet)
    }
}
