//! Who has what while a plan is made, in orders that make the next step cheap to find.

use std::collections::{BTreeMap, BTreeSet};

use super::input::{BalanceInput, BalanceInstance, BalanceMeasure, BalanceRole, BalanceStream};
use super::shares::{Band, Shares};

/// A stream of the snapshot: the instance that held it, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamRef {
    pub(super) instance: u32,
    place: u32,
}

/// Streams that are alike for every rule but their group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) requires: u32,
    pub(super) weight: u32,
}

/// The place of an instance in the order from the most below its band to the most above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) excess: i64,
    deviation: i128,
    pub(super) node: u32,
}

/// An instance that gives or takes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) band: Band,
    /// What it holds, by the measure of the shares.
    pub(super) held: i64,
    /// How far it was outside of its band at first.
    pub(super) first_excess: i64,
    pub(super) streams: i64,
    pub(super) weight: i64,
    pub(super) movable: BTreeMap<Kind, Vec<StreamRef>>,
    /// How many streams of a group it holds.
    groups: BTreeMap<u32, u32>,
}

/// A stream that has moved: where it is, and when it moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    pub(super) to: u32,
    pub(super) step: u32,
    pub(super) makes_room: bool,
}

/// The whole.
#[derive(Debug)]
pub(super) struct Board<'i> {
    pub(super) input: &'i BalanceInput,
    pub(super) shares: Shares,
    nodes: Vec<Option<Node>>,
    /// Instances that have streams to give.
    pub(super) givers: BTreeSet<Key>,
    /// Instances that take streams and have room.
    pub(super) takers: BTreeSet<Key>,
    /// Instances outside their bands that are still to be looked at.
    pub(super) pending: BTreeSet<Key>,
    moved: BTreeMap<StreamRef, Moved>,
    steps: u32,
    has_groups: bool,
}

impl<'i> Board<'i> {
    pub(super) fn new(input: &'i BalanceInput, shares: Shares) -> Self {
        let mut board = Self {
            input,
            shares,
            nodes: Vec::with_capacity(input.instances().len()),
            givers: BTreeSet::new(),
            takers: BTreeSet::new(),
            pending: BTreeSet::new(),
            moved: BTreeMap::new(),
            steps: 0,
            has_groups: false,
        };
        for (index, instance) in (0_u32..).zip(input.instances()) {
            let band = shares.band(instance);
            let node = band.map(|band| board.node(index, instance, band));
            board.nodes.push(node);
            board.file(index);
        }
        board
    }

    fn node(&mut self, index: u32, instance: &BalanceInstance, band: Band) -> Node {
        let mut node = Node {
            band,
            held: 0,
            first_excess: 0,
            streams: i64::from(instance.leaving_streams),
            weight: i64::try_from(instance.leaving_weight).unwrap_or(i64::MAX),
            movable: BTreeMap::new(),
            groups: BTreeMap::new(),
        };
        // One look at the map for a run of streams of one kind.
        let mut run: Option<(Kind, Vec<StreamRef>)> = None;
        for (place, stream) in (0_u32..).zip(&instance.streams) {
            node.streams += 1;
            node.weight += i64::from(stream.weight);
            if stream.group > 0 {
                self.has_groups = true;
                *node.groups.entry(stream.group).or_default() += 1;
            }
            node.held += i64::from(stream.size(self.shares.measure));
            if !stream.is_movable {
                continue;
            }
            let kind = kind_of(stream);
            let here = StreamRef {
                instance: index,
                place,
            };
            match &mut run {
                Some((current, refs)) if *current == kind => refs.push(here),
                Some(_) | None => {
                    if let Some((kind, refs)) = run.replace((kind, vec![here])) {
                        node.movable.entry(kind).or_default().extend(refs);
                    }
                }
            }
        }
        if let Some((kind, refs)) = run {
            node.movable.entry(kind).or_default().extend(refs);
        }
        node.first_excess = band.excess(node.held);
        node
    }

    pub(super) fn get(&self, node: u32) -> Option<&Node> {
        self.nodes.get(node as usize)?.as_ref()
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn instance(&self, node: u32) -> &'i BalanceInstance {
        &self.input.instances()[node as usize]
    }

    fn key(&self, node: u32) -> Option<Key> {
        let Node { band, held, .. } = self.get(node)?;
        Some(Key {
            excess: band.excess(*held),
            deviation: self.shares.deviation(self.instance(node), *held),
            node,
        })
    }

    fn file(&mut self, index: u32) {
        let Some(key) = self.key(index) else {
            return;
        };
        if self.gives(index) {
            self.givers.insert(key);
        }
        if self.has_room(index, 1, 0) {
            self.takers.insert(key);
        }
        if key.excess != 0 {
            self.pending.insert(key);
        }
    }

    fn unfile(&mut self, node: u32) {
        if let Some(key) = self.key(node) {
            self.givers.remove(&key);
            self.takers.remove(&key);
            self.pending.remove(&key);
        }
    }

    /// Puts every instance outside its band back among those that are to be looked at.
    pub(super) fn look_again(&mut self) {
        for node in 0..self.len() {
            if let Some(key) = self.key(node).filter(|key| key.excess != 0) {
                self.pending.insert(key);
            }
        }
    }

    fn gives(&self, node: u32) -> bool {
        self.get(node).is_some_and(|node| !node.movable.is_empty())
    }

    /// Returns the weight that still fits.
    pub(super) fn free_weight(&self, node: u32) -> i64 {
        let capacity = self.instance(node).capacity;
        let weight = self.get(node).map_or(0, |node| node.weight);
        capacity.map_or(i64::MAX, |capacity| i64::from(capacity) - weight)
    }

