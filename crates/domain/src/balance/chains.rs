//! The least number of moves where all streams weigh the same and have different requirements, for up to
//! 20,000 pairs of an instance and a kind of stream. A larger fleet is left to the search of single moves,
//! which may need more moves.
//!
//! A stream may have to make room for another: if only `b` can take a stream of `a` and is at the
//! top of its band, one of its own goes on to `c`. That is a flow of streams through the
//! instances. Its cost is the number of moves, and far above that what remains outside the bands.
//! The cheapest way for more streams is followed again and again (successive shortest paths), on
//! which a stream that has moved may go elsewhere at no cost, or back home. What it ends with is
//! the least possible.

use std::collections::{BTreeSet, VecDeque};

use super::board::{Board, Kind};
use super::shares::Band;

/// The greatest product of instances and kinds of streams that is treated exactly; above, the
/// search of single moves is used alone.
const MOST_ARCS: usize = 20_000;

/// The cost of one stream outside a band: more than any way costs.
const OUTSIDE: i64 = 1 << 40;

/// Streams of a kind and an instance.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Those that it had and still has.
    at_home: i64,
    /// Those that left it.
    gone: i64,
    /// Those that came to it.
    come: i64,
    /// Whether it may take them.
    is_taken: bool,
}

/// The flow so far. A way leads over stops: the instances, and after them the kinds.
#[derive(Debug)]
struct Flow {
    kinds: Vec<Kind>,
    instances: usize,
    size: i64,
    /// By instance and kind.
    tallies: Vec<Tally>,
    bands: Vec<Option<Band>>,
    held: Vec<i64>,
    room: Vec<i64>,
}

/// Moves streams along the cheapest ways, if there is more than one kind of them.
pub(super) fn chain(board: &mut Board<'_>) {
    let mut kinds = BTreeSet::new();
    for node in (0..board.len()).filter_map(|node| board.get(node)) {
        kinds.extend(node.movable.keys().copied());
    }
    let weights: BTreeSet<u32> = kinds.iter().map(|kind| kind.weight).collect();
    let is_large = kinds.len() * board.len() as usize > MOST_ARCS;
    if kinds.len() < 2 || weights.len() > 1 || is_large {
        return;
    }
    let mut flow = Flow::new(board, kinds.into_iter().collect());
    while let Some(way) = flow.cheapest() {
        flow.follow(&way);
    }
    flow.carry_out(board);
}

impl Flow {
    fn new(board: &Board<'_>, kinds: Vec<Kind>) -> Self {
        let instances = board.len() as usize;
        let mut flow = Self {
            instances,
            size: kinds.first().map_or(1, |kind| board.size(*kind)),
            tallies: Vec::with_capacity(instances * kinds.len()),
            bands: Vec::with_capacity(instances),
            held: Vec::with_capacity(instances),
            room: Vec::with_capacity(instances),
            kinds,
        };
        for index in 0..board.len() {
            let node = board.get(index);
            flow.bands.push(node.map(|node| node.band));
            flow.held.push(node.map_or(0, |node| node.held));
            let weight = flow.kinds.first().map_or(1, |kind| kind.weight);
            flow.room.push(board.room(index, weight));
            for kind in &flow.kinds {
                let refs = node.and_then(|node| node.movable.get(kind));
                flow.tallies.push(Tally {
                    at_home: refs.map_or(0, |refs| refs.len() as i64),
                    is_taken: board.is_sharing(index) && board.suits(index, *kind),
                    ..Tally::default()
                });
            }
        }
        flow
    }

    fn tally(&self, index: usize, kind: usize) -> &Tally {
        &self.tallies[index * self.kinds.len() + kind]
    }

    fn tally_mut(&mut self, index: usize, kind: usize) -> &mut Tally {
        &mut self.tallies[index * self.kinds.len() + kind]
    }

    /// Returns what it costs if an instance holds one stream more (1) or less (-1), and for how many
    /// streams that is so.
    fn margin(&self, index: usize, by: i64) -> Option<(i64, i64)> {
        let band = self.bands[index]?;
        let held = self.held[index];
        let outside = |held| band.excess(held).abs();
        let change = outside(held + by * self.size) - outside(held);
        let cost = change.signum() * OUTSIDE;
        if by > 0 {
            let room = self.room[index];
            let same = if held < band.least {
                (band.least - held) / self.size
            } else {
                (band.most - held) / self.size
            };
            return (room > 0).then_some((cost, room.min(same.max(1))));
        }
        let same = if held > band.most {
            (held - band.most) / self.size
        } else {
            (held - band.least) / self.size
        };
        Some((cost, same.max(1)))
    }

