//! The fleet in memory: every instance, every stream and its place, and the indexes that make each
//! question cheaper than a walk over all of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::change::Change;
use super::recent::RecentChanges;
use super::room::{Filing, Room};
use crate::digest::StreamsDigest;
use crate::handover::{Handoff, Handover};
use crate::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId};
use crate::instance::Instance;
use crate::stream::{Assignment, Place, Stream};

/// An instance, and the indexes that follow from the places of the streams.
#[derive(Debug, Clone)]
pub struct InstanceSlot {
    pub(super) instance: Arc<Instance>,
    pub(super) held: BTreeSet<StreamId>,
    pub(super) undelivered: BTreeSet<StreamId>,
    pub(super) unconfirmed: BTreeSet<StreamId>,
    releasing: BTreeSet<StreamId>,
    overlap: BTreeSet<StreamId>,
    lingering: BTreeMap<StreamId, Epoch>,
    given_up: BTreeSet<StreamId>,
    promised: BTreeSet<StreamId>,
    /// The digest of the streams it should run unless its lease is withdrawn.
    digest: StreamsDigest,
    recent: RecentChanges,
}

impl InstanceSlot {
    /// Returns the saved row of the instance.
    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Returns the streams it owns, ascending.
    pub fn held(&self) -> &BTreeSet<StreamId> {
        &self.held
    }

    /// Returns the streams it owns and was never notified of, ascending.
    pub fn undelivered(&self) -> &BTreeSet<StreamId> {
        &self.undelivered
    }

    /// Returns the streams it owns and was not notified of in its current incarnation, ascending:
    /// the undelivered ones and those only an earlier incarnation was notified of. Empty for a
    /// settled instance, so a heartbeat that confirms everything costs nothing.
    pub fn unconfirmed(&self) -> &BTreeSet<StreamId> {
        &self.unconfirmed
    }

    /// Returns the streams it owns and must release, ascending.
    pub fn releasing(&self) -> &BTreeSet<StreamId> {
        &self.releasing
    }

    /// Returns the streams it runs beside their new owner until that one does, with their old
    /// epochs.
    pub fn lingering(&self) -> &BTreeMap<StreamId, Epoch> {
        &self.lingering
    }

    /// Returns the streams it owns whose move was given up because it did not release them,
    /// ascending.
    pub fn given_up(&self) -> &BTreeSet<StreamId> {
        &self.given_up
    }

    /// Returns the streams that come to it once their owners have released them, ascending.
    pub fn promised(&self) -> &BTreeSet<StreamId> {
        &self.promised
    }

    /// Returns how many of the streams it owns no other instance may run meanwhile.
    pub fn exclusive(&self) -> usize {
        self.held.len() - self.overlap.len()
    }

    /// Returns whether its worker should run a stream: the instance owns it and need not release
    /// it, or runs it until the new owner does. An instance whose lease is withdrawn should run
    /// nothing.
    pub fn is_to_run(&self, id: StreamId) -> bool {
        self.instance.withdrawn.is_none() && self.is_filed_to_run(id)
    }

    fn is_filed_to_run(&self, id: StreamId) -> bool {
        self.lingering.contains_key(&id)
            || (self.held.contains(&id) && !self.releasing.contains(&id))
    }

    /// Returns the digest of the streams its worker should run, kept up to date as they come and
    /// go.
    pub fn digest(&self) -> StreamsDigest {
        match self.instance.withdrawn {
            None => self.digest,
            Some(_) => StreamsDigest::default(),
        }
    }

    /// Returns how many streams its worker should run.
    pub fn to_run_count(&self) -> usize {
        match self.instance.withdrawn {
            None => self.occupied() - self.releasing.len(),
            Some(_) => 0,
        }
    }

    /// Returns the streams its worker should run, ascending.
    pub fn to_run(&self) -> Vec<StreamId> {
        if self.instance.withdrawn.is_some() {
            return Vec::new();
        }
        let mut ids: Vec<StreamId> = self.held.difference(&self.releasing).copied().collect();
        if !self.lingering.is_empty() {
            ids.extend(self.lingering.keys());
            ids.sort_unstable();
        }
        ids
    }

    /// Returns how many streams it owns or runs a while longer.
    fn occupied(&self) -> usize {
        self.held.len() + self.lingering.len()
    }

    /// Returns how many streams it must find room for, those promised to it included: its weight
    /// when the next stream is assigned.
    pub(super) fn load(&self) -> usize {
        self.occupied() + self.promised.len()
    }

