//! The way between the book and the store.

use std::time::Duration;

use actix::prelude::*;
use log::{debug, warn};

use super::{AlertBookActor, AlertPage, AskAlerts};
use crate::domain::alert::{Alert, AlertFilter};
use crate::store::StoreError;

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
            let result = store.save_alerts(&alerts).await;
            permit.tell(&result);
            (alerts, result)
        };
        ctx.spawn(save.into_actor(self).map(|(alerts, result), actor, ctx| {
            actor.saved(&alerts, &result, ctx);
        }));
    }

    fn saved(
        &mut self,
        alerts: &[Alert],
        result: &Result<(), StoreError>,
        ctx: &mut Context<Self>,
    ) {
        self.is_saving = false;
        match result {
            Ok(()) => self.forget_unsaved(alerts),
            // It would be refused for ever, and everything after it would wait behind it.
            Err(StoreError::Refused(reason)) => {
                let records = alerts.len();
                self.telemetry.records_dropped.inc_by(records as u64);
                warn!(reason, records; "the store refused {records} alerts; they stay in memory");
                self.forget_unsaved(alerts);
            }
            Err(error) => {
                debug!(error:%; "alerts could not be saved; kept for the next try");
                self.drop_excess();
                return self.save_later(ctx);
            }
        }
        self.save(ctx);
    }

    /// What changed while it was being saved has to be saved again.
    fn forget_unsaved(&mut self, saved: &[Alert]) {
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
