//! A whole fleet from its rows at once: each index is built in one go, from sorted entries.
//!
//! The outcome is the one that adding row by row has, at a fraction of its cost: a start waits for
//! it, and so does a consistency check.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::filing::{age_rank, orphan_rank};
use super::waiting::WaitingList;
use super::{Fleet, InstanceSlot, StreamSlot, SuspectIndex, Tally};
use crate::digest::StreamsDigest;
use crate::fleet::recent::RecentChanges;
use crate::fleet::room::CapacityIndex;
use crate::handover::{Handover, HandoverMode};
use crate::ids::{Epoch, InstanceId, StreamId};
use crate::instance::Instance;
use crate::placement::{Need, Strain};
use crate::stream::{Assignment, Place, Stream};

/// Rows of a fleet, before its indexes are built.
#[derive(Debug, Default)]
pub(in crate::fleet) struct Assembly {
    counter: Epoch,
    instances: Vec<Arc<Instance>>,
    /// The position of each instance.
    positions: BTreeMap<InstanceId, usize>,
    streams: Vec<Row>,
}

/// A stream, and the position of its owner.
#[derive(Debug)]
struct Row {
    slot: StreamSlot,
    owner: Option<usize>,
}

/// Two streams that share a name.
#[derive(Debug)]
pub(in crate::fleet) struct NameClash {
    pub(in crate::fleet) first: StreamId,
    pub(in crate::fleet) second: StreamId,
    pub(in crate::fleet) name: Arc<str>,
}

/// The streams of one instance, ascending, by list.
#[derive(Debug, Default)]
struct Lists {
    held: Vec<StreamId>,
    undelivered: Vec<StreamId>,
    unconfirmed: Vec<StreamId>,
    releasing: Vec<StreamId>,
    deleted_releases: usize,
    stopped_releases: usize,
    overlap: Vec<StreamId>,
    lingering: Vec<(StreamId, Epoch)>,
    given_up: Vec<StreamId>,
    promised: Vec<StreamId>,
    choosy: BTreeMap<Need, usize>,
    weight: u64,
    promised_weight: u64,
}

/// A name, in the order of the names: the order of the fields is that of the criteria.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    /// Its first bytes after what all names begin with.
    begins: u128,
    text: Arc<str>,
    id: StreamId,
}

/// The first bytes of a text as a number: the order of two numbers is that of the texts, unless they
/// are equal.
fn beginning(text: Option<&[u8]>) -> u128 {
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(text.unwrap_or_default()) {
        *byte = *from;
    }
    u128::from_be_bytes(bytes)
}

impl Assembly {
    /// No rows so far; the last epoch was `counter`.
    pub(in crate::fleet) fn new(counter: Epoch) -> Self {
        Self {
            counter,
            ..Self::default()
        }
    }

    /// Adds an instance; a later row of the same name replaces an earlier one.
    pub(in crate::fleet) fn add_instance(&mut self, instance: Instance) {
        let instance = Arc::new(instance);
        let known = self.positions.get(&instance.id);
        match known.and_then(|position| self.instances.get_mut(*position)) {
            Some(known) => *known = instance,
            None => {
                self.positions
                    .insert(instance.id.clone(), self.instances.len());
                self.instances.push(instance);
            }
        }
    }

    /// Adds a stream with its place; a later row of the same id replaces an earlier one. Returns
    /// whether its owner is among the instances; if not, nothing is added.
    pub(in crate::fleet) fn add_stream(&mut self, stream: Stream, mut place: Place) -> bool {
        let mut owner = None;
        if let Place::Assigned(assignment) = &mut place {
            let Some((id, position)) = self.positions.get_key_value(&assignment.instance) else {
                return false;
            };
            // One text for all streams of an owner.
            assignment.instance = id.clone();
            owner = Some(*position);
        }
        let stream = Arc::new(stream);
        let slot = StreamSlot { stream, place };
        self.streams.push(Row { slot, owner });
        true
    }

