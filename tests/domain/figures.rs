//! The totals beside a walk: what a fleet adds up to as it changes is what a visit to each instance and each of
//! its streams finds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use resilient_orchestrator::domain::fleet::{Fleet, InstanceSlot, Standing};
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::lease::{LeaseBoard, Leases, Seat, runs};
use resilient_orchestrator::domain::ledger::Batch;
use resilient_orchestrator::domain::queries::{
    FAILED_COUNTS_FOR, FailedInstances, FleetTotals, FleetVitals, Query, Totals, Vitals,
};
use resilient_orchestrator::domain::time::{Timestamp, WallTime};
use resilient_orchestrator::domain::timeline::Recent;

/// The ends of leases, as the actors keep them.
#[derive(Debug, Default)]
pub(crate) struct Board {
    board: Arc<LeaseBoard>,
    seats: BTreeMap<InstanceId, Seat>,
}

impl Board {
    /// Shows what was saved.
    pub(crate) fn publish(&mut self, batch: &Batch, relisted: &[StreamId], saved: &Fleet) {
        let slots = relisted.iter().filter_map(|id| saved.stream(*id));
        let owners = slots.filter_map(|slot| slot.place().assignment());
        let owners = owners.map(|owner| owner.instance.clone());
        for id in batch.instances().into_iter().chain(owners) {
            match saved.instance(&id) {
                Some(slot) => {
                    let seat = self.seats.entry(id).or_insert_with(|| self.board.seat());
                    seat.show(&Standing::of(slot));
                }
                None => drop(self.seats.remove(&id)),
            }
        }
    }

    pub(crate) fn grant(&self, id: &InstanceId, until: Timestamp) {
        if let Some(seat) = self.seats.get(id) {
            seat.grant_until(until);
        }
    }

    /// Compares all totals of the saved fleet with a walk.
    pub(crate) fn assert_equals_walk(&self, fleet: &Fleet, now: Timestamp, wall: WallTime) {
        let leases = Leases::new(now, self.board.clone());
        let totals = FleetTotals {
            leases: leases.clone(),
        };
        let totals = totals.answer(fleet);
        let walked = Walked::of(fleet, |slot| {
            let instance = slot.instance();
            let seat = self.seats.get(&instance.id);
            let until = seat.and_then(Seat::granted_until);
            runs(instance.status, instance.is_leased(), until, now)
        });
        walked.assert_totals(&totals);
        let lately = Recent::since(wall - FAILED_COUNTS_FOR);
        let vitals = FleetVitals {
            lately: lately.clone(),
            leases,
        };
        walked.assert_vitals(fleet, &lately, &vitals.answer(fleet));
    }
}

/// Compares the tally of a fleet with a walk.
pub(crate) fn assert_tally_equals_walk(fleet: &Fleet) {
    assert_eq!(fleet.tally(), &fleet.tally_of_walk());
    let walked = Walked::of(fleet, |_| false);
    let tally = fleet.tally();
    assert_eq!(
        (tally.owned(), tally.releasing()),
        (walked.owned, walked.releasing)
    );
}

#[derive(Debug, Default)]
struct Walked {
    by_status: BTreeMap<InstanceStatus, usize>,
    owned: usize,
    running: usize,
    releasing: usize,
    overlapping: usize,
    given_up: BTreeMap<InstanceId, usize>,
    capacity: u64,
    load: u64,
}

impl Walked {
    fn of(fleet: &Fleet, is_running: impl Fn(&InstanceSlot) -> bool) -> Self {
        let mut found = Self::default();
        for slot in fleet.instances() {
            let instance = slot.instance();
            let is_listed = |id: &&StreamId| fleet.listed(**id).is_some();
            let owned = slot.held().iter().filter(is_listed).count();
            assert_eq!(owned, slot.owned());
            *found.by_status.entry(instance.status).or_default() += 1;
            found.owned += owned;
            found.running += if is_running(slot) { owned } else { 0 };
            let goes_on = |id: &&StreamId| {
                let listed = fleet.listed(**id);
                listed.is_some_and(|slot| slot.stream().enabled)
            };
            found.releasing += slot.releasing().iter().filter(goes_on).count();
            found.overlapping += slot.lingering().len();
            if !slot.given_up().is_empty() {
                let count = slot.given_up().len();
                found.given_up.insert(instance.id.clone(), count);
            }
            if instance.status.is_serving() {
                found.capacity += u64::from(instance.max_streams);
                found.load += slot.held().len() as u64;
            }
        }
        found
    }

    fn assert_totals(&self, totals: &Totals) {
        for (status, count) in &totals.by_status {
            let walked = self.by_status.get(status).copied();
            assert_eq!(*count, walked.unwrap_or_default(), "{status}");
        }
        let streams = totals.streams;
        assert_eq!((streams.owned, streams.running), (self.owned, self.running));
        let moves = totals.moves;
        let given_up: usize = self.given_up.values().sum();
        assert_eq!(
            (moves.releasing, moves.overlapping, moves.given_up),
            (self.releasing, self.overlapping, given_up)
        );
        assert_eq!(
            (totals.total_capacity, totals.current_load),
            (self.capacity, self.load)
        );
    }

    fn assert_vitals(&self, fleet: &Fleet, lately: &Recent, vitals: &Vitals) {
        let failed = |slot: &&InstanceSlot| slot.instance().status == InstanceStatus::Failed;
        let counting = fleet.instances().filter(failed).filter(|slot| {
            let instance = slot.instance();
            let is_recent = lately.contains(instance.status_since);
            !instance.is_planned() && (is_recent || !slot.held().is_empty())
        });
        let of = |status| self.by_status.get(&status).copied().unwrap_or_default();
        let serving = [
            InstanceStatus::Active,
            InstanceStatus::Suspect,
            InstanceStatus::Recovering,
        ];
        let counting = counting.count();
        let total = counting + serving.map(of).iter().sum::<usize>();
        assert_eq!(
            [
                vitals.failed,
                vitals.total,
                vitals.active,
                vitals.all_failed
            ]
            .map(|one| one as usize),
            [
                counting,
                total,
                of(InstanceStatus::Active),
                of(InstanceStatus::Failed)
            ]
        );
        assert_eq!((vitals.capacity, vitals.load), (self.capacity, self.load));
        assert_eq!(vitals.streams.running, self.running);
        let given_up = vitals.given_up.iter();
        let given_up = given_up.map(|one| (one.instance.clone(), one.streams.len()));
        assert_eq!(given_up.collect::<BTreeMap<_, _>>(), self.given_up);
        let ids = fleet.instances().filter(failed);
        let ids: Vec<_> = ids.map(|slot| slot.instance().id.clone()).collect();
        let found = FailedInstances.answer(fleet);
        let found: Vec<_> = found.into_iter().map(|one| one.id).collect();
        assert_eq!(found, ids);
    }
}

/// How long a lease of these histories lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(5);