    /// Returns how many more streams may be assigned to it. Room for promised streams is reserved.
    pub fn free_room(&self) -> usize {
        (self.instance.max_streams as usize).saturating_sub(self.load())
    }

    /// Returns how many more streams it could own now. Only streams without an owner may take
    /// reserved room: a planned move finds another target, a stream without an owner cannot wait.
    pub fn vacant_room(&self) -> usize {
        (self.instance.max_streams as usize).saturating_sub(self.occupied())
    }

    /// Returns the key under which the capacity index files it.
    pub(super) fn filing(&self) -> Filing<'_> {
        Filing {
            instance: &self.instance,
            load: self.load(),
            vacant: self.vacant_room(),
        }
    }

    /// Changes where a stream is filed, and updates the digest.
    fn refile(&mut self, id: StreamId, change: impl FnOnce(&mut Self)) {
        let before = self.is_filed_to_run(id);
        change(self);
        match (before, self.is_filed_to_run(id)) {
            (false, true) => self.digest.add(id),
            (true, false) => self.digest.remove(id),
            (true, true) | (false, false) => {}
        }
    }

    /// Files an owned stream by whether its owner was notified of it, ever and in its current
    /// incarnation, and whether it must release it: a stream to release is sent no more.
    fn file_delivery(&mut self, id: StreamId, assignment: &Assignment) {
        match assignment.given_up_since() {
            Some(_) => self.given_up.insert(id),
            None => self.given_up.remove(&id),
        };
        if assignment.is_releasing() {
            self.releasing.insert(id);
            self.undelivered.remove(&id);
            self.unconfirmed.remove(&id);
            return;
        }
        self.releasing.remove(&id);
        match assignment.delivered {
            Some(_) => self.undelivered.remove(&id),
            None => self.undelivered.insert(id),
        };
        if assignment.is_unconfirmed(self.instance.incarnation) {
            self.unconfirmed.insert(id);
        } else {
            self.unconfirmed.remove(&id);
        }
    }

    /// Files an owned stream by its mode of hand-over.
    fn file_handoff(&mut self, stream: &Stream) {
        match stream.handoff {
            Handoff::Overlap => self.overlap.insert(stream.id),
            Handoff::Exclusive => self.overlap.remove(&stream.id),
        };
    }

    /// Returns the streams that came or went after `version`; `None` if that is too long ago to
    /// know.
    pub fn changed_since(&self, version: AssignmentVersion) -> Option<BTreeSet<StreamId>> {
        self.recent.since(version)
    }
}

/// A stream and its place.
#[derive(Debug, Clone)]
pub struct StreamSlot {
    pub(super) stream: Arc<Stream>,
    pub(super) place: Place,
}

impl StreamSlot {
    /// Returns the entry of the catalogue.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Returns where the stream is.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// Orphans in the order they are placed: higher priority first, then ascending id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct OrphanRank {
    priority: Reverse<i32>,
    id: StreamId,
}

/// The whole fleet.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    instances: BTreeMap<InstanceId, InstanceSlot>,
    newest: BTreeSet<(Reverse<Incarnation>, InstanceId)>,
    streams: BTreeMap<StreamId, StreamSlot>,
    names: BTreeMap<Arc<str>, StreamId>,
    deleted: BTreeSet<StreamId>,
    unclaimed: BTreeSet<StreamId>,
    /// Those of them that are not paused.
    ready_unclaimed: BTreeSet<StreamId>,
    orphaned: BTreeSet<OrphanRank>,
    /// Those of them that are not paused.
    ready_orphans: BTreeSet<OrphanRank>,
    room: Room,
    /// Streams that are promised to instances which are not registered (any more).
    promised_to_absent: BTreeMap<InstanceId, BTreeSet<StreamId>>,
    counter: Epoch,
}

impl Fleet {
    /// Creates an empty fleet whose next epoch follows `counter`.
    pub fn new(counter: Epoch) -> Self {
        Self {
            counter,
            ..Self::default()
        }
    }

    /// Returns the last epoch that was used.
    pub fn counter(&self) -> Epoch {
        self.counter
    }

    /// Returns the instance of that name.
    pub fn instance(&self, id: &InstanceId) -> Option<&InstanceSlot> {
        self.instances.get(id)
    }