    /// Builds the indexes.
    pub(in crate::fleet) fn finish(mut self) -> Result<Fleet, NameClash> {
        self.put_in_order();
        let names = self.names()?;
        let mut fleet = Fleet::new(self.counter);
        let mut lists: Vec<Lists> = Vec::new();
        lists.resize_with(self.instances.len(), Lists::default);
        let mut absent: BTreeMap<InstanceId, BTreeSet<StreamId>> = BTreeMap::new();
        for row in &self.streams {
            if let Place::Assigned(assignment) = &row.slot.place {
                self.list(&mut lists, &mut absent, row, assignment);
            }
        }
        let ids = |wanted: fn(&StreamSlot) -> bool| -> BTreeSet<StreamId> {
            let found = self.slots().filter(|slot| wanted(slot));
            found.map(|slot| slot.stream.id).collect()
        };
        fleet.deleted = ids(|slot| slot.stream.deleted);
        fleet.unclaimed = ids(is_unclaimed);
        let orphaned = self.slots().filter(|slot| is_orphaned(slot));
        fleet.orphaned = orphaned.map(|slot| orphan_rank(&slot.stream)).collect();
        let ready = || self.slots().filter(|slot| !slot.stream.is_withheld());
        let unclaimed = ready().filter(|slot| is_unclaimed(slot));
        fleet.ready_unclaimed =
            WaitingList::of(unclaimed.map(|slot| (Need::of(&slot.stream), slot.stream.id)));
        let orphans = ready().filter(|slot| is_orphaned(slot));
        fleet.ready_orphans = WaitingList::of(
            orphans.map(|slot| (Need::of(&slot.stream), orphan_rank(&slot.stream))),
        );
        for slot in self.slots() {
            if let Place::Assigned(assignment) = &slot.place {
                fleet.apart.add(&slot.stream, assignment);
            }
        }
        fleet.suspects = SuspectIndex {
            unclaimed: ids(|slot| is_unclaimed(slot) && slot.stream.is_quarantined()),
            orphaned: ids(|slot| is_orphaned(slot) && slot.stream.is_quarantined()),
            on_trial: ids(|slot| slot.place.assignment().is_some() && slot.stream.is_quarantined()),
        };
        fleet.promised_to_absent = absent;
        fleet.newest = (self.instances.iter())
            .map(|instance| age_rank(instance))
            .collect();
        let slots = self.instances.into_iter().zip(lists);
        fleet.instances = slots
            .map(|(instance, lists)| (instance.id.clone(), lists.into_slot(instance)))
            .collect();
        let filings = fleet.instances.values().map(InstanceSlot::filing);
        fleet.room = CapacityIndex::of(fleet.settings.policy, filings);
        fleet.tally = Tally::of(fleet.instances.values());
        fleet.names = names;
        let streams = self.streams.into_iter();
        fleet.streams = streams.map(|row| (row.slot.stream.id, row.slot)).collect();
        Ok(fleet)
    }

    fn slots(&self) -> impl Iterator<Item = &StreamSlot> {
        self.streams.iter().map(|row| &row.slot)
    }

    /// Ascending by id, each id once: the last row of an id is the one that counts.
    fn put_in_order(&mut self) {
        let is_ascending = |pair: &[Row]| match pair {
            [first, second] => first.id() < second.id(),
            _ => true,
        };
        if self.streams.windows(2).all(is_ascending) {
            return;
        }
        self.streams.reverse();
        self.streams.sort_by_key(Row::id);
        self.streams.dedup_by_key(|row| row.id());
    }

    fn names(&self) -> Result<BTreeMap<Arc<str>, StreamId>, NameClash> {
        let mut names = self.sorted_names();
        let mut shared: Option<NameClash> = None;
        let mut earliest = StreamId::new(i64::MAX);
        for pair in names.windows(2) {
            if let [first, second] = pair
                && first.text == second.text
                && second.id < earliest
            {
                earliest = second.id;
                shared = Some(NameClash {
                    first: first.id,
                    second: second.id,
                    name: first.text.clone(),
                });
            }
        }
        match shared {
            Some(error) => Err(error),
            None => Ok(names.drain(..).map(|name| (name.text, name.id)).collect()),
        }
    }

