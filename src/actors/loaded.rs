//! What a start finds in the store, before there is any actor.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};
use tokio::sync::watch;

use super::access::Keyring;
use super::alerts::{Alerts, KeptAlerts};
use super::leadership::{Office, Prepared};
use super::registry::Registry;
use super::webhooks::{KeptWebhooks, NoSender, WebhookSender};
use crate::clock::Clock;
use crate::domain::alert::{AlertKind, DATABASE};
use crate::domain::commands::Recorded;
use crate::domain::fleet::{Fleet, Standing};
use crate::domain::health::MAX_REMEMBERED;
use crate::domain::ids::{InstanceId, Version};
use crate::domain::incident::{Incident, IncidentFilter, IncidentState};
use crate::domain::leadership::{StartFreeze, carried_silence, last_beat};
use crate::domain::ledger::Ledger;
use crate::domain::series::SeriesPoint;
use crate::domain::settings::{LivenessThresholds, WorkerLimits};
use crate::domain::time::{Timestamp, WallTime};
use crate::store::{Guard, LoadProgress, LoadedFleet, SavedAges, Store, StoreError};

/// What was found in the store at the start.
#[derive(Debug)]
pub struct Loaded {
    pub(super) store: Arc<dyn Store>,
    pub(super) ledger: Ledger,
    pub(super) guard: Guard,
    last_beats: Vec<(InstanceId, WallTime)>,
    /// Up to when the last heartbeats are complete; none before the first flush.
    watermark: Option<WallTime>,
    pub(super) office: Option<Office>,
    /// How much longer than its lease each worker may run what it was given.
    hold: Duration,
    /// If the term starts after a loss: the highest version that was known before, 0 for none.
    pub(super) after_loss: Option<Version>,
    /// The order that led to the term, if one did.
    pub(super) ordered: Option<Recorded>,
    pub(super) incidents: Vec<Incident>,
    pub(super) alerts: KeptAlerts,
    pub(super) webhooks: KeptWebhooks,
    pub(super) sender: Arc<dyn WebhookSender>,
    /// The keys of callers; none where no caller needs one.
    pub(super) keyring: Option<Keyring>,
    pub(super) series: Vec<SeriesPoint>,
    /// Incidents that were under way when the orchestrator before ended, oldest first.
    pub(super) open_incidents: Vec<Incident>,
}

impl Loaded {
    /// Takes the term of a store that no other process uses, and loads the fleet without a limit.
    ///
    /// # Errors
    /// If the store cannot be reached, or holds something that is not a fleet.
    pub async fn from_store(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let guard = store.begin_term().await?;
        Self::under(store, guard, Duration::MAX).await
    }

    /// Loads the fleet under a guard that was taken, for at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached, takes too long, or holds something that is not a fleet.
    pub async fn under(
        store: Arc<dyn Store>,
        guard: Guard,
        limit: Duration,
    ) -> Result<Self, StoreError> {
        let loaded = load_fleet(store.as_ref(), limit).await?;
        Self::with(store, guard, loaded).await
    }

    /// Takes what was read ahead as the fleet of a term, if it is that; else loads it, for at most `limit`.
    ///
    /// # Errors
    /// As [`Loaded::under`].
    pub async fn prepared(
        store: Arc<dyn Store>,
        guard: Guard,
        prepared: Prepared,
        limit: Duration,
    ) -> Result<Self, StoreError> {
        match prepared.fleet().await {
            // The leader before may have saved heartbeats after the copy was read, which move no version.
            Some(loaded) => {
                let SavedAges {
                    last_beats,
                    watermark,
                } = store.saved_ages().await?;
                let loaded = LoadedFleet {
                    last_beats,
                    watermark,
                    ..loaded
                };
                Self::with(store, guard, loaded).await
            }
            None => Self::under(store, guard, limit).await,
        }
    }

    async fn with(
        store: Arc<dyn Store>,
        guard: Guard,
        loaded: LoadedFleet,
    ) -> Result<Self, StoreError> {
        let LoadedFleet {
            fleet,
            last_beats,
            watermark,
            ..
        } = loaded;
        let most = u32::try_from(MAX_REMEMBERED).unwrap_or(u32::MAX);
        let incidents = store.incidents(&IncidentFilter::default(), most).await?;
        let alerts = KeptAlerts::from_store(store.as_ref()).await?;
        let webhooks = KeptWebhooks::from_store(store.as_ref()).await?;
        let series = store.series().await?;
        let (instances, streams) = (fleet.instance_count(), fleet.listed_count());
        info!(term = guard.term.get(), instances, streams;
            "loaded {instances} instances and {streams} streams");
        if instances == 0 && streams == 0 {
            tell_empty(guard);
        }
        let open_incidents = open_incidents(store.as_ref()).await?;
        Ok(Self {
            store,
            ledger: Ledger::new(fleet),
            guard,
            last_beats,
            watermark: watermark.map(|watermark| watermark.through),
            office: None,
            hold: Duration::ZERO,
            after_loss: None,
            ordered: None,
            incidents,
            alerts,
            webhooks,
            sender: Arc::new(NoSender),
            keyring: None,
            series,
            open_incidents,
        })
    }

