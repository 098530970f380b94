//! The breakers as people see and force them.

use actix::prelude::*;
use log::warn;

use super::actor::DbBreakerActor;
use super::breaker::{BreakerReport, GivenForce};
use crate::domain::breaker::{BreakerName, Force};

/// How all breakers are.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<BreakerReport>")]
pub struct AskBreakers;

impl Handler<AskBreakers> for DbBreakerActor {
    type Result = Vec<BreakerReport>;

    fn handle(&mut self, _: AskBreakers, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.awake();
        let reports = self.breakers.iter();
        reports
            .map(|(name, breaker)| BreakerReport::of(name, breaker, now))
            .collect()
    }
}

/// Forces a breaker, or releases it; none if there is no such breaker.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "Option<BreakerReport>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct ForceBreaker {
    /// Which.
    pub name: BreakerName,
    /// Which way; none: it is released.
    pub force: Option<Force>,
    pub reason: String,
}

impl Handler<ForceBreaker> for DbBreakerActor {
    type Result = Option<BreakerReport>;

    fn handle(&mut self, order: ForceBreaker, ctx: &mut Self::Context) -> Self::Result {
        let ForceBreaker {
            name,
            force,
            reason,
        } = order;
        let since = self.clock.wall();
        let breaker = self.breakers.get_mut(&name)?;
        let way = force.map_or("none", Force::as_str);
        warn!(breaker:% = name, force = way, reason; "breaker {name} is forced: {way}");
        breaker.machine.force(force);
        breaker.forced = force.map(|force| GivenForce {
            force,
            reason,
            since,
        });
        self.publish(&name, None);
        self.arm(ctx);
        let breaker = self.breakers.get(&name)?;
        Some(BreakerReport::of(&name, breaker, self.clock.awake()))
    }
}
