//! The slices in which all instances are walked.

use std::time::Duration;

use crate::domain::ids::InstanceId;

/// How many instances are looked at in one go. Between two goes heartbeats are taken.
pub(super) const SLICE: usize = 256;

/// The pause between two goes: the shortest one in which the other actors of the arbiter have a turn.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// How far a sweep has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SweepAt {
    pub(super) after: Option<InstanceId>,
}
