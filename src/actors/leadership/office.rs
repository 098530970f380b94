//! The office of a leader: what a process holds from its take-over on.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};
use tokio::task::{AbortHandle, JoinHandle};

use super::calls::FailsafeCalls;
use super::ears::Ears;
use super::holding::Holding;
use super::neighbourhood::away_after;
use super::orders::{ForgetError, Orders, StepDownTo};
use super::prover::Prover;
use super::renewals::{Renewals, renew};
use super::surroundings::Neighbours;
use super::view::{ClusterView, Identity};
use super::witnesses::WitnessReader;
use crate::actors::alerts::Alerts;
use crate::actors::fatal::FatalSender;
use crate::clock::Clock;
use crate::domain::ids::Term;
use crate::domain::leadership::{
    Anchor, LeadershipLimits, MemberRow, MemberSecret, NodeName, ProofClock, ReleaseCause, Role,
    RunId, StartFreeze, SteadyTime, StepDownRefusal,
};
use crate::store::{Leadership, Release};

/// How often a leader that has released its term looks who has taken it.
const NEXT_LEADER_LOOK: Duration = Duration::from_millis(50);

/// A term that was taken, and the row that proves it.
#[derive(Debug)]
pub struct Office {
    row: Option<Arc<dyn Leadership>>,
    term: Term,
    limits: LeadershipLimits,
    anchor: SteadyTime,
    view: ClusterView,
    calls: Option<Rc<dyn FailsafeCalls>>,
    neighbours: Option<Arc<dyn Neighbours>>,
}

impl Office {
    /// The office of a process that shares its store. The take-over was sent at `anchor`. It asks no other
    /// orchestrator.
    pub fn held(
        row: Arc<dyn Leadership>,
        term: Term,
        limits: LeadershipLimits,
        anchor: SteadyTime,
        view: ClusterView,
    ) -> Self {
        Self {
            row: Some(row),
            term,
            limits,
            anchor,
            view,
            calls: None,
            neighbours: None,
        }
    }

    /// The same, which asks the other orchestrators while its database does not answer.
    #[must_use]
    pub fn asking(self, calls: Rc<dyn FailsafeCalls>) -> Self {
        Self {
            calls: Some(calls),
            ..self
        }
    }

    /// The same, with a way to ask the other orchestrators what they know.
    #[must_use]
    pub fn among(self, neighbours: Arc<dyn Neighbours>) -> Self {
        Self {
            neighbours: Some(neighbours),
            ..self
        }
    }

    /// The office of a process that has its store for itself.
    pub fn sole(term: Term, view: ClusterView) -> Self {
        Self {
            row: None,
            term,
            limits: LeadershipLimits::from_take_over(Duration::MAX),
            anchor: SteadyTime::default(),
            view,
            calls: None,
            neighbours: None,
        }
    }

    /// The office of a program that embeds the orchestrator with a store of its own.
    pub fn embedded(term: Term, clock: &Clock) -> Self {
        let me = Identity {
            node: NodeName::new("embedded"),
            run: RunId::new(1),
            address: String::new(),
            public_url: String::new(),
            secret: MemberSecret::default(),
        };
        Self::sole(term, ClusterView::new(me, Duration::MAX, clock.clone()))
    }

    /// Returns the view of the leader and the members.
    pub fn view(&self) -> &ClusterView {
        &self.view
    }

    /// Renews the row while the fleet is loaded, until it is aborted. Another term that it finds is found
    /// again by the renewals afterwards.
    pub fn keep(&self) -> JoinHandle<()> {
        let (row, term, run) = (self.row.clone(), self.term, self.view.me().run);
        let (limits, view) = (self.limits, self.view.clone());
        actix::spawn(async move {
            while let Some(row) = &row {
                let renewed = row.renew(term, run);
                if let Ok(Ok(_)) = tokio::time::timeout(limits.statement_limit, renewed).await {
                    view.database_answered();
                }
                tokio::time::sleep(limits.renewal_interval).await;
            }
        })
    }

    /// Returns the prover of the term. From here on this process answers as the leader.
    pub(in crate::actors) fn prover(&self) -> Prover {
        self.view.change(|known| known.role = Role::Leading);
        let clock = self.view.clock().clone();
        let proofs = match &self.row {
            None => ProofClock::always(),
            Some(_) => ProofClock::starting_at(Anchor::sent_at(self.anchor)),
        };
        Prover::new(clock, self.term, self.limits, proofs)
    }

