//! The state that the test has set, and the answers that follow from it.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::stream::{Epoch, Handoff, StreamAssignment, StreamId};

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `POST`, `GET` or `DELETE`.
    pub method: String,
    /// The path, with a leading slash.
    pub path: String,
    /// The header `Authorization`, if the request had one.
    pub authorization: Option<String>,
    /// The body; null if there was none.
    pub body: Value,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) mood: Mood,
    pub(super) is_classic: bool,
    pub(super) has_news: bool,
    pub(super) lease: Duration,
    pub(super) interval: Duration,
    pub(super) incarnation: i64,
    pub(super) is_registered: bool,
    pub(super) version: i64,
    /// Changes up to this version are forgotten.
    pub(super) forgotten: i64,
    pub(super) changes: Vec<(i64, StreamId)>,
    pub(super) streams: BTreeMap<StreamId, StreamAssignment>,
    pub(super) last_epoch: Epoch,
    pub(super) calls: Vec<Call>,
    pub(super) seen: usize,
    pub(super) is_over: bool,
    pub(super) others: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Answering,
    Silent,
    Refusing {
        status: u16,
        retry_after: Option<u64>,
    },
}

pub(super) fn problem(status: u16) -> Value {
    json!({"status": status, "title": "Told to", "detail": format!("The test said {status}.")})
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            mood: Mood::Answering,
            is_classic: false,
            has_news: true,
            lease: Duration::from_secs(1),
            interval: Duration::from_millis(50),
            incarnation: 0,
            is_registered: false,
            version: 1,
            forgotten: 0,
            changes: Vec::new(),
            streams: BTreeMap::new(),
            last_epoch: 0,
            calls: Vec::new(),
            seen: 0,
            is_over: false,
            others: Vec::new(),
        }
    }

    pub(super) fn changed(&mut self, id: StreamId) {
        self.version += 1;
        self.changes.push((self.version, id));
    }

    pub(super) fn register(&mut self) {
        self.incarnation += 1;
        self.is_registered = true;
        self.version += 1;
        self.forgotten = self.version;
    }

    pub(super) fn reply(&mut self, call: &Call) -> (u16, Value) {
        if call.path == "/register" {
            self.register();
            return (200, self.registered(&call.body));
        }
        if !self.is_registered {
            return (404, problem(404));
        }
        let given = call.body["incarnation"].as_i64();
        if given.is_some_and(|given| given != self.incarnation) {
            let mut answer = problem(409);
            answer["current_incarnation"] = json!(self.incarnation);
            return (409, answer);
        }
        match (call.method.as_str(), call.path.as_str()) {
            (_, "/heartbeat") => (200, self.beaten(&call.body)),
            (_, "/streams/assign") => {
                let ids: Vec<_> = self.streams.keys().collect();
                (200, json!({"status": "assigned", "assigned_streams": ids}))
            }
            (_, "/streams/release") => (200, self.released(&call.body)),
            ("GET", path) if is_about_news(path) => self.news(&call.path),
            ("GET", path) if path.starts_with("/instances/") => {
                let ids: Vec<_> = self.streams.keys().collect();
                let data = json!({"assigned_streams": ids});
                (200, json!({"status": "success", "data": data}))
            }
            ("DELETE", path) if path.starts_with("/instances/") => {
                self.is_registered = false;
                self.streams.clear();
                (200, json!({"status": "removed"}))
            }
            _ => (404, problem(404)),
        }
    }

    /// Answers a long poll with what a heartbeat of the same version would get.
    fn news(&self, path: &str) -> (u16, Value) {
        if !self.has_news {
            return (404, problem(404));
        }
        if number(path, "incarnation").is_some_and(|given| given != self.incarnation) {
            return (409, problem(409));
        }
        let known = number(path, "version").unwrap_or(0);
        (200, self.beaten(&json!({"assignment_version": known})))
    }

    /// Returns how long this call may be held; zero if it is no long poll.
    pub(super) fn patience_for(&self, call: &Call) -> Duration {
        let is_held = call.method == "GET" && is_about_news(&call.path) && self.has_news;
        let wait = number(&call.path, "wait").and_then(|wait| u64::try_from(wait).ok());
        wait.filter(|_| is_held)
            .map_or(Duration::ZERO, Duration::from_secs)
    }

    pub(super) fn has_no_news_for(&self, call: &Call) -> bool {
        self.mood == Mood::Answering
            && self.is_registered
            && number(&call.path, "incarnation") == Some(self.incarnation)
            && number(&call.path, "version") == Some(self.version)
    }

    fn registered(&self, body: &Value) -> Value {
        json!({
            "status": "registered",
            "server_id": body["server_id"],
            "incarnation": self.incarnation,
            "lease_seconds": self.lease.as_secs_f64(),
            "heartbeat_interval_seconds": self.interval.as_secs_f64(),
            "request_timeout_seconds": (self.interval / 2).as_secs_f64(),
            "stop_after_seconds": (self.lease / 10 * 9).as_secs_f64(),
            "orchestrators": self.others,
        })
    }

    fn beaten(&self, body: &Value) -> Value {
        let mut answer = json!({"status": "heartbeat_updated"});
        if self.is_classic {
            return answer;
        }
        answer["incarnation"] = json!(self.incarnation);
        answer["lease_seconds"] = json!(self.lease.as_secs_f64());
        answer["stop_after_seconds"] = json!((self.lease / 10 * 9).as_secs_f64());
        answer["assignment_version"] = json!(self.version);
        let known = body["assignment_version"].as_i64().unwrap_or(0);
        if known == self.version {
            return answer;
        }
        let is_full = known < self.forgotten || known > self.version || known == 0;
        let changed = |id: &StreamId| {
            let mut later = self.changes.iter().filter(|(version, _)| *version > known);
            later.any(|(_, changed)| changed == id)
        };
        let assign = self.streams.values();
        let assign = assign.filter(|stream| is_full || changed(&stream.id));
        answer["assign"] = assign.map(line).collect();
        if is_full {
            answer["full"] = json!(true);
            answer["revoke"] = json!([]);
        } else {
            let later = self.changes.iter().filter(|(version, _)| *version > known);
            let gone = later.filter(|(_, id)| !self.streams.contains_key(id));
            answer["revoke"] = gone.map(|(_, id)| json!(id)).collect();
        }
        answer
    }

    fn released(&mut self, body: &Value) -> Value {
        let ids = body["stream_ids"].as_array().into_iter().flatten();
        let mut released = Vec::new();
        for id in ids.filter_map(Value::as_i64) {
            if self.streams.remove(&id).is_some() {
                self.changed(id);
                released.push(id);
            }
        }
        json!({"status": "released", "released_streams": released, "count": released.len()})
    }
}

fn is_about_news(path: &str) -> bool {
    path.starts_with("/instances/") && path.contains("/assignments?")
}

/// Reads a number of the query; for seconds with their unit, the number of seconds.
fn number(path: &str, name: &str) -> Option<i64> {
    let (_, query) = path.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(given, _)| *given == name)?;
    value.trim_end_matches('s').parse().ok()
}

fn line(stream: &StreamAssignment) -> Value {
    let handoff = match stream.handoff {
        Handoff::Exclusive => "exclusive",
        Handoff::Overlap => "overlap",
    };
    json!({
        "stream_id": stream.id,
        "epoch": stream.epoch,
        "name": stream.name,
        "url": stream.url,
        "handoff": handoff,
    })
}
