//! Reads what only the store remembers: incidents, the audit trail, the fleet as it is kept.
//!
//! No actor: these reads need none of their state, so each caller waits by itself and delays
//! no other. The outcome of each read is reported to the breaker; while that is open nothing is asked, and
//! the most recent incidents are answered from memory ([`IncidentMemory`]). A read goes on when
//! who asked leaves, so that impatient clients do not look like a store that is out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::error;

use super::db_breaker::StoreAccess;
use super::refusal::Refusal;
use super::store_calls::StoreOp;
use crate::domain::event_filter::EventFilter;
use crate::domain::explain::Placing;
use crate::domain::fleet::Fleet;
use crate::domain::health::RecentIncidents;
use crate::domain::ids::{Epoch, IncidentId, InstanceId};
use crate::domain::incident::{Incident, IncidentFilter};
use crate::domain::timeline::Recent;
use crate::store::{Guard, Store, StoreError};

pub use crate::domain::health::IncidentPage;
pub use crate::store::StoredEvent;

/// How many instances and streams are built into a fleet right away, in about a millisecond. A larger
/// one takes a while, and is built on another thread: no other request waits for it.
pub(super) const BUILT_AT_ONCE: usize = 1_000;

/// What a store held, and the guard it held it under.
#[derive(Debug)]
pub struct Stored {
    /// Who could write then, and how many transactions there had been.
    pub guard: Guard,
    /// The rows as a fleet; none if they are not one, with the reason.
    pub fleet: Result<Fleet, String>,
}

/// The recent incidents, for the callers that show or judge them. Filled at the start, and with every
/// transaction that is saved, before its callers are answered.
#[derive(Debug, Default)]
pub struct IncidentMemory(Mutex<RecentIncidents>);

impl IncidentMemory {
    /// Those the store held at the start.
    pub(super) fn new(stored: Vec<Incident>) -> Self {
        let memory = Self::default();
        memory.recent().note(stored);
        memory
    }

    /// The incidents, until the guard is dropped: not across a wait.
    pub(super) fn recent(&self) -> MutexGuard<'_, RecentIncidents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store, to be read. Clones read the same.
#[derive(Debug, Clone)]
pub struct StoreReader {
    access: StoreAccess,
    memory: Arc<IncidentMemory>,
}

impl StoreReader {
    /// Reads through `access`.
    pub(super) const fn new(access: StoreAccess, memory: Arc<IncidentMemory>) -> Self {
        Self { access, memory }
    }

    /// The incidents a filter wants, newest first, at most `limit`; from memory while the store
    /// is known to be out.
    ///
    /// # Errors
    /// If the store does not answer, and none of them is remembered.
    pub async fn incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<Vec<Incident>, Refusal> {
        let page = self.incident_page(filter, limit).await?;
        Ok(page.incidents)
    }

    /// As [`StoreReader::incidents`], and whether there is more. What is remembered may end before
    /// what there is: then there is more, although its content is unknown.
    ///
    /// # Errors
    /// If the store does not answer, and none of them is remembered.
    pub async fn incident_page(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<IncidentPage, Refusal> {
        if !self.access.gate().reads().lets_through() {
            let page = self.memory.recent().page(filter, limit);
            return page.ok_or_else(|| self.access.gate().reads().refusal());
        }
        let wanted = filter.clone();
        let read = move |store: Arc<dyn Store>| async move {
            store.incidents(&wanted, limit.saturating_add(1)).await
        };
        let mut incidents = told(self.read(StoreOp::ReadIncidents, read).await)?;
        let more = incidents.len() > limit as usize;
        incidents.truncate(limit as usize);
        Ok(IncidentPage { incidents, more })
    }

    /// The incidents that were detected lately, as far as they are in memory, oldest first, without their
    /// steps.
    pub fn detected_in(&self, lately: &Recent) -> Vec<Incident> {
        self.memory.recent().detected_in(lately)
    }

    /// One incident; `None` if there is none of that id. From memory while the store is known to
    /// be out.
    ///
    /// # Errors
    /// If the store does not answer, and it may hold one that is not remembered.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, Refusal> {
        if !self.access.gate().reads().lets_through() {
            let recent = self.memory.recent();
            let found = recent.one(id).cloned();
            return if found.is_none() && recent.is_cut() {
                Err(self.access.gate().reads().refusal())
            } else {
                Ok(found)
            };
        }
        told(
            self.read(StoreOp::ReadIncidents, move |store| async move {
                store.incident(id).await
            })
            .await,
        )
    }

