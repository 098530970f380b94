//! What the worker is to the orchestrator.

use std::time::Duration;

use super::super::stream::{Ending, StopReason};

/// No heartbeat follows another one sooner.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// The states of a worker. What exists in one state only is a part of that state.
#[derive(Debug)]
pub(super) enum Phase {
    /// The orchestrator does not know it: a registration is all that is sent.
    Registering,
    /// It was told to leave while its registration was under way, whose answer decides the rest.
    Withdrawing,
    /// It is registered.
    Serving(Life),
    /// It is registered and was told to leave: it stops everything, then says goodbye.
    Leaving(Life),
    /// No request is sent any more; only stops are left, then the end is reported.
    Ending(Ending),
    /// The end was reported.
    Ended,
}

/// How heartbeats name the streams that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// A large set goes as a digest.
    Brief,
    /// Digests have not agreed: the orchestrator has to know which streams are missing.
    Full,
}

/// What holds from one registration to the next.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) incarnation: i64,
    /// The version of the set of assigned streams; 0 before the first.
    pub(super) version: i64,
    pub(super) interval: Duration,
    pub(super) request_limit: Option<Duration>,
    pub(super) next_beat: Duration,
    pub(super) naming: Naming,
    /// The orchestrator does not report changes: the list of streams has to be requested.
    pub(super) asks_for_list: bool,
}

impl Life {
    /// The life that begins now with a registration.
    pub(super) fn new(
        incarnation: i64,
        interval: Duration,
        request_limit: Option<Duration>,
        now: Duration,
    ) -> Self {
        Self {
            incarnation,
            version: 0,
            interval,
            request_limit,
            next_beat: now,
            naming: Naming::Brief,
            asks_for_list: false,
        }
    }

    /// How often to beat: three tries fit into a lease, even if the orchestrator came back with
    /// other settings than those it told at the registration.
    pub(super) fn pace(&self, stop_after: Option<Duration>) -> Duration {
        let third = stop_after.map_or(Duration::MAX, |after| after / 3);
        self.interval.min(third).max(SHORTEST_WAIT)
    }
}

impl Phase {
    /// The life, of a registered worker.
    pub(super) fn life(&self) -> Option<&Life> {
        match self {
            Self::Serving(life) | Self::Leaving(life) => Some(life),
            Self::Registering | Self::Withdrawing | Self::Ending(_) | Self::Ended => None,
        }
    }

    pub(super) fn life_mut(&mut self) -> Option<&mut Life> {
        match self {
            Self::Serving(life) | Self::Leaving(life) => Some(life),
            Self::Registering | Self::Withdrawing | Self::Ending(_) | Self::Ended => None,
        }
    }

    /// The same worker, registered.
    pub(super) fn registered(&self, life: Life) -> Self {
        match self {
            Self::Withdrawing | Self::Leaving(_) => Self::Leaving(life),
            Self::Registering | Self::Serving(_) | Self::Ending(_) | Self::Ended => {
                Self::Serving(life)
            }
        }
    }

    /// The same worker, told to leave; `awaits_answer` says that a request is under way.
    pub(super) fn told_to_leave(self, awaits_answer: bool) -> Self {
        match self {
            Self::Serving(life) => Self::Leaving(life),
            Self::Registering if awaits_answer => Self::Withdrawing,
            // A worker that never registered needs no goodbye.
            Self::Registering => Self::Ending(Ending::Left),
            Self::Withdrawing | Self::Leaving(_) | Self::Ending(_) | Self::Ended => self,
        }
    }

    /// Why everything has to stop, and nothing starts.
    pub(super) fn stops_all(&self) -> Option<StopReason> {
        match self {
            Self::Registering | Self::Serving(_) => None,
            Self::Ending(Ending::OtherProcess(_)) => Some(StopReason::OtherProcess),
            Self::Withdrawing | Self::Leaving(_) | Self::Ending(_) | Self::Ended => {
                Some(StopReason::Leaving)
            }
        }
    }

    /// Why a stream that is not assigned any more has to stop.
    pub(super) fn loss(&self) -> StopReason {
        match self.life() {
            Some(_) => StopReason::Revoked,
            None => StopReason::Unregistered,
        }
    }
}
