//! The fleet from what a store holds.

use std::fmt;
use std::sync::Arc;

use super::model::{Assembly, Fleet};
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

/// Builds the fleet from rows that come part by part: first all instances, then the streams. What
/// is given is kept as it is, so a large fleet is in memory once. The indexes are built at the end,
/// each in one go.
#[derive(Debug, Default)]
pub struct FleetBuilder {
    rows: Assembly,
}

impl FleetBuilder {
    /// A fleet without rows so far, whose last epoch was `counter`.
    pub fn new(counter: Epoch) -> Self {
        Self {
            rows: Assembly::new(counter),
        }
    }

    /// Adds an instance.
    pub fn add_instance(&mut self, instance: Instance) {
        self.rows.add_instance(instance);
    }

    /// Adds a stream with its place.
    ///
    /// # Errors
    /// If the stream's owner is not among the instances.
    pub fn add_stream(&mut self, stream: Stream, mut place: Place) -> Result<(), SnapshotError> {
        if let Place::Assigned(assignment) = &mut place {
            let Some(owner) = self.rows.instance(&assignment.instance) else {
                return Err(SnapshotError::UnknownOwner {
                    stream: stream.id,
                    instance: assignment.instance.clone(),
                });
            };
            // One text for all streams of an owner.
            assignment.instance = owner.id.clone();
        }
        self.rows.add_stream(stream, place);
        Ok(())
    }

    /// Builds the indexes.
    ///
    /// # Errors
    /// If two streams share a name, which the database's own constraints do not prevent.
    pub fn finish(self) -> Result<Fleet, SnapshotError> {
        self.rows.finish()
    }
}

impl Fleet {
    /// Builds the fleet and its indexes.
    ///
    /// # Errors
    /// As [`FleetBuilder::add_stream`] and [`FleetBuilder::finish`].
    pub fn from_snapshot(snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        Self::from_rows(snapshot.clone())
    }

    /// Builds the fleet of rows that are not needed any more.
    ///
    /// # Errors
    /// As [`Fleet::from_snapshot`].
    pub fn from_rows(snapshot: Snapshot) -> Result<Self, SnapshotError> {
        let mut builder = FleetBuilder::new(snapshot.counter);
        for instance in snapshot.instances {
            builder.add_instance(instance);
        }
        for (stream, place) in snapshot.streams {
            builder.add_stream(stream, place)?;
        }
        builder.finish()
    }
}
