//! For the author of a worker: the contract of `docs/WORKERS.md`, kept.
//!
//! ```no_run
//! use resilient_orchestrator::client::{Permit, Runner, StopReason, StreamAssignment, Worker};
//!
//! struct Mine;
//!
//! impl Runner for Mine {
//!     fn start(
//!         &mut self,
//!         stream: &StreamAssignment,
//!         permit: Permit,
//!     ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//!         // Begin to work on the stream, on a thread or process of its own, and return.
//!         Ok(())
//!     }
//!
//!     fn stop(&mut self, stream: &StreamAssignment, reason: StopReason) {
//!         // Return once it does not run any more.
//!     }
//! }
//!
//! let worker = Worker::builder("http://localhost:8001", "worker-1")
//!     .max_streams(20)
//!     .start(Mine)?;
//! worker.wait()?; // as long as it lives
//! # Ok::<(), resilient_orchestrator::client::WorkerError>(())
//! ```
//!
//! A worker has four threads. One keeps the rules (`keeper.rs`, `machine`) and never waits for
//! another. One speaks with the orchestrator, one request at a time (`wire.rs`); one waits for news
//! (`news.rs`); one calls the [`Runner`] (`performer.rs`). So exclusive streams are told to stop when
//! the lease ends whatever the network does: after nine tenths of it, if the orchestrator says
//! nothing else, counted from the moment the last answered heartbeat was *sent*, on a clock that
//! goes on while the machine sleeps. And so a slow call to the runner costs no other stream its
//! lease.
//!
//! With the feature `client` alone nothing of the server is built:
//! `default-features = false, features = ["client"]`.

mod keeper;
pub mod machine;
mod news;
mod performer;
mod permit;
mod reading;
mod stream;
pub mod testing;
mod wire;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

pub use permit::Permit;
pub use stream::{Ending, Epoch, Handoff, StopReason, StreamAssignment, StreamId};

use crate::masked_url::masked_url;
use keeper::{End, Message};

/// Why a stream could not be started.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What the author of a worker writes. The calls come one after the other, from one thread.
///
/// Each waits for the one before it, and the stop at the end of a lease does too: leave long work
/// to threads or processes of your own, and let them ask their [`Permit`], which no call delays. A
/// call that takes longer than a lease counts as hung: heartbeats end, and the streams of this
/// worker are given to others.
pub trait Runner: Send + 'static {
    /// Begins to run a stream. It is never called for a stream that runs already.
    ///
    /// # Errors
    /// If it cannot be run here: it is given back, for another worker to run.
    fn start(&mut self, stream: &StreamAssignment, permit: Permit) -> Result<(), Failure>;

    /// Stops a stream; returns when it does not run any more, because from then on somebody
    /// else may run it.
    fn stop(&mut self, stream: &StreamAssignment, reason: StopReason);

    /// Is told how things go, for a log.
    fn notice(&mut self, notice: &Notice) {
        let _ = notice;
    }
}

/// How things go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The orchestrator knows this worker now, as this life of it.
    Registered {
        /// The number of the life.
        incarnation: i64,
    },
    /// A request failed; it is tried again.
    Unreachable(String),
    /// Requests are answered again.
    Reachable,
    /// The runner could not start a stream, which is given back; its error, with URLs masked.
    StartFailed(StreamId, String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { incarnation } => write!(f, "registered, incarnation {incarnation}"),
            Self::Unreachable(why) => write!(f, "the orchestrator does not answer: {why}"),
            Self::Reachable => f.write_str("the orchestrator answers again"),
            Self::StartFailed(id, why) => write!(f, "stream {id} does not start: {why}"),
        }
    }
}

/// Why a worker ended, or could not begin.
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkerError {
    /// Another process registered under the same `server_id`. Everything here is stopped. Make
    /// sure that each worker has a name of its own; this is what the orchestrator said.
    OtherProcess(String),
    /// The orchestrator does not accept the registration; this is what it said.
    Refused(String),
    /// A call of the [`Runner`] panicked. Every [`Permit`] has ended.
    RunnerPanicked,
    /// No thread could be started.
    NoThread(std::io::Error),
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherProcess(detail) => write!(
                f,
                "another process lives under the server_id of this worker; everything here was \
                 stopped ({detail})"
            ),
            Self::Refused(detail) => write!(f, "the registration is refused: {detail}"),
            Self::RunnerPanicked => f.write_str("the runner panicked"),
            Self::NoThread(error) => write!(f, "no thread could be started: {error}"),
        }
    }
}

