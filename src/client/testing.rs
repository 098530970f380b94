//! For the tests of a worker: an orchestrator that does what the test says.
//!
//! It listens on a free port on loopback and answers `/register`, `/heartbeat`,
//! `/streams/release` and `DELETE /instances/…` like the real one, for one worker, with nothing
//! behind it. Give it short leases, so that a test need not be long:
//!
//! ```
//! use std::time::Duration;
//! use resilient_orchestrator::client::testing::FakeOrchestrator;
//!
//! let fake = FakeOrchestrator::start()?;
//! fake.set_lease(Duration::from_secs(1));
//! fake.assign([1, 2]);
//! // Worker::builder(fake.url(), "worker-1").start(runner) …
//! fake.fall_silent();
//! // … and after 0.9 s the runner is told to stop both.
//! # Ok::<(), std::io::Error>(())
//! ```

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::stream::{Epoch, Handoff, StreamAssignment, StreamId};

/// How long [`FakeOrchestrator::wait_for`] waits. Nothing takes that long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// An orchestrator for one worker that does what the test says. It ends when dropped.
#[derive(Debug)]
pub struct FakeOrchestrator {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `POST`, `GET` or `DELETE`.
    pub method: String,
    /// With a leading slash.
    pub path: String,
    /// Null if there was none.
    pub body: Value,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    is_classic: bool,
    lease: Duration,
    interval: Duration,
    incarnation: i64,
    is_registered: bool,
    version: i64,
    /// Up to this version the changes are not remembered.
    forgotten: i64,
    changes: Vec<(i64, StreamId)>,
    streams: BTreeMap<StreamId, StreamAssignment>,
    last_epoch: Epoch,
    calls: Vec<Call>,
    seen: usize,
    is_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Answering,
    Silent,
    Refusing {
        status: u16,
        retry_after: Option<u64>,
    },
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeOrchestrator {
    /// Begins to listen: heartbeats every 50 ms, leases of a second, no streams.
    ///
    /// # Errors
    /// If there is no port or no thread left.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                mood: Mood::Answering,
                is_classic: false,
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
            }),
            changed: Condvar::new(),
        });
        let served = shared.clone();
        thread::Builder::new().spawn(move || {
            for stream in listener.incoming() {
                if served.lock().is_over {
                    break;
                }
                let served = served.clone();
                // A connection that breaks is the worker's affair.
                let _ = thread::Builder::new()
                    .spawn(move || stream.and_then(|stream| serve(stream, &served)));
            }
        })?;
        Ok(Self { address, shared })
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How long the leases are that it grants from now on; zero grants none.
    pub fn set_lease(&self, lease: Duration) {
        self.shared.lock().lease = lease;
    }

    /// How often who registers from now on is asked to beat.
    pub fn set_interval(&self, interval: Duration) {
        self.shared.lock().interval = interval;
    }

    /// From now on it does not tell what changed, and knows no leases: a worker has to ask.
    pub fn be_classic(&self) {
        self.shared.lock().is_classic = true;
    }

    /// Assigns exclusive streams, each under a new epoch; returns the last one.
    pub fn assign(&self, ids: impl IntoIterator<Item = StreamId>) -> Epoch {
        for id in ids {
            self.assign_stream(StreamAssignment {
                name: format!("stream {id}"),
                ..StreamAssignment::new(id)
            });
        }
        self.shared.lock().last_epoch
    }

    /// Assigns a stream that goes on while nothing can be reached, under a new epoch.
    pub fn assign_overlap(&self, id: StreamId) -> Epoch {
        self.assign_stream(StreamAssignment {
            name: format!("stream {id}"),
            handoff: Handoff::Overlap,
            ..StreamAssignment::new(id)
        })
    }

    fn assign_stream(&self, mut stream: StreamAssignment) -> Epoch {
        let mut state = self.shared.lock();
        state.last_epoch += 1;
        stream.epoch = state.last_epoch;
        state.changed(stream.id);
        state.streams.insert(stream.id, stream);
        state.last_epoch
    }

    /// Takes streams away.
    pub fn revoke(&self, ids: impl IntoIterator<Item = StreamId>) {
        let mut state = self.shared.lock();
        for id in ids {
            state.changed(id);
            state.streams.remove(&id);
        }
    }

    /// Forgets what changed: the next answer to a heartbeat is the whole set.
    pub fn tell_everything(&self) {
        let mut state = self.shared.lock();
        state.version += 1;
        state.forgotten = state.version;
    }

    /// From now on it takes requests and answers none, until [`answer`](Self::answer).
    pub fn fall_silent(&self) {
        self.set_mood(Mood::Silent);
    }

    /// From now on it answers every request with this status, until [`answer`](Self::answer).
    pub fn refuse(&self, status: u16, retry_after: Option<u64>) {
        self.set_mood(Mood::Refusing {
            status,
            retry_after,
        });
    }

    /// From now on it answers as it should; requests that were held back are answered too.
    pub fn answer(&self) {
        self.set_mood(Mood::Answering);
    }

    fn set_mood(&self, mood: Mood) {
        self.shared.lock().mood = mood;
        self.shared.changed.notify_all();
    }

    /// Forgets the worker: heartbeats get 404 until it registers again, and its streams are gone.
    pub fn forget(&self) {
        let mut state = self.shared.lock();
        state.is_registered = false;
        state.streams.clear();
    }

    /// Another process registers under the name of the worker, whose heartbeats then get 409.
    pub fn let_another_register(&self) {
        self.shared.lock().register();
    }

    /// The next call, of those not yet looked at, for which this is true; `None` if it does not
    /// come within half a minute. Calls before it are skipped.
    pub fn wait_for(&self, mut is_it: impl FnMut(&Call) -> bool) -> Option<Call> {
        let mut state = self.shared.lock();
        loop {
            while state.seen < state.calls.len() {
                let call = state.calls[state.seen].clone();
                state.seen += 1;
                if is_it(&call) {
                    return Some(call);
                }
            }
            let more = self.shared.changed.wait_timeout(state, PATIENCE);
            let (after, waited) = more.unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() {
                return None;
            }
            state = after;
        }
    }

    /// Waits for the next heartbeat of a worker that says it runs exactly these.
    pub fn wait_until_running(&self, ids: &[StreamId]) -> Option<Call> {
        self.wait_for(|call| call.path == "/heartbeat" && call.body["streams"] == json!(ids))
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.lock().calls.clone()
    }
}

