//! Planned moves of streams; the states are in `handover.rs`.
//!
//! Each move is drafted before the next one is decided. A stream that is promised to an instance
//! weighs there like a stream it owns, and its room is reserved (`fleet/room.rs`), so the moves of
//! one command, and of several commands one after the other, spread over the fleet.

use std::collections::BTreeSet;

use super::command::{Command, Rejection, current_life};
use super::drain_record::follow_order;
use crate::fleet::{Draft, let_go};
use crate::handover::{AbandonReason, HandoverMode, MoveProgress, MoveReason};
use crate::ids::{Incarnation, InstanceId, StreamId};
use crate::instance::InstanceStatus;
use crate::placement::Exclusion;
use crate::stream::{Assignment, Place, StreamState};

/// The planned move of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Relocation {
    pub stream: StreamId,
    /// The new owner. `None`: the instance it is on its way to already, else the lightest active
    /// instance except its owner.
    pub to: Option<InstanceId>,
}

/// Moves streams on request, all or none. A stream that its owner must release first moves after
/// that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveStreams {
    /// The moves; each stream once.
    pub moves: Vec<Relocation>,
}

/// A stream that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Relocated {
    pub stream: StreamId,
    /// The new owner.
    pub to: InstanceId,
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
            if slot.stream().state_at(slot.place()) == StreamState::Quarantined {
                return Err(Rejection::StreamQuarantined(stream));
            }
            let owner = slot.place().assignment().cloned();
            let to = target(draft, wanted, owner.as_ref())?;
            let is_there = owner.as_ref().is_some_and(|owner| owner.instance == to);
            let progress = if is_there {
                draft.abandon_release(stream, AbandonReason::CalledOff);
                draft.end_overlap(stream);
                MoveProgress::Unchanged
            } else {
                let progress = draft.move_stream(stream, &to, MoveReason::Planned);
                if let Some(owner) = &owner {
                    follow_order(draft, &owner.instance, stream);
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

/// Returns the new owner, given everything that is drafted so far.
pub(super) fn target(
    draft: &Draft<'_>,
    wanted: &Relocation,
    owner: Option<&Assignment>,
) -> Result<InstanceId, Rejection> {
    let owner_id = owner.map(|owner| &owner.instance);
    let promised_to = owner.and_then(Assignment::promised_to);
    let Some(to) = &wanted.to else {
        // A move that is requested again keeps its target: its room is reserved.
        if let Some(to) = promised_to.filter(|to| draft.fleet().is_open_for(wanted.stream, to)) {
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
    if instance.cordon().is_some() && owner_id != Some(to) {
        return Err(Rejection::Cordoned(to.clone()));
    }
    let is_shed = owner.is_some_and(|owner| {
        owner.instance == *to && owner.is_releasing() && draft.fits_no_more(wanted.stream, owner)
    });
    if is_shed {
        return Err(Rejection::NoRoom(Some(to.clone())));
    }
    let is_promised = promised_to == Some(to) && draft.fleet().is_open_for(wanted.stream, to);
    if owner_id == Some(to) || is_promised {
        return Ok(to.clone());
    }
    match draft.fleet().exclusion(wanted.stream, slot) {
        None => Ok(to.clone()),
        Some(Exclusion::NoRoom) => Err(Rejection::NoRoom(Some(to.clone()))),
        Some(exclusion) => Err(Rejection::DoesNotFit {
            stream: wanted.stream,
            instance: to.clone(),
            exclusion,
        }),
    }
}

/// Gives up moves whose owner does not release the streams although it sends heartbeats: the owner
/// keeps them, because moving them all the same could run them twice. A worker without leases
/// cannot confirm a release, so its streams are not waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AbandonHandovers {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    /// The streams that are overdue; others are passed over.
    pub streams: Vec<StreamId>,
}

impl Command for AbandonHandovers {
    type Reply = usize;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<usize, Rejection> {
        let instance = current_life(draft, &self.id, self.incarnation)?;
        // Streams that wait for the end of a withdrawn lease move then.
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
        // One that does not fit any more is not kept.
        let slot = draft.fleet().instance(&self.id);
        let is_kept = |id: &&StreamId| slot.is_some_and(|slot| !slot.releasing().contains(id));
        Ok(kept.iter().filter(is_kept).count())
    }
}

/// Returns the streams that an instance must release.
pub(super) fn releasing(draft: &Draft<'_>, id: &InstanceId) -> Vec<StreamId> {
    let slot = draft.fleet().instance(id);
    slot.map(|slot| slot.releasing().iter().copied().collect())
        .unwrap_or_default()
}

/// Returns whether the owner of a stream may run it for a while after it is asked to stop.
pub(super) fn may_linger(draft: &Draft<'_>, place: &Place, handoff: HandoverMode) -> bool {
    handoff == HandoverMode::Exclusive && is_with_leased(draft, place)
}

/// Returns whether the owner of a stream holds leases.
pub(super) fn is_with_leased(draft: &Draft<'_>, place: &Place) -> bool {
    place.assignment().is_some_and(|assignment| {
        let slot = draft.fleet().instance(&assignment.instance);
        slot.is_some_and(|slot| slot.instance().is_leased())
    })
}

#[cfg(test)]
mod tests;
