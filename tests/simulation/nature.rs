//! What goes wrong, second by second.

use actix::prelude::*;
use resilient_orchestrator::actors::instance::InstanceActor;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::supervisor::FindChild;
use resilient_orchestrator::domain::brake::Order;
use resilient_orchestrator::domain::breaker::{BreakerName, Force};
use resilient_orchestrator::domain::ids::InstanceId;

use crate::faults::{Outage, Side};
use crate::network::Network;
use crate::operator::{
    delete_stream, force, force_breaker, move_stream, order_brake, remove, report_failure,
    save_stream, take_out,
};
use crate::planned::plan;
use crate::watch::Cause;
use crate::world::{Shared, TIMEOUT, World};

/// Ends the actor that receives it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Boom;

impl Handler<Boom> for InstanceActor {
    type Result = ();

    fn handle(&mut self, _: Boom, _: &mut Self::Context) {
        panic!("on purpose");
    }
}

/// One second of misfortune.
pub(crate) fn act(shared: &Shared, orchestrator: Option<&Orchestrator>) {
    let mut world = shared.borrow_mut();
    end_what_is_over(&mut world);
    if !world.scene.is_fair() {
        strike_workers(&mut world);
        strike_the_network(&mut world);
        strike_store(&mut world);
        bother_leased_workers(&mut world);
    }
    poison_workers(&mut world);
    look_around(&mut world, orchestrator.is_some());
    drop(world);
    if let Some(orchestrator) = orchestrator {
        run_the_catalogue(shared, orchestrator);
        if !shared.borrow().scene.is_fair() {
            strike_actors(shared, orchestrator);
            operate(shared, orchestrator);
        }
    }
}

/// The faults are over: everything works again, for good.
pub(crate) fn calm_down(world: &mut World) {
    world.is_calm = true;
    world.outage_ends = None;
    world.store.calm_down();
    world.roughness = 0;
    for worker in &mut world.workers {
        worker.asleep_until = None;
        worker.bad_until = None;
        worker.network = Network::Fine;
    }
}

fn end_what_is_over(world: &mut World) {
    let now = world.now();
    for worker in &mut world.workers {
        if worker.bad_until.is_some_and(|until| until <= now) {
            worker.bad_until = None;
            worker.network = Network::Fine;
        }
    }
    if world.outage_ends.is_some_and(|until| until <= now) {
        world.outage_ends = None;
        world.store.set_outage(None);
        world.store.set_outage_of(Side::Reads, None);
    }
}

fn strike_workers(world: &mut World) {
    for number in 0..world.workers.len() {
        if world.chance(120) {
            let until = world.now() + world.seconds(1..90);
            world.workers[number].asleep_until = Some(until);
            if world.rng.bool() {
                world.counters.worker_crashes += 1;
                world.crash(number);
            } else {
                world.counters.hangs += 1;
                world.suspend(number);
            }
        }
        let is_at_the_edge = world.scene.is_at_the_edge();
        if world.chance(if is_at_the_edge { 100 } else { 150 }) {
            world.counters.partitions += 1;
            let until = world.now() + world.seconds(1..90);
            let kinds = [Network::AnswersLost, Network::RequestsLost, Network::Cut];
            let network = kinds[world.rng.usize(0..3)];
            let worker = &mut world.workers[number];
            worker.bad_until = Some(until);
            worker.network = network;
        }
    }
}

/// The process of a worker that runs the poisonous stream ends, and its machine is away until the worker
/// counts as failed.
fn poison_workers(world: &mut World) {
    let poison = world.scene.poisonous_stream().filter(|_| !world.is_calm);
    let Some(poison) = poison else {
        return;
    };
    for number in 0..world.workers.len() {
        if !world.workers[number].runs().contains(&poison) {
            continue;
        }
        world.workers[number].asleep_until = Some(world.now() + TIMEOUT * 2);
        world.crash(number);
        world.follow();
        let id = world.workers[number].id.clone();
        world.history.note_victim(poison, id);
    }
}

