//! The actor that owns the breakers.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use log::{error, info, warn};

use super::breaker::{Breaker, Probe};
use super::gate::StoreGate;
use super::links::{BreakerChanged, BreakerLinks, ListenToBreakers, ProbeWrites, StoreReturned};
use super::outcome::StoreOutcome;
use crate::actors::alarm::Alarm;
use crate::actors::fatal::Vital;
use crate::actors::telemetry::{BreakerLabel, Telemetry};
use crate::clock::Clock;
use crate::domain::breaker::{BreakerEffect, BreakerMachine, BreakerName, BreakerState};
use crate::domain::settings::BreakerSettings;
use crate::store::Store;

/// Owns the breakers of the store.
#[derive(Debug)]
pub struct DbBreakerActor {
    pub(super) breakers: BTreeMap<BreakerName, Breaker>,
    pub(super) store: Arc<dyn Store>,
    pub(super) gate: Arc<StoreGate>,
    pub(super) clock: Clock,
    pub(super) telemetry: Arc<Telemetry>,
    links: BreakerLinks,
    alarm: Alarm<Self>,
    pub(super) _vital: Vital,
}

impl DbBreakerActor {
    /// Closed breakers.
    pub fn new(
        settings: BreakerSettings,
        store: Arc<dyn Store>,
        gate: Arc<StoreGate>,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        links: BreakerLinks,
        vital: Vital,
    ) -> Self {
        let now = clock.wall();
        // Reads are rare: without probes a failure of reads would be detected late. Writes are not, and a probe
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
            links,
            alarm: Alarm::of_waits(|actor| &mut actor.alarm, Self::on_timer),
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
                    actor.heard(&StoreOutcome::of(name, result.as_ref().err()), ctx);
                }));
            }
            Probe::Guarded => {
                self.links.writer.do_send(ProbeWrites);
            }
        }
    }

    /// Publishes the state of a breaker, and notifies the actors that wait for it.
    pub(super) fn publish(&mut self, name: &BreakerName, effect: Option<BreakerEffect>) {
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
            let label = label(name, state);
            let transitions = &self.telemetry.breaker_transitions;
            transitions.get_or_create(&label).inc();
        }
        let file_replaced = breaker.file_replaced;
        if breaker.told != (state, force, file_replaced) {
            breaker.told = (state, force, file_replaced);
            let reason = breaker.forced.as_ref().map(|forced| forced.reason.clone());
            for listener in &self.links.listeners {
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
        if is_back && breaker.probe == Probe::Guarded {
            self.links.wakes.do_send(StoreReturned);
        }
    }

    /// One timer, for the earliest deadline of all.
    pub(super) fn arm(&mut self, ctx: &mut Context<Self>) {
        let deadlines = self.breakers.values();
        let earliest = deadlines
            .filter_map(|breaker| breaker.machine.next_deadline())
            .min();
        self.alarm.set(earliest, &self.clock, ctx);
    }

    fn on_timer(&mut self, ctx: &mut Context<Self>) {
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
        let gauge = telemetry
            .breaker_state
            .get_or_create(&label(name, possible));
        gauge.set(i64::from(possible == state));
    }
}

fn label(name: &BreakerName, state: BreakerState) -> BreakerLabel {
    BreakerLabel {
        breaker: name.to_string(),
        state: state.as_str(),
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

impl Handler<ListenToBreakers> for DbBreakerActor {
    type Result = ();

    fn handle(&mut self, ListenToBreakers(listener): ListenToBreakers, _: &mut Self::Context) {
        self.links.listeners.push(listener);
    }
}
