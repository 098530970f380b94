//! The fleet's part in taking a new term on a promoted database (`leadership/holding.rs`).

use actix::prelude::*;
use log::warn;
use tokio::sync::oneshot;

use super::actor::{FleetActor, State};
use super::queue::{PendingCommand, refuse_all};
use crate::actors::leadership::{Held, Hold, Resume};
use crate::actors::refusal::Refusal;
use crate::domain::ids::Version;
use crate::store::Save;

impl FleetActor {
    /// Answers those that wait until no transaction is under way.
    pub(super) fn tell_holders(&mut self) {
        let is_under_way = matches!(self.state, State::Saving { .. }) || self.is_settling;
        if is_under_way {
            return;
        }
        let held = Held {
            acknowledged: self.guard.version,
        };
        for holder in self.holders.drain(..) {
            let _ = holder.send(held);
        }
    }

    /// The promoted database has this version, and no other one will ever have more of this history: that
    /// settles a transaction whose outcome was unknown.
    fn settle_by(&mut self, found: Version) {
        let State::InDoubt { batch } = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        let callers = std::mem::take(&mut self.awaiting_settlement);
        if found == self.guard.after_save().version {
            let save = Save::from(&batch);
            self.commit(batch, &save);
            callers.into_iter().for_each(PendingCommand::tell);
        } else {
            self.ledger.undo(batch);
            refuse_all(callers, &Refusal::StoreUnavailable);
        }
    }
}

impl Handler<Hold> for FleetActor {
    type Result = ResponseFuture<Option<Held>>;

    fn handle(&mut self, _: Hold, _: &mut Self::Context) -> Self::Result {
        if matches!(self.state, State::Ended) {
            return Box::pin(async { None });
        }
        self.is_held = true;
        let (holder, held) = oneshot::channel();
        self.holders.push(holder);
        self.tell_holders();
        Box::pin(async move { held.await.ok() })
    }
}

impl Handler<Resume> for FleetActor {
    type Result = ();

    fn handle(&mut self, Resume { guard, counter }: Resume, ctx: &mut Self::Context) {
        let is_under_way = matches!(self.state, State::Saving { .. } | State::Ended);
        if !self.is_held || is_under_way {
            warn!("a new term came while a change was under way; it is not taken up");
            return;
        }
        self.settle_by(guard.version);
        self.guard = guard;
        self.ledger.set_counter(counter);
        self.is_held = false;
        self.proceed(ctx);
    }
}
