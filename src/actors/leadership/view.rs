//! What this process knows of the leader and the members: shown by `GET /leader` and `GET /cluster`.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use super::hearing::Hearing;
use super::notices::Notices;
use crate::clock::Clock;
use crate::domain::ids::{Term, Version};
use crate::domain::leadership::{
    FailsafeRecord, JudgingSettings, LeadershipRow, MemberSecret, NodeName, Replication, Role,
    RunId, SchemaVersion, SeenMember, SteadyTime, TakeOverCause, WalTimeline,
};
use crate::domain::request::EventOrigin;
use crate::domain::time::WallTime;
use crate::store::{Member, known_schema};

/// The version of what members say to each other.
const PROTOCOL: i64 = 1;

/// Two of the usual intervals of heartbeats: an instance that beats is heard within it.
const HEARING_WINDOW: Duration = Duration::from_secs(60);

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
    /// What the row gets as the members' secret if no leader has drawn one.
    pub secret: MemberSecret,
}

/// What the others compare this process with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// The newest migration that it knows.
    pub schema: SchemaVersion,
    /// The settings by which it judges.
    pub settings: JudgingSettings,
}

impl Default for MemberFacts {
    fn default() -> Self {
        Self {
            schema: known_schema(),
            settings: JudgingSettings::default(),
        }
    }
}

/// Why this process may not lead: another release has changed the database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Barred {
    pub own: SchemaVersion,
    pub database: SchemaVersion,
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { own, database } = self;
        write!(
            f,
            "the database has migration {database}, and this release knows migrations up to {own}; start \
             it with the newer release"
        )
    }
}

/// How this process came to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TookOver {
    /// The reason of the take-over.
    pub cause: TakeOverCause,
    /// When the take-over was sent.
    pub sent: SteadyTime,
    /// How long it took from then on until the fleet was served; `None` before.
    pub took: Option<Duration>,
}

/// The time for which a leader may do without its database, by its wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailsafeSpan {
    /// When the database confirmed the term for the last time.
    pub since: WallTime,
    /// When it has to confirm it again.
    pub until: WallTime,
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
    pub timeline: Option<WalTimeline>,
    /// What the primary says of its standbys, as the leader saw it last.
    pub replication: Option<Replication>,
    /// Since when and until when this process leads without its database, if it does.
    pub failsafe: Option<FailsafeSpan>,
    /// Whether this standby sees that no orchestrator leads.
    pub no_leader: bool,
    /// Why this process may not lead, if it may not.
    pub barred: Option<Barred>,
    /// How this process came to lead; `None` on a standby, and where no other process could lead.
    pub took_over: Option<TookOver>,
}

/// The claims of this process since the last one that failed for certain. If the row names this
/// process, then one of them was carried out, and it is not known which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claimed {
    /// When the first of them was sent: the term of this process began later.
    pub(super) sent: SteadyTime,
    /// Why the last of them was sent.
    pub(super) cause: TakeOverCause,
    /// The term that the last of them was to end.
    pub(super) from: Term,
    /// Whether the leader before one of them may live and be sure of its term.
    pub(super) may_be_doubled: bool,
}

/// An operator's order to take over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TakeOverOrder {
    pub reason: String,
    /// Who gave it.
    pub origin: Option<Arc<EventOrigin>>,
}

/// The shared view. Clones show the same.
#[derive(Debug, Clone)]
pub struct ClusterView {
    me: Arc<Identity>,
    facts: Arc<MemberFacts>,
    /// For how long a leader may go on without the database.
    horizon: Duration,
    /// How long ago a heartbeat may have come for its instance to count as heard.
    pub(super) hearing_window: Duration,
    clock: Clock,
    known: Arc<RwLock<Cluster>>,
    claimed: Arc<RwLock<Option<Claimed>>>,
    /// What this process tells a leader that does not reach the database.
    pub(super) record: Arc<RwLock<FailsafeRecord>>,
    /// The highest term and version that were seen. A promoted database may have lower ones.
    pub(super) highest: Arc<(AtomicI64, AtomicI64)>,
    /// The newest order to take over.
    order: Arc<watch::Sender<Option<TakeOverOrder>>>,
    /// When the database last answered, as the age of the clock in milliseconds plus 1; 0 for never.
    pub(super) database_heard: Arc<AtomicU64>,
    /// Counts what changes where a request goes: another leader, or another phase of this process.
    news: Arc<watch::Sender<u64>>,
    /// What the leader says while it hands over.
    notices: Arc<Notices>,
    /// What this process hears while it stands by.
    pub(super) hearing: Arc<Hearing>,
}

