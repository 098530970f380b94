//! The store itself: the trait for a SQLite file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel::SqliteConnection;
use tokio::sync::Mutex;

use super::lane::{Lane, Progress, check_folder, checkpoint, connect_for_migrations};
use super::lock::FileLock;
use super::operations;
use super::place::Place;
use crate::domain::alert::{Alert, AlertFilter, Silence};
use crate::domain::event_filter::EventFilter;
use crate::domain::explain::Placing;
use crate::domain::fleet::Snapshot;
use crate::domain::health::HealthRecord;
use crate::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use crate::domain::ids::{Epoch, IncidentId, InstanceId};
use crate::domain::incident::{Incident, IncidentFilter};
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

/// A store that is one file (with its `-wal` and `-shm` beside it).
#[derive(Debug)]
pub struct SqliteStore {
    writer: Arc<Mutex<Lane>>,
    reader: Arc<Mutex<Lane>>,
    limit: Duration,
}

impl SqliteStore {
    /// Opens the file, or creates it, and brings its tables up to this release. `owner` says what
    /// this process does with it, for a second process that is refused: `at 127.0.0.1:8001`.
    ///
    /// # Errors
    /// `InUse` if another process has the file, `Unusable` with a sentence if it cannot be opened
    /// or is no database of this program.
    pub async fn open(path: &Path, limit: Duration, owner: &str) -> Result<Self, StoreError> {
        let migrated = on_migrated_file(path, limit, owner, |connection, _| {
            migrations::run_pending(connection, &migrations::SQLITE)
        });
        let Migrated { place, lock, .. } = migrated.await?;
        let lock = Arc::new(lock);
        let lane = |access| {
            let lane = Lane::new(place.clone(), access, limit, lock.clone());
            Arc::new(Mutex::new(lane))
        };
        Ok(Self {
            writer: lane(Access::Write),
            reader: lane(Access::Read),
            limit,
        })
    }

    /// Runs an operation as one transaction on the connection for that kind of access. One limit
    /// holds for all of it: the wait for its turn, the wait for another program, and the work
    /// itself.
    async fn run<T: Send + 'static>(
        &self,
        access: Access,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let lane = match access {
            Access::Read => self.reader.clone(),
            Access::Write => self.writer.clone(),
        };
        let progress = Arc::new(Progress::default());
        let call = Self::on_lane(lane, access, progress.clone(), body);
        match tokio::time::timeout(self.limit, call).await {
            Ok(result) => result,
            Err(_) if progress.give_up() => Err(StoreError::Unavailable(format!(
                "the database was busy for {:?}",
                self.limit
            ))),
            Err(_) => Err(access.lost(format!("COMMIT was not over within {:?}", self.limit))),
        }
    }

    async fn on_lane<T: Send + 'static>(
        lane: Arc<Mutex<Lane>>,
        access: Access,
        agreed: Arc<Progress>,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut lane = lane.lock_owned().await;
        tokio::task::spawn_blocking(move || lane.transaction(&agreed, body))
            .await
            .unwrap_or_else(|error| Err(access.lost(format!("it ended early: {error}"))))
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Access::Read, body).await
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Access::Write, body).await
    }
}

/// Brings the tables of a file up to this release; returns the names of the missing migrations.
pub(in crate::store) async fn migrate(
    path: &Path,
    limit: Duration,
) -> Result<Vec<String>, StoreError> {
    let migrated = on_migrated_file(path, limit, MIGRATING, |connection, place| {
        let taken = migrations::run_pending(connection, &migrations::SQLITE)?;
        checkpoint(connection, place)?;
        Ok(taken)
    });
    Ok(migrated.await?.value)
}

/// Reverts the last migration of a file.
pub(in crate::store) async fn revert_last(
    path: &Path,
    limit: Duration,
) -> Result<Option<String>, StoreError> {
    let migrated = on_migrated_file(path, limit, MIGRATING, |connection, place| {
        let reverted = migrations::revert_last(connection, &migrations::SQLITE)?;
        checkpoint(connection, place)?;
        Ok(reverted)
    });
    Ok(migrated.await?.value)
}

/// The `owner` of a process that only migrates the file.
const MIGRATING: &str = "migrating it";

/// A file whose tables are up to date. No connection to it is open, and it is still locked.
struct Migrated<T> {
    value: T,
    place: Arc<Place>,
    lock: FileLock,
}

