//! Hears how every call to the store went, and probes it while it is out.
//!
//! One breaker so far: it says whether the store answers, and wakes recovery when it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::prelude::*;
use log::{error, info, warn};

use super::fatal::Vital;
use super::recovery::StoreReturned;
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::breaker::{BreakerEffect, BreakerMachine};
use crate::domain::settings::BreakerSettings;
use crate::store::{Store, StoreError};

/// Whether the store answered lately, for everybody to see without asking.
#[derive(Debug)]
pub struct StoreGate {
    is_up: AtomicBool,
}

impl StoreGate {
    /// A gate of a store that answered just now.
    pub fn new() -> Self {
        Self {
            is_up: AtomicBool::new(true),
        }
    }

    /// Whether it answers, as far as is known.
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }
}

impl Default for StoreGate {
    fn default() -> Self {
        Self::new()
    }
}

/// How a call to the store went.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum StoreOutcome {
    /// It answered.
    Answered,
    /// It did not.
    Failed(String),
}

impl StoreOutcome {
    /// What a result says of the store's health. A refusal is an answer.
    pub fn of<T>(result: &Result<T, StoreError>) -> Self {
        match result {
            Ok(_)
            | Err(
                StoreError::Refused(_)
                | StoreError::Deposed { .. }
                | StoreError::VersionMismatch { .. },
            ) => Self::Answered,
            Err(
                error @ (StoreError::Unavailable(_)
                | StoreError::InDoubt(_)
                | StoreError::Unusable(_)),
            ) => Self::Failed(error.to_string()),
        }
    }
}

/// Owns the breaker of the store.
#[derive(Debug)]
pub struct DbBreakerActor {
    machine: BreakerMachine,
    store: Arc<dyn Store>,
    gate: Arc<StoreGate>,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    wakes: Option<Recipient<StoreReturned>>,
    timer: Option<SpawnHandle>,
    _vital: Vital,
}

impl DbBreakerActor {
    /// A closed breaker.
    pub fn new(
        settings: BreakerSettings,
        store: Arc<dyn Store>,
        gate: Arc<StoreGate>,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        vital: Vital,
    ) -> Self {
        let machine = BreakerMachine::new(settings);
        Self {
            machine,
            store,
            gate,
            clock,
            telemetry,
            wakes: None,
            timer: None,
            _vital: vital,
        }
    }

    fn show(&self, is_up: bool) {
        self.gate.is_up.store(is_up, Ordering::Release);
        self.telemetry.store_up.set(i64::from(is_up));
    }

    fn answered(&mut self) {
        if !self.gate.is_up() {
            self.show(true);
            info!("the store answers again");
        }
        if self.machine.succeeded() == Some(BreakerEffect::Closed)
            && let Some(wakes) = &self.wakes
        {
            wakes.do_send(StoreReturned);
        }
    }

    fn failed(&mut self, reason: &str, ctx: &mut Context<Self>) {
        if self.gate.is_up() {
            self.show(false);
            warn!(reason; "the store does not answer");
        }
        if self.machine.failed(self.clock.now()) == Some(BreakerEffect::Opened) {
            error!(reason; "the store is out; it is probed until it is back");
        }
        self.arm(ctx);
    }

    /// One timer at a time; a later deadline replaces an earlier one.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let Some(deadline) = self.machine.next_deadline() else {
            return;
        };
        let wait = deadline.since(self.clock.now());
        self.timer = Some(ctx.run_later(wait, |actor, ctx| {
            actor.timer = None;
            if actor.machine.handle_deadline(actor.clock.now()) == Some(BreakerEffect::Probe) {
                actor.probe(ctx);
            } else {
                actor.arm(ctx);
            }
        }));
    }

    fn probe(&mut self, ctx: &mut Context<Self>) {
        let store = self.store.clone();
        let probe = async move { store.ping().await };
        ctx.spawn(probe.into_actor(self).map(|result, actor, ctx| {
            match StoreOutcome::of(&result) {
                StoreOutcome::Answered => actor.answered(),
                StoreOutcome::Failed(reason) => actor.failed(&reason, ctx),
            }
        }));
    }
}

impl Actor for DbBreakerActor {
    type Context = Context<Self>;
}

impl Handler<StoreOutcome> for DbBreakerActor {
    type Result = ();

    fn handle(&mut self, outcome: StoreOutcome, ctx: &mut Self::Context) {
        match outcome {
            StoreOutcome::Answered => self.answered(),
            StoreOutcome::Failed(reason) => self.failed(&reason, ctx),
        }
    }
}

/// Who is to be woken when the store is back.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct WakeOnReturn(pub Recipient<StoreReturned>);

impl Handler<WakeOnReturn> for DbBreakerActor {
    type Result = ();

    fn handle(&mut self, WakeOnReturn(recipient): WakeOnReturn, _: &mut Self::Context) {
        self.wakes = Some(recipient);
    }
}
