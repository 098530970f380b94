//! Brings the actors to life, in an order in which each finds those it talks to. The file is long because it
//! is one function: what an actor needs is made before it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::{Semaphore, mpsc};

use super::access::{AccessActor, AccessLinks, KeyDemand, Keyring};
use super::address::{MAILBOX, Reserved, reserve};
use super::alerts::{AlertBookActor, Alerts, BookLinks};
use super::archive::{IncidentMemory, StoreReader};
use super::balance::{BalanceActor, BalanceLinks};
use super::certificates::CertificateWatch;
use super::clean_up::{Cleaner, Memories, Retention};
use super::db_breaker::{BreakerLinks, DbBreakerActor, StoreAccess, StoreGate};
use super::event_feed::EventFeed;
use super::event_outbox::{EventOutbox, Note};
use super::event_tail::EventTail;
use super::fatal::{Fatal, FatalSender, Vital};
use super::fleet::{FleetActor, FleetLinks, MAX_WAITING};
use super::headroom::HeadroomActor;
use super::health::{HealthActor, HealthLinks, HealthSettings};
use super::heartbeat_log::HeartbeatLog;
use super::identity::IdentityActor;
use super::instance::InstanceLinks;
use super::leadership::{Ears, Holding, Office};
use super::long_poll::PollsEnd;
use super::lost::LossWatch;
use super::orchestrator::Orchestrator;
use super::recovery::{RecoveryActor, RecoveryLinks, RecoverySettings};
use super::registry::Registry;
use super::rolls::RollActor;
use super::series::{SeriesActor, SeriesLinks};
use super::supervisor::Supervisor;
use super::telemetry::Telemetry;
use super::waiting::WaitingWatch;
use super::webhooks::{WebhookActor, WebhookLinks, WebhookSettings};
use crate::clock::Clock;
use crate::domain::fleet::oldest_reading;
use crate::domain::identity::IdentityLimits;
use crate::domain::placement::PlacementSettings;
use crate::domain::quarantine::QuarantinePolicy;
use crate::domain::returns::ReturnPolicy;
use crate::domain::settings::{
    BalanceSettings, BreakerSettings, HealthLimits, LivenessThresholds, MassFailureSettings,
    PlannedSettings, QuarantineSettings, RetryPolicy, WorkerLimits,
};

pub use super::loaded::Loaded;
use super::loaded::report_loss;

/// The numbers the actors go by.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// How planned work is done.
    pub planned: PlannedSettings,
    /// Which instance gets a stream.
    pub placement: PlacementSettings,
    /// When a stream whose owners fail is kept away from the fleet.
    pub quarantine: QuarantineSettings,
    /// When and how the fleet is balanced.
    pub balance: BalanceSettings,
    /// When the system is less than healthy.
    pub health: HealthLimits,
    /// After how long at the most a request that changes something is answered, whatever it has
    /// waited for: a little longer than one call to the store may take.
    pub change_limit: Duration,
    /// The longest time between two judgements of the system's health.
    pub health_check_interval: Duration,
    /// How long a stream may be without an owner before an alert says so.
    pub waiting_alert_after: Duration,
    /// The period of the safety sweep.
    pub sweep_interval: Duration,
    /// How old heartbeats may become before they are saved.
    pub flush_interval: Duration,
    /// After how long a failed instance without streams is forgotten.
    pub instance_retention: Duration,
    /// How long what is written is kept.
    pub retention: Retention,
    /// The receivers outside that are written in a file.
    pub webhooks: WebhookSettings,
    /// Seeds the jitter of retries.
    pub jitter_seed: u64,
}