    /// Returns all instances, ascending by name.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceSlot> {
        self.instances.values()
    }

    /// Returns the instances, newest registration first; only those older than `after`, if it is
    /// given.
    pub fn instances_newest_first(
        &self,
        after: Option<&Instance>,
    ) -> impl Iterator<Item = &InstanceSlot> {
        let start = after.map_or(Bound::Unbounded, |instance| {
            Bound::Excluded((Reverse(instance.incarnation), instance.id.clone()))
        });
        self.newest
            .range((start, Bound::Unbounded))
            .filter_map(|(_, id)| self.instances.get(id))
    }

    /// Returns how many instances there are.
    pub fn instance_count(&self) -> usize {
        self.instances.len()
    }

    /// Returns the stream of that id, also one that was deleted and may still run.
    pub fn stream(&self, id: StreamId) -> Option<&StreamSlot> {
        self.streams.get(&id)
    }

    /// Returns the stream of that name.
    pub fn stream_named(&self, name: &str) -> Option<StreamId> {
        self.names.get(name).copied()
    }

    /// Returns the stream of that id in the catalogue.
    pub fn listed(&self, id: StreamId) -> Option<&StreamSlot> {
        self.stream(id).filter(|slot| !slot.stream.deleted)
    }

    /// Returns the streams of the catalogue after `after`, ascending by id.
    pub fn listed_after(&self, after: StreamId) -> impl Iterator<Item = &StreamSlot> {
        self.streams
            .range((Bound::Excluded(after), Bound::Unbounded))
            .map(|(_, slot)| slot)
            .filter(|slot| !slot.stream.deleted)
    }

    /// Returns how many streams are in the catalogue, disabled ones included.
    pub fn listed_count(&self) -> usize {
        self.streams.len() - self.deleted.len()
    }

    /// Returns how many streams of the catalogue an instance owns. A deleted stream takes its room
    /// until no worker runs it, and counts no more.
    pub fn owned(&self, slot: &InstanceSlot) -> usize {
        let is_deleted = |id: &&StreamId| self.deleted.contains(*id);
        // A deleted stream is always one that its owner must release.
        slot.held.len() - slot.releasing.iter().filter(is_deleted).count()
    }

    /// Returns streams that were deleted and may still run, ascending.
    pub fn deleted(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.deleted.iter().copied()
    }

    /// Returns all streams, ascending by id, also those that were deleted and may still run.
    pub fn streams(&self) -> impl Iterator<Item = &StreamSlot> {
        self.streams.values()
    }

    /// Returns how many streams there are, also those that were deleted and may still run.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// Returns the highest stream id in the catalogue.
    pub fn last_stream(&self) -> StreamId {
        self.streams
            .last_key_value()
            .map_or(StreamId::new(0), |(id, _)| *id)
    }

    /// Returns the unclaimed streams, ascending.
    pub fn unclaimed(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.unclaimed.iter().copied()
    }

    /// Returns the unclaimed streams after `after`, ascending.
    pub fn unclaimed_after(&self, after: StreamId) -> impl Iterator<Item = StreamId> {
        self.unclaimed
            .range((Bound::Excluded(after), Bound::Unbounded))
            .copied()
    }

    /// Returns the unclaimed streams that are not paused, ascending.
    pub fn ready_unclaimed(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.ready_unclaimed.iter().copied()
    }

    /// Returns the first unclaimed stream after `after` that is not paused.
    pub(super) fn ready_after(&self, after: StreamId) -> Option<StreamId> {
        let rest = (Bound::Excluded(after), Bound::Unbounded);
        self.ready_unclaimed.range(rest).next().copied()
    }

    /// Returns the next orphan to be placed.
    pub(super) fn next_orphan(&self) -> Option<StreamId> {
        self.ready_orphans.first().map(|rank| rank.id)
    }

    /// Returns how many of the streams without an owner are paused.
    pub fn paused_count(&self) -> usize {
        let all = self.unclaimed.len() + self.orphaned.len();
        all - self.ready_unclaimed.len() - self.ready_orphans.len()
    }

    /// Returns the orphaned streams, in the order in which they are placed.
    pub fn orphaned(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.orphaned.iter().map(|rank| rank.id)
    }

    /// Returns the target for a stream that moves away from its owner: the least loaded active
    /// instance with room; one that gave the stream back only if there is no other.
    pub fn target_for_move(
        &self,
        stream: StreamId,
        owner: Option<&InstanceId>,
    ) -> Option<&InstanceId> {
        let slot = self.stream(stream);
        let avoided = slot.map_or(&[][..], |slot| slot.stream().returned_by());
        self.room.for_move(owner, avoided)
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    pub(super) fn advance_counter(&mut self) -> Epoch {
        self.counter = self.counter.next();
        self.counter
    }

    pub(crate) fn set_counter(&mut self, counter: Epoch) {
        self.counter = counter;
    }

    /// Makes a change. The fleet afterwards depends only on the fleet before and the change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Instance { id, after, .. } => self.apply_instance(id, after),
            Change::Stream { id, after, .. } => self.apply_stream(id, after),
            Change::Place { stream, after, .. } => self.apply_place(stream, after),
            Change::Incident(_) => {}
        }
    }

    fn apply_instance(&mut self, id: InstanceId, after: Option<Arc<Instance>>) {
        if let Some(slot) = self.instances.get(&id) {
            self.room.remove(&slot.filing());
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
            }
            None => {
                let slot = InstanceSlot {
                    recent: RecentChanges::starting_at(after.assignment_version),
                    instance: after,
                    held: BTreeSet::new(),
                    undelivered: BTreeSet::new(),
                    unconfirmed: BTreeSet::new(),
                    releasing: BTreeSet::new(),
                    overlap: BTreeSet::new(),
                    lingering: BTreeMap::new(),
                    given_up: BTreeSet::new(),
                    promised: self.promised_to_absent.remove(&id).unwrap_or_default(),
                    digest: StreamsDigest::default(),
                };
                self.room.insert(&slot.filing());
                self.instances.insert(id, slot);
            }
        }
    }

    fn apply_stream(&mut self, id: StreamId, after: Option<Arc<Stream>>) {
        let place = match self.streams.remove(&id) {
            Some(slot) => {
                self.names.remove(&slot.stream.name);
                self.deleted.remove(&id);
                self.unfile_waiting(&slot.stream, &slot.place);
                slot.place
            }
            None => Place::Disabled,
        };
        let Some(stream) = after else {
            return;
        };
        self.names.insert(stream.name.clone(), id);
        if stream.deleted {
            self.deleted.insert(id);
        }
        // Of all indexes only those of waiting streams and the mode of hand-over depend on the
        // catalogue: no stream comes or goes when an entry is edited.
        if let Some(assignment) = place.assignment()
            && let Some(slot) = self.instances.get_mut(&assignment.instance)
        {
            slot.file_handoff(&stream);
        }
        self.file_waiting(&stream, &place);
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
            return self.refile_delivery(id, new);
        }
        self.unfile(&stream, &before);
        self.file(&stream, &after);
    }

    /// Files the same assignment again after a notification or a confirmation: no stream came or
    /// went.
    fn refile_delivery(&mut self, id: StreamId, assignment: &Assignment) {
        let Some(slot) = self.instances.get_mut(&assignment.instance) else {
            return;
        };
        slot.refile(id, |slot| slot.file_delivery(id, assignment));
    }

    /// Takes a stream out of the index its place belongs to.
    fn unfile(&mut self, stream: &Stream, place: &Place) {
        match place {
            Place::Assigned(assignment) => {
                let Some(slot) = self.instances.get_mut(&assignment.instance) else {
                    return;
                };
                self.room.remove(&slot.filing());
                slot.refile(stream.id, |slot| {
                    slot.held.remove(&stream.id);
                    slot.undelivered.remove(&stream.id);
                    slot.unconfirmed.remove(&stream.id);
                    slot.releasing.remove(&stream.id);
                    slot.overlap.remove(&stream.id);
                    slot.given_up.remove(&stream.id);
                });
                slot.recent
                    .note(slot.instance.assignment_version, stream.id);
                self.room.insert(&slot.filing());
                self.linger(stream.id, assignment, |lingering, id, _| {
                    lingering.remove(&id);
                });
                if let Some(to) = assignment.promised_to() {
                    self.withdraw_promise(stream.id, to);
                }
            }
            Place::Unclaimed { .. } | Place::Orphaned { .. } | Place::Disabled => {
                self.unfile_waiting(stream, place);
            }
        }
    }

    /// Takes a stream without an owner out of the lists of waiting streams.
    fn unfile_waiting(&mut self, stream: &Stream, place: &Place) {
        match place {
            Place::Unclaimed { .. } => {
                self.unclaimed.remove(&stream.id);
                self.ready_unclaimed.remove(&stream.id);
            }
            Place::Orphaned { .. } => {
                self.orphaned.remove(&orphan_rank(stream));
                self.ready_orphans.remove(&orphan_rank(stream));
            }
            Place::Assigned(_) | Place::Disabled => {}
        }
    }

    /// Files a stream without an owner by how it is assigned, and whether it may be now.
    fn file_waiting(&mut self, stream: &Stream, place: &Place) {
        let is_ready = !stream.is_paused();
        match place {
            Place::Unclaimed { .. } => {
                self.unclaimed.insert(stream.id);
                if is_ready {
                    self.ready_unclaimed.insert(stream.id);
                }
            }
            Place::Orphaned { .. } => {
                self.orphaned.insert(orphan_rank(stream));
                if is_ready {
                    self.ready_orphans.insert(orphan_rank(stream));
                }
            }
            Place::Assigned(_) | Place::Disabled => {}
        }
    }

    /// Changes what the former owner of a stream that overlaps runs beside the new one.
    fn linger(
        &mut self,
        id: StreamId,
        assignment: &Assignment,
        change: impl FnOnce(&mut BTreeMap<StreamId, Epoch>, StreamId, Epoch),
    ) {
        let Some(Handover::Overlapping { from, epoch, .. }) = &assignment.handover else {
            return;
        };
        let Some(slot) = self.instances.get_mut(from) else {
            return;
        };
        self.room.remove(&slot.filing());
        slot.refile(id, |slot| change(&mut slot.lingering, id, *epoch));
        slot.recent.note(slot.instance.assignment_version, id);
        self.room.insert(&slot.filing());
    }

    /// Reserves room for a stream at the instance it goes to.
    fn promise(&mut self, id: StreamId, to: &InstanceId) {
        match self.instances.get_mut(to) {
            Some(slot) => {
                self.room.remove(&slot.filing());
                slot.promised.insert(id);
                self.room.insert(&slot.filing());
            }
            None => {
                let promised = self.promised_to_absent.entry(to.clone()).or_default();
                promised.insert(id);
            }
        }
    }

    /// Frees the room that was reserved for a stream.
    fn withdraw_promise(&mut self, id: StreamId, to: &InstanceId) {
        if let Some(slot) = self.instances.get_mut(to) {
            self.room.remove(&slot.filing());
            slot.promised.remove(&id);
            self.room.insert(&slot.filing());
        } else if let Some(promised) = self.promised_to_absent.get_mut(to) {
            promised.remove(&id);
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
                slot.refile(stream.id, |slot| {
                    slot.held.insert(stream.id);
                    slot.file_delivery(stream.id, assignment);
                    slot.file_handoff(stream);
                });
                slot.recent
                    .note(slot.instance.assignment_version, stream.id);
                self.room.insert(&slot.filing());
                self.linger(stream.id, assignment, |lingering, id, epoch| {
                    lingering.insert(id, epoch);
                });
                if let Some(to) = assignment.promised_to() {
                    self.promise(stream.id, to);
                }
            }
            Place::Unclaimed { .. } | Place::Orphaned { .. } | Place::Disabled => {
                self.file_waiting(stream, place);
            }
        }
    }
}

