//! Removes instances for good.

use super::command::{Command, Rejection, current_life, known};
use super::lease::{WithdrawLease, Withdrawn};
use super::recover::count;
use crate::events::{Event, RemovalReason};
use crate::fleet::{Draft, Evacuation, EvacuationCause, Scoring, evacuate};
use crate::ids::{Incarnation, InstanceId};
use crate::instance::InstanceStatus;
use crate::lease::LeaseOver;
use crate::planned::{RemovalOrder, Requester};
use crate::stream::Place;
use crate::timeline::Recent;
use crate::withdrawal::HandedOver;

/// Moves the streams of an instance elsewhere and deletes the instance. While its worker may run
/// exclusive streams under a lease, that lease is withdrawn instead, and the removal has to be
/// repeated once the lease is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveInstance {
    id: InstanceId,
    incarnation: Option<Incarnation>,
    lease: Option<LeaseOver>,
    order: Option<RemovalOrder>,
}

impl RemoveInstance {
    /// Creates the removal of an instance, whichever incarnation it has.
    pub const fn new(id: InstanceId) -> Self {
        Self {
            id,
            incarnation: None,
            lease: None,
            order: None,
        }
    }

    /// Adds who ordered it, and why. A removal that waits for the end of a lease keeps the order that
    /// it began with.
    #[must_use]
    pub fn ordered(self, by: Requester, reason: Option<String>) -> Self {
        Self {
            order: Some(RemovalOrder { by, reason }),
            ..self
        }
    }

    /// Restricts the removal to this incarnation: an instance that registers again meanwhile stays.
    #[must_use]
    pub fn in_life(self, incarnation: Incarnation) -> Self {
        Self {
            incarnation: Some(incarnation),
            ..self
        }
    }

    /// Adds the proof that no worker runs the exclusive streams under a lease any more.
    #[must_use]
    pub fn after(self, lease: LeaseOver) -> Self {
        Self {
            lease: Some(lease),
            ..self
        }
    }
}

/// How far a removal has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// The instance is deleted. Holds where its streams went.
    Done(Evacuation),
    /// Its worker must release streams first.
    Waiting(Withdrawn),
}

impl Command for RemoveInstance {
    type Reply = Removal;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Removal, Rejection> {
        let instance = match self.incarnation {
            Some(incarnation) => current_life(draft, &self.id, incarnation)?,
            None => known(draft, &self.id)?,
        };
        let may_still_run = draft.fleet().instance(&self.id).is_some_and(|slot| {
            let is_bound = instance.is_leased() && slot.exclusive() > 0;
            self.lease.map_or(is_bound, |over| !over.holds_for(slot))
        });
        if may_still_run {
            let withdraw = WithdrawLease::for_removal(self.id.clone(), instance.incarnation)
                .ordered(self.order.clone());
            return withdraw.decide(draft).map(Removal::Waiting);
        }
        // No stream is assigned to an inactive instance, so none of its streams comes back to it.
        draft.set_status(&self.id, InstanceStatus::Inactive);
        let before = match instance.withdrawn {
            Some(_) => draft.take_handed_over(&self.id, instance.incarnation),
            None => HandedOver::none(instance.incarnation),
        };
        let evacuation = evacuate(
            draft,
            &self.id,
            EvacuationCause::InstanceRemoved,
            &Scoring::default(),
        );
        forget_what_it_released(draft, &self.id);
        draft.remove_instance(&self.id);
        let saved = instance.planned.and_then(|planned| planned.removal);
        let order = self.order.clone().or(saved);
        draft.tell(Event::InstanceRemoved {
            instance: self.id.clone(),
            reason: RemovalReason::Requested,
            moved: before.moved.saturating_add(count(evacuation.moved.len())),
            orphaned: before
                .orphaned
                .saturating_add(count(evacuation.orphaned.len())),
            by: order.as_ref().map(|order| order.by),
            note: order.and_then(|order| order.reason),
        });
        Ok(Removal::Done(evacuation))
    }
}

/// Forgets which streams the instance gave back. A worker that leaves gives all its streams back
/// first; when it comes back it is a new one, and may be the only one with room. A release without
/// a reason was part of its leaving, and pauses nothing.
fn forget_what_it_released(draft: &mut Draft<'_>, id: &InstanceId) {
    let fleet = draft.fleet();
    let released = fleet.unclaimed().filter_map(|stream| {
        let Place::Unclaimed { released_by, since } = fleet.stream(stream)?.place() else {
            return None;
        };
        (released_by.as_ref() == Some(id)).then_some((stream, *since))
    });
    let released: Vec<_> = released.collect();
    for (stream, since) in released {
        draft.take_back_return(stream, id);
        let released_by = None;
        draft.place(stream, Place::Unclaimed { released_by, since });
    }
}

/// Deletes instances that have been failed, and without streams, for longer than they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetFailed {
    /// The times of failures that are too recent for that.
    pub kept: Recent,
}

impl Command for ForgetFailed {
    type Reply = Vec<InstanceId>;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Vec<InstanceId>, Rejection> {
        let forgotten: Vec<InstanceId> = draft
            .fleet()
            .instances()
            .filter(|slot| {
                slot.instance().status == InstanceStatus::Failed
                    && !self.kept.contains(slot.instance().status_since)
                    && slot.held().is_empty()
            })
            .map(|slot| slot.instance().id.clone())
            .collect();
        for id in &forgotten {
            draft.remove_instance(id);
            draft.tell(Event::InstanceRemoved {
                instance: id.clone(),
                reason: RemovalReason::RetentionOver,
                moved: 0,
                orphaned: 0,
                by: Some(Requester::Program),
                note: None,
            });
        }
        Ok(forgotten)
    }
}
