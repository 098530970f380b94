//! Decides whether, when and how fast to recover; never what moves where.
//!
//! A timeout first asks the mass-failure brake (`brake.rs`), which may hold it back. Then: woken
//! by silence, by a person, by the store's return, by a start and by the sweep; each time it takes
//! the same path: look at the instance anew, fence it, open an incident, have the fleet plan, apply
//! and save, verify, end the incident. What could not be saved is tried again later. The order is
//! in the types of `domain/recovery`; what is under way is in its machine.
//!
//! `silences` asks other orchestrators before an instance fails for silence; `reconfirm` takes the first steps, `attempt` the
//! others, and `outcome` decides what follows; `finish` is what is left once the moves are saved; `orders` and `emergency` are
//! what people ask for, `plan` says what an order would do, `record` is what is written down afterwards
//! and taken up after a start, `departure` is who leaves for good, `sweep` finds what was lost, `scorer` collects what machines say of
//! themselves.

mod actor;
mod attempt;
mod brake;
mod brake_orders;
mod check;
mod departure;
mod due;
mod emergency;
mod finish;
mod fleet_calls;
mod links;
mod orders;
mod outcome;
mod plan;
mod reconfirm;
mod record;
mod scorer;
mod silences;
mod stopwatch;
mod sweep;
mod under_way;
mod waiters;
mod walk;

pub use actor::RecoveryActor;
pub use brake::{BrakeReport, GivenOrder};
pub use brake_orders::{AskBrake, OrderBrake};
pub use departure::{Departure, Remove};
pub use emergency::StartEmergency;
pub use links::{RecoveryLinks, RecoverySettings};
pub use orders::{ForceRecovery, ReportFailure};
pub use plan::{AskRecoveryPlan, PlannedFor, PlannedRecovery};
pub use under_way::AskUnderWay;
pub use waiters::{EmergencyReport, Forced};
