//! Makes deliveries of alerts: from the store in one transaction with their mark, or from the book while the store is
//! out.

use std::sync::Arc;

use actix::prelude::*;
use futures_util::future::BoxFuture;
use log::warn;
use tokio::sync::OwnedMutexGuard;

use super::actor::WebhookActor;
use crate::actors::alerts::{AskAlerts, AskSilenced};
use crate::actors::store_calls::StoreOp;
use crate::domain::alert::{Alert, AlertFilter};
use crate::domain::ids::AlertId;
use crate::domain::webhook::{Announced, Announcement, Delivery, announce};
use crate::store::{DeliveryBatch, Store, StoreError};

/// How many alerts are announced at once.
const PAGE: u32 = 200;

/// How many alerts of the book are announced from memory at the most.
const FROM_MEMORY: u32 = 1_000;

/// How many marks are remembered.
const MAX_MARKS: usize = 10_000;

/// An alert, what of it was announced, and whether it is silenced.
struct Found {
    alert: Alert,
    mark: Announced,
    is_silenced: bool,
}

/// Returns the key under which a delivery is kept.
fn key_of(delivery: &Delivery) -> (String, String) {
    (delivery.target.clone(), delivery.message.id.clone())
}

impl WebhookActor {
    /// Begins to announce the alerts whose mark is behind, if there may be some.
    pub(super) fn announce(&mut self, ctx: &mut Context<Self>) {
        let has_targets = !self.receivers.is_empty();
        let is_settled = self.unsaved_targets.is_empty() || !self.skips_alerts;
        if !self.announce_due || !has_targets || !is_settled {
            return;
        }
        if self.store_retry_at.is_some() {
            return;
        }
        // No other write may come between the read and the write that follows from it.
        let Some(turn) = self.turn() else {
            return;
        };
        let after = self.announced_to;
        let read = move |store: Arc<dyn Store>| async move { store.unannounced(after, PAGE).await };
        let Some(read) = self.access.read(StoreOp::ReadAlerts, read) else {
            return self.retry_store();
        };
        self.announce_due = false;
        if after == AlertId::new(0) {
            self.has_more_alerts = false;
        }
        let silencing = self.silencing();
        let read = async move {
            let found = read.await?;
            let alerts = found.iter().map(|(alert, _)| alert);
            let silenced = silencing(alerts.collect()).await;
            let found = found.into_iter().zip(silenced);
            let found = found.map(|((alert, mark), is_silenced)| Found {
                alert,
                mark,
                is_silenced,
            });
            Ok(found.collect())
        };
        ctx.spawn(read.into_actor(self).map(move |found, actor, ctx| {
            actor.write_announcements(turn, found, ctx);
        }));
    }

    fn write_announcements(
        &mut self,
        turn: OwnedMutexGuard<()>,
        found: Result<Vec<Found>, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        let found = match found {
            Ok(found) => found,
            Err(_) => return self.announce_again(turn, ctx),
        };
        let is_full = found.len() == PAGE as usize;
        let last = found.last().map(|found| found.alert.id);
        let mut batch = DeliveryBatch::default();
        let mut fresh = Vec::new();
        for found in &found {
            let Found {
                alert,
                mark,
                is_silenced,
            } = found;
            // What was announced from memory is on its way already.
            let known = self.unwritten.values();
            let known = known.filter(|it| it.message.alert() == Some(alert.id));
            batch.deliveries.extend(known.cloned());
            let mark = self.marks.get(&alert.id).map_or(*mark, |it| *mark.max(it));
            match Announcement::of(alert, mark, *is_silenced) {
                Announcement::Held => continue,
                Announcement::Never => {}
                Announcement::Now(mark) => fresh.extend(self.deliveries_of(alert, mark)),
            }
            batch.announced.push((alert.id, Announced::of(alert)));
        }
        if batch.is_empty() {
            drop(turn);
            return self.announced(is_full.then_some(last).flatten(), ctx);
        }
        let written = batch.deliveries.clone();
        batch.deliveries.extend(fresh.iter().cloned());
        let marks = batch.announced.clone();
        let save = |store: Arc<dyn Store>| async move { store.save_deliveries(&batch).await };
        let Some(save) = self.access.write(StoreOp::SaveWebhooks, save) else {
            return self.announce_again(turn, ctx);
        };
        ctx.spawn(save.into_actor(self).map(move |saved, actor, ctx| {
            for (id, mark) in marks {
                actor.mark(id, mark);
            }
            // Meanwhile they may have been announced from memory.
            let mut fresh = fresh;
            fresh.retain(|it| !actor.unwritten.contains_key(&key_of(it)));
            if let Err(error) = saved {
                if let StoreError::Refused(reason) = &error {
                    warn!(reason = reason.as_str();
                        "the database refused the marks of announced alerts: {reason}");
                }
                // They may be saved all the same, and then no later read finds their alerts.
                actor.take_unwritten(fresh);
                return actor.announce_again(turn, ctx);
            }
            for delivery in written {
                // It may have gone on in the meantime.
                if let Some(newer) = actor
                    .unwritten
                    .remove(&key_of(&delivery))
                    .filter(|it| *it != delivery)
                {
                    actor.keep(newer);
                }
            }
            actor.take(fresh);
            drop(turn);
            actor.announced(is_full.then_some(last).flatten(), ctx);
        }));
    }

