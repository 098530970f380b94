//! Instances that are past their timeout, while other orchestrators are asked what they heard.

use std::collections::BTreeMap;

use crate::domain::ids::{Incarnation, InstanceId};

/// An instance that is past its timeout.
#[derive(Debug, Clone, Copy)]
pub(super) struct DueSilence {
    pub(super) incarnation: Incarnation,
    /// Whether the mass-failure brake has held it, and released it.
    pub(super) is_released: bool,
}

/// Those that wait for the word of other orchestrators.
#[derive(Debug, Default)]
pub(super) struct DueSilences {
    pub(super) due: BTreeMap<InstanceId, DueSilence>,
    pub(super) is_asking: bool,
}