impl Error for WorkerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoThread(error) => Some(error),
            Self::OtherProcess(_) | Self::Refused(_) | Self::RunnerPanicked => None,
        }
    }
}

/// What is said at registration.
#[derive(Clone)]
pub struct Builder {
    url: String,
    server_id: String,
    address: Option<(String, u16)>,
    max_streams: u32,
    labels: BTreeMap<String, String>,
    heartbeat_interval: Option<Duration>,
    auto_assign: bool,
}

impl fmt::Debug for Builder {
    /// Leaves out what only repeats the calls, and what may be a password in the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("url", &masked_url(&self.url))
            .field("server_id", &self.server_id)
            .field("max_streams", &self.max_streams)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Where this worker is reached, for people to look up. Otherwise the address it has on the
    /// way to the orchestrator, and port 1.
    #[must_use]
    pub fn address(mut self, ip: impl Into<String>, port: u16) -> Self {
        self.address = Some((ip.into(), port));
        self
    }

    /// How many streams it can run, 20 if not said.
    #[must_use]
    pub fn max_streams(mut self, max_streams: u32) -> Self {
        self.max_streams = max_streams;
        self
    }

    /// Labels it with what matters for placing streams.
    #[must_use]
    pub fn labels<K: Into<String>, V: Into<String>>(
        mut self,
        labels: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let labels = labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        self.labels.extend(labels);
        self
    }

    /// Beats more often than the orchestrator asks for.
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat_interval = Some(interval);
        self
    }

    /// Whether it is filled with streams nobody runs, which is so if not said. Otherwise it only
    /// takes over from others.
    #[must_use]
    pub fn auto_assign(mut self, auto_assign: bool) -> Self {
        self.auto_assign = auto_assign;
        self
    }

    /// Begins to live. Returns at once: the registration is tried until it succeeds.
    ///
    /// # Errors
    /// If there is no thread left to do it.
    pub fn start(self, runner: impl Runner) -> Result<Worker, WorkerError> {
        let (inbox, keeper) = keeper::spawn(self, runner).map_err(WorkerError::NoThread)?;
        Ok(Worker {
            handle: Handle { inbox },
            keeper: Some(keeper),
        })
    }
}

/// A living worker. It leaves when it is dropped, and that takes as long as its streams take to
/// stop and the orchestrator to be told, or a few seconds if it does not answer.
#[derive(Debug)]
pub struct Worker {
    handle: Handle,
    keeper: Option<JoinHandle<End>>,
}

impl Worker {
    /// A worker of the orchestrator at `url`. The `server_id` is its name: stable across
    /// restarts, and nobody else's.
    pub fn builder(url: impl Into<String>, server_id: impl Into<String>) -> Builder {
        Builder {
            url: url.into().trim_end_matches('/').to_owned(),
            server_id: server_id.into(),
            address: None,
            max_streams: 20,
            labels: BTreeMap::new(),
            heartbeat_interval: None,
            auto_assign: true,
        }
    }

    /// To tell it something from another thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it did not end by leaving.
    pub fn wait(mut self) -> Result<(), WorkerError> {
        self.join()
    }

    /// Stops all streams, gives them back and leaves for good.
    ///
    /// # Errors
    /// If it ended otherwise before.
    pub fn leave(mut self) -> Result<(), WorkerError> {
        self.handle.leave();
        self.join()
    }

    fn join(&mut self) -> Result<(), WorkerError> {
        let Some(keeper) = self.keeper.take() else {
            return Ok(());
        };
        match keeper.join() {
            Ok(Some(Ending::Left)) => Ok(()),
            Ok(Some(Ending::OtherProcess(detail))) => Err(WorkerError::OtherProcess(detail)),
            Ok(Some(Ending::Refused(detail))) => Err(WorkerError::Refused(detail)),
            Ok(None) | Err(_) => Err(WorkerError::RunnerPanicked),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.handle.leave();
        // Who drops it does not want to know how it went.
        let _ = self.join();
    }
}

/// Tells a worker something. What is told to one that has ended is not heard.
#[derive(Debug, Clone)]
pub struct Handle {
    inbox: Sender<Message>,
}

impl Handle {
    /// Stop all streams, give them back and leave for good.
    pub fn leave(&self) {
        let _ = self.inbox.send(Message::Leave);
    }

    /// Stop this stream, and give it back for another worker to run.
    pub fn give_back(&self, stream: StreamId) {
        let _ = self.inbox.send(Message::GiveBack(stream));
    }
}
