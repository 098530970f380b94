//! A copy of the saved fleet, to be checked on another thread and compared with the store.
//!
//! The copy is taken in slices between which commands are decided and saved; what they change is
//! copied again at the end (`domain/fleet/copy/mod.rs`). So no command waits for a check.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::actor::FleetActor;
use super::copying::{Copying, SavedCopy};
use crate::domain::fleet::FleetCopy;
use crate::domain::ledger::Batch;
use crate::store::Guard;

/// How many rows are copied in one go: about a millisecond.
const SLICE: usize = 2_000;

/// The pause between two slices: the shortest one in which commands have their turn.
const PAUSE: Duration = Duration::from_millis(1);

/// Asks for a copy of the saved fleet; with a guard, only as it was under that guard. None: the
/// fleet has another version by now. A fleet of another term is copied, because it differs anyway.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<SavedCopy>")]
pub struct CopySaved {
    /// What the store held it under.
    pub under: Option<Guard>,
}

impl Handler<CopySaved> for FleetActor {
    type Result = ResponseFuture<Option<SavedCopy>>;

    fn handle(&mut self, CopySaved { under }: CopySaved, ctx: &mut Self::Context) -> Self::Result {
        let (done, copied) = oneshot::channel();
        self.copies.push_back(Copying {
            under,
            copy: FleetCopy::default(),
            done,
        });
        if self.copies.len() == 1 {
            self.copy_on(ctx);
        }
        Box::pin(async move { copied.await.ok() })
    }
}

impl FleetActor {
    /// Copies the next slice of the first copy that was asked for.
    fn copy_on(&mut self, ctx: &mut Context<Self>) {
        let (guard, saved) = (self.guard, self.ledger.saved());
        while self
            .copies
            .front()
            .is_some_and(|copying| copying.is_over(guard))
        {
            self.copies.pop_front();
        }
        if let Some(copying) = self.copies.front_mut()
            && copying.copy.proceed(saved, SLICE)
            && let Some(Copying { copy, done, .. }) = self.copies.pop_front()
        {
            let rows = copy.finish(saved);
            // A caller that left does not need it.
            let _ = done.send(SavedCopy { guard, rows });
        }
        if !self.copies.is_empty() {
            ctx.run_later(PAUSE, Self::copy_on);
        }
    }

    /// Notes for the copy under way what is about to change.
    pub(super) fn note_for_copy(&mut self, batch: &Batch) {
        if let Some(copying) = self.copies.front_mut() {
            batch.changes().for_each(|change| copying.copy.note(change));
        }
    }
}
