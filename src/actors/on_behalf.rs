//! Orders to actors with the request that gave them: what is logged and commanded because of them names it.
//!
//! The context of a request belongs to its task, and an actor handles messages in a task of its own. So it
//! travels with the message, and is the context again while the message is handled. A handler that goes on
//! later keeps `logging::current()`.

use actix::prelude::*;

use super::access::{AccessActor, CreateKey, RevokeKey};
use super::alerts::{Acknowledge, AddSilence, AlertBookActor, EndSilence};
use super::balance::{BalanceActor, OrderRebalance};
use super::db_breaker::{DbBreakerActor, ForceBreaker};
use super::recovery::{
    ForceRecovery, OrderBrake, RecoveryActor, Remove, ReportFailure, StartEmergency,
};
use crate::domain::request::RequestContext;
use crate::logging;

/// An order, and the request that gave it, if one did.
#[derive(Debug, Clone)]
pub struct OnBehalf<M> {
    order: M,
    request: Option<RequestContext>,
}

impl<M> OnBehalf<M> {
    /// Returns an order of the request that is being served.
    pub fn of_current(order: M) -> Self {
        Self {
            order,
            request: logging::current(),
        }
    }

    fn handled_by<A: Handler<M>>(self, actor: &mut A, ctx: &mut A::Context) -> A::Result
    where
        M: Message,
    {
        let Self { order, request } = self;
        logging::sync_within(request.as_ref(), || actor.handle(order, ctx))
    }
}

impl<M: Message> Message for OnBehalf<M> {
    type Result = M::Result;
}

/// Has an actor take orders with their requests. Each order is named: an implementation for every message
/// would be one for `OnBehalf` itself, without end.
macro_rules! takes_on_behalf {
    ($actor:ty: $($order:ty),+) => {$(
        impl Handler<OnBehalf<$order>> for $actor {
            type Result = <Self as Handler<$order>>::Result;

            fn handle(
                &mut self,
                order: OnBehalf<$order>,
                ctx: &mut Self::Context,
            ) -> Self::Result {
                order.handled_by(self, ctx)
            }
        }
    )+};
}

takes_on_behalf!(RecoveryActor: ReportFailure, Remove, ForceRecovery, StartEmergency, OrderBrake);
takes_on_behalf!(AccessActor: CreateKey, RevokeKey);
takes_on_behalf!(AlertBookActor: Acknowledge, AddSilence, EndSilence);
takes_on_behalf!(BalanceActor: OrderRebalance);
takes_on_behalf!(DbBreakerActor: ForceBreaker);
