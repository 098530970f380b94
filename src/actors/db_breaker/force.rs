//! The breakers as people see and force them.

use std::time::Duration;

use actix::prelude::*;
use log::warn;

use super::{Breaker, DbBreakerActor};
use crate::domain::breaker::{BreakerName, BreakerState, Force};
use crate::domain::time::{Timestamp, WallTime};

/// A force a person has given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenForce {
    /// Which way.
    pub force: Force,
    /// Why, in that person's words.
    pub reason: String,
    /// When.
    pub since: WallTime,
}

/// A breaker as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerReport {
    /// Which.
    pub name: BreakerName,
    /// Its state, as it is in force.
    pub state: BreakerState,
    /// Since when.
    pub since: WallTime,
    /// Failures since the last success.
    pub failures: u32,
    /// How long until it is probed.
    pub next_probe: Option<Duration>,
    /// What a person has decided.
    pub forced: Option<GivenForce>,
}

impl BreakerReport {
    fn of(name: &BreakerName, breaker: &Breaker, now: Timestamp) -> Self {
        Self {
            name: name.clone(),
            state: breaker.machine.state(),
            since: breaker.since,
            failures: breaker.machine.failures(),
            next_probe: breaker.machine.next_probe().map(|at| at.since(now)),
            forced: breaker.forced.clone(),
        }
    }
}

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
pub struct ForceBreaker {
    /// Which.
    pub name: BreakerName,
    /// Which way; none: it is released.
    pub force: Option<Force>,
    /// Why.
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
