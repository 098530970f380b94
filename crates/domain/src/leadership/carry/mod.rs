//! What becomes of a request at an orchestrator that does not lead.
//!
//! ```text
//!                      ┌──────────── refused, or replaced and harmless to repeat ───────┐
//!                      ▼                                                                │
//!   came ─▶ waits ── a leader is reached ──▶ sent ── answered ──▶ the leader's answer   │
//!             │                               └── broken, or the leader was replaced ───┤
//!             ├── this process leads ──▶ served here                                    │
//!             └── waited for long enough, or the leader is silent ◀─────────────────────┘
//!                   ├─ a heartbeat that may be echoed ──▶ echo
//!                   └─ any other request ──▶ 503
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | this one | [`Carried`]: the next step of one request |
//! | `link` | [`LeaderLink`]: whether the leader is reached, and its clock |
//! | `echoes` | [`Echoes`]: heartbeats that were answered here and that no leader knows yet |
//!
//! A request is carried at most once, and is not carried once it is older than the limit of a worker's request
//! Q: its worker has given it up, and may have said something else meanwhile. An order is sent once: only
//! the leader that got it knows whether it was applied. A heartbeat and a read change nothing that their
//! repetition would change again, so they may be sent again to the next leader.
//!
//! An echo grants nothing and takes nothing back: it says that the heartbeat was heard. It is given only while
//! this process has heard the leader or the database within [`ECHO_HORIZON`] ([`Heard`]), because an orchestrator
//! that reaches nothing must not say that all is well.

mod echoes;
mod link;

use std::time::Duration;

pub use echoes::{EchoedBeat, Echoes, MOST_ECHOES};
pub use link::{LeaderLink, LeaderMoment};

use super::proof::SteadyTime;
use crate::ids::Term;

/// The longest wait of a request for a leader.
const LONGEST_HOLD: Duration = Duration::from_secs(3);

/// For how long heartbeats are echoed after the leader and the database were last heard.
pub const ECHO_HORIZON: Duration = Duration::from_secs(10);

/// What an orchestrator that does not lead heard lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// For how long the leader has not answered; none if it never did.
    pub leader_silent_for: Option<Duration>,
    /// For how long the database has not answered; none if it never did.
    pub database_silent_for: Option<Duration>,
    /// Whether the leader renews its row.
    pub leader_lives: bool,
    /// Whether heartbeats get into the database for a leader that is not reached.
    pub are_written: bool,
}

impl Heard {
    /// Returns whether a leader will hear of a heartbeat that is echoed now: one that answered a moment ago, the
    /// next one, or one that reads the database before an instance fails.
    pub fn will_be_known(&self) -> bool {
        let lately =
            |silence: Option<Duration>| silence.is_some_and(|silence| silence <= ECHO_HORIZON);
        lately(self.leader_silent_for)
            || lately(self.database_silent_for) && (!self.leader_lives || self.are_written)
    }
}

/// How many requests wait for a leader at once; a whole fleet may send heartbeats meanwhile.
pub const MOST_HELD: usize = 20_000;

/// How many long polls and event streams are carried at once: each holds two connections.
pub const MOST_LONG: usize = 1_000;

/// The durations that carrying goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarryLimits {
    /// The limit of a worker's request: an older one is not carried.
    pub request: Duration,
    /// How long a request waits for a leader.
    pub hold: Duration,
    /// After how long a silent leader is no longer waited for, by a heartbeat.
    pub leader_silence: Duration,
    /// The age at which a leader refuses what another orchestrator carried: more than `request` by what a
    /// reading of the leader's clock may be old.
    pub too_late: Duration,
    /// The time between two questions to the leader: a leader that ends says so for a quarter of a second.
    pub ask_interval: Duration,
    /// The limit of one question to the leader.
    pub ask_limit: Duration,
}

impl CarryLimits {
    /// Derives the durations from the limit of a worker's request, the interval of renewals, and the limit of
    /// one statement on the leadership row.
    pub fn new(request: Duration, renewal_interval: Duration, statement_limit: Duration) -> Self {
        Self {
            request,
            hold: LONGEST_HOLD.min(request / 2),
            leader_silence: request / 2,
            too_late: request + link::LINK_SILENCE + statement_limit,
            ask_interval: renewal_interval / 4,
            ask_limit: statement_limit,
        }
    }

    /// Returns whether a leader still takes an order that another orchestrator carried, by its age on the leader's
    /// clock. The worker behind an older one, or one of unknown age, may have said something else meanwhile.
    pub fn is_in_time(&self, age: Option<Duration>) -> bool {
        age.is_some_and(|age| age <= self.too_late)
    }
}

/// What a request does, as far as repeating it is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarriedKind {
    /// A heartbeat.
    Beat {
        /// Whether the worker takes an echo for what it is: it names its life and a version, or neither.
        may_be_echoed: bool,
    },
    /// It changes nothing.
    Read,
    /// It may change something.
    Order,
}

/// Where requests are answered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// This process leads.
    Here,
    /// The leader of this term, which is reached.
    Leader(Term),
    /// No leader is reached.
    Nowhere,
}

