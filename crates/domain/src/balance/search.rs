//! Moves and swaps that bring instances nearer to their bands, until none does.
//!
//! What counts is the sum of the squares of what instances are outside of their bands. It is a
//! convex function of what is shifted between two instances, so of each kind of stream only the
//! weights next to the ideal one need to be looked at.

use std::collections::BTreeSet;

use super::board::{Board, Key, Kind};

/// How many partners are looked at for one instance at first: those farthest on the other side.
const PARTNERS: usize = 64;

/// All partners are looked at for what is left, if these are no more pairs of instances.
const MOST_PAIRS: usize = 4_000_000;

/// A stream that one instance gives to another, and the stream it gets for it in a swap.
#[derive(Debug, Clone, Copy)]
struct Step {
    from: u32,
    to: u32,
    kind: Kind,
    back: Option<Kind>,
    gain: i128,
}

/// Moves and swaps streams until no single move or swap is an improvement.
pub(super) fn settle(board: &mut Board<'_>) {
    settle_with(board, PARTNERS);
    board.look_again();
    if board.pending.len() * (board.len() as usize) <= MOST_PAIRS {
        settle_with(board, usize::MAX);
    }
}

/// The same, with so many partners of each instance.
fn settle_with(board: &mut Board<'_>, partners: usize) {
    loop {
        let mut has_changed = false;
        while let Some(key) = next(board) {
            if improve(board, key, partners) {
                has_changed = true;
            } else {
                board.pending.remove(&key);
            }
        }
        if !has_changed {
            return;
        }
        board.look_again();
    }
}

/// Returns the instance that is looked at next: the one that is most above its band, or, if
/// there is none, the one most below.
fn next(board: &Board<'_>) -> Option<Key> {
    let above = board.pending.last().filter(|key| key.excess > 0);
    above.or_else(|| board.pending.first()).copied()
}

fn improve(board: &mut Board<'_>, key: Key, most: usize) -> bool {
    let partners = partners(board, key, most);
    let step = best_move(board, key, &partners).or_else(|| best_swap(board, key, &partners));
    let Some(step) = step else {
        return false;
    };
    let times = if step.back.is_none() {
        repetitions(board, &step)
    } else {
        1
    };
    for _ in 0..times {
        make(board, &step);
    }
    true
}

/// Returns how often a move can be repeated before another one is better: a quarter of what is
/// missing, so that the last ones still go where they are needed most.
fn repetitions(board: &Board<'_>, step: &Step) -> i64 {
    let excess = |node| {
        let node = board.get(node);
        node.map_or(0, |node| node.band.excess(node.held))
    };
    let needed = excess(step.from).min(-excess(step.to)) / board.size(step.kind) / 4;
    let refs = board
        .get(step.from)
        .and_then(|node| node.movable.get(&step.kind));
    let there = refs.map_or(0, |refs| refs.len() as i64);
    let room = board.room(step.to, step.kind.weight);
    needed.min(there).min(room).max(1)
}

fn make(board: &mut Board<'_>, step: &Step) {
    if let Some((place, _)) = board.choose(step.from, step.kind, step.to) {
        board.shift(step.from, step.kind, place, step.to, false);
    }
    if let Some(back) = step.back
        && let Some((place, _)) = board.choose(step.to, back, step.from)
    {
        board.shift(step.to, back, place, step.from, false);
    }
}

/// Returns the partners of an instance that one of them can have a stream of, the one farthest on the
/// other side first.
fn partners(board: &Board<'_>, key: Key, most: usize) -> Vec<Key> {
    let is_other = |other: &&Key| other.node != key.node;
    let is_useful = |other: &&Key| {
        let (from, to) = direction(key, **other);
        let movable = board.get(from).map(|node| node.movable.keys());
        let mut kinds = movable.into_iter().flatten();
        kinds.any(|kind| board.suits(to, *kind) && board.has_room(to, 1, kind.weight))
    };
    let chosen: Vec<&Key> = if key.excess > 0 {
        let others = board.takers.iter().filter(is_other);
        others.filter(is_useful).take(most).collect()
    } else {
        let others = board.givers.iter().rev().filter(is_other);
        others.filter(is_useful).take(most).collect()
    };
    chosen.into_iter().copied().collect()
}

/// Returns which of the two gives.
fn direction(key: Key, other: Key) -> (u32, u32) {
    if key.excess > 0 {
        (key.node, other.node)
    } else {
        (other.node, key.node)
    }
}

/// Returns the move with the first partner that improves anything; another partner that is as far
/// outside is preferred if the groups of streams are kept apart there.
fn best_move(board: &Board<'_>, key: Key, partners: &[Key]) -> Option<Step> {
    let takes = board.takers.contains(&key);
    if key.excess < 0 && !takes {
        return None;
    }
    let mut first: Option<(Step, bool)> = None;
    for other in partners {
        if first.is_some_and(|(_, was_outside)| was_outside != (other.excess != 0)) {
            break;
        }
        let (from, to) = direction(key, *other);
        let Some(step) = move_between(board, from, to) else {
            continue;
        };
        let chosen = board.choose(from, step.kind, to);
        if chosen.is_some_and(|(_, is_apart)| is_apart) {
            return Some(step);
        }
        if first.is_none() {
            first = Some((step, other.excess != 0));
        }
    }
    first.map(|(step, _)| step)
}