impl ClusterView {
    /// The view of a process that has seen nothing yet.
    pub fn new(me: Identity, horizon: Duration, clock: Clock) -> Self {
        Self {
            me: Arc::new(me),
            facts: Arc::default(),
            horizon,
            hearing_window: HEARING_WINDOW,
            clock,
            known: Arc::new(RwLock::new(Cluster {
                role: Role::Joining,
                leader: None,
                members: Vec::new(),
                timeline: None,
                replication: None,
                failsafe: None,
                no_leader: false,
                barred: None,
                took_over: None,
            })),
            claimed: Arc::default(),
            record: Arc::default(),
            highest: Arc::default(),
            order: Arc::new(watch::Sender::new(None)),
            database_heard: Arc::default(),
            news: Arc::new(watch::Sender::new(0)),
            notices: Arc::default(),
            hearing: Arc::default(),
        }
    }

    /// The same, of a process that judges by these settings.
    #[must_use]
    pub fn judging_by(self, settings: JudgingSettings) -> Self {
        let facts = MemberFacts {
            settings,
            ..MemberFacts::default()
        };
        Self {
            facts: Arc::new(facts),
            ..self
        }
    }

    /// The same, with workers that are asked for a heartbeat so often.
    #[must_use]
    pub fn hearing_every(self, interval: Duration) -> Self {
        Self {
            hearing_window: interval * 2,
            ..self
        }
    }

    /// What the others compare this process with.
    pub fn facts(&self) -> &MemberFacts {
        &self.facts
    }

