//! The fleet in one SQLite file.
//!
//! One connection writes and one reads (`sqlite/lane.rs`), so that a long read never delays a write
//! (WAL lets both work at once), and two writers never meet (`busy_timeout` does not help against a
//! deferred transaction that turns into a writing one). Each operation is one transaction on a
//! blocking thread. A call whose time is over before its COMMIT was begun is certainly not written.
//! A call whose time is over later leaves its transaction running: it holds the writer until it
//! ends, so a later `settle` queues behind it and sees its outcome.
//!
//! One process has the file (`sqlite/lock.rs`), and the file has to stay where it is
//! (`sqlite/place.rs`). [`Store::close`](super::Store::close) leaves one complete file behind,
//! without a journal.

mod access;
mod adapter;
mod bulk;
mod dialect;
mod keeping_keys;
mod lane;
mod leadership;
mod leading;
mod lock;
mod notifying;
mod operations;
mod place;
#[cfg(test)]
mod plans;
mod webhooks;
mod witnesses;

pub use adapter::SqliteStore;
pub(super) use adapter::{migrate, revert_last};
