//! An attempt begins, and what becomes of a recovery after it: moved, refused, tried again.

use actix::prelude::*;
use log::{info, warn};

use super::actor::RecoveryActor;
use super::attempt::{Achieved, Attempt, Case};
use super::emergency::tell_waiting;
use super::waiters::RecoveryOutcome;
use crate::actors::instance_link::{FenceAfter, StandingChanged};
use crate::actors::refusal::Refusal;
use crate::domain::alert::AlertKind;
use crate::domain::backoff::retry_delay;
use crate::domain::commands::{EndIncident, Recovered};
use crate::domain::fleet::{Evacuation, oldest_reading};
use crate::domain::incident::FailureCause;
use crate::domain::incident::Unmoved;
use crate::domain::recovery::{Failure, Manner, Retry};
use crate::domain::time::Timestamp;
use crate::logging;

impl RecoveryActor {
    pub(super) fn attempt(
        &mut self,
        failure: &Failure,
        attempt: u32,
        is_urgent: bool,
        ctx: &mut Context<Self>,
    ) {
        let Some(mut case) = self.cases.remove(&failure.id) else {
            return self.over(failure);
        };
        if !self.links.gate.writes().lets_through() {
            return self.wait_for_store(case, ctx);
        }
        case.progress.attempt = attempt;
        // A caller requests it anew.
        case.is_given_up &= !self.waiting.contains_key(&failure.id);
        let manner = self.manner(&case, is_urgent);
        if manner.is_emergency() {
            self.links.alerts.raise(
                AlertKind::EmergencyRecovery,
                failure.id.as_str(),
                format!("An emergency recovery of {} is under way.", failure.id),
            );
        }
        let attempt = Attempt {
            manner,
            scoring: self
                .scorer
                .scoring(&self.links, oldest_reading(&self.settings.thresholds)),
            links: self.links.clone(),
        };
        let waiters = self.waiting.get(&failure.id);
        let request = waiters.and_then(|waiters| waiters.request.clone());
        let attempt = logging::within_any(request, attempt.run(case));
        ctx.spawn(attempt.into_actor(self).map(
            |(case, manner, result), actor, ctx| match result {
                Ok(Achieved::GivenUp) => actor.give_up(case, ctx),
                Ok(Achieved::Nothing) => actor.nothing_to_do(&case, ctx),
                Ok(Achieved::LeaseRuns { until, evacuation }) => {
                    actor.wait_for_lease(case, &manner, until, evacuation, ctx);
                }
                Ok(Achieved::Moves(applied)) => {
                    let took = actor.links.clock.age(case.failure().detected_at);
                    actor.links.telemetry.recovery_seconds.observe(took);
                    let (failure, recovered) = (case.failure(), Recovered::from(applied.as_ref()));
                    actor.over(failure);
                    actor.tell_over(failure, &Ok(recovered));
                    actor.finish(*applied, manner, ctx);
                    actor.serve_waiting(&failure.id, ctx);
                }
                Err(refusal) => actor.failed(case, &refusal, ctx),
            },
        ));
    }

    /// Returns the manner that was ordered; without an order, the one that the urgency asks for.
    fn manner(&self, case: &Case, is_urgent: bool) -> Manner {
        let incident = case.opened.as_ref().map(|opened| opened.incident());
        let saved = incident.and_then(|incident| incident.reason.as_ref());
        if let Some(reason) = self.ordered(&case.failure().id).or(saved) {
            Manner::TakenOut {
                reason: reason.clone(),
            }
        } else if is_urgent {
            Manner::Emergency
        } else {
            Manner::Ordinary
        }
    }

    /// Ends a case whose callers were answered that it could not be done.
    fn give_up(&mut self, case: Case, ctx: &mut Context<Self>) {
        let failure = case.failure().clone();
        self.over(&failure);
        if let Some(opened) = case.opened {
            let mut incident = opened.into_incident();
            incident.attempts = case.progress.attempt;
            incident.steps = case.progress.steps;
            self.end(EndIncident::unmoved(incident, Unmoved::Failed), ctx);
        }
        self.serve_waiting(&failure.id, ctx);
    }

    fn nothing_to_do(&mut self, case: &Case, ctx: &mut Context<Self>) {
        let failure = case.failure();
        self.over(failure);
        self.tell_over(failure, &Ok(Recovered::default()));
        self.serve_waiting(&failure.id, ctx);
    }

    /// The worker of the instance may still run its streams: no exclusive stream moves before its
    /// lease is over. The callers are answered with that time.
    fn wait_for_lease(
        &mut self,
        case: Case,
        manner: &Manner,
        until: Timestamp,
        evacuation: Evacuation,
        ctx: &mut Context<Self>,
    ) {
        let failure = case.failure().clone();
        let waiting_until = self.links.shown(until);
        let recovered = Recovered {
            incident: case.opened.as_ref().map(|opened| opened.incident().id),
            moved: evacuation.moved.len(),
            orphaned: evacuation.orphaned.len(),
            evacuation,
            waiting_until: Some(waiting_until),
        };
        let life = (&failure.id, failure.incarnation);
        self.recoveries.wait_for_lease(life, until);
        if manner.reason().is_some() {
            let orders = self.take_orders(&failure.id);
            tell_waiting(orders, &recovered, &self.links.clock);
        }
        self.answer(&failure.id, &Ok(recovered));
        let server_id = failure.id.as_str();
        let wait_ms = until.since(self.links.clock.now()).as_millis();
        let wait_ms = u64::try_from(wait_ms).unwrap_or(u64::MAX);
        info!(server_id, incident = case.number(), wait_ms;
            "the streams of {server_id} move in {wait_ms} ms, when its lease is over");
        let is_wanted = self.waiting.contains_key(&failure.id);
        self.cases.insert(failure.id.clone(), case);
        // A caller requested more meanwhile.
        if is_wanted && let Some(step) = self.recoveries.hurry(&failure.id) {
            return self.take(step, ctx);
        }
        self.arm(ctx);
    }

