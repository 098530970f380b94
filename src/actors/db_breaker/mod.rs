//! Hears how every call to the store went, and probes it while it is out.
//!
//! Independent breakers (`domain/breaker.rs`) stand before what is read from the store and what
//! is written to it, kept in a map by name so that others can join. What each shows is published
//! (`gate.rs`), so that a call that would fail is refused at once and by whoever would make it.
//!
//! | what happened | then |
//! | --- | --- |
//! | an outcome, or a permit that was dropped | the machine hears of it |
//! | a breaker opened | what shares its fate is looked at |
//! | a probe is due | reads: a ping; writes: [`ProbeWrites`] to the FleetActor, whose transaction is the probe and is heard of like any other |
//! | writes are let through again | recovery is woken |
//! | a state or a force changed | gate, gauges and listeners are told |
//!
//! A message that is lost is the outcome of a probe at the worst; the machine gives it a limit.

mod force;
mod gate;
mod links;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use log::{error, info, warn};

use super::fatal::Vital;
use super::telemetry::{BreakerLabel, Telemetry};
use crate::clock::Clock;
use crate::domain::breaker::{BreakerEffect, BreakerMachine, BreakerName, BreakerState, Force};
use crate::domain::settings::BreakerSettings;
use crate::domain::time::{Timestamp, WallTime};
use crate::store::{Store, StoreError};

pub use force::{AskBreakers, BreakerReport, ForceBreaker, GivenForce};
use gate::Shown;
pub use gate::{Gate, Permit, StoreAccess, StoreGate};
pub use links::{
    BreakerChanged, ListenToBreakers, ProbeThrough, ProbeWrites, StoreReturned, WakeOnReturn,
};

/// How a call to the store went.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct StoreOutcome {
    breaker: BreakerName,
    /// Why it failed; none if it was answered.
    failure: Option<Failure>,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    reason: String,
    /// Whether it will fail until somebody puts the file of the store back.
    file_replaced: bool,
}

impl Failure {
    fn of(error: &StoreError) -> Self {
        Self {
            reason: error.to_string(),
            file_replaced: matches!(error, StoreError::FileReplaced(_)),
        }
    }
}

impl StoreOutcome {
    /// What a result says of the store's health. A refusal is an answer.
    fn of<T>(breaker: BreakerName, result: &Result<T, StoreError>) -> Self {
        let failure = match result {
            Ok(_)
            | Err(
                StoreError::Refused(_)
                | StoreError::Deposed { .. }
                | StoreError::VersionMismatch { .. },
            ) => None,
            Err(
                error @ (StoreError::Unavailable(_)
                | StoreError::InDoubt(_)
                | StoreError::Unusable(_)
                | StoreError::InUse(_)
                | StoreError::FileReplaced(_)),
            ) => Some(Failure::of(error)),
        };
        Self { breaker, failure }
    }

    fn given_up(breaker: BreakerName) -> Self {
        Self {
            breaker,
            failure: Some(Failure {
                reason: "the call was given up without an answer".to_owned(),
                file_replaced: false,
            }),
        }
    }
}

/// How a breaker is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    /// By asking whether the store is there.
    Ping,
    /// By the owner of the guard, with a transaction that changes nothing.
    Guarded,
}

/// One breaker with what is told of it.
#[derive(Debug)]
struct Breaker {
    machine: BreakerMachine,
    probe: Probe,
    is_probing: bool,
    /// When the first of the failures since the last success was.
    failing_since: Option<WallTime>,
    forced: Option<GivenForce>,
    /// Whether the last answer was that the file of the store is not where it was opened.
    file_replaced: bool,
    /// What listeners and gauges were told last.
    told: (BreakerState, Option<Force>, bool),
    since: WallTime,
}

impl Breaker {
    fn new(machine: BreakerMachine, probe: Probe, now: WallTime) -> Self {
        Self {
            told: (machine.state(), None, false),
            machine,
            probe,
            is_probing: false,
            failing_since: None,
            forced: None,
            file_replaced: false,
            since: now,
        }
    }

