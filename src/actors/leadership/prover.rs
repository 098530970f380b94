//! The newest proof, and those who wait for a newer one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::clock::Clock;
use crate::domain::ids::Term;
use crate::domain::leadership::Proof;

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
    term: Term,
    /// How old the newest proof may be until this orchestrator counts as unproven.
    proven_for: Duration,
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
    pub fn alone(clock: Clock, term: Term) -> Self {
        Self::with(clock, term, Duration::MAX, Source::Alone)
    }

    /// The prover of a process that shares its store, whose term was proven at `anchor`. It counts
    /// as unproven once that, or a later proof, is older than `proven_for`.
    pub fn by_renewals(clock: Clock, term: Term, proven_for: Duration, anchor: Duration) -> Self {
        let source = Source::Row {
            newest: watch::Sender::new(anchor),
            wanted: Notify::new(),
        };
        Self::with(clock, term, proven_for, source)
    }

    fn with(clock: Clock, term: Term, proven_for: Duration, source: Source) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                term,
                proven_for,
                source,
            }),
        }
    }

    /// The term that is proven.
    pub fn term(&self) -> Term {
        self.shared.term
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
    pub fn age(&self) -> Duration {
        match &self.shared.source {
            Source::Alone => Duration::ZERO,
            Source::Row { newest, .. } => self.moment().saturating_sub(*newest.borrow()),
        }
    }

    /// Whether the newest proof is young enough.
    pub fn is_proven(&self) -> bool {
        self.age() <= self.shared.proven_for
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
}
