//! A circuit breaker: after failures in a row the dependency is no longer called, and one probe at
//! a time finds out whether it is back.
//!
//! ```text
//!   Closed ──threshold failures in a row──▶ Open ──probe due──▶ HalfOpen
//!     ▲                                      ▲                     │
//!     │                                      └─failed, or too late─┤
//!     └───────────────────── succeeded ────────────────────────────┘
//! ```
//!
//! The first probe is due a second after opening; each further wait doubles, up to a limit. A probe
//! without a result for [`BreakerSettings::probe_limit`] has failed. Only an outage counts as a
//! failure: content that was refused is an answer, and a call that was abandoned without an answer
//! is a failure. The caller reports which of the two happened.
//!
//! A breaker that is closed but has just failed, or whose neighbour did
//! ([`BreakerMachine::suspect`]), can be probed by itself, so that an outage is detected without a
//! call. That is a [`BreakerEffect::Probe`] too, and its failures count like any other.
//!
//! An operator may force it open or closed. While it is forced the machine still counts outcomes,
//! but probes nothing; when the force ends, the breaker is in the state to which those outcomes
//! have led.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::BreakerSettings;
use super::time::Timestamp;

/// The wait before the first probe, and before a closed breaker is probed.
const FIRST_PROBE: Duration = Duration::from_secs(1);

/// The name of a dependency that a breaker protects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BreakerName(Cow<'static, str>);

impl BreakerName {
    /// Everything that is read from the store.
    pub const STORE_READS: Self = Self(Cow::Borrowed("store_reads"));
    /// Everything that is written to the store.
    pub const STORE_WRITES: Self = Self(Cow::Borrowed("store_writes"));

    /// Creates a name. Whether a breaker of this name exists is not checked here.
    pub fn new(name: impl Into<String>) -> Self {
        Self(Cow::Owned(name.into()))
    }

    /// Returns the name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BreakerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether calls reach the dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// The dependency answers, as far as is known.
    Closed,
    /// The dependency fails; no call is made until the next probe.
    Open,
    /// A probe is under way.
    HalfOpen,
}

impl BreakerState {
    /// Every state, in the order of a full cycle.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Returns the word used in answers, events and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The state that an operator has forced upon a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// No call is let through, and nothing is probed.
    Open,
    /// Every call is let through, whatever its outcome.
    Closed,
}

impl Force {
    /// Returns the word used in requests, answers and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// What the caller must do or announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerEffect {
    /// The breaker opened.
    Opened,
    /// The breaker closed.
    Closed,
    /// Send a probe now, and report its outcome.
    Probe,
}

/// One breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerMachine {
    settings: BreakerSettings,
    looks_closer: bool,
    failures: u32,
    state: State,
    forced: Option<Force>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Closed { look: Look },
    Open { wait: Duration, probe_at: Timestamp },
    HalfOpen { wait: Duration, until: Timestamp },
}

/// Whether a closed breaker is being probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// No probe is needed.
    Idle,
    /// A probe is due.
    Due(Timestamp),
    /// A probe is under way; without a result by then it has failed.
    UnderWay(Timestamp),
}

