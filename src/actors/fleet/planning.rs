//! Continues planned work (`domain/planned/mod.rs`): cordons and absences that are over, and the steps
//! of drains and of rolls.
//!
//! One timer for all of it. What is due becomes a command in the queue like any other, so it is decided
//! and saved with its neighbours. No caller waits for its answer: if it is not saved, it is due again
//! soon. The timer follows what is saved, never a draft.

use std::collections::BTreeSet;

use actix::prelude::*;

use super::actor::{FleetActor, State};
use crate::domain::commands::{ContinuePlanned, ContinueRolls};
use crate::domain::fleet::Rows;
use crate::domain::health::SystemHealth;
use crate::domain::ids::InstanceId;

impl FleetActor {
    /// Looks at every instance, once, at the start.
    pub(super) fn plan_all(&mut self) {
        let planned: Vec<InstanceId> = (self.ledger.saved().instances())
            .filter(|slot| slot.instance().planned.is_some())
            .map(|slot| slot.instance().id.clone())
            .collect();
        self.plan_for(&planned.into_iter().collect());
        self.plan_rolls();
    }

    /// Looks at instances that were saved.
    pub(super) fn plan_for(&mut self, instances: &BTreeSet<InstanceId>) {
        let (now, wall) = (self.links.clock.now(), self.links.clock.wall());
        for id in instances {
            let slot = self.ledger.saved().instance(id);
            let instance = slot.map(|slot| slot.instance().as_ref());
            self.planned.follow(id, instance, now, wall);
        }
    }

    /// Has drains continue whose streams were saved elsewhere.
    pub(super) fn hurry_drains(&mut self, rows: &Rows) {
        let draining: Vec<InstanceId> = self.planned.draining().cloned().collect();
        let now = self.links.clock.now();
        for id in draining {
            let slot = self.ledger.saved().instance(&id);
            let drain = slot.and_then(|slot| slot.instance().drain());
            let moving = drain.map(|drain| &drain.moving);
            let concerns = moving
                .is_some_and(|moving| rows.places.keys().any(|stream| moving.contains(stream)));
            if concerns {
                self.planned.hurry(&id, now);
            }
        }
    }

    /// Has rolls that are not over continue.
    pub(super) fn plan_rolls(&mut self) {
        let is_open = self.ledger.saved().rolls().any(|roll| roll.is_open());
        let now = self.links.clock.now();
        self.planned.follow_rolls(is_open, now);
    }

    /// The health of the whole system, as it was last judged.
    fn health(&self) -> SystemHealth {
        self.links.telemetry.health()
    }

    /// Arms the timer for the next entry, unless it is armed for that already.
    pub(super) fn arm_planned(&mut self, ctx: &mut Context<Self>) {
        let next = self.planned.next_deadline();
        self.planning.set(next, &self.links.clock, ctx);
    }

    pub(super) fn continue_planned(&mut self, ctx: &mut Context<Self>) {
        if self.is_draining || matches!(self.state, State::Ended) {
            return;
        }
        let now = self.links.clock.now();
        if self.planned.rolls_are_due(now) {
            let (health, pace) = (self.health(), self.links.pace);
            drop(self.queue.push(ContinueRolls { health, pace }, now));
        }
        let due = self.planned.due(now);
        if !due.is_empty() {
            let pace = self.links.pace;
            // It is due again if nothing comes of it.
            drop(self.queue.push(ContinuePlanned { due, pace }, now));
        }
        self.proceed(ctx);
    }
}
