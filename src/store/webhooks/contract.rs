//! The part of every store that keeps receivers and deliveries.

use async_trait::async_trait;

use crate::domain::alert::Alert;
use crate::domain::ids::AlertId;
use crate::domain::webhook::{Announced, Delivery, DeliveryFilter, Target};
use crate::store::error::StoreError;

/// A receiver, and the number of the last event that it has, or that has a row of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StoredWebhook {
    pub target: Target,
    pub cursor: i64,
}

/// What is saved together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryBatch {
    /// Deliveries as they are now. A newer state of one replaces an older one.
    pub deliveries: Vec<Delivery>,
    /// The cursors of targets, by name.
    pub cursors: Vec<(String, i64)>,
    /// What of an alert is announced now; a mark never goes back.
    pub announced: Vec<(AlertId, Announced)>,
}

impl DeliveryBatch {
    /// Returns whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.cursors.is_empty() && self.announced.is_empty()
    }
}

/// Keeps receivers and deliveries.
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// Returns every target, by name.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn webhooks(&self) -> Result<Vec<StoredWebhook>, StoreError>;

    /// Saves a target and its cursor. `skip_alerts` counts every alert up to now as announced: before the first
    /// target nothing was.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_webhook(
        &self,
        webhook: &StoredWebhook,
        skip_alerts: bool,
    ) -> Result<(), StoreError>;

    /// Deletes a target and its deliveries.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn delete_webhook(&self, name: &str) -> Result<(), StoreError>;

    /// Returns the alerts of which more is to be announced than was, oldest first, those after `after`, at most
    /// `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn unannounced(
        &self,
        after: AlertId,
        limit: u32,
    ) -> Result<Vec<(Alert, Announced)>, StoreError>;

    /// Saves deliveries, cursors and marks in one transaction.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_deliveries(&self, batch: &DeliveryBatch) -> Result<(), StoreError>;

    /// Returns the deliveries that a filter selects, newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;
}
