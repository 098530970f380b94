//! A circuit breaker: after failures in a row something is left alone, and tried again by one
//! probe at a time.
//!
//! ```text
//!   Closed ──threshold failures in a row──▶ Open ──probe due──▶ HalfOpen
//!     ▲                                      ▲                     │
//!     │                                      └──── probe failed ───┤
//!     └───────────────────── probe succeeded ──────────────────────┘
//! ```
//!
//! The first probe is due a second after opening; each further wait doubles, up to a limit.

use std::time::Duration;

use super::settings::BreakerSettings;
use super::time::Timestamp;

/// The wait before the first probe.
const FIRST_PROBE: Duration = Duration::from_secs(1);

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// All is well, as far as is known.
    Closed,
    /// Failing; nobody asks until the next probe.
    Open,
    /// A probe is under way.
    HalfOpen,
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
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { wait: Duration, probe_at: Timestamp },
    HalfOpen { wait: Duration },
}

impl BreakerMachine {
    /// A closed breaker.
    pub const fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            state: State::Closed { failures: 0 },
        }
    }

    /// The state.
    pub const fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Something went well. Only a probe closes an open breaker early on purpose, but a success
    /// is a success: whoever got through proves that it is back.
    pub fn succeeded(&mut self) -> Option<BreakerEffect> {
        let was_closed = self.state() == BreakerState::Closed;
        self.state = State::Closed { failures: 0 };
        (!was_closed).then_some(BreakerEffect::Closed)
    }

    /// Something failed.
    pub fn failed(&mut self, now: Timestamp) -> Option<BreakerEffect> {
        match self.state {
            State::Closed { failures } if failures + 1 < self.settings.threshold => {
                self.state = State::Closed {
                    failures: failures + 1,
                };
                None
            }
            State::Closed { .. } => {
                self.state = State::Open {
                    wait: FIRST_PROBE,
                    probe_at: now + FIRST_PROBE,
                };
                Some(BreakerEffect::Opened)
            }
            State::HalfOpen { wait } => {
                let wait = (wait * 2)
                    .min(self.settings.max_probe_interval)
                    .max(FIRST_PROBE);
                self.state = State::Open {
                    wait,
                    probe_at: now + wait,
                };
                None
            }
            // A call that was under way when it opened.
            State::Open { .. } => None,
        }
    }

    /// Looks at the time. Safe at any time.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Option<BreakerEffect> {
        match self.state {
            State::Open { wait, probe_at } if now >= probe_at => {
                self.state = State::HalfOpen { wait };
                Some(BreakerEffect::Probe)
            }
            State::Open { .. } | State::Closed { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// When the time is to be looked at next.
    pub const fn next_deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Open { probe_at, .. } => Some(probe_at),
            State::Closed { .. } | State::HalfOpen { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn open_breaker() -> BreakerMachine {
        let mut breaker = BreakerMachine::new(BreakerSettings::default());
        for _ in 0..4 {
            assert_eq!(breaker.failed(at(0)), None);
        }
        assert_eq!(breaker.failed(at(0)), Some(BreakerEffect::Opened));
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let mut breaker = BreakerMachine::new(BreakerSettings::default());
        for _ in 0..100 {
            for _ in 0..4 {
                assert_eq!(breaker.failed(at(0)), None);
            }
            assert_eq!(breaker.succeeded(), None);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn probes_come_one_at_a_time_and_ever_more_slowly_up_to_the_limit() {
        let mut breaker = open_breaker();
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(
                breaker.handle_deadline(at(now + wait - 1)),
                None,
                "not before {wait} s"
            );
            now += wait;
            assert_eq!(breaker.next_deadline(), Some(at(now)));
            assert_eq!(breaker.handle_deadline(at(now)), Some(BreakerEffect::Probe));
            assert_eq!(
                breaker.handle_deadline(at(now + 1_000)),
                None,
                "one at a time"
            );
            assert_eq!(breaker.failed(at(now)), None);
        }
    }

    #[test]
    fn a_success_closes_it_and_forgets_the_waits() {
        let mut breaker = open_breaker();
        breaker.handle_deadline(at(1));
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert_eq!(breaker.succeeded(), Some(BreakerEffect::Closed));
        for _ in 0..5 {
            breaker.failed(at(100));
        }
        assert_eq!(breaker.next_deadline(), Some(at(101)));
    }
}
