//! Reads what only the store remembers: incidents, the audit trail, the fleet as it is kept.
//!
//! No actor: these reads need none of their state, so whoever asks waits by itself and nobody
//! else does. How each read went is told to the breaker.

use std::sync::Arc;

use actix::Addr;
use log::error;

use super::db_breaker::{DbBreakerActor, StoreOutcome};
use super::fleet::{Refusal, Stored};
use crate::domain::fleet::Fleet;
use crate::domain::ids::IncidentId;
use crate::domain::incident::{Incident, IncidentFilter};
use crate::store::{Store, StoreError};

pub use crate::store::StoredEvent;

/// The store, to be read. Clones read the same.
#[derive(Debug, Clone)]
pub struct Archive {
    store: Arc<dyn Store>,
    breaker: Addr<DbBreakerActor>,
}

impl Archive {
    /// Reads `store`.
    pub(super) fn new(store: Arc<dyn Store>, breaker: Addr<DbBreakerActor>) -> Self {
        Self { store, breaker }
    }

    /// The incidents a filter wants, newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<Vec<Incident>, Refusal> {
        self.told(self.store.incidents(filter, limit).await)
    }

    /// One incident; `None` if there is none of that id.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, Refusal> {
        self.told(self.store.incident(id).await)
    }

    /// Events after a sequence number, ascending, at most `limit`.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn events(&self, after: i64, limit: u32) -> Result<Vec<StoredEvent>, Refusal> {
        self.told(self.store.events(after, limit).await)
    }

    /// The fleet as it is kept.
    ///
    /// # Errors
    /// If the store does not answer, or what it holds cannot even be read as rows.
    pub(super) async fn fleet(&self) -> Result<Stored, StoreError> {
        let read = self.store.load_guarded().await;
        self.breaker.do_send(StoreOutcome::of(&read));
        let (guard, snapshot) = read?;
        // A large fleet takes a while to build; nobody's request waits for it on this thread.
        let built = tokio::task::spawn_blocking(move || Fleet::from_snapshot(&snapshot)).await;
        let fleet = built.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Stored {
            guard,
            fleet: fleet.map_err(|error| error.to_string()),
        })
    }

    fn told<T>(&self, result: Result<T, StoreError>) -> Result<T, Refusal> {
        self.breaker.do_send(StoreOutcome::of(&result));
        result.map_err(|error| {
            if let StoreError::Unusable(reason) = &error {
                error!(reason; "the store holds something that cannot be read: {reason}");
            }
            Refusal::StoreUnavailable
        })
    }
}
