//! What a start finds in the store, before there is any actor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use super::alerts::KeptAlerts;
use super::archive::MAX_RECENT;
use super::registry::Registry;
use crate::clock::Clock;
use crate::domain::fleet::{Fleet, Standing};
use crate::domain::health::MAX_REMEMBERED;
use crate::domain::ids::InstanceId;
use crate::domain::incident::{Incident, IncidentFilter, IncidentState};
use crate::domain::ledger::Ledger;
use crate::domain::time::WallTime;
use crate::store::{Guard, Store, StoreError};

/// What was found in the store at the start.
#[derive(Debug)]
pub struct Loaded {
    pub(super) store: Arc<dyn Store>,
    pub(super) ledger: Ledger,
    pub(super) guard: Guard,
    pub(super) last_beats: Vec<(InstanceId, WallTime)>,
    pub(super) incidents: Vec<Incident>,
    pub(super) alerts: KeptAlerts,
    /// Incidents that were under way when the orchestrator before ended, oldest first.
    pub(super) open_incidents: Vec<Incident>,
}

impl Loaded {
    /// Takes the term and loads the fleet.
    ///
    /// # Errors
    /// If the store cannot be reached, or holds something that is not a fleet.
    pub async fn from_store(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let guard = store.begin_term().await?;
        let snapshot = store.load().await?;
        let most = u32::try_from(MAX_REMEMBERED.max(MAX_RECENT + 1)).unwrap_or(u32::MAX);
        let incidents = store.incidents(&IncidentFilter::default(), most).await?;
        let alerts = KeptAlerts::from_store(store.as_ref()).await?;
        let fleet = Fleet::from_snapshot(&snapshot)
            .map_err(|error| StoreError::Unusable(format!("the database is damaged: {error}")))?;
        let (instances, streams) = (fleet.instance_count(), fleet.listed_count());
        info!(term = guard.term.get(), instances, streams;
            "loaded {instances} instances and {streams} streams");
        if instances == 0 && streams == 0 {
            tell_empty(guard);
        }
        let last_beats = snapshot.last_beats;
        let open_incidents = open_incidents(store.as_ref()).await?;
        Ok(Self {
            store,
            ledger: Ledger::new(fleet),
            guard,
            last_beats,
            incidents,
            alerts,
            open_incidents,
        })
    }

    /// Every known instance gets full grace: whatever silence there was, was the
    /// orchestrator's own (I6). Whatever leases were granted, were granted before.
    pub(super) fn fill(&self, registry: &Registry, clock: &Clock, lease: Duration) {
        let now = clock.now();
        let last_beats: BTreeMap<_, _> = self.last_beats.iter().map(|(id, at)| (id, *at)).collect();
        for slot in self.ledger.saved().instances() {
            let instance = slot.instance();
            let shown = last_beats
                .get(&instance.id)
                .copied()
                .unwrap_or(instance.registered_at);
            let standing = Standing::of(slot);
            let _ = registry.publish(&instance.id, standing, now, shown);
            if let Some(entry) = registry.get(&instance.id).filter(|_| standing.leased) {
                entry.grant_until(now + lease.max(standing.lease));
            }
        }
    }
}

/// A database without a fleet is what a first start finds, or one that looks in the wrong place.
fn tell_empty(guard: Guard) {
    let term = guard.term.get();
    if term == 1 {
        warn!(term;
            "new database, no instances: if a fleet was expected, stop the orchestrator and look at \
             DATABASE_URL");
    } else {
        warn!(term;
            "empty database, no instances: it was used before, and holds no stream either; if a \
             fleet was expected, stop the orchestrator and look at DATABASE_URL");
    }
}

/// How many incidents are read at once.
const INCIDENT_PAGE: u32 = 1_000;

async fn open_incidents(store: &dyn Store) -> Result<Vec<Incident>, StoreError> {
    let mut filter = IncidentFilter {
        state: Some(IncidentState::Open),
        ..IncidentFilter::default()
    };
    let mut found: Vec<Incident> = Vec::new();
    loop {
        let page = store.incidents(&filter, INCIDENT_PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        filter.before = Some(last.id);
        found.extend(page);
    }
    found.reverse();
    Ok(found)
}
