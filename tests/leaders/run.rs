//! From a seed to a verdict: minutes of faults, then calm, then the question whether somebody leads and
//! every stream runs.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;

use tokio::time::sleep;

use crate::nature::{STEP, act, calm_down};
use crate::node::supervise;
use crate::scene::Scene;
use crate::worker::work;
use crate::world::{Shared, World};

/// Within this time after the last fault somebody leads.
const LEADER_WITHIN: Duration = Duration::from_secs(10);

/// Within this time every stream runs: what one worker gave back may wait for the end of another one's
/// probation, which doubles with each failure.
const RUN_WITHIN: Duration = Duration::from_secs(40 * 60);

/// Runs a world; returns what happened in a line, or what was wrong.
pub(crate) fn simulate(scene: Scene) -> Result<String, String> {
    in_a_runtime(live(scene))
}

/// Runs something in paused time.
pub(crate) fn in_a_runtime<T>(work: impl Future<Output = T>) -> T {
    hush();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing that could be missing");
    let handle = runtime.handle().clone();
    let system = actix::System::with_tokio_rt(|| runtime);
    let result = system.block_on(work);
    // An actor that was never polled is started when it is dropped, and asks for its timers then.
    let _timers = handle.enter();
    drop(system);
    result
}

/// Actors end on purpose here; that is nothing to tell of.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"on purpose") {
                usual(info);
            }
        }));
    });
}

async fn live(scene: Scene) -> Result<String, String> {
    let world: Shared = Rc::new(RefCell::new(World::new(scene)));
    for number in 0..scene.orchestrators {
        actix::spawn(supervise(world.clone(), number));
    }
    let workers = world.borrow().workers.len();
    for number in 0..workers {
        actix::spawn(work(world.clone(), number));
    }
    let began = world.borrow().now();
    while world.borrow().now().since(began) < scene.faults {
        act(&world);
        sleep(STEP).await;
        world.borrow_mut().collect()?;
    }
    calm_down(&mut world.borrow_mut());
    while !is_awake(&world.borrow()) {
        pass(&world, STEP).await?;
    }
    pass(&world, LEADER_WITHIN).await?;
    if !is_led(&world.borrow()) {
        return Err("nobody leads although nothing is wrong".to_owned());
    }
    let mut waited = Duration::ZERO;
    loop {
        let idle = idle_streams(&world.borrow());
        if idle.is_empty() {
            break;
        }
        if waited > RUN_WITHIN {
            return Err(format!("nobody runs {idle:?} although nothing is wrong"));
        }
        pass(&world, STEP).await?;
        waited += STEP;
    }
    let mut world = world.borrow_mut();
    let now = world.now();
    world.watch.finish(now);
    world.collect()?;
    Ok(summary(&world))
}

pub(crate) async fn pass(world: &Shared, time: Duration) -> Result<(), String> {
    sleep(time).await;
    let mut world = world.borrow_mut();
    for node in &world.nodes {
        if let Some(life) = node.life.as_ref().filter(|life| life.store.is_halted()) {
            life.process.kill();
        }
    }
    world.collect()
}

/// Whether no process is stopped or missing.
fn is_awake(world: &World) -> bool {
    let lives = world.nodes.iter().map(|node| node.life.as_ref());
    let mut lives = lives.map(|life| life.is_some_and(|life| !life.process.is_stopped()));
    let now = world.now();
    let are_workers_awake = world
        .workers
        .iter()
        .all(|worker| worker.asleep_until.is_none_or(|until| until <= now));
    lives.all(|is_awake| is_awake) && are_workers_awake
}

/// Whether the newest term has a leader that answers.
pub(crate) fn is_led(world: &World) -> bool {
    let newest = world.truth.newest();
    let mut leads = world.nodes.iter().filter_map(|node| node.leads());
    leads.any(|leads| leads.term == newest)
}

/// The streams that nobody runs.
pub(crate) fn idle_streams(world: &World) -> Vec<i64> {
    let run: Vec<i64> = world
        .workers
        .iter()
        .flat_map(|worker| worker.runs())
        .collect();
    let all = world.streams().into_iter();
    all.filter(|stream| !run.contains(stream)).collect()
}

fn summary(world: &World) -> String {
    let counters = &world.counters;
    let tally = &world.watch.tally;
    let doubled = crate::watch::Class::ALL.map(|class| {
        let seconds = tally.doubled_seconds(class);
        format!("{class} {seconds:.1} s")
    });
    format!(
        "{} orchestrators, {} workers, {} streams, {} terms, {} of them read ahead, {} kills, {} stops, {} cuts, {} outages, \
         {} of {} members confirmed, \
         {} releases, {} hand-overs, {} orders, \
         {} worker crashes, {} moves, {} failed instances, {} answers after the end of a term, \
         {} withheld; two ran: {}",
        world.nodes.len(),
        world.workers.len(),
        world.streams().len(),
        world.truth.count(),
        counters.ahead,
        counters.kills,
        counters.stops,
        counters.cuts,
        counters.outages,
        counters.confirmed,
        counters.asked,
        counters.releases,
        counters.hand_overs,
        counters.orders,
        counters.crashes,
        counters.moves,
        counters.failures,
        counters.stale,
        counters.withheld,
        doubled.join(", "),
    )
}
