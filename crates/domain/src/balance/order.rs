//! The moves of a finished board, in an order in which each finds room.

use std::collections::BTreeMap;

use super::board::{Board, Moved, StreamRef};
use super::outcome::{BalanceMove, BalancePlan, BalanceReason};

impl Board<'_> {
    /// Returns the plan: where each stream went that is not where it was.
    pub(super) fn into_plan(self) -> BalancePlan {
        let mut moved = self.moved();
        moved.sort_by_key(|(_, moved)| moved.step);
        let ordered = self.in_order(moved);
        let moves = ordered.into_iter().map(|(stream, moved)| {
            let from = self.instance(stream.instance);
            BalanceMove {
                stream: self.stream(stream).id,
                from: from.id.clone(),
                to: self.instance(moved.to).id.clone(),
                reason: self.reason(stream.instance, moved),
            }
        });
        BalancePlan {
            moves: moves.collect(),
        }
    }

    /// Orders moves so that each finds room once those before it are done. Moves that wait for each
    /// other's room are left out.
    fn in_order(&self, mut moved: Vec<(StreamRef, Moved)>) -> Vec<(StreamRef, Moved)> {
        // What has come to an instance and left it so far.
        let mut shifts: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
        let end = |node: u32| {
            let node = self.get(node);
            node.map_or((0, 0), |node| (node.streams, node.weight))
        };
        for (stream, to) in moved.iter().map(|(stream, moved)| (*stream, moved.to)) {
            let weight = i64::from(self.stream(stream).weight);
            let at_home = shifts.entry(stream.instance).or_default();
            *at_home = (at_home.0 + 1, at_home.1 + weight);
            let there = shifts.entry(to).or_default();
            *there = (there.0 - 1, there.1 - weight);
        }
        let mut ordered = Vec::with_capacity(moved.len());
        loop {
            let before = ordered.len();
            moved.retain(|(stream, moved)| {
                let weight = i64::from(self.stream(*stream).weight);
                let shift = shifts.get(&moved.to).copied().unwrap_or_default();
                let (streams, total) = end(moved.to);
                let instance = self.instance(moved.to);
                let fits = streams + shift.0 < i64::from(instance.max_streams)
                    && instance
                        .capacity
                        .is_none_or(|most| total + shift.1 + weight <= i64::from(most));
                if fits {
                    let there = shifts.entry(moved.to).or_default();
                    *there = (there.0 + 1, there.1 + weight);
                    let at_home = shifts.entry(stream.instance).or_default();
                    *at_home = (at_home.0 - 1, at_home.1 - weight);
                    ordered.push((*stream, *moved));
                }
                !fits
            });
            if ordered.len() == before {
                return ordered;
            }
        }
    }

    fn reason(&self, from: u32, moved: Moved) -> BalanceReason {
        let was = |node: u32| self.get(node).map_or(0, |node| node.first_excess);
        if was(from) > 0 {
            BalanceReason::AboveShare
        } else if moved.makes_room {
            BalanceReason::MakesRoom
        } else if was(moved.to) < 0 {
            BalanceReason::BelowShare
        } else {
            BalanceReason::MakesRoom
        }
    }
}
