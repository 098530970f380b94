//! Receivers and deliveries in memory.

use async_trait::async_trait;

use super::adapter::MemoryStore;
use crate::domain::alert::Alert;
use crate::domain::ids::AlertId;
use crate::domain::webhook::{Announced, Delivery, DeliveryFilter};
use crate::store::error::StoreError;
use crate::store::webhooks::{DeliveryBatch, StoredWebhook, WebhookStore};

#[async_trait]
impl WebhookStore for MemoryStore {
    async fn webhooks(&self) -> Result<Vec<StoredWebhook>, StoreError> {
        Ok(self.tables().webhooks.targets.values().cloned().collect())
    }

    async fn save_webhook(
        &self,
        webhook: &StoredWebhook,
        skip_alerts: bool,
    ) -> Result<(), StoreError> {
        let tables = &mut *self.tables();
        let name = webhook.target.name.clone();
        tables.webhooks.targets.insert(name, webhook.clone());
        for alert in tables.alerts.values().filter(|_| skip_alerts) {
            let mark = match alert.closed_at {
                Some(_) => Announced::Closed,
                None => Announced::Critical,
            };
            tables.webhooks.mark(alert.id, mark);
        }
        Ok(())
    }

    async fn delete_webhook(&self, name: &str) -> Result<(), StoreError> {
        let webhooks = &mut self.tables().webhooks;
        webhooks.targets.remove(name);
        webhooks.deliveries.retain(|(target, _), _| target != name);
        Ok(())
    }

    async fn unannounced(
        &self,
        after: AlertId,
        limit: u32,
    ) -> Result<Vec<(Alert, Announced)>, StoreError> {
        let tables = self.tables();
        let marks = &tables.webhooks.announced;
        let alerts = tables.alerts.values().filter(|alert| alert.id > after);
        let marked = alerts.map(|alert| {
            let mark = marks.get(&alert.id).copied();
            (alert.clone(), mark.unwrap_or(Announced::Nothing))
        });
        let behind = marked.filter(|(alert, mark)| *mark < Announced::of(alert));
        Ok(behind.take(limit as usize).collect())
    }

    async fn save_deliveries(&self, batch: &DeliveryBatch) -> Result<(), StoreError> {
        let tables = &mut *self.tables();
        for delivery in &batch.deliveries {
            let key = (delivery.target.clone(), delivery.message.id.clone());
            tables.webhooks.deliveries.insert(key, delivery.clone());
        }
        for (name, cursor) in &batch.cursors {
            if let Some(webhook) = tables.webhooks.targets.get_mut(name) {
                webhook.cursor = *cursor;
            }
        }
        for (id, mark) in &batch.announced {
            if tables.alerts.contains_key(id) {
                tables.webhooks.mark(*id, *mark);
            }
        }
        Ok(())
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let tables = self.tables();
        let all = tables.webhooks.deliveries.values();
        let mut wanted: Vec<Delivery> = all
            .filter(|delivery| filter.wants(delivery))
            .cloned()
            .collect();
        wanted.sort_by_key(|delivery| std::cmp::Reverse(delivery.number));
        wanted.truncate(limit as usize);
        Ok(wanted)
    }
}