/// Two fleets are equal when their saved rows are: the memory of recent changes is a convenience,
/// and may be shorter after a restart.
impl PartialEq for Fleet {
    fn eq(&self, other: &Self) -> bool {
        self.counter == other.counter
            && self.instances.len() == other.instances.len()
            && self.streams.len() == other.streams.len()
            && self
                .instances
                .values()
                .zip(other.instances.values())
                .all(|(a, b)| {
                    a.instance == b.instance
                        && a.held == b.held
                        && a.undelivered == b.undelivered
                        && a.unconfirmed == b.unconfirmed
                        && a.releasing == b.releasing
                        && a.overlap == b.overlap
                        && a.lingering == b.lingering
                        && a.given_up == b.given_up
                        && a.promised == b.promised
                        && a.digest == b.digest
                })
            && self.newest == other.newest
            && self
                .streams
                .values()
                .zip(other.streams.values())
                .all(|(a, b)| a.stream == b.stream && a.place == b.place)
            && self.names == other.names
            && self.deleted == other.deleted
            && self.unclaimed == other.unclaimed
            && self.ready_unclaimed == other.ready_unclaimed
            && self.orphaned == other.orphaned
            && self.ready_orphans == other.ready_orphans
            && self.room == other.room
            && self.promised_to_absent == other.promised_to_absent
    }
}

fn age_rank(instance: &Instance) -> (Reverse<Incarnation>, InstanceId) {
    (Reverse(instance.incarnation), instance.id.clone())
}

/// Returns the streams that an instance was not notified of in an incarnation that begins now.
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

fn orphan_rank(stream: &Stream) -> OrphanRank {
    OrphanRank {
        priority: Reverse(stream.priority),
        id: stream.id,
    }
}
