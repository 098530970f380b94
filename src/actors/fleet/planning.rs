//! Continues planned work (`domain/planned/mod.rs`): cordons and absences that are over, and the steps
//! of drains. Rolls have an actor of their own (`rolls.rs`).
//!
//! One timer for all of it. What is due becomes a command in the queue like any other, so it is decided
//! and saved with its neighbours. No caller waits for its answer: if it is not saved, it is due again
//! soon. The timer follows what is saved, never a draft.

use std::collections::BTreeSet;

use actix::prelude::*;

use super::actor::{FleetActor, State};
use crate::domain::commands::ContinuePlanned;
use crate::domain::fleet::Rows;
use crate::domain::ids::InstanceId;
use crate::domain::planned::Drain;

impl FleetActor {
    /// Looks at every instance, once, at the start.
    pub(super) fn plan_all(&mut self) {
        let (now, wall) = (self.links.clock.now(), self.links.clock.wall());
        let heard_by = now + self.links.first_hearing;
        for slot in self.ledger.saved().instances() {
            let instance = slot.instance();
            if instance.planned.is_some() {
                let id = &instance.id;
                self.planned
                    .take_up(id, Some(instance), (now, wall), heard_by);
            }
        }
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
            let mut unconfirmed = drain.into_iter().flat_map(Drain::unconfirmed);
            if unconfirmed.any(|stream| rows.places.contains_key(&stream)) {
                self.planned.hurry(&id, now);
            }
        }
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
        let due = self.planned.due(now);
        if !due.is_empty() {
            let pace = self.links.pace;
            // It is due again if nothing comes of it.
            drop(self.queue.push(ContinuePlanned { due, pace }, now));
        }
        self.proceed(ctx);
    }
}
