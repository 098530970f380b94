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
#[expect(missing_docs, reason = "the names say it")]
pub struct Snapshot {
    /// The last epoch that was used.
    pub counter: Epoch,
    pub instances: Vec<Instance>,
    pub streams: Vec<(Stream, Place)>,
    /// The last saved heartbeat of each instance.
    pub last_beats: Vec<(InstanceId, WallTime)>,
    /// Up to when they are complete; `None` if no orchestrator ever said.
    pub watermark: Option<BeatWatermark>,
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

/// Builds the fleet and its indexes from rows that come part by part: first all instances, then the
/// streams. What is given is kept as it is, so a large fleet is in memory once.
#[derive(Debug, Default)]
pub struct FleetBuilder {
    fleet: Fleet,
}

impl FleetBuilder {
    /// A fleet without rows so far, whose last epoch was `counter`.
    pub fn new(counter: Epoch) -> Self {
        Self {
            fleet: Fleet::new(counter),
        }
    }

    /// Adds an instance.
    pub fn add_instance(&mut self, instance: Instance) {
        self.fleet.apply(Change::Instance {
            id: instance.id.clone(),
            before: None,
            after: Some(Arc::new(instance)),
        });
    }

    /// Adds a stream with its place.
    ///
    /// # Errors
    /// If the row contradicts another in a way the database's own constraints should prevent.
    pub fn add_stream(&mut self, stream: Stream, mut place: Place) -> Result<(), SnapshotError> {
        let id = stream.id;
        if let Place::Assigned(assignment) = &mut place {
            let Some(owner) = self.fleet.instance(&assignment.instance) else {
                return Err(SnapshotError::UnknownOwner {
                    stream: id,
                    instance: assignment.instance.clone(),
                });
            };
            // One text for all streams of an owner.
            assignment.instance = owner.instance().id.clone();
        }
        if let Some(first) = self.fleet.stream_named(&stream.name) {
            return Err(SnapshotError::SharedName {
                first,
                second: id,
                name: stream.name,
            });
        }
        self.fleet.apply(Change::Stream {
            id,
            before: None,
            after: Some(Arc::new(stream)),
        });
        self.fleet.apply(Change::Place {
            stream: id,
            before: None,
            after: Some(place),
        });
        Ok(())
    }

    /// Ends the building.
    pub fn finish(self) -> Fleet {
        self.fleet
    }
}

impl Fleet {
    /// Builds the fleet and its indexes.
    ///
    /// # Errors
    /// As [`FleetBuilder::add_stream`].
    pub fn from_snapshot(snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        let mut builder = FleetBuilder::new(snapshot.counter);
        for instance in &snapshot.instances {
            builder.add_instance(instance.clone());
        }
        for (stream, place) in &snapshot.streams {
            builder.add_stream(stream.clone(), place.clone())?;
        }
        Ok(builder.finish())
    }
}
