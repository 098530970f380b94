//! The rules of a worker, and nothing else: no clock, no network, no thread, no chance.
//!
//! The shell (`keeper.rs`) does one [`Action`] at a time and reads the clock again before it asks
//! for the next, so that a worker that was suspended in between learns first what it has
//! lost meanwhile. In this order:
//!
//! 1. stop what must not run (any more),
//! 2. send what is due, one request at a time,
//! 3. start what is assigned and does not run yet, under a lease that still holds.
//!
//! A stop or a start is a call that may take its time, and the next one waits for its end
//! ([`Machine::done`]). Heartbeats do not: a slow call must not cost the other streams their
//! lease. But
//!
//! - while something still has to be stopped, heartbeats name no version: they neither confirm
//!   what was told nor learn anything new, and nothing else is sent. They renew a lease that holds,
//!   and none that has ended: what was lost meanwhile is not known yet;
//! - a call that takes longer than a lease counts as hung, and heartbeats end with it: the
//!   streams of a worker that cannot stop are given to others.
//!
//! Requests have numbers ([`Ticket`]). An answer to any other than the one under way is not heard,
//! however late it comes.
//!
//! `now` is the time since any fixed moment, on a clock that goes on while the machine sleeps.

mod agenda;
mod answers;
mod digest;
mod phase;
mod plan;
mod talk;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use digest::digest;
pub use words::{Action, Answer, Beat, Changes, Outcome, Request, Running, Ticket};

use self::agenda::Plan;
use self::phase::{Life, Phase};
use super::stream::{Epoch, Handoff, StreamAssignment, StreamId};

/// The lease of who grants heartbeats without a word about leases: that of the default timeout.
const FALLBACK_LEASE: Duration = Duration::from_secs(240);

/// A request is given this time even if heartbeats are wanted more often, and never more than that.
const SHORTEST_REQUEST: Duration = Duration::from_millis(200);
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// The first wait before a registration is tried again, and the longest.
const REGISTER_WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The first wait before a heartbeat is tried again is a part of the interval, from
/// [`SHORTEST_WAIT`](phase::SHORTEST_WAIT) to this.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A longer `Retry-After` than this is not believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The reason of a start that failed without a word.
const NOT_STARTED: &str = "could not be started";

/// How many characters of a reason the orchestrator takes.
const LONGEST_REASON: usize = 512;

/// How often it is tried to say goodbye.
const FAREWELLS: u32 = 3;

/// What a request asks, as far as its answer depends on it.
#[derive(Debug)]
enum Kind {
    Register,
    Heartbeat {
        /// Whether it names a version, and so will be answered with what changed.
        names_version: bool,
    },
    List,
    Release(BTreeSet<StreamId>),
    Leave,
}

/// The request whose answer is awaited.
#[derive(Debug)]
struct UnderWay {
    ticket: Ticket,
    kind: Kind,
    sent_at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallKind {
    Start,
    Stop,
}

/// A call that was begun and has not ended.
#[derive(Debug)]
struct Call {
    kind: CallKind,
    stream: StreamId,
    since: Duration,
}

/// The wait after a failure: nothing of the kind is sent before.
#[derive(Debug, Default)]
struct Backoff {
    quiet_until: Duration,
    failures: u32,
}

/// The right to run exclusive streams.
#[derive(Debug, Default)]
struct Lease {
    /// When exclusive streams must not run any more, unless a heartbeat is answered before.
    stop_at: Duration,
    /// Length, as last granted, and how far into it exclusive streams are stopped.
    terms: Option<(Duration, Duration)>,
}

impl Lease {
    fn stop_after(&self) -> Option<Duration> {
        self.terms.map(|(_, stop_after)| stop_after)
    }

