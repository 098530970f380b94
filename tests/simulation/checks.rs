//! What must hold after every step, and at the end.

use std::collections::{BTreeMap, BTreeSet};

use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::domain::fleet::{Fleet, Snapshot};
use resilient_orchestrator::domain::handover::{AfterRelease, Handover, MoveReason};
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};
use resilient_orchestrator::domain::incident::{Incident, IncidentState};
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::invariants::{check_fleet, compare};
use resilient_orchestrator::domain::queries::Query;
use resilient_orchestrator::domain::stream::{AssignReason, Assignment, Place};
use resilient_orchestrator::domain::time::WallTime;

use crate::worker::{Kind, Worker};
use crate::world::{Shared, TIMEOUT, World};

/// The whole saved fleet.
#[derive(Debug)]
pub(crate) struct Whole;

impl Query for Whole {
    type Answer = Fleet;

    fn answer(&self, fleet: &Fleet) -> Fleet {
        fleet.clone()
    }
}

/// The most moves for balance that may be under way to one instance.
pub(crate) const MOST_BALANCE_MOVES: usize = 1;

type Held<'f> = BTreeMap<&'f str, BTreeSet<i64>>;

/// Checks memory, rows and events against each other and against the invariants.
pub(crate) async fn check(shared: &Shared, orchestrator: &Orchestrator) -> Result<(), String> {
    // What is saved may move while the question is on its way; then it is asked again.
    let fleet = loop {
        let before = shared.borrow().store.acknowledgements();
        let Ok(fleet) = orchestrator.ask(Whole).await else {
            return Err("the fleet does not answer".to_owned());
        };
        if shared.borrow().store.acknowledgements() == before {
            break fleet;
        }
    };
    let mut world = shared.borrow_mut();
    world.counters.checks += 1;
    world.follow();
    world.collect()?;
    // Nothing was saved since the last look, and nothing shown is different: it holds still.
    let seen = (world.store.acknowledgements(), world.store.guard());
    let is_settled = !world.store.is_unsettled();
    let is_old = is_settled && world.checked == Some(seen) && fleet == world.fleet;
    world.watch.claims_hold(&fleet, &world.names)?;
    if is_old {
        return Ok(());
    }
    world.checked = is_settled.then_some(seen);
    let acknowledged = fleet_of(&world.store.acknowledged())?;
    if fleet != acknowledged {
        let difference = compare(&fleet, &acknowledged);
        return Err(format!("I7: shown is not what was saved: {difference:?}"));
    }
    fleet_holds(&fleet)?;
    balance_is_paced(&fleet)?;
    world.fleet = fleet.clone();
    if let Some(broken) = check_fleet(&fleet).into_iter().find(|check| !check.holds) {
        return Err(format!("{broken:?}"));
    }
    if !world.store.is_unsettled() {
        let stored = fleet_of(&world.store.rows())?;
        if stored != fleet {
            let difference = compare(&fleet, &stored);
            return Err(format!("I7: memory is not what is stored: {difference:?}"));
        }
        answers_hold(&world, &stored)?;
        events_hold(&world, &stored)?;
    }
    Ok(())
}

/// No instance is to start many streams at once because the fleet is balanced.
fn balance_is_paced(fleet: &Fleet) -> Result<(), String> {
    let mut arriving: BTreeMap<&InstanceId, usize> = BTreeMap::new();
    for slot in fleet.streams() {
        let handover = slot
            .place()
            .assignment()
            .and_then(|owned| owned.handover.as_ref());
        let Some(Handover::Releasing { then, .. }) = handover else {
            continue;
        };
        if let AfterRelease::MoveTo {
            to: Some(to),
            reason: MoveReason::Balance,
        } = then
        {
            *arriving.entry(to).or_default() += 1;
        }
    }
    match arriving
        .into_iter()
        .find(|(_, count)| *count > MOST_BALANCE_MOVES)
    {
        None => Ok(()),
        Some((to, count)) => Err(format!("pace: {count} streams move to {to} for balance")),
    }
}

