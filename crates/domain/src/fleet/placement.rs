//! The rules by which waiting streams are assigned to instances without a request.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::draft::Draft;
use super::model::{Fleet, InstanceSlot};
use super::plan::{Evacuation, EvacuationCause, Plan};
use super::scores::Scoring;
use super::suspects::blame_return;
use crate::events::Event;
use crate::handover::{AfterRelease, Handover, HandoverMode, MoveReason};
use crate::ids::{InstanceId, StreamId};
use crate::pace::MoveBudget;
use crate::quarantine::Conduct;
use crate::returns::Returns;
use crate::stream::{AssignReason, OrphanReason, Place};

/// Moves every stream of an instance to the lightest instances with room, higher priority first,
/// then ascending id; a stream without room is orphaned. The instance itself must not be in a state
/// in which streams are assigned to it.
pub fn evacuate(
    draft: &mut Draft<'_>,
    id: &InstanceId,
    cause: EvacuationCause,
    scoring: &Scoring,
) -> Evacuation {
    // The streams that wait longest have the first claim on room (there is none while orphans wait,
    // unless this very command made it).
    place_orphans(draft);
    end_overlaps(draft, id);
    shut_down_disabled(draft, id);
    Plan::make(draft.fleet(), id, scoring).apply(draft, cause)
}

/// Moves only the `overlap` streams of an instance.
pub fn evacuate_overlapping(
    draft: &mut Draft<'_>,
    id: &InstanceId,
    cause: EvacuationCause,
    scoring: &Scoring,
) -> Evacuation {
    place_orphans(draft);
    end_overlaps(draft, id);
    Plan::make_for(draft.fleet(), id, scoring, is_overlapping).apply(draft, cause)
}

/// Returns whether a stream may run on two instances while it moves.
pub fn is_overlapping(fleet: &Fleet, stream: StreamId) -> bool {
    let slot = fleet.stream(stream);
    slot.map(|slot| slot.stream())
        .is_some_and(|stream| stream.enabled && stream.handoff == HandoverMode::Overlap)
}

/// Ends every overlap in which the instance is the former owner.
pub fn end_overlaps(draft: &mut Draft<'_>, id: &InstanceId) {
    for stream in of_instance(draft, id, |slot| slot.lingering().keys().copied().collect()) {
        draft.end_overlap(stream);
    }
}

/// Takes away streams that were disabled or deleted while their owner might still run them.
fn shut_down_disabled(draft: &mut Draft<'_>, id: &InstanceId) {
    for stream in of_instance(draft, id, |slot| slot.releasing().iter().copied().collect()) {
        if after_release(draft, stream).is_some_and(AfterRelease::is_final) {
            let_go(draft, stream);
        }
    }
}

fn of_instance(
    draft: &Draft<'_>,
    id: &InstanceId,
    streams: impl Fn(&InstanceSlot) -> Vec<StreamId>,
) -> Vec<StreamId> {
    draft.fleet().instance(id).map(streams).unwrap_or_default()
}

/// What becomes of a stream that its owner is to release.
fn after_release<'d>(draft: &'d Draft<'_>, stream: StreamId) -> Option<&'d AfterRelease> {
    let slot = draft.fleet().stream(stream)?;
    match &slot.place().assignment()?.handover {
        Some(Handover::Releasing { then, .. }) => Some(then),
        Some(Handover::Overlapping { .. } | Handover::GivenUp { .. }) | None => None,
    }
}

/// Carries out what becomes of a stream that its owner has released. The old epoch is void from here
/// on.
pub fn let_go(draft: &mut Draft<'_>, stream: StreamId) {
    let Some(then) = after_release(draft, stream).cloned() else {
        return;
    };
    match then {
        AfterRelease::MoveTo { to, reason } => move_on(draft, stream, to, reason),
        AfterRelease::Unclaim => {
            tell_released(draft, stream);
            let (released_by, since) = (None, draft.now());
            draft.place(stream, Place::Unclaimed { released_by, since });
        }
        AfterRelease::Disable => {
            tell_released(draft, stream);
            draft.place(stream, Place::Disabled);
        }
        AfterRelease::Forget => {
            tell_released(draft, stream);
            draft.remove_stream(stream);
        }
        AfterRelease::Shed => {
            let slot = draft.fleet().stream(stream);
            let owner = slot.and_then(|slot| slot.place().assignment());
            if let Some(owner) = owner.map(|owner| owner.instance.clone()) {
                draft.orphan(stream, &owner, OrphanReason::RoomReduced);
            }
        }
    }
}

