//! The way between the book and the store.

use std::sync::Arc;

use actix::prelude::*;
use log::{debug, warn};

use super::actor::{AlertBookActor, AlertsSaved};
use crate::actors::batch::{Saved, save_each};
use crate::actors::clean_up::Forget;
use crate::actors::store_calls::StoreOp;
use crate::domain::alert::Alert;
use crate::store::Store;

impl AlertBookActor {
    /// Takes an alert that the store does not know as it is now.
    pub(super) fn keep(&mut self, alert: Alert) {
        let dropped = self.outbox.put(alert);
        self.telemetry.records_dropped.inc_by(dropped.len() as u64);
    }

    pub(super) fn save(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.awake();
        let Some(alerts) = self.outbox.begin(now) else {
            return self.retry.set(self.outbox.next_retry(), &self.clock, ctx);
        };
        let rows = alerts.clone();
        let save = |store: Arc<dyn Store>| async move {
            let save = async |rows: &[Alert]| store.save_alerts(rows).await;
            save_each(&rows, save).await
        };
        let Some(save) = self.access.write(StoreOp::SaveAlerts, save) else {
            return self.settle(alerts.to_vec(), false, ctx);
        };
        ctx.spawn(save.into_actor(self).map(|saved, actor, ctx| {
            actor.saved(saved, ctx);
        }));
    }

    fn saved(&mut self, saved: Saved<Alert>, ctx: &mut Context<Self>) {
        // It would be refused for ever: it stays in memory alone.
        for (alert, reason) in &saved.refused {
            self.telemetry.records_refused.inc();
            self.telemetry.records_dropped.inc();
            let (kind, subject) = (alert.kind.as_str(), alert.subject.as_str());
            if self.refusals.is_new(&alert.id.to_string()) {
                warn!(alert = alert.id.get(), kind, subject, reason;
                    "the database refused the alert {kind}; it stays in memory: {reason}");
            }
        }
        if let Err(error) = &saved.result {
            debug!(error:%; "alerts could not be saved; kept for the next try");
        }
        for follower in &self.savers {
            follower.do_send(AlertsSaved);
        }
        self.settle(saved.left, saved.result.is_ok(), ctx);
    }

    fn settle(&mut self, left: Vec<Alert>, responded: bool, ctx: &mut Context<Self>) {
        let dropped = if responded {
            self.outbox.settled(left)
        } else {
            self.outbox.failed(left, self.clock.awake())
        };
        self.telemetry.records_dropped.inc_by(dropped.len() as u64);
        self.answer_acknowledgers(responded);
        self.save(ctx);
    }
}

impl Handler<Forget> for AlertBookActor {
    type Result = ();

    fn handle(&mut self, Forget(expiry): Forget, _: &mut Self::Context) {
        self.book.forget_closed(&expiry.alerts);
    }
}
