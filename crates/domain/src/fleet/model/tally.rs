//! What the whole fleet adds up to, kept as it changes.
//!
//! Each instance adds a *share*: its state, its room, and how many streams it owns, releases and
//! runs a while longer. A change takes the share before out of the sums and puts the share after in.
//! So a question about the totals visits no instance, except the failed ones and those with
//! given-up moves, which have lists of their own. Streams without an owner are counted by their lists.

use std::collections::{BTreeMap, BTreeSet};

use super::slots::InstanceSlot;
use crate::ids::InstanceId;
use crate::instance::InstanceStatus;
use crate::time::WallTime;
use crate::timeline::Recent;

/// The sums over all instances.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    by_status: BTreeMap<InstanceStatus, usize>,
    capacity: u64,
    load: u64,
    owned: usize,
    owned_by_classic: usize,
    releasing: usize,
    overlapping: usize,
    given_up: usize,
    failed: BTreeSet<InstanceId>,
    /// How many of the failed instances own streams, although nothing is planned for them.
    failed_holders: usize,
    /// The failed instances without streams for which nothing is planned, by the time of their failure.
    failed_empty: BTreeMap<WallTime, usize>,
    with_given_up: BTreeSet<InstanceId>,
}

impl Tally {
    /// Adds up the shares of instances.
    pub(in crate::fleet) fn of<'s>(slots: impl IntoIterator<Item = &'s InstanceSlot>) -> Self {
        let mut tally = Self::default();
        for slot in slots {
            tally.put(slot);
        }
        tally
    }

    /// Returns how many instances are in a state.
    pub fn in_status(&self, status: InstanceStatus) -> usize {
        self.by_status.get(&status).copied().unwrap_or_default()
    }

    /// Returns how many streams the serving instances may own.
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Returns how many streams they own, deleted ones included.
    pub const fn load(&self) -> u64 {
        self.load
    }

    /// Returns how many streams of the catalogue have an owner.
    pub const fn owned(&self) -> usize {
        self.owned
    }

    /// Returns how many of them belong to serving instances without leases.
    pub const fn owned_by_classic(&self) -> usize {
        self.owned_by_classic
    }

    /// Returns how many streams of the catalogue that should run have to be released by their owners.
    pub const fn releasing(&self) -> usize {
        self.releasing
    }

    /// Returns how many streams run on two instances until the new owner reports them.
    pub const fn overlapping(&self) -> usize {
        self.overlapping
    }

    /// Returns how many moves were given up.
    pub const fn given_up(&self) -> usize {
        self.given_up
    }

    /// Returns the failed instances, ascending.
    pub fn failed(&self) -> impl ExactSizeIterator<Item = &InstanceId> {
        self.failed.iter()
    }

    /// Returns how many of the failed instances own streams or failed lately. Those for which something
    /// is planned are left out.
    pub fn failed_that_count(&self, lately: &Recent) -> usize {
        let empty = self.failed_empty.iter();
        let recent = empty.filter(|(since, _)| lately.contains(**since));
        self.failed_holders + recent.map(|(_, count)| count).sum::<usize>()
    }

    /// Returns the instances with moves that were given up, ascending.
    pub fn with_given_up(&self) -> impl ExactSizeIterator<Item = &InstanceId> {
        self.with_given_up.iter()
    }

    /// Puts the share of an instance in.
    pub(super) fn put(&mut self, slot: &InstanceSlot) {
        let instance = &slot.instance;
        let status = instance.status;
        *self.by_status.entry(status).or_default() += 1;
        if status.is_serving() {
            self.capacity += u64::from(instance.max_streams);
            self.load += slot.held.len() as u64;
            if !instance.is_leased() {
                self.owned_by_classic += slot.owned();
            }
        }
        self.owned += slot.owned();
        self.releasing += slot.moves_away();
        self.overlapping += slot.lingering.len();
        self.given_up += slot.given_up.len();
        if !slot.given_up.is_empty() {
            self.with_given_up.insert(instance.id.clone());
        }
        if status == InstanceStatus::Failed {
            self.failed.insert(instance.id.clone());
            if instance.is_planned() {
                return;
            }
            if slot.held.is_empty() {
                *self.failed_empty.entry(instance.status_since).or_default() += 1;
            } else {
                self.failed_holders += 1;
            }
        }
    }

    /// Takes the share of an instance out; it is the one that was put in.
    pub(super) fn take(&mut self, slot: &InstanceSlot) {
        let instance = &slot.instance;
        let status = instance.status;
        less(&mut self.by_status, &status);
        if status.is_serving() {
            self.capacity -= u64::from(instance.max_streams);
            self.load -= slot.held.len() as u64;
            if !instance.is_leased() {
                self.owned_by_classic -= slot.owned();
            }
        }
        self.owned -= slot.owned();
        self.releasing -= slot.moves_away();
        self.overlapping -= slot.lingering.len();
        self.given_up -= slot.given_up.len();
        if !slot.given_up.is_empty() {
            self.with_given_up.remove(&instance.id);
        }
        if status == InstanceStatus::Failed {
            self.failed.remove(&instance.id);
            if instance.is_planned() {
                return;
            }
            if slot.held.is_empty() {
                less(&mut self.failed_empty, &instance.status_since);
            } else {
                self.failed_holders -= 1;
            }
        }
    }
}

/// Counts one less; a count of nothing has no entry, so that equal fleets have equal tallies.
fn less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
