//! What lies around a candidate, and how its wait ends.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use super::ahead::Prepared;
use crate::domain::commands::Recorded;
use crate::domain::ids::Version;
use crate::domain::leadership::{AddressAnswer, MemberAnswer, RunId, SteadyTime};
use crate::store::{Guard, StoreError};

/// What lies around a candidate: the processes at other addresses, and the callers of this one.
pub trait Surroundings: fmt::Debug {
    /// Callers learn that another process leads and this one waits.
    fn stand_by(&self);

    /// Asks which process listens at an address, for at most `limit`.
    fn ask(&self, address: String, limit: Duration)
    -> Pin<Box<dyn Future<Output = AddressAnswer>>>;
}

/// The other orchestrators, for a leader that has to know what they know.
pub trait Neighbours: fmt::Debug + Send + Sync {
    /// Asks the orchestrator at an address which process it is and which terms it knows, for at most `limit`;
    /// `None` if it does not answer.
    fn ask_terms(
        &self,
        address: String,
        limit: Duration,
    ) -> Pin<Box<dyn Future<Output = Option<MemberAnswer>>>>;
}

/// Why a candidate gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CandidacyError {
    /// The database cannot be used.
    Store(StoreError),
    /// Another living process has the name of this one.
    DuplicateNode {
        /// Its address.
        address: String,
        /// Its run.
        run: RunId,
    },
}

impl From<StoreError> for CandidacyError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A term that was won.
#[derive(Debug)]
pub struct Won {
    /// For the first transaction of the fleet.
    pub guard: Guard,
    /// When the take-over was sent.
    pub sent: SteadyTime,
    /// Whether the leader before may live and be sure of its term.
    pub may_be_doubled: bool,
    /// If the term starts after a loss: the highest version that was known before, 0 for none.
    pub after_loss: Option<Version>,
    /// The order that led to it, if one did.
    pub ordered: Option<Recorded>,
    /// What was read ahead.
    pub prepared: Prepared,
}
