//! What is counted while the program runs, for `/metrics`.
//!
//! Only totals: nothing is labelled by instance or stream, so that a large fleet does not make
//! large scrapes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::store_calls::StoreCalls;

/// The kind of a domain event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EventLabel {
    /// `Event::kind`.
    pub kind: &'static str,
}

/// The kind of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    /// `AlertKind::as_str`.
    pub kind: &'static str,
}

/// The reason of a move.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// `AssignReason::as_str`.
    pub reason: &'static str,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// One word.
    pub outcome: &'static str,
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BreakerLabel {
    /// Its name.
    pub breaker: String,
    /// A state it may be in.
    pub state: &'static str,
}

/// The counters. Each is updated by the one actor that it is about.
#[derive(Debug)]
pub struct Telemetry {
    /// Heartbeats that were answered 200.
    pub heartbeats: Counter,
    /// Heartbeats of instances that are not registered.
    pub heartbeats_unknown: Counter,
    /// Domain events by kind.
    pub events: Family<EventLabel, Counter>,
    /// Streams that went from one instance to another, by reason.
    pub streams_moved: Family<ReasonLabel, Counter>,
    /// Fleet transactions by outcome.
    pub saves: Family<OutcomeLabel, Counter>,
    /// Commands saved together in one transaction.
    pub batch_commands: Histogram,
    /// Seconds from detecting a failure to the saved recovery.
    pub recovery_seconds: Histogram,
    /// Commands waiting to be decided.
    pub queue_length: Gauge,
    /// Last heartbeats and metrics that could not be kept until the store came back.
    pub records_dropped: Counter,
    /// Rows the store refused for their content.
    pub records_refused: Counter,
    /// Answers that were withheld because the database did not confirm in time that this orchestrator
    /// leads.
    pub answers_withheld: Counter,
    /// Actors of instances that ended and were replaced.
    pub actor_restarts: Counter,
    /// Times the whole process stood still.
    pub stalls: Counter,
    /// Milliseconds for which it stood still.
    pub stalled_milliseconds: Counter,
    /// 1 while the store answers, 0 while it does not.
    pub store_up: Gauge,
    /// 1 for the state each circuit breaker is in, 0 for the others.
    pub breaker_state: Family<BreakerLabel, Gauge>,
    /// Requests that were refused because too many were under way.
    pub requests_shed: Counter,
    /// 1 while a mass failure is held, else 0.
    pub brake_engaged: Gauge,
    /// Times a mass failure was held.
    pub brake_engagements: Counter,
    /// How the system is: 0 healthy, 1 degraded, 2 critical, 3 emergency.
    pub system_health: Gauge,
    /// Alerts that were opened, by kind.
    pub alerts_opened: Family<KindLabel, Counter>,
    /// How many more streams the fleet could take and still absorb the loss of any one instance;
    /// negative if it cannot absorb it.
    pub headroom_streams: Gauge,
    /// Alerts that are open, by kind.
    pub alerts_open: Family<KindLabel, Gauge>,
    /// Differences the sweep found between actors, memory and store.
    pub sweep_differences: Counter,
    /// Calls of the store by operation; not exported yet.
    pub store_calls: StoreCalls,
}

impl Telemetry {
    /// Creates the counters and registers them under `orchestrator_`.
    pub fn new(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("orchestrator");
        let telemetry = Self {
            heartbeats: Counter::default(),
            heartbeats_unknown: Counter::default(),
            events: Family::default(),
            streams_moved: Family::default(),
            saves: Family::default(),
            batch_commands: Histogram::new(exponential_buckets(1.0, 4.0, 6)),
            recovery_seconds: Histogram::new(exponential_buckets(0.005, 4.0, 8)),
            queue_length: Gauge::default(),
            records_dropped: Counter::default(),
            records_refused: Counter::default(),
            answers_withheld: Counter::default(),
            actor_restarts: Counter::default(),
            stalls: Counter::default(),
            stalled_milliseconds: Counter::default(),
            store_up: Gauge::default(),
            breaker_state: Family::default(),
            requests_shed: Counter::default(),
            brake_engaged: Gauge::default(),
            brake_engagements: Counter::default(),
            system_health: Gauge::default(),
            headroom_streams: Gauge::default(),
            alerts_opened: Family::default(),
            alerts_open: Family::default(),
            sweep_differences: Counter::default(),
            store_calls: StoreCalls::default(),
        };
        telemetry.store_up.set(1);
        telemetry.register(registry);
        telemetry
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "heartbeats",
            "Heartbeats answered 200",
            self.heartbeats.clone(),
        );
        registry.register(
            "heartbeats_unknown",
            "Heartbeats of instances that are not registered",
            self.heartbeats_unknown.clone(),
        );
        registry.register("events", "Domain events by kind", self.events.clone());
        registry.register(
            "streams_moved",
            "Streams that went from one instance to another, by reason",
            self.streams_moved.clone(),
        );
        registry.register("saves", "Fleet transactions by outcome", self.saves.clone());
        registry.register(
            "batch_commands",
            "Commands saved together in one transaction",
            self.batch_commands.clone(),
        );
        registry.register(
            "recovery_seconds",
            "Seconds from detecting a failure to the saved recovery",
            self.recovery_seconds.clone(),
        );
        registry.register(
            "queue_length",
            "Commands waiting to be decided",
            self.queue_length.clone(),
        );
        registry.register(
            "records_dropped",
            "Heartbeats and metrics that could not be kept until the store came back",
            self.records_dropped.clone(),
        );
        registry.register(
            "records_refused",
            "Rows the database refused for their content",
            self.records_refused.clone(),
        );
        registry.register(
            "answers_withheld",
            "Answers withheld because the database did not confirm in time that this orchestrator leads",
            self.answers_withheld.clone(),
        );
        registry.register(
            "actor_restarts",
            "Actors of instances that ended and were replaced",
            self.actor_restarts.clone(),
        );
        registry.register(
            "stalls",
            "Times the whole process stood still",
            self.stalls.clone(),
        );
        registry.register(
            "stalled_milliseconds",
            "Milliseconds for which the process stood still",
            self.stalled_milliseconds.clone(),
        );
        registry.register(
            "capacity_headroom_streams",
            "Streams the fleet could take and still absorb the loss of any one instance; negative if it cannot",
            self.headroom_streams.clone(),
        );
        registry.register(
            "store_up",
            "Whether the store answers",
            self.store_up.clone(),
        );
        registry.register(
            "breaker_state",
            "Whether a circuit breaker is in a state",
            self.breaker_state.clone(),
        );
        registry.register(
            "requests_shed",
            "Requests refused because too many were under way",
            self.requests_shed.clone(),
        );
        registry.register(
            "brake_engaged",
            "Whether a mass failure is held",
            self.brake_engaged.clone(),
        );
        registry.register(
            "brake_engagements",
            "Times a mass failure was held",
            self.brake_engagements.clone(),
        );
        registry.register(
            "system_health",
            "How the system is: 0 healthy, 1 degraded, 2 critical, 3 emergency",
            self.system_health.clone(),
        );
        registry.register(
            "alerts_opened",
            "Alerts that were opened, by kind",
            self.alerts_opened.clone(),
        );
        registry.register(
            "alerts_open",
            "Alerts that are open, by kind",
            self.alerts_open.clone(),
        );
        registry.register(
            "sweep_differences",
            "Differences found between actors, memory and store",
            self.sweep_differences.clone(),
        );
    }
}
