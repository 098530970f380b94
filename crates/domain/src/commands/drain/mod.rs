//! Begins and cancels the drain of an instance; `drain_step.rs` continues it. The states are in
//! `planned/mod.rs`.

use std::collections::BTreeSet;

use super::command::{Command, Rejection, known};
use super::drain_plan::DrainPlan;
use super::drain_step::{Hold, call_off, end, proceed};
use super::recover::count;
use crate::events::Event;
use crate::fleet::Draft;
use crate::handover::AbandonReason;
use crate::ids::InstanceId;
use crate::instance::{Instance, InstanceStatus};
use crate::pace::MovePace;
use crate::planned::{Drain, DrainState, Requester};
use crate::time::WallTime;

/// Empties an instance: it takes nothing from now on, and its streams move to others. Without
/// `force` it is rejected if a stream fits nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DrainInstance {
    pub id: InstanceId,
    pub deadline_at: WallTime,
    pub by: Requester,
    pub reason: Option<String>,
    /// Whether streams that fit nowhere are left without an owner at the deadline.
    pub force: bool,
    /// The end of the maintenance that follows, if one does.
    pub then_absent_until: Option<WallTime>,
    pub pace: MovePace,
}

impl Command for DrainInstance {
    type Reply = DrainPlan;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<DrainPlan, Rejection> {
        let mut plan = DrainPlan::of(draft.fleet(), &self.id, self.force)?;
        let streams = plan.streams;
        draft.set_status(&self.id, InstanceStatus::Draining);
        let mut draining = known(draft, &self.id)?;
        let incarnation = draining.incarnation;
        let drain = Drain {
            state: DrainState::Draining,
            started_at: draft.now(),
            deadline_at: self.deadline_at,
            ended_at: None,
            by: self.by,
            reason: self.reason.clone(),
            force: self.force,
            streams: count(streams),
            moved: 0,
            orphaned: 0,
            moving: BTreeSet::new(),
            followed: BTreeSet::new(),
            is_overdue: false,
            in_force: true,
            then_absent_until: self.then_absent_until,
        };
        draining.plan(|planned| planned.drain = Some(drain));
        draft.put_instance(draining);
        draft.tell(Event::DrainStarted {
            instance: self.id.clone(),
            incarnation,
            by: self.by,
            streams: count(streams),
            deadline_at: self.deadline_at,
            force: self.force,
            reason: self.reason.clone(),
        });
        proceed(draft, &self.id, self.pace);
        plan.note_progress(draft.fleet());
        Ok(plan)
    }
}

/// Ends a drain: its instance is active again, and what has moved stays where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CancelDrain {
    pub id: InstanceId,
    pub by: Requester,
    pub reason: Option<String>,
}

/// The result of a saved [`CancelDrain`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CancelledDrain {
    pub drain: Drain,
    /// How many streams the instance still owns.
    pub left: usize,
}

impl Command for CancelDrain {
    type Reply = CancelledDrain;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<CancelledDrain, Rejection> {
        let instance = known(draft, &self.id)?;
        let drain = instance
            .drain()
            .ok_or_else(|| Rejection::NoDrain(self.id.clone()))?;
        let is_absent = is_absent_after_drain(&instance);
        let is_held = drain.in_force || is_absent;
        if !is_held && drain.state == DrainState::Cancelled {
            return Err(Rejection::DrainOver {
                instance: self.id.clone(),
                drain: drain.state,
                status: instance.status,
            });
        }
        cancel(
            draft,
            &self.id,
            DrainState::Cancelled,
            self.by,
            self.reason.clone(),
        );
        let slot = draft.fleet().instance(&self.id);
        let cancelled = slot.and_then(|slot| {
            Some(CancelledDrain {
                drain: slot.instance().drain()?.clone(),
                left: slot.held().len(),
            })
        });
        cancelled.ok_or_else(|| Rejection::NoDrain(self.id.clone()))
    }
}

/// Returns whether an instance takes nothing because of a drain.
pub(super) fn is_held_by_drain(instance: &Instance) -> bool {
    instance.drain_in_force().is_some()
}

/// Returns whether the maintenance that follows a drain has begun. What a worker that left for a while
/// has reserved is another matter.
fn is_absent_after_drain(instance: &Instance) -> bool {
    let drain = instance.drain();
    let follows = drain.is_some_and(|drain| drain.then_absent_until.is_some());
    follows && instance.absence().is_some() && !instance.is_reserved()
}

/// Ends a drain, in this state: its instance takes streams again, unless it has failed.
pub(super) fn cancel(
    draft: &mut Draft<'_>,
    id: &InstanceId,
    state: DrainState,
    by: Requester,
    reason: Option<String>,
) {
    let is_absent =
        (draft.fleet().instance(id)).is_some_and(|slot| is_absent_after_drain(slot.instance()));
    let is_held = (draft.fleet().instance(id)).is_some_and(|slot| {
        let instance = slot.instance();
        let is_held = is_held_by_drain(instance) || is_absent_after_drain(instance);
        let is_planned = matches!(
            instance.status,
            InstanceStatus::Draining | InstanceStatus::Maintenance
        );
        // A worker that left for a while has stopped: it is not made active.
        is_held && is_planned && instance.withdrawn.is_none() && !instance.is_reserved()
    });
    let is_cordoned =
        (draft.fleet().instance(id)).is_some_and(|slot| slot.instance().cordon().is_some());
    let hold = match is_held && !is_cordoned {
        true => Hold::IsLifted,
        false => Hold::IsReplaced,
    };
    call_off(draft, id, AbandonReason::CalledOff);
    end(draft, id, state, hold, by, reason.clone());
    // What holds the instance for another reason goes on.
    if !is_held {
        return;
    }
    draft.set_status(id, InstanceStatus::Active);
    if is_absent && let Ok(instance) = known(draft, id) {
        draft.tell(Event::MaintenanceEnded {
            instance: id.clone(),
            incarnation: instance.incarnation,
            status: instance.status,
            by: Some(by),
            reason,
        });
    }
}

#[cfg(test)]
mod tests;
