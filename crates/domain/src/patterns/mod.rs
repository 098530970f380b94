//! What failures have in common: recurring ones are recognised from the incidents, and each
//! pattern is reported with what it was seen in.
//!
//! | pattern | what it takes |
//! | --- | --- |
//! | same instance | [`LEAST_FAILURES`] failures of one instance |
//! | same hour | failures on [`LEAST_DAYS`] days in one hour of the day (UTC), and by chance that would be seen in less than [`CHANCE`] of all fleets |
//! | same label | [`LEAST_INSTANCES`] instances with one label, and by chance so many of those that failed would have it in at most [`CHANCE`] of all fleets |
//! | several at once | [`LEAST_INSTANCES`] instances within [`AT_ONCE`] that share an address prefix (/24, /64) or a label |
//!
//! What was averted or interrupted is no failure, and what an operator ordered shows no pattern
//! but theirs; both are left out. *Chance*: failures spread evenly over the hours, or over the
//! instances. One mass failure is one failure of its hour, however many instances it took. The
//! chance is multiplied by the number of hours, or of label keys, that were looked at: who looks
//! at more finds more by chance. Instances that are registered no more have no address and no
//! labels; they count where neither matters.

mod chance;
mod finding;
mod shared;
#[cfg(test)]
mod tests;

pub use finding::{
    AT_ONCE, CHANCE, LEAST_DAYS, LEAST_FAILURES, LEAST_INSTANCES, MOST_OF_A_KIND, Pattern,
    PatternKind, find_patterns,
};
pub use shared::{InstanceFacts, Shared, Trait};
