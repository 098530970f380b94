//! The fleet's part in the breaker of the store's writes.
//!
//! While it is open, commands are still decided, one by one, because one that would change
//! nothing can be answered; every other is undone and refused at once. Only the owner of the
//! guard can write under it, so the probes are made here: a transaction that changes nothing, or
//! what is under way anyway, or the settling of what is in doubt.

use std::time::Duration;

use actix::prelude::*;

use super::actor::{FleetActor, State};
use super::queue::PendingCommand;
use crate::actors::db_breaker::ProbeWrites;
use crate::actors::refusal::Refusal;
use crate::domain::fleet::Rows;
use crate::domain::ledger::Batch;
use crate::store::Save;

/// The wait between two tries to settle a transaction in doubt while writes are let through.
const SETTLE_INTERVAL: Duration = Duration::from_secs(1);

impl FleetActor {
    /// Answers everything that waits without saving anything.
    pub(super) fn refuse_queued(&mut self) {
        let can_decide = match &self.state {
            State::Idle => true,
            // The draft is ahead of what is saved, unless a probe is all there is.
            State::Saving { batch, .. } | State::InDoubt { batch } => batch.is_empty(),
            State::Ended => return,
        };
        let now = self.links.clock.wall();
        let refusal = self.links.access.gate().writes().refusal();
        while let Some(mut waiting) = self.retry_singly.pop().or_else(|| self.queue.pop()) {
            if can_decide {
                waiting.decide(&mut self.ledger, now, &self.links.clock);
                let batch = self.ledger.take_batch();
                if batch.is_empty() {
                    waiting.tell();
                    continue;
                }
                self.ledger.undo(batch);
            }
            waiting.refuse(refusal.clone());
        }
    }

    /// A transaction has just come to be in doubt.
    pub(super) fn settle_first(
        &mut self,
        callers: Vec<Box<dyn PendingCommand>>,
        ctx: &mut Context<Self>,
    ) {
        if self.links.access.gate().writes().lets_through() {
            self.settle(callers, ctx);
        } else {
            self.tell_unknown(callers);
            self.settle_later(ctx);
        }
    }

    /// Answers the callers of a transaction in doubt that its outcome is unknown; callers that need
    /// certainty wait on.
    pub(super) fn tell_unknown(&mut self, callers: Vec<Box<dyn PendingCommand>>) {
        for caller in callers {
            if caller.waits_for_certainty() {
                self.awaiting_settlement.push(caller);
            } else {
                caller.refuse(Refusal::OutcomeUnknown);
            }
        }
    }

    /// Settles after a while, or when the breaker probes, whichever comes first. While writes are
    /// not let through only its probes do: they come ever more slowly.
    pub(super) fn settle_later(&mut self, ctx: &mut Context<Self>) {
        let deadline = self.links.clock.awake() + SETTLE_INTERVAL;
        self.settling.set_by(deadline, &self.links.clock, ctx);
    }

    pub(super) fn settle_again(&mut self, ctx: &mut Context<Self>) {
        if !matches!(self.state, State::InDoubt { .. }) || self.is_settling || self.is_held {
            return;
        }
        if self.links.access.gate().writes().lets_through() {
            self.settle(Vec::new(), ctx);
        } else {
            self.settle_later(ctx);
        }
    }
}

impl Handler<ProbeWrites> for FleetActor {
    type Result = ();

    fn handle(&mut self, _: ProbeWrites, ctx: &mut Self::Context) {
        match self.state {
            State::Idle => {
                let save = Save {
                    at: self.links.clock.wall(),
                    counter: self.ledger.saved().counter(),
                    rows: Rows::default(),
                    events: Vec::new(),
                    origins: Vec::new(),
                };
                self.save(Batch::default(), save, Vec::new(), ctx);
            }
            State::InDoubt { .. } if !self.is_settling => self.settle(Vec::new(), ctx),
            // How that goes is the answer.
            State::InDoubt { .. } | State::Saving { .. } | State::Ended => {}
        }
    }
}
