//! A seeded world in virtual time: the real actors, a store that fails, classic workers and leased
//! ones that crash, hang and lose their network, an operator who changes things, and an
//! orchestrator that stands still or is killed at any moment. One thread, no real time, no chance
//! outside the seed.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it found by failing"
)]

mod checks;
mod drained;
#[path = "../faults/mod.rs"]
mod faults;
mod history;
mod leased;
mod life;
mod mutations;
mod nature;
mod network;
mod operator;
#[path = "../support/commands.rs"]
mod orders;
mod planned;
mod plans;
mod quarantined;
mod report;
mod returned;
mod run;
mod scene;
mod standstill;
mod watch;
mod wire;
mod worker;
mod world;

use std::ops::Range;
use std::time::Duration;

use report::Report;
use run::{Outcome, simulate};
use scene::{Scene, Weather};
use watch::Class;
use world::INTERVAL;

/// How long things go wrong in one world.
const FAULTS: Duration = Duration::from_secs(60 * 60);

/// The seed to run alone, if one is asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "the one setting of the simulation; the program's configuration has no part in it"
)]
fn chosen_seed() -> Option<u64> {
    let seed = std::env::var("SIM_SEED").ok()?;
    Some(seed.parse().expect("SIM_SEED is a number"))
}

fn run_all(seeds: Range<u64>) {
    let seeds = chosen_seed().map_or(seeds, |seed| seed..seed + 1);
    let mut report = Report::default();
    for seed in seeds {
        let outcome = simulate(Scene::usual(seed, FAULTS));
        match &outcome {
            Ok(Outcome { summary, .. }) => println!("seed {seed}: {summary}, ok"),
            Err(violation) => panic!(
                "seed {seed}: {violation}\nrun it alone: \
                 SIM_SEED={seed} cargo nextest run --test simulation first"
            ),
        }
        report.add(seed, outcome);
    }
    println!("{report}");
}

#[test]
fn first_quarter_of_the_seeds() {
    run_all(0..13);
}

#[test]
fn second_quarter_of_the_seeds() {
    run_all(13..26);
}

#[test]
fn third_quarter_of_the_seeds() {
    run_all(26..38);
}

#[test]
fn last_quarter_of_the_seeds() {
    run_all(38..50);
}

/// Without faults two run a stream only for as long as the one that loses it has not heard of it:
/// until its next heartbeat, or its next look at what it holds.
#[test]
fn in_fair_weather_two_run_a_stream_only_until_the_next_word() {
    let mut report = Report::default();
    for seed in 0..10 {
        let scene = Scene {
            weather: Weather::Fair,
            ..Scene::usual(seed, Duration::from_secs(10 * 60))
        };
        let outcome = simulate(scene).unwrap_or_else(|violation| panic!("{seed}: {violation}"));
        for (class, bound) in [
            (Class::Exclusive, 0.0),
            (Class::Woken, 0.0),
            (Class::Overlap, 2.0 * INTERVAL.as_secs_f64()),
            (Class::Classic, 2.0 * INTERVAL.as_secs_f64()),
        ] {
            let lasted = outcome.tally.doubled.get(&class).into_iter().flatten();
            let longest = lasted.copied().fold(0.0, f64::max);
            assert!(longest <= bound, "seed {seed}: {class} for {longest} s");
        }
        report.add(seed, Ok(outcome));
    }
    println!("{report}");
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let simulate = |seed| simulate(Scene::usual(seed, FAULTS / 4)).unwrap();
    let first = simulate(7);
    let second = simulate(7);
    assert_eq!(first.events, second.events, "how many events");
    assert_eq!(first.hash, second.hash, "every event, in order");
    assert_ne!(first.hash, simulate(8).hash);
}
