//! Continues the rolls that are not over (`domain/planned/roll.rs`).
//!
//! The steps depend on the health of the system, so this actor asks the HealthActor for its verdict, the
//! one that callers of `/resilience/health` get, and passes it on with the command. It works only while a
//! roll is open.
//!
//! ```text
//!   Idle ──start, or a roll changed──▶ Waiting ──a moment──▶ Stepping ──a roll is open──▶ Waiting
//!     ▲                                                         └──none──▶ Idle
//! ```
//!
//! A step that is not saved is taken again a moment later.

use std::time::Duration;

use actix::prelude::*;

use super::alarm::Alarm;
use super::fatal::Vital;
use super::fleet::{Ask, Committed, Execute, FleetActor};
use super::health::{AskHealth, HealthActor};
use crate::clock::Clock;
use crate::domain::commands::ContinueRolls;
use crate::domain::events::Event;
use crate::domain::pace::MovePace;
use crate::domain::queries::OpenRolls;

/// How often rolls take a step.
const STEP_INTERVAL: Duration = Duration::from_secs(1);

/// Continues rolls.
#[derive(Debug)]
pub struct RollActor {
    fleet: Addr<FleetActor>,
    health: Addr<HealthActor>,
    pace: MovePace,
    clock: Clock,
    alarm: Alarm<Self>,
    is_stepping: bool,
    _vital: Vital,
}

impl RollActor {
    /// Creates the actor; it looks for open rolls soon after its start.
    pub fn new(
        fleet: Addr<FleetActor>,
        health: Addr<HealthActor>,
        pace: MovePace,
        clock: Clock,
        vital: Vital,
    ) -> Self {
        Self {
            fleet,
            health,
            pace,
            clock,
            alarm: Alarm::new(|actor| &mut actor.alarm, Self::step),
            is_stepping: false,
            _vital: vital,
        }
    }

    fn step_later(&mut self, ctx: &mut Context<Self>) {
        let next = self.clock.now() + STEP_INTERVAL;
        self.alarm.set_by(next, &self.clock, ctx);
    }

    fn step(&mut self, ctx: &mut Context<Self>) {
        if self.is_stepping {
            return self.step_later(ctx);
        }
        self.is_stepping = true;
        let (fleet, health, pace) = (self.fleet.clone(), self.health.clone(), self.pace);
        let step = async move {
            // Without an answer the system is ending.
            let is_open = fleet.send(Ask(OpenRolls)).await.ok()? > 0;
            if is_open && let Some(report) = health.send(AskHealth).await.ok()? {
                let health = report.verdict.health;
                let command = ContinueRolls { health, pace };
                // A step that was not saved is taken again.
                let _ = fleet.send(Execute(command)).await;
            }
            Some(is_open)
        };
        ctx.spawn(step.into_actor(self).map(|is_open, actor, ctx| {
            actor.is_stepping = false;
            if is_open == Some(true) {
                actor.step_later(ctx);
            }
        }));
    }
}

impl Actor for RollActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.step_later(ctx);
    }
}

impl Handler<Committed> for RollActor {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        let is_roll = |event: &Event| matches!(event, Event::RollChanged { .. });
        if committed.events.iter().any(|dated| is_roll(&dated.event)) {
            self.step_later(ctx);
        }
    }
}