impl Drop for FakeOrchestrator {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.set_mood(Mood::Answering);
        // Wakes the listener, which looks and ends.
        let _ = TcpStream::connect(self.address);
    }
}

/// One request for each connection.
fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(call) = read_call(&mut reader)? else {
        return Ok(());
    };
    let mut state = shared.lock();
    state.calls.push(call.clone());
    shared.changed.notify_all();
    while state.mood == Mood::Silent {
        let waited = shared.changed.wait(state);
        state = waited.unwrap_or_else(PoisonError::into_inner);
    }
    let (status, retry_after, body) = match state.mood {
        Mood::Refusing {
            status,
            retry_after,
        } => (status, retry_after, problem(status)),
        Mood::Answering | Mood::Silent => {
            let (status, body) = state.reply(&call);
            (status, None, body)
        }
    };
    drop(state);
    write_reply(stream, status, retry_after, &body)
}

fn read_call(reader: &mut impl BufRead) -> io::Result<Option<Call>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    Ok(Some(Call {
        method,
        path,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }))
}

fn write_reply(
    mut stream: TcpStream,
    status: u16,
    retry_after: Option<u64>,
    body: &Value,
) -> io::Result<()> {
    let kind = if status == 200 {
        "application/json"
    } else {
        "application/problem+json"
    };
    let body = body.to_string();
    let retry_after = retry_after.map_or(String::new(), |seconds| {
        format!("retry-after: {seconds}\r\n")
    });
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         {retry_after}connection: close\r\n\r\n{body}"
    )
}

fn problem(status: u16) -> Value {
    json!({"status": status, "title": "Told to", "detail": format!("The test said {status}.")})
}

impl State {
    fn changed(&mut self, id: StreamId) {
        self.version += 1;
        self.changes.push((self.version, id));
    }

    fn register(&mut self) {
        self.incarnation += 1;
        self.is_registered = true;
        self.version += 1;
        self.forgotten = self.version;
    }

    fn reply(&mut self, call: &Call) -> (u16, Value) {
        if call.path == "/register" {
            self.register();
            return (200, self.registered(&call.body));
        }
        if !self.is_registered {
            return (404, problem(404));
        }
        let given = call.body["incarnation"].as_i64();
        if given.is_some_and(|given| given != self.incarnation) {
            return (409, problem(409));
        }
        match (call.method.as_str(), call.path.as_str()) {
            (_, "/heartbeat") => (200, self.beaten(&call.body)),
            (_, "/streams/assign") => {
                let ids: Vec<_> = self.streams.keys().collect();
                (200, json!({"status": "assigned", "assigned_streams": ids}))
            }
            (_, "/streams/release") => (200, self.released(&call.body)),
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

    fn registered(&self, body: &Value) -> Value {
        json!({
            "status": "registered",
            "server_id": body["server_id"],
            "incarnation": self.incarnation,
            "lease_seconds": self.lease.as_secs_f64(),
            "heartbeat_interval_seconds": self.interval.as_secs_f64(),
        })
    }

    fn beaten(&self, body: &Value) -> Value {
        let mut answer = json!({"status": "heartbeat_updated"});
        if self.is_classic {
            return answer;
        }
        answer["incarnation"] = json!(self.incarnation);
        answer["lease_seconds"] = json!(self.lease.as_secs_f64());
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
