//! Planned work: what operators and workers announce, so that no one is surprised.
//!
//! ```text
//!   cordon:       schedulable ──cordon──▶ cordoned ──uncordon, or `until`──▶ schedulable
//!
//!   drain:        active ──drain──▶ Draining ──each stream confirmed elsewhere──▶ Drained
//!                                      │  │ deadline                              │
//!                           cancelled ◀┘  └──▶ Expired (streams stay)             │
//!                                                                                 │
//!   maintenance:  drain first ─────────────────────────▶ Drained ──▶ maintenance ─┘ until a moment,
//!                                                        a registration, or an operator's order
//!
//!   goodbye:      active ──`back_in`──▶ maintenance with its streams reserved ──▶ back, or removed
//! ```
//!
//! All of it is saved in the row of the instance ([`Planned`]), so a start finds it at each step.
//!
//! *Messages.* `CordonInstance`, `UncordonInstance`, `DrainInstance`, `CancelDrain`, `PlanMaintenance`
//! and `SayGoodbye` are commands of callers. `planned_timer.rs` says what is due by itself; the
//! FleetActor turns it into the command `ContinuePlanned`, which is decided and saved like any other.
//! A drain does not remember what it will move: each step plans anew what is left, on the fleet as
//! it is then, and begins as many moves as the pace allows (`pace.rs`).
//!
//! *What can go wrong.* The orchestrator ends: the drain, its deadline and the moves under way are saved.
//! A step is lost or refused: it is due again after a while. A worker does not release a stream: the
//! hand-over is given up (`handover.rs`), and tried again for the drain until its deadline; then the
//! drain has *expired* and the stream stays. Streams fit nowhere: the drain is rejected and names
//! them, unless it is forced; a forced one leaves them without an owner at the deadline. The instance
//! fails while it drains: its recovery moves its streams, and the drain is over when they have
//! confirmed owners. It fails after it has drained: its silence was expected. A new owner never
//! confirms: the drain does not say that it has drained, and expires.
//!
//! A recovery never waits for planned work, and an emergency is possible at any time.

mod absence;
mod cordon;
mod drain;
mod orders;
mod removal;
mod requester;
mod roll;

pub use absence::{Absence, AbsenceEnd};
pub use cordon::Cordon;
pub use drain::{Drain, DrainState};
pub use orders::Planned;
pub use removal::RemovalOrder;
pub use requester::Requester;
pub use roll::{Roll, RollInstance, RollState, RollStep, RollWait, Sight};