fn tell_released(draft: &mut Draft<'_>, stream: StreamId) {
    let slot = draft.fleet().stream(stream);
    let Some(assignment) = slot.and_then(|slot| slot.place().assignment()) else {
        return;
    };
    let (instance, epoch) = (assignment.instance.clone(), assignment.epoch);
    draft.tell(Event::StreamReleased {
        stream,
        instance,
        epoch,
        reason: None,
    });
}

/// The stream goes where it was to go, or to any instance that has room, its owner being the last
/// to be asked.
fn move_on(draft: &mut Draft<'_>, stream: StreamId, to: Option<InstanceId>, reason: MoveReason) {
    let slot = draft.fleet().stream(stream);
    let Some(assignment) = slot.and_then(|slot| slot.place().assignment()) else {
        return;
    };
    let owner = assignment.instance.clone();
    let owned = draft.now().since(assignment.assigned_at);
    // An owner that fails or leaves meanwhile is the better reason.
    let cause = draft
        .fleet()
        .instance(&owner)
        .and_then(|slot| slot.instance().withdrawn)
        .map(|withdrawal| EvacuationCause::from(withdrawal.cause));
    let counts = reason == MoveReason::NotRun && cause.is_none();
    if counts && orphan_if_paused(draft, stream, &owner, owned) {
        return;
    }
    let fleet = draft.fleet();
    let target = to
        .filter(|id| fleet.is_open_for(stream, id))
        .or_else(|| fleet.target_for_move(stream, Some(&owner)).cloned())
        .or_else(|| fleet.target_for_orphan(stream).cloned());
    match target {
        Some(target) => {
            let reason = cause.map_or(reason.assign_reason(), EvacuationCause::assign_reason);
            draft.assign(stream, &target, reason);
            draft.count_handed_over(&owner, 1, 0);
        }
        None => {
            let reason = cause.map_or(reason.orphan_reason(), EvacuationCause::orphan_reason);
            draft.orphan(stream, &owner, reason);
            draft.count_handed_over(&owner, 0, 1);
        }
    }
}

/// Takes a stream from an owner that did not run it. That counts as a return, if it was not owned
/// for long. Returns whether the stream is withheld for it, and is an orphan meanwhile.
pub fn orphan_if_paused(
    draft: &mut Draft<'_>,
    stream: StreamId,
    owner: &InstanceId,
    owned: Duration,
) -> bool {
    if !draft.policies().returns.counts_not_run(owned) {
        return false;
    }
    if !blame_return(draft, stream, owner, owned, &Conduct::NotRun) {
        draft.count_return(stream, owner, Some(Returns::not_run()));
    }
    let slot = draft.fleet().stream(stream);
    let is_withheld = slot.is_some_and(|slot| slot.stream().is_withheld());
    if is_withheld {
        draft.orphan(stream, owner, OrphanReason::NotRun);
    }
    is_withheld
}

/// Assigns waiting streams: first orphans, to any eligible instance; then unclaimed streams, to
/// instances that registered with `auto_assign`, unless they wait (`filling.rs`). Paused streams are passed over. Then streams that are
/// away from where they are pinned begin to go back. Repeating it changes nothing more.
pub fn place_waiting(draft: &mut Draft<'_>) {
    place_orphans(draft);
    place_unclaimed(draft);
    return_pinned(draft);
}