    /// Whether a lease was granted, and is over.
    fn has_lapsed(&self, now: Duration) -> bool {
        self.terms.is_some() && now >= self.stop_at
    }
}

/// A worker, as it thinks.
#[derive(Debug)]
pub struct Machine {
    max_streams: usize,
    phase: Phase,
    /// That of the life before, when one begins.
    last_incarnation: i64,
    /// What the orchestrator said, which is not yet what runs.
    assigned: BTreeMap<StreamId, StreamAssignment>,
    /// What may run: from the call to start it to the end of the call to stop it.
    running: BTreeMap<StreamId, StreamAssignment>,
    call: Option<Call>,
    /// Assigned streams that are given back, each with its reason if there is one.
    give_back: BTreeMap<StreamId, Option<String>>,
    /// The highest epoch ever heard of, by stream.
    epochs: BTreeMap<StreamId, Epoch>,
    lease: Lease,
    /// The highest term that an orchestrator has named: one that names a lower term was deposed.
    term: Option<i64>,
    /// What runs has changed since it was last said.
    owes_word: bool,
    /// How soon the worker that leaves will be back.
    back_in: Option<Duration>,
    /// Words that are owed are said this often at the most.
    next_word: Duration,
    backoff: Backoff,
    /// The same for releases and lists, apart: whatever becomes of them, heartbeats go on.
    errands: Backoff,
    last_ticket: Ticket,
    under_way: Option<UnderWay>,
    plan: Plan,
}

impl Machine {
    /// A worker that was just started and runs nothing.
    pub fn new(max_streams: usize) -> Self {
        Self {
            max_streams,
            phase: Phase::Registering,
            last_incarnation: i64::MIN,
            assigned: BTreeMap::new(),
            running: BTreeMap::new(),
            call: None,
            give_back: BTreeMap::new(),
            epochs: BTreeMap::new(),
            lease: Lease::default(),
            term: None,
            owes_word: false,
            back_in: None,
            next_word: Duration::ZERO,
            backoff: Backoff::default(),
            errands: Backoff::default(),
            last_ticket: 0,
            under_way: None,
            plan: Plan::default(),
        }
    }

    /// What to do now; ask again with the time of then, until there is nothing.
    pub fn next(&mut self, now: Duration) -> Option<Action> {
        self.plan_as_of(now);
        if let Some((id, handoff)) = self.plan.bindings.pop_front() {
            return Some(Action::Bind(id, handoff));
        }
        if self.call.is_none()
            && let Some((id, reason)) = self.plan.stops.pop_front()
        {
            let stream = self.running.get(&id)?.clone();
            self.begin(CallKind::Stop, id, now);
            return Some(Action::Stop(stream, reason));
        }
        if let Phase::Ending(ending) = &self.phase
            && self.is_at_rest()
        {
            let ending = ending.clone();
            self.phase = Phase::Ended;
            return Some(Action::End(ending));
        }
        if self.next_talk().is_some_and(|at| at <= now) {
            return Some(self.send(now));
        }
        if self.call.is_some() {
            return None;
        }
        let stream = self.assigned.get(&self.plan.starts.pop_front()?)?.clone();
        self.running.insert(stream.id, stream.clone());
        self.begin(CallKind::Start, stream.id, now);
        Some(Action::Start(stream))
    }

    fn begin(&mut self, kind: CallKind, stream: StreamId, now: Duration) {
        self.call = Some(Call {
            kind,
            stream,
            since: now,
        });
    }

    /// The last start or stop has come to its end; returns of which stream.
    pub fn done(&mut self, outcome: Outcome) -> Option<StreamId> {
        let call = self.call.take()?;
        let id = call.stream;
        if call.kind == CallKind::Stop {
            self.running.remove(&id);
            // It may have been assigned again meanwhile.
            if self.assigned.contains_key(&id) {
                self.plan.discard();
            }
        } else if outcome != Outcome::Done {
            let epoch = self.running.remove(&id).map(|stream| stream.epoch);
            if outcome == Outcome::Failed
                && self.assigned.get(&id).map(|stream| stream.epoch) == epoch
            {
                self.give_back(id);
            }
            self.plan.discard();
            return Some(id);
        }
        self.owes_word = true;
        Some(id)
    }

