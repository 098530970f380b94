//! What a worker is told to run, and why it is told to stop.

use std::fmt;

use orchestrator_domain::masked_url::masked_url;

/// The number of a stream.
pub type StreamId = i64;

/// A number that grows with each assignment of a stream: send it with what the stream produces,
/// and whoever stores it can refuse a former owner (`docs/FENCING.md`). 0 if the orchestrator
/// does not tell.
pub type Epoch = i64;

/// A stream this worker is to run. Its `Debug` shows scheme and host of the URL only.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamAssignment {
    /// Which.
    pub id: StreamId,
    /// Under which epoch.
    pub epoch: Epoch,
    /// What people call it; empty if the orchestrator does not tell.
    pub name: String,
    /// Where it comes from. It may hold a password: log the number of the stream instead.
    pub url: Option<String>,
    /// What matters more while two workers might run it.
    pub handoff: Handoff,
}

impl StreamAssignment {
    /// A stream of which nothing but its number is known.
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

/// What is worse: two that run a stream, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handoff {
    /// Two: it is stopped when the lease ends.
    #[default]
    Exclusive,
    /// None: it goes on while the orchestrator cannot be reached.
    Overlap,
}

/// Why a stream has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It is another worker's now, or nobody's.
    Revoked,
    /// It was assigned anew, under a higher epoch: it is started again at once.
    Replaced,
    /// The orchestrator could not be reached for too long: it may be another worker's by now. It
    /// is started again if it turns out that it is not.
    LeaseEnded,
    /// The orchestrator does not know this worker any more.
    Unregistered,
    /// Another process lives under the name of this worker.
    OtherProcess,
    /// It was given back by this worker, or could not be started.
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

/// How the life of a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As it was told to.
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
