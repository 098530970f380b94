//! Decides whether, when and how fast to recover; never what moves where.
//!
//! A timeout first asks the mass-failure brake (`brake.rs`), which may hold it back. Then:
//! woken by silence, by a report, by the store's return and by the sweep; each time it takes the
//! same path: fence the instance, have the fleet decide and save, and try again later if it could
//! not be saved (`domain/recovery.rs`). What it hears of instances that come back it passes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{debug, info, warn};
use tokio::sync::oneshot;

use super::alerts::Alerts;
use super::brake::MassFailureBrake;
use super::fatal::{FatalSender, Vital};
use super::fleet::{CompareWithStore, Execute, FleetActor, Refusal};
use super::instance::{Adopt, Fence, FenceAfter, FenceGround};
use super::journal::Journal;
use super::registry::{Entry, Registry};
use super::supervisor::{CheckChildren, Supervisor};
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::backoff::retry_delay;
use crate::domain::brake::Verdict;
use crate::domain::commands::{
    ClearSuspicion, ForgetFailed, ForgiveInstance, PlaceWaiting, RecoverInstance, Recovered,
    Rejection, ReturnInstance, SuspectInstance, TrustInstance,
};
use crate::domain::ids::{Incarnation, InstanceId};
use crate::domain::incident::FailureCause;
use crate::domain::liveness::{Effect, FenceAnswer, silence_after};
use crate::domain::recovery::{Failure, Recoveries, Step};
use crate::domain::settings::{LivenessThresholds, MassFailureSettings, RetryPolicy};
use crate::domain::sweep::{Belief, Correction, correction};

/// What the RecoveryActor works with.
#[derive(Debug, Clone)]
pub struct RecoveryLinks {
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) fleet: Addr<FleetActor>,
    pub(super) journal: Addr<Journal>,
    pub(super) supervisor: Addr<Supervisor>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) alerts: Alerts,
    pub(super) fatal: FatalSender,
}

/// The numbers it goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoverySettings {
    /// When silence is lateness and failure.
    pub thresholds: LivenessThresholds,
    /// How soon what could not be saved is tried again.
    pub retry: RetryPolicy,
    /// When silences that come together are held back.
    pub mass_failure: MassFailureSettings,
    /// The period of the safety sweep.
    pub sweep_interval: Duration,
    /// After how long a failed instance without streams is forgotten.
    pub instance_retention: Duration,
    /// Seeds the jitter of the retries.
    pub jitter_seed: u64,
}

type RecoveryOutcome = Result<Recovered, Refusal>;

/// Coordinates recoveries.
#[derive(Debug)]
pub struct RecoveryActor {
    links: RecoveryLinks,
    settings: RecoverySettings,
    recoveries: Recoveries,
    pub(super) brake: MassFailureBrake,
    jitter: fastrand::Rng,
    waiting: BTreeMap<InstanceId, Vec<oneshot::Sender<RecoveryOutcome>>>,
    timer: Option<SpawnHandle>,
    _vital: Vital,
}

impl RecoveryActor {
    /// An actor with nothing to recover.
    pub fn new(links: RecoveryLinks, settings: RecoverySettings) -> Self {
        let vital = Vital::new("RecoveryActor", links.fatal.clone());
        let brake = MassFailureBrake::new(
            settings.mass_failure,
            settings.thresholds,
            links.clock.clone(),
            links.registry.clone(),
            links.telemetry.clone(),
            links.alerts.clone(),
            links.journal.clone(),
        );
        Self {
            brake,
            links,
            settings,
            recoveries: Recoveries::new(),
            jitter: fastrand::Rng::with_seed(settings.jitter_seed),
            waiting: BTreeMap::new(),
            timer: None,
            _vital: vital,
        }
    }

    fn wake(
        &mut self,
        id: &InstanceId,
        incarnation: Incarnation,
        cause: FailureCause,
        ctx: &mut Context<Self>,
    ) {
        let failure = Failure {
            id: id.clone(),
            incarnation,
            cause,
            detected_at: self.links.clock.wall(),
        };
        if cause == FailureCause::HeartbeatTimeout && self.is_held(id, ctx) {
            return;
        }
        self.begin(failure, ctx);
    }