    fn shown(&self) -> Shown {
        let lets_through = self.machine.lets_through();
        let forced_since = self.forced.as_ref().map(|forced| forced.since);
        Shown {
            lets_through,
            answers: lets_through && self.machine.failures() == 0,
            out_since: self.failing_since.or(forced_since),
            file_replaced: self.file_replaced,
            next_probe: match self.machine.state() {
                // It is under way.
                BreakerState::HalfOpen => Some(Timestamp::ZERO),
                BreakerState::Closed | BreakerState::Open => self.machine.next_probe(),
            },
        }
    }
}

/// Owns the breakers of the store.
#[derive(Debug)]
pub struct DbBreakerActor {
    breakers: BTreeMap<BreakerName, Breaker>,
    store: Arc<dyn Store>,
    gate: Arc<StoreGate>,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    wakes: Option<Recipient<StoreReturned>>,
    writer: Option<Recipient<ProbeWrites>>,
    listeners: Vec<Recipient<BreakerChanged>>,
    timer: Option<(Timestamp, SpawnHandle)>,
    _vital: Vital,
}

impl DbBreakerActor {
    /// Closed breakers.
    pub fn new(
        settings: BreakerSettings,
        store: Arc<dyn Store>,
        gate: Arc<StoreGate>,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        vital: Vital,
    ) -> Self {
        let now = clock.wall();
        // Reads are rare: nobody would find out soon that they fail. Writes are not, and a probe
        // of them is a transaction.
        let reads = BreakerMachine::that_looks_closer(settings);
        let writes = BreakerMachine::new(settings);
        let breakers = BTreeMap::from([
            (
                BreakerName::STORE_READS,
                Breaker::new(reads, Probe::Ping, now),
            ),
            (
                BreakerName::STORE_WRITES,
                Breaker::new(writes, Probe::Guarded, now),
            ),
        ]);
        for (name, breaker) in &breakers {
            gauge(&telemetry, name, breaker.machine.state());
        }
        Self {
            breakers,
            store,
            gate,
            clock,
            telemetry,
            wakes: None,
            writer: None,
            listeners: Vec::new(),
            timer: None,
            _vital: vital,
        }
    }

    fn heard(&mut self, outcome: &StoreOutcome, ctx: &mut Context<Self>) {
        let StoreOutcome {
            breaker: name,
            failure,
        } = outcome;
        let (now, wall) = (self.clock.awake(), self.clock.wall());
        let Some(breaker) = self.breakers.get_mut(name) else {
            return;
        };
        let was_failing = breaker.machine.failures() > 0;
        let effect = match failure {
            None => breaker.machine.succeeded(),
            Some(_) => breaker.machine.failed(now),
        };
        match failure {
            None => {
                breaker.failing_since = None;
                breaker.file_replaced = false;
                if was_failing {
                    info!(breaker:% = name; "the store answers again ({name})");
                }
            }
            Some(failure) => {
                let reason = failure.reason.as_str();
                breaker.failing_since = breaker.failing_since.or(Some(wall));
                if failure.file_replaced {
                    if !std::mem::replace(&mut breaker.file_replaced, true) {
                        error!(breaker:% = name; "changes are refused ({name}): {reason}");
                    }
                } else if !was_failing {
                    warn!(breaker:% = name, reason; "the store does not answer ({name})");
                }
            }
        }
        let reason = failure.as_ref().map(|failure| failure.reason.as_str());
        self.carry_out(name, effect, reason.unwrap_or_default(), ctx);
        self.publish(name, effect);
        self.arm(ctx);
    }

    fn carry_out(
        &mut self,
        name: &BreakerName,
        effect: Option<BreakerEffect>,
        reason: &str,
        ctx: &mut Context<Self>,
    ) {
        match effect {
            Some(BreakerEffect::Probe) => self.probe(name, ctx),
            Some(BreakerEffect::Opened) => {
                error!(breaker:% = name, reason;
                    "the store is out ({name}); it is probed until it is back");
                let now = self.clock.awake();
                for neighbour in self.breakers.values_mut() {
                    neighbour.machine.suspect(now);
                }
            }
            Some(BreakerEffect::Closed) | None => {}
        }
    }

