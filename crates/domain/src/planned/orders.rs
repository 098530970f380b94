//! What is planned for one instance, as it is saved.

use serde::{Deserialize, Serialize};

use super::absence::Absence;
use super::cordon::Cordon;
use super::drain::Drain;
use super::removal::RemovalOrder;

/// What is planned for an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Planned {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cordon: Option<Cordon>,
    /// The last drain, also after it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absence: Option<Absence>,
    /// The order to remove it, while the end of its last lease is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<RemovalOrder>,
}

impl Planned {
    /// Returns whether there is nothing to save.
    pub fn is_nothing(&self) -> bool {
        let Self {
            cordon,
            drain,
            absence,
            removal,
        } = self;
        cordon.is_none() && drain.is_none() && absence.is_none() && removal.is_none()
    }
}
