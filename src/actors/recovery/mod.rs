//! Decides whether, when and how fast to recover; never what moves where.
//!
//! A timeout first asks the mass-failure brake (`brake.rs`), which may hold it back. Then: woken
//! by silence, by a person, by the store's return, by a start and by the sweep; each time it takes
//! the same path: look at the instance anew, fence it, open an incident, have the fleet plan, apply
//! and save, verify, end the incident. What could not be saved is tried again later. The order is
//! in the types of `domain/recovery`; what is under way is in its machine.
//!
//! `reconfirm` takes the first steps, `attempt` the others, and `outcome` decides what follows;
//! `orders` and `emergency` are what people ask for, `record` is what is written down afterwards
//! and taken up after a start, `departure` is who leaves for good, `sweep` finds what was lost, `scorer` collects what machines say of
//! themselves.

mod attempt;
mod brake;
mod departure;
mod emergency;
mod orders;
mod outcome;
mod reconfirm;
mod record;
mod scorer;
mod sweep;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::Semaphore;

use super::alerts::Alerts;
use super::archive::Archive;
use super::db_breaker::{StoreGate, StoreReturned};
use super::fatal::{FatalSender, Vital};
use super::fleet::{Execute, FleetActor};
use super::instance_link::{FenceGround, Noticed};
use super::journal::Journal;
use super::refusal::Refusal;
use super::registry::{Entry, Registry};
use super::supervisor::Supervisor;
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::brake::Verdict;
use crate::domain::commands::{
    ClearSuspicion, ForgiveInstance, Recovered, ReturnInstance, SuspectInstance, TrustInstance,
};
use crate::domain::endings::Endings;
use crate::domain::ids::{Incarnation, InstanceId};
use crate::domain::incident::{FailureCause, Incident};
use crate::domain::liveness::{Effect, Silence, silence_after};
use crate::domain::recovery::{Departures, Failure, Recoveries, Step};
use crate::domain::settings::{LivenessThresholds, MassFailureSettings, RetryPolicy};

use attempt::Case;
use brake::MassFailureBrake;
pub use brake::{AskBrake, BrakeReport, GivenOrder, OrderBrake};
pub use departure::{Departure, Remove};
pub use emergency::{EmergencyReport, TakeOut};
use orders::Waiters;
pub use orders::{ForceRecovery, Forced, ReportFailure};
use scorer::Scorer;

/// What the RecoveryActor works with.
#[derive(Debug, Clone)]
pub struct RecoveryLinks {
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) fleet: Addr<FleetActor>,
    pub(super) journal: Addr<Journal>,
    pub(super) supervisor: Addr<Supervisor>,
    pub(super) gate: Arc<StoreGate>,
    pub(super) archive: Archive,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) alerts: Alerts,
    pub(super) fatal: FatalSender,
    /// Lets one check of the invariants at a time read the whole store.
    pub(super) checks: Arc<Semaphore>,
    /// What is added to a lease for clocks that drift.
    pub(super) lease_margin: Duration,
}

/// The numbers it goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoverySettings {
    /// When silence is lateness and failure.
    pub thresholds: LivenessThresholds,
    /// How soon what could not be saved is tried again.
    pub retry: RetryPolicy,
    /// Whether an emergency is acted upon without being asked.
    pub emergency_enabled: bool,
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
    /// Fenced and not in an attempt.
    cases: BTreeMap<InstanceId, Case>,
    endings: Endings,
    /// Who leaves once its lease is over.
    departures: Departures,
    /// What the store had open at the start.
    left_open: Vec<Incident>,
    brake: MassFailureBrake,
    scorer: Scorer,
    jitter: fastrand::Rng,
    waiting: BTreeMap<InstanceId, Waiters>,
    timer: Option<SpawnHandle>,
    _vital: Vital,
}

impl RecoveryActor {
    /// An actor that begins with what an earlier run left open.
    pub fn new(links: RecoveryLinks, settings: RecoverySettings, left_open: Vec<Incident>) -> Self {
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
            cases: BTreeMap::new(),
            endings: Endings::default(),
            departures: Departures::default(),
            left_open,
            scorer: Scorer::default(),
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
        if ground(cause) == FenceGround::Silence && self.is_held(id, ctx) {
            return;
        }
        let failure = Failure {
            id: id.clone(),
            incarnation,
            cause,
            detected_at: self.links.clock.wall(),
        };
        self.begin(failure, ctx);
    }

    fn begin(&mut self, failure: Failure, ctx: &mut Context<Self>) {
        if let Some(step) = self.recoveries.wake(failure) {
            self.take(step, ctx);
        }
    }

    /// What a silence that is to be recovered is called: an emergency if it has lasted for so long
    /// and the instance still owns streams.
    fn cause_of_silence(&self, entry: &Entry) -> FailureCause {
        let silent_for = self.links.clock.now().since(entry.last_beat());
        let silence = silence_after(&self.settings.thresholds, silent_for);
        let is_emergency = silence == Silence::Emergency && entry.standing().held > 0;
        if is_emergency && self.settings.emergency_enabled {
            FailureCause::EmergencyThreshold
        } else {
            FailureCause::HeartbeatTimeout
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
            Step::Fence(failure) => self.fence(failure, None, ctx),
            Step::Attempt {
                failure,
                attempt,
                is_urgent,
            } => self.attempt(&failure, attempt, is_urgent, ctx),
        }
    }

    pub(super) fn look_at_the_time(&mut self, ctx: &mut Context<Self>) {
        let now = self.links.clock.now();
        for step in self.recoveries.handle_deadline(now) {
            self.take(step, ctx);
        }
        for due in self.endings.handle_deadline(now) {
            self.save_ending(due, ctx);
        }
        for id in self.departures.handle_deadline(now) {
            self.depart(id, ctx);
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
            cause: self.cause_of_silence(&entry),
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
        let deadlines = [
            self.recoveries.next_deadline(),
            self.endings.next_deadline(),
            self.departures.next_deadline(),
            self.brake.next_deadline(),
        ];
        let Some(deadline) = deadlines.into_iter().flatten().min() else {
            return;
        };
        let wait = self.links.clock.wait_until(deadline);
        self.timer = Some(ctx.run_later(wait, |actor, ctx| {
            actor.timer = None;
            actor.look_at_the_time(ctx);
        }));
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
        for incident in std::mem::take(&mut self.left_open) {
            self.take_up(incident, ctx);
        }
        self.find_departures(ctx);
    }
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
                let entry = self.links.registry.get(&id);
                let cause = entry.map_or(FailureCause::HeartbeatTimeout, |entry| {
                    self.cause_of_silence(&entry)
                });
                self.wake(&id, incarnation, cause, ctx);
            }
        }
    }
}

impl Handler<StoreReturned> for RecoveryActor {
    type Result = ();

    fn handle(&mut self, _: StoreReturned, ctx: &mut Self::Context) {
        for step in self.recoveries.store_returned() {
            self.take(step, ctx);
        }
        for due in self.endings.store_returned() {
            self.save_ending(due, ctx);
        }
        // What else could not be saved meanwhile was not kept: it is seen again.
        self.sweep(ctx);
    }
}
