//! The fleet from what a store holds.

use std::fmt;
use std::sync::Arc;

use super::change::Change;
use super::model::Fleet;
use crate::heartbeat::BeatWatermark;
use crate::ids::{Epoch, InstanceId, StreamId};
use crate::instance::Instance;
use crate::stream::{Place, Stream};
use crate::time::WallTime;

/// Everything a store holds about the fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The last epoch that was given out.
    pub counter: Epoch,
    /// Every instance.
    pub instances: Vec<Instance>,
    /// Every stream with its place.
    pub streams: Vec<(Stream, Place)>,
    /// The last saved heartbeat of each instance.
    pub last_beats: Vec<(InstanceId, WallTime)>,
    /// Up to when they are complete; `None` if no orchestrator ever said.
    pub watermark: Option<BeatWatermark>,
}

/// What a store holds cannot be a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotError {
    /// An assignment names an instance that is not there.
    UnknownOwner {
        /// The stream.
        stream: StreamId,
        /// The owner that is not there.
        instance: InstanceId,
    },
    /// Two streams share a name.
    SharedName {
        /// One of them.
        first: StreamId,
        /// The other.
        second: StreamId,
        /// Their name.
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
