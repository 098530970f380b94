//! What must hold of the fleet at all times, each under the name the documents call it by.
//!
//! Asserted by tests and simulation after every step, and by the consistency check of the running
//! program. The checks look at rows and indexes with their own eyes: they use none of the rules
//! they are to judge.

mod fleet;
mod store;
mod verdict;

pub use fleet::{check_epochs, check_fleet};
pub use store::compare;
pub use verdict::{Check, Invariant, LISTED_VIOLATIONS};
