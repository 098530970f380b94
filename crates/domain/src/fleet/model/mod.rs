//! The fleet in memory: every instance, every stream, where it is, and the indexes that keep
//! each question cheaper than a walk over all of them. `filing` keeps the indexes, `counting` the counts that an
//! edited entry changes, `assembly` builds
//! them at a start, `copied` copies what the invariants look at, `tally` adds the instances up.

mod apart;
pub(super) mod assembly;
pub(super) mod copied;
mod counting;
mod filing;
mod slots;
mod tally;
mod waiting;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::room::CapacityIndex;
use crate::ids::{Epoch, Incarnation, InstanceId, RollId, StreamId};
use crate::instance::Instance;
use crate::placement::{Need, PlacementSettings};
use crate::planned::Roll;
use apart::Apart;
use waiting::WaitingList;

pub use slots::{InstanceSlot, StreamSlot};
pub use tally::Tally;

/// Orphans in the order they are placed: higher priority first, then ascending id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OrphanRank {
    pub(super) priority: Reverse<i32>,
    pub(super) id: StreamId,
}

/// The quarantined streams, by where they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct SuspectIndex {
    unclaimed: BTreeSet<StreamId>,
    orphaned: BTreeSet<StreamId>,
    on_trial: BTreeSet<StreamId>,
}

impl SuspectIndex {
    fn waiting(&self) -> usize {
        self.unclaimed.len() + self.orphaned.len()
    }
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
    /// Those of them that are not withheld.
    ready_unclaimed: WaitingList<StreamId>,
    orphaned: BTreeSet<OrphanRank>,
    /// Those of them that are not withheld.
    ready_orphans: WaitingList<OrphanRank>,
    /// Streams whose owners failed (`quarantine/mod.rs`).
    suspects: SuspectIndex,
    room: CapacityIndex,
    apart: Apart,
    tally: Tally,
    settings: PlacementSettings,
    /// What is promised to instances that are not registered (any more).
    promised_to_absent: BTreeMap<InstanceId, BTreeSet<StreamId>>,
    rolls: BTreeMap<RollId, Arc<Roll>>,
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

    /// Returns whether an instance serves and holds leases: it can confirm a release.
    pub fn serves_leased(&self, id: &InstanceId) -> bool {
        self.instances
            .get(id)
            .is_some_and(|slot| slot.instance().is_leased() && slot.instance().status.is_serving())
    }

