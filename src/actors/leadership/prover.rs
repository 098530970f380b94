//! The newest proof, and those who wait for a newer one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::clock::Clock;
use crate::domain::leadership::{LeaseTerms, Proof, ProofAge};

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
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// No other process can open the store.
    Alone,
    /// Renewals of the leadership row.
    Row {
        /// When the newest proof was sent, on steady time.
        newest: watch::Sender<Duration>,
        /// An answer waits for a newer one.
        wanted: Notify,
    },
}

/// There is no proof that this orchestrator leads, as far as can be found out in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database has not confirmed in time that this orchestrator leads")]
pub struct NotProven;

impl Prover {
    /// The prover of a process that has its store for itself.
    pub fn alone(clock: Clock) -> Self {
        Self::with(clock, Source::Alone)
    }

    /// The prover of a process that shares its store, whose term was proven at `anchor`.
    pub fn by_renewals(clock: Clock, anchor: Duration) -> Self {
        let source = Source::Row {
            newest: watch::Sender::new(anchor),
            wanted: Notify::new(),
        };
        Self::with(clock, source)
    }

    fn with(clock: Clock, source: Source) -> Self {
        Self {
            shared: Arc::new(Shared { clock, source }),
        }
    }

    /// The moment of a request, to be compared with proofs.
    pub fn moment(&self) -> Duration {
        self.shared.clock.since_made()
    }

    /// A proof that was sent after the request came.
    ///
    /// # Errors
    /// If the database gave none within a quarter of a second.
    pub async fn after(&self, came: Duration) -> Result<Proof, NotProven> {
        let (newest, wanted) = match &self.shared.source {
            Source::Alone => return Ok(Proof::of_a_sole_process(came)),
            Source::Row { newest, wanted } => (newest, wanted),
        };
        let mut newest = newest.subscribe();
        let sent = *newest.borrow_and_update();
        if let Some(proof) = Proof::after(came, sent) {
            return Ok(proof);
        }
        wanted.notify_one();
        let newer = newest.wait_for(|sent| *sent > came);
        let sent = tokio::time::timeout(PROOF_LIMIT, newer).await;
        let sent = sent.ok().and_then(Result::ok).map(|sent| *sent);
        sent.and_then(|sent| Proof::after(came, sent))
            .ok_or(NotProven)
    }

    /// How old the newest proof is.
    pub fn age(&self) -> ProofAge {
        match &self.shared.source {
            Source::Alone => ProofAge::NONE,
            Source::Row { newest, .. } => {
                ProofAge::between(*newest.borrow(), self.shared.clock.since_made())
            }
        }
    }

    /// The term was confirmed by a transaction that was sent at that moment.
    pub fn confirm(&self, sent: Duration) {
        if let Source::Row { newest, .. } = &self.shared.source {
            newest.send_if_modified(|known| {
                let is_newer = sent > *known;
                *known = sent.max(*known);
                is_newer
            });
        }
    }

    /// Returns when an answer waits for a proof.
    pub(super) async fn wanted(&self) {
        match &self.shared.source {
            Source::Alone => std::future::pending().await,
            Source::Row { wanted, .. } => wanted.notified().await,
        }
    }

    /// The lease and the stop that may be told now.
    pub fn shorten(&self, terms: LeaseTerms) -> LeaseTerms {
        terms.shortened_by(self.age())
    }
}
