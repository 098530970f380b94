//! One life of an orchestrator, or one absence of it, in a runtime of its own. Whatever was under
//! way when it ends is gone, as after `kill -9`.

use std::sync::{Arc, Once};
use std::time::Duration;

use prometheus_client::registry::Registry as Metrics;
use resilient_orchestrator::actors::clean_up::Retention;
use resilient_orchestrator::actors::fatal::Fatal;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::pace::MovePace;
use resilient_orchestrator::domain::settings::{
    BalanceSettings, BreakerSettings, LivenessThresholds, QuarantineSettings,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::checks::{MOST_BALANCE_MOVES, check};
use crate::nature;
use crate::scene::{Mutation, Weather};
use crate::standstill::perhaps_stand_still;
use crate::wire::limits;
use crate::worker::Link;
use crate::world::{Shared, TIMEOUT, World};

const STEP: Duration = Duration::from_secs(1);

/// Actors end on purpose here; that is nothing to tell of.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload().downcast_ref::<&str>();
            if payload != Some(&"on purpose") {
                usual(info);
            }
        }));
    });
}

/// Runs something in paused time on a runtime that ends with it.
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

fn settings(world: &mut World) -> SystemSettings {
    let mut timeout = TIMEOUT;
    let mut worker_limits = limits();
    let mut pace = MovePace {
        per_target: MOST_BALANCE_MOVES,
        in_all: 4,
    };
    match world.scene.mutation {
        Some(Mutation::Stampedes) => {
            pace = MovePace {
                per_target: 100,
                in_all: 100,
            }
        }
        Some(Mutation::NoMargin) => worker_limits.lease_margin = Duration::ZERO,
        Some(Mutation::Impatient) => timeout = TIMEOUT / 3,
        Some(_) | None => {}
    }
    // The world at the edge is about leases: streams are to change hands there because workers fail.
    let is_about_leases = world.scene.is_at_the_edge() && !world.scene.plans;
    SystemSettings {
        balance: BalanceSettings {
            automatic: !is_about_leases,
            cooldown: Duration::from_secs(20),
            pace,
            ..SystemSettings::default().balance
        },
        thresholds: LivenessThresholds::from_timeout(timeout),
        worker_limits,
        breaker: BreakerSettings {
            max_probe_interval: Duration::from_secs(8),
            ..SystemSettings::default().breaker
        },
        quarantine: QuarantineSettings {
            after: match world.scene.mutation {
                _ if is_about_leases || world.scene.weather == Weather::OneIsBroken => 0,
                Some(Mutation::TakesAFourth) => 4,
                Some(Mutation::NeverQuarantines) => 0,
                Some(_) | None => 3,
            },
            window: TIMEOUT * 2,
        },
        sweep_interval: Duration::from_secs(3),
        flush_interval: Duration::from_secs(1),
        instance_retention: Duration::from_secs(120),
        retention: Retention {
            metrics: Duration::from_secs(3_600),
            // The history reads them long before.
            events: Duration::from_secs(86_400),
            incidents: Duration::from_secs(86_400),
            health: Duration::from_secs(86_400),
            most_health_rows: 1_000,
        },
        jitter_seed: world.rng.u64(..),
        ..SystemSettings::default()
    }
}

/// Starts an orchestrator; tries again while the store is out, until `limit`.
async fn boot(
    shared: &Shared,
    limit: Duration,
) -> Option<(Orchestrator, UnboundedReceiver<Fatal>)> {
    let (store, clock) = {
        let world = shared.borrow();
        (world.store.clone(), world.clock.clock())
    };
    let began = clock.now();
    let loaded = loop {
        if clock.now().since(began) >= limit {
            return None;
        }
        match Loaded::from_store(Arc::new(store.clone())).await {
            Ok(loaded) => break loaded,
            Err(_) => sleep(STEP).await,
        }
        nature::act(shared, None);
    };
    let telemetry = Telemetry::new(&mut Metrics::default());
    let mut world = shared.borrow_mut();
    world.counters.lives += 1;
    world.follow();
    world.history.life_began = clock.wall();
    world.history.trusted.clear();
    world.history.standstills.clear();
    let settings = settings(&mut world);
    Some(start(loaded, &settings, clock, telemetry, &Placement::Here))
}

/// Workers do their work until the runtime ends, or they are told to stop.
fn hire_workers(shared: &Shared, orchestrator: Option<&Orchestrator>) -> Vec<JoinHandle<()>> {
    let count = shared.borrow().workers.len();
    let links = (0..count).map(|number| Link {
        world: shared.clone(),
        number,
        orchestrator: orchestrator.cloned(),
    });
    links.map(|link| actix::spawn(link.work())).collect()
}

/// Goes on for `length`, or until the store says that the orchestrator was killed.
pub(crate) fn live(shared: &Shared, length: Duration) -> Result<(), String> {
    in_a_runtime(async {
        enter(shared);
        let result = live_until_killed(shared, length).await;
        leave(shared);
        result
    })
}

async fn live_until_killed(shared: &Shared, length: Duration) -> Result<(), String> {
    let began = shared.borrow().clock.wall();
    let unanswered = hire_workers(shared, None);
    let booted = boot(shared, length).await;
    unanswered.iter().for_each(JoinHandle::abort);
    let Some((orchestrator, mut fatal)) = booted else {
        return Ok(());
    };
    hire_workers(shared, Some(&orchestrator));
    loop {
        {
            let mut world = shared.borrow_mut();
            world.collect()?;
            let lasted = world.clock.wall().since(began);
            if lasted >= length || world.store.is_halted() {
                return Ok(());
            }
        }
        check(shared, &orchestrator).await?;
        nature::act(shared, Some(&orchestrator));
        perhaps_stand_still(shared, &orchestrator).await;
        sleep(STEP).await;
        // Nobody else writes in this world.
        if let Ok(fatal) = fatal.try_recv() {
            return Err(format!("the orchestrator ended itself: {fatal}"));
        }
    }
}

fn leave(shared: &Shared) {
    let mut world = shared.borrow_mut();
    world.left_at = world.clock.wall();
}

/// Nobody orchestrates for `length`.
pub(crate) fn be_gone(shared: &Shared, length: Duration) {
    in_a_runtime(async {
        enter(shared);
        hire_workers(shared, None);
        let mut left = length;
        while !left.is_zero() {
            sleep(STEP.min(left)).await;
            left = left.saturating_sub(STEP);
            nature::act(shared, None);
        }
        leave(shared);
    });
}

/// The world's time goes on where the last runtime left it; requests that were under way failed.
pub(crate) fn enter(shared: &Shared) {
    let mut world = shared.borrow_mut();
    let clock = VirtualTime::starting_at(world.left_at);
    world.store.set_clock(clock.clock());
    world.clock = clock;
    for expected in world.streams.values_mut() {
        expected.is_changing = false;
    }
}
