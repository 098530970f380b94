//! Leading: the newest proof of this orchestrator's term, and the renewals that make it.
//!
//! ```text
//!   answer that needs a proof ── Prover::after ──▶ waits ◀── publishes ── renew ──▶ leadership row
//!                                      └──────── wakes ────────────────────▲
//! ```
//!
//! A process becomes the leader as a [`Candidate`], and holds its term as an [`Office`].
//!
//! [`Prover`] holds the moment at which the newest renewal was sent that found the term unchanged.
//! Every answer that starts, stops, denies or judges something asks it for a proof that is younger
//! than the request ([`Prover::after`]); everything else reads how old the newest proof is.
//! `renew` renews the row of the database, at a fixed pace and at once for an answer that waits. A
//! store with one process only (SQLite, memory) needs no renewals: there the proof is always now.
//!
//! While it waits, a candidate writes what it hears for a leader that it does not reach (`witnesses`), and reads the
//! fleet ahead once the leader is silent ([`Prepared`]). A leader hands its term over on purpose (`orders`), or to an
//! orchestrator that hears much more (`ears`), and forgets members that are gone (`orders`).
//!
//! Failures: a renewal that fails or takes too long leaves the newest proof where it is, so leases
//! shrink and answers are withheld, unless each orchestrator that may take over confirms that this one
//! leads (`failsafe`, `confirming`); one that finds another term ends the work as the leader, and the process goes on as a
//! standby, with what `succeeding` keeps. One that finds a promoted
//! database proves nothing, and leads to a new term there (`promoted`).

mod ahead;
mod calls;
mod candidacy;
mod confirming;
mod ears;
mod failsafe;
mod hearing;
mod holding;
mod neighbourhood;
mod notices;
mod office;
mod orders;
mod promoted;
mod prover;
mod reach;
mod renewals;
mod succeeding;
mod surroundings;
mod view;
mod witnesses;

pub use ahead::Prepared;
pub use calls::FailsafeCalls;
pub use candidacy::Candidate;
pub(super) use ears::{Ears, HandsOver};
pub(super) use holding::Holding;
pub use holding::{Held, Hold, Restore, Resume};
pub use notices::{Notices, TooManyNotices};
pub use office::Office;
pub(super) use office::Seat;
pub use orders::{ForgetError, StepDownError, StepDownTo};
pub use prover::{NotProven, Prover};
pub use surroundings::{CandidacyError, Neighbours, Surroundings, Won};
pub use view::{
    Barred, Cluster, ClusterView, FailsafeSpan, Identity, MemberFacts, TakeOverOrder, TookOver,
};
pub(super) use witnesses::WitnessReader;
