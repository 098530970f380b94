//! What this process knows of the leader and the members: shown by `GET /leader` and `GET /cluster`.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::domain::leadership::{LeadershipRow, MemberRow, NodeName, Role, RunId};

/// One process and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The stable name of the orchestrator.
    pub node: NodeName,
    /// This process.
    pub run: RunId,
    /// Where other orchestrators reach it.
    pub address: String,
    /// Where workers and people reach it.
    pub public_url: String,
}

/// Another orchestrator, and when its row last changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMember {
    /// Its row.
    pub row: MemberRow,
    /// How long its row has not changed, as this process saw it.
    pub unchanged_for: Duration,
}

/// Everything that is known at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// What this process does.
    pub role: Role,
    /// The newest leadership row, and the steady time at which its beat was first seen.
    pub leader: Option<(LeadershipRow, Duration)>,
    /// The other orchestrators on this database.
    pub members: Vec<SeenMember>,
    /// The timeline of the database's write-ahead log; PostgreSQL counts its promotions with it.
    pub timeline: Option<i64>,
    /// Whether leases go on without the database, because no other process can take over.
    pub failsafe: bool,
}

/// The shared view. Clones show the same.
#[derive(Debug, Clone)]
pub struct ClusterView {
    me: Arc<Identity>,
    /// For how long a sole process may go on without the database.
    horizon: Duration,
    clock: Clock,
    known: Arc<RwLock<Cluster>>,
    /// The reason of the newest order to take over.
    order: Arc<watch::Sender<Option<String>>>,
}

impl ClusterView {
    /// The view of a process that has seen nothing yet.
    pub fn new(me: Identity, horizon: Duration, clock: Clock) -> Self {
        Self {
            me: Arc::new(me),
            horizon,
            clock,
            known: Arc::new(RwLock::new(Cluster {
                role: Role::Joining,
                leader: None,
                members: Vec::new(),
                timeline: None,
                failsafe: false,
            })),
            order: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Orders this process to take over, with the reason of the operator.
    pub fn order_take_over(&self, reason: String) {
        self.order.send_replace(Some(reason));
    }

    /// Returns the reason as soon as an operator ordered this process to take over.
    pub async fn ordered(&self) -> String {
        let mut order = self.order.subscribe();
        loop {
            let reason = order.borrow_and_update().clone();
            if let Some(reason) = reason {
                return reason;
            }
            if order.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// This process.
    pub fn me(&self) -> &Identity {
        &self.me
    }

    /// For how long a sole process may go on without the database.
    pub fn horizon(&self) -> Duration {
        self.horizon
    }

    /// The clock of this process.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is known now.
    pub fn now(&self) -> Cluster {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes what is known.
    pub fn change(&self, change: impl FnOnce(&mut Cluster)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes that the leadership row was read.
    pub fn saw(&self, row: LeadershipRow) {
        let now = self.clock.since_made();
        self.change(|known| {
            let since = match &known.leader {
                Some((old, since)) if old.term == row.term && old.beat == row.beat => *since,
                Some(_) | None => now,
            };
            known.leader = Some((row, since));
        });
    }
}
