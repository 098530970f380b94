//! Why the fleet did not carry out a command. It stands apart because every actor may pass it on.

use std::fmt;

use crate::domain::commands::Rejection;
use crate::store::StoreError;

/// Why a command was not carried out. Nothing of it was saved, except where `OutcomeUnknown`
/// says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It does not fit the fleet as it is.
    Rejected(Rejection),
    /// The store refused its content, although the fleet would have allowed it.
    RefusedByStore,
    /// The store is out.
    StoreUnavailable,
    /// The file of the store was moved, deleted or replaced. Nothing was changed.
    DatabaseReplaced,
    /// The store was lost while the command was being saved: it is carried out or not, and will
    /// be known soon. Repeating it is safe.
    OutcomeUnknown,
    /// Too much is waiting already.
    Overloaded,
    /// The orchestrator is shutting down.
    ShuttingDown,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(_) => Self::RefusedByStore,
            StoreError::FileReplaced(_) => Self::DatabaseReplaced,
            StoreError::InDoubt(_) => Self::OutcomeUnknown,
            StoreError::Unavailable(_)
            | StoreError::Unusable(_)
            | StoreError::InUse(_)
            | StoreError::Deposed { .. }
            | StoreError::VersionMismatch { .. } => Self::StoreUnavailable,
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::RefusedByStore => f.write_str(
                "The database cannot hold a value of this request, and nothing was changed. The \
                 orchestrator's log has the reason; change the value before you try again.",
            ),
            Self::StoreUnavailable => f.write_str(
                "The database does not answer, and nothing was changed. Try again soon.",
            ),
            Self::DatabaseReplaced => f.write_str(
                "The database file was moved, deleted or replaced while the orchestrator had it \
                 open. Nothing can be saved, and nothing was changed. Put the file back, or restart \
                 the orchestrator to go on with what is there.",
            ),
            Self::OutcomeUnknown => f.write_str(
                "The database stopped answering while the change was being saved. Try again \
                 soon; repeating the request is safe.",
            ),
            Self::Overloaded => f.write_str(
                "Too many requests are waiting, and nothing was changed. Try again soon.",
            ),
            Self::ShuttingDown => f.write_str("The orchestrator is shutting down."),
        }
    }
}

impl std::error::Error for Refusal {}
