//! Why the leases of an instance end.

use serde::{Deserialize, Serialize};

use super::ids::Incarnation;
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

/// How many streams left an instance since its lease was withdrawn, because its worker let go of
/// them or they may be run twice. An incident takes the numbers when it is written; what nobody
/// takes is forgotten with the next withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// The life they left.
    pub incarnation: Incarnation,
    /// How many run elsewhere.
    pub moved: u32,
    /// How many found no room.
    pub orphaned: u32,
}

impl HandedOver {
    /// Nothing left that life yet.
    pub const fn none(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            moved: 0,
            orphaned: 0,
        }
    }
}