    /// Calls `visit` with each stop that follows a stop, the cost, and how many streams can go there.
    fn arcs(&self, stop: usize, mut visit: impl FnMut(usize, i64, i64)) {
        if stop < self.instances {
            for kind in 0..self.kinds.len() {
                let tally = self.tally(stop, kind);
                if tally.come > 0 {
                    visit(self.instances + kind, 0, tally.come);
                } else if tally.at_home > 0 {
                    visit(self.instances + kind, 1, tally.at_home);
                }
            }
            return;
        }
        let kind = stop - self.instances;
        for index in 0..self.instances {
            let tally = self.tally(index, kind);
            if tally.gone > 0 {
                visit(index, -1, tally.gone);
            } else if tally.is_taken {
                visit(index, 0, i64::MAX);
            }
        }
    }

    /// Returns the cheapest way from an instance that gives streams to one that keeps them, if
    /// following it is an improvement.
    fn cheapest(&self) -> Option<Vec<usize>> {
        let stops = self.instances + self.kinds.len();
        let mut cost = vec![i64::MAX; stops];
        let mut before: Vec<Option<usize>> = vec![None; stops];
        let mut is_queued = vec![false; stops];
        let mut queue = VecDeque::new();
        for index in 0..self.instances {
            if let Some((margin, _)) = self.margin(index, -1) {
                cost[index] = margin;
                is_queued[index] = true;
                queue.push_back(index);
            }
        }
        while let Some(stop) = queue.pop_front() {
            is_queued[stop] = false;
            let so_far = cost[stop];
            self.arcs(stop, |next, step, _| {
                if so_far + step < cost[next] {
                    cost[next] = so_far + step;
                    before[next] = Some(stop);
                    if !is_queued[next] {
                        is_queued[next] = true;
                        queue.push_back(next);
                    }
                }
            });
        }
        let ends = (0..self.instances).filter_map(|index| {
            before[index]?;
            let (margin, _) = self.margin(index, 1)?;
            Some((cost[index] + margin, self.held[index], index))
        });
        let (total, _, end) = ends.min()?;
        if total >= 0 {
            return None;
        }
        let mut way = vec![end];
        while let Some(previous) = way.last().and_then(|stop| before[*stop]) {
            way.push(previous);
        }
        way.reverse();
        Some(way)
    }

    /// Sends as many streams along a way as it is the cheapest for.
    fn follow(&mut self, way: &[usize]) {
        let (Some(first), Some(last)) = (way.first().copied(), way.last().copied()) else {
            return;
        };
        let ends = [self.margin(first, -1), self.margin(last, 1)];
        let mut count = ends.into_iter().flatten().map(|(_, same)| same).min();
        for pair in way.windows(2) {
            self.arcs(pair[0], |next, _, most| {
                if next == pair[1] {
                    count = count.map(|count| count.min(most));
                }
            });
        }
        let count = count.unwrap_or(1);
        for pair in way.windows(2) {
            if pair[0] < self.instances {
                let tally = self.tally_mut(pair[0], pair[1] - self.instances);
                if tally.come > 0 {
                    tally.come -= count;
                } else {
                    tally.at_home -= count;
                    tally.gone += count;
                }
            } else {
                let tally = self.tally_mut(pair[1], pair[0] - self.instances);
                if tally.gone > 0 {
                    tally.gone -= count;
                    tally.at_home += count;
                } else {
                    tally.come += count;
                }
            }
        }
        self.held[first] -= count * self.size;
        self.room[first] += count;
        self.held[last] += count * self.size;
        self.room[last] -= count;
    }

    /// Makes the moves. Streams that make room go first.
    fn carry_out(mut self, board: &mut Board<'_>) {
        let kinds = 0..self.kinds.len();
        let takes: Vec<bool> = (0..self.instances)
            .map(|index| kinds.clone().any(|kind| self.tally(index, kind).come > 0))
            .collect();
        let gives: Vec<bool> = (0..self.instances)
            .map(|index| kinds.clone().any(|kind| self.tally(index, kind).gone > 0))
            .collect();
        for kind in kinds {
            let mut givers: Vec<usize> = (0..self.instances).collect();
            givers.sort_by_key(|index| (!takes[*index], *index));
            let mut takers = givers.clone();
            takers.sort_by_key(|index| (gives[*index], *index));
            let mut givers = givers.into_iter().peekable();
            for to in takers {
                while self.tally(to, kind).come > 0 {
                    let Some(from) = givers.peek().copied() else {
                        break;
                    };
                    if self.tally(from, kind).gone == 0 {
                        givers.next();
                        continue;
                    }
                    self.tally_mut(from, kind).gone -= 1;
                    self.tally_mut(to, kind).come -= 1;
                    let (from, to) = (from as u32, to as u32);
                    let kind = self.kinds[kind];
                    if let Some((place, _)) = board.choose(from, kind, to) {
                        board.shift(from, kind, place, to, takes[from as usize]);
                    }
                }
            }
        }
    }
}
