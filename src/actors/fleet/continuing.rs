//! Continues streams that were given back (`domain/returns.rs`) or whose owners failed
//! (`domain/quarantine.rs`): when a wait is over, and when one has run steadily.
//!
//! One timer for all of them, armed for the first deadline. What is due becomes a command in the
//! queue like any other, so it is decided and saved with its neighbours. No caller waits for its answer:
//! if it is not saved, it is due again soon. Deadlines follow what is saved, never a draft.

use actix::prelude::*;

use super::actor::{FleetActor, State};
use crate::domain::commands::{ContinueReturned, ContinueSuspected};
use crate::domain::ids::StreamId;
use crate::domain::return_timer::deadline;
use crate::domain::trial_timer::trial_deadline;

impl FleetActor {
    /// Looks at every stream, once, at the start.
    pub(super) fn follow_all(&mut self) {
        let streams: Vec<StreamId> = (self.ledger.saved().streams())
            .map(|slot| slot.stream())
            .filter(|stream| stream.returns.is_some() || stream.suspicion.is_some())
            .map(|stream| stream.id)
            .collect();
        self.follow(streams);
    }

    /// Looks at streams that were saved.
    pub(super) fn follow(&mut self, streams: impl IntoIterator<Item = StreamId>) {
        let (now, wall) = (self.links.clock.now(), self.links.clock.wall());
        let (policy, trials) = (self.ledger.return_policy(), self.ledger.quarantine_policy());
        for id in streams {
            let slot = self.ledger.saved().stream(id);
            let returned = slot.and_then(|slot| deadline(slot.stream(), slot.place(), policy));
            self.returned.follow(id, returned, now, wall);
            let trial = slot.and_then(|slot| trial_deadline(slot.stream(), slot.place(), trials));
            self.suspected.follow(id, trial, now, wall);
        }
    }

    /// Arms the timer for the first deadline, unless it is armed for that already.
    pub(super) fn arm_continuing(&mut self, ctx: &mut Context<Self>) {
        let deadlines = [
            self.returned.next_deadline(),
            self.suspected.next_deadline(),
        ];
        let next = deadlines.into_iter().flatten().min();
        self.continuing.set(next, &self.links.clock, ctx);
    }

    pub(super) fn continue_streams(&mut self, ctx: &mut Context<Self>) {
        if self.is_draining || matches!(self.state, State::Ended) {
            return;
        }
        let now = self.links.clock.now();
        let due = self.returned.due(now);
        if !due.is_empty() {
            // It is due again if nothing comes of it.
            drop(self.queue.push(ContinueReturned { due }, now));
        }
        let due = self.suspected.due(now);
        if !due.is_empty() {
            drop(self.queue.push(ContinueSuspected { due }, now));
        }
        self.proceed(ctx);
    }
}
