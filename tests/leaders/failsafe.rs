//! The database is away for both orchestrators: the leader goes on while the standby confirms that it has not taken
//! over, and no longer.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::leadership::NodeName;
use resilient_orchestrator::store::Leadership;
use tokio::time::sleep;

use crate::nature::{STEP, operate, set_outage};
use crate::node::{Life, supervise};
use crate::run::{idle_streams, in_a_runtime, is_led, pass};
use crate::scene::Scene;
use crate::watch::handoff_of;
use crate::worker::work;
use crate::world::{HORIZON, Shared, World, limits};

/// Until a fleet without faults is complete.
const SETTLED_WITHIN: Duration = Duration::from_secs(5 * 60);

async fn settled(seed: u64) -> Shared {
    settled_in(Scene::usual(seed, Duration::ZERO)).await
}

/// A world in which nothing goes wrong, once each stream runs and the standby is admitted.
pub(crate) async fn settled_in(scene: Scene) -> Shared {
    let seed = scene.seed;
    let world: Shared = Rc::new(RefCell::new(World::new(scene)));
    world.borrow_mut().is_calm = true;
    for number in 0..scene.orchestrators {
        actix::spawn(supervise(world.clone(), number));
    }
    let workers = world.borrow().workers.len();
    for number in 0..workers {
        actix::spawn(work(world.clone(), number));
    }
    let mut waited = Duration::ZERO;
    loop {
        operate(&world);
        pass(&world, STEP).await.expect("nothing is wrong");
        waited += STEP;
        // Each worker has heard of its lease by then.
        if waited > SETTLED_WITHIN / 2 && is_complete(&world).await {
            return world;
        }
        assert!(waited < SETTLED_WITHIN, "seed {seed}: nothing is wrong");
    }
}

async fn is_complete(world: &Shared) -> bool {
    let (database, runs) = {
        let world = world.borrow();
        let has_streams = !exclusive(&world).is_empty();
        let runs = has_streams && idle_streams(&world).is_empty() && is_led(&world);
        (world.database.clone(), runs)
    };
    let members = database.members().await.expect("it answers");
    let standby: Option<NodeName> = world
        .borrow()
        .nodes
        .iter()
        .filter(|node| node.leads().is_none())
        .find_map(|node| Some(node.life.as_ref()?.view.me().node.clone()));
    let mut members = members.iter();
    runs && members.any(|member| Some(&member.node) == standby.as_ref() && member.is_admitted)
}

fn exclusive(world: &World) -> Vec<i64> {
    let mut streams = world.streams();
    streams.retain(|stream| handoff_of(*stream) == HandoverMode::Exclusive);
    streams
}

fn lives(world: &Shared) -> Vec<Life> {
    let world = world.borrow();
    let lives = world.nodes.iter().filter_map(|node| node.life.clone());
    lives.collect()
}

/// How many exclusive streams nobody runs.
fn idle(world: &Shared) -> usize {
    let world = world.borrow();
    let idle = idle_streams(&world);
    let exclusive = exclusive(&world);
    exclusive
        .iter()
        .filter(|stream| idle.contains(stream))
        .count()
}

/// The database is away for all for so long; returns the most exclusive streams that nobody ran.
async fn outage(world: &Shared, lasts: Duration) -> usize {
    let lives = lives(world);
    set_outage(&lives, true);
    let mut most_idle = 0;
    let mut passed = Duration::ZERO;
    while passed < lasts {
        pass(world, STEP).await.expect("one runner");
        passed += STEP;
        most_idle = most_idle.max(idle(world));
    }
    set_outage(&lives, false);
    most_idle
}

/// Longer than the worker's own stop, and shorter than the horizon.
fn long() -> Duration {
    let lasts = limits().worker_stop + Duration::from_secs(10);
    assert!(lasts < HORIZON);
    lasts
}

#[test]
fn an_outage_for_both_stops_no_exclusive_stream_and_changes_no_leader() {
    for seed in 0..5 {
        in_a_runtime(async move {
            let world = settled(seed).await;
            let terms = world.borrow().truth.count();
            assert_eq!(outage(&world, long()).await, 0, "seed {seed}");
            for _ in 0..20 {
                pass(&world, STEP).await.expect("one runner");
                assert_eq!(idle(&world), 0, "seed {seed}");
            }
            let world = world.borrow();
            assert!(world.counters.confirmed > 20, "{:?}", world.counters);
            assert_eq!(
                world.truth.count(),
                terms,
                "seed {seed}: the leader leads on"
            );
            assert!(is_led(&world));
        });
    }
}

#[test]
fn an_outage_during_which_the_standby_is_not_reached_stops_the_exclusive_streams() {
    for seed in 0..5 {
        in_a_runtime(async move {
            let world = settled(seed).await;
            world.borrow_mut().are_members_apart = true;
            let all = exclusive(&world.borrow()).len();
            assert_eq!(outage(&world, long()).await, all, "seed {seed}");
            assert_eq!(world.borrow().counters.confirmed, 0);
            world.borrow_mut().are_members_apart = false;
            pass(&world, Duration::from_secs(60))
                .await
                .expect("one runner");
            assert_eq!(idle(&world), 0, "seed {seed}: they run again");
        });
    }
}

#[test]
fn failsafe_ends_with_the_horizon() {
    in_a_runtime(async {
        let world = settled(1).await;
        let all = exclusive(&world.borrow()).len();
        let lasts = HORIZON + limits().worker_stop;
        assert_eq!(outage(&world, lasts + 6 * STEP).await, all);
        assert!(world.borrow().counters.confirmed > 20);
    });
}

#[test]
fn a_standby_that_reaches_the_database_takes_over_instead_of_confirming() {
    in_a_runtime(async {
        let world = settled(2).await;
        let terms = world.borrow().truth.count();
        let leader: Vec<Life> = {
            let world = world.borrow();
            let leading = world.nodes.iter().filter(|node| node.leads().is_some());
            leading.filter_map(|node| node.life.clone()).collect()
        };
        set_outage(&leader, true);
        sleep(Duration::from_secs(10)).await;
        pass(&world, STEP).await.expect("one runner");
        assert_eq!(world.borrow().counters.confirmed, 0);
        assert_eq!(world.borrow().truth.count(), terms + 1);
    });
}
