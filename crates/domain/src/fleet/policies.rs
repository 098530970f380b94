//! The numbers by which commands are decided.

use crate::quarantine::QuarantinePolicy;
use crate::returns::ReturnPolicy;

/// The numbers that a draft goes by, beside the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policies {
    /// Decides which returns of streams count.
    pub returns: ReturnPolicy,
    /// Decides when a stream is quarantined.
    pub quarantine: QuarantinePolicy,
}
