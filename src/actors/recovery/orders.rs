//! What people ask for: a failure is reported, a recovery is forced; and those who wait for the
//! answer.

use actix::prelude::*;
use tokio::sync::oneshot;

use super::actor::RecoveryActor;
use super::emergency;
use super::fleet_calls::execute;
use super::waiters::{Forced, ForcedOutcome, Order, RecoveryOutcome, Waiters};
use crate::actors::refusal::Refusal;
use crate::domain::commands::{EndMaintenance, Rejection};
use crate::domain::ids::InstanceId;
use crate::domain::incident::{FailureCause, OrderReason};
use crate::domain::instance::InstanceStatus;
use crate::domain::liveness::{Silence, silence_after};
use crate::domain::recovery::Manner;
use crate::logging;

impl RecoveryActor {
    /// Returns the callers that wait for an instance, to which the caller that is being served is added.
    pub(super) fn waiting(&mut self, id: &InstanceId) -> &mut Waiters {
        let waiters = self.waiting.entry(id.clone()).or_default();
        waiters.request = logging::current().or(waiters.request.take());
        waiters
    }

    /// Why the newest of those who ordered an emergency recovery did.
    pub(super) fn ordered(&self, id: &InstanceId) -> Option<&OrderReason> {
        let waiters = self.waiting.get(id)?;
        waiters.emergencies.last().map(|order| &order.reason)
    }

    /// Those who ordered an emergency recovery that was carried out just now.
    pub(super) fn take_orders(&mut self, id: &InstanceId) -> Vec<Order> {
        let orders = match self.waiting.get_mut(id) {
            Some(waiters) => std::mem::take(&mut waiters.emergencies),
            None => Vec::new(),
        };
        self.waiting.retain(|_, waiters| !waiters.is_empty());
        orders
    }

    /// Tells those who reported or forced how the recovery went.
    pub(super) fn answer(&mut self, id: &InstanceId, outcome: &RecoveryOutcome) -> usize {
        let Some(waiters) = self.waiting.get_mut(id) else {
            return 0;
        };
        let (reports, forces) = (
            std::mem::take(&mut waiters.reports),
            std::mem::take(&mut waiters.forces),
        );
        self.waiting.retain(|_, waiters| !waiters.is_empty());
        let count = reports.len() + forces.len();
        // One that left hears nothing.
        for waiter in reports {
            let _ = waiter.send(outcome.clone());
        }
        for waiter in forces {
            let _ = waiter.send(outcome.clone().map(|recovered| match recovered.incident {
                Some(_) => Forced::Moved(recovered),
                None => Forced::NothingLeft,
            }));
        }
        count
    }

    /// Answers every waiting caller that the recovery was refused; returns their number.
    pub(super) fn refuse(
        &mut self,
        id: &InstanceId,
        refusal: &Refusal,
        ctx: &mut Context<Self>,
    ) -> usize {
        let orders = self.take_orders(id);
        let count = orders.len() + self.answer(id, &Err(refusal.clone()));
        if *refusal == Refusal::RefusedByStore
            && let Some(order) = orders.last()
        {
            let manner = Manner::TakenOut {
                reason: order.reason.clone(),
            };
            let report = emergency::refused(self.links.clone(), manner, refusal.to_string());
            ctx.spawn(report.into_actor(self).map(move |report, _, _| {
                emergency::tell(orders, &Ok(report));
            }));
        } else {
            emergency::tell(orders, &Err(refusal.clone()));
        }
        count
    }

    /// Nothing is under way any more and nothing was moved: what is still wanted is begun, and who
    /// forced a recovery of one that has not failed hears so.
    pub(super) fn serve_waiting(&mut self, id: &InstanceId, ctx: &mut Context<Self>) {
        if self.recoveries.concerns(id) {
            return;
        }
        let Some(entry) = self.links.registry.get(id) else {
            let rejection = Rejection::UnknownInstance(id.clone());
            self.refuse(id, &Refusal::Rejected(rejection), ctx);
            return;
        };
        let standing = entry.standing();
        if let Some(cause) = self.waiting.get(id).and_then(Waiters::wanted) {
            self.wake(id, standing.incarnation, cause, ctx);
        } else if let Some(waiters) = self.waiting.remove(id) {
            for waiter in waiters.forces {
                let _ = waiter.send(Ok(Forced::NotFailed(standing.status)));
            }
        }
    }

