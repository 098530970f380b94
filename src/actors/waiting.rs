//! Watches for streams that are without an owner for a long time (`domain/queries/waiting.rs`).
//!
//! It asks the FleetActor at intervals while a stream is without an owner, and after a change that may have
//! left one. The walk is over the streams without an owner only, and on no path of a heartbeat.

use std::time::Duration;

use actix::prelude::*;

use super::alarm::Alarm;
use super::alerts::Alerts;
use super::fatal::Vital;
use super::fleet::{Ask, Committed, FleetActor};
use crate::clock::Clock;
use crate::domain::alert::{AlertKind, FLEET};
use crate::domain::queries::LongWaiting;

/// Bounds of the time between two questions: a tenth of the limit, within these.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);

/// Watches for streams that wait for long.
#[derive(Debug)]
pub struct WaitingWatch {
    fleet: Addr<FleetActor>,
    alerts: Alerts,
    clock: Clock,
    /// How long a stream may be without an owner.
    limit: Duration,
    /// Whether the alert may be open: an earlier process may have opened it.
    may_be_open: bool,
    is_asking: bool,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl WaitingWatch {
    /// Creates the actor; it asks for the first time an interval after its start.
    pub fn new(
        fleet: Addr<FleetActor>,
        alerts: Alerts,
        clock: Clock,
        limit: Duration,
        vital: Vital,
    ) -> Self {
        Self {
            fleet,
            alerts,
            clock,
            limit,
            may_be_open: true,
            is_asking: false,
            alarm: Alarm::of_waits(|actor| &mut actor.alarm, Self::ask),
            _vital: vital,
        }
    }

    fn ask_later(&mut self, ctx: &mut Context<Self>) {
        let interval = (self.limit / 10).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
        let next = self.clock.awake() + interval;
        self.alarm.set_by(next, &self.clock, ctx);
    }

    fn ask(&mut self, ctx: &mut Context<Self>) {
        if self.is_asking {
            return self.ask_later(ctx);
        }
        self.is_asking = true;
        let lately = self.clock.recent(self.limit);
        let waiting = self.fleet.send(Ask(LongWaiting { lately }));
        ctx.spawn(waiting.into_actor(self).map(|waiting, actor, ctx| {
            actor.is_asking = false;
            // Without an answer the system is ending.
            let Ok(waiting) = waiting else {
                return;
            };
            let kind = AlertKind::StreamsWaitingLong;
            let detail = waiting.sentence(actor.limit);
            let is_open = detail.is_some();
            match detail {
                Some(detail) => actor.alerts.raise(kind, FLEET, detail),
                None if actor.may_be_open => actor.alerts.clear(kind, FLEET),
                None => {}
            }
            actor.may_be_open = is_open;
            if waiting.any {
                actor.ask_later(ctx);
            }
        }));
    }
}

impl Actor for WaitingWatch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.ask_later(ctx);
    }
}

impl Handler<Committed> for WaitingWatch {
    type Result = ();

    fn handle(&mut self, _: Committed, ctx: &mut Self::Context) {
        self.ask_later(ctx);
    }
}
