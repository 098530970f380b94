//! Why the leases of an instance end.

use serde::{Deserialize, Serialize};

use super::string_enum::string_enum;
use super::time::WallTime;

string_enum! {
    /// Why the lease of an instance is not renewed any more.
    WithdrawalCause {
        /// It is held to have failed.
        Failure = "failure",
        /// It is taken out of use.
        Emergency = "emergency",
        /// It leaves for good.
        Removal = "removal",
    }
}

/// The end of an instance's leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Why.
    pub cause: WithdrawalCause,
    /// Since when.
    pub since: WallTime,
}
