//! What is planned for one instance, as it is saved.

use serde::{Deserialize, Serialize};

use super::absence::Absence;
use super::cordon::Cordon;
use super::drain::Drain;

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
}

impl Planned {
    /// Returns whether there is nothing to save.
    pub fn is_nothing(&self) -> bool {
        self.cordon.is_none() && self.drain.is_none() && self.absence.is_none()
    }
}