/// Returns the best move from one instance to another, if one is an improvement.
fn move_between(board: &Board<'_>, from: u32, to: u32) -> Option<Step> {
    let ideal = ideal(board, from, to).min(board.free_weight(to));
    let kinds = around(board, from, ideal);
    let steps = kinds.into_iter().filter_map(|kind| {
        let fits = board.suits(to, kind) && board.has_room(to, 1, kind.weight);
        let gain = gain(board, from, to, board.size(kind));
        (fits && gain > 0).then_some(Step {
            from,
            to,
            kind,
            back: None,
            gain,
        })
    });
    best(steps)
}

/// Returns the best swap with any partner.
fn best_swap(board: &Board<'_>, key: Key, partners: &[Key]) -> Option<Step> {
    let swaps = partners.iter().filter_map(|other| {
        let (from, to) = direction(key, *other);
        swap_between(board, from, to)
    });
    best(swaps)
}

/// Returns the best swap of two instances. Each must have room for what it gets before it gives
/// anything.
fn swap_between(board: &Board<'_>, from: u32, to: u32) -> Option<Step> {
    let ideal = ideal(board, from, to);
    let given: Vec<Kind> = board.get(from)?.movable.keys().copied().collect();
    let steps = given.into_iter().flat_map(|kind| {
        let fits = board.suits(to, kind) && board.has_room(to, 1, kind.weight);
        let target = board.size(kind) - ideal;
        let backs = if fits {
            around(board, to, target.min(board.free_weight(from)))
        } else {
            BTreeSet::new()
        };
        backs.into_iter().filter_map(move |back| {
            let fits = board.suits(from, back) && board.has_room(from, 1, back.weight);
            let gain = gain(board, from, to, board.size(kind) - board.size(back));
            (fits && gain > 0).then_some(Step {
                from,
                to,
                kind,
                back: Some(back),
                gain,
            })
        })
    });
    best(steps)
}

fn best(steps: impl Iterator<Item = Step>) -> Option<Step> {
    steps.reduce(|best, step| if step.gain > best.gain { step } else { best })
}

/// Returns how much of the squares a shift from one instance to another takes away.
fn gain(board: &Board<'_>, from: u32, to: u32, size: i64) -> i128 {
    let change = |node: u32, by: i64| {
        board.get(node).map_or(0, |node| {
            let square = |held| i128::from(node.band.excess(held)).pow(2);
            square(node.held) - square(node.held + by)
        })
    };
    change(from, -size) + change(to, size)
}

/// Returns the least shift that would gain the most.
fn ideal(board: &Board<'_>, from: u32, to: u32) -> i64 {
    let (Some(giver), Some(taker)) = (board.get(from), board.get(to)) else {
        return 0;
    };
    let needed = (giver.held - giver.band.most).max(taker.band.least - taker.held);
    let harmless = (giver.held - giver.band.least).min(taker.band.most - taker.held);
    if needed <= harmless {
        needed
    } else {
        needed.midpoint(harmless)
    }
}

/// Returns, for each requirement, the kinds of an instance whose weights are next to the ideal.
fn around(board: &Board<'_>, node: u32, ideal: i64) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::new();
    let Some(node) = board.get(node) else {
        return kinds;
    };
    let ideal = u32::try_from(ideal.max(0)).unwrap_or(u32::MAX);
    let mut first = node.movable.keys().next().map(|kind| kind.requires);
    while let Some(requires) = first {
        let kind = |weight| Kind { requires, weight };
        let below = node.movable.range(kind(0)..=kind(ideal)).next_back();
        let above = node.movable.range(kind(ideal)..=kind(u32::MAX)).next();
        kinds.extend(below.into_iter().chain(above).map(|(kind, _)| *kind));
        let next = requires.checked_add(1).and_then(|next| {
            node.movable
                .range(
                    Kind {
                        requires: next,
                        weight: 0,
                    }..,
                )
                .next()
        });
        first = next.map(|(kind, _)| kind.requires);
    }
    kinds
}

/// Puts streams back where they were, as long as that makes nothing worse.
pub(super) fn call_off_needless(board: &mut Board<'_>) {
    for (stream, moved) in board.moved() {
        let (at, home) = (moved.to, stream.instance);
        let Some((kind, place)) = board.find(stream, at) else {
            continue;
        };
        let fits = board.has_room(home, 1, kind.weight);
        if fits && gain(board, at, home, board.size(kind)) >= 0 {
            board.shift(at, kind, place, home, false);
        }
    }
}