fn fleet_of(rows: &Snapshot) -> Result<Fleet, String> {
    Fleet::from_snapshot(rows).map_err(|error| format!("the rows are no fleet: {error}"))
}

/// I1, I2, I3, I5, with eyes of its own: from the places alone.
pub(crate) fn fleet_holds(fleet: &Fleet) -> Result<(), String> {
    let mut held = Held::new();
    let mut epochs = BTreeSet::new();
    let mut lingering: BTreeMap<&str, usize> = BTreeMap::new();
    let mut is_orphan_waiting = false;
    for slot in fleet.streams() {
        let id = slot.stream().id;
        // One that was disabled may be assigned until its worker has let go.
        let lets_go = (slot.place().assignment()).is_some_and(Assignment::is_releasing);
        if slot.stream().enabled == matches!(slot.place(), Place::Disabled) && !lets_go {
            return Err(format!("I3: stream {id} is {:?}", slot.place()));
        }
        if slot.stream().deleted && (slot.stream().enabled || !lets_go) {
            return Err(format!("I3: deleted stream {id} is {:?}", slot.place()));
        }
        // Nobody is given what is given back again and again, until its pause is over.
        let is_paused = slot.stream().is_paused();
        let is_withheld = slot.stream().is_withheld();
        is_orphan_waiting |= matches!(slot.place(), Place::Orphaned { .. }) && !is_withheld;
        if is_paused && slot.place().assignment().is_some() {
            return Err(format!(
                "I3: stream {id} is paused, and is {:?}",
                slot.place()
            ));
        }
        let Some(assignment) = slot.place().assignment() else {
            continue;
        };
        if !epochs.insert(assignment.epoch) || assignment.epoch > fleet.counter() {
            return Err(format!("I1: stream {id} has epoch {}", assignment.epoch));
        }
        if let Some(former) = assignment.former() {
            *lingering.entry(former.as_str()).or_default() += 1;
        }
        let owner = fleet.instance(&assignment.instance);
        if !owner.is_some_and(|owner| owner.instance().status.is_serving()) {
            return Err(format!(
                "I5: stream {id} belongs to {}",
                assignment.instance
            ));
        }
        held.entry(assignment.instance.as_str())
            .or_default()
            .insert(id.get());
    }
    for slot in fleet.instances() {
        let instance = slot.instance();
        let places = held.remove(instance.id.as_str()).unwrap_or_default();
        let index: BTreeSet<i64> = slot.held().iter().map(|stream| stream.get()).collect();
        if places != index {
            return Err(format!(
                "I1: {} holds {places:?}, index {index:?}",
                instance.id
            ));
        }
        if places.len() > instance.max_streams as usize {
            return Err(format!("I2: {} holds {}", instance.id, places.len()));
        }
        let is_eligible = instance.withdrawn.is_none()
            && instance.cordon().is_none()
            && matches!(
                instance.status,
                InstanceStatus::Active | InstanceStatus::Recovering
            );
        let lingers = lingering.get(instance.id.as_str()).copied().unwrap_or(0);
        let has_room = places.len() + lingers < instance.max_streams as usize;
        if is_orphan_waiting && is_eligible && has_room {
            return Err(format!(
                "I3: an orphan waits although {} has room",
                instance.id
            ));
        }
    }
    Ok(())
}

/// What was answered stays true.
fn answers_hold(world: &World, stored: &Fleet) -> Result<(), String> {
    for (id, expected) in &world.streams {
        if expected.is_changing {
            continue;
        }
        let slot = stored
            .streams()
            .find(|slot| slot.stream().id.get() == *id && !slot.stream().deleted);
        if expected
            .exists
            .is_some_and(|exists| exists != slot.is_some())
        {
            return Err(format!(
                "stream {id}: expected {expected:?}, found {slot:?}"
            ));
        }
        if let (Some(enabled), Some(slot)) = (expected.enabled, slot)
            && slot.stream().enabled != enabled
        {
            return Err(format!(
                "stream {id}: expected {expected:?}, found {slot:?}"
            ));
        }
    }
    Ok(())
}

