//! What operators ask of the BalanceActor.

use actix::prelude::*;

use super::actor::BalanceActor;
use super::pending::{BalanceRefusal, PendingOrder, Rebalanced};
use super::planning::planned;
use crate::actors::refusal::Refusal;
use crate::domain::balance::{BalanceReport, BalanceScope, BalanceStats, Rebalance};
use crate::domain::reason::{RebalanceMethod, RebalanceReason};

/// Orders a rebalance. The streams of classic owners move too.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Rebalanced, BalanceRefusal>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct OrderRebalance {
    pub method: RebalanceMethod,
    pub reason: RebalanceReason,
    /// Whether it is only planned.
    pub is_dry_run: bool,
}

impl Handler<OrderRebalance> for BalanceActor {
    type Result = ResponseFuture<Result<Rebalanced, BalanceRefusal>>;

    fn handle(&mut self, order: OrderRebalance, ctx: &mut Self::Context) -> Self::Result {
        let what = Rebalance {
            method: order.method,
            reason: order.reason,
            scope: BalanceScope::All,
        };
        let now = self.links.clock.now();
        let (order, waiter) = PendingOrder::new(what, order.is_dry_run, now);
        self.orders.push_back(order);
        self.take_order(ctx);
        Box::pin(async move {
            let ended = Err(BalanceRefusal::Refused(Refusal::ShuttingDown));
            waiter.await.unwrap_or(ended)
        })
    }
}

/// The balance of the fleet, and whether its invariants hold.
#[derive(Debug, Clone)]
pub struct BalanceState {
    /// The balance, with what an order would move.
    pub report: BalanceReport,
    /// Whether the invariants hold in memory.
    pub is_consistent: bool,
    /// How many planned moves are under way.
    pub under_way: usize,
}

/// Asks how balanced the fleet is.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<BalanceState, Refusal>")]
pub struct AskBalance;

impl Handler<AskBalance> for BalanceActor {
    type Result = ResponseFuture<Result<BalanceState, Refusal>>;

    fn handle(&mut self, _: AskBalance, _: &mut Self::Context) -> Self::Result {
        let what = Rebalance {
            method: RebalanceMethod::Smart,
            reason: RebalanceReason::Manual,
            scope: BalanceScope::All,
        };
        let held_back = self.balancer.held_back(self.links.clock.now());
        let limits = self.balancer.settings().limits;
        let plan = planned(self.links.fleet.clone(), what, held_back, limits);
        Box::pin(async move {
            let made = plan.await?;
            Ok(BalanceState {
                report: made.report,
                is_consistent: made.is_consistent,
                under_way: made.under_way,
            })
        })
    }
}

/// Asks what rebalances have done since the start of the program.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "BalanceStats")]
pub struct AskBalanceStats;

impl Handler<AskBalanceStats> for BalanceActor {
    type Result = MessageResult<AskBalanceStats>;

    fn handle(&mut self, _: AskBalanceStats, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.balancer.stats())
    }
}
