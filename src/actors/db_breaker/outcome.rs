//! How a call to the store went, as the breakers are notified of it.

use actix::prelude::*;

use crate::domain::breaker::BreakerName;
use crate::store::StoreError;

/// How a call to the store went.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct StoreOutcome {
    pub(super) breaker: BreakerName,
    /// Why it failed; none if it was answered.
    pub(super) failure: Option<Failure>,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// Whether it will fail until an operator puts the file of the store back.
    pub(super) file_replaced: bool,
}

impl Failure {
    fn of(error: &StoreError) -> Self {
        Self {
            reason: error.to_string(),
            file_replaced: matches!(error, StoreError::FileReplaced(_)),
        }
    }
}

impl StoreOutcome {
    /// What an answer says of the store's health. A refusal is an answer.
    pub(super) fn of(breaker: BreakerName, error: Option<&StoreError>) -> Self {
        let failure = match error {
            None
            | Some(
                StoreError::Refused(_)
                | StoreError::Deposed { .. }
                | StoreError::VersionMismatch { .. },
            ) => None,
            Some(
                error @ (StoreError::Unavailable(_)
                | StoreError::InDoubt(_)
                | StoreError::Unusable(_)
                | StoreError::InUse(_)
                | StoreError::FileReplaced(_)),
            ) => Some(Failure::of(error)),
        };
        Self { breaker, failure }
    }

    pub(super) fn given_up(breaker: BreakerName) -> Self {
        Self {
            breaker,
            failure: Some(Failure {
                reason: "the call was given up without an answer".to_owned(),
                file_replaced: false,
            }),
        }
    }
}
