//! The rules of a worker, and nothing else: no clock, no network, no thread, no chance.
//!
//! The shell (`keeper.rs`) does one [`Action`] at a time and reads the clock again before it asks
//! for the next, so that whoever was suspended in between learns first what it has lost
//! meanwhile. In this order:
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
//!   streams of a worker that cannot let go are given to others.
//!
//! Requests have numbers ([`Ticket`]). An answer to any other than the one under way is not heard,
//! however late it comes.
//!
//! `now` is the time since any fixed moment, on a clock that goes on while the machine sleeps.

mod answers;
mod digest;
mod plan;
mod talk;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub use digest::digest;
pub use words::{Action, Answer, Beat, Changes, Outcome, Request, Running, Ticket};

use super::stream::{Ending, Epoch, Handoff, StopReason, StreamAssignment, StreamId};

/// The lease of who grants heartbeats without a word about leases: that of the default timeout.
const FALLBACK_LEASE: Duration = Duration::from_secs(240);

/// Until the orchestrator said how often it wants to hear of this worker.
const FIRST_INTERVAL: Duration = Duration::from_secs(10);

/// A request is given this time even if heartbeats are wanted more often, and never more than that.
const SHORTEST_REQUEST: Duration = Duration::from_millis(200);
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// The first wait before a registration is tried again, and the longest.
const REGISTER_WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The first wait before a heartbeat is tried again is a part of the interval within these.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A longer `Retry-After` than this is not believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How many characters of a reason the orchestrator takes.
const LONGEST_REASON: usize = 512;

/// How often it is tried to say goodbye.
const FAREWELLS: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Register,
    Heartbeat,
    List,
    Release,
    Leave,
}

/// A call that was begun and has not ended.
#[derive(Debug)]
struct Call {
    stream: StreamId,
    is_stop: bool,
    since: Duration,
}

/// A worker, as it thinks.
#[derive(Debug)]
pub struct Machine {
    max_streams: usize,
    incarnation: Option<i64>,
    /// That of the life before, when one begins.
    last_incarnation: i64,
    version: i64,
    /// What the orchestrator said, which is not yet what runs.
    assigned: BTreeMap<StreamId, StreamAssignment>,
    /// What may run: from the call to start it to the end of the call to stop it.
    running: BTreeMap<StreamId, StreamAssignment>,
    call: Option<Call>,
    give_back: BTreeSet<StreamId>,
    /// Why streams are given back, as far as there is a reason.
    reasons: BTreeMap<StreamId, String>,
    /// The highest epoch ever heard of, by stream.
    epochs: BTreeMap<StreamId, Epoch>,
    /// When exclusive streams must not run any more, unless a heartbeat is answered before.
    stop_at: Duration,
    /// How long after a heartbeat that is, as last granted.
    stop_after: Option<Duration>,
    lease: Option<Duration>,
    interval: Duration,
    request_limit: Option<Duration>,
    next_beat: Duration,
    /// What runs has changed since it was last said.
    owes_word: bool,
    /// Digests have not agreed: the orchestrator has to know which streams are missing.
    names_all: bool,
    /// Words that are owed are said this often at the most.
    next_word: Duration,
    /// The wait after a failure: nothing is sent before.
    quiet_until: Duration,
    failures: u32,
    /// The same for releases and lists, apart: whatever becomes of them, heartbeats go on.
    errands_quiet_until: Duration,
    errand_failures: u32,
    releasing: BTreeSet<StreamId>,
    last_ticket: Ticket,
    under_way: Option<(Ticket, Kind, Duration)>,
    /// Whether the request under way will be answered with what changed.
    names_version: bool,
    asks_for_list: bool,
    ending: Option<Ending>,
    /// No request is sent any more; only stops are left, then the end is told.
    is_done: bool,
    is_end_told: bool,
    /// Why a stream that is not assigned any more has to stop.
    loss: StopReason,
    /// What has to be done, as of the last change; made anew when something changes.
    bindings: VecDeque<(StreamId, Handoff)>,
    stops: VecDeque<(StreamId, StopReason)>,
    starts: VecDeque<StreamId>,
    is_planned: bool,
    was_leased: bool,
}

impl Machine {
    /// A worker that was just started and runs nothing.
    pub fn new(max_streams: usize) -> Self {
        Self {
            max_streams,
            incarnation: None,
            last_incarnation: i64::MIN,
            version: 0,
            assigned: BTreeMap::new(),
            running: BTreeMap::new(),
            call: None,
            give_back: BTreeSet::new(),
            reasons: BTreeMap::new(),
            epochs: BTreeMap::new(),
            stop_at: Duration::ZERO,
            stop_after: None,
            lease: None,
            interval: FIRST_INTERVAL,
            request_limit: None,
            next_beat: Duration::ZERO,
            owes_word: false,
            names_all: false,
            next_word: Duration::ZERO,
            quiet_until: Duration::ZERO,
            failures: 0,
            errands_quiet_until: Duration::ZERO,
            errand_failures: 0,
            releasing: BTreeSet::new(),
            last_ticket: 0,
            under_way: None,
            names_version: false,
            asks_for_list: false,
            ending: None,
            is_done: false,
            is_end_told: false,
            loss: StopReason::Revoked,
            bindings: VecDeque::new(),
            stops: VecDeque::new(),
            starts: VecDeque::new(),
            is_planned: true,
            was_leased: false,
        }
    }

