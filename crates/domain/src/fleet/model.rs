//! The fleet in memory: every instance, every stream, where it is, and the indexes that keep
//! each question cheaper than a walk over all of them.

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

/// An instance and what follows from the places of the streams.
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
    /// Of what it is to run unless its lease is withdrawn.
    digest: StreamsDigest,
    recent: RecentChanges,
}

impl InstanceSlot {
    /// What is saved about it.
    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// The streams it owns, ascending.
    pub fn held(&self) -> &BTreeSet<StreamId> {
        &self.held
    }

    /// The streams it owns and was never told of, ascending.
    pub fn undelivered(&self) -> &BTreeSet<StreamId> {
        &self.undelivered
    }

    /// The streams it owns and was not told of in its current life, ascending: the undelivered
    /// ones and those only an earlier life was told of. Empty for an instance that is settled,
    /// so a heartbeat that confirms what it has costs nothing.
    pub fn unconfirmed(&self) -> &BTreeSet<StreamId> {
        &self.unconfirmed
    }

    /// The streams it owns and is told to let go of, ascending.
    pub fn releasing(&self) -> &BTreeSet<StreamId> {
        &self.releasing
    }

    /// The streams it runs beside their new owner until that one does, with their old epochs.
    pub fn lingering(&self) -> &BTreeMap<StreamId, Epoch> {
        &self.lingering
    }

    /// The streams it owns whose move was given up, because it did not let go of them, ascending.
    pub fn given_up(&self) -> &BTreeSet<StreamId> {
        &self.given_up
    }

    /// The streams that come to it once their owners have released them, ascending.
    pub fn promised(&self) -> &BTreeSet<StreamId> {
        &self.promised
    }

    /// How many of the streams it owns may be run by nobody else meanwhile.
    pub fn exclusive(&self) -> usize {
        self.held.len() - self.overlap.len()
    }

    /// Whether its worker is to run a stream: it owns it and is not to let go of it, or it runs it
    /// until the new owner does. One whose lease is withdrawn is to run nothing.
    pub fn is_to_run(&self, id: StreamId) -> bool {
        self.instance.withdrawn.is_none() && self.is_filed_to_run(id)
    }

    fn is_filed_to_run(&self, id: StreamId) -> bool {
        self.lingering.contains_key(&id)
            || (self.held.contains(&id) && !self.releasing.contains(&id))
    }

    /// The digest of the streams its worker is to run, kept as they come and go.
    pub fn digest(&self) -> StreamsDigest {
        match self.instance.withdrawn {
            None => self.digest,
            Some(_) => StreamsDigest::default(),
        }
    }

    /// How many streams its worker is to run.
    pub fn to_run_count(&self) -> usize {
        match self.instance.withdrawn {
            None => self.occupied() - self.releasing.len(),
            Some(_) => 0,
        }
    }

    /// The streams its worker is to run, ascending.
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

    /// How many streams it owns or runs a while longer.
    fn occupied(&self) -> usize {
        self.held.len() + self.lingering.len()
    }

    /// How many streams it has to find room for, those promised to it included: what it is weighed
    /// by when somebody is chosen to get the next one.
    pub(super) fn load(&self) -> usize {
        self.occupied() + self.promised.len()
    }

    /// How many more streams it may be given. Room for what is promised to it is reserved.
    pub fn free_room(&self) -> usize {
        (self.instance.max_streams as usize).saturating_sub(self.load())
    }

    /// How many more streams it could own now. Only streams that nobody runs may take reserved
    /// room: a planned move finds another target, a stream without an owner cannot wait.
    pub fn vacant_room(&self) -> usize {
        (self.instance.max_streams as usize).saturating_sub(self.occupied())
    }

    /// What the capacity index files it by.
    pub(super) fn filing(&self) -> Filing<'_> {
        Filing {
            instance: &self.instance,
            load: self.load(),
            vacant: self.vacant_room(),
        }
    }

    /// Changes where a stream is filed; the digest follows.
    fn refile(&mut self, id: StreamId, change: impl FnOnce(&mut Self)) {
        let before = self.is_filed_to_run(id);
        change(self);
        match (before, self.is_filed_to_run(id)) {
            (false, true) => self.digest.add(id),
            (true, false) => self.digest.remove(id),
            (true, true) | (false, false) => {}
        }
    }

    /// Files an owned stream by whether its owner was told of it, ever and in its current life, and
    /// whether it is to let go of it: then it is told of it no more.
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

    /// Files an owned stream by what comes first when it moves.
    fn file_handoff(&mut self, stream: &Stream) {
        match stream.handoff {
            Handoff::Overlap => self.overlap.insert(stream.id),
            Handoff::Exclusive => self.overlap.remove(&stream.id),
        };
    }

    /// The streams that came or went after `version`; `None` if that is too long ago to know.
    pub fn changed_since(&self, version: AssignmentVersion) -> Option<BTreeSet<StreamId>> {
        self.recent.since(version)
    }
}

/// A stream and where it is.
#[derive(Debug, Clone)]
pub struct StreamSlot {
    pub(super) stream: Arc<Stream>,
    pub(super) place: Place,
}

