//! The way between the book and the store.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{debug, warn};

use super::actor::{AlertBookActor, AlertPage, AskAlerts};
use crate::actors::batch::{Saved, save_each};
use crate::actors::clean_up::Forget;
use crate::actors::store_calls::StoreOp;
use crate::domain::alert::{Alert, AlertFilter};
use crate::store::Store;

/// How many alerts are kept for the store at the most while it is out; closed ones are given up
/// first.
pub(super) const MAX_UNSAVED: usize = 10_000;

/// How soon what could not be saved is tried again.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(5);

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
        self.settle(saved.left, saved.result.is_ok(), ctx);
    }

    fn settle(&mut self, left: Vec<Alert>, responded: bool, ctx: &mut Context<Self>) {
        let dropped = if responded {
            self.outbox.settled(left)
        } else {
            self.outbox.failed(left, self.clock.awake())
        };
        self.telemetry.records_dropped.inc_by(dropped.len() as u64);
        self.save(ctx);
    }

    /// What memory knows is newer than what the store says.
    fn page(&self, filter: &AlertFilter, stored: Vec<Alert>, limit: usize) -> Vec<Alert> {
        let older = stored
            .into_iter()
            .filter(|alert| self.book.get(alert.id).is_none());
        let mut alerts: Vec<Alert> = self.book.wanted(filter).cloned().chain(older).collect();
        alerts.sort_by_key(|alert| std::cmp::Reverse(alert.id));
        alerts.truncate(limit);
        alerts
    }
}

impl Handler<Forget> for AlertBookActor {
    type Result = ();

    fn handle(&mut self, Forget(expiry): Forget, _: &mut Self::Context) {
        self.book.forget_closed(&expiry.alerts);
    }
}

impl Handler<AskAlerts> for AlertBookActor {
    type Result = ResponseActFuture<Self, AlertPage>;

    fn handle(&mut self, ask: AskAlerts, _: &mut Self::Context) -> Self::Result {
        let AskAlerts { filter, limit } = ask;
        // Those that are wanted by what the store believes and not by what is known here make room.
        let unsaved = u32::try_from(self.outbox.len()).unwrap_or(u32::MAX);
        let (most, wanted) = (limit.saturating_add(unsaved), filter.clone());
        let read = self
            .access
            .read(StoreOp::ReadAlerts, move |store| async move {
                store.alerts(&wanted, most).await
            });
        let read = async move { read?.await.ok() };
        Box::pin(read.into_actor(self).map(move |stored, actor, _| {
            let stale_since = match stored {
                Some(_) => None,
                // The first failure has opened nothing yet.
                None => {
                    Some((actor.access.gate().stale_since()).unwrap_or_else(|| actor.clock.wall()))
                }
            };
            AlertPage {
                alerts: actor.page(&filter, stored.unwrap_or_default(), limit as usize),
                stale_since,
            }
        }))
    }
}
