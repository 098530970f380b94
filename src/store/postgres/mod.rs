//! The fleet in a PostgreSQL database.
//!
//! A connection's driver lives on the runtime that established it, and stands still when that
//! runtime is busy. So all connections live on a small runtime of the adapter's own: a transaction
//! that was begun goes on however busy the arbiters are, and its time limit is real time even where
//! a test has stopped the caller's clock.
//!
//! Certainty: until COMMIT is sent, nothing can have been written, and a connection that is
//! abandoned before that never sends it. Only the answer to COMMIT itself can be in doubt.

mod access;
mod adapter;
mod bulk;
mod connector;
mod dialect;
mod keeping_keys;
mod label;
mod leadership;
mod leading;
mod loan;
mod migrate;
mod notifying;
mod obstacle;
mod operations;
mod own_runtime;
mod replication;
mod sqlstate;
mod tls;
mod url;
mod webhooks;
mod witnesses;

pub use adapter::PostgresStore;
pub use leadership::PostgresLeadership;
pub(super) use migrate::{migrate, revert_last};
