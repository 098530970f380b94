//! What goes wrong, second by second, and what an operator orders.

use std::time::Duration;

use resilient_orchestrator::actors::leadership::TakeOverOrder;
use resilient_orchestrator::domain::commands::{MoveStreams, Relocation, SaveStreams, StreamSpec};
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};
use tokio::time::sleep;

use crate::faults::Outage;
use crate::node::Life;
use crate::orders::spec;
use crate::watch::handoff_of;
use crate::world::{Shared, World};

/// One second of misfortune and of orders.
pub(crate) fn act(shared: &Shared) {
    {
        let mut world = shared.borrow_mut();
        for number in 0..world.nodes.len() {
            strike_process(&mut world, number);
            strike_database(shared, &mut world, number);
        }
        strike_everybody(shared, &mut world);
        strike_workers(shared, &mut world);
    }
    operate(shared);
}

/// The faults are over. Processes that are stopped go on when their time has come.
pub(crate) fn calm_down(world: &mut World) {
    world.is_calm = true;
    world.roughness = 0;
    world.are_members_apart = false;
    world.cut_ways.clear();
    for node in &world.nodes {
        if let Some(life) = &node.life {
            life.row.cut(false);
            life.row.set_storminess(0);
            life.store.calm_down();
        }
    }
    for worker in &mut world.workers {
        worker.is_cut_off.fill(false);
    }
}

fn strike_process(world: &mut World, number: usize) {
    let Some(life) = world.nodes[number].life.clone() else {
        return;
    };
    if life.store.is_halted() || world.chance(180) {
        world.counters.kills += 1;
        life.process.kill();
    } else if world.chance(70) && !life.process.is_stopped() {
        world.counters.stops += 1;
        let longest = [2_000, 12_000, 30_000, 70_000][world.rng.usize(0..4)];
        let gap = world.millis(100..longest);
        let now = world.now();
        if let Some(leads) = &life.leads {
            let term = leads.term;
            world.oracle.stop(term, now, now + gap);
        }
        life.clock.stand_still(gap);
        life.process.stop();
        actix::spawn(async move {
            sleep(gap).await;
            life.process.wake();
        });
    } else if life.leads.is_some() && world.chance(200) {
        world.counters.releases += 1;
        life.leave();
    } else if let Some(leads) = life.leads.clone().filter(|_| world.chance(200)) {
        let stepped = life.process.begin(async move {
            let _ = leads.orchestrator.step_down(None, "a person wants it");
        });
        drop(stepped);
        world.counters.hand_overs += 1;
    } else if life.leads.is_none() && world.chance(150) {
        world.counters.orders += 1;
        life.view.order_take_over(TakeOverOrder {
            reason: "a person wants it".to_owned(),
            origin: None,
        });
    }
}

/// One process loses the database, or its way there becomes bad.
fn strike_database(shared: &Shared, world: &mut World, number: usize) {
    let Some(life) = world.nodes[number].life.clone() else {
        return;
    };
    if world.chance(40) {
        let storminess = [0, 0, 20, 200][world.rng.usize(0..4)];
        life.row.set_storminess(storminess);
        life.store.set_storminess(storminess / 4);
    }
    if world.chance(70) {
        world.counters.cuts += 1;
        let lasts = world.millis(500..60_000);
        life.row.cut(true);
        // Sometimes only the row is lost: the leader saves on while a standby reads ahead.
        let is_whole = world.rng.u32(0..3) > 0;
        let outage = if world.rng.bool() {
            Outage::Hanging
        } else {
            Outage::Unreachable
        };
        if is_whole {
            life.store.set_outage(Some(outage));
        }
        let shared = shared.clone();
        actix::spawn(async move {
            sleep(lasts).await;
            if !shared.borrow().is_calm {
                life.row.cut(false);
                life.store.set_outage(None);
            }
        });
    }
}

