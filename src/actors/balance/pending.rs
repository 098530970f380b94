//! An order that waits for its answer, and what the answer is made of.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;

use super::planning::Made;
use crate::actors::refusal::Refusal;
use crate::domain::balance::{BalanceMove, BalanceReport, Blocked, Rebalance};
use crate::domain::handover::MoveProgress;
use crate::domain::ids::StreamId;
use crate::domain::request::RequestContext;
use crate::domain::time::Timestamp;
use crate::logging;

/// Why a rebalance was not ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BalanceRefusal {
    /// Something that must not wait is under way.
    Blocked(Blocked),
    /// It could not be carried out.
    Refused(Refusal),
}

impl From<Refusal> for BalanceRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a rebalance began, or would begin.
#[derive(Debug, Clone)]
pub struct Rebalanced {
    /// The balance before, and the plan.
    pub report: BalanceReport,
    /// The plan, each move with how far it has come; none: it has not begun.
    pub moves: Vec<(BalanceMove, Option<MoveProgress>)>,
    /// How many moves this order began.
    pub begun: usize,
    /// How many planned moves are under way in the whole fleet.
    pub under_way: usize,
    /// The time until the moves had begun.
    pub took: Duration,
}

/// What has begun since a plan was made.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// When its making began; none: it is an older plan.
    pub(super) since: Option<Timestamp>,
    /// The moves that have begun, by stream.
    pub(super) moves: BTreeMap<StreamId, MoveProgress>,
    /// How many planned moves are under way, as far as it is known.
    pub(super) under_way: Option<usize>,
}

/// An order that waits for its turn or its plan.
#[derive(Debug)]
pub(super) struct PendingOrder {
    pub(super) what: Rebalance,
    pub(super) is_dry_run: bool,
    pub(super) came: Timestamp,
    /// The request that gave it.
    pub(super) request: Option<RequestContext>,
    answer: oneshot::Sender<Result<Rebalanced, BalanceRefusal>>,
}

impl PendingOrder {
    pub(super) fn new(
        what: Rebalance,
        is_dry_run: bool,
        came: Timestamp,
    ) -> (Self, oneshot::Receiver<Result<Rebalanced, BalanceRefusal>>) {
        let (answer, waiter) = oneshot::channel();
        let order = Self {
            what,
            is_dry_run,
            came,
            request: logging::current(),
            answer,
        };
        (order, waiter)
    }

    /// Returns whether the caller has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    pub(super) fn refuse(self, refusal: BalanceRefusal) {
        // A caller that left needs no answer.
        let _ = self.answer.send(Err(refusal));
    }

    pub(super) fn answer(self, made: Made, begun: Begun, took: Duration) {
        let planned = made.report.plan.moves.iter();
        let moves = planned.map(|planned| {
            let progress = begun.moves.get(&planned.stream).copied();
            (planned.clone(), progress)
        });
        let _ = self.answer.send(Ok(Rebalanced {
            moves: moves.collect(),
            begun: begun.moves.len(),
            under_way: begun.under_way.unwrap_or(made.under_way),
            report: made.report,
            took,
        }));
    }
}
