//! Knows whether the fleet could absorb the loss of an instance (`domain/headroom`).
//!
//! It hears of every saved change, and counts again at most once in a few seconds, so nothing of it is
//! on the path of a heartbeat or of a command: the FleetActor is asked for the counts of its instances,
//! and the rest is computed on another thread. A caller gets the newest result; if the fleet has changed
//! since, the caller waits for a new one. Callers that wait at the same time share it.
//!
//! ```text
//!   Idle ──change saved, caller──▶ Counting ──result──▶ Idle (again at once, if a caller came meanwhile)
//! ```
//!
//! What the alert says, and when, is a rule of the domain (`Headroom::shortfall`).

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::alarm::Alarm;
use super::alerts::Alerts;
use super::fatal::Vital;
use super::fleet::{Ask, Committed, FleetActor};
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::alert::{AlertKind, FLEET};
use crate::domain::headroom::Headroom;
use crate::domain::queries::HeadroomFacts;
use crate::domain::time::Timestamp;

/// The least time between two counts without a caller.
const INTERVAL: Duration = Duration::from_secs(5);

/// From so many instances on, the answer is computed on another thread.
const COMPUTED_AT_ONCE: usize = 100;

/// What the fleet can absorb.
#[derive(Debug, Message)]
#[rtype(result = "Option<Arc<Headroom>>")]
pub struct AskHeadroom;

/// Counts what the fleet can absorb.
#[derive(Debug)]
pub struct HeadroomActor {
    fleet: Addr<FleetActor>,
    alerts: Alerts,
    telemetry: Arc<Telemetry>,
    clock: Clock,
    newest: Option<Arc<Headroom>>,
    /// Whether the fleet has changed since the newest result was begun.
    is_stale: bool,
    is_counting: bool,
    counted_at: Option<Timestamp>,
    /// Callers of the next count.
    callers: Vec<oneshot::Sender<Arc<Headroom>>>,
    /// Callers of the count under way.
    served: Vec<oneshot::Sender<Arc<Headroom>>>,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl HeadroomActor {
    /// Creates the actor; it counts for the first time soon after its start.
    pub fn new(
        fleet: Addr<FleetActor>,
        alerts: Alerts,
        telemetry: Arc<Telemetry>,
        clock: Clock,
        vital: Vital,
    ) -> Self {
        Self {
            fleet,
            alerts,
            telemetry,
            clock,
            newest: None,
            is_stale: true,
            is_counting: false,
            counted_at: None,
            callers: Vec::new(),
            served: Vec::new(),
            alarm: Alarm::new(|actor| &mut actor.alarm, Self::count),
            _vital: vital,
        }
    }

    fn count_later(&mut self, ctx: &mut Context<Self>) {
        let next = match self.counted_at {
            Some(counted) => counted + INTERVAL,
            None => self.clock.now() + INTERVAL,
        };
        self.alarm.set_by(next, &self.clock, ctx);
    }

    fn count(&mut self, ctx: &mut Context<Self>) {
        if self.is_counting || (!self.is_stale && self.callers.is_empty()) {
            return;
        }
        self.is_counting = true;
        self.is_stale = false;
        self.served = std::mem::take(&mut self.callers);
        self.counted_at = Some(self.clock.now());
        let facts = self.fleet.send(Ask(HeadroomFacts));
        let counted = async move {
            let holders = facts.await.ok()?;
            if holders.len() <= COMPUTED_AT_ONCE {
                return Some(Headroom::of(&holders));
            }
            let computed = tokio::task::spawn_blocking(move || Headroom::of(&holders));
            computed.await.ok()
        };
        ctx.spawn(counted.into_actor(self).map(|headroom, actor, ctx| {
            actor.is_counting = false;
            match headroom {
                Some(headroom) => actor.counted(headroom, ctx),
                // The system is ending.
                None => actor.served.clear(),
            }
        }));
    }

    fn counted(&mut self, headroom: Headroom, ctx: &mut Context<Self>) {
        self.telemetry.headroom_streams.set(headroom.spare);
        match headroom.shortfall() {
            Some(detail) => self
                .alerts
                .raise(AlertKind::NoRoomForFailure, FLEET, detail),
            None => self.alerts.clear(AlertKind::NoRoomForFailure, FLEET),
        }
        let headroom = Arc::new(headroom);
        self.newest = Some(headroom.clone());
        for caller in self.served.drain(..) {
            // A caller that has gone needs no answer.
            let _ = caller.send(headroom.clone());
        }
        if !self.callers.is_empty() {
            self.count(ctx);
        } else if self.is_stale {
            self.count_later(ctx);
        }
    }
}

impl Actor for HeadroomActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.count_later(ctx);
    }
}

impl Handler<Committed> for HeadroomActor {
    type Result = ();

    fn handle(&mut self, _: Committed, ctx: &mut Self::Context) {
        self.is_stale = true;
        self.count_later(ctx);
    }
}

impl Handler<AskHeadroom> for HeadroomActor {
    type Result = ResponseFuture<Option<Arc<Headroom>>>;

    fn handle(&mut self, _: AskHeadroom, ctx: &mut Self::Context) -> Self::Result {
        if let Some(newest) = self
            .newest
            .clone()
            .filter(|_| !self.is_stale && !self.is_counting)
        {
            return Box::pin(std::future::ready(Some(newest)));
        }
        let (caller, answer) = oneshot::channel();
        self.callers.push(caller);
        self.count(ctx);
        Box::pin(async move { answer.await.ok() })
    }
}
