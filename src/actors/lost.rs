//! Watches which instances are lost (`domain/alert/lost`).
//!
//! It hears of every saved change. When an instance fails it asks the FleetActor at once who is failed or late,
//! and again after each change of an instance for as long as one is failed, at most once a second. Nothing of
//! it is on the path of a heartbeat. What it finds goes to the book of alerts, which decides which alert each
//! instance is in.
//!
//! ```text
//!   Quiet ──an instance failed──▶ Asking ──none is failed──▶ Quiet
//!                                   ▲  └──some are──▶ Watching ──an instance changed──┐
//!                                   └───────────────at most once a second─────────────┘
//! ```

use std::time::Duration;

use actix::prelude::*;

use super::alarm::Alarm;
use super::alerts::Alerts;
use super::fatal::Vital;
use super::fleet::{Ask, Committed, FleetActor};
use crate::clock::Clock;
use crate::domain::alert::News;
use crate::domain::events::Event;
use crate::domain::queries::LostNow;
use crate::domain::time::Timestamp;

/// The least time between two questions.
const INTERVAL: Duration = Duration::from_secs(1);

/// Watches which instances are lost.
#[derive(Debug)]
pub struct LossWatch {
    fleet: Addr<FleetActor>,
    alerts: Alerts,
    clock: Clock,
    /// Whether an instance is failed, as far as is known. An alert of an earlier process may be open.
    has_failed: bool,
    asked_at: Option<Timestamp>,
    is_asking: bool,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl LossWatch {
    /// Creates the actor; it asks for the first time at its start.
    pub fn new(fleet: Addr<FleetActor>, alerts: Alerts, clock: Clock, vital: Vital) -> Self {
        Self {
            fleet,
            alerts,
            clock,
            has_failed: true,
            asked_at: None,
            is_asking: false,
            alarm: Alarm::of_waits(|actor| &mut actor.alarm, Self::ask),
            _vital: vital,
        }
    }

    fn ask_soon(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.awake();
        let next = self.asked_at.map_or(now, |at| now.max(at + INTERVAL));
        if next <= now && !self.is_asking {
            return self.ask(ctx);
        }
        let next = if self.is_asking { now + INTERVAL } else { next };
        self.alarm.set_by(next, &self.clock, ctx);
    }

    fn ask(&mut self, ctx: &mut Context<Self>) {
        if self.is_asking {
            return self.ask_soon(ctx);
        }
        self.is_asking = true;
        self.asked_at = Some(self.clock.awake());
        let lost = self.fleet.send(Ask(LostNow));
        ctx.spawn(lost.into_actor(self).map(|lost, actor, _| {
            actor.is_asking = false;
            // Without an answer the system is ending.
            if let Ok(lost) = lost {
                actor.has_failed = lost.lost.values().any(|lost| lost.has_failed);
                actor.alerts.update(News::Lost(lost));
            }
        }));
    }
}

/// Whether an event may change which instances are lost.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most events are about streams"
)]
const fn concerns(event: &Event, has_failed: bool) -> bool {
    match event {
        Event::InstanceFailed { .. } => true,
        Event::InstanceRegistered { .. }
        | Event::InstanceSuspected { .. }
        | Event::InstanceOnTime { .. }
        | Event::InstanceReturned { .. }
        | Event::InstanceTrusted { .. }
        | Event::InstanceRemoved { .. }
        | Event::EmergencyRecovered { .. }
        | Event::MaintenanceEnded { .. }
        | Event::MaintenanceStarted { .. }
        | Event::DrainStarted { .. }
        | Event::DrainEnded { .. } => has_failed,
        _ => false,
    }
}

impl Actor for LossWatch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.ask_soon(ctx);
    }
}

impl Handler<Committed> for LossWatch {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        let mut events = committed.events.iter();
        if events.any(|dated| concerns(&dated.event, self.has_failed || self.is_asking)) {
            self.ask_soon(ctx);
        }
    }
}
