//! Streams are moved on purpose: the states are in `domain/handover.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{Command, Rejection, current_life};
use crate::fleet::{Draft, let_go};
use crate::handover::{AbandonReason, Handoff};
use crate::ids::{Incarnation, InstanceId, StreamId};
use crate::instance::InstanceStatus;
use crate::stream::{AssignReason, Assignment, Place};

/// One stream that is to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// Which one.
    pub stream: StreamId,
    /// Where to; none: the lightest active instance but its owner.
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
        let mut promised: BTreeMap<InstanceId, usize> = BTreeMap::new();
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
            let owner_id = owner.as_ref().map(|owner| &owner.instance);
            let to = target(draft, wanted, owner_id, &promised)?;
            let progress = if owner_id == Some(&to) {
                draft.abandon_release(stream, AbandonReason::CalledOff);
                draft.end_overlap(stream);
                MoveProgress::Unchanged
            } else {
                let progress = move_one(draft, stream, handoff, owner, &to);
                if progress == MoveProgress::Releasing {
                    *promised.entry(to.clone()).or_default() += 1;
                }
                progress
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

/// Who gets it, given what was promised to whom by the moves before.
fn target(
    draft: &Draft<'_>,
    wanted: &Relocation,
    owner: Option<&InstanceId>,
    promised: &BTreeMap<InstanceId, usize>,
) -> Result<InstanceId, Rejection> {
    let free = |id: &InstanceId, room: usize| room > promised.get(id).copied().unwrap_or_default();
    let Some(to) = &wanted.to else {
        let mut candidates = draft.fleet().active_with_room();
        return candidates
            .find(|(id, room)| owner != Some(*id) && free(id, *room))
            .map(|(id, _)| id.clone())
            .ok_or(Rejection::NoRoom(None));
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
    if owner != Some(to) && !free(to, slot.free_room()) {
        return Err(Rejection::NoRoom(Some(to.clone())));
    }
    Ok(to.clone())
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
            draft.begin_release(stream, Some(to));
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
