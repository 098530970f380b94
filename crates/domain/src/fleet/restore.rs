//! The fleet from what a store holds.

use std::fmt;
use std::sync::Arc;

use super::model::Fleet;
use super::model::assembly::{Assembly, NameClash};
use crate::heartbeat::BeatWatermark;
use crate::ids::{Epoch, InstanceId, StreamId};
use crate::instance::Instance;
use crate::planned::Roll;
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
    pub rolls: Vec<Roll>,
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
    rolls: Vec<Roll>,
}

impl FleetBuilder {
    /// A fleet without rows so far, whose last epoch was `counter`.
    pub fn new(counter: Epoch) -> Self {
        Self {
            rows: Assembly::new(counter),
            rolls: Vec::new(),
        }
    }

    /// Adds an instance.
    pub fn add_instance(&mut self, instance: Instance) {
        self.rows.add_instance(instance);
    }

    /// Adds a roll.
    pub fn add_roll(&mut self, roll: Roll) {
        self.rolls.push(roll);
    }

    /// Adds a stream with its place.
    ///
    /// # Errors
    /// If the stream's owner is not among the instances.
    pub fn add_stream(&mut self, stream: Stream, place: Place) -> Result<(), SnapshotError> {
        let id = stream.id;
        let owner = place.assignment().map(|owner| owner.instance.clone());
        match (self.rows.add_stream(stream, place), owner) {
            (false, Some(instance)) => Err(SnapshotError::UnknownOwner {
                stream: id,
                instance,
            }),
            _ => Ok(()),
        }
    }

    /// Builds the indexes.
    ///
    /// # Errors
    /// If two streams share a name, which the database's own constraints do not prevent.
    pub fn finish(self) -> Result<Fleet, SnapshotError> {
        let shared = |clash: NameClash| SnapshotError::SharedName {
            first: clash.first,
            second: clash.second,
            name: clash.name,
        };
        let mut fleet = self.rows.finish().map_err(shared)?;
        for roll in self.rolls {
            fleet.add_roll(roll);
        }
        Ok(fleet)
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
        for roll in snapshot.rolls {
            builder.add_roll(roll);
        }
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// The rows of streams with these names, whose ids count from 1.
    fn named(names: &[&str]) -> Snapshot {
        let mut ledger = sample::ledger();
        let count = i64::try_from(names.len()).unwrap();
        sample::run(&mut ledger, sample::streams(1..=count));
        let fleet = ledger.saved();
        let rows = fleet.streams().zip(names).map(|(slot, name)| {
            let mut stream = slot.stream().as_ref().clone();
            stream.name = (*name).into();
            (stream, slot.place().clone())
        });
        Snapshot {
            counter: fleet.counter(),
            streams: rows.collect(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn every_stream_is_found_by_its_name() {
        let names = [
            "camera",
            "camera-of-the-northern-gate-2",
            "camera-of-the-northern-gate-10",
            "camera-of-the-northern-gate-1",
            "camera-of-the",
            "camera-",
            "cameras",
            "camera\u{e9}",
        ];
        let fleet = Fleet::from_snapshot(&named(&names)).unwrap();
        for (id, name) in (1..).zip(names) {
            assert_eq!(fleet.stream_named(name), Some(StreamId::new(id)));
        }
        assert_eq!(fleet.stream_named("camera-of"), None);
    }

    #[test]
    fn two_streams_of_one_name_are_no_fleet() {
        for names in [&["b", "a", "b", "a"][..], &["b", "", "b"]] {
            let refused = Fleet::from_snapshot(&named(names)).err();
            let shared = SnapshotError::SharedName {
                first: StreamId::new(1),
                second: StreamId::new(3),
                name: "b".into(),
            };
            assert_eq!(refused, Some(shared));
        }
    }

    #[test]
    fn rows_may_come_in_any_order() {
        let ascending = named(&["a", "b", "c"]);
        let mut other = ascending.clone();
        other.streams.reverse();
        let fleets = [&ascending, &other].map(|rows| Fleet::from_snapshot(rows).unwrap());
        assert!(fleets[0] == fleets[1]);
    }
}