    /// The last start has failed, for this reason; returns of which stream. The orchestrator is told the
    /// reason with the release. A release without one would say that the stream is not the cause, so
    /// an empty reason is replaced.
    pub fn start_failed(&mut self, reason: &str) -> Option<StreamId> {
        let id = self.done(Outcome::Failed)?;
        let is_empty = reason.trim().is_empty();
        self.explain(id, if is_empty { NOT_STARTED } else { reason });
        Some(id)
    }

    /// When [`next`](Self::next) has something to do again without anything having happened.
    pub fn next_deadline(&self) -> Option<Duration> {
        let has_exclusive = || self.running.values().any(StreamAssignment::is_exclusive);
        // While a call takes its time, whatever is due has to wait for its end.
        let stop = self.plan.expects_lease_end() && self.call.is_none() && has_exclusive();
        let stop = stop.then_some(self.lease.stop_at);
        stop.into_iter().chain(self.next_talk()).min()
    }

    /// When exclusive streams must not run any more, as things are.
    pub fn stop_at(&self) -> Duration {
        self.lease.stop_at
    }

    /// The life and the version of the set it knows: what there can be news about.
    pub fn known(&self) -> Option<(i64, i64)> {
        match &self.phase {
            Phase::Serving(life) => Some((life.incarnation, life.version)),
            _ => None,
        }
    }

    /// The orchestrator is said to be at this version: if that is new, a heartbeat is due. Nothing
    /// else comes of it; leases and changes are the affair of heartbeats.
    pub fn news(&mut self, incarnation: i64, version: i64) {
        let is_news = |life: &Life| life.incarnation == incarnation && life.version != version;
        if self.phase.life().is_some_and(is_news) {
            self.owes_word = true;
        }
    }

    /// How long to wait for the answer to a request.
    pub fn request_limit(&self) -> Duration {
        let Some(life) = self.phase.life() else {
            return LONGEST_REQUEST;
        };
        let half = life.pace(self.lease.stop_after()) / 2;
        let limit = life.request_limit.map_or(half, |limit| limit.min(half));
        limit.clamp(SHORTEST_REQUEST, LONGEST_REQUEST)
    }

    /// Gives a stream back to the orchestrator, for another worker to run.
    pub fn give_back(&mut self, id: StreamId) {
        if self.assigned.contains_key(&id) {
            self.give_back.insert(id, None);
            self.plan.discard();
        }
    }

    /// The same, and says why.
    pub fn give_back_because(&mut self, id: StreamId, reason: &str) {
        self.give_back(id);
        self.explain(id, reason);
    }

    fn explain(&mut self, id: StreamId, reason: &str) {
        let reason = reason.trim();
        if let Some(given) = self.give_back.get_mut(&id)
            && !reason.is_empty()
        {
            // What the orchestrator takes: one line, not too long.
            let spaced = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
            *given = Some(spaced.take(LONGEST_REASON).collect());
        }
    }

    /// Stops everything, says that the worker will be back so soon, and ends. The orchestrator keeps the
    /// streams for it.
    pub fn leave_for(&mut self, back_in: Duration) {
        if self.phase.stops_all().is_none() {
            self.back_in = Some(back_in);
        }
        self.leave();
    }

    /// Stops everything, says goodbye and ends.
    pub fn leave(&mut self) {
        if self.phase.stops_all().is_some() {
            return;
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Ended);
        self.phase = phase.told_to_leave(self.under_way.is_some());
        self.plan.discard();
        self.backoff = Backoff::default();
    }
}

impl StreamAssignment {
    fn is_exclusive(&self) -> bool {
        self.handoff == Handoff::Exclusive
    }
}

#[cfg(test)]
mod tests;
