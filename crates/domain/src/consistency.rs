//! What a consistency check found: the fleet by itself, and the fleet against the store.
//!
//! A failed read is never a verdict: a store that could not be looked at is neither consistent
//! nor inconsistent, and the report says so.

use std::fmt;

use super::invariants::Check;

/// Why memory and store could not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomparable {
    /// The store did not answer.
    StoreUnavailable,
    /// What it holds, or the file itself, cannot be read.
    StoreUnreadable,
    /// Each time the store had been read, the fleet had moved on.
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

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// What the saved fleet shows by itself.
    pub fleet: Vec<Check>,
    /// Whether the store holds the same (I7).
    pub store: Result<Check, Incomparable>,
}

impl Consistency {
    /// Every invariant that was looked at. What could not be compared is not among them.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.fleet.iter().chain(self.store.as_ref().ok())
    }

    /// Whether everything holds; none if nothing is known to be wrong and something is unknown.
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
