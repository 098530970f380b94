//! Clients that send heartbeats by the rules of a worker, and note when each was answered.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::members::{now, pause};

/// How many clients are measured.
const CLIENTS: usize = 100;

/// How many of them are classic, and hold no lease.
const CLASSIC: usize = 2;

/// Between an answer and the next heartbeat of a client.
const BEAT: Duration = Duration::from_millis(250);

/// How many threads send the heartbeats of all other instances.
const HERD: usize = 4;

/// The pause after a failure, before the next member is asked.
const RETRY: Duration = Duration::from_millis(50);

/// What one round showed.
#[derive(Debug)]
pub(super) struct Round {
    /// From the fault to the first 200 at the member that was the standby.
    pub(super) first: Duration,
    /// The same without echoes.
    pub(super) first_of_a_leader: Duration,
    /// The longest time that a client waited for a 200.
    pub(super) longest_wait: Duration,
}

/// A 200: when its heartbeat was sent and when it came, and whether a leader answered.
#[derive(Debug, Clone, Copy)]
struct Answered {
    sent: Instant,
    came: Instant,
    is_of_a_leader: bool,
}

#[derive(Debug)]
struct Shared {
    urls: Vec<String>,
    /// The longest time of a request.
    limit: Duration,
    is_over: AtomicBool,
    /// The answers of each client in this round, the last one before it included.
    answers: Vec<Mutex<Vec<Answered>>>,
    /// The answers at one member, and which one.
    probed: Mutex<Vec<Answered>>,
    probes: AtomicUsize,
    stopped: AtomicUsize,
    refused: AtomicUsize,
}

/// All clients. They end when it is dropped.
#[derive(Debug)]
pub(super) struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Starts them; the first instances are the measured ones.
    pub(super) fn start(urls: Vec<String>, instances: i64, timeout: Duration) -> Self {
        let shared = Arc::new(Shared {
            urls,
            limit: (timeout / 20).min(Duration::from_secs(10)),
            is_over: AtomicBool::new(false),
            answers: (0..CLIENTS).map(|_| Mutex::default()).collect(),
            probed: Mutex::default(),
            probes: AtomicUsize::new(1),
            stopped: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        });
        let mut threads = Vec::new();
        for number in 0..CLIENTS {
            let shared = shared.clone();
            threads.push(thread::spawn(move || {
                Client::new(&shared, number).run(number)
            }));
        }
        let probing = shared.clone();
        threads.push(thread::spawn(move || probe(&probing)));
        let first = CLIENTS + 1;
        let last = usize::try_from(instances).unwrap_or(first);
        for part in 0..HERD {
            let shared = shared.clone();
            let numbers: Vec<usize> = (first + part..last).step_by(HERD).collect();
            threads.push(thread::spawn(move || herd(&shared, &numbers, timeout / 5)));
        }
        Self { shared, threads }
    }

    /// Returns whether each client was answered since a moment.
    pub(super) fn are_answered(&self, since: Instant) -> bool {
        let mut answers = self.shared.answers.iter();
        answers.all(|answers| locked(answers).last().is_some_and(|last| last.came > since))
    }

    /// Forgets the answers of the round before; `other` is the member that stands by.
    pub(super) fn begin_round(&self, other: usize) {
        for answers in &self.shared.answers {
            let mut answers = locked(answers);
            let last = answers.last().copied();
            *answers = last.into_iter().collect();
        }
        self.shared.probes.store(other, Ordering::Relaxed);
        locked(&self.shared.probed).clear();
    }

    /// Reads what came of a fault.
    pub(super) fn end_round(&self, fault: Instant) -> Round {
        let probed = locked(&self.shared.probed);
        let after: Vec<&Answered> = probed.iter().filter(|it| it.sent >= fault).collect();
        let since = |answered: Option<&&Answered>| {
            answered.map_or(Duration::MAX, |it| it.came.duration_since(fault))
        };
        let waits = self.shared.answers.iter().flat_map(|answers| {
            let answers = locked(answers);
            let pairs = answers.windows(2);
            let waits = pairs.map(|pair| pair[1].came.duration_since(pair[0].came));
            waits.collect::<Vec<_>>()
        });
        Round {
            first: since(after.first()),
            first_of_a_leader: since(after.iter().find(|it| it.is_of_a_leader)),
            longest_wait: waits.max().unwrap_or(Duration::MAX),
        }
    }

    /// How many exclusive streams leased clients had to stop, since their lease was over.
    pub(super) fn stopped(&self) -> usize {
        self.shared.stopped.load(Ordering::Relaxed)
    }

    /// How many heartbeats of clients got no 200.
    pub(super) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(number: usize) -> String {
    format!("worker-{number:06}")
}