/// A switch dies: most workers fall silent at the same moment and come back at the same moment,
/// before or after they count as failed.
fn strike_the_network(world: &mut World) {
    if !world.chance(400) {
        return;
    }
    world.counters.mass_silences += 1;
    let until = world.now() + world.seconds(5..120);
    for number in 0..world.workers.len() {
        if world.rng.u8(0..5) > 0 {
            world.workers[number].bad_until = Some(until);
            world.workers[number].network = Network::Cut;
        }
    }
}

fn bother_leased_workers(world: &mut World) {
    if world.chance(30) {
        world.roughness = [0, 0, 20, 200][world.rng.usize(0..4)];
    }
    for number in 0..world.workers.len() {
        let leaves = world.chance(600);
        let gives_back = world.chance(200);
        let one_in = if world.scene.is_at_the_edge() { 2 } else { 5 };
        let hears = world.rng.u8(0..one_in) == 0 && world.workers[number].network == Network::Fine;
        let id = InstanceId::new(world.workers[number].id.clone());
        let version = world
            .fleet
            .instance(&id)
            .map(|slot| slot.instance().assignment_version.get());
        let Some(host) = &mut world.workers[number].host else {
            continue;
        };
        if leaves {
            host.leave();
        } else if gives_back && let Some(stream) = host.runs().first() {
            host.give_back(*stream);
        } else if hears && let Some(version) = version {
            host.hear_news(version);
        }
    }
}

/// Writes down what everybody runs in this second.
fn look_around(world: &mut World, is_orchestrated: bool) {
    let now = world.now();
    let outside = if !is_orchestrated {
        Some(Cause::NoOrchestrator)
    } else if world.outage_ends.is_some() {
        Some(Cause::NoDatabase)
    } else {
        None
    };
    let World {
        watch,
        fleet,
        workers,
        ..
    } = world;
    watch.write_all(workers.len());
    watch.sample(fleet, outside, |id| {
        workers.iter().any(|worker| {
            let is_down = worker.network != Network::Fine
                || worker.asleep_until.is_some_and(|until| until > now);
            worker.id == id && is_down
        })
    });
}

fn strike_store(world: &mut World) {
    if world.chance(30) {
        let storminess = [0, 10, 50, 200][world.rng.usize(0..4)];
        world.store.set_storminess(storminess);
    }
    if world.chance(200) {
        world.counters.outages += 1;
        let outage = if world.rng.bool() {
            Outage::Hanging
        } else {
            Outage::Refusing
        };
        let until = world.now() + world.seconds(1..60);
        // Reads and writes fail together, or one side alone.
        match world.rng.u8(0..4) {
            0 => world.store.set_outage_of(Side::Reads, Some(outage)),
            1 => world.store.set_outage_of(Side::Writes, Some(outage)),
            _ => world.store.set_outage(Some(outage)),
        }
        world.outage_ends = Some(until);
    }
}

fn strike_actors(shared: &Shared, orchestrator: &Orchestrator) {
    let mut world = shared.borrow_mut();
    if !world.chance(60) {
        return;
    }
    let count = world.workers.len();
    let number = world.rng.usize(0..count);
    let id = InstanceId::new(world.workers[number].id.clone());
    world.counters.actor_panics += 1;
    let child = orchestrator.supervisor().send(FindChild(id));
    actix::spawn(async move {
        if let Ok(Some(actor)) = child.await {
            actor.do_send(Boom);
        }
    });
}

