//! Reads what only the store remembers: incidents, the audit trail, the fleet as it is kept.
//!
//! No actor: these reads need none of their state, so whoever asks waits by itself and nobody
//! else does. How each read went is told to the breaker; while that is open nothing is asked, and
//! the most recent incidents are answered from memory ([`RecentIncidents`]). A read goes on when
//! who asked leaves, so that impatient clients do not look like a store that is out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::error;

use super::db_breaker::StoreAccess;
use super::refusal::Refusal;
use super::store_calls::StoreOp;
use crate::domain::event_filter::EventFilter;
use crate::domain::fleet::Fleet;
use crate::domain::ids::IncidentId;
use crate::domain::incident::{Incident, IncidentFilter};
use crate::domain::timeline::Recent;
use crate::store::{Guard, Store, StoreError};

pub use crate::store::StoredEvent;

/// How many incidents are remembered: a bound on memory, and more than anybody reads by hand.
pub const MAX_RECENT: usize = 500;

/// How many instances and streams are built into a fleet right away, in about a millisecond. A larger
/// one takes a while, and is built on another thread: nobody's request waits for it.
const BUILT_AT_ONCE: usize = 1_000;

/// What a store held, and the guard it held it under.
#[derive(Debug)]
pub struct Stored {
    /// Who could write then, and how many transactions there had been.
    pub guard: Guard,
    /// The rows as a fleet; none if they are not one, with the reason.
    pub fleet: Result<Fleet, String>,
}

/// The newest incidents, for when the store does not answer. Filled at the start, and with every
/// transaction that is saved.
#[derive(Debug, Default)]
pub struct RecentIncidents(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    incidents: BTreeMap<IncidentId, Incident>,
    /// Whether there are older ones that are not remembered.
    is_cut: bool,
}

impl RecentIncidents {
    /// Those the store held at the start, newest first, and at least one more than are remembered
    /// if there were as many.
    pub fn new(stored: Vec<Incident>) -> Self {
        let recent = Self::default();
        recent.remember(&stored);
        recent
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These were saved.
    pub fn remember(&self, saved: &[Incident]) {
        if saved.is_empty() {
            return;
        }
        let mut remembered = self.remembered();
        for incident in saved {
            remembered.incidents.insert(incident.id, incident.clone());
        }
        while remembered.incidents.len() > MAX_RECENT {
            remembered.incidents.pop_first();
            remembered.is_cut = true;
        }
    }

    /// Forgets those that ended longer ago than incidents are kept.
    pub(super) fn forget(&self, kept: &Recent) {
        self.remembered().incidents.retain(|_, incident| {
            let ended_at = incident.ended_at;
            ended_at.is_none_or(|end| kept.contains(end))
        });
    }

    /// What is remembered of what a filter wants; none if that is nothing and there may be more.
    fn page(&self, filter: &IncidentFilter, limit: u32) -> Option<IncidentPage> {
        let remembered = self.remembered();
        let newest_first = remembered.incidents.values().rev();
        let mut wanted = newest_first.filter(|incident| filter.wants(incident));
        let incidents: Vec<Incident> = wanted.by_ref().take(limit as usize).cloned().collect();
        let more = remembered.is_cut || wanted.next().is_some();
        (!incidents.is_empty() || !more).then_some(IncidentPage { incidents, more })
    }

    fn one(&self, id: IncidentId) -> Option<Incident> {
        self.remembered().incidents.get(&id).cloned()
    }

    fn is_cut(&self) -> bool {
        self.remembered().is_cut
    }
}

/// Some incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentPage {
    /// Newest first.
    pub incidents: Vec<Incident>,
    /// Whether there are, or may be, older ones.
    pub more: bool,
}

/// The store, to be read. Clones read the same.
#[derive(Debug, Clone)]
pub struct Archive {
    access: StoreAccess,
    recent: Arc<RecentIncidents>,
}

impl Archive {
    /// Reads through `access`.
    pub(super) const fn new(access: StoreAccess, recent: Arc<RecentIncidents>) -> Self {
        Self { access, recent }
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

    /// As [`Archive::incidents`], and whether there is more. What is remembered may end before
    /// what there is: then there is more, although nobody can say what.
    ///
    /// # Errors
    /// If the store does not answer, and none of them is remembered.
    pub async fn incident_page(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<IncidentPage, Refusal> {
        if !self.access.gate().reads().lets_through() {
            let page = self.recent.page(filter, limit);
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

    /// One incident; `None` if there is none of that id. From memory while the store is known to
    /// be out.
    ///
    /// # Errors
    /// If the store does not answer, and it may hold one that is not remembered.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, Refusal> {
        if !self.access.gate().reads().lets_through() {
            let found = self.recent.one(id);
            return if found.is_none() && self.recent.is_cut() {
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
            Fleet::from_snapshot(&snapshot)
        } else {
            let built = tokio::task::spawn_blocking(move || Fleet::from_snapshot(&snapshot)).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Incarnation;
    use crate::domain::incident::FailureCause;
    use crate::domain::time::WallTime;

    fn incident(id: i64) -> Incident {
        Incident {
            id: IncidentId::new(id),
            instance: format!("i{}", id % 2).as_str().into(),
            incarnation: Incarnation::new(1),
            cause: FailureCause::Reported,
            detected_at: WallTime::from_micros(id),
            ended_at: None,
            outcome: None,
            streams_affected: 0,
            streams_moved: 0,
            streams_orphaned: 0,
            attempts: 1,
            reason: None,
            escalated_at: None,
            steps: Vec::new(),
        }
    }

    fn remembering(ids: impl DoubleEndedIterator<Item = i64>) -> RecentIncidents {
        RecentIncidents::new(ids.rev().map(incident).collect())
    }

    fn page(
        recent: &RecentIncidents,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Option<(Vec<i64>, bool)> {
        let page = recent.page(filter, limit)?;
        let ids = page.incidents.iter().map(|incident| incident.id.get());
        Some((ids.collect(), page.more))
    }

    #[test]
    fn what_is_all_there_is_has_an_end() {
        let recent = remembering(1..=3);
        let all = IncidentFilter::default();
        assert_eq!(page(&recent, &all, 2), Some((vec![3, 2], true)));
        assert_eq!(page(&recent, &all, 3), Some((vec![3, 2, 1], false)));
        let older = IncidentFilter::before(Some(IncidentId::new(1)));
        assert_eq!(page(&recent, &older, 3), Some((vec![], false)));
        assert_eq!(
            page(&RecentIncidents::new(Vec::new()), &all, 3),
            Some((vec![], false))
        );
    }

    #[test]
    fn what_was_forgotten_is_neither_shown_nor_denied() {
        let most = MAX_RECENT as i64;
        let recent = remembering(1..=most + 1);
        let older = IncidentFilter::before(Some(IncidentId::new(4)));
        assert_eq!(page(&recent, &older, 9), Some((vec![3, 2], true)));
        let forgotten = IncidentFilter::before(Some(IncidentId::new(2)));
        assert_eq!(page(&recent, &forgotten, 9), None);
        assert_eq!(recent.one(IncidentId::new(1)), None);
        assert!(recent.is_cut());
    }

    #[test]
    fn a_later_word_replaces_an_earlier_one() {
        let recent = remembering(1..=1);
        let mut ended = incident(1);
        ended.attempts = 7;
        recent.remember(&[ended]);
        assert_eq!(
            recent.one(IncidentId::new(1)).map(|one| one.attempts),
            Some(7)
        );
    }
}
