//! The actor that coordinates recoveries.

use std::collections::BTreeMap;

use actix::prelude::*;

use super::attempt::Case;
use super::brake::MassFailureBrake;
use super::due::{DueSilence, DueSilences};
use super::links::{RecoveryLinks, RecoverySettings};
use super::scorer::Scorer;
use super::waiters::Waiters;
use super::walk::{PAUSE, SLICE, SweepAt};

use crate::actors::alarm::Alarm;
use crate::actors::db_breaker::StoreReturned;
use crate::actors::fatal::Vital;
use crate::actors::fleet::Execute;
use crate::actors::instance_link::LivenessChanged;
use crate::actors::registry::Entry;
use crate::domain::brake::Verdict;
use crate::domain::commands::{
    ClearSuspicion, ForgiveInstance, ReturnInstance, SuspectInstance, TrustInstance,
};
use crate::domain::endings::Endings;
use crate::domain::ids::{Incarnation, InstanceId};
use crate::domain::incident::{FailureCause, Incident};
use crate::domain::liveness::{Effect, FenceGround, Silence, silence_after};
use crate::domain::quarantine::Deafness;
use crate::domain::recovery::{Departures, Failure, Recoveries, Step};
use crate::domain::withdrawal::WithdrawalCause;

/// Coordinates recoveries.
#[derive(Debug)]
pub struct RecoveryActor {
    pub(super) links: RecoveryLinks,
    pub(super) settings: RecoverySettings,
    pub(super) recoveries: Recoveries,
    /// Fenced and not in an attempt.
    pub(super) cases: BTreeMap<InstanceId, Case>,
    pub(super) endings: Endings,
    /// Who leaves once its lease is over.
    pub(super) departures: Departures,
    /// What the store had open at the start.
    pub(super) left_open: Vec<Incident>,
    pub(super) brake: MassFailureBrake,
    pub(super) silences: DueSilences,
    pub(super) scorer: Scorer,
    pub(super) deafness: Deafness,
    pub(super) jitter: fastrand::Rng,
    pub(super) waiting: BTreeMap<InstanceId, Waiters>,
    alarm: Alarm<Self>,
    /// The sweep that is under way.
    pub(super) sweep: Option<SweepAt>,
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
            links.event_outbox.clone(),
        );
        Self {
            deafness: Deafness::starting(links.clock.now(), links.clock.lost()),
            brake,
            links,
            settings,
            recoveries: Recoveries::new(),
            cases: BTreeMap::new(),
            endings: Endings::default(),
            departures: Departures::default(),
            left_open,
            silences: DueSilences::default(),
            scorer: Scorer::default(),
            jitter: fastrand::Rng::with_seed(settings.jitter_seed),
            waiting: BTreeMap::new(),
            alarm: Alarm::new(|actor| &mut actor.alarm, Self::on_timer),
            sweep: None,
            _vital: vital,
        }
    }

    /// An instance is silent for every orchestrator. The brake may hold its recovery.
    pub(super) fn begin_detected(
        &mut self,
        id: &InstanceId,
        incarnation: Incarnation,
        entry: Option<&Entry>,
        ctx: &mut Context<Self>,
    ) {
        if !self.is_held(id, ctx) {
            let cause = entry.map_or(FailureCause::HeartbeatTimeout, |entry| {
                self.cause_of_silence(entry)
            });
            self.wake(id, incarnation, cause, ctx);
        }
    }

    pub(super) fn wake(
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
        self.begin(failure, ctx);
    }

    pub(super) fn begin(&mut self, failure: Failure, ctx: &mut Context<Self>) {
        if let Some(step) = self.recoveries.wake(failure) {
            self.take(step, ctx);
        }
    }

    /// What a silence that is to be recovered is called: an emergency if it has lasted for so long
    /// and the instance still owns streams.
    pub(super) fn cause_of_silence(&self, entry: &Entry) -> FailureCause {
        let silent_for = self.links.clock.now().since(entry.last_sign());
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

    pub(super) fn take(&mut self, step: Step, ctx: &mut Context<Self>) {
        match step {
            Step::Fence(failure) => self.fence(failure, None, ctx),
            Step::Attempt {
                failure,
                attempt,
                is_urgent,
            } => self.attempt(&failure, attempt, is_urgent, ctx),
        }
    }

    pub(super) fn on_timer(&mut self, ctx: &mut Context<Self>) {
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
            let due = DueSilence {
                incarnation,
                is_released: true,
            };
            self.silence_is_due(&id, due, ctx);
        }
        self.arm(ctx);
    }

    /// The turn of an instance whose recovery was held has come. It was detected when it passed
    /// its timeout, not now.
    pub(super) fn begin_held(
        &mut self,
        id: &InstanceId,
        incarnation: Incarnation,
        ctx: &mut Context<Self>,
    ) {
        let Some(entry) = self.links.registry.get(id) else {
            return;
        };
        let silent_for = self.links.clock.now().since(entry.last_sign());
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
    pub(super) fn arm(&mut self, ctx: &mut Context<Self>) {
        let deadlines = [
            self.recoveries.next_deadline(),
            self.endings.next_deadline(),
            self.departures.next_deadline(),
            self.brake.next_deadline(),
        ];
        let deadline = deadlines.into_iter().flatten().min();
        self.alarm.set(deadline, &self.links.clock, ctx);
    }
}

/// What is needed to fence for a cause.
pub(super) const fn ground(cause: FailureCause) -> FenceGround {
    match cause {
        FailureCause::HeartbeatTimeout | FailureCause::EmergencyThreshold => FenceGround::Silence,
        FailureCause::Reported
        | FailureCause::FoundFailed
        | FailureCause::Forced
        | FailureCause::Emergency => FenceGround::Report,
    }
}

impl RecoveryActor {
    /// Finds the instances that leave, some at a time.
    fn find_departures(&mut self, after: Option<InstanceId>, ctx: &mut Context<Self>) {
        let page = self.links.registry.page(after.as_ref(), SLICE);
        for entry in &page {
            if entry.standing().withdrawn == Some(WithdrawalCause::Removal) {
                self.find_departure(entry);
            }
        }
        self.arm(ctx);
        if page.len() == SLICE {
            let after = page.last().map(|entry| entry.id().clone());
            ctx.run_later(PAUSE, |actor, ctx| actor.find_departures(after, ctx));
        }
    }
}

impl Actor for RecoveryActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.settings.sweep_interval, Self::sweep);
        for incident in std::mem::take(&mut self.left_open) {
            self.take_up(incident, ctx);
        }
        self.find_departures(None, ctx);
    }
}

impl Handler<LivenessChanged> for RecoveryActor {
    type Result = ();

    fn handle(&mut self, noticed: LivenessChanged, ctx: &mut Self::Context) {
        let LivenessChanged {
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
                let due = DueSilence {
                    incarnation,
                    is_released: false,
                };
                self.silence_is_due(&id, due, ctx);
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
