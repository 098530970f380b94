//! Emergency recovery: the report to the operator that ordered one, step by step.
//!
//! The streams are taken and given to others in one transaction with the instance's state, so
//! that none is without an owner in the store; it is reported as two steps.

use actix::prelude::*;
use tokio::sync::oneshot;

use super::actor::RecoveryActor;
use super::check::check_consistency;
use super::finish::Finished;
use super::links::RecoveryLinks;
use super::stopwatch::Stopwatch;
use super::waiters::{EmergencyOutcome, EmergencyReport, Order};
use crate::actors::refusal::Refusal;
use crate::clock::Clock;
use crate::domain::commands::{Recovered, Rejection};
use crate::domain::ids::InstanceId;
use crate::domain::incident::{FailureCause, OrderReason, StepName, StepResult};
use crate::domain::recovery::{Manner, Progress};

/// The steps of an emergency recovery, in order.
const STEPS: [StepName; 4] = [
    StepName::ForceRelease,
    StepName::Redistribute,
    StepName::VerifyConsistency,
    StepName::ResetInstance,
];

/// Empties an instance and takes it out of use, whether it beats or not; answered when its moves
/// are saved.
#[derive(Debug, Clone, Message)]
#[rtype(result = "EmergencyOutcome")]
#[expect(missing_docs, reason = "the names say it")]
pub struct StartEmergency {
    /// Which instance.
    pub id: InstanceId,
    pub reason: OrderReason,
}

impl Handler<StartEmergency> for RecoveryActor {
    type Result = ResponseFuture<EmergencyOutcome>;

    fn handle(
        &mut self,
        StartEmergency { id, reason }: StartEmergency,
        ctx: &mut Context<Self>,
    ) -> Self::Result {
        if self.links.registry.get(&id).is_none() {
            let rejection = Rejection::UnknownInstance(id);
            return Box::pin(async { Err(Refusal::Rejected(rejection)) });
        }
        let (answer, waiter) = oneshot::channel();
        let order = Order { reason, answer };
        self.waiting(&id).emergencies.push(order);
        self.join_or_wake(&id, FailureCause::Emergency, ctx);
        Box::pin(async move { waiter.await.unwrap_or(Err(Refusal::ShuttingDown)) })
    }
}

/// Tells those who ordered an emergency recovery how it went.
pub(super) fn tell_finished(orders: Vec<Order>, recovered: &Recovered, finished: &Finished) {
    // Earlier attempts have steps of the same names.
    let newest = |name| finished.steps.iter().rev().find(|step| step.name == name);
    let report = EmergencyReport {
        recovered: recovered.clone(),
        steps: STEPS.into_iter().filter_map(newest).cloned().collect(),
    };
    tell(orders, &Ok(report));
}

/// Tells those who ordered an emergency recovery that its streams move when the lease is over.
pub(super) fn tell_waiting(orders: Vec<Order>, recovered: &Recovered, clock: &Clock) {
    let mut progress = Progress::default();
    let at = || Stopwatch::start(clock).read(clock);
    progress.note(
        StepName::ForceRelease,
        StepResult::Done,
        at(),
        "its lease is withdrawn, and its worker is told to stop every stream",
    );
    for name in [
        StepName::Redistribute,
        StepName::VerifyConsistency,
        StepName::ResetInstance,
    ] {
        let detail = "follows when the lease is over, or when the worker has released its streams";
        progress.note(name, StepResult::Skipped, at(), detail);
    }
    let report = EmergencyReport {
        recovered: recovered.clone(),
        steps: progress.steps,
    };
    tell(orders, &Ok(report));
}

/// Tells them anything. One that left hears nothing.
pub(super) fn tell(orders: Vec<Order>, outcome: &EmergencyOutcome) {
    for order in orders {
        let _ = order.answer.send(outcome.clone());
    }
}

/// The steps of an emergency recovery whose transaction the store refused for its content: what
/// depends on it was not done, the rest was.
pub(super) async fn refused(links: RecoveryLinks, manner: Manner, why: String) -> EmergencyReport {
    let mut progress = Progress::default();
    let now = || Stopwatch::start(&links.clock).read(&links.clock);
    progress.note(StepName::ForceRelease, StepResult::Failed, now(), why);
    let depends = "it depends on force_release";
    progress.note(StepName::Redistribute, StepResult::Skipped, now(), depends);
    check_consistency(&links, &manner, &mut progress).await;
    progress.note(StepName::ResetInstance, StepResult::Skipped, now(), depends);
    EmergencyReport {
        recovered: Recovered::default(),
        steps: progress.steps,
    }
}
