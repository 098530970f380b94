//! The fleet in one SQLite file.
//!
//! One connection writes and one reads (`sqlite/lane.rs`), so that a long read never holds up a
//! write (WAL lets both work at once), and two writers never meet (`busy_timeout` does not help
//! against a deferred transaction that turns into a writing one). Each operation is one
//! transaction on a blocking thread. A call that runs out of time before its COMMIT was begun is
//! certainly not written; one that runs out later leaves its transaction running there: it holds
//! the writer until it is over, so a later `settle` queues behind it and sees what became of it.
//!
//! One process has the file (`sqlite/lock.rs`), and the file has to stay where it is
//! (`sqlite/place.rs`). [`Store::close`](super::Store::close) leaves one complete file behind, without a journal.

mod adapter;
mod bulk;
mod dialect;
mod lane;
mod leadership;
mod leading;
mod lock;
mod operations;
mod place;
#[cfg(test)]
mod plans;

pub use adapter::SqliteStore;
pub(super) use adapter::{migrate, revert_last};
