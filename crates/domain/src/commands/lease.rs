//! Begins and ends the leases of an instance.

use std::time::Duration;

use super::command::{Command, Rejection, current_life};
use super::status::StatusChange;
use crate::events::Event;
use crate::fleet::{
    Draft, Evacuation, EvacuationCause, Scoring, blame_owned, evacuate_overlapping, is_overlapping,
};
use crate::handover::AfterRelease;
use crate::ids::{Incarnation, InstanceId, StreamId};
use crate::incident::{FailureCause, Incident};
use crate::instance::Instance;
use crate::planned::RemovalOrder;
use crate::quarantine::Culpable;
use crate::recovery::{Manner, Opened, Progress};
use crate::withdrawal::HandedOver;
use crate::withdrawal::{Withdrawal, WithdrawalCause};

/// Saves whether the heartbeats of an instance name its incarnation, so that it holds leases. It is
/// saved before the first lease is granted: an orchestrator that starts anew must know which
/// instances may hold one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AgreeLease {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    /// How long the leases are that the instance is granted from now on; `None`: no lease is
    /// granted.
    pub lease: Option<Duration>,
}

impl Command for AgreeLease {
    type Reply = StatusChange;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusChange, Rejection> {
        let instance = current_life(draft, &self.id, self.incarnation)?;
        // A longer lease that was granted before may not be over yet.
        let lease = self
            .lease
            .map_or(Duration::ZERO, |lease| lease.max(instance.lease));
        if instance.lease == lease {
            return Ok(StatusChange::NotNeeded);
        }
        draft.put_instance(Instance { lease, ..instance });
        draft.tell(Event::LeaseAgreed {
            instance: self.id.clone(),
            incarnation: self.incarnation,
            leased: self.lease.is_some(),
        });
        Ok(StatusChange::Made)
    }
}

/// Withdraws the leases of an instance that is fenced. Its worker is notified to run nothing. Its
/// `overlap` streams go elsewhere at once; the others when the worker has released them, or when
/// its last lease is over. Repeating the command changes nothing but the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawLease {
    id: InstanceId,
    incarnation: Incarnation,
    cause: WithdrawalCause,
    scoring: Scoring,
    opened: Option<Opened>,
    culpable: Option<Culpable>,
    order: Option<RemovalOrder>,
}

impl WithdrawLease {
    /// Withdraws the lease for a recovery whose incident is open. The steps taken so far and the
    /// operator's reason are saved with it.
    pub fn for_recovery(
        opened: Opened,
        manner: &Manner,
        progress: &Progress,
        scoring: Scoring,
    ) -> Self {
        let mut incident = Incident {
            attempts: progress.attempt,
            steps: progress.steps.clone(),
            ..opened.incident().clone()
        };
        let mut cause = WithdrawalCause::Failure;
        if let Manner::TakenOut { reason } = manner {
            cause = WithdrawalCause::Emergency;
            incident.cause = FailureCause::Emergency;
            incident.reason = Some(reason.clone());
        }
        Self {
            id: opened.failure().id.clone(),
            incarnation: opened.failure().incarnation,
            cause,
            scoring,
            opened: Some(opened.with(incident)),
            culpable: None,
            order: None,
        }
    }

    /// Counts the failure against the `overlap` streams that the instance had just been given
    /// (`quarantine/mod.rs`), if it is evidence. It counts against the others once they move.
    #[must_use]
    pub fn blaming(self, culpable: Option<Culpable>) -> Self {
        Self { culpable, ..self }
    }

    /// Withdraws the lease of an instance that leaves for good.
    pub fn for_removal(id: InstanceId, incarnation: Incarnation) -> Self {
        Self {
            id,
            incarnation,
            cause: WithdrawalCause::Removal,
            scoring: Scoring::default(),
            opened: None,
            culpable: None,
            order: None,
        }
    }

    /// Adds who ordered the removal, and why.
    #[must_use]
    pub fn ordered(self, order: Option<RemovalOrder>) -> Self {
        Self { order, ..self }
    }
}

/// The result of a withdrawal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withdrawn {
    /// The incident as it is saved, if the withdrawal is part of a recovery.
    pub opened: Option<Opened>,
    /// Where the `overlap` streams went.
    pub evacuation: Evacuation,
    /// How many streams wait for the end of the last lease.
    pub waiting: usize,
}

impl Command for WithdrawLease {
    type Reply = Withdrawn;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Withdrawn, Rejection> {
        let instance = current_life(draft, &self.id, self.incarnation)?;
        let incident = self.opened.as_ref().map(|opened| opened.incident().id);
        let before = instance.withdrawn;
        // An instance that is to leave still leaves, whatever else happens to it.
        if before.is_none_or(|before| {
            before.cause != self.cause && before.cause != WithdrawalCause::Removal
        }) {
            let since = before.map_or_else(|| draft.now(), |before| before.since);
            let mut changed = Instance {
                withdrawn: Some(Withdrawal {
                    cause: self.cause,
                    since,
                }),
                handed_over: match before {
                    Some(_) => instance.handed_over,
                    None => Some(HandedOver::none(self.incarnation)),
                },
                ..instance
            };
            if let Some(order) = &self.order {
                changed.plan(|planned| planned.removal = Some(order.clone()));
            }
            draft.put_instance(changed);
            let order = self.order.clone();
            draft.tell(Event::LeaseWithdrawn {
                instance: self.id.clone(),
                incarnation: self.incarnation,
                cause: self.cause,
                streams: super::recover::count(super::recover::held(draft, &self.id)),
                by: order.as_ref().map(|order| order.by),
                reason: order.and_then(|order| order.reason),
                incident,
            });
        }
        draft.set_incident(incident);
        let cause = EvacuationCause::from(self.cause);
        let culpable = (self.culpable).filter(|_| self.cause == WithdrawalCause::Failure);
        let quarantined = culpable.map_or_else(Vec::new, |culpable| {
            blame_owned(draft, &self.id, culpable, is_overlapping)
        });
        let mut evacuation = evacuate_overlapping(draft, &self.id, cause, &self.scoring);
        evacuation.orphaned.extend(quarantined);
        draft.count_handed_over(
            &self.id,
            super::recover::count(evacuation.moved.len()),
            super::recover::count(evacuation.orphaned.len()),
        );
        for stream in kept(draft, &self.id) {
            draft.begin_release(stream, AfterRelease::planned_move(None));
        }
        draft.set_incident(None);
        if let Some(opened) = &self.opened {
            draft.record(opened.incident().clone());
        }
        Ok(Withdrawn {
            opened: self.opened.clone(),
            evacuation,
            waiting: super::recover::held(draft, &self.id),
        })
    }
}

/// Returns the streams that an instance owns and was not yet asked to release.
fn kept(draft: &Draft<'_>, id: &InstanceId) -> Vec<StreamId> {
    let slot = draft.fleet().instance(id);
    slot.map(|slot| slot.held().difference(slot.releasing()).copied().collect())
        .unwrap_or_default()
}