    fn begin(&mut self, failure: Failure, ctx: &mut Context<Self>) {
        if let Some(step) = self.recoveries.wake(failure) {
            self.take(step, ctx);
        }
    }

    /// Asks the brake whether a timeout may be acted upon. What is under way already goes on.
    fn is_held(&mut self, id: &InstanceId, ctx: &mut Context<Self>) -> bool {
        if self.recoveries.concerns(id) {
            return false;
        }
        let Some(entry) = self.links.registry.get(id) else {
            return false;
        };
        match self.brake.expired(&entry) {
            Verdict::Proceed => false,
            Verdict::Held => true,
            Verdict::Engaged(_) => {
                self.arm(ctx);
                true
            }
        }
    }

    fn take(&mut self, step: Step, ctx: &mut Context<Self>) {
        match step {
            Step::Fence(failure) => self.fence(failure, ctx),
            Step::Decide { failure, attempt } => self.decide(failure, attempt, ctx),
        }
    }

    fn fence(&mut self, failure: Failure, ctx: &mut Context<Self>) {
        let Some(entry) = self.links.registry.get(&failure.id) else {
            let rejection = Rejection::UnknownInstance(failure.id.clone());
            return self.over(&failure, &Err(Refusal::Rejected(rejection)));
        };
        let fence = Fence {
            incarnation: failure.incarnation,
            ground: ground(failure.cause),
        };
        let actor = entry.actor();
        let request = async move {
            match actor {
                Some(actor) => actor.send(fence).await.ok(),
                None => None,
            }
        };
        ctx.spawn(request.into_actor(self).map(move |answer, recovery, ctx| {
            let answer = answer.unwrap_or_else(|| recovery.fence_without_actor(&entry, fence));
            recovery.fence_answered(failure, answer, ctx);
        }));
    }

    /// The instance has no actor at the moment: its entry says the same, and its next actor will
    /// find the fence there.
    fn fence_without_actor(&self, entry: &Entry, fence: Fence) -> Option<FenceAnswer> {
        if entry.standing().incarnation != fence.incarnation {
            return None;
        }
        let silent_for = self.links.clock.now().since(entry.last_beat());
        if fence.ground == FenceGround::Silence && silent_for < self.settings.thresholds.timeout {
            return Some(FenceAnswer::Alive);
        }
        entry.fence();
        Some(FenceAnswer::Fenced)
    }

    fn fence_answered(
        &mut self,
        failure: Failure,
        answer: Option<FenceAnswer>,
        ctx: &mut Context<Self>,
    ) {
        match answer {
            Some(FenceAnswer::Fenced) => {
                if let Some(step) = self.recoveries.fenced(&failure.id, failure.incarnation) {
                    self.take(step, ctx);
                }
            }
            Some(FenceAnswer::Alive) => {
                let server_id = failure.id.as_str();
                info!(server_id; "instance {server_id} beat in the meantime; left alone");
                self.left_alone(&failure, ctx);
            }
            // It registered again: the life that failed is over.
            None => self.left_alone(&failure, ctx),
        }
    }

    /// There was nothing to recover; but somebody who reported the instance as failed meanwhile,
    /// and joined, meant it.
    fn left_alone(&mut self, failure: &Failure, ctx: &mut Context<Self>) {
        self.recoveries.ended(&failure.id, failure.incarnation);
        if self.waiting.contains_key(&failure.id)
            && let Some(entry) = self.links.registry.get(&failure.id)
        {
            let incarnation = entry.standing().incarnation;
            self.wake(&failure.id, incarnation, FailureCause::Reported, ctx);
        }
    }

    fn decide(&mut self, failure: Failure, attempt: u32, ctx: &mut Context<Self>) {
        let command = RecoverInstance {
            id: failure.id.clone(),
            incarnation: failure.incarnation,
            cause: failure.cause,
            detected_at: failure.detected_at,
            attempt,
        };
        let answer = self.links.fleet.send(Execute(command));
        ctx.spawn(answer.into_actor(self).map(move |outcome, actor, ctx| {
            let outcome = outcome.unwrap_or(Err(Refusal::ShuttingDown));
            actor.decided(&failure, attempt, outcome, ctx);
        }));
    }

