//! Failsafe: how a leader proves its term while no orchestrator reaches the database.
//!
//! ```text
//!   leader: a renewal failed ──▶ FailsafeRound::begin ──▶ asks each member that may take over
//!                                                          │
//!   member: FailsafeRecord::answer ◀───────────────────────┘
//!                │ yes, or why not
//!                ▼
//!   leader: FailsafeRound::judge ── all say yes ──▶ a proof, anchored at the moment before the first question
//!                                └─ one does not ─▶ no proof
//! ```
//!
//! A process that may take over a held term is in the leader's set (`admission`), is another process of the leader's
//! own node, or waits for longer than the horizon. If each process of the set says after a moment that it has not taken
//! over, then none had at that moment, so the moment is as good as the anchor of a renewal. One process that does
//! not answer may be the one that has taken over. So all of them are asked, and a majority proves nothing.
//! `docs/LEADERSHIP.md` has the whole argument.

mod question;
mod record;
mod round;

pub use self::question::{FailsafeAnswer, FailsafeMember, FailsafeQuestion, FailsafeRefusal};
pub use self::record::FailsafeRecord;
pub use self::round::{FailsafeRound, Unconfirmed, UnconfirmedCause};

#[cfg(test)]
mod tests;