    /// The row of this process, which has read this version of the fleet ahead.
    pub(super) fn member(&self, prepared: Option<Version>) -> Member {
        let me = &self.me;
        Member {
            node: me.node.clone(),
            run: me.run,
            address: me.address.clone(),
            public_url: me.public_url.clone(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            schema: self.facts.schema.clone(),
            settings: self.facts.settings.clone(),
            prepared,
            reach: self.reach(),
            protocol: PROTOCOL,
            seen_at: self.clock.wall(),
        }
    }

    /// The term is this process's own; it gets the fleet.
    pub(super) fn took_over(&self, cause: TakeOverCause, sent: SteadyTime) {
        self.change(|known| {
            known.role = Role::Loading;
            known.no_leader = false;
            known.took_over = Some(TookOver {
                cause,
                sent,
                took: None,
            });
        });
    }

    /// From now on requests are answered from the fleet.
    pub fn serves(&self) {
        let now = SteadyTime::new(self.clock.since_made());
        self.change(|known| {
            if let Some(took_over) = &mut known.took_over {
                took_over.took.get_or_insert(now.since(took_over.sent));
            }
        });
    }

    /// The claims that may have been carried out.
    pub(super) fn claimed(&self) -> Option<Claimed> {
        *self.claimed.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more claim is sent, for the row with this term and beat; returns what is certain of it and of those
    /// before.
    pub(super) fn claims(&self, claim: Claimed, (term, beat): (Term, i64)) -> Claimed {
        self.change_record(|record| record.claims(term, beat));
        let mut claimed = self.claimed.write().unwrap_or_else(PoisonError::into_inner);
        let first = claimed.unwrap_or(claim);
        *claimed.insert(Claimed {
            sent: first.sent,
            cause: claim.cause,
            from: claim.from,
            may_be_doubled: first.may_be_doubled || claim.may_be_doubled,
        })
    }

    /// No claim was carried out, and none is under way.
    pub(super) fn claims_nothing(&self) {
        self.change_record(FailsafeRecord::claims_nothing);
        *self.claimed.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Orders this process to take over.
    pub fn order_take_over(&self, order: TakeOverOrder) {
        self.order.send_replace(Some(order));
    }

    /// Returns the order as soon as an operator ordered this process to take over; each order once.
    pub async fn ordered(&self) -> TakeOverOrder {
        let mut order = self.order.subscribe();
        loop {
            let mut taken = None;
            self.order.send_if_modified(|order| {
                taken = order.take();
                false
            });
            if let Some(order) = taken {
                return order;
            }
            if order.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What the leader says to this standby.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// This process.
    pub fn me(&self) -> &Identity {
        &self.me
    }

    /// The members' secret: that of the row that was seen last, or this process's own, which the row gets if
    /// it has none.
    pub fn secret(&self) -> MemberSecret {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let seen = known.leader.as_ref().map(|(row, _)| &row.secret);
        let seen = seen.filter(|secret| !secret.is_missing());
        seen.unwrap_or(&self.me.secret).clone()
    }

    /// For how long a leader may go on without the database.
    pub fn horizon(&self) -> Duration {
        self.horizon
    }

    /// The clock of this process.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The newest leadership row.
    pub fn leader(&self) -> Option<LeadershipRow> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.leader.as_ref().map(|(row, _)| row.clone())
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
        self.database_answered();
        let (term, version) = &*self.highest;
        term.fetch_max(row.term.get(), Ordering::Relaxed);
        version.fetch_max(row.version.get(), Ordering::Relaxed);
        let now = self.clock.since_made();
        let mut is_news = false;
        self.change(|known| {
            let before = known.leader.as_ref().map(|(old, _)| old);
            is_news = before.is_none_or(|old| (old.term, old.state) != (row.term, row.state));
            let since = match &known.leader {
                Some((old, since)) if old.term == row.term && old.beat == row.beat => *since,
                Some(_) | None => now,
            };
            known.leader = Some((row, since));
        });
        if is_news {
            self.announce();
        }
    }

    /// The highest term that was seen; none before the first look.
    pub fn highest_term(&self) -> Option<Term> {
        let seen = self.highest.0.load(Ordering::Relaxed);
        (seen > 0).then(|| Term::new(seen))
    }

    /// The highest version that was seen.
    pub(super) fn highest_version(&self) -> Version {
        Version::new(self.highest.1.load(Ordering::Relaxed))
    }

    /// Notes that the database answered.
    pub fn database_answered(&self) {
        let now = u64::try_from(self.clock.since_made().as_millis()).unwrap_or(u64::MAX - 1);
        self.database_heard.fetch_max(now + 1, Ordering::Relaxed);
    }

    /// For how long the database has not answered; none if it never did.
    pub fn database_silent_for(&self) -> Option<Duration> {
        let heard = self.database_heard.load(Ordering::Relaxed).checked_sub(1)?;
        let now = self.clock.since_made();
        Some(now.saturating_sub(Duration::from_millis(heard)))
    }

    /// Wakes the requests that wait for a leader, or for another phase of this process.
    pub fn announce(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    /// What [`ClusterView::announce`] wakes.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn each_order_to_take_over_is_heard_once() {
        let me = Identity {
            node: NodeName::new("a"),
            run: RunId::new(1),
            address: "a".to_owned(),
            public_url: "http://a".to_owned(),
            secret: MemberSecret::default(),
        };
        let view = ClusterView::new(me, Duration::from_secs(3_600), Clock::real(Duration::ZERO));
        for reason in ["an exercise", "another one"] {
            assert!(view.ordered().now_or_never().is_none());
            let order = TakeOverOrder {
                reason: reason.to_owned(),
                origin: None,
            };
            view.order_take_over(order.clone());
            assert_eq!(view.ordered().await, order);
        }
    }
}
