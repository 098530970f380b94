//! What the machine and its shell say to each other.

use std::time::Duration;

use super::super::stream::{Ending, Handoff, StopReason, StreamAssignment, StreamId};

/// What the shell is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run this stream from now on, and say how that went
    /// ([`Machine::done`](super::Machine::done)).
    Start(StreamAssignment),
    /// Run it no longer, and say when that is so.
    Stop(StreamAssignment, StopReason),
    /// From now on this is what matters more about a stream that runs already.
    Bind(StreamId, Handoff),
    /// Send this, and hand in its [`Answer`], whatever it is.
    Send(Ticket, Request),
    /// It is over; nothing runs any more.
    End(Ending),
}

/// The number of a request, to tell its answer from that to an earlier one.
pub type Ticket = u64;

/// How a call to start or stop a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Done,
    /// The stream cannot be started here.
    Failed,
    /// It was not started, because the lease had ended when it was to begin.
    TooLate,
}

/// What a worker says that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Running {
    /// All of them, ascending.
    Streams(Vec<StreamId>),
    /// A set too large to be listed each time.
    Digest {
        count: usize,
        /// See [`digest`](super::digest()).
        digest: u64,
    },
}

/// What is sent to the orchestrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A new life begins.
    Register,
    /// A sign of life.
    Heartbeat {
        /// The life.
        incarnation: i64,
        /// The set of streams this worker was told, all of whose stops are done. None while some
        /// are not.
        version: Option<i64>,
        /// What it really runs.
        running: Running,
        /// The highest term it has heard of.
        term: Option<i64>,
        /// Whether its lease has lapsed, and a new one makes it run its set again.
        resuming: bool,
    },
    /// Asks for streams, and for the list of those it holds, of an orchestrator that does not
    /// tell what changed.
    List {
        /// The life.
        incarnation: i64,
        /// How many more could be run.
        requested: usize,
    },
    /// Gives streams back.
    Release {
        /// The life.
        incarnation: i64,
        /// Which, ascending.
        streams: Vec<StreamId>,
        /// The epoch of each of them: a stream that was assigned again since is not meant.
        epochs: Vec<i64>,
        /// Why, if there is a reason; the same for all of them.
        reason: Option<String>,
    },
    /// Leaves, for good or for a while.
    Leave {
        /// The life.
        incarnation: i64,
        /// All that are assigned, ascending.
        streams: Vec<StreamId>,
        /// The epoch of each of them.
        epochs: Vec<i64>,
        /// How soon the worker will be back; its streams are reserved for so long. `None`: it leaves
        /// for good.
        back_in: Option<Duration>,
    },
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Of a registration.
    Registered {
        /// The new life.
        incarnation: i64,
        /// How often to beat.
        interval: Duration,
        /// How long to wait for an answer, if that is told.
        request_limit: Option<Duration>,
    },
    /// Of a heartbeat.
    Beaten(Beat),
    /// Of a list: all that are assigned.
    Listed(Vec<StreamId>),
    /// The streams were given back.
    Released,
    /// The worker has left.
    Left,
    /// The orchestrator knows no such worker (any more).
    Unknown,
    /// Another process lives under the name of this worker; the sentence says more.
    OtherProcess(String),
    /// The request is wrong, and will be the next time too.
    Refused(String),
    /// The orchestrator has not served. The next request goes to another one, which was not asked since any of them served.
    Elsewhere,
    /// Anything else: no answer in time, none that makes sense, or one that asks for patience.
    Failed {
        /// How long to wait at least.
        retry_after: Option<Duration>,
    },
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beat {
    /// From the moment the heartbeat was sent; zero grants none, and takes none back.
    pub lease: Option<Duration>,
    /// How far into the lease exclusive streams are to be stopped; nine tenths if not told.
    pub stop_after: Option<Duration>,
    /// The version of the set the worker has after the changes.
    pub version: Option<i64>,
    /// What changed since the version it sent.
    pub changes: Option<Changes>,
    /// The term of the orchestrator that answers.
    pub term: Option<i64>,
    /// Whether it says that it could not prove that it leads.
    pub is_unproven: bool,
}

/// How the set of assigned streams changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// These come, those go.
    Difference {
        /// To be run.
        assign: Vec<StreamAssignment>,
        /// To be stopped.
        revoke: Vec<StreamId>,
    },
    /// This is the whole set.
    Full(Vec<StreamAssignment>),
}