    fn decided(
        &mut self,
        failure: &Failure,
        attempt: u32,
        outcome: RecoveryOutcome,
        ctx: &mut Context<Self>,
    ) {
        let server_id = failure.id.as_str();
        match &outcome {
            Ok(_) => {
                let took = self.links.clock.wall().since(failure.detected_at);
                self.links
                    .telemetry
                    .recovery_seconds
                    .observe(took.as_secs_f64());
                self.over(failure, &outcome);
            }
            // Somebody asked and is told no: whoever asks decides whether to ask again.
            Err(refusal) if failure.cause == FailureCause::Reported => {
                debug!(server_id; "reported failure not acted on: {refusal}");
                self.over(failure, &outcome);
            }
            Err(Refusal::Rejected(_) | Refusal::RefusedByStore | Refusal::ShuttingDown) => {
                self.over(failure, &outcome);
            }
            Err(
                refusal @ (Refusal::StoreUnavailable
                | Refusal::OutcomeUnknown
                | Refusal::Overloaded),
            ) => {
                let delay = retry_delay(&self.settings.retry, attempt, self.jitter.f64());
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                warn!(server_id, attempt, delay_ms;
                    "recovery of {server_id} waits: {refusal}");
                let now = self.links.clock.now();
                self.recoveries
                    .retry_after(&failure.id, failure.incarnation, delay, now);
                self.answer(&failure.id, &outcome);
                self.arm(ctx);
            }
        }
    }

    pub(super) fn look_at_the_time(&mut self, ctx: &mut Context<Self>) {
        let now = self.links.clock.now();
        for step in self.recoveries.handle_deadline(now) {
            self.take(step, ctx);
        }
        for (id, incarnation) in self.brake.look().due {
            self.begin_held(&id, incarnation, ctx);
        }
        self.arm(ctx);
    }

    /// The turn of an instance whose recovery was held has come. It was detected when it passed
    /// its timeout, not now.
    fn begin_held(&mut self, id: &InstanceId, incarnation: Incarnation, ctx: &mut Context<Self>) {
        let Some(entry) = self.links.registry.get(id) else {
            return;
        };
        let silent_for = self.links.clock.now().since(entry.last_beat());
        let failure = Failure {
            id: id.clone(),
            incarnation,
            cause: FailureCause::HeartbeatTimeout,
            detected_at: self.links.clock.wall()
                - silent_for.saturating_sub(self.settings.thresholds.timeout),
        };
        self.begin(failure, ctx);
    }

    /// One timer, for the brake and the earliest retry of all: one for each retry would be armed
    /// again by each that fires, and a long outage with many silent instances would do nothing
    /// else.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let deadlines = [self.recoveries.next_deadline(), self.brake.next_deadline()];
        let Some(deadline) = deadlines.into_iter().flatten().min() else {
            return;
        };
        let wait = deadline.since(self.links.clock.now());
        self.timer = Some(ctx.run_later(wait, |actor, ctx| {
            actor.timer = None;
            actor.look_at_the_time(ctx);
        }));
    }

    /// A recovery has ended. If the instance was not failed after all, its fence comes down. While
    /// a later life is being recovered, the end of an older one means nothing: neither for the
    /// fence nor for those who wait.
    fn over(&mut self, failure: &Failure, outcome: &RecoveryOutcome) {
        self.recoveries.ended(&failure.id, failure.incarnation);
        if self.recoveries.concerns(&failure.id) {
            return;
        }
        if let Some(entry) = self.links.registry.get(&failure.id) {
            match entry.actor() {
                Some(actor) => actor.do_send(Adopt {
                    fence: FenceAfter::Lifted,
                }),
                None => entry.lift_fence(),
            }
        }
        self.answer(&failure.id, outcome);
    }

    /// Tells whoever reported the failure how the recovery went. One that left hears nothing.
    fn answer(&mut self, id: &InstanceId, outcome: &RecoveryOutcome) {
        for waiter in self.waiting.remove(id).unwrap_or_default() {
            let _ = waiter.send(outcome.clone());
        }
    }

    /// Compares what the instances' last heartbeats say with what is saved, and puts right what
    /// a lost message left behind.
    fn sweep(&mut self, ctx: &mut Context<Self>) {
        self.links.supervisor.do_send(CheckChildren);
        let now = self.links.clock.now();
        for entry in self.links.registry.all() {
            let standing = entry.standing();
            let (id, incarnation) = (entry.id().clone(), standing.incarnation);
            let silence = silence_after(&self.settings.thresholds, now.since(entry.last_beat()));
            let belief = Belief {
                status: standing.status,
                held: standing.held,
                silence,
                has_beaten: entry.has_beaten_since_status(),
            };
            let fleet = &self.links.fleet;
            match correction(&belief) {
                None => {}
                Some(Correction::Recover(cause)) => self.wake(&id, incarnation, cause, ctx),
                Some(Correction::Suspect) => {
                    fleet.do_send(Execute(SuspectInstance { id, incarnation }));
                }
                Some(Correction::ClearSuspicion) => {
                    fleet.do_send(Execute(ClearSuspicion { id, incarnation }));
                }
                Some(Correction::Return) => {
                    fleet.do_send(Execute(ReturnInstance { id, incarnation }));
                }
            }
        }
        let failed_before = self.links.clock.wall() - self.settings.instance_retention;
        self.links
            .fleet
            .do_send(Execute(ForgetFailed { failed_before }));
        self.links.fleet.do_send(Execute(PlaceWaiting));
        self.links.fleet.do_send(CompareWithStore);
    }
}