/// Migrates a file. Migrations have no time limit of their own, because half of one is worse than a
/// slow one. The lock is taken before the file is opened.
async fn on_migrated_file<T: Send + 'static>(
    path: &Path,
    limit: Duration,
    owner: &str,
    body: impl FnOnce(&mut SqliteConnection, &Place) -> Result<T, StoreError> + Send + 'static,
) -> Result<Migrated<T>, StoreError> {
    let (path, owner) = (path.to_owned(), owner.to_owned());
    let migrated = tokio::task::spawn_blocking(move || {
        let path: &Path = &path;
        check_folder(path)?;
        let lock = FileLock::take(path, &owner)?;
        let place = Arc::new(Place::new(path));
        let value = {
            let mut connection = connect_for_migrations(path, limit)?;
            let _presence = place.opened()?;
            body(&mut connection, &place)?
        };
        Ok(Migrated { value, place, lock })
    });
    migrated
        .await
        .unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

#[async_trait]
impl Store for SqliteStore {
    async fn begin_term(&self) -> Result<Guard, StoreError> {
        self.write(operations::begin_term).await
    }

    async fn load_guarded(&self) -> Result<(Guard, Snapshot), StoreError> {
        self.read(|c| {
            let mut sink = SnapshotSink::default();
            operations::load(c, &mut sink)?;
            Ok(sink.finish())
        })
        .await
    }

    async fn load_fleet(
        &self,
        limit: Duration,
        progress: OnProgress,
    ) -> Result<LoadedFleet, StoreError> {
        let (mut sink, steps) = FleetSink::new(progress);
        let body = move |c: &mut SqliteConnection| {
            operations::load(c, &mut sink)?;
            Ok(sink)
        };
        let agreed = Arc::new(Progress::default());
        let work = Self::on_lane(self.reader.clone(), Access::Read, agreed.clone(), body);
        let loaded = in_steps(work, steps, self.limit, limit).await;
        let loaded = loaded.unwrap_or_else(|over| {
            agreed.give_up();
            Err(StoreError::Unavailable(format!(
                "the fleet could not be loaded: the database took more than {over:?}"
            )))
        });
        loaded?.build().await
    }

    async fn save(&self, guard: Guard, save: Arc<Save>) -> Result<(), StoreError> {
        self.write(move |c| operations::save(c, guard, &save)).await
    }

    async fn settle(&self, guard: Guard) -> Result<Settlement, StoreError> {
        self.write(move |c| operations::settle(c, guard)).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.read(operations::census).await
    }

    async fn saved_ages(&self) -> Result<SavedAges, StoreError> {
        self.read(operations::saved_ages).await
    }

    async fn save_beats(
        &self,
        beats: &[LastBeat],
        watermark: BeatWatermark,
    ) -> Result<(), StoreError> {
        let beats = beats.to_vec();
        self.write(move |c| operations::save_beats(c, &beats, watermark))
            .await
    }

    async fn save_metrics(&self, records: &[MetricsRecord]) -> Result<(), StoreError> {
        let records = records.to_vec();
        self.write(move |c| operations::save_metrics(c, &records))
            .await
    }

    async fn metrics(
        &self,
        instance: &InstanceId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<MetricsRecord>, StoreError> {
        let instance = instance.clone();
        self.read(move |c| operations::metrics(c, &instance, since, limit))
            .await
    }

    async fn find_events(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let filter = filter.clone();
        self.read(move |c| operations::find_events(c, &filter, limit))
            .await
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError> {
        let filter = filter.clone();
        self.read(move |c| operations::incidents(c, &filter, limit))
            .await
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        self.read(move |c| operations::incident(c, id)).await
    }

    async fn placing(
        &self,
        instance: &InstanceId,
        epoch: Epoch,
    ) -> Result<Option<Placing>, StoreError> {
        let instance = instance.clone();
        self.read(move |c| operations::placing(c, &instance, epoch))
            .await
    }

    async fn save_alerts(&self, alerts: &[Alert]) -> Result<(), StoreError> {
        let alerts = alerts.to_vec();
        self.write(move |c| operations::save_alerts(c, &alerts))
            .await
    }

    async fn alerts(&self, filter: &AlertFilter, limit: u32) -> Result<Vec<Alert>, StoreError> {
        let filter = filter.clone();
        self.read(move |c| operations::alerts(c, &filter, limit))
            .await
    }

    async fn save_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        let silence = silence.clone();
        self.write(move |c| operations::save_silence(c, &silence))
            .await
    }

    async fn silences(&self, after: WallTime) -> Result<Vec<Silence>, StoreError> {
        self.read(move |c| operations::silences(c, after)).await
    }

    async fn save_health(&self, records: &[HealthRecord]) -> Result<(), StoreError> {
        let records = records.to_vec();
        self.write(move |c| operations::save_health(c, &records))
            .await
    }

    async fn health(
        &self,
        before: Option<WallTime>,
        limit: u32,
    ) -> Result<Vec<HealthRecord>, StoreError> {
        self.read(move |c| operations::health(c, before, limit))
            .await
    }

    async fn save_series(&self, points: &[SeriesPoint]) -> Result<(), StoreError> {
        let points = points.to_vec();
        self.write(move |c| operations::save_series(c, &points))
            .await
    }

    async fn series(&self) -> Result<Vec<SeriesPoint>, StoreError> {
        self.read(operations::series).await
    }

    async fn prune(&self, expiry: &Expiry) -> Result<u64, StoreError> {
        let expiry = expiry.clone();
        self.write(move |c| operations::prune(c, &expiry)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read(operations::ping).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let mut reader = self.reader.clone().lock_owned().await;
        let mut writer = self.writer.clone().lock_owned().await;
        let closed = tokio::task::spawn_blocking(move || {
            reader.end();
            writer.close()
        });
        closed
            .await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }
}

#[cfg(test)]
mod tests;
