//! From a seed to a verdict: minutes of faults through several lives, then calm, then the
//! question whether everything is as it should be.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::probation::probation_for;
use resilient_orchestrator::domain::settings::LivenessThresholds;

use crate::checks::has_converged;
use crate::life::{be_gone, enter, in_a_runtime, live};
use crate::nature::calm_down;
use crate::scene::{Mutation, Scene};
use crate::watch::{Class, Tally};
use crate::worker::Kind;
use crate::world::{INTERVAL, Shared, TIMEOUT, World};

/// Enough for timeouts, plain probations, retries and probes after the last fault.
const CALM: Duration = Duration::from_secs(3 * 60);

pub(crate) struct Outcome {
    pub(crate) summary: String,
    pub(crate) hash: u64,
    pub(crate) events: i64,
    pub(crate) minutes: u64,
    pub(crate) tally: Tally,
}

/// Runs a world.
pub(crate) fn simulate(scene: Scene) -> Result<Outcome, String> {
    let world: Shared = in_a_runtime(async { Rc::new(RefCell::new(World::new(scene))) });
    if let Some(Mutation::Store(flaw)) = scene.mutation {
        world.borrow().store.set_flaw(flaw);
    }
    let began = world.borrow().left_at;
    while world.borrow().left_at.since(began) < scene.faults {
        let length = if scene.has_one_life() {
            scene.faults
        } else {
            world.borrow_mut().seconds(5..240)
        };
        step(&world, |world| live(world, length))?;
        let absence = world.borrow_mut().seconds(0..40);
        step(&world, |world| {
            be_gone(world, absence);
            world.borrow_mut().collect()
        })?;
        if let Some(Mutation::Edited(rot)) = scene.mutation {
            world.borrow().store.edit(rot);
        }
    }
    calm_down(&mut world.borrow_mut());
    step(&world, |world| live(world, CALM))?;
    let probation = longest_probation(&world.borrow());
    step(&world, |world| live(world, probation))?;
    converged(&world, &[Kind::A, Kind::Leased])?;
    // What B was never told, or told twice, only a restart repairs: it never reads what it holds.
    restart(&world, Kind::B);
    step(&world, |world| live(world, CALM))?;
    converged(&world, &[Kind::A, Kind::B, Kind::Leased])?;
    let mut world = world.borrow_mut();
    let now = world.left_at;
    world.watch.finish(now);
    Ok(outcome(&world, began.as_micros()))
}

/// How long those who failed again and again still have to beat steadily: the next life knows
/// nothing of how steady they were in this one.
fn longest_probation(world: &World) -> Duration {
    let thresholds = LivenessThresholds::from_timeout(TIMEOUT);
    let instances = world.store.rows().instances;
    instances
        .iter()
        .filter(|instance| instance.status == InstanceStatus::Recovering)
        .map(|instance| probation_for(&thresholds, instance.flaps) + 4 * INTERVAL)
        .max()
        .unwrap_or_default()
}

/// Carries the world's time over from the runtime that ends.
fn step(world: &Shared, run: impl FnOnce(&Shared) -> Result<(), String>) -> Result<(), String> {
    let result = run(world);
    let left_at = world.borrow().left_at;
    result.map_err(|violation| format!("{violation} (in the life that began at {left_at:?})"))
}

fn converged(world: &Shared, kinds: &[Kind]) -> Result<(), String> {
    in_a_runtime(async {
        enter(world);
        has_converged(&world.borrow(), kinds)
    })
}

fn restart(world: &Shared, kind: Kind) {
    in_a_runtime(async {
        enter(world);
        let mut world = world.borrow_mut();
        for number in 0..world.workers.len() {
            if world.workers[number].kind == kind {
                world.crash(number);
            }
        }
    });
}

fn outcome(world: &World, began: i64) -> Outcome {
    let minutes = (world.left_at.as_micros() - began) / 60_000_000;
    let counters = &world.counters;
    let tally = &world.watch.tally;
    let leased = world.workers.iter().filter(|worker| worker.host.is_some());
    let doubled = Class::ALL.map(|class| {
        let worst = tally.doubled.get(&class).into_iter().flatten();
        let worst = worst.copied().fold(0.0, f64::max);
        format!(
            "{class} {:.1} s (longest {worst:.1})",
            tally.doubled_seconds(class)
        )
    });
    let idle: Vec<String> = tally
        .idle
        .iter()
        .map(|(cause, seconds)| format!("{cause:?} {seconds:.0} s"))
        .collect();
    let summary = format!(
        "{minutes} min, longest hand-over {} s, {} workers ({} leased), {} lives, {} crashes, {} hangs, {} partitions, \
         {} mass silences, {} standstills, {} outages, {} forced breakers, {} actor panics, \
         {} removals, {} emergencies, {} moves, {} wakings, {} endings, {} copies, {} events, \
         {} checks; two ran: {}; nobody ran: {}; one ran: {:.0} s; the sink took {} and refused {}",
        tally.longest_handover,
        world.workers.len(),
        leased.count(),
        counters.lives,
        counters.worker_crashes,
        counters.hangs,
        counters.partitions,
        counters.mass_silences,
        counters.standstills,
        counters.outages,
        counters.forced_breakers,
        counters.actor_panics,
        counters.removals,
        counters.emergencies,
        counters.moves,
        counters.wakings,
        counters.endings,
        counters.copies,
        world.history.sequence(),
        counters.checks,
        doubled.join(", "),
        idle.join(", "),
        tally.run,
        tally.writes_accepted,
        tally.writes_refused,
    );
    Outcome {
        summary,
        hash: world.history.hash(),
        events: world.history.sequence(),
        minutes: u64::try_from(minutes).unwrap_or(0),
        tally: tally.clone(),
    }
}