    /// Returns how many streams of a weight still fit.
    pub(super) fn room(&self, node: u32, weight: u32) -> i64 {
        let instance = self.instance(node);
        let Some(node) = self.get(node) else {
            return 0;
        };
        if instance.role != BalanceRole::Shares {
            return 0;
        }
        let by_count = i64::from(instance.max_streams) - node.streams;
        let by_weight = match (instance.capacity, weight) {
            (None, _) => i64::MAX,
            (Some(capacity), 0) => i64::from(i64::from(capacity) >= node.weight),
            (Some(capacity), weight) => (i64::from(capacity) - node.weight) / i64::from(weight),
        };
        by_count.min(by_weight).max(0)
    }

    /// Returns whether so many streams of a weight fit.
    pub(super) fn has_room(&self, node: u32, streams: i64, weight: u32) -> bool {
        self.room(node, weight) >= streams
    }

    /// Returns whether a kind of stream may be on an instance.
    pub(super) fn suits(&self, node: u32, kind: Kind) -> bool {
        self.input.meets(node as usize, kind.requires)
    }

    /// Returns whether an instance gives and takes.
    pub(super) fn is_sharing(&self, node: u32) -> bool {
        self.instance(node).role == BalanceRole::Shares
    }

    /// Returns how much the streams of a kind count.
    pub(super) fn size(&self, kind: Kind) -> i64 {
        match self.shares.measure {
            BalanceMeasure::Weight => i64::from(kind.weight),
            BalanceMeasure::Count => 1,
        }
    }

    pub(super) fn stream(&self, stream: StreamRef) -> BalanceStream {
        self.input.instances()[stream.instance as usize].streams[stream.place as usize]
    }

    /// Chooses a stream of a kind for a new instance: best one whose group is not there, and is
    /// more than once where it is now. Returns its place in the list, and whether its group is kept
    /// apart.
    pub(super) fn choose(&self, from: u32, kind: Kind, to: u32) -> Option<(usize, bool)> {
        /// How many streams are looked at.
        const MOST: usize = 32;
        let refs = self.get(from)?.movable.get(&kind)?;
        let last = refs.len().checked_sub(1)?;
        if !self.has_groups {
            return Some((last, true));
        }
        let held = |node: u32, group: u32| {
            let groups = self.get(node).map(|node| &node.groups);
            let count = groups.and_then(|groups| groups.get(&group));
            count.copied().unwrap_or(0)
        };
        let cost = |stream: StreamRef| match self.stream(stream).group {
            0 => (false, 1),
            group => (held(to, group) > 0, u8::from(held(from, group) < 2) * 2),
        };
        let candidates = refs.iter().enumerate().rev().take(MOST);
        let best = candidates.min_by_key(|(_, stream)| cost(**stream));
        best.map(|(place, stream)| (place, !cost(*stream).0))
    }

    /// Moves the stream at a place of the list of its kind.
    pub(super) fn shift(&mut self, from: u32, kind: Kind, place: usize, to: u32, makes_room: bool) {
        self.unfile(from);
        self.unfile(to);
        let size = self.size(kind);
        let taken = self.take(from, kind, place, size);
        if let Some(stream) = taken {
            self.put(to, kind, stream, size);
            if stream.instance == to {
                self.moved.remove(&stream);
            } else {
                let step = self.steps;
                self.steps += 1;
                let moved = Moved {
                    to,
                    step,
                    makes_room,
                };
                self.moved.insert(stream, moved);
            }
        }
        self.file(from);
        self.file(to);
    }

    fn take(&mut self, from: u32, kind: Kind, place: usize, size: i64) -> Option<StreamRef> {
        let node = self.nodes.get_mut(from as usize)?.as_mut()?;
        let refs = node.movable.get_mut(&kind)?;
        if place >= refs.len() {
            return None;
        }
        let stream = refs.remove(place);
        if refs.is_empty() {
            node.movable.remove(&kind);
        }
        node.held -= size;
        node.streams -= 1;
        node.weight -= i64::from(kind.weight);
        let group =
            self.input.instances()[stream.instance as usize].streams[stream.place as usize].group;
        if let Some(count) = node.groups.get_mut(&group) {
            *count -= 1;
            if *count == 0 {
                node.groups.remove(&group);
            }
        }
        Some(stream)
    }

    fn put(&mut self, to: u32, kind: Kind, stream: StreamRef, size: i64) {
        let group = self.stream(stream).group;
        let Some(node) = self.nodes.get_mut(to as usize).and_then(Option::as_mut) else {
            return;
        };
        node.held += size;
        node.streams += 1;
        node.weight += i64::from(kind.weight);
        node.movable.entry(kind).or_default().push(stream);
        if group > 0 {
            *node.groups.entry(group).or_default() += 1;
        }
    }

    /// Returns the streams that are not where they were.
    pub(super) fn moved(&self) -> Vec<(StreamRef, Moved)> {
        let moved = self.moved.iter();
        moved.map(|(stream, moved)| (*stream, *moved)).collect()
    }

    /// Returns the kind of a stream and its place in the list of its kind.
    pub(super) fn find(&self, stream: StreamRef, at: u32) -> Option<(Kind, usize)> {
        let kind = kind_of(&self.stream(stream));
        let refs = self.get(at)?.movable.get(&kind)?;
        let place = refs.iter().rposition(|other| *other == stream)?;
        Some((kind, place))
    }
}

fn kind_of(stream: &BalanceStream) -> Kind {
    Kind {
        requires: stream.requires,
        weight: stream.weight,
    }
}
