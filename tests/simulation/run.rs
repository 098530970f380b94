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
use crate::worker::Kind;
use crate::world::{INTERVAL, Shared, TIMEOUT, World};

/// How long things go wrong.
const FAULTS: Duration = Duration::from_secs(20 * 60);

/// Enough for timeouts, plain probations, retries and probes after the last fault.
const CALM: Duration = Duration::from_secs(3 * 60);

pub(crate) struct Outcome {
    pub(crate) summary: String,
    pub(crate) hash: u64,
    pub(crate) events: i64,
}

/// Runs a world.
pub(crate) fn simulate(seed: u64) -> Result<Outcome, String> {
    simulate_with(seed, |_| ())
}

/// Runs a world that is not quite as it should be.
pub(crate) fn simulate_with(seed: u64, spoil: impl FnOnce(&mut World)) -> Result<Outcome, String> {
    let world: Shared = in_a_runtime(async { Rc::new(RefCell::new(World::new(seed))) });
    spoil(&mut world.borrow_mut());
    let began = world.borrow().left_at;
    while world.borrow().left_at.since(began) < FAULTS {
        let length = world.borrow_mut().seconds(5..240);
        step(&world, |world| live(world, length))?;
        let absence = world.borrow_mut().seconds(0..40);
        step(&world, |world| {
            be_gone(world, absence);
            Ok(())
        })?;
    }
    calm_down(&mut world.borrow_mut());
    step(&world, |world| live(world, CALM))?;
    let probation = longest_probation(&world.borrow());
    step(&world, |world| live(world, probation))?;
    converged(&world, &[Kind::A])?;
    // What B was never told, or told twice, only a restart repairs: it never reads what it holds.
    restart(&world, Kind::B);
    step(&world, |world| live(world, CALM))?;
    converged(&world, &[Kind::A, Kind::B])?;
    Ok(outcome(&world.borrow(), began.as_micros()))
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
    for worker in &mut world.borrow_mut().workers {
        if worker.kind == kind {
            worker.crash();
        }
    }
}

fn outcome(world: &World, began: i64) -> Outcome {
    let minutes = (world.left_at.as_micros() - began) / 60_000_000;
    let counters = &world.counters;
    let summary = format!(
        "{minutes} min, {} workers, {} lives, {} crashes, {} hangs, {} partitions, \
         {} mass silences, {} standstills, {} outages, {} forced breakers, {} actor panics, {} removals, {} emergencies, {} events, \
         {} checks",
        world.workers.len(),
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
        world.history.sequence(),
        counters.checks,
    );
    Outcome {
        summary,
        hash: world.history.hash(),
        events: world.history.sequence(),
    }
}
