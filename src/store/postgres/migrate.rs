//! The migrations of a PostgreSQL database, one orchestrator at a time.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::{AsyncMigrationHarness, AsyncPgConnection};

use super::connector::Connector;
use super::own_runtime::OwnRuntime;
use crate::store::error::StoreError;
use crate::store::migrations;

/// Orchestrators that start together take turns with the migrations by this advisory lock.
const MIGRATION_LOCK: i64 = 0x6f72_6368_6573_7472;

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
pub(super) async fn on_migrated_database<T: Send + 'static>(
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