/// What a decision goes by, beside the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// Where requests are answered.
    pub destination: Destination,
    /// The newest term that was seen.
    pub newest_term: Option<Term>,
    /// Whether a leader will know of a heartbeat that is echoed ([`Heard`]).
    pub hears: bool,
    /// Whether one more request may wait.
    pub has_room: bool,
    /// Whether the client has ended its side.
    pub client_is_gone: bool,
    /// What becomes of the server that has the request.
    pub server: ServerStage,
}

/// What becomes of the server that has a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerStage {
    /// It serves.
    Serves,
    /// It ends, and its process goes on as a standby: what waits for a leader may wait on.
    GivesWay,
    /// It ends, and its process with it.
    Ends,
}

/// The next step of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarryStep {
    /// This process answers.
    Serve,
    /// It is sent to the leader of this term.
    Send(Term),
    /// It waits for a leader, until then at most.
    Hold(SteadyTime),
    /// Its answer is waited for; the next decision is due then, if at a time at all.
    Await(Option<SteadyTime>),
    /// The heartbeat is echoed, and kept for the next leader.
    Echo,
    /// It is answered 503.
    Refuse(CarryRefusal),
    /// Its client is gone; no answer is read.
    Drop,
}

/// Why a request is answered 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarryRefusal {
    /// No leader was reached in time. Nothing was changed.
    NoLeader,
    /// The leader was lost before it answered. It may or may not have applied the request.
    MayBeApplied,
    /// The request is older than the limit of a worker's request. Nothing was changed.
    TooOld,
    /// Too many requests wait already. Nothing was changed.
    Full,
    /// This process ends. Nothing was changed.
    Closing,
}

/// How a request that was sent came to no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFailure {
    /// No byte of it reached the leader.
    NotSent,
    /// The connection broke: the leader may have it.
    Broken,
}

/// One request at an orchestrator that does not lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    kind: CarriedKind,
    came: SteadyTime,
    limits: CarryLimits,
    sent: Option<Sent>,
    /// The leader may have applied it, and is lost.
    may_be_applied: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    term: Term,
    at: SteadyTime,
}

impl Carried {
    /// A request that came just now.
    pub const fn new(kind: CarriedKind, came: SteadyTime, limits: CarryLimits) -> Self {
        Self {
            kind,
            came,
            limits,
            sent: None,
            may_be_applied: false,
        }
    }

    /// Notes what the request does. A decision to send it does not depend on it.
    pub const fn is_a(&mut self, kind: CarriedKind) {
        self.kind = kind;
    }

    /// Notes that it is being sent to the leader of a term.
    pub const fn sent(&mut self, term: Term, at: SteadyTime) {
        self.sent = Some(Sent { term, at });
    }

    /// Notes that it came to no answer.
    pub fn failed(&mut self, failure: SendFailure) {
        self.sent = None;
        self.may_be_applied |= match failure {
            SendFailure::NotSent => false,
            SendFailure::Broken => self.kind == CarriedKind::Order,
        };
    }

    /// Decides what becomes of it now. May be asked at any time, and twice.
    pub fn next(&mut self, around: &Circumstances, now: SteadyTime) -> CarryStep {
        if around.client_is_gone {
            return CarryStep::Drop;
        }
        if let Some(sent) = self.sent {
            let is_replaced = around.newest_term.is_some_and(|term| term > sent.term);
            if !is_replaced {
                return self.while_sent(sent, around, now);
            }
            self.failed(SendFailure::Broken);
        }
        if self.may_be_applied {
            return CarryStep::Refuse(CarryRefusal::MayBeApplied);
        }
        if now.since(self.came) > self.limits.request {
            return CarryStep::Refuse(CarryRefusal::TooOld);
        }
        match around.destination {
            Destination::Here => CarryStep::Serve,
            Destination::Leader(term) => CarryStep::Send(term),
            Destination::Nowhere => self.without_leader(around, now),
        }
    }

    fn while_sent(&self, sent: Sent, around: &Circumstances, now: SteadyTime) -> CarryStep {
        match self.kind {
            CarriedKind::Beat { .. } => {
                if now.since(sent.at) < self.limits.leader_silence {
                    CarryStep::Await(Some(sent.at + self.limits.leader_silence))
                } else {
                    self.echo_or(CarryRefusal::NoLeader, around)
                }
            }
            // A long poll or an event stream would delay the end of the server.
            CarriedKind::Read if around.server != ServerStage::Serves => {
                CarryStep::Refuse(CarryRefusal::Closing)
            }
            CarriedKind::Read | CarriedKind::Order => CarryStep::Await(None),
        }
    }

    fn without_leader(&self, around: &Circumstances, now: SteadyTime) -> CarryStep {
        if around.server == ServerStage::Ends {
            return CarryStep::Refuse(CarryRefusal::Closing);
        }
        if !around.has_room {
            return self.echo_or(CarryRefusal::Full, around);
        }
        let until = self.came + self.limits.hold;
        if now < until {
            return CarryStep::Hold(until);
        }
        self.echo_or(CarryRefusal::NoLeader, around)
    }

    fn echo_or(&self, refusal: CarryRefusal, around: &Circumstances) -> CarryStep {
        match self.kind {
            CarriedKind::Beat {
                may_be_echoed: true,
            } if around.hears => CarryStep::Echo,
            CarriedKind::Beat { .. } | CarriedKind::Read | CarriedKind::Order => {
                CarryStep::Refuse(refusal)
            }
        }
    }
}

#[cfg(test)]
mod tests;
