//! A count of the rows of a store.

use super::guard::Guard;
use crate::domain::ids::{Epoch, InstanceId};

/// A count of the rows, to compare with memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// The current term and version.
    pub guard: Guard,
    /// The last epoch that was used.
    pub counter: Epoch,
    /// Registered instances.
    pub instances: i64,
    /// Streams in the catalogue.
    pub streams: i64,
    /// The owners of streams with how many streams each owns, ascending by owner; instances without
    /// streams are left out.
    pub owned: Vec<(InstanceId, i64)>,
}