impl StreamSlot {
    /// What the catalogue says.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Where it is.
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
    /// What is promised to instances that are not registered (any more).
    promised_to_absent: BTreeMap<InstanceId, BTreeSet<StreamId>>,
    counter: Epoch,
}

impl Fleet {
    /// An empty fleet whose next epoch follows `counter`.
    pub fn new(counter: Epoch) -> Self {
        Self {
            counter,
            ..Self::default()
        }
    }

    /// The last epoch that was given out.
    pub fn counter(&self) -> Epoch {
        self.counter
    }

    /// The instance of that name.
    pub fn instance(&self, id: &InstanceId) -> Option<&InstanceSlot> {
        self.instances.get(id)
    }

    /// All instances, ascending by name.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceSlot> {
        self.instances.values()
    }

    /// Instances, newest registration first; only those older than `after`, if it is given.
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

    /// How many instances there are.
    pub fn instance_count(&self) -> usize {
        self.instances.len()
    }

    /// The stream of that id, also one that was deleted and may still be run.
    pub fn stream(&self, id: StreamId) -> Option<&StreamSlot> {
        self.streams.get(&id)
    }

    /// The stream of that name.
    pub fn stream_named(&self, name: &str) -> Option<StreamId> {
        self.names.get(name).copied()
    }

    /// The stream of that id in the catalogue.
    pub fn listed(&self, id: StreamId) -> Option<&StreamSlot> {
        self.stream(id).filter(|slot| !slot.stream.deleted)
    }

    /// The streams of the catalogue after `after`, ascending by id.
    pub fn listed_after(&self, after: StreamId) -> impl Iterator<Item = &StreamSlot> {
        self.streams
            .range((Bound::Excluded(after), Bound::Unbounded))
            .map(|(_, slot)| slot)
            .filter(|slot| !slot.stream.deleted)
    }

    /// How many streams are in the catalogue, disabled ones included.
    pub fn listed_count(&self) -> usize {
        self.streams.len() - self.deleted.len()
    }

    /// How many streams of the catalogue an instance owns. What was deleted takes its room until
    /// nobody runs it, and is no stream any more.
    pub fn owned(&self, slot: &InstanceSlot) -> usize {
        let is_deleted = |id: &&StreamId| self.deleted.contains(*id);
        // It is one its owner is to let go of.
        slot.held.len() - slot.releasing.iter().filter(is_deleted).count()
    }

    /// Streams that were deleted and may still be run, ascending.
    pub fn deleted(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.deleted.iter().copied()
    }

    /// All streams, ascending by id, also those that were deleted and may still be run.
    pub fn streams(&self) -> impl Iterator<Item = &StreamSlot> {
        self.streams.values()
    }

    /// How many streams there are, also those that were deleted and may still be run.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// The highest stream id in the catalogue.
    pub fn last_stream(&self) -> StreamId {
        self.streams
            .last_key_value()
            .map_or(StreamId::new(0), |(id, _)| *id)
    }

    /// Streams that wait to be asked for, ascending.
    pub fn unclaimed(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.unclaimed.iter().copied()
    }

    /// Streams after `after` that wait to be asked for, ascending.
    pub fn unclaimed_after(&self, after: StreamId) -> impl Iterator<Item = StreamId> {
        self.unclaimed
            .range((Bound::Excluded(after), Bound::Unbounded))
            .copied()
    }

    /// Streams that wait to be asked for and are not paused, ascending.
    pub fn ready_unclaimed(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.ready_unclaimed.iter().copied()
    }

    /// The first stream after `after` that waits to be asked for and is not paused.
    pub(super) fn ready_after(&self, after: StreamId) -> Option<StreamId> {
        let rest = (Bound::Excluded(after), Bound::Unbounded);
        self.ready_unclaimed.range(rest).next().copied()
    }

    /// The next orphan to be placed.
    pub(super) fn next_orphan(&self) -> Option<StreamId> {
        self.ready_orphans.first().map(|rank| rank.id)
    }

    /// How many of the streams that nobody runs are paused.
    pub fn paused_count(&self) -> usize {
        let all = self.unclaimed.len() + self.orphaned.len();
        all - self.ready_unclaimed.len() - self.ready_orphans.len()
    }

    /// Streams that lost their instance, in the order they are placed.
    pub fn orphaned(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.orphaned.iter().map(|rank| rank.id)
    }

    /// Who would get a stream that is moved away from its owner: the least loaded active instance
    /// with room, one that gave it back last.
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
        // Of all indexes only those of waiting streams and the kind of hand-over depend on what the
        // catalogue says: nothing comes to or goes from an owner when an entry is edited.
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

    /// The same assignment, told or confirmed: nothing came or went.
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

    /// Takes a stream that nobody runs out of the lists of those that wait.
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

    /// Files a stream that nobody runs by how it is given out, and whether it may be now.
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

/// Two fleets are equal when what is saved about them is: the memory of recent changes is a
/// convenience, and may be shorter after a restart.
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

/// What an instance that begins another life was not told of in it.
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
