//! The store itself: the trait for a PostgreSQL database.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::connector::{Connector, History, Use};
use super::label;
use super::loan::Loan;
use super::migrate::on_migrated_database;
use super::operations;
use super::own_runtime::OwnRuntime;
use crate::domain::alert::{Alert, AlertFilter, Silence};
use crate::domain::event_filter::EventFilter;
use crate::domain::explain::Placing;
use crate::domain::fleet::Snapshot;
use crate::domain::health::HealthRecord;
use crate::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use crate::domain::ids::{Epoch, IncidentId, InstanceId};
use crate::domain::incident::{Incident, IncidentFilter};
use crate::domain::leadership::{NodeName, RunId};
use crate::domain::series::SeriesPoint;
use crate::domain::time::WallTime;
use crate::store::census::Census;
use crate::store::contract::Store;
use crate::store::error::StoreError;
use crate::store::failure::Access;
use crate::store::guard::{Guard, Settlement};
use crate::store::load::{FleetSink, LoadedFleet, OnProgress, SavedAges, SnapshotSink, in_steps};
use crate::store::migrations;
use crate::store::retention::Expiry;
use crate::store::save::Save;
use crate::store::stored_event::StoredEvent;

/// How long the end waits for transactions that are under way. No request waits for them by then.
const IN_FLIGHT_LIMIT: Duration = Duration::from_millis(300);

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
        Self::open_by(Connector::parse(url)?, limit, pool_size).await
    }

    /// As [`PostgresStore::open`], with connections that say which process they belong to. A new leader ends
    /// the transactions of the leader before by that name.
    ///
    /// # Errors
    /// As that.
    pub(in crate::store) async fn open_as(
        url: &str,
        node: &NodeName,
        run: RunId,
        limit: Duration,
        pool_size: usize,
        history: Arc<History>,
    ) -> Result<Self, StoreError> {
        let target = Connector::parse(url)?
            .named(&label::of_fleet(node, run))
            .going_by(history, Use::Fleet);
        Self::open_by(target, limit, pool_size).await
    }

    async fn open_by(
        target: Connector,
        limit: Duration,
        pool_size: usize,
    ) -> Result<Self, StoreError> {
        let target = Arc::new(target);
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

    /// Keeps the store from being closed until it is dropped.
    fn open_for_work(&self) -> Result<OwnedRwLockReadGuard<bool>, StoreError> {
        let is_open = self.closed.clone().try_read_owned().ok();
        is_open
            .filter(|closed| !**closed)
            .ok_or_else(|| StoreError::Unavailable("it is closed".to_owned()))
    }

    /// Runs an operation as one transaction, to its end even if the caller is dropped.
    async fn run<T, F>(&self, access: Access, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Send + 'static,
        F: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, StoreError>>,
    {
        let (pool, target, limit) = (self.pool.clone(), self.target.clone(), self.limit);
        let is_open = self.open_for_work()?;
        let task = self.runtime.spawn(async move {
            let _is_open = is_open;
            let committing = AtomicBool::new(false);
            let work = async {
                let mut lease = Loan::take(&pool, &target).await?;
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

    pub(super) async fn read<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Send + 'static,
        F: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, StoreError>>,
    {
        self.run(Access::Read, body).await
    }

    pub(super) async fn write<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Send + 'static,
        F: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, StoreError>>,
    {
        self.run(Access::Write, body).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn begin_term(&self) -> Result<Guard, StoreError> {
        self.write(|c| operations::begin_term(c).boxed()).await
    }

    async fn load_guarded(&self) -> Result<(Guard, Snapshot), StoreError> {
        self.read(|c| {
            async move {
                let mut sink = SnapshotSink::default();
                operations::load(c, &mut sink).await?;
                Ok(sink.finish())
            }
            .boxed()
        })
        .await
    }

    async fn load_fleet(
        &self,
        limit: Duration,
        progress: OnProgress,
    ) -> Result<LoadedFleet, StoreError> {
        let (pool, target, step) = (self.pool.clone(), self.target.clone(), self.limit);
        let is_open = self.open_for_work()?;
        let (mut sink, steps) = FleetSink::new(progress);
        let task = self.runtime.spawn(async move {
            let _is_open = is_open;
            let committing = AtomicBool::new(false);
            let work = async {
                let mut lease = Loan::take(&pool, &target).await?;
                lease
                    .transaction(
                        Access::Read,
                        move |c| {
                            async move {
                                operations::load(c, &mut sink).await?;
                                Ok(sink)
                            }
                            .boxed()
                        },
                        &committing,
                    )
                    .await
            };
            let loaded = in_steps(work, steps, step, limit).await;
            let loaded = loaded.unwrap_or_else(|over| {
                Err(StoreError::Unavailable(format!(
                    "the fleet could not be loaded: PostgreSQL at {} took more than {over:?}",
                    target.address()
                )))
            });
            loaded?.build().await
        });
        task.await.unwrap_or_else(|error| {
            Err(StoreError::Unavailable(format!("it ended early: {error}")))
        })
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

    async fn saved_ages(&self) -> Result<SavedAges, StoreError> {
        self.read(|c| operations::saved_ages(c).boxed()).await
    }

    async fn save_beats(
        &self,
        beats: &[LastBeat],
        watermark: BeatWatermark,
    ) -> Result<(), StoreError> {
        let beats = beats.to_vec();
        self.write(move |c| {
            async move { operations::save_beats(c, &beats, watermark).await }.boxed()
        })
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

    async fn placing(
        &self,
        instance: &InstanceId,
        epoch: Epoch,
    ) -> Result<Option<Placing>, StoreError> {
        let instance = instance.clone();
        self.read(move |c| async move { operations::placing(c, &instance, epoch).await }.boxed())
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

    async fn save_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        let silence = silence.clone();
        self.write(move |c| async move { operations::save_silence(c, &silence).await }.boxed())
            .await
    }

    async fn silences(&self, after: WallTime) -> Result<Vec<Silence>, StoreError> {
        self.read(move |c| async move { operations::silences(c, after).await }.boxed())
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

    async fn save_series(&self, points: &[SeriesPoint]) -> Result<(), StoreError> {
        let points = points.to_vec();
        self.write(move |c| async move { operations::save_series(c, &points).await }.boxed())
            .await
    }

    async fn series(&self) -> Result<Vec<SeriesPoint>, StoreError> {
        self.read(|c| operations::series(c).boxed()).await
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