    /// What to do now; ask again with the time of then, until there is nothing.
    pub fn next(&mut self, now: Duration) -> Option<Action> {
        let is_leased = now < self.stop_at;
        if !self.is_planned || is_leased != self.was_leased {
            self.plan(is_leased);
        }
        if let Some((id, handoff)) = self.bindings.pop_front() {
            return Some(Action::Bind(id, handoff));
        }
        if self.call.is_none()
            && let Some((id, reason)) = self.stops.pop_front()
        {
            let stream = self.running.get(&id)?.clone();
            self.begin(id, true, now);
            return Some(Action::Stop(stream, reason));
        }
        if self.is_done && self.is_at_rest() {
            let ending = self.ending.clone().filter(|_| !self.is_end_told)?;
            self.is_end_told = true;
            return Some(Action::End(ending));
        }
        if self.next_talk().is_some_and(|at| at <= now) {
            return Some(self.send(now));
        }
        if self.call.is_some() {
            return None;
        }
        let stream = self.assigned.get(&self.starts.pop_front()?)?.clone();
        self.running.insert(stream.id, stream.clone());
        self.begin(stream.id, false, now);
        Some(Action::Start(stream))
    }

    fn begin(&mut self, stream: StreamId, is_stop: bool, now: Duration) {
        self.call = Some(Call {
            stream,
            is_stop,
            since: now,
        });
    }

    /// The last start or stop has come to its end; returns of which stream.
    pub fn done(&mut self, outcome: Outcome) -> Option<StreamId> {
        let call = self.call.take()?;
        let id = call.stream;
        if call.is_stop {
            self.running.remove(&id);
            // It may have been assigned again meanwhile.
            self.is_planned &= !self.assigned.contains_key(&id);
        } else if outcome != Outcome::Done {
            let epoch = self.running.remove(&id).map(|stream| stream.epoch);
            if outcome == Outcome::Failed
                && self.assigned.get(&id).map(|stream| stream.epoch) == epoch
            {
                self.give_back(id);
            }
            self.is_planned = false;
            return Some(id);
        }
        self.owes_word = true;
        Some(id)
    }

    /// The last start has failed, for this reason; returns of which stream. The orchestrator is told the
    /// reason with the release.
    pub fn start_failed(&mut self, reason: &str) -> Option<StreamId> {
        let id = self.done(Outcome::Failed)?;
        self.explain(id, reason);
        Some(id)
    }

    /// When [`next`](Self::next) has something to do again without anything having happened.
    pub fn next_deadline(&self) -> Option<Duration> {
        let has_exclusive = || self.running.values().any(StreamAssignment::is_exclusive);
        // While a call takes its time, whatever is due has to wait for its end.
        let stop = self.was_leased && self.call.is_none() && has_exclusive();
        let stop = stop.then_some(self.stop_at);
        stop.into_iter().chain(self.next_talk()).min()
    }

    /// When exclusive streams must not run any more, as things are.
    pub fn stop_at(&self) -> Duration {
        self.stop_at
    }

    /// The life and the version of the set it knows: what there can be news about.
    pub fn known(&self) -> Option<(i64, i64)> {
        let incarnation = self.incarnation.filter(|_| self.ending.is_none())?;
        Some((incarnation, self.version))
    }

    /// The orchestrator is said to be at this version: if that is new, a heartbeat is due. Nothing
    /// else comes of it; leases and changes are the affair of heartbeats.
    pub fn news(&mut self, incarnation: i64, version: i64) {
        if self.incarnation == Some(incarnation) && self.version != version {
            self.owes_word = true;
        }
    }

    /// How long to wait for the answer to a request.
    pub fn request_limit(&self) -> Duration {
        if self.incarnation.is_none() {
            return LONGEST_REQUEST;
        }
        let half = self.pace() / 2;
        let limit = self.request_limit.map_or(half, |limit| limit.min(half));
        limit.clamp(SHORTEST_REQUEST, LONGEST_REQUEST)
    }

    /// How often to beat: three tries fit into a lease, even if the orchestrator came back with
    /// other settings than those it told at the registration.
    fn pace(&self) -> Duration {
        let third = self.stop_after.map_or(Duration::MAX, |after| after / 3);
        self.interval.min(third).max(SHORTEST_WAIT)
    }

    /// Gives a stream back to the orchestrator, for another worker to run.
    pub fn give_back(&mut self, id: StreamId) {
        self.reasons.remove(&id);
        if self.assigned.contains_key(&id) {
            self.give_back.insert(id);
            self.is_planned = false;
        }
    }

    /// The same, and says why.
    pub fn give_back_because(&mut self, id: StreamId, reason: &str) {
        self.give_back(id);
        self.explain(id, reason);
    }

    fn explain(&mut self, id: StreamId, reason: &str) {
        let reason = reason.trim();
        if self.give_back.contains(&id) && !reason.is_empty() {
            // What the orchestrator takes: one line, not too long.
            let spaced = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
            let line = spaced.take(LONGEST_REASON).collect();
            self.reasons.insert(id, line);
        }
    }

    /// Stops everything, says goodbye and ends.
    pub fn leave(&mut self) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(Ending::Left);
        self.is_planned = false;
        self.failures = 0;
        self.quiet_until = Duration::ZERO;
        // Who never registered has nobody to say goodbye to; an answer under way decides it.
        self.is_done = self.incarnation.is_none() && self.under_way.is_none();
    }
}

impl StreamAssignment {
    fn is_exclusive(&self) -> bool {
        self.handoff == Handoff::Exclusive
    }
}

#[cfg(test)]
mod tests;
