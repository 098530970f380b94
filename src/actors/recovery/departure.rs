//! An instance is to leave for good: its lease is withdrawn, and once it is over, or its worker has
//! released its streams, the instance is deleted.

use actix::prelude::*;
use log::warn;

use super::actor::RecoveryActor;
use super::fleet_calls::{execute, execute_or_try};
use crate::actors::instance_link::{Fence, FenceAfter, StandingChanged, StreamsReleased};
use crate::actors::refusal::Refusal;
use crate::actors::registry::Entry;
use crate::domain::backoff::retry_delay;
use crate::domain::commands::{Rejection, Removal, RemoveInstance};
use crate::domain::fleet::Evacuation;
use crate::domain::ids::{Incarnation, InstanceId};
use crate::domain::lease::{Lease, LeaseOver};
use crate::domain::liveness::FenceGround;
use crate::domain::planned::Requester;
use crate::domain::time::WallTime;
use crate::domain::withdrawal::WithdrawalCause;
use crate::logging;

/// How far a removal has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// What became of the streams that did not have to wait.
    pub evacuation: Evacuation,
    /// Until when the others wait at the most; none: it is forgotten already.
    pub waiting_until: Option<WallTime>,
}

/// Requests that an instance leaves for good; answered when that is saved.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Departure, Refusal>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct Remove {
    pub id: InstanceId,
    /// The requester. If that is its own worker, it has stopped everything.
    pub by: Requester,
    pub reason: Option<String>,
    /// Whether nothing is changed, and the answer is what would happen.
    pub is_dry_run: bool,
}

impl Remove {
    /// Returns the order of an operator.
    pub const fn by_operator(id: InstanceId) -> Self {
        Self {
            id,
            by: Requester::Operator,
            reason: None,
            is_dry_run: false,
        }
    }

    /// Returns the order of its own worker, which has stopped everything.
    pub fn by_worker(id: InstanceId) -> Self {
        Self {
            by: Requester::Worker,
            ..Self::by_operator(id)
        }
    }
}

impl Handler<Remove> for RecoveryActor {
    type Result = ResponseActFuture<Self, Result<Departure, Refusal>>;

    fn handle(&mut self, remove: Remove, _: &mut Context<Self>) -> Self::Result {
        let Remove {
            id,
            by,
            reason,
            is_dry_run,
        } = remove;
        let Some(entry) = self.links.registry.get(&id) else {
            let refusal = Refusal::Rejected(Rejection::UnknownInstance(id));
            return Box::pin(async { Err(refusal) }.into_actor(self));
        };
        let links = self.links.clone();
        let work = async move {
            let standing = entry.standing();
            // From here on no lease is granted, so that the last one is known.
            if standing.leased && !is_dry_run {
                fence(&entry, standing.incarnation).await;
            }
            let removal = RemoveInstance::new(entry.id().clone())
                .in_life(standing.incarnation)
                .ordered(by, reason);
            let lease = if by == Requester::Worker {
                Lease::Over(LeaseOver::said_by_worker())
            } else {
                links.lease_of(&entry)
            };
            match lease {
                Lease::Over(over) => {
                    let done = execute_or_try(&links.fleet, removal.after(over), is_dry_run).await;
                    (entry, done.map(|removal| (removal, None)))
                }
                Lease::Runs { until } => {
                    let begun = execute_or_try(&links.fleet, removal, is_dry_run).await;
                    (entry, begun.map(|removal| (removal, Some(until))))
                }
            }
        };
        let work = logging::within_any(logging::current(), work);
        Box::pin(
            work.into_actor(self)
                .map(move |(entry, result), actor, ctx| {
                    let id = entry.id();
                    match result {
                        Ok((Removal::Done(evacuation), _)) => Ok(Departure {
                            evacuation,
                            waiting_until: None,
                        }),
                        Ok((Removal::Waiting(withdrawn), until)) => {
                            let until = until.unwrap_or_else(|| actor.links.clock.now());
                            if !is_dry_run {
                                actor.departures.wait(id.clone(), until);
                                actor.arm(ctx);
                            }
                            Ok(Departure {
                                evacuation: withdrawn.evacuation,
                                waiting_until: Some(actor.links.shown(until)),
                            })
                        }
                        Err(refusal) => {
                            if !is_dry_run {
                                actor.unfence(&entry);
                            }
                            Err(refusal)
                        }
                    }
                }),
        )
    }
}

