//! Rows of a fleet and the indexes the invariants look at, copied part by part.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::{Fleet, InstanceSlot, OrphanRank, StreamSlot};
use crate::fleet::recent::RecentChanges;
use crate::ids::{Epoch, InstanceId, StreamId};

/// The parts, in the order in which they are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    #[default]
    Instances,
    Streams,
    Unclaimed,
    Orphaned,
    End,
}

/// What is copied so far. Each list ascends; what was copied again stands after it.
#[derive(Debug, Default)]
pub(in crate::fleet) struct CopiedRows {
    counter: Epoch,
    instances: Vec<InstanceSlot>,
    streams: Vec<StreamSlot>,
    unclaimed: Vec<StreamId>,
    orphaned: Vec<OrphanRank>,
    part: Part,
    again: Again,
}

/// The rows that changed meanwhile, as they are at the end. None: the row is gone.
#[derive(Debug, Default)]
struct Again {
    instances: Vec<(InstanceId, Option<InstanceSlot>)>,
    streams: Vec<(StreamId, Option<StreamSlot>)>,
    unclaimed: BTreeSet<StreamId>,
    orphaned: BTreeSet<OrphanRank>,
}

impl CopiedRows {
    /// Copies about `most` rows. Returns whether everything is copied.
    pub(in crate::fleet) fn copy_next(&mut self, fleet: &Fleet, most: usize) -> bool {
        let mut room = most;
        while self.part != Part::End && room > 0 {
            let copied = match self.part {
                Part::Instances => self.copy_instances(fleet, room),
                Part::Streams => self.copy_streams(fleet, room),
                Part::Unclaimed => {
                    let next = after(self.unclaimed.last());
                    let next = fleet.unclaimed.range(next).take(room);
                    extended(&mut self.unclaimed, next.copied())
                }
                Part::Orphaned => {
                    let next = after(self.orphaned.last());
                    let next = fleet.orphaned.range(next).take(room);
                    extended(&mut self.orphaned, next.copied())
                }
                Part::End => 0,
            };
            if copied < room {
                self.part = match self.part {
                    Part::Instances => Part::Streams,
                    Part::Streams => Part::Unclaimed,
                    Part::Unclaimed => Part::Orphaned,
                    Part::Orphaned | Part::End => Part::End,
                };
            }
            room -= copied;
        }
        self.part == Part::End
    }

    fn copy_instances(&mut self, fleet: &Fleet, room: usize) -> usize {
        let last = self.instances.last().map(|slot| slot.instance.id.clone());
        let next = fleet.instances.range::<InstanceId, _>(after(last.as_ref()));
        let next = next.take(room);
        extended(&mut self.instances, next.map(|(_, slot)| copy_of(slot)))
    }

    fn copy_streams(&mut self, fleet: &Fleet, room: usize) -> usize {
        let last = self.streams.last().map(|slot| slot.stream.id);
        let next = fleet.streams.range(after(last.as_ref())).take(room);
        extended(&mut self.streams, next.map(|(_, slot)| slot.clone()))
    }

    /// Copies rows that changed since they were copied, or may have.
    pub(in crate::fleet) fn copy_again(
        &mut self,
        fleet: &Fleet,
        instances: &BTreeSet<InstanceId>,
        streams: &BTreeSet<StreamId>,
    ) {
        self.counter = fleet.counter;
        let mut instances = instances.clone();
        for id in streams {
            let slot = fleet.streams.get(id).cloned();
            if let Some(slot) = &slot {
                let owner = slot.place.assignment();
                // An edited entry may be filed elsewhere at its owner.
                instances.extend(owner.map(|owner| owner.instance.clone()));
                let rank = super::filing::orphan_rank(&slot.stream);
                self.again.orphaned.extend(fleet.orphaned.get(&rank));
            }
            self.again.unclaimed.extend(fleet.unclaimed.get(id));
            self.again.streams.push((*id, slot));
        }
        let copies = instances.into_iter().map(|id| {
            let slot = fleet.instances.get(&id).map(copy_of);
            (id, slot)
        });
        self.again.instances = copies.collect();
    }

    pub(in crate::fleet) fn len(&self) -> usize {
        self.instances.len() + self.streams.len()
    }

    /// A fleet of these rows and lists; every other index is empty.
    pub(in crate::fleet) fn into_fleet(self) -> Fleet {
        let mut fleet = Fleet::new(self.counter);
        let instances = self.instances.into_iter();
        fleet.instances = instances
            .map(|slot| (slot.instance.id.clone(), slot))
            .collect();
        let streams = self.streams.into_iter();
        fleet.streams = streams.map(|slot| (slot.stream.id, slot)).collect();
        let changed: BTreeSet<StreamId> = self.again.streams.iter().map(|(id, _)| *id).collect();
        let is_current = |id: &StreamId| !changed.contains(id);
        fleet.unclaimed = self.unclaimed.into_iter().filter(is_current).collect();
        fleet.unclaimed.extend(self.again.unclaimed);
        let orphaned = self.orphaned.into_iter();
        fleet.orphaned = orphaned.filter(|rank| is_current(&rank.id)).collect();
        fleet.orphaned.extend(self.again.orphaned);
        for (id, slot) in self.again.instances {
            match slot {
                Some(slot) => fleet.instances.insert(id, slot),
                None => fleet.instances.remove(&id),
            };
        }
        for (id, slot) in self.again.streams {
            match slot {
                Some(slot) => fleet.streams.insert(id, slot),
                None => fleet.streams.remove(&id),
            };
        }
        fleet
    }
}

fn after<K>(last: Option<&K>) -> (Bound<&K>, Bound<&K>) {
    (
        last.map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded,
    )
}

/// Adds rows to a list; returns how many.
fn extended<T>(list: &mut Vec<T>, rows: impl Iterator<Item = T>) -> usize {
    let before = list.len();
    list.extend(rows);
    list.len() - before
}

/// The slot without the memory of recent changes, which no invariant looks at.
fn copy_of(slot: &InstanceSlot) -> InstanceSlot {
    InstanceSlot {
        instance: slot.instance.clone(),
        held: slot.held.clone(),
        undelivered: slot.undelivered.clone(),
        unconfirmed: slot.unconfirmed.clone(),
        releasing: slot.releasing.clone(),
        deleted_releases: slot.deleted_releases,
        stopped_releases: slot.stopped_releases,
        overlap: slot.overlap.clone(),
        lingering: slot.lingering.clone(),
        given_up: slot.given_up.clone(),
        promised: slot.promised.clone(),
        choosy: slot.choosy.clone(),
        weight: slot.weight,
        promised_weight: slot.promised_weight,
        strain: slot.strain,
        digest: slot.digest,
        recent: RecentChanges::starting_at(slot.instance.assignment_version),
    }
}
