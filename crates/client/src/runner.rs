//! The trait that the author of a worker implements, and what its calls get.

use std::error::Error;
use std::fmt;

use super::permit::Permit;
use super::stream::{StopReason, StreamAssignment, StreamId};

/// Why a stream could not be started.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The part of a worker that its author writes. The calls come one after the other, from one
/// thread.
///
/// Each call waits for the one before it, and so does the stop at the end of a lease. Long work
/// therefore belongs to threads or processes of its own, which check their [`Permit`]; no call
/// delays a permit. A call that takes longer than a lease counts as hung: heartbeats end, and the
/// streams of this worker are assigned to others.
pub trait Runner: Send + 'static {
    /// Begins to run a stream. It is never called for a stream that runs already.
    ///
    /// # Errors
    /// An error says that the stream cannot run here. The stream is released for another worker,
    /// with the error as the reason. The error must not contain a password.
    fn start(&mut self, stream: &StreamAssignment, permit: Permit) -> Result<(), Failure>;

    /// Stops a stream. It returns when the stream does not run any more, because from then on
    /// another worker may run it.
    fn stop(&mut self, stream: &StreamAssignment, reason: StopReason);

    /// Reports an event of the worker's life, for a log.
    fn notice(&mut self, notice: &Notice) {
        let _ = notice;
    }
}

/// An event of the worker's life.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it")]
pub enum Notice {
    /// The orchestrator has registered this worker under a new incarnation.
    Registered { incarnation: i64 },
    /// A request failed; it is retried.
    Unreachable(String),
    /// Requests are answered again.
    Reachable,
    /// A request with the key ([`crate::Builder::key`]) goes to this URL, masked, without encryption. Said once.
    KeyInCleartext(String),
    /// The runner could not start a stream, which is released; with the error, its URLs masked.
    StartFailed(StreamId, String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { incarnation } => write!(f, "registered, incarnation {incarnation}"),
            Self::Unreachable(why) => write!(f, "the orchestrator does not answer: {why}"),
            Self::Reachable => f.write_str("the orchestrator answers again"),
            Self::KeyInCleartext(url) => write!(
                f,
                "the worker's key is sent to {url} without encryption: a listener on the way can read it \
                 and act with it; name the orchestrator by https:// in the URLs of the worker"
            ),
            Self::StartFailed(id, why) => write!(f, "stream {id} does not start: {why}"),
        }
    }
}
