//! The store itself: the trait for a PostgreSQL database.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use diesel_async::pooled_connection::deadpool::{Object, Pool, PoolError};
use diesel_async::pooled_connection::{self, AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::{
    AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::RwLock;

use super::connector::Connector;
use super::operations;
use super::sqlstate::{LastError, is_about_content};
use crate::domain::alert::{Alert, AlertFilter};
use crate::domain::event_filter::EventFilter;
use crate::domain::fleet::Snapshot;
use crate::domain::health::HealthRecord;
use crate::domain::heartbeat::{LastBeat, MetricsRecord};
use crate::domain::ids::{IncidentId, InstanceId};
use crate::domain::incident::{Incident, IncidentFilter};
use crate::domain::time::WallTime;
use crate::store::census::Census;
use crate::store::contract::Store;
use crate::store::error::StoreError;
use crate::store::failure::{Access, at_commit};
use crate::store::guard::{Guard, Settlement};
use crate::store::migrations;
use crate::store::retention::Expiry;
use crate::store::save::Save;
use crate::store::stored_event::StoredEvent;

/// Orchestrators that start together take turns with the migrations by this advisory lock.
const MIGRATION_LOCK: i64 = 0x6f72_6368_6573_7472;

/// How long the end waits for transactions that are under way. No request waits for them by then.
const IN_FLIGHT_LIMIT: Duration = Duration::from_millis(300);

/// How long the end waits for the threads of the connections. They have nothing to do by then.
const SESSION_END_LIMIT: Duration = Duration::from_secs(1);

/// A store that is a PostgreSQL database.
///
/// The URL's `sslmode` decides how the connection is protected:
///
/// | `sslmode` | |
/// | --- | --- |
/// | absent, `disable`, `allow`, `prefer` | no encryption |
/// | `require` | encrypted; the server's certificate is not looked at (with `sslrootcert`: as `verify-ca`) |
/// | `verify-ca` | encrypted; the certificate must come from one of those in the file `sslrootcert` |
/// | `verify-full` | as `verify-ca`, and the certificate must be for the host of the URL |
pub struct PostgresStore {
    runtime: OwnRuntime,
    pool: Pool<AsyncPgConnection>,
    target: Arc<Connector>,
    limit: Duration,
    /// Whether it is closed. Each operation holds it for reading; closing waits for all of them.
    closed: Arc<RwLock<bool>>,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("address", &self.target.address())
            .finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects, brings the tables up to this release, and keeps up to `pool_size` connections.
    ///
    /// # Errors
    /// `Unavailable` if the server cannot be reached within `limit`, `Unusable` if the URL or the
    /// database's content cannot be used.
    pub async fn open(url: &str, limit: Duration, pool_size: usize) -> Result<Self, StoreError> {
        let target = Arc::new(Connector::parse(url)?);
        let runtime = OwnRuntime::start()?;
        on_migrated_database(&runtime, &target, limit, |harness| {
            migrations::run_pending(harness, &migrations::POSTGRES)
        })
        .await?;
        let mut manager = ManagerConfig::default();
        manager.custom_setup = {
            let target = target.clone();
            Box::new(move |_| {
                let target = target.clone();
                async move { target.connect(limit).await }.boxed()
            })
        };
        // `target` has the URL, so the pool's own error messages cannot show it.
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), manager);
        let pool = Pool::builder(manager)
            .max_size(pool_size.max(1))
            .build()
            .map_err(|error| StoreError::Unusable(format!("no connection pool: {error}")))?;
        Ok(Self {
            runtime,
            pool,
            target,
            limit,
            closed: Arc::default(),
        })
    }

    /// Runs an operation as one transaction, to its end even if the caller is dropped.
    async fn run<T, F>(&self, access: Access, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Send + 'static,
        F: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, StoreError>>,
    {
        let (pool, target, limit) = (self.pool.clone(), self.target.clone(), self.limit);
        let is_open = self.closed.clone().try_read_owned().ok();
        let Some(is_open) = is_open.filter(|closed| !**closed) else {
            return Err(StoreError::Unavailable("it is closed".to_owned()));
        };
        let task = self.runtime.spawn(async move {
            let _is_open = is_open;
            let committing = AtomicBool::new(false);
            let work = async {
                let mut lease = Lease::take(&pool, &target).await?;
                let value = lease.transaction(access, body, &committing).await?;
                Ok(value)
            };
            match tokio::time::timeout(limit, work).await {
                Ok(result) => result,
                Err(_) if committing.load(Ordering::Relaxed) => {
                    Err(access.lost(format!("COMMIT was not answered within {limit:?}")))
                }
                Err(_) => Err(StoreError::Unavailable(format!(
                    "PostgreSQL at {} did not answer within {limit:?}",
                    target.address()
                ))),
            }
        });
        task.await
            .unwrap_or_else(|error| Err(access.lost(format!("it ended early: {error}"))))
    }

    async fn read<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Send + 'static,
        F: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, StoreError>>,
    {
        self.run(Access::Read, body).await
    }

    async fn write<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Send + 'static,
        F: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, StoreError>>,
    {
        self.run(Access::Write, body).await
    }
}

/// A connection on loan from the pool. It is returned only after a transaction that ended cleanly;
/// a connection that was abandoned at any other point is closed, so that no later operation finds
/// an open transaction on it.
struct Lease(Option<Object<AsyncPgConnection>>);

impl Lease {
    async fn take(pool: &Pool<AsyncPgConnection>, target: &Connector) -> Result<Self, StoreError> {
        match pool.get().await {
            Ok(connection) => Ok(Self(Some(connection))),
            Err(PoolError::Backend(pooled_connection::PoolError::ConnectionError(error))) => {
                Err(target.unreachable(&error))
            }
            Err(other) => Err(target.unreachable(&other)),
        }
    }

    async fn transaction<T, F>(
        &mut self,
        access: Access,
        body: F,
        committing: &AtomicBool,
    ) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, StoreError>>,
    {
        let Some(connection) = self.0.as_mut() else {
            return Err(StoreError::Unavailable("the connection is gone".to_owned()));
        };
        let last = connection.instrumentation().downcast_ref::<LastError>();
        let last = last.cloned().unwrap_or_default();
        let _ = last.take();
        // The levels are named so that a server with other defaults behaves the same: a guard that
        // waited for another transaction must see the version which that one left.
        connection
            .batch_execute(match access {
                Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                Access::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            })
            .await?;
        let result = body(connection).await.map_err(|error| blame(error, &last));
        let ended = match &result {
            Ok(_) => {
                committing.store(true, Ordering::Relaxed);
                let committed = connection.batch_execute("COMMIT").await;
                committed.map_err(|error| blame_at_commit(error, &last))
            }
            Err(_) => connection
                .batch_execute("ROLLBACK")
                .await
                .map_err(Into::into),
        };
        match (result, ended) {
            (result, Ok(())) => {
                drop(self.0.take());
                result
            }
            (Ok(_), Err(lost)) if access == Access::Write => Err(lost),
            (Ok(value), Err(_)) => Ok(value),
            (Err(error), Err(_)) => Err(error),
        }
    }
}

/// Returns the error of a statement: the content is at fault if the server says so.
fn blame(error: StoreError, last: &LastError) -> StoreError {
    match (error, last.take()) {
        (StoreError::Unavailable(text), Some(code)) if is_about_content(&code) => {
            StoreError::Refused(text)
        }
        (error, _) => error,
    }
}

/// Returns the error of COMMIT: content that the server refuses there is rolled back.
fn blame_at_commit(error: diesel::result::Error, last: &LastError) -> StoreError {
    match last.take() {
        Some(code) if is_about_content(&code) => StoreError::Refused(error.to_string()),
        _ => at_commit(error),
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

/// The runtime that drives the connections. Dropping a runtime waits for its threads, which an
/// async context must not do; this one ends by itself after a signal.
struct OwnRuntime {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl OwnRuntime {
    fn start() -> Result<Self, StoreError> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map(|runtime| Self {
                handle: runtime.handle().clone(),
                runtime: Mutex::new(Some(runtime)),
            })
            .map_err(|error| StoreError::Unusable(format!("no thread for PostgreSQL: {error}")))
    }

    fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.handle.spawn(work)
    }

    fn take(&self) -> Option<Runtime> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.take()
    }

    /// Ends it; returns once every connection's driver is gone, and with it the connection.
    async fn end(&self) {
        if let Some(runtime) = self.take() {
            let ended =
                tokio::task::spawn_blocking(move || runtime.shutdown_timeout(SESSION_END_LIMIT));
            // It cannot panic, and a process that ends only has to wait.
            let _ = ended.await;
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.take() {
            runtime.shutdown_background();
        }
    }
}

/// Brings the tables of a database up to this release; returns the names of the missing migrations.
pub(in crate::store) async fn migrate(
    url: &str,
    limit: Duration,
) -> Result<Vec<String>, StoreError> {
    let target = Arc::new(Connector::parse(url)?);
    let runtime = OwnRuntime::start()?;
    let taken = on_migrated_database(&runtime, &target, limit, |harness| {
        migrations::run_pending(harness, &migrations::POSTGRES)
    })
    .await;
    runtime.end().await;
    taken
}

/// Reverts the last migration of a database.
pub(in crate::store) async fn revert_last(
    url: &str,
    limit: Duration,
) -> Result<Option<String>, StoreError> {
    let target = Arc::new(Connector::parse(url)?);
    let runtime = OwnRuntime::start()?;
    let reverted = on_migrated_database(&runtime, &target, limit, |harness| {
        migrations::revert_last(harness, &migrations::POSTGRES)
    })
    .await;
    runtime.end().await;
    reverted
}

/// Migrates a database. Connecting and waiting for the lock are bounded by `limit`; the migrations
/// themselves are not, because half of one is worse than a slow one. The harness blocks, so it gets a
/// thread for blocking work.
async fn on_migrated_database<T: Send + 'static>(
    runtime: &OwnRuntime,
    target: &Arc<Connector>,
    limit: Duration,
    body: impl FnOnce(&mut AsyncMigrationHarness<AsyncPgConnection>) -> Result<T, StoreError>
    + Send
    + 'static,
) -> Result<T, StoreError> {
    let ended_early =
        |error: tokio::task::JoinError| StoreError::Unavailable(format!("it ended early: {error}"));
    let connection = {
        let target = target.clone();
        runtime
            .spawn(async move { target.connect_for_migrations(limit, MIGRATION_LOCK).await })
            .await
            .map_err(ended_early)??
    };
    runtime
        .handle
        .spawn_blocking(move || body(&mut AsyncMigrationHarness::new(connection)))
        .await
        .map_err(ended_early)?
}

#[async_trait]
impl Store for PostgresStore {
    async fn begin_term(&self) -> Result<Guard, StoreError> {
        self.write(|c| operations::begin_term(c).boxed()).await
    }

    async fn load_guarded(&self) -> Result<(Guard, Snapshot), StoreError> {
        self.read(|c| operations::load(c).boxed()).await
    }

    async fn save(&self, guard: Guard, save: Arc<Save>) -> Result<(), StoreError> {
        self.write(move |c| async move { operations::save(c, guard, &save).await }.boxed())
            .await
    }

    async fn settle(&self, guard: Guard) -> Result<Settlement, StoreError> {
        self.write(move |c| operations::settle(c, guard).boxed())
            .await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.read(|c| operations::census(c).boxed()).await
    }

    async fn save_beats(&self, beats: &[LastBeat]) -> Result<(), StoreError> {
        let beats = beats.to_vec();
        self.write(move |c| async move { operations::save_beats(c, &beats).await }.boxed())
            .await
    }

    async fn save_metrics(&self, records: &[MetricsRecord]) -> Result<(), StoreError> {
        let records = records.to_vec();
        self.write(move |c| async move { operations::save_metrics(c, &records).await }.boxed())
            .await
    }

    async fn metrics(
        &self,
        instance: &InstanceId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<MetricsRecord>, StoreError> {
        let instance = instance.clone();
        self.read(move |c| {
            async move { operations::metrics(c, &instance, since, limit).await }.boxed()
        })
        .await
    }

    async fn find_events(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let filter = filter.clone();
        self.read(move |c| async move { operations::find_events(c, &filter, limit).await }.boxed())
            .await
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError> {
        let filter = filter.clone();
        self.read(move |c| async move { operations::incidents(c, &filter, limit).await }.boxed())
            .await
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        self.read(move |c| operations::incident(c, id).boxed())
            .await
    }

    async fn save_alerts(&self, alerts: &[Alert]) -> Result<(), StoreError> {
        let alerts = alerts.to_vec();
        self.write(move |c| async move { operations::save_alerts(c, &alerts).await }.boxed())
            .await
    }

    async fn alerts(&self, filter: &AlertFilter, limit: u32) -> Result<Vec<Alert>, StoreError> {
        let filter = filter.clone();
        self.read(move |c| async move { operations::alerts(c, &filter, limit).await }.boxed())
            .await
    }

    async fn save_health(&self, records: &[HealthRecord]) -> Result<(), StoreError> {
        let records = records.to_vec();
        self.write(move |c| async move { operations::save_health(c, &records).await }.boxed())
            .await
    }

    async fn health(
        &self,
        before: Option<WallTime>,
        limit: u32,
    ) -> Result<Vec<HealthRecord>, StoreError> {
        self.read(move |c| operations::health(c, before, limit).boxed())
            .await
    }

    async fn prune(&self, expiry: &Expiry) -> Result<u64, StoreError> {
        let expiry = expiry.clone();
        self.write(move |c| async move { operations::prune(c, &expiry).await }.boxed())
            .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read(|c| operations::ping(c).boxed()).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        // The server rolls a transaction that hangs back when its session ends.
        if let Ok(mut closed) = tokio::time::timeout(IN_FLIGHT_LIMIT, self.closed.write()).await {
            *closed = true;
        }
        self.pool.close();
        self.runtime.end().await;
        Ok(())
    }
}
