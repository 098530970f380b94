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
//! `now` is the time since any fixed moment, on a clock that goes on while the machine sleeps.

mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub use words::{Action, Answer, Beat, Changes, Request};

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

/// A worker, as it thinks.
#[derive(Debug)]
pub struct Machine {
    max_streams: usize,
    incarnation: Option<i64>,
    version: i64,
    /// What the orchestrator said, which is not yet what runs.
    assigned: BTreeMap<StreamId, StreamAssignment>,
    running: BTreeMap<StreamId, StreamAssignment>,
    give_back: BTreeSet<StreamId>,
    /// The highest epoch ever heard of, by stream.
    epochs: BTreeMap<StreamId, Epoch>,
    /// When exclusive streams must not run any more, unless a heartbeat is answered before.
    stop_at: Duration,
    /// How long after a heartbeat that is, as last granted.
    stop_after: Duration,
    interval: Duration,
    next_beat: Duration,
    /// The wait after a failure: nothing is sent before.
    quiet_until: Duration,
    failures: u32,
    /// The same for releases and lists, apart: whatever becomes of them, heartbeats go on.
    errands_quiet_until: Duration,
    errand_failures: u32,
    releasing: BTreeSet<StreamId>,
    under_way: Option<(Kind, Duration)>,
    asks_for_list: bool,
    ending: Option<Ending>,
    /// No request is sent any more; only stops are left, then the end is told.
    is_done: bool,
    is_end_told: bool,
    /// Why a stream that is not assigned any more has to stop.
    loss: StopReason,
    /// What has to be done, as of the last change; made anew when something changes.
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
            version: 0,
            assigned: BTreeMap::new(),
            running: BTreeMap::new(),
            give_back: BTreeSet::new(),
            epochs: BTreeMap::new(),
            stop_at: Duration::ZERO,
            stop_after: Duration::MAX,
            interval: FIRST_INTERVAL,
            next_beat: Duration::ZERO,
            quiet_until: Duration::ZERO,
            failures: 0,
            errands_quiet_until: Duration::ZERO,
            errand_failures: 0,
            releasing: BTreeSet::new(),
            under_way: None,
            asks_for_list: false,
            ending: None,
            is_done: false,
            is_end_told: false,
            loss: StopReason::Revoked,
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
        if let Some((id, reason)) = self.stops.pop_front() {
            let stream = self.running.remove(&id)?;
            return Some(Action::Stop(stream, reason));
        }
        if self.is_done {
            let ending = self.ending.clone().filter(|_| !self.is_end_told)?;
            self.is_end_told = true;
            return Some(Action::End(ending));
        }
        if self.next_talk().is_some_and(|at| at <= now) {
            let (kind, request) = self.request(now);
            self.under_way = Some((kind, now));
            return Some(Action::Send(request));
        }
        let stream = self.assigned.get(&self.starts.pop_front()?)?.clone();
        self.running.insert(stream.id, stream.clone());
        Some(Action::Start(stream))
    }

    /// When [`next`](Self::next) has something to do again without anything having happened.
    pub fn next_deadline(&self) -> Option<Duration> {
        let has_exclusive = || self.running.values().any(StreamAssignment::is_exclusive);
        let stop = (self.was_leased && has_exclusive()).then_some(self.stop_at);
        stop.into_iter().chain(self.next_talk()).min()
    }

    /// When exclusive streams must not run any more, as things are.
    pub fn stop_at(&self) -> Duration {
        self.stop_at
    }

    /// How long to wait for the answer to a request.
    pub fn request_limit(&self) -> Duration {
        match self.incarnation {
            Some(_) => (self.interval / 2).clamp(SHORTEST_REQUEST, LONGEST_REQUEST),
            None => LONGEST_REQUEST,
        }
    }

    /// Takes the answer to the request under way. `jitter` is any number in 0..=1.
    pub fn answered(&mut self, now: Duration, answer: Answer, jitter: f64) {
        let Some((kind, sent_at)) = self.under_way.take() else {
            return;
        };
        self.is_planned = false;
        match (kind, answer) {
            (Kind::Leave, Answer::Left | Answer::Unknown | Answer::OtherProcess(_)) => {
                self.is_done = true;
            }
            (_, Answer::OtherProcess(detail)) => self.end(Ending::OtherProcess(detail)),
            (Kind::Register, Answer::Refused(detail)) => self.end(Ending::Refused(detail)),
            (
                Kind::Register,
                Answer::Registered {
                    incarnation,
                    interval,
                },
            ) => {
                self.incarnation = Some(incarnation);
                self.version = 0;
                self.interval = interval.max(SHORTEST_WAIT);
                self.next_beat = now;
            }
            (Kind::Heartbeat, Answer::Beaten(beat)) => self.beaten(sent_at, beat, jitter),
            (Kind::List, Answer::Listed(ids)) => {
                self.errand_failures = 0;
                self.adopt_list(ids);
            }
            (Kind::Release, Answer::Released) => {
                self.errand_failures = 0;
                for id in std::mem::take(&mut self.releasing) {
                    self.give_back.remove(&id);
                    self.assigned.remove(&id);
                }
            }
            (Kind::Heartbeat | Kind::List | Kind::Release, Answer::Unknown) => {
                self.forget(now, jitter);
            }
            (_, Answer::Failed { retry_after }) => self.failed(kind, now, retry_after, jitter),
            _ => self.failed(kind, now, None, jitter),
        }
    }

    /// Gives a stream back to the orchestrator, for another worker to run.
    pub fn give_back(&mut self, id: StreamId) {
        if self.assigned.contains_key(&id) {
            self.give_back.insert(id);
            self.is_planned = false;
        }
    }

    /// The stream that was to be started does not run.
    pub fn start_failed(&mut self, id: StreamId) {
        self.running.remove(&id);
        self.give_back(id);
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

    fn end(&mut self, ending: Ending) {
        self.ending = Some(ending);
        self.is_done = true;
        self.stop_at = Duration::ZERO;
    }

    fn plan(&mut self, is_leased: bool) {
        self.was_leased = is_leased;
        self.is_planned = true;
        self.stops = self
            .running
            .values()
            .filter_map(|stream| Some((stream.id, self.reason_to_stop(stream, is_leased)?)))
            .collect();
        self.starts = self
            .assigned
            .values()
            .filter(|stream| self.is_to_start(stream, is_leased))
            .map(|stream| stream.id)
            .collect();
    }

    fn reason_to_stop(&self, running: &StreamAssignment, is_leased: bool) -> Option<StopReason> {
        match &self.ending {
            Some(Ending::OtherProcess(_)) => return Some(StopReason::OtherProcess),
            Some(Ending::Left | Ending::Refused(_)) => return Some(StopReason::Leaving),
            None => {}
        }
        let Some(assigned) = self.assigned.get(&running.id) else {
            return Some(self.loss);
        };
        if self.give_back.contains(&running.id) {
            Some(StopReason::GivenBack)
        } else if assigned.epoch != running.epoch {
            Some(StopReason::Replaced)
        } else if running.is_exclusive() && !is_leased {
            Some(StopReason::LeaseEnded)
        } else {
            None
        }
    }

    fn is_to_start(&self, stream: &StreamAssignment, is_leased: bool) -> bool {
        let is_running = self
            .running
            .get(&stream.id)
            .is_some_and(|running| running.epoch == stream.epoch);
        let is_wanted = self.ending.is_none() && !self.give_back.contains(&stream.id);
        // Whatever has to be stopped is stopped first, and then started again only if allowed.
        let is_allowed = is_leased || !stream.is_exclusive();
        is_wanted && is_allowed && !is_running
    }

    /// When something may be sent; `None` while an answer is awaited.
    fn next_talk(&self) -> Option<Duration> {
        if self.under_way.is_some() || self.is_done {
            return None;
        }
        if self.incarnation.is_none() || self.ending.is_some() {
            return Some(self.quiet_until);
        }
        let has_errand = !self.give_back.is_empty() || self.asks_for_list;
        let errand = has_errand.then_some(self.errands_quiet_until);
        let next = errand.map_or(self.next_beat, |errand| errand.min(self.next_beat));
        Some(next.max(self.quiet_until))
    }

    fn request(&mut self, now: Duration) -> (Kind, Request) {
        let Some(incarnation) = self.incarnation else {
            return (Kind::Register, Request::Register);
        };
        if self.ending.is_some() {
            let streams = self.assigned.keys().copied().collect();
            let leave = Request::Leave {
                incarnation,
                streams,
            };
            return (Kind::Leave, leave);
        }
        if now >= self.next_beat {
            let heartbeat = Request::Heartbeat {
                incarnation,
                version: self.version,
                running: self.running.keys().copied().collect(),
            };
            return (Kind::Heartbeat, heartbeat);
        }
        if !self.give_back.is_empty() {
            self.releasing = self.give_back.clone();
            let streams = self.give_back.iter().copied().collect();
            let release = Request::Release {
                incarnation,
                streams,
            };
            return (Kind::Release, release);
        }
        self.asks_for_list = false;
        let requested = self.max_streams.saturating_sub(self.assigned.len());
        let list = Request::List {
            incarnation,
            requested,
        };
        (Kind::List, list)
    }

    fn beaten(&mut self, sent_at: Duration, beat: Beat, jitter: f64) {
        self.failures = 0;
        self.loss = StopReason::Revoked;
        let lease = beat.lease.unwrap_or(FALLBACK_LEASE);
        if !lease.is_zero() {
            self.stop_after = lease / 10 * 9;
            self.stop_at = self.stop_at.max(sent_at.saturating_add(self.stop_after));
        }
        // Three tries fit into a lease even if the orchestrator came back with other settings.
        let interval = self.interval.min(self.stop_after / 3);
        self.next_beat = sent_at + interval.mul_f64(1.0 - 0.1 * jitter.clamp(0.0, 1.0));
        match beat.changes {
            Some(Changes::Difference { assign, revoke }) => {
                for id in revoke {
                    self.assigned.remove(&id);
                    self.give_back.remove(&id);
                }
                for stream in assign {
                    self.accept(stream);
                }
            }
            Some(Changes::Full(assign)) => self.adopt(assign),
            // A version without the changes that lead to it is none: it is asked for again.
            None if beat.version.is_some_and(|version| version != self.version) => return,
            None => {}
        }
        self.asks_for_list = beat.version.is_none();
        self.version = beat.version.unwrap_or(0);
    }

    fn adopt(&mut self, set: Vec<StreamAssignment>) {
        self.assigned.clear();
        for stream in set {
            self.accept(stream);
        }
        self.give_back.retain(|id| self.assigned.contains_key(id));
    }

    /// Takes a list without epochs: who is there already stays what it is.
    fn adopt_list(&mut self, ids: Vec<StreamId>) {
        let set = ids
            .into_iter()
            .map(|id| match self.assigned.get(&id) {
                Some(stream) => stream.clone(),
                None => StreamAssignment {
                    epoch: self.epochs.get(&id).copied().unwrap_or(0),
                    ..StreamAssignment::new(id)
                },
            })
            .collect();
        self.adopt(set);
    }

    fn accept(&mut self, stream: StreamAssignment) {
        let highest = self.epochs.entry(stream.id).or_insert(stream.epoch);
        if stream.epoch < *highest {
            return;
        }
        if stream.epoch > *highest {
            // Assigned anew: what was to be given back was an earlier assignment.
            self.give_back.remove(&stream.id);
        }
        *highest = stream.epoch;
        self.assigned.insert(stream.id, stream);
    }

    /// The orchestrator knows nothing of this worker: its streams are somebody else's.
    fn forget(&mut self, now: Duration, jitter: f64) {
        self.incarnation = None;
        self.assigned.clear();
        self.give_back.clear();
        self.asks_for_list = false;
        self.stop_at = Duration::ZERO;
        self.loss = StopReason::Unregistered;
        if self.ending.is_some() {
            self.is_done = true;
        } else if self.failures > 0 {
            // Forgotten, registered, forgotten …: not as fast as possible.
            self.failed(Kind::Register, now, None, jitter);
        } else {
            self.failures = 1;
        }
    }

    fn failed(&mut self, kind: Kind, now: Duration, retry_after: Option<Duration>, jitter: f64) {
        let is_errand = matches!(kind, Kind::List | Kind::Release);
        let (first, longest) = match self.incarnation {
            Some(_) => {
                let first = (self.interval / 8).clamp(SHORTEST_WAIT, FIRST_WAIT);
                (first, self.interval.max(first))
            }
            None => REGISTER_WAITS,
        };
        let (failures, quiet_until) = if is_errand {
            (&mut self.errand_failures, &mut self.errands_quiet_until)
        } else {
            (&mut self.failures, &mut self.quiet_until)
        };
        let wait = first
            .saturating_mul(1 << (*failures).min(16))
            .min(longest)
            .mul_f64(1.0 - 0.5 * jitter.clamp(0.0, 1.0));
        let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        *quiet_until = now + wait.max(asked);
        *failures += 1;
        if self.ending.is_some() && (self.incarnation.is_none() || self.failures >= FAREWELLS) {
            self.is_done = true;
        }
    }
}

impl StreamAssignment {
    fn is_exclusive(&self) -> bool {
        self.handoff == Handoff::Exclusive
    }
}

#[cfg(test)]
mod tests;
