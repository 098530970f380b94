//! Puts streams of lost instances where they fit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::instance::Instance;
use crate::placement::{Need, Room};

/// Streams that would have no home, by what they need.
pub type Unplaced = BTreeMap<Need, usize>;

/// What is known of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What is saved about it.
    pub instance: Arc<Instance>,
    /// How many streams it owns that need nothing.
    pub plain: usize,
    /// Its other streams, by what they need.
    pub choosy: BTreeMap<Need, usize>,
    /// What it may be given.
    pub free: Room,
}

impl Holder {
    /// Returns how many streams it owns.
    pub fn streams(&self) -> usize {
        self.plain + self.choosy.values().sum::<usize>()
    }

    /// Returns the sum of the weights of its streams.
    pub(super) fn weight(&self) -> usize {
        let weighs = |(need, count): (&Need, &usize)| count.saturating_mul(need.weight as usize);
        let choosy = self.choosy.iter().map(weighs);
        choosy.fold(self.plain, usize::saturating_add)
    }

    /// Returns how many streams that need nothing it may be given.
    pub(super) fn places(&self) -> usize {
        if self.instance.takes_moves() {
            self.free.streams.min(self.free.weight) as usize
        } else {
            0
        }
    }
}

/// Returns how many streams some instances own.
pub(super) fn streams_of(holders: &[Holder], lost: &[usize]) -> usize {
    let lost = lost.iter().filter_map(|index| holders.get(*index));
    lost.map(Holder::streams).sum()
}

/// The instances that take streams, those with most room first.
pub(super) struct Takers<'h> {
    holders: &'h [Holder],
    by_room: Vec<usize>,
    places: usize,
}

impl<'h> Takers<'h> {
    pub(super) fn of(holders: &'h [Holder], places: usize) -> Self {
        let mut by_room: Vec<usize> = (0..holders.len()).collect();
        by_room.retain(|index| {
            holders
                .get(*index)
                .is_some_and(|holder| holder.places() > 0)
        });
        by_room.sort_by_key(|index| Reverse(holders.get(*index).map(Holder::places)));
        Self {
            holders,
            by_room,
            places,
        }
    }

    /// Returns how many streams of the lost instances would have no home.
    pub(super) fn homeless(&self, lost: &[usize]) -> usize {
        self.pack(lost, |_, _| {})
    }

    /// Returns the streams of the lost instances that would have no home, by what they need.
    pub(super) fn unplaced(&self, lost: &[usize]) -> Unplaced {
        let mut unplaced = Unplaced::new();
        self.pack(lost, |need, count| {
            if count > 0 {
                unplaced.insert(need.clone(), count);
            }
        });
        unplaced
    }

    /// Packs the streams of the lost instances. Notes for each need how many streams have no home, and returns how
    /// many there are in all.
    fn pack(&self, lost: &[usize], mut note: impl FnMut(&Need, usize)) -> usize {
        let lost_holders = || lost.iter().filter_map(|index| self.holders.get(*index));
        let plain: usize = lost_holders().map(|holder| holder.plain).sum();
        let mut choosy: BTreeMap<&Need, usize> = BTreeMap::new();
        for holder in lost_holders() {
            for (need, count) in &holder.choosy {
                *choosy.entry(need).or_default() += count;
            }
        }
        let mut places = self.places - lost_holders().map(Holder::places).sum::<usize>();
        let mut needs: Vec<(&Need, usize)> = choosy.into_iter().collect();
        needs.sort_by_key(|(need, _)| Reverse((need.requires.len(), need.weight)));
        let is_lost: BTreeSet<usize> = lost.iter().copied().collect();
        let mut filled: BTreeMap<usize, Room> = BTreeMap::new();
        let mut homeless = 0;
        for (need, count) in needs {
            let mut left = count;
            for index in self.by_room.iter().filter(|index| !is_lost.contains(index)) {
                if left == 0 {
                    break;
                }
                let Some(holder) = self.holders.get(*index) else {
                    continue;
                };
                if !need.is_met_by(&holder.instance.labels) {
                    continue;
                }
                let room = filled.get(index).copied().unwrap_or(holder.free);
                let fit = room.streams.min(room.weight / need.weight.max(1));
                let taken = left.min(fit as usize);
                if taken == 0 {
                    continue;
                }
                let after = room.beside_many(taken, need.weight);
                places -=
                    (room.streams.min(room.weight) - after.streams.min(after.weight)) as usize;
                filled.insert(*index, after);
                left -= taken;
            }
            note(need, left);
            homeless += left;
        }
        let plain = plain.saturating_sub(places);
        note(&Need::default(), plain);
        homeless + plain
    }
}
