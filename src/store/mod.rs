//! The store of the fleet: one trait, three adapters.
//!
//! A store writes what the domain decided and knows no rules itself. Every fleet transaction is
//! guarded by [`Guard`], so that only the newest orchestrator writes, and so that a transaction
//! whose outcome is unknown can be settled afterwards (`docs/decisions/0002`). One conformance
//! suite (`tests/store/conformance.rs`) runs on all adapters. May use `domain` and diesel.
//!
//! `contract` is the trait, with its types in `guard`, `load`, `save`, `census`, `stored_event` and
//! `error`. `target` names a database; `open` turns it into a store. `postgres/operations.rs` holds
//! every statement, written once; `sqlite` and `postgres` run the statements as transactions with a
//! time limit, and know what a failure leaves behind (`failure`). `leadership` is the second trait, of the row that
//! says who leads. `schema`, `rows` and `write_set`
//! translate between tables and domain.

mod access;
mod census;
mod contract;
mod error;
mod failure;
mod guard;
mod leadership;
mod load;
mod memory;
mod migrations;
mod multi_row;
mod open;
mod postgres;
mod retention;
mod rows;
mod save;
mod schema;
mod sqlite;
mod stored_event;
mod target;
mod webhooks;
mod write_set;

pub use access::{AccessStore, KeyMark, NewKey, StoredKey};
pub use census::Census;
pub use contract::Store;
pub use error::StoreError;
pub use guard::{Guard, Settlement};
pub use leadership::{
    Leadership, Look, Member, Origin, Release, Renewal, TakeOver, Taken, TakenFleet,
};
pub use load::{LoadProgress, LoadedFleet, OnProgress, SavedAges};
pub use memory::MemoryStore;
pub use migrations::known_schema;
pub use open::{Identity, migrate, open, revert_last};
pub use postgres::{PostgresLeadership, PostgresStore};
pub use retention::{Expiry, Owner, TABLES};
pub use save::Save;
pub use sqlite::SqliteStore;
pub use stored_event::StoredEvent;
pub use target::Target;
pub use webhooks::{DeliveryBatch, StoredWebhook, WebhookStore};