    /// Sorts the names. A comparison of two texts that are anywhere in memory is the slowest part of
    /// a start; most are avoided by comparing the first bytes after what all names begin with.
    fn sorted_names(&self) -> Vec<Name> {
        let text = |slot: &StreamSlot| slot.stream.name.clone();
        let first = self.slots().next().map(text).unwrap_or_default();
        let common = self.slots().fold(first.len(), |common, slot| {
            let pairs = first.bytes().zip(slot.stream.name.bytes());
            let equal = pairs.take(common).take_while(|(one, other)| one == other);
            equal.count()
        });
        let mut names: Vec<Name> = self
            .slots()
            .map(|slot| Name {
                begins: beginning(slot.stream.name.as_bytes().get(common..)),
                text: slot.stream.name.clone(),
                id: slot.stream.id,
            })
            .collect();
        names.sort_unstable();
        names
    }

    /// Notes an assigned stream in the lists of its owner, of the one that ran it before and of the
    /// one that gets it.
    fn list(
        &self,
        lists: &mut [Lists],
        absent: &mut BTreeMap<InstanceId, BTreeSet<StreamId>>,
        row: &Row,
        assignment: &Assignment,
    ) {
        let (id, stream) = (row.id(), &row.slot.stream);
        let position = |id: &InstanceId| self.positions.get(id).copied();
        let owner = row.owner;
        let instance = owner.and_then(|owner| self.instances.get(owner));
        let list = owner.and_then(|owner| lists.get_mut(owner));
        if let (Some(owner), Some(list)) = (instance, list) {
            list.held.push(id);
            list.weight += u64::from(stream.weight);
            let need = Need::of(stream);
            if !need.is_plain() {
                *list.choosy.entry(need).or_default() += 1;
            }
            if assignment.given_up_since().is_some() {
                list.given_up.push(id);
            }
            if assignment.is_releasing() {
                list.releasing.push(id);
                list.deleted_releases += usize::from(stream.deleted);
                list.stopped_releases += usize::from(stream.deleted || !stream.enabled);
            } else {
                if assignment.delivered.is_none() {
                    list.undelivered.push(id);
                }
                if assignment.is_unconfirmed(owner.incarnation) {
                    list.unconfirmed.push(id);
                }
            }
            if stream.handoff == HandoverMode::Overlap {
                list.overlap.push(id);
            }
        }
        if let Some(Handover::Overlapping { from, epoch, .. }) = &assignment.handover
            && let Some(list) = position(from).and_then(|from| lists.get_mut(from))
        {
            list.lingering.push((id, *epoch));
            list.weight += u64::from(stream.weight);
        }
        if let Some(to) = assignment.promised_to() {
            match position(to).and_then(|to| lists.get_mut(to)) {
                Some(list) => {
                    list.promised.push(id);
                    list.promised_weight += u64::from(stream.weight);
                }
                None => {
                    absent.entry(to.clone()).or_default().insert(id);
                }
            }
        }
    }
}

impl Row {
    fn id(&self) -> StreamId {
        self.slot.stream.id
    }
}

impl Lists {
    fn into_slot(self, instance: Arc<Instance>) -> InstanceSlot {
        let set = |ids: Vec<StreamId>| ids.into_iter().collect();
        let mut slot = InstanceSlot {
            recent: RecentChanges::starting_at(instance.assignment_version),
            instance,
            held: set(self.held),
            undelivered: set(self.undelivered),
            unconfirmed: set(self.unconfirmed),
            releasing: set(self.releasing),
            deleted_releases: self.deleted_releases,
            stopped_releases: self.stopped_releases,
            overlap: set(self.overlap),
            lingering: self.lingering.into_iter().collect(),
            given_up: set(self.given_up),
            promised: set(self.promised),
            choosy: self.choosy,
            weight: self.weight,
            promised_weight: self.promised_weight,
            strain: Strain::default(),
            digest: StreamsDigest::default(),
        };
        let owned = slot.held.difference(&slot.releasing).copied();
        let beside = slot.lingering.keys().copied();
        let beside = beside.filter(|id| !slot.held.contains(id) || slot.releasing.contains(id));
        slot.digest = StreamsDigest::of(owned.chain(beside));
        slot
    }
}

fn is_unclaimed(slot: &StreamSlot) -> bool {
    matches!(slot.place, Place::Unclaimed { .. })
}

fn is_orphaned(slot: &StreamSlot) -> bool {
    matches!(slot.place, Place::Orphaned { .. })
}
