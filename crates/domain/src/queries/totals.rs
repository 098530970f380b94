//! How much there is of everything.

use std::collections::BTreeMap;

use super::query::Query;
use crate::fleet::Fleet;
use crate::instance::InstanceStatus;
use crate::stream::StreamState;

/// Asks for the totals. Walks the instances, not the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetTotals;

/// The totals.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    /// Registered instances.
    pub instances: usize,
    /// Instances by state; every state is there.
    pub by_status: BTreeMap<InstanceStatus, usize>,
    /// Streams by state; every state is there.
    pub by_state: BTreeMap<StreamState, usize>,
    /// How many streams the serving instances may own.
    pub total_capacity: u64,
    /// How many streams they own.
    pub current_load: u64,
    /// Load over capacity, in percent; 0 when there is no capacity.
    pub load_percentage: f64,
}

impl Totals {
    /// Instances that are active.
    pub fn active_instances(&self) -> usize {
        self.by_status[&InstanceStatus::Active]
    }

    /// Streams that an instance runs.
    pub fn streams_assigned(&self) -> usize {
        self.by_state[&StreamState::Assigned]
    }

    /// Streams that are to be run, and that nobody runs.
    pub fn streams_available(&self) -> usize {
        self.by_state[&StreamState::Unclaimed] + self.by_state[&StreamState::Orphaned]
    }

    /// Streams that are to be run.
    pub fn streams_enabled(&self) -> usize {
        self.streams_assigned() + self.streams_available()
    }
}

impl Query for FleetTotals {
    type Answer = Totals;

    fn answer(&self, fleet: &Fleet) -> Totals {
        let mut by_status: BTreeMap<_, _> = InstanceStatus::ALL.map(|status| (status, 0)).into();
        let (mut total_capacity, mut current_load, mut assigned) = (0, 0, 0);
        for slot in fleet.instances() {
            let (instance, held) = (slot.instance(), slot.held().len());
            *by_status.entry(instance.status).or_default() += 1;
            assigned += held;
            if instance.status.is_serving() {
                total_capacity += u64::from(instance.max_streams);
                current_load += held as u64;
            }
        }
        // What was deleted takes room until nobody runs it, and is no stream any more.
        let assigned = assigned - fleet.deleted().len();
        let (unclaimed, orphaned) = (fleet.unclaimed().len(), fleet.orphaned().len());
        let enabled = assigned + unclaimed + orphaned;
        Totals {
            instances: fleet.instance_count(),
            by_status,
            by_state: BTreeMap::from([
                (StreamState::Assigned, assigned),
                (StreamState::Unclaimed, unclaimed),
                (StreamState::Orphaned, orphaned),
                (
                    StreamState::Disabled,
                    fleet.listed_count().saturating_sub(enabled),
                ),
            ]),
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
        let totals = FleetTotals.answer(sample::ledger().saved());
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
        let totals = FleetTotals.answer(ledger.saved());
        assert_eq!((totals.instances, totals.active_instances()), (2, 1));
        assert_eq!((totals.total_capacity, totals.current_load), (4, 4));
        assert_eq!(totals.load_percentage, 100.0);
        assert_eq!(
            totals.by_state.into_values().collect::<Vec<_>>(),
            [4, 2, 3, 1],
            "assigned, unclaimed, orphaned, disabled"
        );
    }
}
