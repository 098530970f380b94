//! The streams a worker should run, and why it has to stop one.

use std::fmt;

use orchestrator_domain::masked_url::masked_url;

/// The number of a stream.
pub type StreamId = i64;

/// A number that grows with each assignment of a stream. A worker sends it along with the results,
/// so that a store of results can refuse a former owner (`docs/FENCING.md`). 0 if the orchestrator
/// sends none.
pub type Epoch = i64;

/// A stream this worker should run. Its `Debug` shows scheme and host of the URL only.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StreamAssignment {
    pub id: StreamId,
    /// The epoch of this assignment.
    pub epoch: Epoch,
    /// The name in the catalogue; empty if the orchestrator sends none.
    pub name: String,
    /// Where its content is found. The URL may hold a password: log the id of the stream instead.
    pub url: Option<String>,
    /// How the stream is handed over.
    pub handoff: Handoff,
}

impl StreamAssignment {
    /// Creates a stream of which only the id is known.
    pub fn new(id: StreamId) -> Self {
        Self {
            id,
            epoch: 0,
            name: String::new(),
            url: None,
            handoff: Handoff::default(),
        }
    }
}

impl fmt::Debug for StreamAssignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamAssignment")
            .field("id", &self.id)
            .field("epoch", &self.epoch)
            .field("name", &self.name)
            .field("url", &self.url.as_deref().map(masked_url))
            .field("handoff", &self.handoff)
            .finish()
    }
}

/// Which is worse for a stream: two runners, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handoff {
    /// Two runners are worse: the stream stops when the lease ends.
    #[default]
    Exclusive,
    /// No runner is worse: the stream goes on while the orchestrator cannot be reached.
    Overlap,
}

/// Why a stream has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It was taken from this worker.
    Revoked,
    /// It was assigned anew, under a higher epoch: it is started again at once.
    Replaced,
    /// The orchestrator could not be reached for too long, so another worker may own it by now. It
    /// is started again if that turns out not to be so.
    LeaseEnded,
    /// The orchestrator does not know this worker any more.
    Unregistered,
    /// Another process registered under the name of this worker.
    OtherProcess,
    /// This worker released it, or could not start it.
    GivenBack,
    /// This worker leaves.
    Leaving,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoked => "it was taken away",
            Self::Replaced => "it was assigned anew",
            Self::LeaseEnded => "the lease ended",
            Self::Unregistered => "the orchestrator does not know this worker any more",
            Self::OtherProcess => "another process lives under the name of this worker",
            Self::GivenBack => "it was given back",
            Self::Leaving => "this worker leaves",
        })
    }
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It left, as it was asked to.
    Left,
    /// Another process registered under the same `server_id`; the orchestrator's sentence.
    OtherProcess(String),
    /// The orchestrator does not accept the registration; its sentence.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_printed_without_its_password() {
        let stream = StreamAssignment {
            url: Some("rtsp://admin:geheim@10.0.0.8/cam?key=geheim".to_owned()),
            ..StreamAssignment::new(7)
        };
        let shown = format!("{stream:?} {stream:#?}");
        assert!(shown.contains("rtsp://10.0.0.8/…"), "{shown}");
        assert!(!shown.contains("geheim"), "{shown}");
    }
}