    /// The fleet.
    pub fn fleet(&self) -> &Fleet {
        self.ledger.saved()
    }

    /// The same, led from this office. Workers may run what they were given for `hold` longer than
    /// their leases say, because the leader before may still renew them.
    #[must_use]
    pub fn led_by(self, office: Office, hold: Duration) -> Self {
        Self {
            office: Some(office),
            hold,
            ..self
        }
    }

    /// The same, if the database lost changes, or may have: the highest version that was known before.
    #[must_use]
    pub fn after_loss(self, known: Option<Version>) -> Self {
        Self {
            after_loss: known,
            ..self
        }
    }

    /// The same, if an operator ordered this process to lead: the event about it.
    #[must_use]
    pub fn as_ordered(self, ordered: Option<Recorded>) -> Self {
        Self { ordered, ..self }
    }

    /// Until when no stream is started: after a loss, until every lease that was granted before is over.
    pub(super) fn freeze(&self, now: Timestamp, limits: &WorkerLimits) -> StartFreeze {
        if self.after_loss.is_none() {
            return StartFreeze::NONE;
        }
        let saved = self.ledger.saved().instances();
        let longest = saved.map(|slot| slot.instance().lease).max();
        let lease = limits.lease.max(longest.unwrap_or_default());
        StartFreeze::after_loss(now, lease + self.hold, limits.lease_margin)
    }

    /// The same, with a way out to receivers.
    #[must_use]
    pub fn sending_by(self, sender: Arc<dyn WebhookSender>) -> Self {
        Self { sender, ..self }
    }

    /// The same, with the keys of callers.
    #[must_use]
    pub fn guarded_by(self, keyring: Keyring) -> Self {
        Self {
            keyring: Some(keyring),
            ..self
        }
    }

    /// Shows every known instance as silent for as long as it was at the end of the orchestrator
    /// before (`domain/leadership/ages.rs`); the time since then counts for no instance (I6). Each
    /// lease that may run was granted before, so it counts as fresh.
    pub(super) fn fill(
        &self,
        registry: &Registry,
        clock: &Clock,
        thresholds: &LivenessThresholds,
        lease: Duration,
    ) {
        let now = clock.now();
        let last_beats: BTreeMap<_, _> = self.last_beats.iter().map(|(id, at)| (id, *at)).collect();
        for slot in self.ledger.saved().instances() {
            let instance = slot.instance();
            let saved = last_beats.get(&instance.id).copied();
            let shown = saved.unwrap_or(instance.registered_at);
            let standing = Standing::of(slot);
            let silence = carried_silence(saved, self.watermark, thresholds);
            let last_beat = last_beat(now, silence);
            let entry = registry.restore(&instance.id, standing, last_beat, now, shown);
            if standing.leased {
                entry.grant_until(now + lease.max(standing.lease) + self.hold);
            }
        }
    }
}

/// Says that the database lost changes, or may have. `known` is the highest version that was known before.
pub(super) fn report_loss(alerts: &Alerts, guard: Guard, known: Version, left: Duration) {
    let (found, seconds) = (guard.version, left.as_secs());
    let lost = if known > found {
        format!(
            "The database went back: it has version {found}, and version {known} was there before."
        )
    } else {
        format!(
            "A standby of the database was promoted, and has version {found}. No leader before says that \
             nothing is lost."
        )
    };
    let detail = format!(
        "{lost} Acknowledged changes may be missing. Until all leases from before are over, in {seconds} s, no \
         stream is started; what workers run and the database gives them goes on."
    );
    warn!(found = found.get(), known = known.get(); "{detail}");
    alerts.raise(AlertKind::DatabaseWentBack, DATABASE, detail);
}

/// A database without a fleet is what a first start finds, or one that looks in the wrong place.
fn tell_empty(guard: Guard) {
    let term = guard.term.get();
    // On PostgreSQL the timeline of the database stands above the number.
    if term & i64::from(u32::MAX) == 1 {
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

/// How often a load that takes long says in the log how far it is.
const LOAD_REPORT_INTERVAL: Duration = Duration::from_secs(3);

async fn load_fleet(store: &dyn Store, limit: Duration) -> Result<LoadedFleet, StoreError> {
    let (progress, seen) = watch::channel(LoadProgress::default());
    let on_progress = Box::new(move |made| {
        progress.send_replace(made);
        ControlFlow::Continue(())
    });
    let mut load = store.load_fleet(limit, on_progress);
    loop {
        match tokio::time::timeout(LOAD_REPORT_INTERVAL, &mut load).await {
            Ok(loaded) => return loaded,
            Err(_) => {
                let LoadProgress { rows, total, .. } = *seen.borrow();
                info!(rows, total; "loading the fleet: {rows} of {total} rows");
            }
        }
    }
}