/// Assigns orphans for as long as an instance has room. If no instance meets the need of an orphan,
/// the others with this need are passed over.
fn place_orphans(draft: &mut Draft<'_>) {
    if !draft.fleet().room().has_any() {
        return;
    }
    let heads = draft.fleet().waiting_orphans().heads();
    let mut heads: BinaryHeap<Reverse<_>> = heads.map(Reverse).collect();
    while draft.fleet().room().has_any() {
        let Some(Reverse((rank, need))) = heads.pop() else {
            return;
        };
        let Some(target) = draft.fleet().target_for_orphan(rank.id).cloned() else {
            continue;
        };
        draft.assign(rank.id, &target, AssignReason::RoomAppeared);
        let next = draft.fleet().waiting_orphans().next(&need, rank);
        heads.extend(next.map(|next| Reverse((next, need))));
    }
}

/// Assigns unclaimed streams for as long as an instance takes them, a part of them with each command
/// (`filling.rs`); without such an instance, or without streams, it costs nothing.
fn place_unclaimed(draft: &mut Draft<'_>) {
    if draft.filling().is_delayed() || !draft.fleet().room().takes_unclaimed() {
        return;
    }
    let heads = draft.fleet().waiting_unclaimed().heads();
    let mut heads: BinaryHeap<Reverse<_>> = heads.map(Reverse).collect();
    let level = draft.fleet().level();
    let mut raised: Option<InstanceId> = None;
    while draft.fleet().room().takes_unclaimed() {
        let Some(Reverse((stream, need))) = heads.pop() else {
            return;
        };
        let fleet = draft.fleet();
        let Some(slot) = fleet.stream(stream) else {
            continue;
        };
        let Place::Unclaimed { released_by, .. } = slot.place() else {
            continue;
        };
        let is_choosy = released_by.is_some() || slot.stream().pinned().is_some();
        let below = level.and_then(|level| {
            fleet.target_below(level, slot.stream(), slot.place(), raised.as_ref())
        });
        let target = below.or_else(|| fleet.target_for_unclaimed(stream, released_by.as_ref()));
        if let Some(target) = target.cloned() {
            if !draft.may_fill() {
                return;
            }
            draft.assign(stream, &target, AssignReason::AutoAssigned);
            raised = Some(target);
        } else if !is_choosy {
            // No instance meets this need.
            continue;
        }
        let next = draft.fleet().waiting_unclaimed().next(&need, stream);
        heads.extend(next.map(|next| Reverse((next, need))));
    }
}

/// Assigns one waiting stream, if an instance takes it; the others wait on.
pub fn place_stream(draft: &mut Draft<'_>, stream: StreamId) {
    let fleet = draft.fleet();
    let Some(slot) = fleet.stream(stream) else {
        return;
    };
    let (target, reason) = match slot.place() {
        Place::Orphaned { .. } => (fleet.target_for_orphan(stream), AssignReason::RoomAppeared),
        Place::Unclaimed { released_by, .. } if !draft.filling().is_delayed() => (
            fleet.target_for_unclaimed(stream, released_by.as_ref()),
            AssignReason::AutoAssigned,
        ),
        Place::Unclaimed { .. } | Place::Assigned(_) | Place::Disabled => return,
    };
    if let Some(target) = target.cloned() {
        draft.assign(stream, &target, reason);
    }
}

/// Moves streams back to the instances they are pinned to, a few at a time. A stream that its instance
/// gave back lately stays away.
fn return_pinned(draft: &mut Draft<'_>) {
    let fleet = draft.fleet();
    let mut homeward: Vec<(StreamId, InstanceId)> = Vec::new();
    for (home, away) in fleet.away() {
        let Some(slot) = fleet.instance(home) else {
            continue;
        };
        let free = fleet
            .placement()
            .pace
            .per_target
            .saturating_sub(fleet.arriving(slot));
        let next = away
            .iter()
            .filter(|stream| fleet.goes_home(**stream, home))
            .take(free);
        homeward.extend(next.map(|stream| (*stream, home.clone())));
    }
    if homeward.is_empty() {
        return;
    }
    let mut budget = MoveBudget::new(fleet.placement().pace, fleet.moves_under_way());
    for (stream, home) in homeward {
        // The ones before it may have taken the room.
        if budget.left() > 0 && draft.fleet().goes_home(stream, &home) {
            let progress = draft.move_stream(stream, &home, MoveReason::Planned);
            budget.note(progress, draft.fleet().serves_leased(&home));
        }
    }
}
