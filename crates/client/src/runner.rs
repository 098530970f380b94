//! What the author of a worker writes, and what it is given to know.

use std::error::Error;
use std::fmt;

use super::permit::Permit;
use super::stream::{StopReason, StreamAssignment, StreamId};

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
    /// If it cannot be run here: it is given back, for another worker to run, and the orchestrator is
    /// told the error as the reason. Keep passwords out of it.
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
