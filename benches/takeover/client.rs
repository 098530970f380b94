//! One worker: it sends one request at a time by the rules of the library (`crates/client`), more often than a worker would,
//! so that one is always about to be sent.
//!
//! It stays with the member that serves it. If a request fails, or its answer grants no lease, then the next request goes to
//! the other member. How long it waits for an answer, and how long after a failure, is what the library makes of the
//! intervals of its orchestrator, not of the shorter ones here.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fleet::name;
use super::members::{now, pause};
use super::shared::{Answered, Shared};

/// The longest pause without a look whether all is over.
const LOOK: Duration = Duration::from_millis(100);

/// A worker.
#[derive(Debug)]
pub(super) struct Client<'s> {
    shared: &'s Shared,
    agent: ureq::Agent,
    pub(super) id: String,
    number: usize,
    /// The member that it asks.
    pub(super) at: usize,
    /// How often it was sent home.
    homes: usize,
    failures: u32,
    /// How many requests in a row no member has served.
    not_served: usize,
    is_classic: bool,
    incarnation: Option<Value>,
    version: i64,
    term: Option<i64>,
    streams: BTreeSet<i64>,
    /// When its exclusive streams have to stop.
    stops: Option<Instant>,
}

impl<'s> Client<'s> {
    pub(super) fn new(shared: &'s Shared, number: usize, is_classic: bool) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(shared.patience.request))
            .http_status_as_error(false)
            .build()
            .into();
        Self {
            shared,
            agent,
            id: name(number),
            number,
            at: number % shared.urls.len(),
            homes: 0,
            failures: 0,
            not_served: 0,
            is_classic,
            incarnation: None,
            version: 0,
            term: None,
            streams: BTreeSet::new(),
            stops: None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.shared.is_over.load(Ordering::Relaxed)
    }

    /// Returns to the member that it asked first, if all clients were sent home.
    pub(super) fn go_home(&mut self) {
        let homes = self.shared.homes.load(Ordering::Relaxed);
        if self.homes != homes {
            self.homes = homes;
            self.at = self.number % self.shared.urls.len();
        }
    }

    /// Loses everything, as a worker that is started again.
    pub(super) fn forget(&mut self) {
        self.incarnation = None;
        self.version = 0;
        self.streams.clear();
        self.stops = None;
    }

    /// Registers until that succeeds. A classic worker does not.
    pub(super) fn register(&mut self) {
        while !self.is_classic && self.incarnation.is_none() && !self.is_over() {
            let body = json!({"server_id": self.id, "ip": "10.0.0.1", "port": 8000,
                "max_streams": self.shared.room, "auto_assign": true});
            match self.post("/register", &body) {
                Ok(answer) => self.incarnation = Some(answer["incarnation"].clone()),
                Err(asked) => self.failed(asked),
            }
        }
    }

    /// Sends a heartbeat; returns `None` after a failure, and after the wait that follows it.
    pub(super) fn beat(&mut self) -> Option<(Answered, Value)> {
        let answer = self.try_beat();
        self.watch_the_lease();
        match answer {
            Ok((answered, body)) => {
                self.failures = 0;
                self.not_served = 0;
                if !answered.serves && !self.is_classic {
                    self.not_served = 1;
                    self.turn();
                }
                Some((answered, body))
            }
            Err(asked) => {
                self.failed(asked);
                None
            }
        }
    }

    /// Sends a heartbeat; an error is how long the member asks to wait.
    pub(super) fn try_beat(&self) -> Result<(Answered, Value), Duration> {
        let count = self.streams.len();
        let mut body = json!({"server_id": self.id, "current_streams": count, "status": "active"});
        if let Some(incarnation) = &self.incarnation {
            body["incarnation"] = incarnation.clone();
            body["assignment_version"] = self.version.into();
            body["streams"] = self.streams.iter().copied().collect();
            if let Some(term) = self.term {
                body["term"] = term.into();
            }
        }
        let sent = now();
        let answer = self.post("/heartbeat", &body)?;
        let lease = answer["lease_seconds"].as_f64();
        let answered = Answered {
            sent,
            came: now(),
            term: answer["term"].as_i64(),
            has_lease: lease.is_some_and(|lease| lease > 0.0),
            serves: lease != Some(0.0) && answer["proven"] != false,
        };
        Ok((answered, answer))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, Duration> {
        let url = format!("{}{path}", self.shared.urls[self.at]);
        let answer = self.agent.post(url).send_json(body);
        let mut answer = answer.map_err(|_| Duration::ZERO)?;
        let asked = answer.headers().get("retry-after");
        let asked = asked.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let asked = Duration::from_secs(asked.unwrap_or(0));
        let body = answer.body_mut().read_json().map_err(|_| asked)?;
        (answer.status() == 200).then_some(body).ok_or(asked)
    }

    fn turn(&mut self) {
        self.at = (self.at + 1) % self.shared.urls.len();
    }

    /// Turns to the other member, and waits if that one has not served either.
    fn failed(&mut self, asked: Duration) {
        self.turn();
        self.not_served += 1;
        if !self.is_classic && self.not_served < self.shared.urls.len() {
            return;
        }
        let (first, longest) = self.shared.patience.waits;
        let wait = first.saturating_mul(1 << self.failures.min(16));
        let wait = wait.min(longest).mul_f64(1.0 - 0.5 * fastrand::f64());
        self.failures += 1;
        let until = now() + wait.max(asked.min(longest));
        while !self.is_over() && now() < until {
            pause(until.saturating_duration_since(now()).min(LOOK));
        }
    }

    /// Stops everything if the lease is over.
    fn watch_the_lease(&mut self) {
        if self.stops.is_some_and(|stops| now() >= stops) {
            let count = self.streams.len();
            self.shared.stopped.fetch_add(count, Ordering::Relaxed);
            self.stops = None;
        }
    }

    /// Takes an answer in; returns whether its list has changed, which is confirmed at once.
    pub(super) fn follow(&mut self, answered: Answered, body: &Value) -> bool {
        self.term = self.term.max(answered.term);
        if answered.has_lease {
            let stop_after = body["stop_after_seconds"].as_f64().unwrap_or(0.0);
            self.stops = Some(answered.sent + Duration::from_secs_f64(stop_after));
        }
        let assign = body["assign"].as_array();
        let revoke = body["revoke"].as_array();
        let has_changed = assign.is_some() || revoke.is_some();
        if body["full"] == true {
            self.streams.clear();
        }
        for stream in revoke.into_iter().flatten().filter_map(Value::as_i64) {
            self.streams.remove(&stream);
        }
        let assigned = assign.into_iter().flatten();
        let assigned = assigned.filter_map(|stream| stream["stream_id"].as_i64());
        self.streams.extend(assigned);
        if let Some(version) = body["assignment_version"].as_i64() {
            self.version = version;
        }
        has_changed
    }
}
