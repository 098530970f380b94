//! Writes to the store what has changed, and shows it in the metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use log::{debug, warn};

use super::actor::{CURSOR_INTERVAL, WebhookActor};
use crate::actors::store_calls::StoreOp;
use crate::actors::telemetry::{WebhookLabel, WebhookOutcomeLabel, WebhookStateLabel};
use crate::domain::breaker::BreakerState;
use crate::domain::webhook::Delivery;
use crate::store::{DeliveryBatch, Store, StoreError, StoredWebhook};

/// Writes how far the targets are now; answered when it is written, or could not be.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct SaveCursors;

impl Handler<SaveCursors> for WebhookActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: SaveCursors, _: &mut Self::Context) -> Self::Result {
        let turns = self.turns.clone();
        // A write that is under way may have an older cursor, and ends with its turn.
        let before = turns.clone().lock_owned().into_actor(self);
        Box::pin(before.then(|turn, actor, ctx| {
            drop(turn);
            actor.cursors_due_at = None;
            actor.write(ctx);
            async move { drop(turns.lock().await) }.into_actor(actor)
        }))
    }
}

/// Everything that one write takes.
#[derive(Debug, Default, Clone)]
struct Changes {
    removed: Vec<String>,
    targets: Vec<StoredWebhook>,
    skips_alerts: bool,
    batch: DeliveryBatch,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.targets.is_empty() && self.batch.is_empty()
    }

    /// Returns whether nothing changed but how far targets are with the events.
    fn has_only_cursors(&self) -> bool {
        self.removed.is_empty() && self.targets.is_empty() && self.batch.deliveries.is_empty()
    }

    async fn save(&self, store: &dyn Store) -> Result<(), StoreError> {
        for name in &self.removed {
            store.delete_webhook(name).await?;
        }
        let mut skips_alerts = self.skips_alerts;
        for webhook in &self.targets {
            store.save_webhook(webhook, skips_alerts).await?;
            skips_alerts = false;
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        store.save_deliveries(&self.batch).await
    }
}

impl WebhookActor {
    /// Begins to write what has changed. Each write takes all of it, so a cursor never comes to the store without
    /// the row of an event before it.
    pub(super) fn write(&mut self, ctx: &mut Context<Self>) {
        if self.store_retry_at.is_some() {
            return;
        }
        let Some(turn) = self.turn() else {
            return;
        };
        let webhook = |name: &String| {
            self.receivers.get(name).map(|receiver| StoredWebhook {
                target: receiver.target.clone(),
                cursor: receiver.cursor,
            })
        };
        let cursors = self.moved.iter().filter_map(|name| {
            let receiver = self.receivers.get(name)?;
            Some((name.clone(), receiver.cursor))
        });
        let changes = Changes {
            removed: self.removed_targets.iter().cloned().collect(),
            targets: self.unsaved_targets.iter().filter_map(webhook).collect(),
            skips_alerts: self.skips_alerts,
            batch: DeliveryBatch {
                deliveries: self.dirty.values().cloned().collect(),
                cursors: cursors.collect(),
                announced: Vec::new(),
            },
        };
        if changes.is_empty() {
            return;
        }
        let now = self.clock.awake();
        if changes.has_only_cursors() && self.cursors_due_at.is_some_and(|at| now < at) {
            return;
        }
        let taken = changes.clone();
        let save = |store: Arc<dyn Store>| async move { taken.save(store.as_ref()).await };
        let Some(save) = self.access.write(StoreOp::SaveWebhooks, save) else {
            return self.retry_store();
        };
        self.cursors_due_at = Some(now + CURSOR_INTERVAL);
        let dirty = std::mem::take(&mut self.dirty);
        let moved = std::mem::take(&mut self.moved);
        let targets = std::mem::take(&mut self.unsaved_targets);
        let removed = std::mem::take(&mut self.removed_targets);
        ctx.spawn(save.into_actor(self).map(move |saved, actor, ctx| {
            drop(turn);
            match saved {
                Ok(()) if !changes.targets.is_empty() => actor.skips_alerts = false,
                Ok(()) => {}
                Err(error) => {
                    if let StoreError::Refused(reason) = error {
                        let rows = dirty.len() as u64;
                        actor.telemetry.records_refused.inc_by(rows);
                        warn!(rows, reason = reason.as_str();
                            "the database refused {rows} deliveries of webhooks; they stay in memory: \
                             {reason}");
                    } else {
                        debug!(error:%; "deliveries could not be saved; kept for the next try");
                        actor.put_back(dirty);
                    }
                    actor.moved.extend(moved);
                    actor.unsaved_targets.extend(targets);
                    actor.removed_targets.extend(removed);
                    actor.retry_store();
                }
            }
            actor.go_on(ctx);
        }));
    }

    /// Takes back what was not saved, where there is nothing newer.
    fn put_back(&mut self, dirty: BTreeMap<(String, String), Delivery>) {
        for (key, delivery) in dirty {
            self.dirty.entry(key).or_insert(delivery);
        }
    }

    /// Counts deliveries by how their try ended.
    pub(super) fn count(&self, name: &str, outcome: &'static str, count: u64) {
        let label = WebhookOutcomeLabel {
            webhook: name.to_owned(),
            outcome,
        };
        let counter = self.telemetry.webhook_deliveries.get_or_create(&label);
        counter.inc_by(count);
    }

    /// Shows how the targets are.
    pub(super) fn show(&self) {
        let now = self.clock.awake();
        for (name, receiver) in &self.receivers {
            let state = receiver.lane.state(now);
            let label = WebhookLabel {
                webhook: name.clone(),
            };
            let waiting = self.telemetry.webhook_waiting.get_or_create(&label);
            waiting.set(i64::try_from(state.waiting).unwrap_or(i64::MAX));
            drop(waiting);
            for shown in BreakerState::ALL {
                let label = WebhookStateLabel {
                    webhook: name.clone(),
                    state: shown.as_str(),
                };
                let gauge = self.telemetry.webhook_breaker_state.get_or_create(&label);
                gauge.set(i64::from(shown == state.breaker));
            }
        }
    }

    /// Ends the series of a target that is deleted.
    pub(super) fn hide(&self, name: &str) {
        let webhook = name.to_owned();
        self.telemetry
            .webhook_waiting
            .remove(&WebhookLabel { webhook });
        for state in BreakerState::ALL {
            self.telemetry
                .webhook_breaker_state
                .remove(&WebhookStateLabel {
                    webhook: name.to_owned(),
                    state: state.as_str(),
                });
        }
        for outcome in ["delivered", "retried", "failed"] {
            self.telemetry
                .webhook_deliveries
                .remove(&WebhookOutcomeLabel {
                    webhook: name.to_owned(),
                    outcome,
                });
        }
    }
}