/// Streams are added, changed, deleted and moved.
fn run_the_catalogue(shared: &Shared, orchestrator: &Orchestrator) {
    let mut world = shared.borrow_mut();
    let scene = world.scene;
    let room: u32 = world.workers.iter().map(|worker| worker.max).sum();
    let known = world.streams.values();
    let wanted = known.filter(|stream| stream.exists != Some(false)).count();
    // A little more than there is room for; at the edge everything finds a place at once.
    let most = if world.scene.is_at_the_edge() {
        room as usize / 2
    } else {
        room as usize + 3
    };
    if wanted < most && world.chance(15) {
        for _ in 0..world.rng.u32(1..4) {
            world.last_stream += 1;
            let id = world.last_stream;
            let enabled = world.rng.u8(0..5) > 0 || scene.leaves_alone(id);
            actix::spawn(save_stream(
                shared.clone(),
                orchestrator.clone(),
                id,
                enabled,
            ));
        }
    }
    let last = world.last_stream;
    if last > 0 && world.chance(20) {
        let id = world.rng.i64(1..=last);
        let enabled = world.rng.bool();
        if !scene.leaves_alone(id) {
            actix::spawn(save_stream(
                shared.clone(),
                orchestrator.clone(),
                id,
                enabled,
            ));
        }
    }
    if last > 0 && world.chance(20) {
        let id = world.rng.i64(1..=last);
        if !scene.leaves_alone(id) {
            actix::spawn(delete_stream(shared.clone(), orchestrator.clone(), id));
        }
    }
    if last > 0 && world.chance(12) {
        world.counters.moves += 1;
        let stream = world.rng.i64(1..=last);
        let count = world.workers.len();
        let number = world.rng.usize(0..=count);
        let to = world.workers.get(number).map(|worker| worker.id.clone());
        if !scene.leaves_alone(stream) {
            actix::spawn(move_stream(orchestrator.clone(), stream, to));
        }
    }
}

/// Instances are removed, reported, taken out and brought back.
fn operate(shared: &Shared, orchestrator: &Orchestrator) {
    let mut world = shared.borrow_mut();
    worry(&mut world, orchestrator);
    let count = world.workers.len();
    let number = world.rng.usize(0..count);
    let id = InstanceId::new(world.workers[number].id.clone());
    if world.scene.plans {
        plan(&mut world, orchestrator, id.clone());
    }
    if world.chance(200) {
        world.counters.removals += 1;
        actix::spawn(remove(orchestrator.clone(), id));
    } else if world.chance(150) {
        actix::spawn(report_failure(orchestrator.clone(), id));
    } else if world.chance(250) {
        world.counters.emergencies += 1;
        actix::spawn(take_out(orchestrator.clone(), id));
    } else if world.is_calm || world.chance(40) {
        // Whoever is in maintenance does not stay there for ever.
        actix::spawn(force(orchestrator.clone(), id));
    }
    if world.chance(60) {
        let force = match world.rng.u8(0..5) {
            0 => Some(Force::Open),
            1 => Some(Force::Closed),
            _ => None,
        };
        let is_of_reads = world.rng.bool();
        let name = if is_of_reads {
            BreakerName::STORE_READS
        } else {
            BreakerName::STORE_WRITES
        };
        world.counters.forced_breakers += u32::from(force.is_some());
        actix::spawn(force_breaker(orchestrator.clone(), name, force));
    }
    if world.chance(90) {
        let order = match world.rng.u8(0..3) {
            0 => Order::Prolong(world.seconds(1..90)),
            _ => Order::Release,
        };
        actix::spawn(order_brake(orchestrator.clone(), order));
    }
}

/// An operator who sees that a worker does not answer does something about it, long before it
/// counts as failed.
fn worry(world: &mut World, orchestrator: &Orchestrator) {
    for number in 0..world.workers.len() {
        let is_fine = world.workers[number].network == Network::Fine
            && world.workers[number].asleep_until.is_none();
        let calmness = if world.scene.is_at_the_edge() { 3 } else { 25 };
        if is_fine || !world.chance(calmness) {
            continue;
        }
        let id = InstanceId::new(world.workers[number].id.clone());
        match world.rng.u8(0..4) {
            0 => {
                world.counters.removals += 1;
                actix::spawn(remove(orchestrator.clone(), id));
            }
            1 => {
                world.counters.emergencies += 1;
                actix::spawn(take_out(orchestrator.clone(), id));
            }
            _ => {
                actix::spawn(report_failure(orchestrator.clone(), id));
            }
        }
    }
}
