//! Why the leases of an instance end.

use serde::{Deserialize, Serialize};

use super::ids::Incarnation;
use super::string_enum::string_enum;
use super::time::WallTime;

string_enum! {
    /// Why the lease of an instance is not renewed any more.
    WithdrawalCause {
        /// The instance is held to have failed.
        Failure = "failure",
        /// The instance is taken out of use.
        Emergency = "emergency",
        /// The instance leaves for good.
        Removal = "removal",
    }
}

/// The end of an instance's leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Withdrawal {
    pub cause: WithdrawalCause,
    pub since: WallTime,
}

/// How many streams left an instance since its lease was withdrawn, because its worker released
/// them or because they are `overlap` streams. An incident takes the numbers when it is written;
/// numbers that no incident takes are dropped with the next withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// The incarnation they left.
    pub incarnation: Incarnation,
    /// How many run elsewhere.
    pub moved: u32,
    /// How many found no room.
    pub orphaned: u32,
}

impl HandedOver {
    /// Creates an empty count for an incarnation.
    pub const fn none(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            moved: 0,
            orphaned: 0,
        }
    }
}