/// The events tell the same story as the rows.
fn events_hold(world: &World, stored: &Fleet) -> Result<(), String> {
    let owners: BTreeMap<i64, String> = stored
        .streams()
        .filter_map(|slot| {
            let owner = slot.place().assignment()?.instance.to_string();
            Some((slot.stream().id.get(), owner))
        })
        .collect();
    if owners != *world.history.owners() {
        return Err(format!(
            "the events tell of {:?}, the rows of {owners:?}",
            world.history.owners()
        ));
    }
    Ok(())
}

/// How many streams this worker could have. A leased one does not ask, and is not pushed what it
/// has given back.
fn waiting_for(fleet: &Fleet, worker: &Worker) -> usize {
    // What is paused or quarantined waits for the end of that.
    let unclaimed = fleet.ready_unclaimed().filter(|stream| {
        let place = fleet.stream(*stream).map(|slot| slot.place());
        match place {
            Some(Place::Unclaimed { released_by, .. }) => {
                worker.kind != Kind::Leased
                    || released_by.as_ref().map(InstanceId::as_str) != Some(worker.id.as_str())
            }
            _ => true,
        }
    });
    let orphaned = fleet.orphaned().filter(|stream| {
        let slot = fleet.stream(*stream);
        slot.is_some_and(|slot| !slot.stream().is_withheld())
    });
    unclaimed.count() + orphaned.count()
}

/// Returns whether a stream was given to another instance so recently that this one may not have been
/// notified.
fn has_just_left(fleet: &Fleet, stream: StreamId, id: &str, now: WallTime) -> bool {
    let place = fleet.stream(stream).map(|slot| slot.place());
    let assignment = place.and_then(|place| place.assignment());
    assignment.is_some_and(|assignment| {
        let since = now.since(assignment.assigned_at);
        let is_balanced = assignment.reason == AssignReason::Rebalance;
        is_balanced && assignment.instance.as_str() != id && since < TIMEOUT * 2
    })
}

/// After the faults: everything runs that there is room for, everybody is trusted, and the
/// workers run what the orchestrator believes.
pub(crate) fn has_converged(world: &World, kinds: &[Kind]) -> Result<(), String> {
    let incidents = world.store.incident_rows();
    let is_open = |incident: &&Incident| incident.state() == IncidentState::Open;
    if let Some(open) = incidents.iter().find(is_open) {
        return Err(format!("I8: this recovery never ended: {open:?}"));
    }
    if let Some(id) = world.history.unfinished_drain() {
        return Err(format!("drain: the drain of {id} never ended"));
    }
    let fleet = fleet_of(&world.store.rows())?;
    for worker in &world.workers {
        let id = worker.id.as_str();
        let Some(slot) = fleet.instance(&id.into()) else {
            return Err(format!("{id} is not registered"));
        };
        if slot.instance().status != InstanceStatus::Active {
            return Err(format!("{id} is {}", slot.instance().status));
        }
        // One that believes to run what was taken from it asks for less than it has room for.
        if kinds.contains(&worker.kind) {
            let waiting = waiting_for(&fleet, worker);
            if waiting > 0 && slot.free_room() > 0 {
                return Err(format!("{waiting} streams wait although {id} has room"));
            }
            // A fleet that is balanced by itself may be moving streams at any moment.
            let is_moving = |stream: &StreamId| {
                slot.releasing().contains(stream)
                    || slot.unconfirmed().contains(stream)
                    || slot.lingering().contains_key(stream)
            };
            let mut runs = worker.runs();
            runs.retain(|stream| {
                let stream = StreamId::new(*stream);
                !is_moving(&stream) && !has_just_left(&fleet, stream, id, world.left_at)
            });
            let held = slot.held().iter().filter(|stream| !is_moving(stream));
            let held: Vec<i64> = held.map(|stream| stream.get()).collect();
            if runs != held {
                return Err(format!("{id} runs {runs:?}, and holds {held:?}"));
            }
        }
    }
    Ok(())
}