/// Where the actors live.
#[derive(Debug)]
pub enum Placement {
    /// All on the current arbiter: for tests, whose virtual time is that arbiter's.
    Here,
    /// Work that grows with the fleet apart from heartbeats: no decision, save or walk delays one,
    /// because arbiters have no fairness.
    Apart {
        /// The actors that answer heartbeats, and those that talk to them.
        heartbeats: ArbiterHandle,
        /// The actors that walk the fleet or its rows, the WebhookActor, and the AlertBookActor, whose
        /// silences take time to match.
        records: ArbiterHandle,
        /// The FleetActor.
        fleet: ArbiterHandle,
    },
}

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

    fn begin_with_records<A>(&self, reserved: Reserved<A>, actor: A)
    where
        A: Actor<Context = Context<A>> + Send,
    {
        match self {
            Self::Here => reserved.start(None, actor),
            Self::Apart { records, .. } => reserved.start(Some(records), actor),
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

/// Starts the system with what was loaded. The receiver gets the reason when it cannot go on.
pub fn start(
    loaded: Loaded,
    settings: &SystemSettings,
    clock: Clock,
    telemetry: Telemetry,
    placement: &Placement,
) -> (Orchestrator, mpsc::UnboundedReceiver<Fatal>) {
    let registry = Arc::new(Registry::new());
    loaded.fill(
        &registry,
        &clock,
        &settings.thresholds,
        settings.worker_limits.lease,
    );
    let freeze = loaded.freeze(clock.now(), &settings.worker_limits);
    let after_loss = loaded.after_loss;
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
        webhooks: kept_webhooks,
        sender,
        keyring,
        series: saved_series,
        open_incidents,
        office,
        ordered,
        ..
    } = loaded;
    let office = office.unwrap_or_else(|| Office::embedded(guard.term, &clock));
    let (prover, cluster) = (office.prover(), office.view().clone());
    ledger.set_placement(settings.placement.clone());
    ledger.set_return_policy(ReturnPolicy::from_thresholds(&settings.thresholds));
    ledger.set_quarantine_policy(QuarantinePolicy::from_settings(
        &settings.quarantine,
        &settings.thresholds,
    ));
    let incidents = Arc::new(IncidentMemory::new(incidents));

    let (book, reserved_book) = reserve::<AlertBookActor>(MAILBOX);
    let (health, reserved_health) = reserve::<HealthActor>(MAILBOX);
    let (fleet, reserved_fleet) = reserve::<FleetActor>(MAX_WAITING);
    let (recovery, reserved_recovery) = reserve::<RecoveryActor>(MAILBOX);
    let (balance, reserved_balance) = reserve::<BalanceActor>(MAILBOX);
    let (event_outbox, reserved_event_outbox) = reserve::<EventOutbox>(MAILBOX);
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
    let access = StoreAccess::new(
        store,
        gate.clone(),
        breaker.clone().recipient(),
        clock.clone(),
        telemetry.clone(),
    );
    placement.begin_with_records(
        reserved_book,
        AlertBookActor::new(
            alerts,
            BookLinks {
                access: access.clone(),
                fleet: fleet.clone().recipient(),
                audit: event_outbox.clone().recipient(),
                listeners: vec![health.clone().recipient()],
            },
            clock.clone(),
            telemetry.clone(),
            vital("AlertBookActor"),
        ),
    );
    let alerts = Alerts::new(book.clone());
    placement.begin_with_records(
        reserved_health,
        HealthActor::new(
            HealthSettings {
                limits: settings.health,
                check_interval: settings.health_check_interval,
            },
            HealthLinks {
                access: access.clone(),
                incidents: incidents.clone(),
                registry: registry.clone(),
                fleet: fleet.clone(),
                recovery: recovery.clone(),
                breakers: breaker.clone(),
                alerts: alerts.clone(),
            },
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
    let (headroom, reserved_headroom) = reserve::<HeadroomActor>(MAILBOX);
    placement.begin_with_records(
        reserved_headroom,
        HeadroomActor::new(
            fleet.clone(),
            alerts.clone(),
            telemetry.clone(),
            clock.clone(),
            vital("HeadroomActor"),
        ),
    );
    let (rolls, reserved_rolls) = reserve::<RollActor>(MAILBOX);
    placement.begin_with_records(
        reserved_rolls,
        RollActor::new(
            fleet.clone(),
            health.clone(),
            settings.planned.pace,
            clock.clone(),
            vital("RollActor"),
        ),
    );
    let (loss_watch, reserved_loss_watch) = reserve::<LossWatch>(MAILBOX);
    placement.begin_with_records(
        reserved_loss_watch,
        LossWatch::new(
            fleet.clone(),
            alerts.clone(),
            clock.clone(),
            vital("LossWatch"),
        ),
    );
    let (waiting_watch, reserved_waiting_watch) = reserve::<WaitingWatch>(MAILBOX);
    placement.begin_with_records(
        reserved_waiting_watch,
        WaitingWatch::new(
            fleet.clone(),
            alerts.clone(),
            clock.clone(),
            settings.waiting_alert_after,
            vital("WaitingWatch"),
        ),
    );
    let (certificates, reserved_certificates) = reserve::<CertificateWatch>(MAILBOX);
    placement.begin_with_records(
        reserved_certificates,
        CertificateWatch::new(alerts.clone(), clock.clone(), vital("CertificateWatch")),
    );
    let supervisor = placement.near_heartbeats(Supervisor::new(
        registry.clone(),
        clock.clone(),
        telemetry.clone(),
        InstanceLinks {
            clock: clock.clone(),
            thresholds: settings.thresholds,
            limits: settings.worker_limits,
            notices: recovery.clone().recipient(),
            let_go: recovery.clone().recipient(),
            fleet: fleet.clone(),
            alerts: alerts.clone(),
        },
        vital("Supervisor"),
    ));
    let archive = StoreReader::new(access.clone(), incidents.clone());
    let (event_tail, reserved_tail) = reserve::<EventTail>(MAILBOX);
    placement.begin_with_records(
        reserved_tail,
        EventTail::new(archive.clone(), clock.clone(), vital("EventTail")),
    );
    let (webhooks, reserved_webhooks) = reserve::<WebhookActor>(MAILBOX);
    placement.begin_with_records(
        reserved_webhooks,
        WebhookActor::new(
            kept_webhooks,
            &settings.webhooks,
            WebhookLinks {
                access: access.clone(),
                alerts: alerts.clone(),
                sender: sender.clone(),
                public_url: cluster.me().public_url.clone(),
            },
            clock.clone(),
            telemetry.clone(),
            settings.jitter_seed,
            vital("WebhookActor"),
        ),
    );
    let (series, reserved_series) = reserve::<SeriesActor>(MAILBOX);
    placement.begin_with_records(
        reserved_series,
        SeriesActor::new(
            saved_series,
            SeriesLinks {
                access: access.clone(),
                fleet: fleet.clone(),
                registry: registry.clone(),
            },
            clock.clone(),
            telemetry.clone(),
            vital("SeriesActor"),
        ),
    );
    let fleet_links = FleetLinks {
        clock: clock.clone(),
        registry: registry.clone(),
        listeners: vec![
            health.clone().recipient(),
            supervisor.clone().recipient(),
            feed.clone().recipient(),
            balance.clone().recipient(),
            headroom.clone().recipient(),
            rolls.recipient(),
            loss_watch.recipient(),
            waiting_watch.recipient(),
            event_tail.clone().recipient(),
            webhooks.clone().recipient(),
        ],
        access: access.clone(),
        incidents: incidents.clone(),
        telemetry: telemetry.clone(),
        fatal: fatal.clone(),
        pace: settings.planned.pace,
        oldest_reading: oldest_reading(&settings.thresholds),
        first_hearing: settings.thresholds.warning,
        prover: prover.clone(),
    };
    placement.begin_apart(reserved_fleet, FleetActor::new(ledger, guard, fleet_links));
    let balance_links = BalanceLinks {
        clock: clock.clone(),
        fleet: fleet.clone(),
        recovery: recovery.clone(),
        health: health.clone(),
    };
    placement.begin_with_records(
        reserved_balance,
        BalanceActor::new(settings.balance, balance_links, vital("BalanceActor")),
    );
    placement.begin_near_heartbeats(
        reserved_event_outbox,
        EventOutbox::new(fleet.clone(), clock.clone(), vital("EventOutbox")),
    );
    if let Some(ordered) = ordered {
        event_outbox.do_send(Note::of(ordered));
    }
    let keyring = keyring.unwrap_or_else(|| Keyring::new(clock.clone(), KeyDemand::NotRequired));
    let (keys, reserved_keys) = reserve::<AccessActor>(MAILBOX);
    placement.begin_with_records(
        reserved_keys,
        AccessActor::new(
            keyring.clone(),
            AccessLinks {
                access: access.clone(),
                alerts: alerts.clone(),
                audit: event_outbox.clone(),
            },
            clock.clone(),
            vital("AccessActor"),
        ),
    );
    let identity = placement.near_heartbeats(IdentityActor::new(
        IdentityLimits::from_thresholds(&settings.thresholds),
        registry.clone(),
        clock.clone(),
        alerts.clone(),
        event_outbox.clone(),
        vital("IdentityActor"),
    ));
    let recovery_links = RecoveryLinks {
        archive: archive.clone(),
        checks: Arc::new(Semaphore::new(1)),
        lease_margin: settings.worker_limits.lease_margin,
        witnesses: office.witnesses(),
        gate: gate.clone(),
        event_outbox: event_outbox.clone(),
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
    let cleaner = placement.near_heartbeats(Cleaner::new(
        access.clone(),
        Memories {
            alerts: book.recipient(),
            health: health.clone().recipient(),
            incidents,
        },
        clock.clone(),
        settings.retention,
        vital("Cleaner"),
    ));
    let (heartbeats, reserved_log) = reserve::<HeartbeatLog>(MAILBOX);
    placement.begin_with_records(
        reserved_log,
        HeartbeatLog::new(
            access,
            clock.clone(),
            telemetry.clone(),
            settings.flush_interval,
            guard.term,
            vital("HeartbeatLog"),
        ),
    );
    let ears = Ears {
        registry: registry.clone(),
        outbox: event_outbox.clone().recipient(),
        witnesses: office.witnesses(),
        pause: settings.thresholds.warning,
    };
    let holding = Holding {
        hold: fleet.clone().recipient(),
        restore: fleet.clone().recipient(),
        resume: fleet.clone().recipient(),
    };
    if let Some(known) = after_loss {
        let left = freeze.left(clock.now()).unwrap_or_default();
        report_loss(&alerts, guard, known, left);
    }
    let seat = office.begin(
        prover.clone(),
        alerts.clone(),
        fatal.clone(),
        holding,
        freeze,
        ears,
    );
    let orchestrator = Orchestrator {
        prover,
        cluster,
        seat,
        freeze,
        change_limit: settings.change_limit,
        limits: settings.worker_limits,
        planned: settings.planned,
        clock,
        registry,
        gate,
        telemetry,
        fleet,
        recovery,
        supervisor,
        heartbeats,
        cleaner,
        feed,
        event_outbox,
        event_tail,
        breaker,
        archive,
        health,
        headroom,
        alerts,
        identity,
        balance,
        certificates,
        webhooks,
        keyring,
        keys,
        series,
        sender,
        polls_end: Arc::new(PollsEnd::default()),
    };
    (orchestrator, fatalities)
}
