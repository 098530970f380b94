//! The messages of a worker's threads to the keeper.

use std::time::Duration;

use super::machine::{Answer, Outcome, Ticket};
use super::stream::{Ending, StreamId};

/// How a call of the runner ended.
#[derive(Debug)]
pub(super) enum Performed {
    Ended(Outcome),
    /// A start failed, with the error as its reason.
    Failed(String),
}

/// A message to the keeper.
#[derive(Debug)]
pub(super) enum Message {
    /// The answer to a request, and for operators a sentence about what went wrong.
    Answered(Ticket, Answer, Option<String>),
    /// The next request shows the key at this URL, masked, without encryption.
    KeyInCleartext(String),
    /// The orchestrator's current version, for this incarnation.
    News {
        incarnation: i64,
        version: i64,
    },
    /// The runner has carried out a call.
    Performed(Performed),
    /// The runner panicked.
    RunnerGone,
    GiveBack(StreamId, Option<String>),
    /// The worker leaves; for a while if the time is given.
    Leave(Option<Duration>),
}

/// How the keeper ended; `None` if the runner panicked.
pub(super) type End = Option<Ending>;
