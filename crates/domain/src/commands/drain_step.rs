//! One step of a drain: counts what has moved, and begins what may begin now.

use std::collections::BTreeSet;
use std::time::Duration;

use super::absence::begin_absence;
use super::command::known;
use super::drain_plan::{Placed, place};
use super::drain_record::save;
use super::recover::count;
use crate::events::Event;
use crate::fleet::{Draft, Fleet};
use crate::handover::{AbandonReason, AfterRelease, HandoverMode, MoveReason};
use crate::ids::{InstanceId, StreamId};
use crate::instance::{Instance, InstanceStatus};
use crate::pace::{MoveBudget, MovePace};
use crate::planned::{Absence, AbsenceEnd, Drain, DrainState, Requester};
use crate::stream::{Assignment, OrphanReason, Place};
use crate::time::WallTime;

/// How long a worker that did not release a stream in time is not asked again.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// How long a stream of a classic target may take to be noticed: such a worker compares its list
/// with the orchestrator's every 30 s.
const CLASSIC_LOOK: Duration = Duration::from_secs(60);

/// How long a forced drain waits after its deadline for workers to release what they are to release.
const GRACE: Duration = Duration::from_secs(600);

/// Takes the next step of a drain that is under way. Repeating it is harmless.
pub(super) fn proceed(draft: &mut Draft<'_>, id: &InstanceId, pace: MovePace) {
    let Ok(instance) = known(draft, id) else {
        return;
    };
    let Some(before) = instance
        .drain()
        .filter(|drain| drain.is_under_way())
        .cloned()
    else {
        return;
    };
    let mut drain = before.clone();
    count_moved(draft, id, &mut drain);
    let may_move = instance.status == InstanceStatus::Draining && instance.withdrawn.is_none();
    if may_move {
        follow_others(draft.fleet(), id, &mut drain);
        begin_moves(draft, id, &mut drain, pace);
    }
    let is_over = is_empty(draft, id) && drain.unconfirmed().next().is_none();
    if drain != before {
        save(draft, id, drain.clone());
    }
    if is_over {
        finish(draft, id, &drain);
    } else if drain.is_overdue && draft.now().since(drain.deadline_at) >= GRACE {
        give_up(draft, id);
    }
}

/// The deadline of a drain has passed: a forced one leaves streams that fit nowhere without an owner,
/// any other has expired.
pub(super) fn expire(draft: &mut Draft<'_>, id: &InstanceId, pace: MovePace) {
    let Ok(instance) = known(draft, id) else {
        return;
    };
    let Some(drain) = instance
        .drain()
        .filter(|drain| drain.is_under_way())
        .cloned()
    else {
        return;
    };
    if drain.force && !drain.is_overdue {
        let overdue = Drain {
            is_overdue: true,
            ..drain
        };
        save(draft, id, overdue);
        proceed(draft, id, pace);
        return;
    }
    // What has moved by this very moment counts.
    proceed(draft, id, pace);
    let is_under_way = known(draft, id)
        .ok()
        .and_then(|instance| instance.drain().map(Drain::is_under_way));
    if is_under_way == Some(true) {
        give_up(draft, id);
    }
}

fn give_up(draft: &mut Draft<'_>, id: &InstanceId) {
    call_off(draft, id, AbandonReason::CalledOff);
    end(
        draft,
        id,
        DrainState::Expired,
        Hold::Stays,
        Requester::Program,
        None,
    );
}

/// Calls the moves of a drain off that have not happened: the streams stay with their owner.
pub(super) fn call_off(draft: &mut Draft<'_>, id: &InstanceId, reason: AbandonReason) {
    // A withdrawn lease takes the streams for another reason: they do not come back.
    if known(draft, id).is_ok_and(|instance| instance.withdrawn.is_some()) {
        return;
    }
    let moving = known(draft, id)
        .ok()
        .and_then(|instance| instance.drain().map(|drain| drain.moving.clone()));
    for stream in moving.into_iter().flatten() {
        let slot = draft.fleet().stream(stream);
        let is_enabled = slot.is_some_and(|slot| slot.stream().enabled);
        let is_here = owner(draft.fleet(), stream).is_some_and(|owner| owner.instance == *id);
        if is_enabled && is_here {
            draft.abandon_release(stream, reason);
        }
    }
}

