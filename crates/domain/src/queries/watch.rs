//! The numbers by which the system's health is judged, and the facts that explain failures.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::query::Query;
use super::totals::StreamCounts;
use crate::fleet::{Fleet, InstanceSlot};
use crate::ids::{InstanceId, StreamId};
use crate::instance::{Instance, InstanceStatus};
use crate::lease::Leases;
use crate::patterns::{InstanceFacts, LostFacts, LostInstance, MIN_SHARED, Trait};
use crate::time::WallTime;
use crate::timeline::Recent;

/// For how long a failed instance without streams still counts.
pub const FAILED_COUNTS_FOR: Duration = Duration::from_secs(3_600);

/// Returns the numbers by which health is judged. Walks neither the instances nor the streams, only the
/// instances with moves that were given up.
#[derive(Debug, Clone)]
pub struct FleetVitals {
    /// The times of failures that are at most [`FAILED_COUNTS_FOR`] ago.
    pub lately: Recent,
    /// The ends of the leases, by which running streams are counted.
    pub leases: Leases,
}

/// Streams of one instance whose move was accepted and given up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct GivenUpMoves {
    /// The instance that did not release them.
    pub instance: InstanceId,
    pub streams: BTreeSet<StreamId>,
}

/// The numbers. `health/machine/mod.rs` explains which instances count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vitals {
    /// Instances that count.
    pub total: u32,
    /// Those of them that are active.
    pub active: u32,
    /// Those of them that have failed.
    pub failed: u32,
    /// All failed instances, also those that do not count any more.
    pub all_failed: u32,
    /// How many streams the serving instances may own.
    pub capacity: u64,
    /// How many streams they own.
    pub load: u64,
    /// Streams that have an instance.
    pub assigned: u64,
    /// Streams that wait for room.
    pub orphaned: u64,
    /// All streams, counted by what they do.
    pub streams: StreamCounts,
    /// The moves that were given up, by instance.
    pub given_up: Vec<GivenUpMoves>,
}

impl Query for FleetVitals {
    type Answer = Vitals;

    fn answer(&self, fleet: &Fleet) -> Vitals {
        let streams = StreamCounts::of(fleet, &self.leases);
        let tally = fleet.tally();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let of = |status| count(tally.in_status(status));
        let active = of(InstanceStatus::Active);
        let failed = count(tally.failed_that_count(&self.lately));
        let beside = of(InstanceStatus::Suspect) + of(InstanceStatus::Recovering);
        let given_up = tally.with_given_up().filter_map(|id| fleet.instance(id));
        Vitals {
            // What drains, is in maintenance or has left is expected not to serve.
            total: active + failed + beside,
            active,
            failed,
            all_failed: of(InstanceStatus::Failed),
            capacity: tally.capacity(),
            load: tally.load(),
            assigned: streams.owned as u64,
            orphaned: streams.orphaned as u64,
            streams,
            given_up: given_up.map(GivenUpMoves::of).collect(),
        }
    }
}

impl GivenUpMoves {
    fn of(slot: &InstanceSlot) -> Self {
        Self {
            instance: slot.instance().id.clone(),
            streams: slot.given_up().clone(),
        }
    }
}

/// Returns the instances that are failed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedInstances;

/// One line of the answer to [`FailedInstances`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FailedInstance {
    pub id: InstanceId,
    /// When it was declared failed.
    pub since: WallTime,
    /// How many streams it still owns.
    pub held: usize,
}

impl Query for FailedInstances {
    type Answer = Vec<FailedInstance>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let failed = fleet.tally().failed();
        failed
            .filter_map(|id| fleet.instance(id))
            .map(|slot| FailedInstance {
                id: slot.instance().id.clone(),
                since: slot.instance().status_since,
                held: slot.held().len(),
            })
            .collect()
    }
}

/// Returns the addresses and labels of the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetFacts;

impl Query for FleetFacts {
    type Answer = BTreeMap<InstanceId, InstanceFacts>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let facts = fleet.instances().map(|slot| {
            let instance = slot.instance();
            (instance.id.clone(), facts_of(instance))
        });
        facts.collect()
    }
}

/// Returns the instances that are failed or late although nothing is planned for them. Walks the instances;
/// what they share is counted only if enough of them are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostNow;

impl Query for LostNow {
    type Answer = LostFacts;

