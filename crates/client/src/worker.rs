//! A worker, from its first setting to its end.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use super::keeper;
use super::message::{End, Message};
use super::registration::Registration;
use super::runner::Runner;
use super::stream::{Ending, StreamId};
#[cfg(feature = "tls")]
use super::tls::TlsFiles;

/// Why a worker ended, or could not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkerError {
    /// Another process registered under the same `server_id`. Every stream here is stopped. Each
    /// worker needs a name of its own; this is the orchestrator's sentence.
    OtherProcess(String),
    /// The orchestrator rejects the registration; this is its sentence.
    Refused(String),
    /// A call of the [`Runner`] panicked. Every `Permit` has ended.
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

/// The settings of a worker before it starts.
#[derive(Clone)]
pub struct Builder {
    registration: Registration,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Builder").field(&self.registration).finish()
    }
}

impl Builder {
    /// Sets the address of this worker, for operators. The default is the address it has on the way
    /// to the orchestrator, and port 1.
    #[must_use]
    pub fn address(mut self, ip: impl Into<String>, port: u16) -> Self {
        self.registration.address = Some((ip.into(), port));
        self
    }

    /// Sets how many streams it can run; 20 by default.
    #[must_use]
    pub fn max_streams(mut self, max_streams: u32) -> Self {
        self.registration.max_streams = max_streams;
        self
    }

    /// Limits the sum of the weights of its streams, beside their number; not limited by default.
    #[must_use]
    pub fn capacity(mut self, weight: u32) -> Self {
        self.registration.capacity = Some(weight);
        self
    }

    /// Adds labels (rack, zone, version), which streams may require, and by which the orchestrator
    /// finds what failures have in common.
    #[must_use]
    pub fn labels<K: Into<String>, V: Into<String>>(
        mut self,
        labels: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let labels = labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        self.registration.labels.extend(labels);
        self
    }

    /// Sends heartbeats more often than the orchestrator asks for.
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.registration.heartbeat_interval = Some(interval);
        self
    }

    /// Sets whether streams without an owner are assigned to this worker without a request; true by
    /// default. Otherwise it gets only streams that other workers lose.
    #[must_use]
    pub fn auto_assign(mut self, auto_assign: bool) -> Self {
        self.registration.auto_assign = auto_assign;
        self
    }

    /// Sets the key that each request shows, `ork_…`; an orchestrator whose `AUTH` is on needs one of the role
    /// `worker` that allows this `server_id`. It is printed by no `Debug`. A request with a key that does not do is
    /// retried like one that was not answered: streams stop when the lease is over.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        let key = key.into().trim().to_owned();
        self.registration.key = (!key.is_empty()).then_some(key);
        self
    }

    /// Sets the files for an orchestrator that speaks TLS. They are read again when they change.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.registration.tls = Some(files);
        self
    }

    /// Starts the worker. Returns at once: the registration is retried until it succeeds.
    ///
    /// # Errors
    /// Returns an error if no thread is left for it.
    pub fn start(self, runner: impl Runner) -> Result<Worker, WorkerError> {
        let (inbox, keeper) =
            keeper::spawn(self.registration, runner).map_err(WorkerError::NoThread)?;
        Ok(Worker {
            handle: Handle { inbox },
            keeper: Some(keeper),
        })
    }
}

/// A running worker. It leaves when it is dropped, which takes as long as its streams take to stop
/// and the orchestrator to answer, or a few seconds if it does not answer.
#[derive(Debug)]
pub struct Worker {
    handle: Handle,
    keeper: Option<JoinHandle<End>>,
}

impl Worker {
    /// Begins the settings of a worker of the orchestrator at `urls`; several on one database are separated by commas
    /// (`http://a:8001,http://b:8001`). The worker stays with the one that serves it and turns to the next if that
    /// one does not. It learns of others from the answer to its registration. The `server_id` is its name: stable
    /// across restarts, and unique.
    pub fn builder(urls: impl Into<String>, server_id: impl Into<String>) -> Builder {
        let registration = Registration {
            urls: urls.into(),
            server_id: server_id.into(),
            address: None,
            max_streams: 20,
            capacity: None,
            labels: BTreeMap::new(),
            heartbeat_interval: None,
            auto_assign: true,
            key: None,
            #[cfg(feature = "tls")]
            tls: None,
        };
        Builder { registration }
    }

    /// Returns a handle to control the worker from another thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits for the worker's end.
    ///
    /// # Errors
    /// Returns an error if it ended otherwise than by leaving.
    pub fn wait(mut self) -> Result<(), WorkerError> {
        self.join()
    }

    /// Stops all streams, releases them and leaves for good.
    ///
    /// # Errors
    /// Returns an error if it ended otherwise before.
    pub fn leave(mut self) -> Result<(), WorkerError> {
        self.handle.leave();
        self.join()
    }

    /// Stops all streams and leaves for a while: to be started again, for example. The orchestrator
    /// reserves the streams for so long, and raises no alert; after that they move.
    ///
    /// # Errors
    /// Returns an error if it ended otherwise before.
    pub fn leave_for(mut self, back_in: Duration) -> Result<(), WorkerError> {
        self.handle.leave_for(back_in);
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
        // A caller that drops the worker does not need its result.
        let _ = self.join();
    }
}

/// Controls a worker. Calls to a worker that has ended have no effect.
#[derive(Debug, Clone)]
pub struct Handle {
    inbox: Sender<Message>,
}

impl Handle {
    /// Stops all streams, releases them and leaves for good.
    pub fn leave(&self) {
        let _ = self.inbox.send(Message::Leave(None));
    }

    /// Stops all streams and leaves for a while, as [`Worker::leave_for`].
    pub fn leave_for(&self, back_in: Duration) {
        let _ = self.inbox.send(Message::Leave(Some(back_in)));
    }

    /// Stops this stream, and releases it for another worker.
    pub fn give_back(&self, stream: StreamId) {
        let _ = self.inbox.send(Message::GiveBack(stream, None));
    }

    /// Does the same with a reason. Operators see the reason, and the stream is paused if other
    /// workers give it back too.
    pub fn give_back_because(&self, stream: StreamId, reason: impl Into<String>) {
        let _ = self
            .inbox
            .send(Message::GiveBack(stream, Some(reason.into())));
    }
}
