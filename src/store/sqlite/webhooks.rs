//! Receivers and deliveries in a SQLite file.

use async_trait::async_trait;

use super::adapter::SqliteStore;
use super::notifying;
use crate::domain::alert::Alert;
use crate::domain::ids::AlertId;
use crate::domain::webhook::{Announced, Delivery, DeliveryFilter};
use crate::store::error::StoreError;
use crate::store::webhooks::{DeliveryBatch, StoredWebhook, WebhookStore};

#[async_trait]
impl WebhookStore for SqliteStore {
    async fn webhooks(&self) -> Result<Vec<StoredWebhook>, StoreError> {
        self.read(notifying::webhooks).await
    }

    async fn save_webhook(
        &self,
        webhook: &StoredWebhook,
        skip_alerts: bool,
    ) -> Result<(), StoreError> {
        let webhook = webhook.clone();
        self.write(move |c| notifying::save_webhook(c, &webhook, skip_alerts))
            .await
    }

    async fn delete_webhook(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |c| notifying::delete_webhook(c, &name))
            .await
    }

    async fn unannounced(
        &self,
        after: AlertId,
        limit: u32,
    ) -> Result<Vec<(Alert, Announced)>, StoreError> {
        self.read(move |c| notifying::unannounced(c, after, limit))
            .await
    }

    async fn save_deliveries(&self, batch: &DeliveryBatch) -> Result<(), StoreError> {
        let batch = batch.clone();
        self.write(move |c| notifying::save_deliveries(c, &batch))
            .await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let filter = filter.clone();
        self.read(move |c| notifying::deliveries(c, &filter, limit))
            .await
    }
}
