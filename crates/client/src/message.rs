//! What the threads of a worker say to the one that keeps the rules.

use super::machine::{Answer, Outcome, Ticket};
use super::stream::{Ending, StreamId};

/// How a call of the runner ended.
#[derive(Debug)]
pub(super) enum Performed {
    Ended(Outcome),
    /// A start failed, for this reason.
    Failed(String),
}

/// What the keeper is told.
#[derive(Debug)]
pub(super) enum Message {
    /// What came of a request, and what went wrong, for people.
    Answered(Ticket, Answer, Option<String>),
    /// The version the orchestrator is at, for this life.
    News {
        incarnation: i64,
        version: i64,
    },
    /// The runner did what it was told to.
    Performed(Performed),
    /// The runner panicked.
    RunnerGone,
    GiveBack(StreamId, Option<String>),
    Leave,
}

/// How the keeper ended; `None` if the runner panicked.
pub(super) type End = Option<Ending>;
