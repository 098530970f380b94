//! The leadership row of a PostgreSQL database, on a connection and a thread of its own: renewals
//! must not wait for a pool that is busy with the fleet.
//!
//! The row works through poolers: renewals and looks are single statements, and a take-over is one
//! transaction. Nothing depends on the session.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use log::warn;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connector::{Connector, History, Use};
use super::label;
use super::leading::{self, Claimed};
use super::own_runtime::OwnRuntime;
use super::replication;
use super::sqlstate::LastCodes;
use super::witnesses;
use crate::domain::ids::{Epoch, Term};
use crate::domain::leadership::{
    AdmissionStep, Claim, LeadershipRow, Life, MemberRow, NodeName, ReleaseCause, Replication,
    RunId, Succession, WalTimeline, Witness,
};
use crate::store::error::StoreError;
use crate::store::failure::Access;
use crate::store::leadership::{Leadership, Look, Member, Release, Renewal, TakeOver, Taken};

/// How long a take-over waits for a transaction of the leader before. A leader that was stopped in
/// the middle of one holds its locks for as long as the server lets it.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long the versions of all instances and the epochs of all streams may take to be written after a loss.
const RENUMBER_LIMIT: Duration = Duration::from_secs(30);

const TERMINATE: &str = "\
    SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity \
    WHERE datname = current_database() AND usename = current_user AND application_name = $1 \
        AND xact_start IS NOT NULL AND pid <> pg_backend_pid()";

#[derive(QueryableByName)]
struct Terminated {
    #[diesel(sql_type = Bool)]
    ended: bool,
}

/// The leadership row of a PostgreSQL database.
pub struct PostgresLeadership {
    runtime: OwnRuntime,
    link: Arc<Link>,
}

impl fmt::Debug for PostgresLeadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLeadership")
            .field("address", &self.link.target.address())
            .finish_non_exhaustive()
    }
}

/// The connection, and how to get it back. It is closed whenever a call does not come to a clean end.
struct Link {
    target: Connector,
    limit: Duration,
    history: Arc<History>,
    connection: Mutex<Option<AsyncPgConnection>>,
}

impl PostgresLeadership {
    /// The row as the process `run` of `node` sees it. Every statement, and every connection that has to
    /// be made for one, takes at most `limit`. The tables have to be those of this release; nothing is
    /// connected before the first call.
    ///
    /// # Errors
    /// `Unusable` if the URL cannot be used.
    pub fn new(
        url: &str,
        node: &NodeName,
        run: RunId,
        limit: Duration,
    ) -> Result<Self, StoreError> {
        let history = Arc::<History>::default();
        let target = Connector::parse(url)?
            .named(&label::of_leadership(node, run))
            .hurried(limit)
            .going_by(history.clone(), Use::Leadership);
        Ok(Self {
            runtime: OwnRuntime::start()?,
            link: Arc::new(Link {
                target,
                limit,
                history,
                connection: Mutex::default(),
            }),
        })
    }

    /// The history that this process goes by. The store of its fleet shares it: transactions are saved only on
    /// the timeline of the term.
    pub(in crate::store) fn history(&self) -> Arc<History> {
        self.link.history.clone()
    }

