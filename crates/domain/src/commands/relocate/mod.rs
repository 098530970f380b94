//! Streams are moved on purpose: the states are in `domain/handover.rs`.
//!
//! Each move is drafted before the next one is decided. A stream that is promised to an instance
//! weighs there like one it owns, and has its room reserved (`domain/fleet/room.rs`), so the moves
//! of one command, and of several commands one after the other, spread over the fleet.

use std::collections::BTreeSet;

use super::command::{Command, Rejection, current_life};
use crate::fleet::{Draft, let_go};
use crate::handover::{AbandonReason, AfterRelease, Handoff};
use crate::ids::{Incarnation, InstanceId, StreamId};
use crate::instance::InstanceStatus;
use crate::stream::{AssignReason, Assignment, Place};

/// One stream that is to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// Which one.
    pub stream: StreamId,
    /// Where to; none: where it is on its way to already, else the lightest active instance but
    /// its owner.
    pub to: Option<InstanceId>,
}

/// Moves streams on purpose, all or none. What its owner must let go of first moves when it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveStreams {
    /// Which, and where to; each stream once.
    pub moves: Vec<Relocation>,
}

/// How far a move has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveProgress {
    /// It runs there now: its owner, if it had one, cannot confirm anything.
    Moved,
    /// Its owner is told to let go.
    Releasing,
    /// It is assigned there; its former owner goes on until the new one runs it.
    Overlapping,
    /// It is there already.
    Unchanged,
}

/// A stream that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocated {
    /// Which one.
    pub stream: StreamId,
    /// Where to.
    pub to: InstanceId,
    /// How far it has come.
    pub progress: MoveProgress,
}

impl Command for MoveStreams {
    type Reply = Vec<Relocated>;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Vec<Relocated>, Rejection> {
        let mut relocated = Vec::with_capacity(self.moves.len());
        for wanted in &self.moves {
            let stream = wanted.stream;
            let slot = draft
                .fleet()
                .listed(stream)
                .ok_or(Rejection::UnknownStream(stream))?;
            if !slot.stream().enabled {
                return Err(Rejection::StreamDisabled(stream));
            }
            let handoff = slot.stream().handoff;
            let owner = slot.place().assignment().cloned();
            let to = target(draft, wanted, owner.as_ref())?;
            let is_there = owner.as_ref().is_some_and(|owner| owner.instance == to);
            let progress = if is_there {
                draft.abandon_release(stream, AbandonReason::CalledOff);
                draft.end_overlap(stream);
                MoveProgress::Unchanged
            } else {
                move_one(draft, stream, handoff, owner, &to)
            };
            relocated.push(Relocated {
                stream,
                to,
                progress,
            });
        }
        Ok(relocated)
    }
}

/// Who gets it, given everything that is drafted so far.
fn target(
    draft: &Draft<'_>,
    wanted: &Relocation,
    owner: Option<&Assignment>,
) -> Result<InstanceId, Rejection> {
    let owner_id = owner.map(|owner| &owner.instance);
    let promised_to = owner.and_then(Assignment::promised_to);
    let Some(to) = &wanted.to else {
        // Asked for again, a move that is under way goes on: its room is reserved.
        if let Some(to) = promised_to.filter(|to| is_open(draft, to)) {
            return Ok(to.clone());
        }
        let target = draft.fleet().target_for_move(wanted.stream, owner_id);
        return target.cloned().ok_or(Rejection::NoRoom(None));
    };
    let slot = draft
        .fleet()
        .instance(to)
        .ok_or_else(|| Rejection::UnknownInstance(to.clone()))?;
    let instance = slot.instance();
    if instance.status != InstanceStatus::Active || instance.withdrawn.is_some() {
        return Err(Rejection::WrongStatus {
            instance: to.clone(),
            status: instance.status,
        });
    }
    let has_room = slot.free_room() > 0 || (promised_to == Some(to) && slot.vacant_room() > 0);
    if owner_id != Some(to) && !has_room {
        return Err(Rejection::NoRoom(Some(to.clone())));
    }
    Ok(to.clone())
}

