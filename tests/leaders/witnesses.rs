//! The orchestrators do not reach each other, and a worker reaches only the standby: what that one hears goes
//! through the database.

use std::time::Duration;

use resilient_orchestrator::domain::ids::{Incarnation, InstanceId};
use resilient_orchestrator::domain::leadership::{EchoedBeat, Life as InstanceLife};
use resilient_orchestrator::store::Leadership;

use crate::failsafe::settled_in;
use crate::fitness::world_of_four;
use crate::nature::STEP;
use crate::node::Life;
use crate::run::{in_a_runtime, pass};
use crate::scene::{Mutation, Scene};
use crate::world::{Shared, thresholds};

/// The worker that only the standby hears.
const WORKER: usize = 0;

/// The numbers of the leader and of the standby.
pub(crate) fn roles(world: &Shared) -> (usize, usize) {
    let world = world.borrow();
    let leader = world.nodes.iter().position(|node| node.leads().is_some());
    let leader = leader.expect("one leads");
    (leader, 1 - leader)
}

pub(crate) fn life_of(world: &Shared, node: usize) -> Life {
    let life = world.borrow().nodes[node].life.clone();
    life.expect("it runs")
}

/// The worker reaches the standby only, and the orchestrators do not reach each other.
fn cut(world: &Shared) {
    let (leader, _) = roles(world);
    let mut world = world.borrow_mut();
    world.are_members_apart = true;
    world.workers[WORKER].is_cut_off[leader] = true;
}

/// The process of the worker is gone, and none follows.
pub(crate) fn silence(world: &Shared, worker: usize) {
    let mut world = world.borrow_mut();
    let forever = world.now() + Duration::from_secs(1_000_000);
    world.crash(worker);
    world.workers[worker].asleep_until = Some(forever);
}

/// Lets time pass; returns how many instances failed meanwhile.
pub(crate) async fn failures_in(world: &Shared, time: Duration) -> u32 {
    let before = world.borrow().counters.failures;
    let mut passed = Duration::ZERO;
    while passed < time {
        pass(world, STEP).await.expect("one runner");
        passed += STEP;
    }
    world.borrow().counters.failures - before
}

fn scene(seed: u64, mutation: Option<Mutation>) -> Scene {
    Scene {
        mutation,
        ..Scene::usual(seed, Duration::ZERO)
    }
}

/// A worker that only the standby hears, for ten timeouts; returns how many instances failed.
async fn heard_by_the_standby_only(seed: u64, mutation: Option<Mutation>) -> (Shared, u32) {
    let world = settled_in(scene(seed, mutation)).await;
    let terms = world.borrow().truth.count();
    cut(&world);
    let failed = failures_in(&world, thresholds().timeout * 10).await;
    assert_eq!(world.borrow().truth.count(), terms, "the leader leads on");
    (world, failed)
}

#[test]
fn an_instance_that_only_a_standby_hears_fails_with_its_last_heartbeat_and_not_before() {
    for seed in 0..4 {
        in_a_runtime(async move {
            let (world, failed) = heard_by_the_standby_only(seed, None).await;
            assert_eq!(failed, 0, "seed {seed}: beats reach the standby");
            silence(&world, WORKER);
            let timeout = thresholds().timeout;
            let early = failures_in(&world, timeout - Duration::from_secs(5)).await;
            assert_eq!(early, 0, "seed {seed}: before its timeout");
            let in_time = failures_in(&world, Duration::from_secs(10)).await;
            assert_eq!(in_time, 1, "seed {seed}: at its timeout");
        });
    }
}

#[test]
fn a_leader_that_ignores_witnesses_fails_an_instance_that_lives() {
    in_a_runtime(async {
        let ignores = Some(Mutation::IgnoresWitnesses);
        let (_, failed) = heard_by_the_standby_only(0, ignores).await;
        assert!(failed > 0, "the simulation notices it");
    });
}