    /// Runs statements, each of which is a transaction of its own, to their end even if the caller
    /// goes away.
    async fn call<T, F>(&self, access: Access, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Send + 'static,
        F: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, StoreError>>,
    {
        let link = self.link.clone();
        let task = self.runtime.spawn(async move {
            let is_sent = AtomicBool::new(false);
            let work = async {
                let mut slot = link.connection.lock().await;
                let mut connection = link.connected(slot.take()).await?;
                let last = LastCodes::of(&mut connection);
                is_sent.store(true, Ordering::Relaxed);
                let value = body(&mut connection).await?;
                if access == Access::Write {
                    last.check_commit()?;
                }
                *slot = Some(connection);
                Ok(value)
            };
            let result = link.bounded(work).await;
            match result {
                Err(StoreError::Unavailable(reason))
                    if AtomicBool::load(&is_sent, Ordering::Relaxed) =>
                {
                    Err(access.lost(reason))
                }
                result => result,
            }
        });
        task.await
            .unwrap_or_else(|error| Err(access.lost(format!("it ended early: {error}"))))
    }
}

impl Link {
    async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.limit, work).await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(format!(
                "PostgreSQL at {} did not answer within {:?}",
                self.target.address(),
                self.limit
            )))
        })
    }

    async fn connected(
        &self,
        known: Option<AsyncPgConnection>,
    ) -> Result<AsyncPgConnection, StoreError> {
        match known {
            Some(connection) => Ok(connection),
            None => {
                let made = self.target.connect(self.limit).await;
                made.map_err(|error| self.target.unreachable(&error))
            }
        }
    }

    /// One try of a take-over. The connection is kept if the transaction came to a clean end.
    async fn take_over(
        &self,
        slot: &mut Option<AsyncPgConnection>,
        claim: &Claim,
    ) -> Result<TakeOver, StoreError> {
        let connected = self.connected(slot.take());
        let mut connection = self.bounded(connected).await?;
        let c = &mut connection;
        self.execute(c, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            .await?;
        let lost_or_before = match self.bounded(leading::claim(c, claim)).await? {
            Claimed::Taken(succession) => {
                let mut taken = self.move_term(c, &succession, claim).await?;
                if succession.begins_after_loss(claim, taken.guard.version)
                    && let Some(fleet) = &mut taken.fleet
                {
                    fleet.counter = renumber(c, fleet.counter).await?;
                }
                if succession.is_promoted() {
                    self.execute(c, JUMP_OF_EVENTS).await?;
                }
                self.bounded(leading::admit(c, &succession, &claim.node))
                    .await?;
                let last = LastCodes::of(c);
                // Whatever goes wrong with a COMMIT, it may have been carried out.
                let committed = self.execute(c, "COMMIT").await;
                committed.map_err(|error| StoreError::InDoubt(error.to_string()))?;
                last.check_commit()?;
                *slot = Some(connection);
                return Ok(TakeOver::Won(taken));
            }
            Claimed::Before(taken) => TakeOver::Won(taken),
            Claimed::Refused(row) => TakeOver::Lost(*row),
        };
        self.execute(c, "ROLLBACK").await?;
        *slot = Some(connection);
        Ok(lost_or_before)
    }

    async fn execute(&self, c: &mut AsyncPgConnection, statement: &str) -> Result<(), StoreError> {
        self.bounded(async { Ok(c.batch_execute(statement).await?) })
            .await
    }

    /// Moves the fleet's term. A transaction of the leader before that is in the way is waited for,
    /// and then ended: its process may never go on.
    async fn move_term(
        &self,
        c: &mut AsyncPgConnection,
        succession: &Succession,
        claim: &Claim,
    ) -> Result<Taken, StoreError> {
        let mut moving = pin!(leading::move_term(c, succession, claim));
        if let Ok(moved) = timeout(PATIENCE, &mut moving).await {
            return moved;
        }
        let before = succession.before();
        let ended = self.bounded(self.end_transactions_of(before)).await;
        let (node, run) = (before.node.as_str(), before.run.get());
        match ended {
            Ok(count) => warn!(node, run, count;
                "the orchestrator {node} held the fleet's row: {count} of its transactions were ended"),
            Err(error) => warn!(node, run, error:%;
                "the orchestrator {node} holds the fleet's row, and its transactions could not be \
                 ended: {error}"),
        }
        self.bounded(moving).await
    }

    async fn end_transactions_of(&self, leader: &LeadershipRow) -> Result<usize, StoreError> {
        let mut side = self.connected(None).await?;
        let found: Vec<Terminated> = diesel::sql_query(TERMINATE)
            .bind::<Text, _>(label::of_fleet(&leader.node, leader.run))
            .load(&mut side)
            .await?;
        Ok(found.iter().filter(|session| session.ended).count())
    }

    /// Finds out what became of a take-over in doubt. It holds the row until it ends, so a process that
    /// can lock the row sees what it left. To lock the row is a write, so its COMMIT waits for a synchronous
    /// standby, which then has the take-over too.
    async fn settle(
        &self,
        slot: &mut Option<AsyncPgConnection>,
        claim: &Claim,
        doubt: String,
    ) -> Result<TakeOver, StoreError> {
        let found = async {
            let mut connection = self.bounded(self.connected(None)).await?;
            let last = LastCodes::of(&mut connection);
            let look = self.bounded(leading::look_alone(&mut connection)).await?;
            last.check_commit()?;
            *slot = Some(connection);
            Ok::<_, StoreError>(look.row)
        };
        let Ok(row) = found.await else {
            return Err(StoreError::InDoubt(doubt));
        };
        if let Some(taken) = leading::won(&row, claim) {
            Ok(TakeOver::Won(taken))
        } else if row.term == claim.seen_term && row.beat == claim.seen_beat {
            Err(StoreError::Unavailable(doubt))
        } else {
            Ok(TakeOver::Lost(row))
        }
    }
}

/// Lets no number of an event come back: readers and webhooks go by the newest number that they have seen, which may
/// be of an event that was lost.
const JUMP_OF_EVENTS: &str = "SELECT setval(place, nextval(place) + (1 << 20)) \
    FROM (SELECT pg_get_serial_sequence('events', 'sequence')::regclass AS place) AS events";

