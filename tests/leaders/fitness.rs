//! A leader that renews its row, and hears few workers: it hands over to a standby that hears many, and to no other.

use std::time::Duration;

use resilient_orchestrator::domain::ids::InstanceId;
use resilient_orchestrator::domain::leadership::{EchoedBeat, TakeOverCause};
use resilient_orchestrator::store::Leadership;

use crate::failsafe::settled_in;
use crate::run::{idle_streams, in_a_runtime, is_led};
use crate::scene::{Mutation, Scene};
use crate::witnesses::{failures_in, life_of, roles, silence};
use crate::world::{Shared, World, thresholds};

fn terms(world: &Shared) -> usize {
    world.borrow().truth.count()
}

/// A world with four workers.
pub(crate) async fn world_of_four(mutation: Option<Mutation>) -> Shared {
    let scenes = (0..).map(|seed| Scene {
        mutation,
        ..Scene::usual(seed, Duration::ZERO)
    });
    let mut scenes = scenes.filter(|scene| World::new(*scene).workers.len() == 4);
    settled_in(scenes.next().expect("some seed has four")).await
}

#[test]
fn a_leader_cut_off_from_workers_and_members_hands_over_and_nothing_fails() {
    for seed in 0..4 {
        in_a_runtime(async move {
            let world = settled_in(Scene::usual(seed, Duration::ZERO)).await;
            let before = terms(&world);
            let (leader, standby) = roles(&world);
            {
                let mut world = world.borrow_mut();
                world.are_members_apart = true;
                for worker in &mut world.workers {
                    worker.is_cut_off[leader] = true;
                }
            }
            assert_eq!(failures_in(&world, Duration::from_secs(25)).await, 0);
            assert_eq!(terms(&world), before + 1, "seed {seed}: handed over");
            assert!(is_led(&world.borrow()));
            let took_over = life_of(&world, standby).view.now().took_over;
            let cause = took_over.map(|took_over| took_over.cause);
            assert_eq!(cause, Some(TakeOverCause::Fitness), "seed {seed}");
            let long = thresholds().timeout * 10;
            assert_eq!(failures_in(&world, long).await, 0, "seed {seed}");
            assert_eq!(terms(&world), before + 1, "seed {seed}: not back again");
            assert!(idle_streams(&world.borrow()).is_empty(), "seed {seed}");
        });
    }
}

/// Of four workers one lives, and only the standby hears it; returns how many terms begin within two thirds of
/// the timeout.
async fn one_of_four_lives(mutation: Option<Mutation>) -> usize {
    let world = world_of_four(mutation).await;
    let before = terms(&world);
    let (leader, _) = roles(&world);
    {
        let mut world = world.borrow_mut();
        world.are_members_apart = true;
        world.workers[0].is_cut_off[leader] = true;
    }
    for dead in 1..4 {
        silence(&world, dead);
    }
    failures_in(&world, thresholds().timeout * 2 / 3).await;
    terms(&world) - before
}

#[test]
fn a_standby_that_hears_less_than_half_of_those_that_serve_does_not_lead() {
    in_a_runtime(async {
        assert_eq!(one_of_four_lives(None).await, 0);
    });
}

#[test]
fn counts_that_pass_for_more_than_half_are_noticed() {
    in_a_runtime(async {
        let inflates = Some(Mutation::InflatesHears);
        assert_eq!(one_of_four_lives(inflates).await, 1);
    });
}

/// The orchestrators are cut off from these workers of four; returns how many terms begin in that time.
async fn cut_off_from(workers: [&[usize]; 2], mutation: Option<Mutation>, time: Duration) -> usize {
    let world = world_of_four(mutation).await;
    let before = terms(&world);
    {
        let mut world = world.borrow_mut();
        world.are_members_apart = true;
        for (node, workers) in workers.into_iter().enumerate() {
            for worker in workers {
                world.workers[*worker].is_cut_off[node] = true;
            }
        }
    }
    let failed = failures_in(&world, time).await;
    assert_eq!(failed, 0, "a hand-over is the silence of no instance");
    terms(&world) - before
}

#[test]
fn heartbeats_of_names_that_no_instance_has_depose_no_leader() {
    in_a_runtime(async {
        let world = world_of_four(None).await;
        let before = terms(&world);
        let (_, standby) = roles(&world);
        world.borrow_mut().are_members_apart = true;
        let view = life_of(&world, standby).view;
        let count = i64::try_from(thresholds().timeout.as_secs()).unwrap_or(0);
        for _ in 0..count {
            for stranger in 0..100 {
                view.echoes().keep(EchoedBeat {
                    id: InstanceId::new(format!("stranger-{stranger}")),
                    incarnation: None,
                    came: view.moment(),
                });
            }
            failures_in(&world, Duration::from_secs(1)).await;
        }
        assert_eq!(terms(&world), before);
        let database = world.borrow().database.clone();
        let members = database.members().await.expect("it answers");
        assert!(members.iter().any(|member| member.reach.hears >= 100));
    });
}

#[test]
fn a_standby_that_hears_no_more_than_the_leader_does_not_lead() {
    in_a_runtime(async {
        let time = thresholds().timeout * 10;
        assert_eq!(cut_off_from([&[0], &[1]], None, time).await, 0);
    });
}

#[test]
fn orchestrators_that_take_each_other_for_fitter_hand_over_once_in_a_while() {
    in_a_runtime(async {
        // Each one hears one worker, and reads that the other one hears all.
        let time = thresholds().timeout * 10;
        let inflates = Some(Mutation::InflatesHears);
        let changes = cut_off_from([&[0, 1, 2], &[0, 1, 3]], inflates, time).await;
        let most = time.as_secs() / thresholds().warning.as_secs() + 1;
        assert!(changes >= 2, "they go to and fro: {changes}");
        assert!(changes as u64 <= most, "{changes} of {most}");
    });
}
