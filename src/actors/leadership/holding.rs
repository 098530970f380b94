//! The fleet holds its changes while the leader takes a new term on a promoted database.
//!
//! ```text
//!   renewals ── Hold ──▶ fleet: begins no transaction ──▶ Held { acknowledged } once none is under way
//!   renewals ── Restore ─▶ fleet: writes lost changes again under the new term ──▶ its guard, or the error
//!   renewals ── Resume ──▶ fleet: goes on under the new term
//! ```
//!
//! Commands wait meanwhile, and are refused once they have waited too long. A transaction whose outcome is
//! unknown is settled by what the promoted database has. If no `Resume` follows, the process ends.

use actix::prelude::*;

use crate::domain::ids::{Epoch, Version};
use crate::store::{Guard, StoreError};

/// Begins no transaction from now on; answered once none is under way.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<Held>")]
pub struct Hold;

/// No transaction is under way, and none begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The newest version that was acknowledged.
    pub acknowledged: Version,
    /// Every change after this version, up to the acknowledged one, is kept.
    pub kept_since: Version,
}

/// Writes again what the promoted database lacks. Answered once it has everything that was acknowledged, with the
/// new term and the acknowledged version.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Guard, StoreError>")]
pub struct Restore {
    /// The new term, and the version that the database has.
    pub guard: Guard,
    /// The last epoch that counts as used.
    pub counter: Epoch,
}

/// Goes on under a new term.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Resume {
    /// The new term, and the version that the database has.
    pub guard: Guard,
    /// The last epoch that counts as used.
    pub counter: Epoch,
}

/// The way to the actor that holds.
#[derive(Debug, Clone)]
pub(in crate::actors) struct Holding {
    pub(in crate::actors) hold: Recipient<Hold>,
    pub(in crate::actors) restore: Recipient<Restore>,
    pub(in crate::actors) resume: Recipient<Resume>,
}