fn owner(fleet: &Fleet, stream: StreamId) -> Option<&Assignment> {
    fleet.stream(stream)?.place().assignment()
}

/// Returns whether an instance neither owns a stream nor runs one beside its new owner.
fn is_empty(draft: &Draft<'_>, id: &InstanceId) -> bool {
    let slot = draft.fleet().instance(id);
    slot.is_none_or(|slot| slot.held().is_empty() && slot.lingering().is_empty())
}

/// How far a move is that the drain began.
enum Step {
    UnderWay,
    Confirmed,
    Orphaned,
    /// There is nothing to wait for any more, or the move begins anew.
    Over,
}

fn count_moved(draft: &Draft<'_>, id: &InstanceId, drain: &mut Drain) {
    let (mut moving, mut followed) = (drain.moving.clone(), drain.followed.clone());
    for streams in [&mut moving, &mut followed] {
        streams.retain(|stream| {
            match step(draft.fleet(), id, drain, *stream, draft.now()) {
                Step::UnderWay => return true,
                Step::Confirmed => drain.moved = drain.moved.saturating_add(1),
                Step::Orphaned => drain.orphaned = drain.orphaned.saturating_add(1),
                Step::Over => {}
            }
            false
        });
    }
    (drain.moving, drain.followed) = (moving, followed);
}

fn step(fleet: &Fleet, id: &InstanceId, drain: &Drain, stream: StreamId, now: WallTime) -> Step {
    let Some(slot) = fleet.stream(stream) else {
        return Step::Over;
    };
    match slot.place() {
        Place::Assigned(assignment) if assignment.instance == *id => {
            if assignment.is_releasing() {
                Step::UnderWay
            } else {
                // Given up or called off: it is planned anew.
                Step::Over
            }
        }
        Place::Assigned(assignment) if assignment.former() == Some(id) => Step::UnderWay,
        Place::Assigned(assignment) => {
            let owner = fleet.instance(&assignment.instance);
            let is_confirmed =
                owner.is_some_and(|owner| confirms(owner.instance(), assignment, now));
            if is_confirmed {
                Step::Confirmed
            } else {
                Step::UnderWay
            }
        }
        Place::Orphaned { .. } if drain.is_overdue => Step::Orphaned,
        // It waits for an owner like any other, and then for the owner's confirmation.
        Place::Orphaned { .. } | Place::Unclaimed { .. } => Step::UnderWay,
        Place::Disabled => Step::Over,
    }
}

/// Returns whether the new owner of a stream has shown that it knows of it. A classic owner may have
/// no call that shows it: then the time counts in which it looks.
fn confirms(owner: &Instance, assignment: &Assignment, now: WallTime) -> bool {
    // An owner that is to release the stream again before it has shown that is no confirmed owner.
    if assignment.delivered == Some(owner.incarnation) && assignment.former().is_none() {
        return true;
    }
    let has_looked = now.since(assignment.assigned_at) >= CLASSIC_LOOK;
    !owner.is_leased()
        && !assignment.is_releasing()
        && has_looked
        && owner.status == InstanceStatus::Active
}

/// Follows the moves that were under way before the drain, or were ordered beside it: their new owners
/// have to confirm the streams too.
fn follow_others(fleet: &Fleet, id: &InstanceId, drain: &mut Drain) {
    let releasing = fleet.instance(id).map(|slot| slot.releasing());
    for stream in releasing.into_iter().flatten() {
        let is_moving = owner(fleet, *stream).is_some_and(|owner| owner.promised_to().is_some());
        if is_moving && !drain.moving.contains(stream) {
            drain.followed.insert(*stream);
        }
    }
}

