//! From the name of a database to a store that is ready for use.

use std::sync::Arc;
use std::time::Duration;

use super::contract::Store;
use super::error::StoreError;
use super::leadership::Leadership;
use super::memory::MemoryStore;
use super::postgres::{self, PostgresLeadership, PostgresStore};
use super::sqlite::{self, SqliteStore};
use super::target::Target;
use crate::domain::leadership::{NodeName, RunId};

/// Which orchestrator opens a database: other members find its connections by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its stable name.
    pub node: NodeName,
    /// Its process.
    pub run: RunId,
}

impl Target {
    /// Opens the store, brings its tables up to this release and returns it. `owner` says what this
    /// process does with the database, for a second process that is refused because of it: `at
    /// 127.0.0.1:8001`.
    ///
    /// Every later call is bounded by `timeout`; `pool_size` is the number of connections, which
    /// only PostgreSQL has more than two of.
    ///
    /// # Errors
    /// `Unavailable` if the server cannot be reached, `InUse` if another process has the file,
    /// `Unusable` if the URL, the file or the content of the database cannot be used. No text
    /// contains a user name or a password.
    pub async fn open(
        &self,
        owner: &str,
        timeout: Duration,
        pool_size: usize,
    ) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryStore::new()),
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path, timeout, owner).await?),
            Self::Postgres(url) => Arc::new(PostgresStore::open(url, timeout, pool_size).await?),
        })
    }

    /// Opens the store as [`Target::open`] does, and its leadership row. On PostgreSQL the row has a
    /// connection of its own, on which every statement takes at most `row_limit`; the two others
    /// belong to one process.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub async fn open_as(
        &self,
        identity: &Identity,
        owner: &str,
        timeout: Duration,
        row_limit: Duration,
        pool_size: usize,
    ) -> Result<(Arc<dyn Store>, Arc<dyn Leadership>), StoreError> {
        Ok(match self {
            Self::Memory => {
                let store = Arc::new(MemoryStore::new());
                (store.clone(), store)
            }
            Self::Sqlite(path) => {
                let store = Arc::new(SqliteStore::open(path, timeout, owner).await?);
                (store.clone(), store)
            }
            Self::Postgres(url) => {
                let (node, run) = (&identity.node, identity.run);
                let row = PostgresLeadership::new(url, node, run, row_limit)?;
                let store =
                    PostgresStore::open_as(url, node, run, timeout, pool_size, row.history())
                        .await?;
                (Arc::new(store), Arc::new(row))
            }
        })
    }

    /// Brings the tables up to this release; returns the names of the migrations that were missing.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub async fn migrate(&self, timeout: Duration) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Memory => Ok(Vec::new()),
            Self::Sqlite(path) => sqlite::migrate(path, timeout).await,
            Self::Postgres(url) => postgres::migrate(url, timeout).await,
        }
    }

    /// Reverts the last migration, with everything in its tables; returns its name, `None` if there
    /// is none left.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub async fn revert_last(&self, timeout: Duration) -> Result<Option<String>, StoreError> {
        match self {
            Self::Memory => Ok(None),
            Self::Sqlite(path) => sqlite::revert_last(path, timeout).await,
            Self::Postgres(url) => postgres::revert_last(url, timeout).await,
        }
    }
}

/// Opens the store that `url` names, for a program of its own: [`Target::parse`], then
/// [`Target::open`].
///
/// # Errors
/// As those.
pub async fn open(
    url: &str,
    timeout: Duration,
    pool_size: usize,
) -> Result<Arc<dyn Store>, StoreError> {
    let target = Target::parse(url)?;
    target
        .open("in a program of its own", timeout, pool_size)
        .await
}

/// Does the same as [`Target::parse`], then [`Target::migrate`].
///
/// # Errors
/// As those.
pub async fn migrate(url: &str, timeout: Duration) -> Result<Vec<String>, StoreError> {
    Target::parse(url)?.migrate(timeout).await
}

/// Does the same as [`Target::parse`], then [`Target::revert_last`].
///
/// # Errors
/// As those.
pub async fn revert_last(url: &str, timeout: Duration) -> Result<Option<String>, StoreError> {
    Target::parse(url)?.revert_last(timeout).await
}