/// The database is away for all, or the orchestrators do not reach each other.
fn strike_everybody(shared: &Shared, world: &mut World) {
    if world.chance(150) {
        world.counters.outages += 1;
        let lasts = world.millis(1_000..70_000);
        let lives: Vec<Life> = world
            .nodes
            .iter()
            .filter_map(|node| node.life.clone())
            .collect();
        set_outage(&lives, true);
        let shared = shared.clone();
        actix::spawn(async move {
            sleep(lasts).await;
            if !shared.borrow().is_calm {
                set_outage(&lives, false);
            }
        });
    }
    if world.chance(100) {
        let lasts = world.millis(1_000..60_000);
        world.are_members_apart = true;
        let shared = shared.clone();
        actix::spawn(async move {
            sleep(lasts).await;
            shared.borrow_mut().are_members_apart = false;
        });
    }
    // With two, the way back alone is no other case: a question needs both.
    if world.nodes.len() > 2 && world.chance(30) {
        let lasts = world.millis(1_000..60_000);
        let count = world.nodes.len();
        let from = world.rng.usize(0..count);
        let way = (from, (from + world.rng.usize(1..count)) % count);
        world.counters.cuts += 1;
        world.cut_ways.insert(way);
        let shared = shared.clone();
        actix::spawn(async move {
            sleep(lasts).await;
            shared.borrow_mut().cut_ways.remove(&way);
        });
    }
}

/// The database is away for these processes, or back.
pub(crate) fn set_outage(lives: &[Life], is_away: bool) {
    for life in lives {
        life.row.cut(is_away);
        life.store
            .set_outage(is_away.then_some(Outage::Unreachable));
    }
}

fn strike_workers(shared: &Shared, world: &mut World) {
    if world.chance(30) {
        world.roughness = [0, 0, 20, 200][world.rng.usize(0..4)];
    }
    for number in 0..world.workers.len() {
        if world.chance(120) {
            let until = world.now() + world.millis(1_000..70_000);
            world.workers[number].asleep_until = Some(until);
            if world.rng.bool() {
                world.counters.crashes += 1;
                world.crash(number);
            } else {
                world.suspend(number);
            }
        }
        for node in 0..world.nodes.len() {
            if world.chance(100) {
                let lasts = world.millis(1_000..90_000);
                world.workers[number].is_cut_off[node] = true;
                let shared = shared.clone();
                actix::spawn(async move {
                    sleep(lasts).await;
                    shared.borrow_mut().workers[number].is_cut_off[node] = false;
                });
            }
        }
        if world.chance(150)
            && let Some(stream) = world.workers[number].runs().first()
        {
            world.workers[number].give_back(*stream);
        }
    }
}

/// Streams are created and moved, at whoever says that it leads.
pub(crate) fn operate(shared: &Shared) {
    let mut world = shared.borrow_mut();
    let leaders = world.nodes.iter().filter_map(|node| {
        let life = node
            .life
            .as_ref()
            .filter(|life| !life.process.is_stopped())?;
        Some((life.process.clone(), life.leads.clone()?.orchestrator))
    });
    let leaders: Vec<_> = leaders.collect();
    if leaders.is_empty() {
        return;
    }
    let (process, orchestrator) = leaders[world.rng.usize(0..leaders.len())].clone();
    // Each worker can run everything that its largest neighbour cannot.
    let room: u32 = world.workers.iter().map(|worker| worker.max).sum();
    let largest = world.workers.iter().map(|worker| worker.max).max();
    let most = i64::from((room - largest.unwrap_or(0)).max(1));
    let newest = world.streams().last().copied().unwrap_or(0);
    if newest < most {
        let stream = newest + 1;
        let spec = StreamSpec {
            handoff: Some(handoff_of(stream)),
            ..spec(stream)
        };
        let command = SaveStreams {
            streams: vec![spec],
        };
        process.begin(async move {
            let _ = orchestrator.execute(command).await;
        });
    } else if world.chance(6) {
        world.counters.moves += 1;
        let stream = StreamId::new(world.rng.i64(1..=most));
        let count = world.workers.len();
        let number = world.rng.usize(0..count);
        let to = InstanceId::new(world.workers[number].id.clone());
        let moves = vec![Relocation {
            stream,
            to: Some(to),
        }];
        process.begin(async move {
            let _ = orchestrator.execute(MoveStreams { moves }).await;
        });
    }
}

/// How long a step of the world is.
pub(crate) const STEP: Duration = Duration::from_secs(1);
