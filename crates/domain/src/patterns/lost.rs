//! The facts about instances that are lost at the same time.

use std::collections::BTreeMap;

use super::shared::{InstanceFacts, Trait};
use crate::ids::InstanceId;

/// How many lost instances make an alert of what they share.
pub const MIN_SHARED: usize = 3;

/// An instance that is failed or late, although nothing is planned for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostInstance {
    /// What it may share with others.
    pub facts: InstanceFacts,
    /// Whether it has failed; otherwise it is late.
    pub has_failed: bool,
}

/// The instances that are lost now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LostFacts {
    /// Those that are failed or late.
    pub lost: BTreeMap<InstanceId, LostInstance>,
    /// How many instances have each property, of those for which nothing is planned.
    pub carriers: BTreeMap<Trait, usize>,
    /// How many there are of them.
    pub all: usize,
}
