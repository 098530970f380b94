//! The result of a consistency check: the fleet by itself, and the fleet against the store.
//!
//! A failed read is never a verdict: a store that could not be read is neither consistent nor
//! inconsistent, and the report says so.

use std::fmt;

use super::invariants::Check;

/// Why memory and store could not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomparable {
    /// The store did not answer.
    StoreUnavailable,
    /// The rows in the store, or its file, cannot be read.
    StoreUnreadable,
    /// The fleet changed during each read of the store.
    KeptChanging,
}

impl fmt::Display for Incomparable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StoreUnavailable => "the database does not answer",
            Self::StoreUnreadable => "the database cannot be read; the log says why",
            Self::KeptChanging => {
                "the fleet changed each time the database had been read; try again at a quieter \
                 moment"
            }
        })
    }
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// The checks of the saved fleet by itself.
    pub fleet: Vec<Check>,
    /// Whether the store holds the same fleet (I7).
    pub store: Result<Check, Incomparable>,
}

impl Consistency {
    /// Returns every invariant that was checked. A comparison that was not possible is not among
    /// them.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.fleet.iter().chain(self.store.as_ref().ok())
    }

    /// Returns whether everything holds; `None` if no check failed and one is unknown.
    pub fn verdict(&self) -> Option<bool> {
        if !self.checks().all(|check| check.holds) {
            Some(false)
        } else if self.store.is_ok() {
            Some(true)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::Invariant;

    #[test]
    fn what_could_not_be_read_is_never_a_verdict() {
        let check = |holds| Check {
            invariant: Invariant::SingleOwner,
            holds,
            violations: Vec::new(),
        };
        let unknown = Err(Incomparable::StoreUnavailable);
        for (fleet, store, verdict) in [
            (true, Ok(check(true)), Some(true)),
            (true, Ok(check(false)), Some(false)),
            (false, Ok(check(true)), Some(false)),
            (true, unknown.clone(), None),
            (false, unknown, Some(false)),
        ] {
            let found = Consistency {
                fleet: vec![check(true), check(fleet)],
                store,
            };
            assert_eq!(found.verdict(), verdict, "{found:?}");
        }
    }
}