/// The process of a registered life is gone, and one of an earlier life goes on at the standby; returns how many
/// instances failed.
async fn an_older_process_goes_on(mutation: Option<Mutation>) -> u32 {
    let world = settled_in(scene(1, mutation)).await;
    cut(&world);
    silence(&world, WORKER);
    let (leader, standby) = roles(&world);
    let id = InstanceId::new(world.borrow().workers[WORKER].id.clone());
    let current = {
        let leads = life_of(&world, leader).leads.expect("it leads");
        let entry = leads.orchestrator.registry().get(&id);
        entry.expect("it is registered").standing().incarnation
    };
    let view = life_of(&world, standby).view;
    let before = world.borrow().counters.failures;
    for _ in 0..thresholds().timeout.as_secs() * 2 {
        let kept = view.echoes().keep(EchoedBeat {
            id: id.clone(),
            incarnation: Some(Incarnation::new(current.get() - 1)),
            came: view.moment(),
        });
        assert!(kept);
        failures_in(&world, Duration::from_secs(1)).await;
    }
    let failed = world.borrow().counters.failures - before;
    // The witnesses are there, of the other life.
    let older = InstanceLife {
        id,
        incarnation: Incarnation::new(current.get() - 1),
    };
    let database = world.borrow().database.clone();
    let found = database.witnessed(&[older]).await.expect("it answers");
    assert!(!found.is_empty());
    failed
}

#[test]
fn a_process_of_another_life_keeps_no_instance_alive() {
    in_a_runtime(async {
        assert_eq!(an_older_process_goes_on(None).await, 1);
    });
}

#[test]
fn a_leader_that_counts_the_heartbeats_of_another_life_misses_a_failure() {
    in_a_runtime(async {
        let counts = Some(Mutation::CountsOtherLives);
        assert_eq!(an_older_process_goes_on(counts).await, 0);
    });
}

#[test]
fn what_a_standby_heard_while_it_could_not_write_goes_with_its_age() {
    in_a_runtime(async {
        let world = settled_in(scene(2, None)).await;
        cut(&world);
        let (_, standby) = roles(&world);
        let id = InstanceId::new(world.borrow().workers[WORKER].id.clone());
        assert_eq!(failures_in(&world, Duration::from_secs(30)).await, 0);
        let standby = life_of(&world, standby);
        standby.row.cut(true);
        assert_eq!(failures_in(&world, Duration::from_secs(5)).await, 0);
        silence(&world, WORKER);
        assert_eq!(failures_in(&world, Duration::from_secs(6)).await, 0);
        standby.row.cut(false);
        assert_eq!(failures_in(&world, Duration::from_secs(3)).await, 0);
        let (database, now) = {
            let world = world.borrow();
            (world.database.clone(), world.now())
        };
        database.set_database_time(now);
        let life = InstanceLife {
            id,
            incarnation: Incarnation::new(0),
        };
        let lives: Vec<InstanceLife> = (0..200)
            .map(|number| InstanceLife {
                incarnation: Incarnation::new(number),
                ..life.clone()
            })
            .collect();
        let found = database.witnessed(&lives).await.expect("it answers");
        let youngest = found.iter().map(|witness| witness.age).min();
        let youngest = youngest.expect("it was written");
        // Silent for nine seconds, of which it could not be written for six.
        let seconds = youngest.as_secs();
        assert!((9..=13).contains(&seconds), "{youngest:?}");
    });
}

/// One of four workers is gone, two are heard by the standby only; returns how many instances failed once the first
/// one was due.
async fn one_is_gone_and_two_are_out_of_reach(mutation: Option<Mutation>) -> u32 {
    let world = world_of_four(mutation).await;
    let (leader, _) = roles(&world);
    {
        let mut world = world.borrow_mut();
        world.are_members_apart = true;
        for worker in 0..2 {
            world.workers[worker].is_cut_off[leader] = true;
        }
    }
    silence(&world, 2);
    failures_in(&world, thresholds().timeout + Duration::from_secs(5)).await
}

#[test]
fn the_mass_failure_brake_counts_those_that_no_orchestrator_hears() {
    in_a_runtime(async {
        assert_eq!(one_is_gone_and_two_are_out_of_reach(None).await, 1);
        let ignores = Some(Mutation::IgnoresWitnesses);
        let failed = one_is_gone_and_two_are_out_of_reach(ignores).await;
        assert_eq!(failed, 0, "three of four are late: the brake holds them");
    });
}
