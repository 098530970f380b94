//! Why a store did not carry out a call, and what is certain then.

use crate::domain::ids::{Term, Version};
use crate::domain::leadership::NumbersUsedUp;

/// Why a store did not carry out a call. The texts are for the log, never for an HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store could not be reached, or was too slow to begin. Nothing was written.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A write was under way when contact was lost: it may have happened or not.
    #[error("the outcome of a write is unknown: {0}")]
    InDoubt(String),
    /// The content of a write was refused (a constraint). Nothing was written.
    #[error("the store refused the content: {0}")]
    Refused(String),
    /// The term of the database is another one: a higher one if a newer orchestrator has taken over,
    /// a lower one if the database lost its newest transactions. Nothing was written, and nothing ever
    /// will be.
    #[expect(missing_docs, reason = "the names say it")]
    #[error("{}", other_term(*ours, *current))]
    Deposed { ours: Term, current: Term },
    /// The version in the store is not the one this orchestrator left there although the term is
    /// its own: memory and store differ.
    #[expect(missing_docs, reason = "the names say it")]
    #[error("the store is at version {found}, expected {expected}")]
    VersionMismatch { expected: Version, found: Version },
    /// The content of the store cannot be used: damaged, or written by a newer release.
    #[error("{0}")]
    Unusable(String),
    /// Another process has the database to itself. Waiting does not help: an operator has to stop
    /// that process. Nothing was read.
    #[error("{0}")]
    InUse(String),
    /// The file that was opened is no longer the one under its name. Nothing was written, and
    /// nothing will be, unless it is put back.
    #[error("{0}")]
    FileReplaced(String),
}

impl From<NumbersUsedUp> for StoreError {
    fn from(used_up: NumbersUsedUp) -> Self {
        Self::Unusable(used_up.to_string())
    }
}

fn other_term(ours: Term, current: Term) -> String {
    if current > ours {
        return format!(
            "another orchestrator has taken over this database (term {current}, ours was {ours})"
        );
    }
    format!(
        "the database went back to term {current}, ours is {ours}: it was restored from a backup, or a \
         standby without the newest transactions was promoted; no other orchestrator leads"
    )
}

impl StoreError {
    /// Returns whether the database lost the newest terms.
    pub fn went_back(&self) -> bool {
        matches!(self, Self::Deposed { ours, current } if current < ours)
    }

    /// Returns whether the same call may succeed later without an operator: a start waits for that,
    /// and ends at once for every other error.
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
