//! The totals of instances, streams and moves.

use std::collections::BTreeMap;

use super::query::Query;
use crate::fleet::Fleet;
use crate::instance::InstanceStatus;
use crate::lease::Leases;
use crate::stream::StreamState;
use crate::unowned::{Unowned, Waits};

/// Counts everything. Walks neither the instances nor the streams.
#[derive(Debug, Clone, Default)]
pub struct FleetTotals {
    /// The ends of the leases, by which running streams are counted.
    pub leases: Leases,
}

/// How many streams there are, each counted in one way only: enabled streams are owned or wait,
/// owned ones run or do not, waiting ones are unclaimed or orphaned, and disabled streams are
/// counted apart. A stream that was disabled counts as owned until its owner has released it; a
/// deleted one is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamCounts {
    /// Streams that an instance owns.
    pub owned: usize,
    /// Those of them that run, as far as the orchestrator can know.
    pub running: usize,
    /// Streams that wait to be requested.
    pub unclaimed: usize,
    /// Streams that lost their instance and wait for room.
    pub orphaned: usize,
    /// Streams without an owner that are kept away from the fleet, because their owners failed.
    pub quarantined: usize,
    /// Streams that should not run.
    pub disabled: usize,
}

impl StreamCounts {
    /// Counts the streams. Walks neither the instances nor the streams.
    pub fn of(fleet: &Fleet, leases: &Leases) -> Self {
        let (unowned, tally) = (Unowned::of(fleet), fleet.tally());
        let mut counts = Self {
            owned: tally.owned(),
            running: tally.owned_by_classic() + leases.running(),
            unclaimed: unowned.unclaimed,
            orphaned: unowned.orphaned,
            quarantined: unowned.quarantined,
            disabled: 0,
        };
        counts.disabled = fleet.listed_count().saturating_sub(counts.enabled());
        counts
    }

    /// Returns the number of streams that should run.
    pub const fn enabled(&self) -> usize {
        self.owned + self.waiting()
    }

    /// Returns the number of streams that should run and have no owner.
    pub const fn waiting(&self) -> usize {
        self.unclaimed + self.orphaned + self.quarantined
    }

    /// Returns the number of streams whose owner does not run them: its lease is over, or it has
    /// failed.
    pub const fn standing(&self) -> usize {
        self.owned.saturating_sub(self.running)
    }
}

/// How many moves are under way, and how many were accepted and did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MoveCounts {
    /// Streams that their owner must release.
    pub releasing: usize,
    /// Streams that run on two instances until the new owner reports that it runs them.
    pub overlapping: usize,
    /// Streams that their owner did not release, and keeps.
    pub given_up: usize,
}

impl MoveCounts {
    fn of(fleet: &Fleet) -> Self {
        let tally = fleet.tally();
        Self {
            releasing: tally.releasing(),
            overlapping: tally.overlapping(),
            given_up: tally.given_up(),
        }
    }

    /// Returns the number of moves under way.
    pub const fn under_way(&self) -> usize {
        self.releasing + self.overlapping
    }
}

/// The answer to [`FleetTotals`].
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub instances: usize,
    /// Instances by state; every state is there.
    pub by_status: BTreeMap<InstanceStatus, usize>,
    /// Streams by state; every state is there.
    pub by_state: BTreeMap<StreamState, usize>,
    /// Streams, counted by what they do.
    pub streams: StreamCounts,
    /// Waiting streams, counted by what they wait for.
    pub waits: Waits,
    pub moves: MoveCounts,
    /// How many streams the serving instances may own.
    pub total_capacity: u64,
    /// How many streams they own.
    pub current_load: u64,
    /// Load over capacity, in percent; 0 when there is no capacity.
    pub load_percentage: f64,
}

impl Totals {
    /// Returns the number of active instances.
    pub fn active_instances(&self) -> usize {
        self.by_status[&InstanceStatus::Active]
    }

    /// Returns the number of streams that an instance owns.
    pub fn streams_assigned(&self) -> usize {
        self.by_state[&StreamState::Assigned]
    }

    /// Returns the number of streams that should run and have no owner.
    pub fn streams_available(&self) -> usize {
        self.streams.waiting()
    }

    /// Returns the number of streams that should run.
    pub fn streams_enabled(&self) -> usize {
        self.streams_assigned() + self.streams_available()
    }
}

impl Query for FleetTotals {
    type Answer = Totals;

    fn answer(&self, fleet: &Fleet) -> Totals {
        let tally = fleet.tally();
        let by_status = InstanceStatus::ALL.map(|status| (status, tally.in_status(status)));
        let (total_capacity, current_load) = (tally.capacity(), tally.load());
        let streams = StreamCounts::of(fleet, &self.leases);
        Totals {
            instances: fleet.instance_count(),
            by_status: by_status.into(),
            by_state: BTreeMap::from([
                (StreamState::Assigned, streams.owned),
                (StreamState::Unclaimed, streams.unclaimed),
                (StreamState::Orphaned, streams.orphaned),
                (StreamState::Disabled, streams.disabled),
                (StreamState::Quarantined, streams.quarantined),
            ]),
            streams,
            waits: Waits::of(fleet),
            moves: MoveCounts::of(fleet),
            total_capacity,
            current_load,
            load_percentage: if total_capacity == 0 {
                0.0
            } else {
                current_load as f64 * 100.0 / total_capacity as f64
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{SaveStreams, StreamSpec};
    use crate::ids::StreamId;
    use crate::sample;

    #[test]
    fn nothing_is_no_load() {
        let totals = FleetTotals::default().answer(sample::ledger().saved());
        assert_eq!(totals.load_percentage, 0.0);
        assert_eq!(totals.by_status.len(), InstanceStatus::ALL.len());
        assert_eq!(
            (totals.active_instances(), totals.streams_enabled()),
            (0, 0)
        );
    }

    #[test]
    fn capacity_counts_only_who_may_own_and_disabled_streams_count_for_nothing() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::register("a", 4));
        sample::run(&mut ledger, sample::register("b", 8));
        sample::run(&mut ledger, sample::streams(1..=10));
        sample::run(
            &mut ledger,
            SaveStreams {
                streams: vec![StreamSpec {
                    id: Some(StreamId::new(10)),
                    enabled: Some(false),
                    ..StreamSpec::default()
                }],
            },
        );
        sample::run(&mut ledger, sample::ask("a", 2));
        sample::run(&mut ledger, sample::ask("b", 5));
        sample::recover(&mut ledger, "b");
        let totals = FleetTotals::default().answer(ledger.saved());
        assert_eq!((totals.instances, totals.active_instances()), (2, 1));
        assert_eq!((totals.total_capacity, totals.current_load), (4, 4));
        assert_eq!(totals.load_percentage, 100.0);
        assert_eq!(
            totals.by_state.into_values().collect::<Vec<_>>(),
            [4, 2, 3, 1, 0],
            "assigned, unclaimed, orphaned, disabled, quarantined"
        );
    }
}