    /// Returns the way to what other orchestrators heard.
    pub(in crate::actors) fn witnesses(&self) -> WitnessReader {
        WitnessReader::new(self.row.clone(), self.limits.statement_limit)
    }

    /// Begins to renew the term, and returns the way to give it up; none for a process that has its store
    /// for itself.
    pub(in crate::actors) fn begin(
        &self,
        prover: Prover,
        alerts: Alerts,
        fatal: FatalSender,
        holding: Holding,
        freeze: StartFreeze,
        ears: Ears,
    ) -> Option<Seat> {
        let row = self.row.clone()?;
        let limit = self.limits.statement_limit;
        let fresh = away_after(&self.limits) / 2;
        let (orders, forget) = Orders::new(
            self.view.clone(),
            prover.clone(),
            fatal.clone(),
            fresh,
            limit,
        );
        let renewals = Renewals {
            row: row.clone(),
            limits: self.limits,
            prover: prover.clone(),
            neighbours: self.neighbours.clone(),
            holding,
            freeze,
            clock: self.view.clock().clone(),
            view: self.view.clone(),
            alerts,
            fatal,
            calls: self.calls.clone(),
            ears,
            orders: orders.clone(),
        };
        Some(Seat {
            row,
            prover,
            run: self.view.me().run,
            limit,
            orders,
            renewing: actix::spawn(renew(renewals, forget)).abort_handle(),
        })
    }
}

/// The way to give a term up.
#[derive(Debug, Clone)]
pub(in crate::actors) struct Seat {
    row: Arc<dyn Leadership>,
    prover: Prover,
    run: RunId,
    limit: Duration,
    orders: Orders,
    renewing: AbortHandle,
}

impl Seat {
    /// Begins to hand the term over, to this orchestrator or to the best one.
    ///
    /// # Errors
    /// If none is ready.
    pub(in crate::actors) fn step_down(
        &self,
        to: Option<&NodeName>,
        reason: &str,
    ) -> Result<StepDownTo, StepDownRefusal> {
        self.orders.step_down(to, reason)
    }

    /// Forgets a member that is away.
    ///
    /// # Errors
    /// If it may not be forgotten, or the database does not answer.
    pub(in crate::actors) async fn forget(&self, node: &NodeName) -> Result<(), ForgetError> {
        self.orders.forget(node).await
    }

    /// The orchestrator that the term can be handed over to now.
    pub(in crate::actors) fn heir(&self) -> Option<MemberRow> {
        self.orders.heir()
    }

    /// Releases the term to the successor that was ordered, or to `heir`, or to any orchestrator, so that a standby takes
    /// over at once instead of waiting for a renewal that does not come. Returns whether the row is released.
    pub(in crate::actors) async fn release(&self, heir: Option<&NodeName>) -> bool {
        self.stop_renewing();
        let (chosen, cause) = match self.orders.successor() {
            Some((node, cause)) => (Some(node), cause),
            None => (heir.cloned(), ReleaseCause::Ended),
        };
        let term = self.prover.term();
        let released = self.row.release(term, self.run, chosen.as_ref(), cause);
        match tokio::time::timeout(self.limit, released).await {
            Ok(Ok(Release::Released { .. })) => {
                info!("gave up the leadership of this database");
                return true;
            }
            // Another process leads already.
            Ok(Ok(Release::Deposed(_))) => {}
            Ok(Err(error)) => warn!(error:%; "the leadership could not be given up: {error}"),
            Err(_) => warn!("the leadership could not be given up in time"),
        }
        false
    }

    /// Renews the term no longer. A renewal that is under way still comes to its end.
    pub(in crate::actors) fn stop_renewing(&self) {
        self.renewing.abort();
    }

    /// Returns once the row has another term; from then on the view shows it.
    pub(in crate::actors) async fn see_next_leader(&self, view: &ClusterView) {
        loop {
            if let Ok(Some(look)) = self.row.look().await
                && look.row.term > self.prover.term()
            {
                return view.saw(look.row);
            }
            tokio::time::sleep(NEXT_LEADER_LOOK).await;
        }
    }
}
