//! The single writer of everything that is saved about the fleet.
//!
//! ```text
//!            command                     Ok            batch committed, callers answered
//!   Idle ─────────────▶ Saving ────────────────────▶ Idle, or Saving the next batch
//!                         │ certainly not saved        batch undone, callers refused
//!                         │ content refused            batch undone, commands tried one by one
//!                         │ outcome unknown
//!                         ▼
//!                      InDoubt ──committed / defeated─▶ Idle
//! ```
//!
//! Commands that arrive while a transaction is under way wait in the queue and are then decided
//! in order and saved together. While the breaker of the store's writes is open, nothing but its
//! probes is saved: a command that would change something is refused at once (`breaker.rs`).
//! Questions are answered at any time, from what is saved. The
//! caller of a command is answered only after the save. The registry shows it before that, and then [`Committed`]
//! announces it to every listener. If
//! another orchestrator has taken the term, or the store has moved without us, the process ends:
//! what it believes is worth nothing any more, and the next start loads the truth. While the leader takes a new
//! term on a promoted database, no transaction begins (`holding.rs`).

mod actor;
mod breaker;
mod census;
mod committed;
mod continuing;
mod copying;
mod filling;
mod holding;
mod pairing;
mod planning;
mod publishing;
mod queue;
mod requests;

pub use actor::{FleetActor, FleetLinks};
pub use census::CompareWithStore;
pub use committed::Committed;
pub use copying::SavedCopy;
pub use pairing::CopySaved;
pub use queue::{COMMAND_WAIT_LIMIT, MAX_WAITING};
pub use requests::{Ask, AskVersion, Drain, Execute, ExecuteFor, ProveLife, SavedVersion};
