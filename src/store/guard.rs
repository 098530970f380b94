//! The guard of a fleet transaction, and how one in doubt is settled.

use crate::domain::ids::{Term, Version};

/// The state a fleet transaction expects to find: `fleet_state(term, version)`. The transaction
/// begins with `UPDATE … SET version = version + 1 WHERE term = … AND version = …`; if that
/// matches nothing, nothing is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guard {
    /// The term of the orchestrator that writes.
    pub term: Term,
    /// The last version it knows of.
    pub version: Version,
}

impl Guard {
    /// Returns the guard after one more saved transaction.
    #[must_use]
    pub const fn after_save(self) -> Self {
        Self {
            term: self.term,
            version: self.version.next(),
        }
    }

    /// Returns the guard after a transaction in doubt was defeated by
    /// [`Store::settle`](super::Store::settle). It moves the version by two, so that the two
    /// possible outcomes leave different versions behind and settling can itself be repeated when
    /// its own outcome is unknown.
    #[must_use]
    pub const fn after_defeat(self) -> Self {
        Self {
            term: self.term,
            version: self.version.next().next(),
        }
    }
}

/// The outcome of a transaction in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The transaction was committed.
    Committed,
    /// The transaction is not there and never will be; the version is now [`Guard::after_defeat`].
    Defeated,
}
