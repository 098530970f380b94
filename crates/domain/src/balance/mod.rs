//! Balance: the fewest moves of streams after which every instance has its fair share.
//!
//! # Words
//!
//! The *share* of an instance is the total weight × its limit / the sum of limits, over the
//! instances that take streams; its limit is `capacity`, else `max_streams`. An instance is *in
//! its band* if what it holds differs from its share by at most [`crate::settings::BalanceLimits`] allow
//! (`shares.rs`): two streams, less on a small instance. A fleet is balanced if every
//! instance is in its band.
//!
//! # States
//!
//! A plan has none: it is arithmetic on a snapshot (`input.rs`), in which moves that are under way
//! count as done. The same snapshot gives the same plan, and a plan for its own result is empty. A
//! stream moves at most once.
//!
//! # How it is found
//!
//! `board.rs` holds who has what. If all streams weigh the same and some have requirements,
//! `chains.rs` finds the least possible number of moves, also where one stream must make room for
//! another. `search.rs` does the rest: it moves a stream, or swaps two, as long as that brings
//! instances nearer to their bands. If all streams weigh the same, that is the least possible
//! number of moves as well: each move takes a surplus or fills a deficit, and both if there are both.
//!
//! # What can go wrong
//!
//! Hard limits (`requires`, `max_streams`, `capacity`, an instance that takes nothing, a stream that
//! stays) can make the bands unreachable: then the plan comes as near as single moves and swaps can.
//! A fleet that changes after the snapshot makes single moves wrong, so each one is checked again
//! when it begins.

mod balancer;
mod blocked;
mod board;
mod chains;
mod input;
mod order;
mod outcome;
mod patience;
mod planner;
mod report;
mod running;
mod search;
mod shares;
mod stats;
mod survey;

pub use balancer::{Balancer, Due};
pub use blocked::Blocked;
pub use input::{BalanceInput, BalanceInstance, BalanceMeasure, BalanceRole, BalanceStream};
pub use outcome::{BalanceMove, BalancePlan, BalanceReason, MoveState};
pub use planner::plan;
pub use report::{BalanceReport, InstanceBalance};
pub use running::{NextMoves, Rebalance};
pub use shares::{Band, FairShare, Shares};
pub use stats::BalanceStats;
pub use survey::{BalanceScope, survey};

#[cfg(test)]
mod tests;
