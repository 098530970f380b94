//! For the tests of a worker: an orchestrator that does what the test says.
//!
//! It listens on a free port on loopback and answers `/register`, `/heartbeat`,
//! `/streams/release`, `DELETE /instances/…` and the question for news like the real one, for one
//! worker, with nothing behind it. Give it short leases, so that a test need not be long:
//!
//! ```
//! use std::time::Duration;
//! use orchestrator_client::testing::FakeOrchestrator;
//!
//! let fake = FakeOrchestrator::start()?;
//! fake.set_lease(Duration::from_secs(1));
//! fake.assign([1, 2]);
//! // Worker::builder(fake.url(), "worker-1").start(runner) …
//! fake.fall_silent();
//! // … and after 0.9 s the runner is told to stop both.
//! # Ok::<(), std::io::Error>(())
//! ```

mod http;
mod state;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::stream::{Epoch, Handoff, StreamAssignment, StreamId};
pub use state::Call;
use state::{Mood, Shared, State};

/// How long [`FakeOrchestrator::wait_for`] waits. Nothing takes that long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// An orchestrator for one worker that does what the test says. It ends when dropped.
#[derive(Debug)]
pub struct FakeOrchestrator {
    address: SocketAddr,
    shared: Arc<Shared>,
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
            state: Mutex::new(State::new()),
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
                    .spawn(move || stream.and_then(|stream| http::serve(stream, &served)));
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

    /// From now on it knows no such thing as waiting for news, like an older one.
    pub fn have_no_news(&self) {
        self.shared.lock().has_news = false;
        self.shared.changed.notify_all();
    }

    /// Goes back to an older state of its memory: the life of the worker now was never registered.
    pub fn lose_memory(&self) {
        let mut state = self.shared.lock();
        state.incarnation -= 1;
        state.last_epoch = 0;
        state.streams.clear();
        self.shared.changed.notify_all();
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
        self.shared.changed.notify_all();
        state.last_epoch
    }

    /// Takes streams away.
    pub fn revoke(&self, ids: impl IntoIterator<Item = StreamId>) {
        let mut state = self.shared.lock();
        for id in ids {
            state.changed(id);
            state.streams.remove(&id);
        }
        self.shared.changed.notify_all();
    }

    /// Changes what is worse for a stream, two runners or none; its epoch stays.
    pub fn set_handoff(&self, id: StreamId, handoff: Handoff) {
        let mut state = self.shared.lock();
        state.changed(id);
        if let Some(stream) = state.streams.get_mut(&id) {
            stream.handoff = handoff;
        }
        self.shared.changed.notify_all();
    }

    /// Forgets what changed: the next answer to a heartbeat is the whole set.
    pub fn tell_everything(&self) {
        let mut state = self.shared.lock();
        state.version += 1;
        state.forgotten = state.version;
        self.shared.changed.notify_all();
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
        self.shared.changed.notify_all();
    }

    /// Another process registers under the name of the worker, whose heartbeats then get 409.
    pub fn let_another_register(&self) {
        self.shared.lock().register();
        self.shared.changed.notify_all();
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