    fn probe(&mut self, name: &BreakerName, ctx: &mut Context<Self>) {
        let Some(breaker) = self.breakers.get_mut(name) else {
            return;
        };
        match breaker.probe {
            // The one before has run out of its limit and may still answer.
            Probe::Ping if breaker.is_probing => {}
            Probe::Ping => {
                breaker.is_probing = true;
                let (store, name) = (self.store.clone(), name.clone());
                let ping = async move { store.ping().await };
                ctx.spawn(ping.into_actor(self).map(move |result, actor, ctx| {
                    if let Some(breaker) = actor.breakers.get_mut(&name) {
                        breaker.is_probing = false;
                    }
                    actor.heard(&StoreOutcome::of(name, &result), ctx);
                }));
            }
            Probe::Guarded => {
                if let Some(writer) = &self.writer {
                    writer.do_send(ProbeWrites);
                }
            }
        }
    }

    /// Shows what a breaker is now, and tells who waits for it.
    fn publish(&mut self, name: &BreakerName, effect: Option<BreakerEffect>) {
        let wall = self.clock.wall();
        let Some(breaker) = self.breakers.get_mut(name) else {
            return;
        };
        let shown = breaker.shown();
        let mut let_through_before = true;
        if let Some(gate) = self.gate.of(name) {
            let_through_before = gate.lets_through();
            gate.show(shown);
        }
        self.telemetry.store_up.set(i64::from(self.gate.is_up()));
        let (state, force) = (breaker.machine.state(), breaker.machine.forced());
        if breaker.told.0 != state {
            breaker.since = wall;
            gauge(&self.telemetry, name, state);
        }
        let file_replaced = breaker.file_replaced;
        if breaker.told != (state, force, file_replaced) {
            breaker.told = (state, force, file_replaced);
            let reason = breaker.forced.as_ref().map(|forced| forced.reason.clone());
            for listener in &self.listeners {
                listener.do_send(BreakerChanged {
                    name: name.clone(),
                    state,
                    forced: force,
                    reason: reason.clone(),
                    file_replaced,
                });
            }
        }
        let is_back =
            shown.lets_through && (!let_through_before || effect == Some(BreakerEffect::Closed));
        if is_back
            && breaker.probe == Probe::Guarded
            && let Some(wakes) = &self.wakes
        {
            wakes.do_send(StoreReturned);
        }
    }

    /// One timer, for the earliest deadline of all.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let deadlines = self.breakers.values();
        let earliest = deadlines
            .filter_map(|breaker| breaker.machine.next_deadline())
            .min();
        if self.timer.map(|(at, _)| at) == earliest {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let Some(deadline) = earliest else {
            return;
        };
        let wait = deadline.since(self.clock.awake());
        let timer = ctx.run_later(wait, |actor, ctx| {
            actor.timer = None;
            actor.look_at_the_time(ctx);
        });
        self.timer = Some((deadline, timer));
    }

    fn look_at_the_time(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.awake();
        let names: Vec<BreakerName> = self.breakers.keys().cloned().collect();
        for name in names {
            let Some(breaker) = self.breakers.get_mut(&name) else {
                continue;
            };
            let effect = breaker.machine.handle_deadline(now);
            if breaker.machine.failures() > 0 && breaker.failing_since.is_none() {
                breaker.failing_since = Some(self.clock.wall());
            }
            self.carry_out(&name, effect, "a probe was not answered", ctx);
            self.publish(&name, effect);
        }
        self.arm(ctx);
    }
}

/// One of the states has the value 1.
fn gauge(telemetry: &Telemetry, name: &BreakerName, state: BreakerState) {
    for possible in BreakerState::ALL {
        let label = BreakerLabel {
            breaker: name.to_string(),
            state: possible.as_str(),
        };
        let gauge = telemetry.breaker_state.get_or_create(&label);
        gauge.set(i64::from(possible == state));
    }
}

impl Actor for DbBreakerActor {
    type Context = Context<Self>;
}

impl Handler<StoreOutcome> for DbBreakerActor {
    type Result = ();

    fn handle(&mut self, outcome: StoreOutcome, ctx: &mut Self::Context) {
        self.heard(&outcome, ctx);
    }
}
