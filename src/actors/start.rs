//! Brings the actors to life, in an order in which each finds those it talks to.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{info, warn};
use tokio::sync::{Semaphore, mpsc};

use super::address::{Reserved, reserve};
use super::alerts::{AlertBookActor, Alerts, KeptAlerts};
use super::archive::{Archive, MAX_RECENT, RecentIncidents};
use super::clean_up::{Cleaner, Memories, Retention};
use super::db_breaker::{BreakerLinks, DbBreakerActor, StoreAccess, StoreGate};
use super::event_feed::EventFeed;
use super::fatal::{Fatal, FatalSender, Vital};
use super::fleet::{FleetActor, FleetLinks, MAX_WAITING};
use super::health::{HealthActor, HealthLinks, HealthSettings, Watch};
use super::heartbeat_log::HeartbeatLog;
use super::identity::IdentityActor;
use super::instance::InstanceLinks;
use super::journal::Journal;
use super::long_poll::PollsEnd;
use super::orchestrator::Orchestrator;
use super::recovery::{RecoveryActor, RecoveryLinks, RecoverySettings};
use super::registry::Registry;
use super::supervisor::{Oversee, Supervisor};
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::fleet::Fleet;
use crate::domain::fleet::Standing;
use crate::domain::health::MAX_REMEMBERED;
use crate::domain::identity::IdentityLimits;
use crate::domain::ids::InstanceId;
use crate::domain::incident::{Incident, IncidentFilter, IncidentState};
use crate::domain::ledger::Ledger;
use crate::domain::returns::ReturnPolicy;
use crate::domain::settings::{
    BreakerSettings, HealthLimits, LivenessThresholds, MassFailureSettings, RetryPolicy,
    WorkerLimits,
};
use crate::domain::time::WallTime;
use crate::store::{Guard, Store, StoreError};

/// The numbers the actors go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemSettings {
    /// When silence is lateness, failure, emergency.
    pub thresholds: LivenessThresholds,
    /// How long leases last.
    pub worker_limits: WorkerLimits,
    /// How soon what could not be saved is tried again.
    pub retry: RetryPolicy,
    /// Whether an emergency is acted upon without being asked.
    pub emergency_enabled: bool,
    /// When the store counts as out, and how it is probed.
    pub breaker: BreakerSettings,
    /// When silences that come together are held back.
    pub mass_failure: MassFailureSettings,
    /// When the system is less than healthy.
    pub health: HealthLimits,
    /// After how long at the most a request that changes something is answered, whatever it has
    /// waited for: a little longer than one call to the store may take.
    pub change_limit: Duration,
    /// The longest time between two judgements of the system's health.
    pub health_check_interval: Duration,
    /// The period of the safety sweep.
    pub sweep_interval: Duration,
    /// How old heartbeats may become before they are saved.
    pub flush_interval: Duration,
    /// After how long a failed instance without streams is forgotten.
    pub instance_retention: Duration,
    /// How long what is written is kept.
    pub retention: Retention,
    /// Seeds the jitter of retries.
    pub jitter_seed: u64,
}

/// Where the actors live.
#[derive(Debug)]
pub enum Placement {
    /// All on the current arbiter: for tests, whose virtual time is that arbiter's.
    Here,
    /// The FleetActor apart from the rest: long decisions and saves never delay a heartbeat,
    /// because arbiters have no fairness.
    Apart {
        /// Everybody who hears of heartbeats.
        heartbeats: ArbiterHandle,
        /// The FleetActor.
        fleet: ArbiterHandle,
    },
}

/// How many messages wait in a mailbox before a sender that waits for the answer has to wait for
/// room too. What is sent without waiting always finds room.
const MAILBOX: usize = 16;

impl Placement {
    fn near_heartbeats<A: Actor<Context = Context<A>> + Send>(&self, actor: A) -> Addr<A> {
        let (address, reserved) = reserve(MAILBOX);
        self.begin_near_heartbeats(reserved, actor);
        address
    }