/// Whether a stream that is promised to an instance can still go there.
fn is_open(draft: &Draft<'_>, id: &InstanceId) -> bool {
    let slot = draft.fleet().instance(id);
    slot.is_some_and(|slot| {
        let instance = slot.instance();
        let is_taking = instance.status == InstanceStatus::Active && instance.withdrawn.is_none();
        is_taking && slot.vacant_room() > 0
    })
}

fn move_one(
    draft: &mut Draft<'_>,
    stream: StreamId,
    handoff: Handoff,
    owner: Option<Assignment>,
    to: &InstanceId,
) -> MoveProgress {
    let reason = AssignReason::PlannedMove;
    let is_leased = |id: &InstanceId| {
        let slot = draft.fleet().instance(id);
        slot.is_some_and(|slot| slot.instance().is_leased() && slot.instance().status.is_serving())
    };
    let Some(owner) = owner.filter(|owner| is_leased(&owner.instance)) else {
        draft.assign(stream, to, reason);
        return MoveProgress::Moved;
    };
    match handoff {
        Handoff::Exclusive => {
            draft.begin_release(stream, AfterRelease::planned_move(Some(to.clone())));
            MoveProgress::Releasing
        }
        // A new owner that never confirms would leave two of them running it for ever.
        Handoff::Overlap if is_leased(to) && !owner.is_releasing() => {
            draft.assign_overlapping(stream, to, reason);
            MoveProgress::Overlapping
        }
        Handoff::Overlap => {
            draft.assign(stream, to, reason);
            MoveProgress::Moved
        }
    }
}

/// The worker of an instance does not release streams that it has to, although it beats: it keeps
/// them. Moving them all the same would have them run twice. One that is leased no more
/// cannot say that it let go, and is asked no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbandonHandovers {
    /// Which instance.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// The streams that are overdue; others are passed over.
    pub streams: Vec<StreamId>,
}

impl Command for AbandonHandovers {
    type Reply = usize;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<usize, Rejection> {
        let instance = current_life(draft, &self.id, self.incarnation)?;
        // What waits for the end of a lease that is withdrawn moves then.
        if instance.withdrawn.is_some() {
            return Ok(0);
        }
        let overdue: BTreeSet<StreamId> = self.streams.iter().copied().collect();
        let mut releasing = releasing(draft, &self.id);
        releasing.retain(|stream| overdue.contains(stream));
        if !instance.is_leased() {
            for stream in &releasing {
                let_go(draft, *stream);
            }
            return Ok(0);
        }
        let kept: Vec<StreamId> = releasing
            .into_iter()
            .filter(|id| {
                let slot = draft.fleet().stream(*id);
                slot.is_some_and(|slot| slot.stream().enabled)
            })
            .collect();
        for stream in &kept {
            draft.abandon_release(*stream, AbandonReason::NotReleased);
        }
        Ok(kept.len())
    }
}

/// What an instance is to let go of.
pub(super) fn releasing(draft: &Draft<'_>, id: &InstanceId) -> Vec<StreamId> {
    let slot = draft.fleet().instance(id);
    slot.map(|slot| slot.releasing().iter().copied().collect())
        .unwrap_or_default()
}

/// Whether the owner of a stream may run it for a while after it is told to stop.
pub(super) fn may_linger(draft: &Draft<'_>, place: &Place, handoff: Handoff) -> bool {
    handoff == Handoff::Exclusive && is_with_leased(draft, place)
}

/// Whether the owner of a stream goes by leases.
pub(super) fn is_with_leased(draft: &Draft<'_>, place: &Place) -> bool {
    place.assignment().is_some_and(|assignment| {
        let slot = draft.fleet().instance(&assignment.instance);
        slot.is_some_and(|slot| slot.instance().is_leased())
    })
}

#[cfg(test)]
mod tests;
