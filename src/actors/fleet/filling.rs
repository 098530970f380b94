//! Assigns unclaimed streams once it is quiet (`domain/fleet/filling.rs`), and collects the readings of
//! the machines for the policy that uses them.

use std::time::Duration;

use actix::prelude::*;
use log::warn;

use super::actor::{FleetActor, State};
use crate::domain::commands::PlaceWaiting;
use crate::domain::fleet::Scores;
use crate::domain::placement::{PlacementPolicy, Strain};

/// How often the readings of the machines are collected: about as often as heartbeats bring new ones.
const WEIGHING_INTERVAL: Duration = Duration::from_secs(10);

impl FleetActor {
    /// Has another command follow if one of those that were saved left streams waiting. After a save that
    /// failed nothing follows: the next command goes on, or the sweep.
    pub(super) fn go_on_filling(&mut self) {
        if self.ledger.filling().take_interruption() && !self.is_draining {
            drop(self.queue.push(PlaceWaiting, self.links.clock.now()));
        }
    }

    /// Arms the timer for the end of a delay, and begins the delay again if a newcomer came.
    pub(super) fn arm_filling(&mut self, ctx: &mut Context<Self>) {
        if self.ledger.filling().take_delay() {
            self.fill.delay(self.links.clock.now());
        }
        let deadline = self.fill.next_deadline();
        self.filling.set(deadline, &self.links.clock, ctx);
    }

    pub(super) fn fill(&mut self, ctx: &mut Context<Self>) {
        if self.is_draining || matches!(self.state, State::Ended) {
            return;
        }
        let now = self.links.clock.now();
        if self.fill.handle_deadline(now) {
            self.ledger.filling().end();
            // The next command assigns them if this one is not saved.
            drop(self.queue.push(PlaceWaiting, now));
        }
        self.proceed(ctx);
    }

    /// Notes how strained the machines are. The strain of a machine without a reading, or with an old
    /// one, is unknown; so is that of all of them if one reading cannot be true.
    pub(super) fn weigh(&mut self, ctx: &mut Context<Self>) {
        if self.ledger.saved().placement().policy != PlacementPolicy::LoadAware {
            return;
        }
        let now = self.links.clock.now();
        let readings = (self.links.registry).map(|entry| (entry.id().clone(), entry.reading(now)));
        match Scores::of(readings, self.links.oldest_reading) {
            Ok(scores) => self.ledger.set_strain(|id| scores.strain(id)),
            Err(absurd) => {
                warn!("streams are placed by load alone: {absurd}");
                self.ledger.set_strain(|_| Strain::Unknown);
            }
        }
        let next = now + WEIGHING_INTERVAL;
        self.weighing.set(Some(next), &self.links.clock, ctx);
    }
}
