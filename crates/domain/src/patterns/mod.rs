//! Recurring failures: each pattern is recognised in the incidents, and is reported with the
//! incidents it was seen in.
//!
//! | pattern | what it takes |
//! | --- | --- |
//! | same instance | [`LEAST_FAILURES`] failures of one instance |
//! | same hour | failures on [`LEAST_DAYS`] days in one hour of the day (UTC), and by chance that would be seen in less than [`CHANCE`] of all fleets |
//! | same label | [`LEAST_INSTANCES`] instances with one label, and by chance so many of those that failed would have it in at most [`CHANCE`] of all fleets |
//! | several at once | [`LEAST_INSTANCES`] instances within [`AT_ONCE`] that share an address prefix (/24, /64) or a label |
//!
//! Averted and interrupted recoveries are no failures and are left out; so are recoveries that an
//! operator ordered, because they show no pattern but the operator's. *Chance*: failures spread
//! evenly over the hours, or over the instances. One mass failure is one failure of its hour,
//! however many instances it took. The chance is multiplied by the number of hours, or of label
//! keys, that were examined, because more comparisons find more by chance. Instances that are no
//! longer registered have no address and no labels; they count where neither matters.

mod chance;
mod finding;
mod lost;
mod shared;
#[cfg(test)]
mod tests;

pub use finding::{
    AT_ONCE, CHANCE, LEAST_DAYS, LEAST_FAILURES, LEAST_INSTANCES, MOST_OF_A_KIND, Pattern,
    PatternKind, find_patterns,
};
pub use lost::{LostFacts, LostInstance, MIN_SHARED};
pub use shared::{InstanceFacts, Shared, Trait};
