//! Why the program could not start or had to end.

use std::time::Duration;

use crate::actors::fatal::Fatal;
use crate::store::StoreError;

/// Why the program could not start or had to end: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Address {
        /// As configured.
        address: String,
        /// What the system said, with what to do about it.
        reason: String,
    },
    /// The database cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The process could not be set up.
    #[error("the system refused to {what}: {reason}")]
    System {
        /// What it refused.
        what: &'static str,
        /// What it said.
        reason: std::io::Error,
    },
    /// It was asked to end, and the database took too long.
    #[error(
        "the database could not be closed before the shutdown; nothing is lost, but a file of \
         SQLite is complete only together with its -wal until the next start"
    )]
    NotClosed,
    /// The database did not answer for as long as a start may wait.
    #[error("{error}; gave up after {} s (DATABASE_WAIT)", waited.as_secs())]
    WaitedInVain {
        /// For how long.
        waited: Duration,
        /// What the last try met.
        error: StoreError,
    },
    /// It ran, and had to end.
    #[error("{0}")]
    Fatal(#[from] Fatal),
    /// It was told to end while it was ending.
    #[error(
        "{0} during the stop: ended at once; what was under way is saved or not, and the next start \
         loads what is saved"
    )]
    EndedAtOnce(&'static str),
}