    /// The breaker of the store is open: nothing is tried before it closes. The callers are
    /// answered so.
    fn wait_for_store(&mut self, mut case: Case, ctx: &mut Context<Self>) {
        let failure = case.failure().clone();
        let refusal = self.links.gate.writes().refusal();
        case.is_given_up |= self.refuse(&failure.id, &refusal, ctx) > 0
            && is_asked_for(failure.cause)
            && !case.is_promised;
        if case.is_given_up && !case.in_doubt {
            return self.give_up(case, ctx);
        }
        let delay = retry_delay(&self.settings.retry, u32::MAX, self.jitter.f64());
        let life = (&failure.id, failure.incarnation);
        self.recoveries
            .wait_for_store(life, delay, self.links.clock.now());
        let server_id = failure.id.as_str();
        info!(server_id, incident = case.number(); "recovery of {server_id} waits: {refusal}");
        self.cases.insert(failure.id, case);
        self.arm(ctx);
    }

    /// An attempt could not be saved. Its callers are answered so, and decide whether to request it
    /// again; a recovery without a caller is tried again until it is done.
    fn failed(&mut self, mut case: Case, refusal: &Refusal, ctx: &mut Context<Self>) {
        let failure = case.failure().clone();
        let is_current = self
            .recoveries
            .is_recovering(&failure.id, failure.incarnation);
        let is_pointless = matches!(refusal, Refusal::Rejected(_));
        if *refusal == Refusal::ShuttingDown || is_pointless || !is_current {
            self.over(&failure);
            if !self.recoveries.concerns(&failure.id) {
                self.refuse(&failure.id, refusal, ctx);
            }
            if *refusal != Refusal::ShuttingDown {
                self.abandon(case, ctx);
            }
            return;
        }
        case.is_given_up |= self.refuse(&failure.id, refusal, ctx) > 0
            && is_asked_for(failure.cause)
            && !case.is_promised;
        if case.is_given_up && !case.in_doubt {
            return self.give_up(case, ctx);
        }
        let (policy, attempt) = (&self.settings.retry, case.progress.attempt);
        let delay = retry_delay(policy, attempt, self.jitter.f64());
        let retry = self.recoveries.retry_after(
            (&failure.id, failure.incarnation),
            delay,
            self.links.clock.now(),
            policy.max_attempts,
            self.settings.emergency_enabled,
        );
        let server_id = failure.id.as_str();
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let incident = case.number();
        warn!(server_id, incident, attempt, delay_ms; "recovery of {server_id} waits: {refusal}");
        if retry == Retry::Exhausted {
            let now = self.links.clock.wall();
            case.progress.escalated_at.get_or_insert(now);
            // Each attempt that fails after it makes the number another one.
            self.links.alerts.raise(
                AlertKind::RecoveryExhausted,
                server_id,
                format!(
                    "All {attempt} attempts to recover {server_id} failed ({refusal}). The \
                     orchestrator keeps retrying, at the longest delay."
                ),
            );
        }
        self.cases.insert(failure.id, case);
        self.arm(ctx);
    }

    /// A recovery is over. If the instance was not failed after all, its fence comes down. While a
    /// later life is being recovered, the end of an older one means nothing for the fence.
    fn over(&mut self, failure: &Failure) {
        self.recoveries.ended(&failure.id, failure.incarnation);
        if self.recoveries.concerns(&failure.id) {
            return;
        }
        for kind in [AlertKind::RecoveryExhausted, AlertKind::EmergencyRecovery] {
            self.links.alerts.clear(kind, failure.id.as_str());
        }
        if let Some(entry) = self.links.registry.get(&failure.id) {
            match entry.actor() {
                Some(actor) => actor.adopt.do_send(StandingChanged {
                    fence: FenceAfter::Lifted,
                }),
                None => entry.lift_fence(),
            }
        }
    }

    /// Tells those who wait; not while a later life is being recovered, which they may mean.
    fn tell_over(&mut self, failure: &Failure, outcome: &RecoveryOutcome) {
        if !self.recoveries.concerns(&failure.id) {
            self.answer(&failure.id, outcome);
        }
    }
}

/// Whether a person is the cause, and decides whether to ask again.
const fn is_asked_for(cause: FailureCause) -> bool {
    match cause {
        FailureCause::Reported | FailureCause::Forced | FailureCause::Emergency => true,
        FailureCause::HeartbeatTimeout
        | FailureCause::EmergencyThreshold
        | FailureCause::FoundFailed => false,
    }
}
