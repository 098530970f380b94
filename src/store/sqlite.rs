//! The fleet in one SQLite file.
//!
//! One connection writes and one reads, so that a long read never holds up a write (WAL lets
//! both work at once), and two writers never meet (`busy_timeout` does not help against a
//! deferred transaction that turns into a writing one). Each operation is one transaction on a
//! blocking thread. A call that runs out of time leaves its transaction running there: it holds
//! the writer until it is over, so a later `settle` queues behind it and sees what became of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use diesel::connection::SimpleConnection;
use diesel::{Connection, ExpressionMethods, RunQueryDsl, SqliteConnection};
use tokio::sync::Mutex;

use super::failure::{Access, at_commit};
use super::operations::{incoming, rows_per_statement};
use super::rows::{EventRow, PlacementRow};
use super::schema::{events, placements};
use super::{Census, Expiry, Guard, Save, Settlement, Store, StoreError, StoredEvent, migrations};
use crate::domain::alert::{Alert, AlertFilter};
use crate::domain::event_filter::EventFilter;
use crate::domain::fleet::Snapshot;
use crate::domain::health::HealthRecord;
use crate::domain::heartbeat::{LastBeat, MetricsRecord};
use crate::domain::ids::{IncidentId, InstanceId};
use crate::domain::incident::{Incident, IncidentFilter};
use crate::domain::time::WallTime;

mod operations {
    use diesel::SqliteConnection;

    crate::store::operations::operations!(SqliteConnection, diesel);
}

/// Writes where streams are; where nothing travels, plain multi-row inserts will do.
fn put_placements(c: &mut SqliteConnection, rows: &[PlacementRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(rows_per_statement(PlacementRow::WIDTH)) {
        diesel::insert_into(placements::table)
            .values(rows)
            .on_conflict(placements::stream_id)
            .do_update()
            .set(
                incoming!(placements: state, instance_id, epoch, version, reason, delivered,
                released_by, orphaned_from, since, handover, handover_with, handover_version,
                handover_epoch, handover_since, handover_reason),
            )
            .execute(c)?;
    }
    Ok(())
}

/// Appends events in their order.
fn append_events(c: &mut SqliteConnection, rows: &[EventRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(rows_per_statement(EventRow::WIDTH)) {
        diesel::insert_into(events::table).values(rows).execute(c)?;
    }
    Ok(())
}

/// A store that is one file (with its `-wal` and `-shm` beside it).
#[derive(Debug)]
pub struct SqliteStore {
    writer: Arc<Mutex<Lane>>,
    reader: Arc<Mutex<Lane>>,
    limit: Duration,
}

impl SqliteStore {
    /// Opens the file, or creates it, and brings its tables up to this release.
    ///
    /// # Errors
    /// `Unusable` with a sentence if the file cannot be opened or is not a database of ours.
    pub async fn open(path: &str, limit: Duration) -> Result<Self, StoreError> {
        migrate(path, limit).await?;
        let lane = |access| Arc::new(Mutex::new(Lane::new(path, access, limit)));
        Ok(Self {
            writer: lane(Access::Write),
            reader: lane(Access::Read),
            limit,
        })
    }

    /// Runs an operation as one transaction on the connection for that kind of access.
    async fn run<T: Send + 'static>(
        &self,
        access: Access,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let lane = match access {
            Access::Read => self.reader.clone(),
            Access::Write => self.writer.clone(),
        };
        let begun = AtomicBool::new(false);
        let call = async {
            let mut lane = lane.lock_owned().await;
            begun.store(true, Ordering::Relaxed);
            tokio::task::spawn_blocking(move || lane.transaction(body))
                .await
                .unwrap_or_else(|error| Err(access.lost(format!("it ended early: {error}"))))
        };
        match tokio::time::timeout(self.limit, call).await {
            Ok(result) => result,
            Err(_) if begun.load(Ordering::Relaxed) => {
                Err(access.lost(format!("no answer within {:?}", self.limit)))
            }
            Err(_) => Err(StoreError::Unavailable(format!(
                "the database was busy for {:?}",
                self.limit
            ))),
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Access::Read, body).await
    }

    async fn write<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Access::Write, body).await
    }
}