/// Has no lease granted to an instance any more.
async fn fence(entry: &Entry, incarnation: Incarnation) {
    let Some(actor) = entry.actor() else {
        entry.fence();
        return;
    };
    let fence = Fence {
        incarnation,
        ground: FenceGround::Report,
    };
    let _ = actor.fence.send(fence).await;
}

impl RecoveryActor {
    /// Lifts the fence after a removal that could not be saved: the instance goes on as before.
    fn unfence(&self, entry: &Entry) {
        if self.recoveries.concerns(entry.id()) {
            return;
        }
        match entry.actor() {
            Some(actor) => actor.adopt.do_send(StandingChanged {
                fence: FenceAfter::Lifted,
            }),
            None => entry.lift_fence(),
        }
    }

    /// Takes up a removal whose wait is not remembered: that an instance is to leave is saved. The
    /// caller arms the timer.
    pub(super) fn find_departure(&mut self, entry: &Entry) {
        let is_leaving = entry.standing().withdrawn == Some(WithdrawalCause::Removal);
        if is_leaving && !self.departures.is_waiting(entry.id()) {
            let until = match self.links.lease_of(entry) {
                Lease::Runs { until } => until,
                Lease::Over(_) => self.links.clock.now(),
            };
            self.departures.wait(entry.id().clone(), until);
        }
    }

    /// Removes an instance whose wait is over, or whose worker has released its streams.
    pub(super) fn depart(&mut self, id: InstanceId, ctx: &mut Context<Self>) {
        let Some(entry) = self.links.registry.get(&id) else {
            return;
        };
        let standing = entry.standing();
        if standing.withdrawn != Some(WithdrawalCause::Removal) {
            let server_id = id.as_str();
            warn!(server_id;
                "instance {server_id} was to leave and registered again; it stays. Remove it again \
                 if it still is to go");
            return;
        }
        let over = match self.links.lease_of(&entry) {
            Lease::Over(over) => over,
            Lease::Runs { until } => {
                self.departures.wait(id, until);
                return self.arm(ctx);
            }
        };
        let removal = RemoveInstance::new(id.clone())
            .in_life(standing.incarnation)
            .after(over);
        let fleet = self.links.fleet.clone();
        let removed = async move { execute(&fleet, removal).await };
        ctx.spawn(removed.into_actor(self).map(move |result, actor, ctx| {
            let server_id = id.as_str();
            match result {
                // That it was removed, and what became of its streams, has a line already.
                Ok(_) | Err(Refusal::Rejected(_) | Refusal::ShuttingDown) => {}
                Err(refusal) => {
                    warn!(server_id; "instance {server_id} cannot leave yet: {refusal}");
                    let policy = &actor.settings.retry;
                    let delay = retry_delay(policy, policy.max_attempts, actor.jitter.f64());
                    let due = actor.links.clock.now() + delay;
                    actor.departures.wait(id, due);
                    actor.arm(ctx);
                }
            }
        }));
    }
}

impl Handler<StreamsReleased> for RecoveryActor {
    type Result = ();

    fn handle(&mut self, StreamsReleased { id }: StreamsReleased, ctx: &mut Context<Self>) {
        if self.departures.let_go(&id) {
            self.depart(id, ctx);
        } else if let Some(step) = self.recoveries.hurry(&id) {
            self.take(step, ctx);
        }
    }
}
