//! Where the streams of an instance would go, decided before any of them moves.
//!
//! A plan is made on the fleet as it is and applied in the same decision, so nothing can come in
//! between. It is an ordered list: higher priority first, then ascending id, each stream to the
//! candidate that is lightest once those before it are placed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::draft::Draft;
use super::model::Fleet;
use super::room::{Candidate, Load};
use super::scores::{Rank, Scoring};
use crate::ids::{InstanceId, StreamId};
use crate::reason::{AssignReason, OrphanReason};
use crate::withdrawal::WithdrawalCause;

/// More candidates than streams are looked at only so far: weights can change the order among the
/// lightest, and a large fleet is not walked for one stream.
const MORE_CANDIDATES: usize = 64;

/// What became of the streams of an instance that lost them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evacuation {
    /// Streams that run elsewhere now, with their new owner, in the order they were placed.
    pub moved: Vec<(StreamId, InstanceId)>,
    /// Streams nobody had room for.
    pub orphaned: Vec<StreamId>,
}

/// Why an instance is emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvacuationCause {
    /// It failed.
    InstanceFailed,
    /// It was removed.
    InstanceRemoved,
    /// It was emptied in an emergency.
    Emergency,
}

impl From<WithdrawalCause> for EvacuationCause {
    fn from(cause: WithdrawalCause) -> Self {
        match cause {
            WithdrawalCause::Failure => Self::InstanceFailed,
            WithdrawalCause::Emergency => Self::Emergency,
            WithdrawalCause::Removal => Self::InstanceRemoved,
        }
    }
}

impl EvacuationCause {
    pub(super) const fn assign_reason(self) -> AssignReason {
        match self {
            Self::Emergency => AssignReason::Emergency,
            Self::InstanceFailed => AssignReason::InstanceFailed,
            Self::InstanceRemoved => AssignReason::InstanceRemoved,
        }
    }

    pub(super) const fn orphan_reason(self) -> OrphanReason {
        match self {
            Self::Emergency => OrphanReason::Emergency,
            Self::InstanceFailed => OrphanReason::InstanceFailed,
            Self::InstanceRemoved => OrphanReason::InstanceRemoved,
        }
    }
}

/// One stream, and who gets it; none: nobody has room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Which stream.
    pub stream: StreamId,
    /// To whom.
    pub to: Option<InstanceId>,
}

/// Where the streams of one instance go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    from: InstanceId,
    moves: Vec<Move>,
}

impl Plan {
    /// Plans for every stream of an instance, which itself gets none.
    pub fn make(fleet: &Fleet, from: &InstanceId, scoring: &Scoring) -> Self {
        Self::make_for(fleet, from, scoring, |_, _| true)
    }

    /// Plans for those streams of an instance that are chosen.
    pub fn make_for(
        fleet: &Fleet,
        from: &InstanceId,
        scoring: &Scoring,
        is_chosen: impl Fn(&Fleet, StreamId) -> bool,
    ) -> Self {
        let held = fleet.instance(from).map(|slot| slot.held());
        let mut streams: Vec<StreamId> = held
            .into_iter()
            .flatten()
            .copied()
            .filter(|stream| is_chosen(fleet, *stream))
            .collect();
        streams.sort_by_key(|id| {
            let slot = fleet.stream(*id);
            (Reverse(slot.map_or(0, |slot| slot.stream().priority)), *id)
        });
        let mut targets = Targets::of(fleet, from, scoring, streams.len());
        let moves = streams
            .into_iter()
            .map(|stream| Move {
                stream,
                to: targets.next(),
            })
            .collect();
        Self {
            from: from.clone(),
            moves,
        }
    }

    /// The moves, in order.
    pub fn moves(&self) -> &[Move] {
        &self.moves
    }

    /// Makes the moves, on the fleet they were planned on.
    pub fn apply(self, draft: &mut Draft<'_>, cause: EvacuationCause) -> Evacuation {
        let mut evacuation = Evacuation::default();
        for Move { stream, to } in self.moves {
            match to {
                Some(target) => {
                    draft.assign(stream, &target, cause.assign_reason());
                    evacuation.moved.push((stream, target));
                }
                None => {
                    draft.orphan(stream, &self.from, cause.orphan_reason());
                    evacuation.orphaned.push(stream);
                }
            }
        }
        evacuation
    }
}

/// Those who have room, lightest first; those on probation only when no active one has any.
struct Targets {
    active: BinaryHeap<Reverse<Rank>>,
    recovering: BinaryHeap<Reverse<Rank>>,
}

impl Targets {
    fn of(fleet: &Fleet, from: &InstanceId, scoring: &Scoring, streams: usize) -> Self {
        let (active, recovering) = fleet.room().candidates();
        let rank = |candidate: &Candidate| {
            Reverse(Rank {
                load: candidate.load,
                weight: scoring.weight(&candidate.id),
                id: candidate.id.clone(),
            })
        };
        let is_other = |candidate: &&Candidate| candidate.id != *from;
        let most = streams.saturating_add(MORE_CANDIDATES);
        Self {
            active: active.filter(is_other).take(most).map(rank).collect(),
            recovering: recovering.filter(is_other).take(most).map(rank).collect(),
        }
    }

    fn next(&mut self) -> Option<InstanceId> {
        let list = if self.active.is_empty() {
            &mut self.recovering
        } else {
            &mut self.active
        };
        let Reverse(rank) = list.pop()?;
        let id = rank.id.clone();
        let load = Load {
            held: rank.load.held + 1,
            ..rank.load
        };
        if load.has_room() {
            list.push(Reverse(Rank { load, ..rank }));
        }
        Some(id)
    }
}
