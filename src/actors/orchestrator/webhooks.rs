//! Receivers outside, as operators handle them.

use std::time::Duration;

use super::facade::{Orchestrator, ask};
use crate::actors::refusal::Refusal;
use crate::actors::webhooks::{
    AskDeliveries, AskWebhooks, DeleteWebhook, DeliveryPage, PutWebhook, RedeliverWebhook,
    Redelivery, SavedWebhook, TestWebhook, WebhookRefusal, WebhookView, fresh,
};
use crate::domain::webhook::{Delivery, Forbidden, TargetDraft, TargetUrl};

/// How long the resolution of a name may take before a target is saved without it.
const RESOLUTION_LIMIT: Duration = Duration::from_secs(3);

impl Orchestrator {
    /// Returns every target.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn webhooks(&self) -> Result<Vec<WebhookView>, Refusal> {
        ask(&self.webhooks, AskWebhooks).await
    }

    /// Returns whether targets on loopback addresses are allowed.
    pub fn allows_loopback(&self) -> bool {
        self.sender.allows_loopback()
    }

    /// Returns why the host of a URL may not be called, if it is known and may not. A name that is not resolved in time
    /// is checked with each connection.
    pub async fn forbids(&self, url: TargetUrl) -> Option<Forbidden> {
        let check = self.sender.check(url);
        let checked = tokio::time::timeout(RESOLUTION_LIMIT, check).await;
        checked.unwrap_or_default()
    }

    /// Creates or changes a target.
    ///
    /// # Errors
    /// If it was not saved, with the reason.
    pub async fn put_webhook(
        &self,
        name: String,
        draft: TargetDraft,
    ) -> Result<SavedWebhook, WebhookRefusal> {
        let put = PutWebhook {
            name,
            draft,
            fresh: fresh(),
        };
        ask(&self.webhooks, put).await?
    }

    /// Deletes a target.
    ///
    /// # Errors
    /// If it was not deleted, with the reason.
    pub async fn delete_webhook(&self, name: String) -> Result<(), WebhookRefusal> {
        ask(&self.webhooks, DeleteWebhook(name)).await?
    }

    /// Sends a test to a target and returns how it ended.
    ///
    /// # Errors
    /// If there is no such target.
    pub async fn test_webhook(&self, name: String) -> Result<Delivery, WebhookRefusal> {
        ask(&self.webhooks, TestWebhook(name)).await?
    }

    /// Returns deliveries of a target, newest first.
    ///
    /// # Errors
    /// If there is no such target.
    pub async fn deliveries(
        &self,
        question: AskDeliveries,
    ) -> Result<DeliveryPage, WebhookRefusal> {
        ask(&self.webhooks, question).await?
    }

    /// Has messages delivered again.
    ///
    /// # Errors
    /// If nothing is, with the reason.
    pub async fn redeliver(&self, order: RedeliverWebhook) -> Result<Redelivery, WebhookRefusal> {
        ask(&self.webhooks, order).await?
    }
}
