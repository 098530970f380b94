//! The load ahead: when a standby reads the fleet before it leads, and whether what it read is the
//! fleet that it gets.
//!
//! ```text
//!          silent for two looks, first in rank, a minute since the last time
//!          or: the leader is about to hand over, and asks for a copy
//!   idle ───────────────────────────────────────────────────────────────────▶ reading
//!    ▲ ▲                                                                       │   │
//!    │ └── failed · the row shows another moment · leader renews for KEEP ─────┘   │ read
//!    │                                                                             ▼
//!    └── the row shows another moment · leader renews for KEEP · a minute old ── copied
//!
//!   won:  idle ─▶ load     copied ─▶ use if it is of the moment of the take-over, else load
//!         reading ─▶ wait if it may still be of that moment, else load
//! ```
//!
//! A copy is the fleet if it is of the [moment](FleetMoment) at which the term was taken, because each
//! change of the fleet moves the version. The version alone is not enough: a PostgreSQL that was
//! promoted may have lost the last versions and count them again, on another timeline. The counter of
//! epochs is no part of the moment, because the take-over itself moves it; the new leader sets it.
//!
//! A load that the leader asked for ([`LoadAhead::ordered`]) is not dropped because the leader renews its row: it
//! goes on leading until the copy is there.
//!
//! Nothing here carries safety but [`LoadAhead::won`]. A load that begins too early costs a read of the
//! database and the memory of a fleet, for a minute at most.
//!
//! | failure | consequence |
//! | --- | --- |
//! | the load fails or takes too long | the fleet is loaded after the take-over, as without a load ahead |
//! | the leader renews again | the copy is kept for some seconds, because a leader in trouble often falls silent again; then it is dropped |
//! | the leader saves a change after the copy | the copy is dropped with the next look, at the latest at the take-over |
//! | the answer to the take-over is lost | the moment of the take-over is unknown, so the fleet is loaded |

use std::time::Duration;

use super::moment::FleetMoment;
use super::proof::SteadyTime;
use crate::ids::{Term, Version};

/// How much time lies between the beginnings of two loads ahead. A database that is slow must not be
/// read as a whole again and again by a process that finds it slow.
pub const LOAD_AHEAD_PAUSE: Duration = Duration::from_secs(60);

/// How long a copy is kept while the leader renews its row again.
pub const KEEP_AFTER_RENEWAL: Duration = Duration::from_secs(5);

/// How old a copy may become. Its heartbeats are as old, and silence since then counts for no instance.
pub const OLDEST_COPY: Duration = Duration::from_secs(60);

/// What a look found, as far as a load ahead is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AheadLook {
    /// Whether the leader has let two looks pass without a renewal.
    pub is_silent: bool,
    /// Whether this process may take over, and no other one goes first.
    pub goes_first: bool,
    /// The fleet's moment.
    pub found: FleetMoment,
}

/// Why a copy, or the load that makes it, is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The fleet has changed since.
    Outdated,
    /// The leader renews its row again.
    LeaderRenews,
    /// Nothing came of it for a minute.
    Old,
}

impl DropReason {
    /// The reason in words, for a log line.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Outdated => "the fleet has changed since",
            Self::LeaderRenews => "the leader renews its row again",
            Self::Old => "it is a minute old",
        }
    }
}

/// What a standby does after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AheadStep {
    /// It goes on as before.
    Nothing,
    /// It begins to read the fleet.
    Begin,
    /// It gives up the copy, or the load.
    Drop(DropReason),
}

/// Where the fleet of a term comes from that was just taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetSource {
    /// The copy is the fleet.
    Copy,
    /// The load that is under way may be the fleet; whether it is shows with its moment.
    LoadUnderWay,
    /// The fleet is read anew.
    Load,
}

/// What a standby does once the leader has asked for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStep {
    /// The copy is there.
    Copied(FleetMoment),
    /// The load that is under way is waited for.
    Wait,
    /// It gives up what it has, and begins to read the fleet.
    Begin,
}

/// The fleet that a leader is about to hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedFleet {
    /// The leader's term.
    pub term: Term,
    /// How many transactions it has saved.
    pub version: Version,
}

impl SavedFleet {
    /// Whether a copy is of this fleet. The timeline is compared at the take-over.
    pub fn is_at(self, moment: FleetMoment) -> bool {
        (moment.term, moment.version) == (self.term, self.version)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// The moment is known once the load has read it.
    Reading {
        moment: Option<FleetMoment>,
    },
    Copied {
        moment: FleetMoment,
    },
}

/// The loads ahead of one standby.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadAhead {
    state: State,
    /// When the newest load began.
    begun: Option<SteadyTime>,
    /// Since when the leader renews again.
    renews_since: Option<SteadyTime>,
    /// Whether the leader asked for the load.
    is_ordered: bool,
}