    /// Joins the recovery that is under way, and cuts its wait short.
    pub(super) fn join_or_wake(
        &mut self,
        id: &InstanceId,
        cause: FailureCause,
        ctx: &mut Context<Self>,
    ) {
        let Some(entry) = self.links.registry.get(id) else {
            return;
        };
        let incarnation = entry.standing().incarnation;
        // An older life's recovery, should one be under way, is replaced by this one's.
        if !self.recoveries.is_recovering(id, incarnation) {
            self.wake(id, incarnation, cause, ctx);
        } else if let Some(step) = self.recoveries.hurry(id) {
            self.take(step, ctx);
        }
    }
}

/// Reports that an instance has failed; answered when its streams are moved.
#[derive(Debug, Clone, Message)]
#[rtype(result = "RecoveryOutcome")]
pub struct ReportFailure {
    /// Which instance.
    pub id: InstanceId,
}

impl Handler<ReportFailure> for RecoveryActor {
    type Result = ResponseFuture<RecoveryOutcome>;

    fn handle(
        &mut self,
        ReportFailure { id }: ReportFailure,
        ctx: &mut Context<Self>,
    ) -> Self::Result {
        if self.links.registry.get(&id).is_none() {
            let rejection = Rejection::UnknownInstance(id);
            return Box::pin(async { Err(Refusal::Rejected(rejection)) });
        }
        let (answer, waiter) = oneshot::channel();
        self.waiting(&id).reports.push(answer);
        self.join_or_wake(&id, FailureCause::Reported, ctx);
        Box::pin(async move { waiter.await.unwrap_or(Err(Refusal::ShuttingDown)) })
    }
}

/// Requests an attempt now; answered when it is over.
#[derive(Debug, Clone, Message)]
#[rtype(result = "ForcedOutcome")]
pub struct ForceRecovery {
    /// Which instance.
    pub id: InstanceId,
}

impl Handler<ForceRecovery> for RecoveryActor {
    type Result = ResponseFuture<ForcedOutcome>;

    fn handle(
        &mut self,
        ForceRecovery { id }: ForceRecovery,
        ctx: &mut Context<Self>,
    ) -> Self::Result {
        let Some(entry) = self.links.registry.get(&id) else {
            return Box::pin(async { Ok(Forced::NotFound) });
        };
        let standing = entry.standing();
        let is_under_way = self.recoveries.concerns(&id);
        match standing.status {
            InstanceStatus::Failed if standing.held == 0 && !is_under_way => {
                return Box::pin(async { Ok(Forced::NothingLeft) });
            }
            InstanceStatus::Maintenance if !is_under_way => {
                let silent_for = self.links.clock.now().since(entry.last_beat());
                let silence = silence_after(&self.settings.thresholds, silent_for);
                let (fleet, incarnation) = (self.links.fleet.clone(), standing.incarnation);
                let request = logging::current();
                return Box::pin(logging::within_any(request, async move {
                    let beats = silence == Silence::OnTime;
                    let command = EndMaintenance {
                        id,
                        incarnation,
                        beats,
                    };
                    execute(&fleet, command).await.map(Forced::Released)
                }));
            }
            status if status != InstanceStatus::Failed && !is_under_way => {
                return Box::pin(async move { Ok(Forced::NotFailed(status)) });
            }
            _ => {}
        }
        let (answer, waiter) = oneshot::channel();
        self.waiting(&id).forces.push(answer);
        self.join_or_wake(&id, FailureCause::Forced, ctx);
        Box::pin(async move { waiter.await.unwrap_or(Err(Refusal::ShuttingDown)) })
    }
}
