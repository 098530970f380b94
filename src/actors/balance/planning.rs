//! A plan on a copy of the fleet.

use std::collections::BTreeSet;

use actix::Addr;

use crate::actors::archive::BUILT_AT_ONCE;
use crate::actors::fleet::{CopySaved, FleetActor};
use crate::actors::refusal::Refusal;
use crate::domain::balance::{BalanceReport, Rebalance, survey};
use crate::domain::ids::StreamId;
use crate::domain::invariants::check_fleet;
use crate::domain::settings::BalanceLimits;

/// What was planned on a copy of the fleet.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) report: BalanceReport,
    /// How many planned moves were under way.
    pub(super) under_way: usize,
    /// Whether the invariants hold.
    pub(super) is_consistent: bool,
}

/// Plans on a copy of the saved fleet, on another thread if it is large.
///
/// # Errors
/// Only while the system ends.
pub(super) async fn planned(
    fleet: Addr<FleetActor>,
    what: Rebalance,
    held_back: BTreeSet<StreamId>,
    limits: BalanceLimits,
) -> Result<Made, Refusal> {
    let copy = fleet.send(CopySaved { under: None }).await;
    let copy = copy.ok().flatten().ok_or(Refusal::ShuttingDown)?;
    let is_small = copy.rows.len() <= BUILT_AT_ONCE;
    let work = move || {
        let fleet = copy.rows.into_fleet();
        let input = survey(&fleet, what.scope, &held_back);
        Made {
            report: BalanceReport::of(&input, limits, what.method.into()),
            under_way: fleet.moves_under_way(),
            is_consistent: check_fleet(&fleet).iter().all(|check| check.holds),
        }
    };
    if is_small {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Refusal::ShuttingDown)
}