impl Default for LoadAhead {
    fn default() -> Self {
        Self::new()
    }
}

impl LoadAhead {
    /// No load so far.
    pub const fn new() -> Self {
        Self {
            state: State::Idle,
            begun: None,
            renews_since: None,
            is_ordered: false,
        }
    }

    /// The leader is about to hand this fleet over, and waits for a copy of it.
    pub fn ordered(&mut self, wanted: SavedFleet, now: SteadyTime) -> OrderStep {
        let moment = match self.state {
            State::Idle => None,
            State::Reading { moment: None } => {
                self.is_ordered = true;
                return OrderStep::Wait;
            }
            State::Reading { moment } => moment,
            State::Copied { moment } => Some(moment),
        };
        match moment.filter(|moment| wanted.is_at(*moment)) {
            Some(moment) => {
                self.is_ordered = true;
                match self.state {
                    State::Copied { .. } => OrderStep::Copied(moment),
                    State::Idle | State::Reading { .. } => OrderStep::Wait,
                }
            }
            None => {
                self.begin(now);
                self.is_ordered = true;
                OrderStep::Begin
            }
        }
    }

    /// A look was answered.
    pub fn looked(&mut self, look: AheadLook, now: SteadyTime) -> AheadStep {
        let moment = match self.state {
            State::Idle => return self.look_without_copy(look, now),
            State::Reading { moment } => moment,
            State::Copied { moment } => Some(moment),
        };
        let renews_since = if look.is_silent {
            None
        } else {
            Some(self.renews_since.unwrap_or(now))
        };
        self.renews_since = renews_since;
        let age = self.begun.map_or(Duration::ZERO, |begun| now.since(begun));
        let renewed_for = renews_since.map_or(Duration::ZERO, |since| now.since(since));
        if moment.is_some_and(|moment| moment != look.found) {
            self.drop_it(DropReason::Outdated)
        } else if renewed_for >= KEEP_AFTER_RENEWAL && !self.is_ordered {
            self.drop_it(DropReason::LeaderRenews)
        } else if age >= OLDEST_COPY {
            self.drop_it(DropReason::Old)
        } else {
            AheadStep::Nothing
        }
    }

    /// A look was not answered: it says nothing about the leader or the fleet.
    pub fn look_failed(&mut self, now: SteadyTime) -> AheadStep {
        let is_old = self
            .begun
            .is_some_and(|begun| now.since(begun) >= OLDEST_COPY);
        if is_old && self.state != State::Idle {
            self.drop_it(DropReason::Old)
        } else {
            AheadStep::Nothing
        }
    }

    fn look_without_copy(&mut self, look: AheadLook, now: SteadyTime) -> AheadStep {
        let is_paused = self
            .begun
            .is_some_and(|begun| now.since(begun) < LOAD_AHEAD_PAUSE);
        if is_paused || !look.is_silent || !look.goes_first {
            return AheadStep::Nothing;
        }
        self.begin(now);
        AheadStep::Begin
    }

    const fn begin(&mut self, now: SteadyTime) {
        self.state = State::Reading { moment: None };
        self.begun = Some(now);
        self.renews_since = None;
        self.is_ordered = false;
    }

    fn drop_it(&mut self, reason: DropReason) -> AheadStep {
        self.state = State::Idle;
        AheadStep::Drop(reason)
    }

    /// The load has read which moment it is of.
    pub fn reads(&mut self, moment: FleetMoment) {
        if matches!(self.state, State::Reading { .. }) {
            self.state = State::Reading {
                moment: Some(moment),
            };
        }
    }

    /// The load is complete.
    pub fn read(&mut self, moment: FleetMoment) {
        if matches!(self.state, State::Reading { .. }) {
            self.state = State::Copied { moment };
        }
    }

    /// The load has failed.
    pub fn failed(&mut self) {
        self.state = State::Idle;
    }

    /// The moment of the copy, if there is one.
    pub const fn copied(&self) -> Option<FleetMoment> {
        match self.state {
            State::Copied { moment } => Some(moment),
            State::Idle | State::Reading { .. } => None,
        }
    }

    /// The term was taken, and this was the fleet's moment right before; `None` if the answer was lost.
    pub fn won(&self, found: Option<FleetMoment>) -> FleetSource {
        let Some(found) = found else {
            return FleetSource::Load;
        };
        match self.state {
            State::Copied { moment } if moment == found => FleetSource::Copy,
            State::Reading { moment: None } => FleetSource::LoadUnderWay,
            State::Reading {
                moment: Some(moment),
            } if moment == found => FleetSource::LoadUnderWay,
            State::Idle | State::Reading { .. } | State::Copied { .. } => FleetSource::Load,
        }
    }
}

#[cfg(test)]
mod tests;