    /// The reasons of the placement that gave a stream to an instance under this epoch, if they are
    /// kept.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn placing(
        &self,
        instance: &InstanceId,
        epoch: Epoch,
    ) -> Result<Option<Placing>, Refusal> {
        let instance = instance.clone();
        let read =
            move |store: Arc<dyn Store>| async move { store.placing(&instance, epoch).await };
        told(self.read(StoreOp::ReadPlacing, read).await)
    }

    /// The events a filter wants, in its order, at most `limit`.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn find_events(
        &self,
        filter: EventFilter,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, Refusal> {
        told(
            self.read(StoreOp::ReadEvents, move |store| async move {
                store.find_events(&filter, limit).await
            })
            .await,
        )
    }

    /// Events after a sequence number, ascending, at most `limit`.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn events(&self, after: i64, limit: u32) -> Result<Vec<StoredEvent>, Refusal> {
        self.find_events(EventFilter::after(after), limit).await
    }

    /// The fleet as it is kept.
    ///
    /// # Errors
    /// If the store does not answer, or what it holds cannot even be read as rows.
    pub(super) async fn fleet(&self) -> Result<Stored, StoreError> {
        let (guard, snapshot) = self
            .read(StoreOp::LoadFleet, |store| async move {
                store.load_guarded().await
            })
            .await?;
        let fleet = if snapshot.streams.len() + snapshot.instances.len() <= BUILT_AT_ONCE {
            Fleet::from_rows(snapshot)
        } else {
            let built = tokio::task::spawn_blocking(move || Fleet::from_rows(snapshot)).await;
            built.map_err(|error| StoreError::Unavailable(error.to_string()))?
        };
        Ok(Stored {
            guard,
            fleet: fleet.map_err(|error| error.to_string()),
        })
    }

    /// Ends the work with the store.
    pub(super) async fn close_store(&self) -> Result<(), StoreError> {
        self.access.close().await
    }

    /// Makes one call, past the breaker of reads.
    async fn read<T, F>(
        &self,
        op: StoreOp,
        call: impl FnOnce(Arc<dyn Store>) -> F + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let call = self.access.read(op, call).ok_or_else(|| {
            match self.access.gate().reads().refusal() {
                Refusal::DatabaseReplaced => StoreError::FileReplaced("it is out".to_owned()),
                _ => StoreError::Unavailable("it is out".to_owned()),
            }
        })?;
        let answer = tokio::spawn(call);
        let given_up = |error: tokio::task::JoinError| StoreError::Unavailable(error.to_string());
        answer.await.map_err(given_up)?
    }
}

fn told<T>(result: Result<T, StoreError>) -> Result<T, Refusal> {
    result.map_err(|error| {
        if let StoreError::Unusable(reason) = &error {
            error!(reason; "the store holds something that cannot be read: {reason}");
        }
        match error {
            // What was asked for cannot be in there.
            StoreError::Refused(_) => Refusal::RefusedByStore,
            StoreError::FileReplaced(_) => Refusal::DatabaseReplaced,
            StoreError::Unavailable(_)
            | StoreError::InDoubt(_)
            | StoreError::Unusable(_)
            | StoreError::InUse(_)
            | StoreError::Deposed { .. }
            | StoreError::VersionMismatch { .. } => Refusal::StoreUnavailable,
        }
    })
}
