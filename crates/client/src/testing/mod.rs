//! An orchestrator for the tests of a worker, controlled by the test.
//!
//! It listens on a free port on loopback and answers `/register`, `/heartbeat`, `/streams/release`,
//! `DELETE /instances/…` and the long poll like the real one, for one worker, with nothing behind
//! it. With short leases a test is short:
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
//! // … and after 0.9 s the runner is called to stop both.
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

/// An orchestrator for one worker, controlled by the test. It ends when dropped.
#[derive(Debug)]
pub struct FakeOrchestrator {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FakeOrchestrator {
    /// Begins to listen: heartbeats every 50 ms, leases of a second, no streams.
    ///
    /// # Errors
    /// Returns an error if there is no port or no thread left.
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
                // A broken connection is left to the worker.
                let _ = thread::Builder::new()
                    .spawn(move || stream.and_then(|stream| http::serve(stream, &served)));
            }
        })?;
        Ok(Self { address, shared })
    }

    /// Returns the URL at which it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets how long the leases are that it grants from now on; zero grants none.
    pub fn set_lease(&self, lease: Duration) {
        self.shared.lock().lease = lease;
    }

    /// Sets the heartbeat interval for workers that register from now on.
    pub fn set_interval(&self, interval: Duration) {
        self.shared.lock().interval = interval;
    }

    /// Switches the long poll off, as in an older orchestrator.
    pub fn have_no_news(&self) {
        self.shared.lock().has_news = false;
        self.shared.changed.notify_all();
    }

    /// Names other orchestrators to workers that register from now on.
    pub fn name_others(&self, urls: impl IntoIterator<Item = String>) {
        self.shared.lock().others = urls.into_iter().collect();
    }

    /// Goes back to an older state: the worker's current incarnation was never registered.
    pub fn lose_memory(&self) {
        let mut state = self.shared.lock();
        state.incarnation -= 1;
        state.last_epoch = 0;
        state.streams.clear();
        self.shared.changed.notify_all();
    }

    /// Stops sending changes and granting leases: a worker has to request its streams.
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

    /// Assigns an `overlap` stream, under a new epoch.
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

    /// Changes the mode of hand-over of a stream; its epoch stays.
    pub fn set_handoff(&self, id: StreamId, handoff: Handoff) {
        let mut state = self.shared.lock();
        state.changed(id);
        if let Some(stream) = state.streams.get_mut(&id) {
            stream.handoff = handoff;
        }
        self.shared.changed.notify_all();
    }

    /// Forgets all changes: the next answer to a heartbeat is the whole set.
    pub fn tell_everything(&self) {
        let mut state = self.shared.lock();
        state.version += 1;
        state.forgotten = state.version;
        self.shared.changed.notify_all();
    }

    /// Takes requests and answers none from now on, until [`answer`](Self::answer).
    pub fn fall_silent(&self) {
        self.set_mood(Mood::Silent);
    }

    /// Answers every request with this status from now on, until [`answer`](Self::answer).
    pub fn refuse(&self, status: u16, retry_after: Option<u64>) {
        self.set_mood(Mood::Refusing {
            status,
            retry_after,
        });
    }

    /// Answers as usual from now on; requests that were withheld are answered too.
    pub fn answer(&self) {
        self.set_mood(Mood::Answering);
    }

    fn set_mood(&self, mood: Mood) {
        self.shared.lock().mood = mood;
        self.shared.changed.notify_all();
    }

    /// Deletes the worker: heartbeats get 404 until it registers again, and its streams are gone.
    pub fn forget(&self) {
        let mut state = self.shared.lock();
        state.is_registered = false;
        state.streams.clear();
        self.shared.changed.notify_all();
    }

    /// Registers another process under the name of the worker, whose heartbeats then get 409.
    pub fn let_another_register(&self) {
        self.shared.lock().register();
        self.shared.changed.notify_all();
    }

    /// Returns the next call for which the condition holds, after those returned before; `None` if
    /// it does not come within half a minute. Calls before it are skipped.
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

    /// Waits for the next heartbeat of a worker that reports exactly these streams.
    pub fn wait_until_running(&self, ids: &[StreamId]) -> Option<Call> {
        self.wait_for(|call| call.path == "/heartbeat" && call.body["streams"] == json!(ids))
    }

    /// Returns all calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.lock().calls.clone()
    }
}

impl Drop for FakeOrchestrator {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.set_mood(Mood::Answering);
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}