    /// All instances, ascending by name.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceSlot> {
        self.instances.values()
    }

    /// The instances from a name on, ascending.
    pub fn instances_from<'f>(
        &'f self,
        id: &InstanceId,
    ) -> impl Iterator<Item = &'f InstanceSlot> + use<'f> {
        let names = (Bound::Included(id), Bound::Unbounded);
        self.instances
            .range::<InstanceId, _>(names)
            .map(|(_, slot)| slot)
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

    /// What the instances add up to.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The same, added up anew: a walk over all instances, to check the tally by.
    pub fn tally_of_walk(&self) -> Tally {
        Tally::of(self.instances.values())
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

    /// Streams that wait to be asked for and are not withheld, ascending.
    pub fn ready_unclaimed(&self) -> impl Iterator<Item = StreamId> {
        self.ready_unclaimed.iter()
    }

    /// Streams that wait to be asked for, are not withheld and have a need that an instance meets,
    /// ascending.
    pub fn ready_for(&self, slot: &InstanceSlot) -> impl Iterator<Item = StreamId> {
        let (labels, room) = (slot.instance().labels.clone(), slot.free());
        let is_met = move |need: &Need| need.is_met_by(&labels) && need.weight <= room.weight;
        self.ready_unclaimed.of_needs(is_met)
    }

    /// Streams that wait to be asked for and are not paused, by need.
    pub(super) fn waiting_unclaimed(&self) -> &WaitingList<StreamId> {
        &self.ready_unclaimed
    }

    /// Orphans that are not paused, by need, in the order they are placed.
    pub(super) fn waiting_orphans(&self) -> &WaitingList<OrphanRank> {
        &self.ready_orphans
    }

    /// How many of the streams without an owner are paused.
    pub fn paused_count(&self) -> usize {
        let all = self.unclaimed.len() + self.orphaned.len();
        let ready = self.ready_unclaimed.len() + self.ready_orphans.len();
        all - ready - self.suspects.waiting()
    }

    /// The quarantined streams, first those that wait to be asked for, ascending in each list.
    pub fn quarantined(&self) -> impl Iterator<Item = StreamId> {
        let suspects = &self.suspects;
        suspects.unclaimed.iter().chain(&suspects.orphaned).copied()
    }

    /// How many of the streams that wait to be asked for, and of those that lost their instance, are
    /// quarantined.
    pub fn quarantined_counts(&self) -> (usize, usize) {
        (self.suspects.unclaimed.len(), self.suspects.orphaned.len())
    }

    /// How many of the streams that wait to be asked for, and of those that lost their instance, may
    /// be placed now.
    pub fn ready_counts(&self) -> (usize, usize) {
        (self.ready_unclaimed.len(), self.ready_orphans.len())
    }

    /// The quarantined streams that are on trial: an instance owns them.
    pub fn on_trial(&self) -> impl Iterator<Item = StreamId> {
        self.suspects.on_trial.iter().copied()
    }

    /// Streams that lost their instance, in the order they are placed.
    pub fn orphaned(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.orphaned.iter().map(|rank| rank.id)
    }

    /// Streams that lost their instance and are not withheld, in the order they are placed.
    pub fn ready_orphaned(&self) -> impl Iterator<Item = StreamId> {
        self.ready_orphans.iter().map(|rank| rank.id)
    }

    /// How many streams of a group an instance owns or is promised, for each that has any.
    pub(super) fn owners_of_group(
        &self,
        group: &str,
    ) -> impl Iterator<Item = (&InstanceId, usize)> {
        self.apart.owners_of_group(group)
    }

    /// Streams that are away from where they are pinned, by their pin.
    pub(super) fn away(&self) -> impl Iterator<Item = (&InstanceId, &BTreeSet<StreamId>)> {
        self.apart.away()
    }

    /// How streams are placed.
    pub fn placement(&self) -> &PlacementSettings {
        &self.settings
    }

    /// The label under whose values the streams of a group are spread.
    pub(super) fn spread_label(&self) -> &str {
        &self.settings.spread_label
    }

    /// Changes how streams are placed from now on.
    pub fn set_placement(&mut self, settings: PlacementSettings) {
        let filings = self.instances.values().map(InstanceSlot::filing);
        self.room = CapacityIndex::of(settings.policy, filings);
        self.settings = settings;
    }

    /// The rolls, oldest first.
    pub fn rolls(&self) -> impl DoubleEndedIterator<Item = &Arc<Roll>> {
        self.rolls.values()
    }

    /// The roll of that number.
    pub fn roll(&self, id: RollId) -> Option<&Roll> {
        self.rolls.get(&id).map(Arc::as_ref)
    }

    pub(super) fn add_roll(&mut self, roll: Roll) {
        self.rolls.insert(roll.id, Arc::new(roll));
    }

    pub(super) fn room(&self) -> &CapacityIndex {
        &self.room
    }

    pub(super) fn advance_counter(&mut self) -> Epoch {
        self.counter = self.counter.next();
        self.counter
    }

    /// Goes on from another last epoch: a take-over moves the counter of epochs.
    pub fn set_counter(&mut self, counter: Epoch) {
        self.counter = counter;
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
                        && a.choosy == b.choosy
                        && a.weight == b.weight
                        && a.promised_weight == b.promised_weight
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
            && self.suspects == other.suspects
            && self.room == other.room
            && self.apart == other.apart
            && self.tally == other.tally
            && self.promised_to_absent == other.promised_to_absent
            && self.rolls == other.rolls
    }
}
