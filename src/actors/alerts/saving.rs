//! The way between the book and the store.

use std::collections::BTreeSet;
use std::time::Duration;

use actix::prelude::*;
use log::{debug, warn};

use super::actor::{AlertBookActor, AlertPage, AskAlerts};
use crate::actors::batch::{Saved, save_each};
use crate::actors::clean_up::Forget;
use crate::domain::alert::{Alert, AlertFilter};
use crate::domain::ids::AlertId;

/// How many alerts are kept for the store at the most while it is out; closed ones are given up
/// first.
const MAX_UNSAVED: usize = 10_000;

/// How soon what could not be saved is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

impl AlertBookActor {
    pub(super) fn save(&mut self, ctx: &mut Context<Self>) {
        if self.is_saving || self.unsaved.is_empty() || self.retry.is_some() {
            return;
        }
        let Some(permit) = self.access.to_write() else {
            return self.save_later(ctx);
        };
        self.is_saving = true;
        let alerts: Vec<Alert> = self.unsaved.values().cloned().collect();
        let store = self.store.clone();
        let save = async move {
            let saved = save_each(&alerts, async |rows: &[Alert]| {
                store.save_alerts(rows).await
            });
            let saved = saved.await;
            permit.tell(&saved.result);
            (alerts, saved)
        };
        ctx.spawn(save.into_actor(self).map(|(alerts, saved), actor, ctx| {
            actor.saved(&alerts, &saved, ctx);
        }));
    }

    fn saved(&mut self, alerts: &[Alert], saved: &Saved<Alert>, ctx: &mut Context<Self>) {
        self.is_saving = false;
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
        let left: BTreeSet<AlertId> = saved.left.iter().map(|alert| alert.id).collect();
        let done = alerts.iter().filter(|alert| !left.contains(&alert.id));
        self.forget_unsaved(done);
        if let Err(error) = &saved.result {
            debug!(error:%; "alerts could not be saved; kept for the next try");
            self.drop_excess();
            return self.save_later(ctx);
        }
        self.save(ctx);
    }

    /// What changed while it was being saved has to be saved again.
    fn forget_unsaved<'a>(&mut self, saved: impl Iterator<Item = &'a Alert>) {
        for alert in saved {
            if self.unsaved.get(&alert.id) == Some(alert) {
                self.unsaved.remove(&alert.id);
            }
        }
    }

    fn drop_excess(&mut self) {
        while self.unsaved.len() > MAX_UNSAVED {
            let closed = self.unsaved.values().find(|alert| !alert.is_open());
            let Some(id) = closed
                .map(|alert| alert.id)
                .or_else(|| self.unsaved.keys().next().copied())
            else {
                return;
            };
            self.unsaved.remove(&id);
            self.telemetry.records_dropped.inc();
        }
    }

    fn save_later(&mut self, ctx: &mut Context<Self>) {
        self.retry = Some(ctx.run_later(RETRY_INTERVAL, |actor, ctx| {
            actor.retry = None;
            actor.save(ctx);
        }));
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
        let unsaved = u32::try_from(self.unsaved.len()).unwrap_or(u32::MAX);
        let (store, access) = (self.store.clone(), self.access.clone());
        let (most, wanted) = (limit.saturating_add(unsaved), filter.clone());
        let read = async move {
            let permit = access.to_read()?;
            let result = store.alerts(&wanted, most).await;
            permit.tell(&result);
            result.ok()
        };
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
