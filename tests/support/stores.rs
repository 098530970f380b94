//! An empty store of each kind.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use resilient_orchestrator::store::{self, MemoryStore, Store};

use super::postgres::Database;

/// Long enough that no test on a busy machine meets it by accident.
pub const PLENTY: Duration = Duration::from_secs(60);

/// An empty store, and what must live as long as it does.
#[derive(Debug)]
pub struct TestStore {
    /// The store.
    pub store: Arc<dyn Store>,
    _kept: Box<dyn Any + Send>,
}

/// In memory.
pub async fn memory() -> TestStore {
    std::future::ready(TestStore {
        store: Arc::new(MemoryStore::new()),
        _kept: Box::new(()),
    })
    .await
}

/// In a file of its own.
pub async fn sqlite() -> TestStore {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite://{}/fleet.db", directory.path().display());
    TestStore {
        store: store::open(&url, PLENTY, 1).await.expect("a SQLite store"),
        _kept: Box::new(directory),
    }
}

/// In a database of its own.
pub async fn postgres() -> TestStore {
    let database = Database::new().await;
    TestStore {
        store: store::open(&database.url(), PLENTY, 2)
            .await
            .expect("a PostgreSQL store"),
        _kept: Box::new(database),
    }
}
