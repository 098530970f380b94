//! A circuit breaker: after failures in a row something is left alone, and tried again by one
//! probe at a time.
//!
//! ```text
//!   Closed ──threshold failures in a row──▶ Open ──probe due──▶ HalfOpen
//!     ▲                                      ▲                     │
//!     │                                      └─failed, or too late─┤
//!     └───────────────────── succeeded ────────────────────────────┘
//! ```
//!
//! The first probe is due a second after opening; each further wait doubles, up to a limit. A
//! probe that has said nothing for [`BreakerSettings::probe_limit`] has failed. Only what is
//! known to be out counts: content that was refused is an answer, and a call that was given up
//! without one is a failure; both are for the shell to tell.
//!
//! A breaker that is closed but has just failed, or whose neighbour did ([`BreakerMachine::suspect`]),
//! can be looked at by itself, so that nobody has to call in order to find out. That is a
//! [`BreakerEffect::Probe`] too, and its failures count like any other.
//!
//! A person may force it open or closed. Below the force the machine goes on hearing outcomes,
//! but probes nothing; when it is released, it is where those outcomes have led it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::BreakerSettings;
use super::time::Timestamp;

/// The wait before the first probe, and before a closed breaker is looked at.
const FIRST_PROBE: Duration = Duration::from_secs(1);

/// What a breaker stands before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BreakerName(Cow<'static, str>);

impl BreakerName {
    /// Everything that is read from the store.
    pub const STORE_READS: Self = Self(Cow::Borrowed("store_reads"));
    /// Everything that is written to the store.
    pub const STORE_WRITES: Self = Self(Cow::Borrowed("store_writes"));

    /// Any name; whether there is such a breaker is another question.
    pub fn new(name: impl Into<String>) -> Self {
        Self(Cow::Owned(name.into()))
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BreakerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// All is well, as far as is known.
    Closed,
    /// Failing; nobody asks until the next probe.
    Open,
    /// A probe is under way.
    HalfOpen,
}

impl BreakerState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The state as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What a person has decided over the machine's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// Nothing gets through, and nothing is probed.
    Open,
    /// Everything gets through, whatever comes of it.
    Closed,
}

impl Force {
    /// The force as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// What the machine noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerEffect {
    /// It opened.
    Opened,
    /// It closed.
    Closed,
    /// Probe now, and report how it went.
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

/// Whether a closed breaker is being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// There is no need.
    Idle,
    /// A probe is due.
    Due(Timestamp),
    /// A probe is under way, and has failed if it says nothing until then.
    UnderWay(Timestamp),
}

impl BreakerMachine {
    /// A closed breaker.
    pub const fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            looks_closer: false,
            failures: 0,
            state: State::Closed { look: Look::Idle },
            forced: None,
        }
    }

    /// A closed breaker that has a failure looked at by a probe, instead of waiting for somebody
    /// to call: for what is called rarely and costs nothing to probe.
    pub const fn that_looks_closer(settings: BreakerSettings) -> Self {
        Self {
            looks_closer: true,
            ..Self::new(settings)
        }
    }

    /// The state, as it is in force.
    pub const fn state(&self) -> BreakerState {
        match (self.forced, &self.state) {
            (Some(Force::Open), _) | (None, State::Open { .. }) => BreakerState::Open,
            (Some(Force::Closed), _) | (None, State::Closed { .. }) => BreakerState::Closed,
            (None, State::HalfOpen { .. }) => BreakerState::HalfOpen,
        }
    }

    /// Whether calls are let through. Probes are not asked.
    pub const fn lets_through(&self) -> bool {
        matches!(self.state(), BreakerState::Closed)
    }

    /// How many failures there were since the last success.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// What a person has decided.
    pub const fn forced(&self) -> Option<Force> {
        self.forced
    }

    /// When an open breaker is probed next; none while it is forced, or probed already.
    pub const fn next_probe(&self) -> Option<Timestamp> {
        match (self.forced, &self.state) {
            (None, State::Open { probe_at, .. }) => Some(*probe_at),
            _ => None,
        }
    }

    /// Something went well. Only a probe closes an open breaker early on purpose, but a success
    /// is a success: whoever got through proves that it is back.
    pub fn succeeded(&mut self) -> Option<BreakerEffect> {
        let was_closed = matches!(self.state, State::Closed { .. });
        self.failures = 0;
        self.state = State::Closed { look: Look::Idle };
        (!was_closed).then_some(BreakerEffect::Closed)
    }

    /// Something failed, or was given up without an answer.
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
            // A call that was under way when it opened.
            State::Open { .. } => None,
        }
    }

    fn open(&mut self, wait: Duration, now: Timestamp) {
        self.state = State::Open {
            wait,
            probe_at: now + wait,
        };
    }

    /// Something that is likely to share its fate is out: if it is closed and looks closer, it is
    /// probed at the next look at the time.
    pub fn suspect(&mut self, now: Timestamp) {
        if self.looks_closer
            && let State::Closed { look } = &mut self.state
            && *look == Look::Idle
        {
            *look = Look::Due(now);
        }
    }

    /// Holds it open or closed, or lets it go where its outcomes have led it.
    pub fn force(&mut self, force: Option<Force>) {
        self.forced = force;
    }

    /// Looks at the time. Safe at any time.
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

    /// When the time is to be looked at next. A probe under way has its limit although the
    /// breaker is forced; none is begun.
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
