//! One breaker, with what is reported of it.

use std::time::Duration;

use super::gate::Shown;
use crate::domain::breaker::{BreakerMachine, BreakerName, BreakerState, Force};
use crate::domain::time::{Timestamp, WallTime};

/// How a breaker is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// By asking whether the store is there.
    Ping,
    /// By the owner of the guard, with a transaction that changes nothing.
    Guarded,
}

/// One breaker with what is published of it.
#[derive(Debug)]
pub(super) struct Breaker {
    pub(super) machine: BreakerMachine,
    pub(super) probe: Probe,
    pub(super) is_probing: bool,
    /// When the first of the failures since the last success was.
    pub(super) failing_since: Option<WallTime>,
    pub(super) forced: Option<GivenForce>,
    /// Whether the last answer was that the file of the store is not where it was opened.
    pub(super) file_replaced: bool,
    /// The state that listeners and gauges got last.
    pub(super) told: (BreakerState, Option<Force>, bool),
    pub(super) since: WallTime,
}

impl Breaker {
    pub(super) fn new(machine: BreakerMachine, probe: Probe, now: WallTime) -> Self {
        Self {
            told: (machine.state(), None, false),
            machine,
            probe,
            is_probing: false,
            failing_since: None,
            forced: None,
            file_replaced: false,
            since: now,
        }
    }

    pub(super) fn shown(&self) -> Shown {
        let lets_through = self.machine.lets_through();
        let forced_since = self.forced.as_ref().map(|forced| forced.since);
        Shown {
            lets_through,
            answers: lets_through && self.machine.failures() == 0,
            out_since: self.failing_since.or(forced_since),
            file_replaced: self.file_replaced,
            next_probe: match self.machine.state() {
                // It is under way.
                BreakerState::HalfOpen => Some(Timestamp::ZERO),
                BreakerState::Closed | BreakerState::Open => self.machine.next_probe(),
            },
        }
    }
}

/// A force a person has given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct GivenForce {
    /// Which way.
    pub force: Force,
    /// Why, in that person's words.
    pub reason: String,
    pub since: WallTime,
}

/// A breaker as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BreakerReport {
    /// Which.
    pub name: BreakerName,
    /// Its state, as it is in force.
    pub state: BreakerState,
    pub since: WallTime,
    /// Failures since the last success.
    pub failures: u32,
    /// How long until it is probed.
    pub next_probe: Option<Duration>,
    /// What a person has decided.
    pub forced: Option<GivenForce>,
}

impl BreakerReport {
    pub(super) fn of(name: &BreakerName, breaker: &Breaker, now: Timestamp) -> Self {
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
