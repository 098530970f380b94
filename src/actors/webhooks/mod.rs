//! Notifies receivers outside of alerts and events (`domain/webhook/mod.rs` has the states, and the reason why a crash
//! loses nothing).
//!
//! | message | from | effect |
//! | --- | --- | --- |
//! | [`AlertsSaved`] | the AlertBookActor | alerts whose mark is behind are read, and their deliveries written |
//! | [`BookChanged`] | the AlertBookActor | while the store is out, alerts are announced from the book |
//! | [`Committed`] | the FleetActor | events that a target selects are read soon |
//! | [`ChangeWebhooks`] | SIGHUP | the targets of the file are those that stand in it now |
//! | [`SaveCursors`] | the stop of the process | how far the targets are is written |
//! | [`PutWebhook`] and the others of `orders` | operators | a target changes; the answer comes once it is saved |
//!
//! One request at a time for each target, through [`WebhookSender`]: the receiver may hang, and only its own lane
//! waits. One write to the store at a time, so that an older state of a delivery never follows a newer one.
//!
//! Failures: if the store is out, the alerts in the book are announced from memory (the alert about the store
//! among them) and keep their ids, so what is written later is the same delivery. Events wait in the store. A
//! target that fails raises `webhook_failing`. An actor that ends is a fatal error of the process.
//!
//! [`AlertsSaved`]: crate::actors::alerts::AlertsSaved
//! [`BookChanged`]: crate::actors::alerts::BookChanged
//! [`Committed`]: crate::actors::fleet::Committed

mod actor;
mod announcing;
mod body;
mod chance;
mod events;
mod filed;
mod orders;
mod receiver;
mod redelivery;
mod saving;
mod sender;
mod sending;
mod view;

pub use actor::{KeptWebhooks, WebhookActor, WebhookLinks, WebhookSettings};
pub use body::body_of;
pub use chance::fresh;
pub use filed::ChangeWebhooks;
pub use orders::{
    AskDeliveries, AskWebhooks, DeleteWebhook, DeliveryPage, PutWebhook, SavedWebhook, TestWebhook,
    WebhookRefusal,
};
pub use redelivery::{RedeliverWebhook, Redelivery};
pub use saving::SaveCursors;
pub use sender::{NoSender, OutgoingRequest, WebhookSender};
pub use view::WebhookView;