    /// Goes on after this alert; with none, every alert has been looked at.
    fn announced(&mut self, last: Option<AlertId>, ctx: &mut Context<Self>) {
        self.announced_to = last.unwrap_or(AlertId::new(0));
        match last {
            Some(_) => self.announce_due = true,
            None => {
                self.announce_due |= self.has_more_alerts;
                self.write_unwritten();
            }
        }
        self.go_on(ctx);
    }

    /// Returns what finds out which of some alerts are silenced, in their order; of one that is over, whether it
    /// would be if it were open.
    fn silencing(&self) -> impl FnOnce(Vec<&Alert>) -> BoxFuture<'static, Vec<bool>> + use<> {
        let book = self.alerts.book().clone();
        move |alerts| {
            let open = alerts.into_iter().map(|alert| Alert {
                closed_at: None,
                ..alert.clone()
            });
            let open: Vec<Alert> = open.collect();
            let count = open.len();
            let asked = book.send(AskSilenced(open));
            Box::pin(async move {
                // Without an answer the system is ending.
                let silenced = asked.await.unwrap_or_else(|_| vec![Vec::new(); count]);
                silenced.iter().map(|by| !by.is_empty()).collect()
            })
        }
    }

    /// Sends deliveries whose rows are not written, or may not be.
    fn take_unwritten(&mut self, deliveries: Vec<Delivery>) {
        for delivery in &deliveries {
            self.unwritten.insert(key_of(delivery), delivery.clone());
        }
        self.take(deliveries);
    }

    /// Has rows written that wait for the marks of their alerts: no alert is left whose mark is behind.
    fn write_unwritten(&mut self) {
        self.dirty.append(&mut self.unwritten);
    }

    fn announce_again(&mut self, turn: OwnedMutexGuard<()>, ctx: &mut Context<Self>) {
        drop(turn);
        self.announce_due = true;
        self.announced_to = AlertId::new(0);
        self.retry_store();
        self.go_on(ctx);
    }

    /// Returns the deliveries that follow from an alert, to all targets.
    fn deliveries_of(&mut self, alert: &Alert, mark: Announced) -> Vec<Delivery> {
        let targets = self.receivers.values();
        let messages: Vec<_> = targets
            .flat_map(|receiver| {
                let name = receiver.target.name.clone();
                let messages = announce(alert, mark, &receiver.target).into_iter();
                messages.map(move |message| (name.clone(), message))
            })
            .collect();
        let wall = self.clock.wall();
        let deliveries = messages
            .into_iter()
            .map(|(name, message)| Delivery::new(&name, self.next_number(), message, wall));
        deliveries.collect()
    }

    /// Hands deliveries to the lanes of their targets.
    pub(super) fn take(&mut self, deliveries: Vec<Delivery>) {
        let (now, wall) = (self.clock.awake(), self.clock.wall());
        for delivery in deliveries {
            let Some(receiver) = self.receivers.get_mut(&delivery.target) else {
                continue;
            };
            let dropped = receiver.lane.put([delivery], now, wall);
            for delivery in dropped {
                self.given_up(delivery);
            }
        }
    }

    fn mark(&mut self, id: AlertId, mark: Announced) {
        let known = self.marks.entry(id).or_insert(mark);
        *known = mark.max(*known);
        while self.marks.len() > MAX_MARKS {
            self.marks.pop_first();
        }
    }

    /// While the store is out, begins to announce what the book has.
    pub(super) fn announce_from_memory(&mut self, ctx: &mut Context<Self>) {
        if self.receivers.is_empty() || self.access.gate().writes().lets_through() {
            return;
        }
        let ask = AskAlerts {
            filter: AlertFilter::default(),
            limit: FROM_MEMORY,
        };
        let asked = self.alerts.book().send(ask);
        let silencing = self.silencing();
        let asked = async move {
            // Without an answer the system is ending.
            let mut alerts = asked.await.map(|page| page.alerts).unwrap_or_default();
            alerts.reverse();
            let silenced = silencing(alerts.iter().collect()).await;
            alerts.into_iter().zip(silenced)
        };
        ctx.spawn(asked.into_actor(self).map(|alerts, actor, ctx| {
            for (alert, is_silenced) in alerts {
                let mark = actor.mark_of(&alert);
                match Announcement::of(&alert, mark, is_silenced) {
                    Announcement::Held => continue,
                    Announcement::Never => {}
                    Announcement::Now(mark) => {
                        let deliveries = actor.deliveries_of(&alert, mark);
                        actor.take_unwritten(deliveries);
                    }
                }
                actor.mark(alert.id, Announced::of(&alert));
            }
            actor.announce_due = true;
            actor.go_on(ctx);
        }));
    }

    /// Returns what of an alert of the book was announced: of one from before this life, all that there was.
    fn mark_of(&self, alert: &Alert) -> Announced {
        let is_older = alert.opened_at < self.started_at;
        let unknown = match (is_older, alert.closed_at) {
            (false, _) => Announced::Nothing,
            (true, Some(end)) if end < self.started_at => Announced::Closed,
            (true, _) => Announced::of(&Alert {
                closed_at: None,
                ..alert.clone()
            }),
        };
        self.marks.get(&alert.id).copied().unwrap_or(unknown)
    }

    /// Notes the newest state of a delivery, to be saved.
    pub(super) fn keep(&mut self, delivery: Delivery) {
        let key = key_of(&delivery);
        if let Some(unwritten) = self.unwritten.get_mut(&key) {
            // Its row is written together with the mark of its alert.
            *unwritten = delivery;
            return;
        }
        self.dirty.insert(key, delivery);
    }
}