    fn answer(&self, fleet: &Fleet) -> LostFacts {
        let unplanned = || {
            let instances = fleet.instances().map(InstanceSlot::instance);
            instances.filter(|instance| is_unplanned(instance))
        };
        let mut facts = LostFacts::default();
        for instance in unplanned() {
            facts.all += 1;
            let has_failed = instance.status == InstanceStatus::Failed;
            if has_failed || instance.status == InstanceStatus::Suspect {
                let lost = LostInstance {
                    facts: facts_of(instance),
                    has_failed,
                };
                facts.lost.insert(instance.id.clone(), lost);
            }
        }
        let has_failed = facts.lost.values().any(|lost| lost.has_failed);
        if has_failed && facts.lost.len() >= MIN_SHARED {
            for known in unplanned().map(|instance| facts_of(instance)) {
                for what in Trait::all_of(&known) {
                    *facts.carriers.entry(what).or_default() += 1;
                }
            }
        }
        facts
    }
}

/// Whether an operator expects an instance to serve.
fn is_unplanned(instance: &Instance) -> bool {
    match instance.status {
        InstanceStatus::Active | InstanceStatus::Suspect | InstanceStatus::Recovering => true,
        // Its failure is part of what is planned for it.
        InstanceStatus::Failed => !instance.is_planned(),
        InstanceStatus::Draining | InstanceStatus::Maintenance | InstanceStatus::Inactive => false,
    }
}

fn facts_of(instance: &Instance) -> InstanceFacts {
    InstanceFacts {
        ip: instance.ip.clone(),
        labels: instance.labels.clone(),
    }
}

/// Returns the labels of some instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelsOf(pub Vec<InstanceId>);

impl Query for LabelsOf {
    type Answer = BTreeMap<InstanceId, BTreeMap<String, String>>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let known = self.0.iter().filter_map(|id| fleet.instance(id));
        let labels = known.map(|slot| (slot.instance().id.clone(), slot.instance().labels.clone()));
        labels.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::DrainInstance;
    use crate::pace::MovePace;
    use crate::planned::Requester;
    use crate::sample;

    #[test]
    fn what_is_planned_is_not_lost() {
        let mut ledger = sample::ledger();
        for id in ["a", "b", "c", "d"] {
            sample::run(&mut ledger, sample::register(id, 4));
        }
        for id in ["a", "b", "c"] {
            sample::recover(&mut ledger, id);
        }
        let lost = |ledger: &crate::ledger::Ledger| LostNow.answer(ledger.saved());
        let facts = lost(&ledger);
        assert_eq!((facts.lost.len(), facts.all), (3, 4));
        let at = Trait::Label {
            key: "none".to_owned(),
            value: String::new(),
        };
        assert_eq!(facts.carriers.get(&at), None);
        let drain = DrainInstance {
            id: "d".into(),
            deadline_at: sample::NOW + Duration::from_secs(60),
            by: Requester::Operator,
            reason: None,
            force: false,
            then_absent_until: None,
            pace: MovePace::default(),
        };
        sample::run(&mut ledger, drain);
        assert_eq!(lost(&ledger).all, 3, "what drains is not counted");
        sample::recover(&mut ledger, "d");
        let facts = lost(&ledger);
        assert_eq!(
            (facts.lost.len(), facts.all),
            (3, 3),
            "its failure is planned"
        );
        let labels = LabelsOf(vec!["a".into(), "gone".into()]).answer(ledger.saved());
        assert_eq!(labels.len(), 1);
    }

    #[test]
    fn who_failed_and_is_empty_counts_for_an_hour() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::register("a", 4));
        sample::run(&mut ledger, sample::register("b", 8));
        sample::run(&mut ledger, sample::streams(1..=10));
        sample::run(&mut ledger, sample::ask("a", 2));
        sample::run(&mut ledger, sample::ask("b", 5));
        sample::recover(&mut ledger, "b");
        let at = |seconds| FleetVitals {
            lately: Recent::since(sample::NOW + Duration::from_secs(seconds) - FAILED_COUNTS_FOR),
            leases: Leases::default(),
        };
        let vitals = at(3_600).answer(ledger.saved());
        assert_eq!((vitals.total, vitals.active, vitals.failed), (2, 1, 1));
        assert_eq!((vitals.capacity, vitals.load), (4, 4));
        assert_eq!((vitals.assigned, vitals.orphaned), (4, 3));
        let vitals = at(3_601).answer(ledger.saved());
        assert_eq!((vitals.total, vitals.active, vitals.failed), (1, 1, 0));
        assert_eq!(vitals.all_failed, 1);
        let failed = FailedInstances.answer(ledger.saved());
        assert_eq!(failed.len(), 1);
        assert_eq!((failed[0].id.as_str(), failed[0].held), ("b", 0));
        assert_eq!(
            FleetFacts.answer(ledger.saved())[&InstanceId::from("a")].ip,
            "ip-of-a"
        );
    }
}
