//! What a fleet shows by itself, and beside an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use super::verdict::{Check, Invariant, Violations};
use crate::fleet::{Fleet, InstanceSlot};
use crate::ids::{Epoch, StreamId};
use crate::instance::InstanceStatus;
use crate::placement::{Exclusion, Need};
use crate::stream::{Assignment, Place, StreamState};

/// Checks what a fleet shows by itself: I1, I2, I3 and I5. Walks all of it.
pub fn check_fleet(fleet: &Fleet) -> Vec<Check> {
    vec![
        single_owner(fleet),
        within_capacity(fleet),
        none_lost(fleet),
        owners_serve(fleet),
    ]
}

fn single_owner(fleet: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::SingleOwner);
    let mut epochs: BTreeMap<Epoch, StreamId> = BTreeMap::new();
    for slot in fleet.streams() {
        let id = slot.stream().id;
        let Some(assignment) = slot.place().assignment() else {
            continue;
        };
        let epoch = assignment.epoch;
        if epoch > fleet.counter() {
            violations.add(|| {
                format!(
                    "stream {id} has epoch {epoch}, beyond the last one given out, {}",
                    fleet.counter()
                )
            });
        }
        if let Some(other) = epochs.insert(epoch, id) {
            violations.add(|| format!("streams {other} and {id} share epoch {epoch}"));
        }
        let owner = &assignment.instance;
        if let Some(instance) = fleet.instance(owner)
            && !instance.held().contains(&id)
        {
            violations.add(|| {
                format!("stream {id} is assigned to `{owner}`, which is not known to hold it")
            });
        }
    }
    for slot in fleet.instances() {
        let holder = &slot.instance().id;
        for id in slot.held() {
            let owner = fleet
                .stream(*id)
                .and_then(|stream| stream.place().assignment())
                .map(|assignment| &assignment.instance);
            if owner != Some(holder) {
                violations.add(|| {
                    format!("`{holder}` is known to hold stream {id}, which is not assigned to it")
                });
            }
        }
    }
    violations.into_check()
}

fn within_capacity(fleet: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::WithinCapacity);
    for slot in fleet.instances() {
        let instance = slot.instance();
        let most = instance.max_streams as usize;
        if slot.held().len() <= most {
            continue;
        }
        // What the worker before may run until the first heartbeat of this one takes no room of this one.
        let is_of_an_earlier_life = |id: &&StreamId| {
            let place = fleet.stream(**id).map(|stream| stream.place());
            let assignment = place.and_then(Place::assignment);
            assignment.is_some_and(Assignment::is_of_an_earlier_life)
        };
        let before = slot.releasing().iter().filter(is_of_an_earlier_life);
        let held = slot.held().len() - before.count();
        if held > most {
            violations
                .add(|| format!("`{}` holds {held} streams and may hold {most}", instance.id));
        }
    }
    violations.into_check()
}

fn none_lost(fleet: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::NoneLost);
    let unclaimed: BTreeSet<StreamId> = fleet.unclaimed().collect();
    let orphaned: BTreeSet<StreamId> = fleet.orphaned().collect();
    for slot in fleet.streams() {
        let (id, state) = (slot.stream().id, slot.place().state());
        let lets_go = (slot.place().assignment()).is_some_and(Assignment::is_releasing);
        if slot.stream().enabled == matches!(slot.place(), Place::Disabled) && !lets_go {
            violations.add(|| {
                let said = if slot.stream().enabled { "" } else { "not " };
                format!("stream {id} is {said}to be run, and is {state}")
            });
        }
        if slot.stream().deleted && !lets_go {
            violations.add(|| {
                format!("stream {id} was deleted, has no owner, and is still in the fleet")
            });
        }
        if slot.stream().is_paused() && !waits(state) {
            violations.add(|| format!("stream {id} is paused, and is {state}"));
        }
        if slot.stream().is_quarantined() && state == StreamState::Disabled {
            violations.add(|| format!("stream {id} is quarantined, and not to be run"));
        }
        if unclaimed.contains(&id) != (state == StreamState::Unclaimed)
            || orphaned.contains(&id) != (state == StreamState::Orphaned)
        {
            violations.add(|| format!("stream {id} is {state}, and waits in another list"));
        }
    }
    for id in unclaimed.iter().chain(&orphaned) {
        if fleet.stream(*id).is_none() {
            violations.add(|| format!("stream {id} waits, and is not in the catalogue"));
        }
    }
    let mut taker_of: BTreeMap<Need, Option<&InstanceSlot>> = BTreeMap::new();
    for id in &orphaned {
        let Some(stream) = fleet.stream(*id).map(|slot| slot.stream()) else {
            continue;
        };
        if stream.is_withheld() {
            continue;
        }
        let need = Need::of(stream);
        let taker = *taker_of.entry(need.clone()).or_insert_with(|| {
            let mut instances = fleet.instances();
            instances.find(|slot| Exclusion::of(slot.instance(), slot.vacant(), &need).is_none())
        });
        if let Some(taker) = taker {
            violations.add(|| {
                format!(
                    "stream {id} is orphaned while `{}` has room",
                    taker.instance().id
                )
            });
        }
    }
    violations.into_check()
}

/// Returns whether a stream in this state is to be run and has no owner.
const fn waits(state: StreamState) -> bool {
    matches!(state, StreamState::Unclaimed | StreamState::Orphaned)
}

fn owners_serve(fleet: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::OwnersServe);
    for slot in fleet.streams() {
        let id = slot.stream().id;
        let Some(assignment) = slot.place().assignment() else {
            continue;
        };
        let owner = &assignment.instance;
        let reserved = fleet
            .instance(owner)
            .is_some_and(|slot| slot.instance().is_reserved());
        match fleet.instance(owner).map(|slot| slot.instance().status) {
            Some(InstanceStatus::Maintenance) if reserved => {}
            None => violations
                .add(|| format!("stream {id} is assigned to `{owner}`, which is not registered")),
            Some(status) if !status.is_serving() => violations
                .add(|| format!("stream {id} is assigned to `{owner}`, which is {status}")),
            Some(_) => {}
        }
    }
    violations.into_check()
}

/// Checks that epochs only grew from one saved fleet to a later one (I1): what is assigned anew
/// has a higher epoch than any given out before.
pub fn check_epochs(before: &Fleet, after: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::SingleOwner);
    if after.counter() < before.counter() {
        violations.add(|| {
            format!(
                "the counter of epochs went back from {} to {}",
                before.counter(),
                after.counter()
            )
        });
    }
    for slot in after.streams() {
        let id = slot.stream().id;
        let Some(now) = slot.place().assignment() else {
            continue;
        };
        let unchanged = before
            .stream(id)
            .and_then(|slot| slot.place().assignment())
            .is_some_and(|then| then.instance == now.instance && then.epoch == now.epoch);
        if !unchanged && now.epoch <= before.counter() {
            violations.add(|| {
                format!(
                    "stream {id} went to `{}` with epoch {}, which was given out before",
                    now.instance, now.epoch
                )
            });
        }
    }
    violations.into_check()
}
