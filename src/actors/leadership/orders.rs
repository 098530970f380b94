//! What an operator orders a leader to do about its term and the other orchestrators.
//!
//! ```text
//!   step down:  order ──▶ who gets the term (domain/leadership/handing_over)
//!                 │ one is ready                                  │ none is
//!                 ▼                                               ▼
//!               the process hands over (`app/handover.rs`),      refused, nothing changed
//!               and goes on as a standby (`app/role.rs`)
//!
//!   fitness:    another one hears much more (domain/leadership/fitness) ──▶ the same, by the row alone
//!
//!   forget:     order ──▶ is it away? ──▶ renewals: one transaction with a renewal ──▶ answer
//! ```
//!
//! Stepping down is a stop like any other: each stop hands over, and saves everything that was acknowledged before
//! it releases the term. Forgetting goes through the renewals, which own the set of those that may take over.
//!
//! | failure | consequence |
//! | --- | --- |
//! | the successor ends before it takes the row | another orchestrator takes it after a second |
//! | the database does not answer when the order comes | it is refused, also in failsafe |
//! | the database does not answer when the row is released | a standby takes over as after a crash |
//! | the member that is to be forgotten writes its row at this moment | it is not forgotten |

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use log::warn;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::prover::Prover;
use super::view::ClusterView;
use crate::actors::fatal::{Fatal, FatalSender};
use crate::domain::leadership::{
    FitterMember, ForgetRefusal, MemberRow, NodeName, ReleaseCause, StepDownRefusal, forgettable,
    successor,
};
use crate::store::StoreError;

/// How many orders may wait for the renewals.
const WAITING_ORDERS: usize = 16;

/// The orchestrator that gets the term.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StepDownTo {
    pub node: NodeName,
    pub url: String,
}

/// Why a leader does not step down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepDownError {
    /// No other process can have this database.
    #[error(
        "this orchestrator has its database for itself, so no other one could take over; nothing was \
         changed. Several orchestrators need PostgreSQL"
    )]
    Alone,
    /// No other orchestrator is ready, or not the one that was named.
    #[error("{0}")]
    Refused(StepDownRefusal),
}

/// Why a member is not forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForgetError {
    /// It may not be forgotten, or there is none.
    Refused(ForgetRefusal),
    /// The database did not answer.
    Store(StoreError),
}

/// An order that the renewals carry out.
#[derive(Debug)]
pub(super) struct Forget {
    pub(super) member: MemberRow,
    /// Whether the row is gone and the term held.
    pub(super) reply: oneshot::Sender<Result<bool, StoreError>>,
}

/// Takes the orders of operators. Clones take them for the same leader.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    view: ClusterView,
    prover: Prover,
    fatal: FatalSender,
    forget: mpsc::Sender<Forget>,
    /// How long the row of a successor may be unchanged.
    fresh: Duration,
    /// How long a statement on the row may take.
    limit: Duration,
    successor: Arc<Mutex<Option<(NodeName, ReleaseCause)>>>,
}

impl Orders {
    /// Orders, and the end at which the renewals receive theirs.
    pub(super) fn new(
        view: ClusterView,
        prover: Prover,
        fatal: FatalSender,
        fresh: Duration,
        limit: Duration,
    ) -> (Self, mpsc::Receiver<Forget>) {
        let (forget, receiver) = mpsc::channel(WAITING_ORDERS);
        let orders = Self {
            view,
            prover,
            fatal,
            forget,
            fresh,
            limit,
            successor: Arc::default(),
        };
        (orders, receiver)
    }

    /// Whom the term is released to, and why; `None`: any orchestrator.
    pub(super) fn successor(&self) -> Option<(NodeName, ReleaseCause)> {
        let successor = self.successor.lock();
        successor.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The orchestrator that the term can be handed over to now: the one that was ordered, or the best one.
    pub(super) fn heir(&self) -> Option<MemberRow> {
        if !self.prover.is_proven() {
            return None;
        }
        let members = self.view.now().members;
        let chosen = self.successor().map(|(node, _)| node);
        let heir = successor(&members, &self.view.me().node, chosen.as_ref(), self.fresh);
        heir.ok().map(|heir| heir.row.clone())
    }

    /// Begins to step down.
    pub(super) fn step_down(
        &self,
        to: Option<&NodeName>,
        reason: &str,
    ) -> Result<StepDownTo, StepDownRefusal> {
        // Without the database the term could not be released.
        if !self.prover.is_proven() || self.view.now().failsafe.is_some() {
            return Err(StepDownRefusal::Unproven);
        }
        let members = self.view.now().members;
        let next = successor(&members, &self.view.me().node, to, self.fresh)?;
        let next = StepDownTo {
            node: next.row.node.clone(),
            url: next.row.public_url.clone(),
        };
        let node = next.node.as_str();
        warn!(node, reason; "an operator ordered this orchestrator to hand over to `{node}`: {reason}");
        self.choose(next.node.clone(), ReleaseCause::Ended);
        self.fatal.send(Fatal::SteppedDown(next.node.to_string()));
        Ok(next)
    }

    fn choose(&self, node: NodeName, cause: ReleaseCause) {
        let mut successor = self
            .successor
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *successor = Some((node, cause));
    }

    /// Hands over to an orchestrator that hears much more, by the row alone, unless the term is being handed over
    /// already.
    pub(super) fn hand_over_to(&self, fitter: &FitterMember) {
        if self.successor().is_some() {
            return;
        }
        let FitterMember { node, hears, own } = fitter;
        let (node, hears, serving, leader_hears) = (node.as_str(), *hears, own.serving, own.hears);
        warn!(node, hears, leader_hears, serving;
            "this leader hears {leader_hears} of {serving} instances, and does not reach `{node}`, which hears \
             {hears}: handing over to it");
        self.choose(fitter.node.clone(), ReleaseCause::Fitness);
        self.fatal.send(Fatal::LessFit(fitter.node.to_string()));
    }

    /// Forgets a member that is away.
    pub(super) async fn forget(&self, node: &NodeName) -> Result<(), ForgetError> {
        let members = self.view.now().members;
        let member = forgettable(&members, &self.view.me().node, node);
        let member = member.map_err(ForgetError::Refused)?.row.clone();
        let (reply, answer) = oneshot::channel();
        let order = Forget { member, reply };
        let answered = async {
            self.forget.send(order).await.ok()?;
            answer.await.ok()
        };
        // The renewal before it, and its own statement.
        match timeout(self.limit * 3, answered).await {
            Ok(Some(Ok(true))) => Ok(()),
            Ok(Some(Ok(false))) => Err(ForgetError::Refused(ForgetRefusal::Changed {
                node: node.clone(),
            })),
            Ok(Some(Err(error))) => Err(ForgetError::Store(error)),
            Ok(None) | Err(_) => Err(ForgetError::Store(StoreError::Unavailable(
                "the row of the member was not deleted in time".to_owned(),
            ))),
        }
    }
}