/// A worker that sends one request at a time, stays with the member that serves it, and turns to the next one if that one
/// does not.
struct Client<'s> {
    shared: &'s Shared,
    agent: ureq::Agent,
    id: String,
    at: usize,
    incarnation: Option<Value>,
    version: i64,
    streams: BTreeSet<i64>,
    /// When its exclusive streams have to stop.
    stops: Option<Instant>,
}

impl<'s> Client<'s> {
    fn new(shared: &'s Shared, number: usize) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(shared.limit))
            .http_status_as_error(false)
            .build()
            .into();
        Self {
            shared,
            agent,
            id: name(number),
            at: number % shared.urls.len().max(1),
            incarnation: None,
            version: 0,
            streams: BTreeSet::new(),
            stops: None,
        }
    }

    fn run(mut self, number: usize) {
        let is_classic = number < CLASSIC;
        while !is_classic && self.incarnation.is_none() && !self.is_over() {
            self.register();
        }
        while !self.is_over() {
            let Some((answered, body)) = self.beat() else {
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
                self.at = (self.at + 1) % self.shared.urls.len();
                self.watch_the_lease();
                pause(RETRY);
                continue;
            };
            self.watch_the_lease();
            let has_changed = self.follow(answered, &body);
            locked(&self.shared.answers[number]).push(answered);
            if !has_changed {
                pause(BEAT);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.shared.is_over.load(Ordering::Relaxed)
    }

    fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let url = format!("{}{path}", self.shared.urls.get(self.at)?);
        let mut answer = self.agent.post(url).send_json(body).ok()?;
        let body = answer.body_mut().read_json().ok()?;
        (answer.status() == 200).then_some(body)
    }

    fn register(&mut self) {
        let body = json!({"server_id": self.id, "ip": "10.0.0.1", "port": 8000, "max_streams": 10,
            "auto_assign": true});
        match self.post("/register", &body) {
            Some(answer) => self.incarnation = Some(answer["incarnation"].clone()),
            None => {
                self.at = (self.at + 1) % self.shared.urls.len();
                pause(RETRY);
            }
        }
    }

    fn beat(&self) -> Option<(Answered, Value)> {
        let mut body = json!({"server_id": self.id, "current_streams": self.streams.len()});
        if let Some(incarnation) = &self.incarnation {
            body["incarnation"] = incarnation.clone();
            body["assignment_version"] = self.version.into();
            body["streams"] = self.streams.iter().copied().collect();
        }
        let sent = now();
        let answer = self.post("/heartbeat", &body)?;
        let answered = Answered {
            sent,
            came: now(),
            is_of_a_leader: answer["term"].is_i64(),
        };
        Some((answered, answer))
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
    fn follow(&mut self, answered: Answered, body: &Value) -> bool {
        let stop_after = body["stop_after_seconds"].as_f64().unwrap_or(0.0);
        if body["lease_seconds"]
            .as_f64()
            .is_some_and(|lease| lease > 0.0)
        {
            let stops = answered.sent + Duration::from_secs_f64(stop_after);
            self.stops = self.stops.max(Some(stops));
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

/// Sends heartbeats to the member that stands by, one after the other.
fn probe(shared: &Shared) {
    let mut client = Client::new(shared, CLIENTS);
    while client.incarnation.is_none() && !client.is_over() {
        client.register();
    }
    while !client.is_over() {
        client.at = shared.probes.load(Ordering::Relaxed);
        match client.beat() {
            Some((answered, body)) => {
                client.follow(answered, &body);
                locked(&shared.probed).push(answered);
                pause(Duration::from_millis(5));
            }
            None => pause(Duration::from_millis(5)),
        }
    }
}

/// Sends a heartbeat of each of these instances in each period.
fn herd(shared: &Shared, numbers: &[usize], period: Duration) {
    let Some(each) = u32::try_from(numbers.len()).ok().filter(|count| *count > 0) else {
        return;
    };
    let mut next = now();
    let mut client = Client::new(shared, numbers[0]);
    for number in numbers.iter().cycle() {
        client.id = name(*number);
        while !client.is_over() && client.beat().is_none() {
            client.at = (client.at + 1) % shared.urls.len();
            pause(RETRY);
        }
        if client.is_over() {
            return;
        }
        next += period / each;
        pause(next.saturating_duration_since(now()));
    }
}