fn begin_moves(draft: &mut Draft<'_>, id: &InstanceId, drain: &mut Drain, pace: MovePace) {
    let mut budget = MoveBudget::new(pace, draft.fleet().moves_under_way());
    if budget.left() == 0 && !drain.is_overdue {
        return;
    }
    let now = draft.now();
    let (moves, homeless): Placed = place(draft.fleet(), id, |fleet, stream| {
        is_to_move(fleet, stream, now)
    });
    for (stream, to) in moves {
        if budget.left() == 0 {
            break;
        }
        let fleet = draft.fleet();
        let arriving = fleet.instance(&to).map_or(0, |slot| fleet.arriving(slot));
        if budget.left_for(arriving) == 0 {
            continue;
        }
        let progress = draft.move_stream(stream, &to, MoveReason::Planned);
        drain.moving.insert(stream);
        budget.note(progress, draft.fleet().serves_leased(&to));
    }
    if drain.is_overdue {
        for stream in homeless {
            leave_without_owner(draft, id, drain, stream);
        }
    }
}

/// Returns whether the move of a stream is to begin: it is not under way, and was not given up
/// just now.
fn is_to_move(fleet: &Fleet, stream: StreamId, now: WallTime) -> bool {
    let Some(slot) = fleet.stream(stream) else {
        return false;
    };
    let Some(assignment) = slot.place().assignment() else {
        return false;
    };
    let is_pausing =
        (assignment.given_up_since()).is_some_and(|since| now.since(since) < RETRY_AFTER);
    slot.stream().enabled && !assignment.is_releasing() && !is_pausing
}

/// Takes a stream that fits nowhere from its owner. A leased owner releases an exclusive stream
/// first: until then it may still run.
fn leave_without_owner(
    draft: &mut Draft<'_>,
    id: &InstanceId,
    drain: &mut Drain,
    stream: StreamId,
) {
    let slot = draft.fleet().stream(stream);
    let is_exclusive = slot.is_some_and(|slot| slot.stream().handoff == HandoverMode::Exclusive);
    if is_exclusive && draft.fleet().serves_leased(id) {
        draft.begin_release(stream, AfterRelease::planned_move(None));
        drain.moving.insert(stream);
    } else {
        draft.orphan(stream, id, OrphanReason::PlannedMove);
        drain.orphaned = drain.orphaned.saturating_add(count(1));
    }
}

/// The instance has drained: it is kept empty, or its maintenance begins.
fn finish(draft: &mut Draft<'_>, id: &InstanceId, drain: &Drain) {
    let then = drain.then_absent_until;
    let by = Requester::Program;
    let hold = match then {
        Some(_) => Hold::IsReplaced,
        None => Hold::Stays,
    };
    end(draft, id, DrainState::Drained, hold, by, None);
    if let Some(until) = then {
        let absence = Absence {
            since: draft.now(),
            until,
            by: drain.by,
            reason: drain.reason.clone(),
            end: AbsenceEnd::Judged,
        };
        begin_absence(draft, id, absence);
    }
}

/// What becomes of the hold of a drain, because of which its instance takes no streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// It goes on after the end of the drain.
    Stays,
    /// Something else keeps the instance from getting streams: the maintenance that follows, a cordon, a
    /// reservation, or its failure.
    IsReplaced,
    /// It is over: the instance takes streams again.
    IsLifted,
}

/// Notes the end of a drain, or of its hold.
pub(super) fn end(
    draft: &mut Draft<'_>,
    id: &InstanceId,
    state: DrainState,
    hold: Hold,
    by: Requester,
    reason: Option<String>,
) {
    let left = draft
        .fleet()
        .instance(id)
        .map_or(0, |slot| slot.held().len());
    let now = draft.now();
    let Ok(mut instance) = known(draft, id) else {
        return;
    };
    let Some(drain) = instance.drain().cloned() else {
        return;
    };
    let ended_at = if drain.state == state {
        drain.ended_at
    } else {
        Some(now)
    };
    let moved = drain.moved;
    let incarnation = instance.incarnation;
    instance.plan(|planned| {
        planned.drain = Some(Drain {
            state,
            in_force: hold == Hold::Stays,
            ended_at,
            moving: BTreeSet::new(),
            followed: BTreeSet::new(),
            ..drain
        });
    });
    draft.put_instance(instance);
    draft.tell(Event::DrainEnded {
        instance: id.clone(),
        incarnation,
        state,
        by,
        moved,
        left: count(left),
        takes_streams: hold == Hold::IsLifted,
        reason,
    });
}