/// What is needed to fence for a cause.
const fn ground(cause: FailureCause) -> FenceGround {
    match cause {
        FailureCause::HeartbeatTimeout | FailureCause::EmergencyThreshold => FenceGround::Silence,
        FailureCause::Reported
        | FailureCause::FoundFailed
        | FailureCause::Forced
        | FailureCause::Emergency => FenceGround::Report,
    }
}

impl Actor for RecoveryActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.settings.sweep_interval, Self::sweep);
    }
}

/// An instance's actor noticed something.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Noticed {
    /// Of whom.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// What.
    pub effect: Effect,
}

impl Handler<Noticed> for RecoveryActor {
    type Result = ();

    fn handle(&mut self, noticed: Noticed, ctx: &mut Self::Context) {
        let Noticed {
            id,
            incarnation,
            effect,
        } = noticed;
        let fleet = &self.links.fleet;
        match effect {
            Effect::BecameLate => fleet.do_send(Execute(SuspectInstance { id, incarnation })),
            Effect::BackOnTime => fleet.do_send(Execute(ClearSuspicion { id, incarnation })),
            Effect::Returned => fleet.do_send(Execute(ReturnInstance { id, incarnation })),
            Effect::ProbationServed => fleet.do_send(Execute(TrustInstance { id, incarnation })),
            Effect::FlapPaidBack { flaps } => fleet.do_send(Execute(ForgiveInstance {
                id,
                incarnation,
                flaps,
            })),
            Effect::BecameSilent | Effect::BecameEmergency => {
                self.wake(&id, incarnation, FailureCause::HeartbeatTimeout, ctx);
            }
        }
    }
}

/// Somebody says that an instance has failed; answered when its streams are moved.
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
        ctx: &mut Self::Context,
    ) -> Self::Result {
        let Some(entry) = self.links.registry.get(&id) else {
            let rejection = Rejection::UnknownInstance(id);
            return Box::pin(async { Err(Refusal::Rejected(rejection)) });
        };
        let (answer, waiter) = oneshot::channel();
        self.waiting.entry(id.clone()).or_default().push(answer);
        self.wake(
            &id,
            entry.standing().incarnation,
            FailureCause::Reported,
            ctx,
        );
        Box::pin(async move { waiter.await.unwrap_or(Err(Refusal::ShuttingDown)) })
    }
}

/// The store answers again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct StoreReturned;

impl Handler<StoreReturned> for RecoveryActor {
    type Result = ();

    fn handle(&mut self, _: StoreReturned, ctx: &mut Self::Context) {
        for step in self.recoveries.store_returned() {
            self.take(step, ctx);
        }
    }
}
