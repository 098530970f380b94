//! Why a store did not do as asked, and what is certain then.

use crate::domain::ids::{Term, Version};

/// Why a store did not do as asked. The texts are for the log, never for an HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached, or was too slow to begin. Nothing was written.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A write was under way when contact was lost: it may have happened or not.
    #[error("the outcome of a write is unknown: {0}")]
    InDoubt(String),
    /// The content of a write was refused (a constraint). Nothing was written.
    #[error("the store refused the content: {0}")]
    Refused(String),
    /// A newer orchestrator has taken the term. Nothing was written, and nothing ever will be.
    #[error("another orchestrator has taken over this database (term {current}, ours was {ours})")]
    Deposed {
        /// The term that lost.
        ours: Term,
        /// The term that holds.
        current: Term,
    },
    /// The version in the store is not the one this orchestrator left there although the term is
    /// its own: memory and store have parted ways.
    #[error("the store is at version {found}, expected {expected}")]
    VersionMismatch {
        /// What this orchestrator expected.
        expected: Version,
        /// What it found.
        found: Version,
    },
    /// What is there cannot be used: damaged, or written by a newer release.
    #[error("{0}")]
    Unusable(String),
    /// Another process has the database to itself. Waiting does not help: somebody has to stop
    /// that process. Nothing was looked at.
    #[error("{0}")]
    InUse(String),
    /// The file that was opened is no longer the one under its name. Nothing was written, and
    /// nothing will be, unless it is put back.
    #[error("{0}")]
    FileReplaced(String),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's help: a start waits for that, and
    /// ends at once for everything else.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::InDoubt(_) => true,
            Self::Refused(_)
            | Self::Deposed { .. }
            | Self::VersionMismatch { .. }
            | Self::InUse(_)
            | Self::FileReplaced(_)
            | Self::Unusable(_) => false,
        }
    }
}
