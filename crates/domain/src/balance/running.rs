//! A rebalance whose moves have not all begun.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::BalanceMove;
use super::survey::BalanceScope;
use crate::events::Event;
use crate::ids::{InstanceId, StreamId};
use crate::pace::MovePace;
use crate::planned::Requester;
use crate::reason::{RebalanceMethod, RebalanceReason};

/// How many moves are tried in one command: it bounds how long the command takes.
const MOST_AT_ONCE: usize = 500;

/// Why and how a fleet is balanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Rebalance {
    pub method: RebalanceMethod,
    pub reason: RebalanceReason,
    pub scope: BalanceScope,
}

impl Rebalance {
    /// Returns whether the program began it by itself. Only an order moves the streams of classic
    /// workers.
    pub fn is_automatic(&self) -> bool {
        self.scope == BalanceScope::Leased
    }
}

/// Moves that are to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextMoves {
    /// The moves, in order.
    pub moves: Vec<BalanceMove>,
    /// Whose streams may move.
    pub scope: BalanceScope,
    /// Recorded with the first move of a rebalance.
    pub announced: Option<Event>,
}

/// The moves that have not begun, and those that are under way.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) what: Rebalance,
    pub(super) waiting: Vec<BalanceMove>,
    /// The moves that have begun and not ended, by stream.
    pub(super) under_way: BTreeMap<StreamId, InstanceId>,
    /// Whether a move was given up.
    pub(super) has_given_up: bool,
    pub(super) is_announced: bool,
}

impl Running {
    pub(super) fn new(what: Rebalance, waiting: Vec<BalanceMove>) -> Self {
        Self {
            what,
            waiting,
            under_way: BTreeMap::new(),
            has_given_up: false,
            is_announced: false,
        }
    }

    /// Returns the moves that are tried next: from the first on, no more to one target than may be
    /// under way to it.
    pub(super) fn next(&self, pace: MovePace) -> NextMoves {
        let mut by_target: BTreeMap<&InstanceId, usize> = BTreeMap::new();
        let mut moves = Vec::new();
        for planned in &self.waiting {
            if moves.len() >= MOST_AT_ONCE {
                break;
            }
            let to = by_target.entry(&planned.to).or_default();
            if *to < pace.per_target {
                *to += 1;
                moves.push(planned.clone());
            }
        }
        NextMoves {
            moves,
            scope: self.what.scope,
            announced: (!self.is_announced).then(|| self.announcement()),
        }
    }

    fn announcement(&self) -> Event {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let waiting = self.waiting.iter();
        let ends = waiting.flat_map(|planned| [&planned.from, &planned.to]);
        let instances: BTreeSet<&InstanceId> = ends.collect();
        Event::RebalanceBegun {
            by: match self.what.is_automatic() {
                true => Requester::Program,
                false => Requester::Operator,
            },
            method: self.what.method,
            reason: self.what.reason,
            moves: count(self.waiting.len()),
            instances: count(instances.len()),
        }
    }
}
