//! The newest proof, and the answers that wait for a newer one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::clock::Clock;
use crate::domain::ids::Term;
use crate::domain::leadership::{
    Anchor, LeadershipLimits, Needed, Proof, ProofClock, ProofStanding, SteadyTime,
};

/// How long an answer waits for a proof before it is withheld.
const PROOF_LIMIT: Duration = Duration::from_millis(250);

/// Gives out proofs that this orchestrator leads. Clones give out the same.
#[derive(Debug, Clone)]
pub struct Prover {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    term: AtomicI64,
    limits: LeadershipLimits,
    proofs: watch::Sender<ProofClock>,
    /// An answer waits for a newer proof.
    wanted: Notify,
    /// A worker or another orchestrator has named a higher term.
    is_overtaken: AtomicBool,
}

/// There is no proof that this orchestrator leads, as far as can be found out in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database has not confirmed in time that this orchestrator leads")]
pub struct NotProven;

impl Prover {
    /// The prover of a term that was just taken.
    pub(super) fn new(
        clock: Clock,
        term: Term,
        limits: LeadershipLimits,
        proofs: ProofClock,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                term: AtomicI64::new(term.get()),
                limits,
                proofs: watch::Sender::new(proofs),
                wanted: Notify::new(),
                is_overtaken: AtomicBool::new(false),
            }),
        }
    }

    /// Returns the term that is proven.
    pub fn term(&self) -> Term {
        Term::new(self.shared.term.load(Ordering::Acquire))
    }

    /// This process has taken another term, with a take-over that was sent at that moment.
    pub(super) fn takes(&self, term: Term, sent: SteadyTime) {
        self.shared.term.store(term.get(), Ordering::Release);
        self.shared.is_overtaken.store(false, Ordering::Release);
        self.confirm(sent);
    }

    /// Returns the moment at which a request comes, or a proof is sent.
    pub fn moment(&self) -> SteadyTime {
        SteadyTime::new(self.shared.clock.since_made())
    }

    /// Returns a proof that was sent after the request came. A heartbeat that needs none does not call
    /// this; all answers that wait share the next renewal.
    ///
    /// # Errors
    /// If the database gave none within a quarter of a second.
    pub async fn after(&self, came: SteadyTime) -> Result<Proof, NotProven> {
        let mut proofs = self.shared.proofs.subscribe();
        let proof = proofs.borrow_and_update().proof_for(came);
        if let Some(proof) = proof {
            return Ok(proof);
        }
        self.shared.wanted.notify_one();
        let newer = proofs.wait_for(|proofs| proofs.proof_for(came).is_some());
        let newer = tokio::time::timeout(PROOF_LIMIT, newer).await;
        let newer = newer.ok().and_then(Result::ok).map(|proofs| *proofs);
        newer
            .and_then(|proofs| proofs.proof_for(came))
            .ok_or(NotProven)
    }

    /// Returns once an answer may leave that was just decided, to a request that came at `came`.
    ///
    /// # Errors
    /// If the database gave no proof within a quarter of a second.
    pub async fn meets(&self, needed: Needed, came: SteadyTime) -> Result<(), NotProven> {
        let since = match needed {
            Needed::Nothing => return Ok(()),
            Needed::AfterRequest => came,
            Needed::AfterVerdict => self.moment(),
        };
        self.after(since).await.map(|_proof| ())
    }

    /// Returns how old the newest proof is.
    pub fn age(&self) -> Duration {
        self.shared.proofs.borrow().age(self.moment())
    }

    /// Returns whether the newest proof is so young that no other orchestrator takes over.
    pub fn is_proven(&self) -> bool {
        let proofs = self.shared.proofs.borrow();
        proofs.standing(&self.shared.limits, self.moment()) != ProofStanding::Unproven
    }

    /// Notes that a transaction which was sent at that moment confirmed the term.
    pub fn confirm(&self, sent: SteadyTime) {
        self.accept(Anchor::sent_at(sent));
    }

    /// Notes a proof.
    pub(super) fn accept(&self, proof: Anchor) {
        self.shared.proofs.send_modify(|proofs| proofs.prove(proof));
    }

    /// Until when no other process can take over although the database does not answer.
    pub(super) fn set_alone_until(&self, until: Option<SteadyTime>) {
        self.shared
            .proofs
            .send_modify(|proofs| proofs.set_alone_until(until));
    }

    /// A worker or another orchestrator has heard of this term. If it is a higher one, another process has taken over, and being
    /// alone proves nothing any more; what the database proves stays proven.
    pub(in crate::actors) fn hear_of(&self, term: Term) {
        if term > self.term() {
            self.shared.is_overtaken.store(true, Ordering::Release);
            self.set_alone_until(None);
        }
    }

    /// Whether a worker or another orchestrator has named a higher term.
    pub(super) fn is_overtaken(&self) -> bool {
        self.shared.is_overtaken.load(Ordering::Acquire)
    }

    /// Returns when an answer waits for a proof.
    pub(super) async fn wanted(&self) {
        self.shared.wanted.notified().await;
    }
}
