//! Where the streams of an instance would go, decided before any of them moves.
//!
//! A plan is made on the fleet as it is and applied in the same decision, so nothing can come in
//! between. It is an ordered list: higher priority first, then ascending id, each stream to the
//! candidate that is lightest once those before it are placed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::draft::Draft;
use super::model::{Fleet, InstanceSlot};
use super::room::{Candidate, Load};
use super::scores::{Rank, Scoring};
use crate::ids::{InstanceId, StreamId};
use crate::reason::{AssignReason, OrphanReason};
use crate::stream::Assignment;
use crate::withdrawal::WithdrawalCause;

/// How many more candidates than streams are considered: weights can change the order among the
/// lightest, and a large fleet is not walked for one stream.
const MORE_CANDIDATES: usize = 64;

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
            .map(|stream| {
                let slot = fleet.stream(stream);
                let avoided = slot.map_or(&[][..], |slot| slot.stream().returned_by());
                Move {
                    stream,
                    to: targets.next(avoided),
                }
            })
            .collect();
        Self {
            from: from.clone(),
            moves,
        }
    }

    /// Returns the moves, in order.
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

/// A candidate in the order in which instances get streams, and how many streams it could own now.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    rank: Rank,
    vacant: usize,
}

/// The instances with room, lightest first; those on probation only if no active one has room, and
/// reserved room last.
struct Targets {
    active: BinaryHeap<Reverse<Target>>,
    recovering: BinaryHeap<Reverse<Target>>,
    reserved: BinaryHeap<Reverse<Target>>,
}

impl Targets {
    /// Collects the targets for these streams. Promises of these streams are planned anew, and
    /// reserve nothing.
    fn of(fleet: &Fleet, from: &InstanceId, scoring: &Scoring, streams: &[StreamId]) -> Self {
        let mut freed: BTreeMap<&InstanceId, u32> = BTreeMap::new();
        for stream in streams {
            let slot = fleet.stream(*stream);
            let assignment = slot.and_then(|slot| slot.place().assignment());
            if let Some(to) = assignment.and_then(Assignment::promised_to) {
                *freed.entry(to).or_default() += 1;
            }
        }
        let target = |candidate: &Candidate| {
            let slot = fleet.instance(&candidate.id);
            let freed = freed.get(&candidate.id).copied().unwrap_or_default();
            let load = Load {
                held: candidate.load.held.saturating_sub(freed),
                ..candidate.load
            };
            Reverse(Target {
                rank: Rank {
                    load,
                    weight: scoring.weight(&candidate.id),
                    id: candidate.id.clone(),
                },
                vacant: slot.map_or(0, InstanceSlot::vacant_room),
            })
        };
        let is_other = |candidate: &&Candidate| candidate.id != *from;
        let most = streams.len().saturating_add(MORE_CANDIDATES);
        let lists = fleet.room().candidates();
        let mut targets = Self {
            active: BinaryHeap::new(),
            recovering: BinaryHeap::new(),
            reserved: BinaryHeap::new(),
        };
        let active = lists.active.filter(is_other).take(most);
        let reserved = lists.reserved.filter(is_other).take(most);
        for Reverse(target) in active.chain(reserved).map(target) {
            targets.file_active(target);
        }
        let recovering = lists.recovering.filter(is_other).take(most);
        targets.recovering.extend(recovering.map(target));
        targets
    }

    fn file_active(&mut self, target: Target) {
        if target.rank.load.has_room() {
            self.active.push(Reverse(target));
        } else if target.vacant > 0 {
            self.reserved.push(Reverse(target));
        }
    }

    /// Returns the instance that gets the next stream; an avoided one only if no other of its kind
    /// has room.
    fn next(&mut self, avoided: &[InstanceId]) -> Option<InstanceId> {
        let is_recovering = self.active.is_empty() && !self.recovering.is_empty();
        let list = if !self.active.is_empty() {
            &mut self.active
        } else if is_recovering {
            &mut self.recovering
        } else {
            &mut self.reserved
        };
        let mut passed_over = Vec::new();
        let mut chosen = list.pop();
        while let Some(target) = chosen.take_if(|target| avoided.contains(&target.0.rank.id)) {
            passed_over.push(target);
            chosen = list.pop();
        }
        let place_of = |target: &Reverse<Target>| {
            let id = &target.0.rank.id;
            avoided.iter().position(|avoided| avoided == id)
        };
        if chosen.is_none() {
            let first = (0..passed_over.len()).min_by_key(|index| place_of(&passed_over[*index]));
            chosen = first.map(|index| passed_over.swap_remove(index));
        }
        list.extend(passed_over);
        let Reverse(Target { mut rank, vacant }) = chosen?;
        let id = rank.id.clone();
        rank.load.held += 1;
        let target = Target {
            rank,
            vacant: vacant.saturating_sub(1),
        };
        if !is_recovering {
            self.file_active(target);
        } else if target.vacant > 0 {
            self.recovering.push(Reverse(target));
        }
        Some(id)
    }
}