/// A connection and how to get it back. It is given up whenever it may be in the middle of
/// something, and opened again by the next operation.
struct Lane {
    path: PathBuf,
    access: Access,
    limit: Duration,
    connection: Option<SqliteConnection>,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("path", &self.path)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl Lane {
    fn new(path: &str, access: Access, limit: Duration) -> Self {
        Self {
            path: path.into(),
            access,
            limit,
            connection: None,
        }
    }

    fn transaction<T>(
        &mut self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.path, self.access, self.limit)?,
        };
        connection.batch_execute(match self.access {
            Access::Read => "BEGIN",
            Access::Write => "BEGIN IMMEDIATE",
        })?;
        let result = body(&mut connection);
        let ended = match &result {
            Ok(_) => connection.batch_execute("COMMIT").map_err(at_commit),
            // SQLite may have rolled back already; then this fails, and the connection goes.
            Err(_) => connection.batch_execute("ROLLBACK").map_err(Into::into),
        };
        match (result, ended) {
            (result, Ok(())) => {
                self.connection = Some(connection);
                result
            }
            (Ok(_), Err(lost)) if self.access == Access::Write => Err(lost),
            (result, Err(_)) => result,
        }
    }
}

/// Opens a connection with the settings all of ours have.
fn connect(path: &Path, access: Access, limit: Duration) -> Result<SqliteConnection, StoreError> {
    let unusable = |error: &dyn std::fmt::Display| {
        StoreError::Unusable(format!(
            "the database file `{}` cannot be used: {error}",
            path.display()
        ))
    };
    let text = path
        .to_str()
        .ok_or_else(|| unusable(&"its name is not UTF-8"))?;
    if let Some(directory) = path.parent()
        && !directory.as_os_str().is_empty()
        && !directory.is_dir()
    {
        let reason = format!("there is no directory `{}`", directory.display());
        return Err(unusable(&reason));
    }
    let mut connection = SqliteConnection::establish(text).map_err(|error| unusable(&error))?;
    // Another process that holds the file must be heard of before our own time is over: then it
    // is certain that nothing was written.
    let busy = limit.mul_f64(0.8).as_millis().clamp(1, i32::MAX as u128);
    let settings = match access {
        // `synchronous = FULL`: what was answered survives a power cut.
        Access::Write => {
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        }
        Access::Read => "PRAGMA query_only = ON;",
    };
    connection
        .batch_execute(&format!("PRAGMA busy_timeout = {busy}; {settings}"))
        .map_err(|error| unusable(&error))?;
    Ok(connection)
}

/// Brings the tables of a file up to this release; returns the names of what was missing.
pub(super) async fn migrate(path: &str, limit: Duration) -> Result<Vec<String>, StoreError> {
    on_migrated_file(path, limit, |connection| {
        migrations::run_pending(connection, &migrations::SQLITE)
    })
    .await
}

/// Takes back the last migration of a file.
pub(super) async fn revert_last(path: &str, limit: Duration) -> Result<Option<String>, StoreError> {
    on_migrated_file(path, limit, |connection| {
        migrations::revert_last(connection, &migrations::SQLITE)
    })
    .await
}

/// Migrations have no time limit of their own: half of one is worse than a slow one.
async fn on_migrated_file<T: Send + 'static>(
    path: &str,
    limit: Duration,
    body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let path = PathBuf::from(path);
    tokio::task::spawn_blocking(move || body(&mut connect(&path, Access::Write, limit)?))
        .await
        .unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

#[async_trait]
impl Store for SqliteStore {
    async fn begin_term(&self) -> Result<Guard, StoreError> {
        self.write(operations::begin_term).await
    }

    async fn load_guarded(&self) -> Result<(Guard, Snapshot), StoreError> {
        self.read(operations::load).await
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

    async fn save_beats(&self, beats: &[LastBeat]) -> Result<(), StoreError> {
        let beats = beats.to_vec();
        self.write(move |c| operations::save_beats(c, &beats)).await
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

    async fn prune(&self, expiry: &Expiry) -> Result<u64, StoreError> {
        let expiry = *expiry;
        self.write(move |c| operations::prune(c, &expiry)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read(operations::ping).await
    }
}

#[cfg(test)]
mod plans;

#[cfg(test)]
mod tests {
    use diesel::{dsl::sql, sql_types};

    use super::*;

    #[test]
    fn writes_reach_the_disk_and_keep_references_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet.db");
        let limit = Duration::from_secs(1);
        let mut writer = connect(&path, Access::Write, limit).unwrap();
        let mut pragma = |name: &str| -> String {
            let value = sql::<sql_types::Text>(&format!("CAST({name} AS TEXT) FROM pragma_{name}"));
            diesel::select(value).get_result(&mut writer).unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal");
        assert_eq!(pragma("synchronous"), "2", "2 is FULL");
        assert_eq!(pragma("foreign_keys"), "1");
    }

    #[test]
    fn the_reader_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet.db");
        let limit = Duration::from_secs(1);
        connect(&path, Access::Write, limit).unwrap();
        let mut reader = connect(&path, Access::Read, limit).unwrap();
        assert!(reader.batch_execute("CREATE TABLE t (x)").is_err());
    }
}
