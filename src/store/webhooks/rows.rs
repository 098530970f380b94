//! Rows of `webhook_targets` and `webhook_deliveries`.

use diesel::prelude::*;

use super::contract::StoredWebhook;
use crate::domain::time::WallTime;
use crate::domain::webhook::{Delivery, DeliveryState};
use crate::store::error::StoreError;
use crate::store::schema::{webhook_deliveries, webhook_targets};

/// A row of `webhook_targets`.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_targets, treat_none_as_default_value = false)]
pub(in crate::store) struct WebhookRow {
    name: String,
    body: String,
    cursor: i64,
}

impl From<&StoredWebhook> for WebhookRow {
    fn from(webhook: &StoredWebhook) -> Self {
        Self {
            name: webhook.target.name.clone(),
            // Texts and numbers can always be written.
            body: serde_json::to_string(&webhook.target).unwrap_or_default(),
            cursor: webhook.cursor,
        }
    }
}

impl TryFrom<WebhookRow> for StoredWebhook {
    type Error = StoreError;

    fn try_from(row: WebhookRow) -> Result<Self, StoreError> {
        let target = serde_json::from_str(&row.body).map_err(|_| {
            // The content has a secret: it is not shown.
            StoreError::Unusable(format!(
                "table `webhook_targets`, row `{}`: column `body` is not understood",
                row.name
            ))
        })?;
        Ok(Self {
            target,
            cursor: row.cursor,
        })
    }
}

/// A row of `webhook_deliveries`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_deliveries, treat_none_as_default_value = false)]
pub(in crate::store) struct DeliveryRow {
    target: String,
    message_id: String,
    number: i64,
    state: String,
    message: String,
    attempts: i64,
    created_at: i64,
    waits_since: i64,
    next_try_at: Option<i64>,
    ended_at: Option<i64>,
    last_answer: Option<String>,
    last_status: Option<i32>,
}

impl DeliveryRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 12;
}

impl From<&Delivery> for DeliveryRow {
    fn from(delivery: &Delivery) -> Self {
        Self {
            target: delivery.target.clone(),
            message_id: delivery.message.id.clone(),
            number: delivery.number,
            state: delivery.state.as_str().to_owned(),
            // Texts and numbers can always be written.
            message: serde_json::to_string(&delivery.message).unwrap_or_default(),
            attempts: i64::from(delivery.attempts),
            created_at: delivery.created_at.as_micros(),
            waits_since: delivery.waits_since.as_micros(),
            next_try_at: delivery.next_try_at.map(WallTime::as_micros),
            ended_at: delivery.ended_at.map(WallTime::as_micros),
            // PostgreSQL has no NUL in its texts.
            last_answer: delivery
                .last_answer
                .as_ref()
                .map(|text| text.replace('\0', "\u{fffd}")),
            last_status: delivery.last_status.map(i32::from),
        }
    }
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let unusable = |column: &str, value: &str| {
            StoreError::Unusable(format!(
                "table `webhook_deliveries`, row `{}` of `{}`: `{value}` in column `{column}` is not \
                 understood",
                row.message_id, row.target
            ))
        };
        let state = DeliveryState::from_word(&row.state);
        Ok(Self {
            state: state.ok_or_else(|| unusable("state", &row.state))?,
            message: serde_json::from_str(&row.message)
                .map_err(|_| unusable("message", &row.message))?,
            attempts: u32::try_from(row.attempts)
                .map_err(|_| unusable("attempts", &row.attempts.to_string()))?,
            last_status: row
                .last_status
                .and_then(|status| u16::try_from(status).ok()),
            number: row.number,
            created_at: WallTime::from_micros(row.created_at),
            waits_since: WallTime::from_micros(row.waits_since),
            next_try_at: row.next_try_at.map(WallTime::from_micros),
            ended_at: row.ended_at.map(WallTime::from_micros),
            last_answer: row.last_answer,
            target: row.target,
        })
    }
}
