//! A count of what a store keeps.

use super::guard::Guard;
use crate::domain::ids::{Epoch, InstanceId};

/// A count of what is kept, to compare with memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// Who may write, and how many transactions there were.
    pub guard: Guard,
    /// The last epoch given out.
    pub counter: Epoch,
    /// Registered instances.
    pub instances: i64,
    /// Streams in the catalogue.
    pub streams: i64,
    /// Owners of streams with how many each owns, ascending by owner; owners of none left out.
    pub owned: Vec<(InstanceId, i64)>,
}
