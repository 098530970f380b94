//! Emergency recovery: what the operator who ordered one is told, step by step.
//!
//! The streams are taken and given to others in one transaction with the instance's state, so
//! that none is without an owner in the store; it is told as two steps.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::attempt::{Finished, Stopwatch};
use super::{RecoveryActor, RecoveryLinks};
use crate::actors::consistency;
use crate::actors::fleet::Refusal;
use crate::clock::Clock;
use crate::domain::commands::{Recovered, Rejection};
use crate::domain::ids::InstanceId;
use crate::domain::incident::{FailureCause, OrderReason, StepName, StepRecord, StepResult};
use crate::domain::recovery::{Manner, Progress};

/// How long the check of the invariants may take: who waits wants to know that the streams run.
const CHECK_LIMIT: Duration = Duration::from_secs(3);

/// The steps of an emergency recovery, in order.
const STEPS: [StepName; 4] = [
    StepName::ForceRelease,
    StepName::Redistribute,
    StepName::VerifyConsistency,
    StepName::ResetInstance,
];

/// What an emergency recovery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmergencyReport {
    /// What became of the streams.
    pub recovered: Recovered,
    /// The four steps, in order.
    pub steps: Vec<StepRecord>,
}

impl EmergencyReport {
    /// Whether none of the steps failed.
    pub fn is_success(&self) -> bool {
        self.steps
            .iter()
            .all(|step| step.result != StepResult::Failed)
    }
}

/// How an emergency recovery went.
pub(super) type EmergencyOutcome = Result<EmergencyReport, Refusal>;

/// Somebody who ordered one, and why.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) reason: OrderReason,
    pub(super) answer: oneshot::Sender<EmergencyOutcome>,
}

/// Empties an instance and takes it out of use, whether it beats or not; answered when its moves
/// are saved.
#[derive(Debug, Clone, Message)]
#[rtype(result = "EmergencyOutcome")]
pub struct TakeOut {
    /// Which instance.
    pub id: InstanceId,
    /// Why.
    pub reason: OrderReason,
}

impl Handler<TakeOut> for RecoveryActor {
    type Result = ResponseFuture<EmergencyOutcome>;

    fn handle(&mut self, TakeOut { id, reason }: TakeOut, ctx: &mut Context<Self>) -> Self::Result {
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

/// Checks the invariants over memory and store, and notes what was found. Only what is known to be
/// wrong is a failure. Of many emergencies at once, only those somebody waits for check.
pub(super) async fn check_consistency(
    links: &RecoveryLinks,
    manner: &Manner,
    progress: &mut Progress,
) {
    let watch = Stopwatch::start(&links.clock);
    let is_awaited = manner.reason().is_some();
    let (result, detail) = if !is_awaited && links.checks.available_permits() == 0 {
        (StepResult::Skipped, "another check is under way".to_owned())
    } else {
        let check = async {
            // Never closed: without a permit there is only more load.
            let _permit = links.checks.acquire().await;
            consistency::check(&links.fleet, &links.archive, &links.alerts).await
        };
        match timeout(CHECK_LIMIT, check).await {
            Ok(Ok(found)) => match (found.verdict(), &found.store) {
                (Some(true), _) => (StepResult::Done, String::new()),
                (Some(false), _) => (StepResult::Failed, violations(&found)),
                (None, Err(reason)) => (StepResult::Skipped, reason.to_string()),
                (None, Ok(_)) => (StepResult::Skipped, String::new()),
            },
            Ok(Err(refusal)) => (StepResult::Skipped, refusal.to_string()),
            Err(_) => (
                StepResult::Skipped,
                format!("it did not end within {} s", CHECK_LIMIT.as_secs()),
            ),
        }
    };
    let at = watch.read(&links.clock);
    progress.note(StepName::VerifyConsistency, result, at, detail);
}

fn violations(found: &crate::domain::consistency::Consistency) -> String {
    let violated = found.checks().filter(|check| !check.holds);
    let named: Vec<String> = violated
        .map(|check| format!("{}: {}", check.invariant, check.violations.join("; ")))
        .collect();
    named.join(". ")
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
