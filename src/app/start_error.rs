//! Why the program could not start or had to end.

use std::time::Duration;

use crate::actors::fatal::Fatal;
use crate::store::StoreError;

/// Why the program could not start or had to end: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the names say it")]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Address {
        address: String,
        /// The error of the system, with what to do about it.
        reason: String,
    },
    /// The database cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The process could not be set up.
    #[error("the system refused to {what}: {reason}")]
    System {
        what: &'static str,
        reason: std::io::Error,
    },
    /// A signal ended it, and the database took too long.
    #[error(
        "the database could not be closed before the shutdown; nothing is lost, but a file of \
         SQLite is complete only together with its -wal until the next start"
    )]
    NotClosed,
    /// The database did not answer for as long as a start may wait.
    #[expect(missing_docs, reason = "the names say it")]
    #[error("{error}; gave up after {} s (DATABASE_WAIT)", waited.as_secs())]
    WaitedInVain { waited: Duration, error: StoreError },
    /// Another living process has the name of this one.
    #[error(
        "another orchestrator called `{node}` is alive at {address} (run {other}, this one is run \
         {run}); stop it, or give this one a CLUSTER_NODE of its own"
    )]
    #[expect(missing_docs, reason = "the names say it")]
    DuplicateNode {
        node: String,
        address: String,
        other: i64,
        run: i64,
    },
    /// It served, and had to end.
    #[error("{0}")]
    Fatal(#[from] Fatal),
    /// A second signal arrived during the stop.
    #[error(
        "{0} during the stop: ended at once; what was under way is saved or not, and the next start \
         loads what is saved"
    )]
    EndedAtOnce(&'static str),
}

impl StartError {
    /// Whether the process ended because another orchestrator leads: started again, it is a standby.
    pub const fn is_deposed(&self) -> bool {
        matches!(self, Self::Fatal(fatal) if fatal.another_leads())
    }
}
