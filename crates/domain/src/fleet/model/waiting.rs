//! Waiting streams, filed by what they need of an owner.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound;

use crate::placement::Need;

/// Streams that wait, one ordered list for each need. If no instance meets a need, its whole list is
/// passed over at once, so streams that have to wait cost the others nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::fleet) struct WaitingList<K: Ord> {
    by_need: BTreeMap<Need, BTreeSet<K>>,
    len: usize,
}

impl<K: Ord> Default for WaitingList<K> {
    fn default() -> Self {
        Self {
            by_need: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<K: Ord + Copy> WaitingList<K> {
    /// Builds the list in one go.
    pub(super) fn of(entries: impl Iterator<Item = (Need, K)>) -> Self {
        let mut keys: BTreeMap<Need, Vec<K>> = BTreeMap::new();
        for (need, key) in entries {
            keys.entry(need).or_default().push(key);
        }
        let by_need: BTreeMap<Need, BTreeSet<K>> = keys
            .into_iter()
            .map(|(need, keys)| (need, keys.into_iter().collect()))
            .collect();
        Self {
            len: by_need.values().map(BTreeSet::len).sum(),
            by_need,
        }
    }

    pub(super) fn insert(&mut self, need: Need, key: K) {
        if self.by_need.entry(need).or_default().insert(key) {
            self.len += 1;
        }
    }

    pub(super) fn remove(&mut self, need: &Need, key: &K) {
        let Some(keys) = self.by_need.get_mut(need) else {
            return;
        };
        if keys.remove(key) {
            self.len -= 1;
        }
        if keys.is_empty() {
            self.by_need.remove(need);
        }
    }

    pub(in crate::fleet) fn len(&self) -> usize {
        self.len
    }

    /// Every waiting stream, in order.
    pub(in crate::fleet) fn iter(&self) -> impl Iterator<Item = K> {
        self.of_needs(|_| true)
    }

    /// The waiting streams of the needs that `is_met` accepts, in order.
    pub(in crate::fleet) fn of_needs(
        &self,
        is_met: impl Fn(&Need) -> bool,
    ) -> impl Iterator<Item = K> {
        let lists = self.by_need.iter().filter(move |(need, _)| is_met(need));
        let mut lists: Vec<_> = lists.map(|(_, keys)| keys.iter().peekable()).collect();
        let mut heads: BinaryHeap<Reverse<(K, usize)>> = BinaryHeap::new();
        for (index, list) in lists.iter_mut().enumerate() {
            heads.extend(list.next().map(|key| Reverse((*key, index))));
        }
        std::iter::from_fn(move || {
            let Reverse((key, index)) = heads.pop()?;
            let next = lists.get_mut(index).and_then(Iterator::next);
            heads.extend(next.map(|next| Reverse((*next, index))));
            Some(key)
        })
    }

    /// Returns the first stream of each need, with the need.
    pub(in crate::fleet) fn heads(&self) -> impl Iterator<Item = (K, Need)> {
        let first = |(need, keys): (&Need, &BTreeSet<K>)| Some((*keys.first()?, need.clone()));
        self.by_need.iter().filter_map(first)
    }

    /// Returns the stream of a need that follows `after`.
    pub(in crate::fleet) fn next(&self, need: &Need, after: K) -> Option<K> {
        let keys = self.by_need.get(need)?;
        keys.range((Bound::Excluded(after), Bound::Unbounded))
            .next()
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heavy(weight: u32) -> Need {
        Need {
            weight,
            ..Need::default()
        }
    }

    #[test]
    fn the_lists_of_all_needs_are_one_ordered_list() {
        let mut waiting = WaitingList::default();
        for (weight, key) in [(1, 3), (2, 1), (1, 5), (9, 4), (2, 2)] {
            waiting.insert(heavy(weight), key);
            waiting.insert(heavy(weight), key);
        }
        assert_eq!(waiting.iter().collect::<Vec<i64>>(), [1, 2, 3, 4, 5]);
        let light = waiting.of_needs(|need| need.weight < 9);
        assert_eq!(light.collect::<Vec<_>>(), [1, 2, 3, 5]);
        assert_eq!(waiting.len(), 5);
        assert_eq!(waiting.next(&heavy(1), 3), Some(5));
        waiting.remove(&heavy(9), &4);
        waiting.remove(&heavy(9), &4);
        waiting.remove(&heavy(1), &1);
        assert_eq!(waiting.len(), 4);
        let heads: Vec<i64> = waiting.heads().map(|(key, _)| key).collect();
        assert_eq!(heads, [3, 1]);
        let again = [(heavy(1), 3), (heavy(1), 5), (heavy(2), 1), (heavy(2), 2)];
        assert_eq!(WaitingList::of(again.into_iter()), waiting);
    }
}
