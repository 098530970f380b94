//! Questions and orders of operators to the mass-failure brake.

use actix::prelude::*;

use super::actor::RecoveryActor;
use super::brake::BrakeReport;
use crate::domain::brake::{Order, OrderRefused};

/// Asks what the brake does.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "BrakeReport")]
pub struct AskBrake;

impl Handler<AskBrake> for RecoveryActor {
    type Result = MessageResult<AskBrake>;

    fn handle(&mut self, _: AskBrake, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.brake.report())
    }
}

/// An operator's order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<BrakeReport, OrderRefused>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct OrderBrake {
    /// What is to be done.
    pub order: Order,
    pub reason: String,
}

impl Handler<OrderBrake> for RecoveryActor {
    type Result = Result<BrakeReport, OrderRefused>;

    fn handle(&mut self, given: OrderBrake, ctx: &mut Self::Context) -> Self::Result {
        self.brake.order(given.order, given.reason)?;
        self.on_timer(ctx);
        Ok(self.brake.report())
    }
}