    fn begin_near_heartbeats<A>(&self, reserved: Reserved<A>, actor: A)
    where
        A: Actor<Context = Context<A>> + Send,
    {
        match self {
            Self::Here => reserved.start(None, actor),
            Self::Apart { heartbeats, .. } => reserved.start(Some(heartbeats), actor),
        }
    }

    fn begin_apart<A>(&self, reserved: Reserved<A>, actor: A)
    where
        A: Actor<Context = Context<A>> + Send,
    {
        match self {
            Self::Here => reserved.start(None, actor),
            Self::Apart { fleet, .. } => reserved.start(Some(fleet), actor),
        }
    }
}

/// What was found in the store at the start.
#[derive(Debug)]
pub struct Loaded {
    store: Arc<dyn Store>,
    ledger: Ledger,
    guard: Guard,
    last_beats: Vec<(InstanceId, WallTime)>,
    incidents: Vec<Incident>,
    alerts: KeptAlerts,
    /// Incidents that were under way when the orchestrator before ended, oldest first.
    open_incidents: Vec<Incident>,
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
    fn fill(&self, registry: &Registry, clock: &Clock, lease: Duration) {
        let now = clock.now();
        let last_beats: std::collections::BTreeMap<_, _> =
            self.last_beats.iter().map(|(id, at)| (id, *at)).collect();
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

/// Starts the system with what was loaded. The receiver tells when it cannot go on.
pub fn start(
    loaded: Loaded,
    settings: &SystemSettings,
    clock: Clock,
    telemetry: Telemetry,
    placement: &Placement,
) -> (Orchestrator, mpsc::UnboundedReceiver<Fatal>) {
    let registry = Arc::new(Registry::new());
    loaded.fill(&registry, &clock, settings.worker_limits.lease);
    let (fatal, fatalities) = mpsc::unbounded_channel();
    let fatal = FatalSender(fatal);
    let vital = |name| Vital::new(name, fatal.clone());
    let telemetry = Arc::new(telemetry);
    let gate = Arc::new(StoreGate::new());
    let Loaded {
        store,
        mut ledger,
        guard,
        incidents,
        alerts,
        open_incidents,
        last_beats: _,
    } = loaded;
    ledger.set_return_policy(ReturnPolicy::from_thresholds(&settings.thresholds));
    let recent = Arc::new(RecentIncidents::new(incidents.clone()));

    let (book, reserved_book) = reserve::<AlertBookActor>(MAILBOX);
    let (health, reserved_health) = reserve::<HealthActor>(MAILBOX);
    let (fleet, reserved_fleet) = reserve::<FleetActor>(MAX_WAITING);
    let (recovery, reserved_recovery) = reserve::<RecoveryActor>(MAILBOX);
    let breaker = placement.near_heartbeats(DbBreakerActor::new(
        settings.breaker,
        store.clone(),
        gate.clone(),
        clock.clone(),
        telemetry.clone(),
        BreakerLinks {
            listeners: vec![book.clone().recipient(), health.clone().recipient()],
            writer: fleet.clone().recipient(),
            wakes: recovery.clone().recipient(),
        },
        vital("DbBreakerActor"),
    ));
    let access = StoreAccess::new(gate.clone(), breaker.clone().recipient());
    placement.begin_near_heartbeats(
        reserved_book,
        AlertBookActor::new(
            alerts,
            store.clone(),
            access.clone(),
            clock.clone(),
            telemetry.clone(),
            vec![health.clone().recipient()],
            vital("AlertBookActor"),
        ),
    );
    let alerts = Alerts::new(book.clone());
    placement.begin_near_heartbeats(
        reserved_health,
        HealthActor::new(
            HealthSettings {
                limits: settings.health,
                check_interval: settings.health_check_interval,
            },
            incidents,
            clock.clone(),
            telemetry.clone(),
            vital("HealthActor"),
        ),
    );
    let feed = placement.near_heartbeats(EventFeed::new(
        telemetry.clone(),
        alerts.clone(),
        vital("EventFeed"),
    ));
    let supervisor = placement.near_heartbeats(Supervisor::new(
        registry.clone(),
        clock.clone(),
        telemetry.clone(),
        alerts.clone(),
        vital("Supervisor"),
    ));
    let fleet_links = FleetLinks {
        store: store.clone(),
        clock: clock.clone(),
        registry: registry.clone(),
        listeners: vec![
            health.clone().recipient(),
            supervisor.clone().recipient(),
            feed.clone().recipient(),
        ],
        access: access.clone(),
        recent: recent.clone(),
        telemetry: telemetry.clone(),
        fatal: fatal.clone(),
    };
    placement.begin_apart(reserved_fleet, FleetActor::new(ledger, guard, fleet_links));
    let journal = placement.near_heartbeats(Journal::new(fleet.clone(), vital("Journal")));
    let identity = placement.near_heartbeats(IdentityActor::new(
        IdentityLimits::from_thresholds(&settings.thresholds),
        registry.clone(),
        clock.clone(),
        alerts.clone(),
        journal.clone(),
        vital("IdentityActor"),
    ));
    let archive = Archive::new(store.clone(), access.clone(), recent.clone());
    let recovery_links = RecoveryLinks {
        archive: archive.clone(),
        checks: Arc::new(Semaphore::new(1)),
        lease_margin: settings.worker_limits.lease_margin,
        gate: gate.clone(),
        journal,
        clock: clock.clone(),
        registry: registry.clone(),
        fleet: fleet.clone(),
        supervisor: supervisor.clone(),
        telemetry: telemetry.clone(),
        alerts: alerts.clone(),
        fatal: fatal.clone(),
    };
    let recovery_settings = RecoverySettings {
        thresholds: settings.thresholds,
        retry: settings.retry,
        emergency_enabled: settings.emergency_enabled,
        mass_failure: settings.mass_failure,
        sweep_interval: settings.sweep_interval,
        instance_retention: settings.instance_retention,
        jitter_seed: settings.jitter_seed,
    };
    placement.begin_near_heartbeats(
        reserved_recovery,
        RecoveryActor::new(recovery_links, recovery_settings, open_incidents),
    );
    health.do_send(Watch(HealthLinks {
        store: store.clone(),
        access: access.clone(),
        registry: registry.clone(),
        fleet: fleet.clone(),
        recovery: recovery.clone(),
        breakers: breaker.clone(),
        alerts: alerts.clone(),
    }));
    placement.near_heartbeats(Cleaner::new(
        store.clone(),
        access.clone(),
        Memories {
            alerts: book.recipient(),
            health: health.clone().recipient(),
            incidents: recent,
        },
        clock.clone(),
        settings.retention,
        vital("Cleaner"),
    ));
    let heartbeats = placement.near_heartbeats(HeartbeatLog::new(
        store,
        access,
        clock.clone(),
        telemetry.clone(),
        settings.flush_interval,
        vital("HeartbeatLog"),
    ));
    supervisor.do_send(Oversee(InstanceLinks {
        clock: clock.clone(),
        thresholds: settings.thresholds,
        lease: settings.worker_limits.lease,
        notices: recovery.clone().recipient(),
        let_go: recovery.clone().recipient(),
        fleet: fleet.clone(),
        alerts: alerts.clone(),
    }));
    let orchestrator = Orchestrator {
        change_limit: settings.change_limit,
        lease: settings.worker_limits.lease,
        lease_margin: settings.worker_limits.lease_margin,
        clock,
        registry,
        gate,
        telemetry,
        fleet,
        recovery,
        supervisor,
        heartbeats,
        feed,
        breaker,
        archive,
        health,
        alerts,
        identity,
        polls_end: Arc::new(PollsEnd::default()),
    };
    (orchestrator, fatalities)
}