impl BreakerMachine {
    /// Creates a closed breaker.
    pub const fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            looks_closer: false,
            failures: 0,
            state: State::Closed { look: Look::Idle },
            forced: None,
        }
    }

    /// Creates a closed breaker that probes after a failure, instead of waiting for the next call:
    /// for calls that are rare and cheap to probe.
    pub const fn that_looks_closer(settings: BreakerSettings) -> Self {
        Self {
            looks_closer: true,
            ..Self::new(settings)
        }
    }

    /// Returns the state that is in force.
    pub const fn state(&self) -> BreakerState {
        match (self.forced, &self.state) {
            (Some(Force::Open), _) | (None, State::Open { .. }) => BreakerState::Open,
            (Some(Force::Closed), _) | (None, State::Closed { .. }) => BreakerState::Closed,
            (None, State::HalfOpen { .. }) => BreakerState::HalfOpen,
        }
    }

    /// Returns whether calls are let through. Probes do not need it.
    pub const fn lets_through(&self) -> bool {
        matches!(self.state(), BreakerState::Closed)
    }

    /// Returns how many failures there were since the last success.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns the state that an operator has forced, if any.
    pub const fn forced(&self) -> Option<Force> {
        self.forced
    }

    /// Returns when an open breaker is probed next; `None` while it is forced or being probed.
    pub const fn next_probe(&self) -> Option<Timestamp> {
        match (self.forced, &self.state) {
            (None, State::Open { probe_at, .. }) => Some(*probe_at),
            _ => None,
        }
    }

    /// Notes a success. Any success closes an open breaker, because it proves that the dependency
    /// is back.
    pub fn succeeded(&mut self) -> Option<BreakerEffect> {
        let was_closed = matches!(self.state, State::Closed { .. });
        self.failures = 0;
        self.state = State::Closed { look: Look::Idle };
        (!was_closed).then_some(BreakerEffect::Closed)
    }

    /// Notes a failure, or a call that was abandoned without an answer.
    pub fn failed(&mut self, now: Timestamp) -> Option<BreakerEffect> {
        self.failures = self.failures.saturating_add(1);
        match self.state {
            State::Closed { .. } if self.failures < self.settings.threshold => {
                let look = if self.looks_closer {
                    Look::Due(now + FIRST_PROBE)
                } else {
                    Look::Idle
                };
                self.state = State::Closed { look };
                None
            }
            State::Closed { .. } => {
                self.open(FIRST_PROBE, now);
                Some(BreakerEffect::Opened)
            }
            State::HalfOpen { wait, .. } => {
                let longest = self.settings.max_probe_interval.max(FIRST_PROBE);
                self.open((wait * 2).min(longest), now);
                None
            }
            // The call began before the breaker opened.
            State::Open { .. } => None,
        }
    }

    fn open(&mut self, wait: Duration, now: Timestamp) {
        self.state = State::Open {
            wait,
            probe_at: now + wait,
        };
    }

    /// Notes that a related dependency is out: a closed breaker that probes after failures is
    /// probed at the next check of the time.
    pub fn suspect(&mut self, now: Timestamp) {
        if self.looks_closer
            && let State::Closed { look } = &mut self.state
            && *look == Look::Idle
        {
            *look = Look::Due(now);
        }
    }

    /// Forces the breaker open or closed, or ends the force.
    pub fn force(&mut self, force: Option<Force>) {
        self.forced = force;
    }

    /// Checks the time. May be called at any time.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Option<BreakerEffect> {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let until = now + self.settings.probe_limit;
        match self.state {
            State::Open { wait, .. } => {
                self.state = State::HalfOpen { wait, until };
                Some(BreakerEffect::Probe)
            }
            State::Closed {
                look: Look::Due(_), ..
            } => {
                let look = Look::UnderWay(until);
                self.state = State::Closed { look };
                Some(BreakerEffect::Probe)
            }
            // The probe never answered.
            State::HalfOpen { .. } | State::Closed { .. } => self.failed(now),
        }
    }

    /// Returns when the time must be checked next. A probe under way keeps its limit while the
    /// breaker is forced; no probe is begun.
    pub const fn next_deadline(&self) -> Option<Timestamp> {
        match (self.forced, &self.state) {
            (_, State::HalfOpen { until, .. }) => Some(*until),
            (
                _,
                State::Closed {
                    look: Look::UnderWay(until),
                },
            ) => Some(*until),
            (
                None,
                State::Open { probe_at: at, .. }
                | State::Closed {
                    look: Look::Due(at),
                },
            ) => Some(*at),
            (Some(_), State::Open { .. } | State::Closed { .. })
            | (
                None,
                State::Closed {
                    look: Look::Idle, ..
                },
            ) => None,
        }
    }
}

#[cfg(test)]
mod tests;
