//! What the actor knows of one target.

use std::time::Duration;

use crate::clock::Clock;
use crate::domain::time::{Timestamp, WallTime};
use crate::domain::webhook::{Format, Lane, Target};
use crate::store::StoredWebhook;

/// How often an open alert is repeated to Alertmanager, which forgets it after five minutes.
pub(super) const REPEAT_INTERVAL: Duration = Duration::from_secs(60);

/// How soon events that follow others are read: those of a busy moment are read together.
const READ_INTERVAL: Duration = Duration::from_millis(250);

/// A target, its lane, and how far it is with the events.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) target: Target,
    pub(super) lane: Lane,
    /// The kinds of events that it selects.
    pub(super) kinds: Vec<&'static str>,
    /// Every event up to this one is delivered, or has a row.
    pub(super) cursor: i64,
    /// Every event up to this one was read.
    pub(super) read_to: i64,
    /// Up to where there was no other event when the last ones were read.
    pub(super) horizon: Option<i64>,
    /// Whether there may be events that were not read.
    pub(super) has_news: bool,
    pub(super) is_reading: bool,
    /// Before this moment no event is read.
    next_read_at: Option<Timestamp>,
    /// Events up to this one are delivered although they are old: an operator wants them again.
    pub(super) replay_to: i64,
    /// Which content of the target, or which order to send again, the requests and reads under way are for.
    pub(super) edition: u64,
    /// When open alerts are repeated; none if they are not.
    pub(super) repeat_at: Option<Timestamp>,
    pub(super) is_repeating: bool,
    pub(super) is_alerted: bool,
    pub(super) last_success_at: Option<WallTime>,
    pub(super) last_failure: Option<(WallTime, String)>,
    pub(super) failing_since: Option<WallTime>,
    /// Messages that were given up since the start of the process.
    pub(super) given_up: u64,
}

/// For which content of which target a request is.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) edition: u64,
}

impl Receiver {
    /// Returns for what a request that begins now is.
    pub(super) fn sent(&self) -> Sent {
        Sent {
            name: self.target.name.clone(),
            uid: self.target.uid.clone(),
            edition: self.edition,
        }
    }

    pub(super) fn new(webhook: StoredWebhook, now: Timestamp) -> Self {
        let StoredWebhook { target, cursor } = webhook;
        let mut receiver = Self {
            kinds: target.event_kinds(),
            target,
            lane: Lane::default(),
            cursor,
            read_to: cursor,
            horizon: None,
            has_news: true,
            is_reading: false,
            next_read_at: None,
            replay_to: 0,
            edition: 0,
            repeat_at: None,
            is_repeating: false,
            is_alerted: false,
            last_success_at: None,
            last_failure: None,
            failing_since: None,
            given_up: 0,
        };
        receiver.arm_repeat(now);
        receiver
    }

    /// Takes another content of the target, which has had every event up to `cursor` and has not failed yet.
    pub(super) fn change(&mut self, target: Target, cursor: i64, now: Timestamp) {
        self.kinds = target.event_kinds();
        self.target = target;
        self.rewind(self.cursor.max(cursor));
        self.lane.outdate();
        self.lane.recovered(now);
        self.arm_repeat(now);
    }

    /// Returns whether events that come now are not for it.
    pub(super) fn waits_for_no_event(&self) -> bool {
        !self.target.is_active() || self.kinds.is_empty()
    }

    /// Reads the events after this one, again if they were read.
    pub(super) fn rewind(&mut self, cursor: i64) {
        self.cursor = cursor;
        self.read_to = cursor;
        self.horizon = None;
        self.has_news = true;
        self.is_reading = false;
        self.next_read_at = None;
        self.edition += 1;
        self.lane.forget_events();
    }

    fn arm_repeat(&mut self, now: Timestamp) {
        let repeats = self.target.format == Format::Alertmanager && self.target.is_active();
        self.repeat_at = repeats.then_some(now);
    }

    /// Returns whether events are to be read now.
    pub(super) fn is_to_read(&self, now: Timestamp) -> bool {
        self.target.is_active()
            && self.has_news
            && !self.is_reading
            && !self.kinds.is_empty()
            && self.lane.wants_events()
            && self.lane.is_free(now)
            && self.next_read_at.is_none_or(|at| at <= now)
    }

    /// Notes that all events that there are now are being read.
    pub(super) fn begin_read(&mut self, now: Timestamp) {
        self.has_news = false;
        self.is_reading = true;
        self.next_read_at = Some(now + READ_INTERVAL);
    }

    /// Has the rest of many events read at once.
    pub(super) fn read_on(&mut self) {
        self.has_news = true;
        self.next_read_at = None;
    }

    /// Returns when something of the target is due that waits for no answer.
    pub(super) fn next_deadline(&self, clock: &Clock) -> Option<Timestamp> {
        let now = clock.awake();
        let free_at = self.lane.free_at()?;
        let due = self.lane.next_deadline(now, |since| clock.age(since));
        let is_behind =
            self.has_news && !self.is_reading && !self.kinds.is_empty() && self.lane.wants_events();
        let read = is_behind.then(|| self.next_read_at.map_or(free_at, |at| at.max(free_at)));
        let repeat = self.repeat_at.filter(|_| !self.is_repeating);
        let repeat = repeat.map(|at| at.max(free_at));
        due.into_iter().chain(read).chain(repeat).min()
    }

    /// Moves the cursor to the horizon, if all events up to there are delivered. Returns whether it moved.
    pub(super) fn reach_horizon(&mut self) -> bool {
        if !self.lane.wants_events() {
            return false;
        }
        match self.horizon.take() {
            Some(horizon) if horizon > self.cursor => {
                self.cursor = horizon;
                self.read_to = self.read_to.max(horizon);
                true
            }
            Some(_) | None => false,
        }
    }
}
