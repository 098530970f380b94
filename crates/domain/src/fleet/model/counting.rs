//! What an edited entry of the catalogue and the readings of a machine change in the counts of an instance.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fleet, InstanceSlot, StreamSlot};
use crate::ids::{InstanceId, StreamId};
use crate::placement::Strain;
use crate::stream::{Place, Stream};

impl Fleet {
    /// Counts a stream that its owner releases by what the catalogue says now.
    pub(super) fn recount_release(
        &mut self,
        place: &Place,
        before: Option<&Stream>,
        after: Option<&Stream>,
    ) {
        let owner = place.assignment().map(|assignment| &assignment.instance);
        let Some(slot) = owner.and_then(|owner| self.instances.get_mut(owner)) else {
            return;
        };
        let is_released = |stream: &&Stream| slot.releasing.contains(&stream.id);
        let (before, after) = (before.filter(is_released), after.filter(is_released));
        if before.is_none() && after.is_none() {
            return;
        }
        self.tally.take(slot);
        if let Some(before) = before {
            slot.discount_release(before);
        }
        if let Some(after) = after {
            slot.count_release(after);
        }
        self.tally.put(slot);
    }

    /// Counts an assigned stream whose catalogue entry changes: at its owner, at an instance that runs it
    /// a while longer, and at the one it is promised to.
    pub(super) fn count(&mut self, stream: &Stream, place: &Place) {
        let Some(assignment) = place.assignment() else {
            return;
        };
        let weight = u64::from(stream.weight);
        self.weigh(&assignment.instance, |slot| slot.count(stream));
        if let Some(from) = assignment.former() {
            self.weigh(from, |slot| slot.weight += weight);
        }
        if let Some(to) = assignment.promised_to() {
            self.weigh(to, |slot| slot.promised_weight += weight);
        }
        self.apart.add(stream, assignment);
    }

    /// Takes back what [`Fleet::count`] counted.
    pub(super) fn discount(&mut self, stream: &Stream, place: &Place) {
        let Some(assignment) = place.assignment() else {
            return;
        };
        let weight = u64::from(stream.weight);
        self.weigh(&assignment.instance, |slot| slot.discount(stream));
        if let Some(from) = assignment.former() {
            self.weigh(from, |slot| slot.weight -= weight);
        }
        if let Some(to) = assignment.promised_to() {
            self.weigh(to, |slot| slot.promised_weight -= weight);
        }
        self.apart.remove(stream, assignment);
    }

    fn weigh(&mut self, id: &InstanceId, change: impl FnOnce(&mut InstanceSlot)) {
        if let Some(slot) = self.instances.get_mut(id) {
            self.room.remove(&slot.filing());
            change(slot);
            self.room.insert(&slot.filing());
        }
    }

    /// Notes how strained the machines of the instances are; the strain of one that is not named is
    /// unknown.
    pub fn set_strain(&mut self, strain_of: impl Fn(&InstanceId) -> Strain) {
        for (id, slot) in &mut self.instances {
            let strain = strain_of(id);
            if slot.strain != strain {
                self.room.remove(&slot.filing());
                slot.strain = strain;
                self.room.insert(&slot.filing());
            }
        }
    }
}

/// Returns the sum of the weights of streams.
pub(super) fn weight_of(streams: &BTreeMap<StreamId, StreamSlot>, ids: &BTreeSet<StreamId>) -> u64 {
    let weight = |id| {
        streams
            .get(id)
            .map_or(0, |slot: &StreamSlot| u64::from(slot.stream.weight))
    };
    ids.iter().map(weight).sum()
}