/// Every instance and every stream is written, which may take longer than a statement on the row. No other orchestrator
/// can take over meanwhile, because the row is locked.
async fn renumber(c: &mut AsyncPgConnection, counter: Epoch) -> Result<Epoch, StoreError> {
    let limit_ms = RENUMBER_LIMIT.as_millis();
    let renumbering = async {
        c.batch_execute(&format!("SET LOCAL statement_timeout = {limit_ms}"))
            .await?;
        leading::renumber(c, counter).await
    };
    timeout(RENUMBER_LIMIT, renumbering)
        .await
        .unwrap_or_else(|_| {
            Err(StoreError::Unavailable(format!(
                "the instances and streams were not written within {RENUMBER_LIMIT:?}"
            )))
        })
}

#[async_trait]
impl Leadership for PostgresLeadership {
    async fn look(&self) -> Result<Option<Look>, StoreError> {
        self.call(Access::Read, |c| leading::look(c).boxed()).await
    }

    async fn join(&self, member: &Member) -> Result<(), StoreError> {
        let member = member.clone();
        self.call(Access::Write, move |c| {
            async move { leading::join(c, &member).await }.boxed()
        })
        .await
    }

    async fn take_over(&self, claim: &Claim) -> Result<TakeOver, StoreError> {
        let (link, claim) = (self.link.clone(), claim.clone());
        let task = self.runtime.spawn(async move {
            let mut slot = link.connection.lock().await;
            let outcome = match link.take_over(&mut slot, &claim).await {
                Err(StoreError::InDoubt(doubt)) => link.settle(&mut slot, &claim, doubt).await,
                result => result,
            };
            if let Ok(TakeOver::Won(taken)) = &outcome {
                link.history.lead_on(WalTimeline::of_term(taken.guard.term));
            }
            outcome
        });
        task.await
            .unwrap_or_else(|error| Err(StoreError::InDoubt(format!("it ended early: {error}"))))
    }

    async fn renew(&self, term: Term, run: RunId) -> Result<Renewal, StoreError> {
        self.link.history.lead_on(WalTimeline::of_term(term));
        self.call(Access::Write, move |c| leading::renew(c, term, run).boxed())
            .await
    }

    async fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        self.call(Access::Read, |c| leading::members(c).boxed())
            .await
    }

    async fn replication(&self) -> Result<Replication, StoreError> {
        self.call(Access::Read, |c| replication::look(c).boxed())
            .await
    }

    async fn admit(
        &self,
        term: Term,
        run: RunId,
        step: &AdmissionStep,
    ) -> Result<bool, StoreError> {
        let step = step.clone();
        self.call(Access::Write, move |c| {
            async move {
                c.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
                    .await?;
                let is_written = leading::admit_member(c, term, run, &step).await?;
                let end = if is_written { "COMMIT" } else { "ROLLBACK" };
                c.batch_execute(end).await?;
                Ok(is_written)
            }
            .boxed()
        })
        .await
    }

    async fn forget(&self, term: Term, run: RunId, member: &MemberRow) -> Result<bool, StoreError> {
        let member = member.clone();
        self.call(Access::Write, move |c| {
            async move {
                c.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
                    .await?;
                let is_gone = leading::forget_member(c, term, run, &member).await?;
                let end = if is_gone { "COMMIT" } else { "ROLLBACK" };
                c.batch_execute(end).await?;
                Ok(is_gone)
            }
            .boxed()
        })
        .await
    }

    async fn end_loss(&self, term: Term, run: RunId) -> Result<bool, StoreError> {
        self.call(Access::Write, move |c| {
            leading::end_loss(c, term, run).boxed()
        })
        .await
    }

    async fn witness(&self, node: &NodeName, beats: &[Witness]) -> Result<(), StoreError> {
        let (node, beats) = (node.clone(), beats.to_vec());
        self.call(Access::Write, move |c| {
            async move { witnesses::witness(c, &node, &beats).await }.boxed()
        })
        .await
    }

    async fn witnessed(&self, lives: &[Life]) -> Result<Vec<Witness>, StoreError> {
        let lives = lives.to_vec();
        self.call(Access::Read, move |c| {
            async move { witnesses::witnessed(c, &lives).await }.boxed()
        })
        .await
    }

    async fn release(
        &self,
        term: Term,
        run: RunId,
        successor: Option<&NodeName>,
        cause: ReleaseCause,
    ) -> Result<Release, StoreError> {
        let successor = successor.cloned();
        self.call(Access::Write, move |c| {
            async move { leading::release(c, term, run, successor.as_ref(), cause).await }.boxed()
        })
        .await
    }
}
