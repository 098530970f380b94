//! Gauges of the whole fleet, filled for each scrape.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::cluster_figures::ClusterFigures;
use super::own_figures;
use crate::actors::telemetry::ReasonLabel;
use crate::domain::queries::Totals;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// Gauges of instances, streams and load.
#[derive(Debug)]
pub(super) struct FleetGauges {
    instances: Family<StatusLabel, Gauge>,
    streams: Family<StateLabel, Gauge>,
    running: Gauge,
    quarantined: Gauge,
    waiting: Family<ReasonLabel, Gauge>,
    moves: Family<StateLabel, Gauge>,
    capacity: Gauge,
    load: Gauge,
    polls: Gauge,
    ready: Gauge,
    complete: Gauge,
}

impl FleetGauges {
    /// Registers them under `orchestrator_`.
    pub(super) fn new(registry: &mut Registry, cluster: ClusterFigures) -> Self {
        let ready = own_figures::register(registry, cluster);
        let registry = registry.sub_registry_with_prefix("orchestrator");
        let gauges = Self {
            instances: Family::default(),
            streams: Family::default(),
            running: Gauge::default(),
            quarantined: Gauge::default(),
            waiting: Family::default(),
            moves: Family::default(),
            capacity: Gauge::default(),
            load: Gauge::default(),
            polls: Gauge::default(),
            ready,
            complete: Gauge::default(),
        };
        registry.register(
            "metrics_complete",
            "Whether the figures of the fleet are of this scrape: 0 if the program could not compute them in time, and shows those of an earlier one",
            gauges.complete.clone(),
        );
        registry.register(
            "instances",
            "Registered instances by status",
            gauges.instances.clone(),
        );
        registry.register("streams", "Streams by state", gauges.streams.clone());
        registry.register(
            "streams_running",
            "Assigned streams whose owner runs them: its lease is not over, or it is classic",
            gauges.running.clone(),
        );
        registry.register(
            "quarantined_streams",
            "Streams that are kept away from the fleet, because their owners failed",
            gauges.quarantined.clone(),
        );
        registry.register(
            "streams_waiting",
            "Streams that should run and have no owner, by the reason of their wait",
            gauges.waiting.clone(),
        );
        registry.register(
            "moves",
            "Streams that move on purpose, and those whose move was given up",
            gauges.moves.clone(),
        );
        registry.register(
            "capacity_streams",
            "Streams the serving instances may own",
            gauges.capacity.clone(),
        );
        registry.register(
            "load_streams",
            "Streams the serving instances own",
            gauges.load.clone(),
        );
        registry.register(
            "polls_waiting",
            "Requests that wait for a change of an instance's streams",
            gauges.polls.clone(),
        );
        gauges
    }

    /// Sets the number of long polls that wait.
    pub(super) fn show_polls(&self, waiting: usize) {
        self.polls.set(gauge(waiting as u64));
    }

    /// Sets whether the totals are those of this scrape.
    pub(super) fn show_complete(&self, is_complete: bool) {
        self.complete.set(i64::from(is_complete));
    }

    /// Sets whether this process wants traffic.
    pub(super) fn show_ready(&self, is_ready: bool) {
        self.ready.set(i64::from(is_ready));
    }

    /// Sets the totals.
    pub(super) fn show(&self, totals: &Totals) {
        for (status, count) in &totals.by_status {
            let status = status.as_str();
            self.instances
                .get_or_create(&StatusLabel { status })
                .set(gauge(*count as u64));
        }
        for (state, count) in &totals.by_state {
            let state = state.as_str();
            self.streams
                .get_or_create(&StateLabel { state })
                .set(gauge(*count as u64));
        }
        self.running.set(gauge(totals.streams.running as u64));
        for (reason, count) in totals.waits.by_reason() {
            self.waiting
                .get_or_create(&ReasonLabel { reason })
                .set(gauge(count as u64));
        }
        let quarantined = totals.streams.quarantined as u64;
        self.quarantined.set(gauge(quarantined));
        let moves = [
            ("releasing", totals.moves.releasing),
            ("overlapping", totals.moves.overlapping),
            ("given_up", totals.moves.given_up),
        ];
        for (state, count) in moves {
            self.moves
                .get_or_create(&StateLabel { state })
                .set(gauge(count as u64));
        }
        self.capacity.set(gauge(totals.total_capacity));
        self.load.set(gauge(totals.current_load));
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
