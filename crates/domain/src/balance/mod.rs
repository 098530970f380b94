//! Balance: few moves of streams after which every instance is near its fair share.
//!
//! # Words
//!
//! The *share* of an instance is the total weight × its limit / the sum of limits, over the
//! instances that take streams; its limit is `capacity`, else `max_streams`. An instance is *in
//! its band* if what it holds differs from its share by at most [`crate::settings::BalanceLimits`] allow:
//! two streams, less on a small instance. `shares.rs` says when a fleet is balanced, so that nothing
//! moves, and what the band is that a plan aims at otherwise.
//!
//! # States
//!
//! A plan has none: it is arithmetic on a snapshot (`input.rs`), in which moves that are under way
//! count as done. The same snapshot gives the same plan, and a plan for its own result is empty. A
//! stream moves at most once.
//!
//! # How it is found
//!
//! `board.rs` holds who has what. `search.rs` moves a stream, or swaps two, as long as that brings
//! instances nearer to their bands. Before it, `chains.rs` looks for moves in which one stream makes room
//! for another: only if all movable streams weigh the same, have at least two kinds of requirements, and
//! the instances times those kinds are at most 20,000.
//!
//! # How short a plan is
//!
//! | movable streams | number of moves |
//! | --- | --- |
//! | of one weight, with one kind of requirement or none | the least possible: each move takes a surplus or fills a deficit, and both if there are both |
//! | of one weight, with several kinds, up to 20,000 pairs of an instance and a kind | the least possible, by `chains.rs` |
//! | of one weight, with more pairs than that | no single move or swap improves it; it may be longer, or end farther from the bands |
//! | of different weights | the same |
//!
//! The search looks at up to 64 partners of an instance, those farthest on the other side that can take
//! a stream of it. For the instances that are left outside of their bands it looks at all partners,
//! unless these are more than 4,000,000 pairs.
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
pub use report::{BalanceReport, BalanceStatistics, InstanceBalance};
pub use running::{NextMoves, Rebalance};
pub use shares::{Band, FairShare, Shares};
pub use stats::BalanceStats;
pub use survey::{BalanceScope, survey};

#[cfg(test)]
mod tests;
