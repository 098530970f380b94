//! The plan for a snapshot.

use super::board::Board;
use super::chains::chain;
use super::input::{BalanceInput, BalanceMeasure};
use super::outcome::BalancePlan;
use super::search::{call_off_needless, settle};
use super::shares::Shares;
use crate::settings::BalanceLimits;

/// Plans the moves after which the fleet of a snapshot is balanced, or as near to that as its hard
/// limits allow. Plans none if it is balanced.
pub fn plan(input: &BalanceInput, limits: BalanceLimits, measure: BalanceMeasure) -> BalancePlan {
    let shares = Shares::of(input, limits, measure);
    if shares.is_balanced(input) {
        return BalancePlan::default();
    }
    let mut board = Board::new(input, shares);
    if board.pending.is_empty() {
        return BalancePlan::default();
    }
    if shares.is_uniform() {
        chain(&mut board);
        settle(&mut board);
    } else {
        settle(&mut board);
        call_off_needless(&mut board);
        board.look_again();
        settle(&mut board);
    }
    board.into_plan()
}
