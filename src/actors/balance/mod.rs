//! Keeps the fleet balanced: by itself after a join or a return, and on order.
//!
//! The rules are in `domain/balance`: when, what moves, and what follows. This room carries them out.
//! `planning` makes a plan on a copy of the fleet, on another thread, so no command waits for it;
//! `moving` begins its moves, a few at a time; `orders` has what operators ask for; `blocked` asks
//! whether something more urgent is under way.

mod actor;
mod blocked;
mod links;
mod moving;
mod orders;
mod pending;
mod planning;

pub use actor::BalanceActor;
pub use links::BalanceLinks;
pub use orders::{AskBalance, AskBalanceStats, BalanceState, OrderRebalance};
pub use pending::{BalanceRefusal, Rebalanced};
