//! Where the streams of an instance would go, decided before any of them moves.
//!
//! A plan is made on the fleet as it is and applied in the same decision, so nothing can come in
//! between. It is an ordered list: higher priority first, then ascending id, each stream to the
//! candidate that is lightest once those before it are placed.

use std::cmp::Reverse;

use super::draft::Draft;
use super::model::Fleet;
use super::scores::Scoring;
use super::targets::Targets;
use crate::ids::{InstanceId, StreamId};
use crate::reason::{AssignReason, OrphanReason};
use crate::withdrawal::WithdrawalCause;

/// Where the streams went that an instance lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evacuation {
    /// Streams that were assigned to other instances, in the order they were placed.
    pub moved: Vec<(StreamId, InstanceId)>,
    /// Streams for which no instance had room.
    pub orphaned: Vec<StreamId>,
}

/// Why an instance is emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum EvacuationCause {
    InstanceFailed,
    InstanceRemoved,
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

/// One stream and its new owner; `None`: no instance has room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Move {
    pub stream: StreamId,
    pub to: Option<InstanceId>,
}

/// The plan for the streams of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    from: InstanceId,
    moves: Vec<Move>,
    scoring: Scoring,
}

impl Plan {
    /// Plans for every stream of an instance, which itself gets none.
    pub fn make(fleet: &Fleet, from: &InstanceId, scoring: &Scoring) -> Self {
        Self::make_for(fleet, from, scoring, |_, _| true)
    }

    /// Plans for the chosen streams of an instance.
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
        let mut targets = Targets::of(fleet, from, scoring, &streams);
        let moves = streams
            .into_iter()
            .map(|stream| Move {
                stream,
                to: targets.next(stream),
            })
            .collect();
        Self {
            from: from.clone(),
            moves,
            scoring: scoring.clone(),
        }
    }

    /// Returns the moves, in order.
    pub fn moves(&self) -> &[Move] {
        &self.moves
    }

    /// Makes the moves, on the fleet they were planned on.
    pub fn apply(self, draft: &mut Draft<'_>, cause: EvacuationCause) -> Evacuation {
        let mut evacuation = Evacuation::default();
        draft.score_by(Some(self.scoring));
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
        draft.score_by(None);
        evacuation
    }
}
