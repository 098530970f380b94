//! How the fleet follows a change: every index that depends on it moves with it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::counting::weight_of;
use super::{Fleet, InstanceSlot, OrphanRank, StreamSlot};
use crate::digest::StreamsDigest;
use crate::fleet::change::Change;
use crate::fleet::recent::RecentChanges;
use crate::handover::Handover;
use crate::ids::{Epoch, Incarnation, InstanceId, StreamId};
use crate::instance::Instance;
use crate::placement::{Need, Strain};
use crate::stream::{Assignment, Place, Stream};

impl Fleet {
    /// Makes a change. The fleet afterwards depends only on the fleet before and the change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Instance { id, after, .. } => self.apply_instance(id, after),
            Change::Stream { id, after, .. } => self.apply_stream(id, after),
            Change::Place { stream, after, .. } => self.apply_place(stream, after),
            Change::Roll { id, after, .. } => {
                match after {
                    Some(roll) => self.rolls.insert(id, roll),
                    None => self.rolls.remove(&id),
                };
            }
            Change::Incident(_) | Change::Placing(_) => {}
        }
    }

    fn apply_instance(&mut self, id: InstanceId, after: Option<Arc<Instance>>) {
        if let Some(slot) = self.instances.get(&id) {
            self.room.remove(&slot.filing());
            self.tally.take(slot);
            self.newest.remove(&age_rank(&slot.instance));
        }
        let Some(after) = after else {
            let promised = self.instances.remove(&id).map(|slot| slot.promised);
            if let Some(promised) = promised.filter(|promised| !promised.is_empty()) {
                self.promised_to_absent.insert(id, promised);
            }
            return;
        };
        self.newest.insert(age_rank(&after));
        match self.instances.get_mut(&id) {
            Some(slot) => {
                slot.recent
                    .follow(slot.instance.assignment_version, after.assignment_version);
                let same_life = slot.instance.incarnation == after.incarnation;
                slot.instance = after;
                if !same_life {
                    slot.unconfirmed = unconfirmed(&slot.instance, &slot.held, &self.streams);
                }
                self.room.insert(&slot.filing());
                self.tally.put(slot);
            }
            None => {
                let mut slot = InstanceSlot {
                    recent: RecentChanges::starting_at(after.assignment_version),
                    instance: after,
                    held: BTreeSet::new(),
                    undelivered: BTreeSet::new(),
                    unconfirmed: BTreeSet::new(),
                    releasing: BTreeSet::new(),
                    deleted_releases: 0,
                    stopped_releases: 0,
                    overlap: BTreeSet::new(),
                    lingering: BTreeMap::new(),
                    given_up: BTreeSet::new(),
                    promised: self.promised_to_absent.remove(&id).unwrap_or_default(),
                    choosy: BTreeMap::new(),
                    weight: 0,
                    promised_weight: 0,
                    strain: Strain::default(),
                    digest: StreamsDigest::default(),
                };
                slot.promised_weight = weight_of(&self.streams, &slot.promised);
                self.room.insert(&slot.filing());
                self.tally.put(&slot);
                self.instances.insert(id, slot);
            }
        }
    }

    fn apply_stream(&mut self, id: StreamId, after: Option<Arc<Stream>>) {
        let mut before = None;
        let place = match self.streams.remove(&id) {
            Some(slot) => {
                self.names.remove(&slot.stream.name);
                self.deleted.remove(&id);
                self.unfile_waiting(&slot.stream, &slot.place);
                before = Some(slot.stream);
                slot.place
            }
            None => Place::Disabled,
        };
        let weighs_as_before = match (before.as_deref(), after.as_deref()) {
            (Some(before), Some(after)) => {
                before.weight == after.weight && before.constraints == after.constraints
            }
            _ => false,
        };
        self.recount_release(&place, before.as_deref(), after.as_deref());
        if let Some(before) = before.filter(|_| !weighs_as_before) {
            self.discount(&before, &place);
        }
        let Some(stream) = after else {
            return;
        };
        self.names.insert(stream.name.clone(), id);
        if stream.deleted {
            self.deleted.insert(id);
        }
        // Of all indexes only those of waiting streams and the kind of hand-over depend on what the
        // catalogue says: nothing comes to or goes from an owner when an entry is edited.
        if let Some(assignment) = place.assignment()
            && let Some(slot) = self.instances.get_mut(&assignment.instance)
        {
            slot.file_handoff(&stream);
        }
        self.file_waiting(&stream, &place);
        if !weighs_as_before {
            self.count(&stream, &place);
        }
        self.streams.insert(id, StreamSlot { stream, place });
    }

    fn apply_place(&mut self, id: StreamId, after: Option<Place>) {
        let after = after.unwrap_or(Place::Disabled);
        let Some(slot) = self.streams.get_mut(&id) else {
            return;
        };
        let stream = slot.stream.clone();
        let before = std::mem::replace(&mut slot.place, after.clone());
        if let (Some(old), Some(new)) = (before.assignment(), after.assignment())
            && old.instance == new.instance
            && old.epoch == new.epoch
            && old.handover == new.handover
            && old.version == new.version
        {
            return self.refile_delivery(&stream, new);
        }
        self.unfile(&stream, &before);
        self.file(&stream, &after);
    }

    /// Files the same assignment anew, delivered or confirmed: the set of the owner does not change.
    fn refile_delivery(&mut self, stream: &Stream, assignment: &Assignment) {
        let Some(slot) = self.instances.get_mut(&assignment.instance) else {
            return;
        };
        self.tally.take(slot);
        slot.refile(stream.id, |slot| slot.file_delivery(stream, assignment));
        self.tally.put(slot);
    }

    /// Takes a stream out of the index its place belongs to.
    fn unfile(&mut self, stream: &Stream, place: &Place) {
        match place {
            Place::Assigned(assignment) => {
                let Some(slot) = self.instances.get_mut(&assignment.instance) else {
                    return;
                };
                self.room.remove(&slot.filing());
                self.tally.take(slot);
                slot.refile(stream.id, |slot| {
                    if slot.held.remove(&stream.id) {
                        slot.discount(stream);
                    }
                    slot.undelivered.remove(&stream.id);
                    slot.unconfirmed.remove(&stream.id);
                    slot.unfile_release(stream);
                    slot.overlap.remove(&stream.id);
                    slot.given_up.remove(&stream.id);
                });
                slot.recent
                    .note(slot.instance.assignment_version, stream.id);
                self.room.insert(&slot.filing());
                self.tally.put(slot);
                self.linger(stream.id, assignment, |slot, id, _| {
                    if slot.lingering.remove(&id).is_some() {
                        slot.weight -= u64::from(stream.weight);
                    }
                });
                if let Some(to) = assignment.promised_to() {
                    self.withdraw_promise(stream, to);
                }
                self.apart.remove(stream, assignment);
                self.unfile_waiting(stream, place);
            }
            Place::Unclaimed { .. } | Place::Orphaned { .. } | Place::Disabled => {
                self.unfile_waiting(stream, place);
            }
        }
    }

    /// Removes a stream from the lists of those that wait, and of those on trial.
    fn unfile_waiting(&mut self, stream: &Stream, place: &Place) {
        match place {
            Place::Unclaimed { .. } => {
                self.unclaimed.remove(&stream.id);
                self.ready_unclaimed.remove(&Need::of(stream), &stream.id);
                self.suspects.unclaimed.remove(&stream.id);
            }
            Place::Orphaned { .. } => {
                self.orphaned.remove(&orphan_rank(stream));
                self.ready_orphans
                    .remove(&Need::of(stream), &orphan_rank(stream));
                self.suspects.orphaned.remove(&stream.id);
            }
            Place::Assigned(_) => {
                self.suspects.on_trial.remove(&stream.id);
            }
            Place::Disabled => {}
        }
    }

    /// Files a stream without an owner by how it is assigned, and whether it may be now; one with an
    /// owner by whether it is on trial.
    fn file_waiting(&mut self, stream: &Stream, place: &Place) {
        let (is_ready, is_quarantined) = (!stream.is_withheld(), stream.is_quarantined());
        match place {
            Place::Unclaimed { .. } => {
                self.unclaimed.insert(stream.id);
                if is_ready {
                    self.ready_unclaimed.insert(Need::of(stream), stream.id);
                }
                if is_quarantined {
                    self.suspects.unclaimed.insert(stream.id);
                }
            }
            Place::Orphaned { .. } => {
                self.orphaned.insert(orphan_rank(stream));
                if is_ready {
                    self.ready_orphans
                        .insert(Need::of(stream), orphan_rank(stream));
                }
                if is_quarantined {
                    self.suspects.orphaned.insert(stream.id);
                }
            }
            Place::Assigned(_) if is_quarantined => {
                self.suspects.on_trial.insert(stream.id);
            }
            Place::Assigned(_) | Place::Disabled => {}
        }
    }

    /// Changes what the former owner of a stream that overlaps runs beside the new one.
    fn linger(
        &mut self,
        id: StreamId,
        assignment: &Assignment,
        change: impl FnOnce(&mut InstanceSlot, StreamId, Epoch),
    ) {
        let Some(Handover::Overlapping { from, epoch, .. }) = &assignment.handover else {
            return;
        };
        let Some(slot) = self.instances.get_mut(from) else {
            return;
        };
        self.room.remove(&slot.filing());
        self.tally.take(slot);
        slot.refile(id, |slot| change(slot, id, *epoch));
        slot.recent.note(slot.instance.assignment_version, id);
        self.room.insert(&slot.filing());
        self.tally.put(slot);
    }

    /// Reserves room for a stream at the instance it goes to.
    fn promise(&mut self, stream: &Stream, to: &InstanceId) {
        match self.instances.get_mut(to) {
            Some(slot) => {
                self.room.remove(&slot.filing());
                if slot.promised.insert(stream.id) {
                    slot.promised_weight += u64::from(stream.weight);
                }
                self.room.insert(&slot.filing());
            }
            None => {
                let promised = self.promised_to_absent.entry(to.clone()).or_default();
                promised.insert(stream.id);
            }
        }
    }

    /// Frees the room that was reserved for a stream.
    fn withdraw_promise(&mut self, stream: &Stream, to: &InstanceId) {
        if let Some(slot) = self.instances.get_mut(to) {
            self.room.remove(&slot.filing());
            if slot.promised.remove(&stream.id) {
                slot.promised_weight -= u64::from(stream.weight);
            }
            self.room.insert(&slot.filing());
        } else if let Some(promised) = self.promised_to_absent.get_mut(to) {
            promised.remove(&stream.id);
            if promised.is_empty() {
                self.promised_to_absent.remove(to);
            }
        }
    }

    /// Puts a stream into the index its place belongs to.
    fn file(&mut self, stream: &Stream, place: &Place) {
        match place {
            Place::Assigned(assignment) => {
                let Some(slot) = self.instances.get_mut(&assignment.instance) else {
                    return;
                };
                self.room.remove(&slot.filing());
                self.tally.take(slot);
                slot.refile(stream.id, |slot| {
                    if slot.held.insert(stream.id) {
                        slot.count(stream);
                    }
                    slot.file_delivery(stream, assignment);
                    slot.file_handoff(stream);
                });
                slot.recent
                    .note(slot.instance.assignment_version, stream.id);
                self.room.insert(&slot.filing());
                self.tally.put(slot);
                self.linger(stream.id, assignment, |slot, id, epoch| {
                    if slot.lingering.insert(id, epoch).is_none() {
                        slot.weight += u64::from(stream.weight);
                    }
                });
                if let Some(to) = assignment.promised_to() {
                    self.promise(stream, to);
                }
                self.apart.add(stream, assignment);
                self.file_waiting(stream, place);
            }
            Place::Unclaimed { .. } | Place::Orphaned { .. } | Place::Disabled => {
                self.file_waiting(stream, place);
            }
        }
    }
}

pub(super) fn age_rank(instance: &Instance) -> (Reverse<Incarnation>, InstanceId) {
    (Reverse(instance.incarnation), instance.id.clone())
}

/// Returns the streams of which an instance was not notified in the life that begins.
fn unconfirmed(
    instance: &Instance,
    held: &BTreeSet<StreamId>,
    streams: &BTreeMap<StreamId, StreamSlot>,
) -> BTreeSet<StreamId> {
    held.iter()
        .copied()
        .filter(|id| {
            streams
                .get(id)
                .and_then(|slot| slot.place.assignment())
                .is_none_or(|assignment| assignment.is_unconfirmed(instance.incarnation))
        })
        .collect()
}

pub(super) fn orphan_rank(stream: &Stream) -> OrphanRank {
    OrphanRank {
        priority: Reverse(stream.priority),
        id: stream.id,
    }
}
