//! Receivers outside and the messages on their way to them.

mod contract;
mod rows;

pub use contract::{DeliveryBatch, StoredWebhook, WebhookStore};
pub(super) use rows::{DeliveryRow, WebhookRow};
