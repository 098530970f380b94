//! The fleet's part in taking a new term on a promoted database (`leadership/holding.rs`): to hold its changes,
//! and to write again those that the database has lost.

use std::sync::Arc;

use actix::prelude::*;
use log::warn;
use tokio::sync::oneshot;

use super::actor::{FleetActor, State};
use super::queue::{PendingCommand, refuse_all};
use crate::actors::leadership::{Held, Hold, Restore, Resume};
use crate::actors::refusal::Refusal;
use crate::actors::store_calls::StoreOp;
use crate::domain::ids::{Epoch, Version};
use crate::domain::leadership::WalTimeline;
use crate::store::{Guard, Save, Store, StoreError};

impl FleetActor {
    /// Answers those that wait until no transaction is under way.
    pub(super) fn tell_holders(&mut self) {
        let is_under_way = matches!(self.state, State::Saving { .. }) || self.is_settling;
        if is_under_way {
            return;
        }
        let acknowledged = self.guard.version;
        let held = Held {
            acknowledged,
            kept_since: self.recent.complete_since(acknowledged),
        };
        for holder in self.holders.drain(..) {
            let _ = holder.send(held);
        }
    }

    /// Keeps a change that was acknowledged, if the database is one that a standby may replace.
    pub(super) fn keep(&mut self, save: &Arc<Save>) {
        if WalTimeline::of_term(self.guard.term) == WalTimeline::default() {
            return;
        }
        let (now, version) = (self.links.clock.now(), self.guard.version);
        self.recent
            .note(version, now, save.row_count(), save.clone());
    }

    /// Returns the changes after `found`, with the counter of the new term. An image of rows never takes an
    /// epoch back, because the counter of a new timeline is above all of the old one.
    fn lost_after(&self, found: Version, counter: Epoch) -> Vec<Arc<Save>> {
        let lost = self.recent.after(found);
        lost.map(|save| Arc::new(save.with_counter(counter)))
            .collect()
    }

    /// The promoted database has this version, and no other one will ever have more of this history: that
    /// settles a transaction whose outcome was unknown.
    fn settle_by(&mut self, found: Version) {
        let State::InDoubt { batch } = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        let callers = std::mem::take(&mut self.awaiting_settlement);
        if found == self.guard.after_save().version {
            self.guard = self.guard.after_save();
            self.commit_in_doubt(batch);
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

impl Handler<Restore> for FleetActor {
    type Result = ResponseFuture<Result<Guard, StoreError>>;

    fn handle(
        &mut self,
        Restore { guard, counter }: Restore,
        _: &mut Self::Context,
    ) -> Self::Result {
        let is_under_way = matches!(self.state, State::Saving { .. } | State::Ended);
        let is_kept = self.recent.complete_since(self.guard.version) <= guard.version;
        if !self.is_held || is_under_way || !is_kept {
            let reason = "a change was under way, or a lost one is not kept".to_owned();
            return Box::pin(async { Err(StoreError::Unavailable(reason)) });
        }
        self.settle_by(guard.version);
        let lost = self.lost_after(guard.version, counter);
        let access = self.links.access.clone();
        Box::pin(async move {
            let mut guard = guard;
            for save in lost {
                let call =
                    move |store: Arc<dyn Store>| async move { store.save(guard, save).await };
                access.write_unasked(StoreOp::SaveFleet, call).await?;
                guard = guard.after_save();
            }
            Ok(guard)
        })
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
