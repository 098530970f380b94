//! Receivers and deliveries in a PostgreSQL database.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::adapter::PostgresStore;
use super::notifying;
use crate::domain::alert::Alert;
use crate::domain::ids::AlertId;
use crate::domain::webhook::{Announced, Delivery, DeliveryFilter};
use crate::store::error::StoreError;
use crate::store::webhooks::{DeliveryBatch, StoredWebhook, WebhookStore};

#[async_trait]
impl WebhookStore for PostgresStore {
    async fn webhooks(&self) -> Result<Vec<StoredWebhook>, StoreError> {
        self.read(|c| notifying::webhooks(c).boxed()).await
    }

    async fn save_webhook(
        &self,
        webhook: &StoredWebhook,
        skip_alerts: bool,
    ) -> Result<(), StoreError> {
        let webhook = webhook.clone();
        self.write(move |c| {
            async move { notifying::save_webhook(c, &webhook, skip_alerts).await }.boxed()
        })
        .await
    }

    async fn delete_webhook(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |c| async move { notifying::delete_webhook(c, &name).await }.boxed())
            .await
    }

    async fn unannounced(
        &self,
        after: AlertId,
        limit: u32,
    ) -> Result<Vec<(Alert, Announced)>, StoreError> {
        self.read(move |c| notifying::unannounced(c, after, limit).boxed())
            .await
    }

    async fn save_deliveries(&self, batch: &DeliveryBatch) -> Result<(), StoreError> {
        let batch = batch.clone();
        self.write(move |c| async move { notifying::save_deliveries(c, &batch).await }.boxed())
            .await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let filter = filter.clone();
        self.read(move |c| async move { notifying::deliveries(c, &filter, limit).await }.boxed())
            .await
    }
}
