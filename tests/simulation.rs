//! A seeded world in virtual time: the real actors, a store that fails, classic workers that
//! crash, hang and lose their network, an operator who changes things, and an orchestrator that
//! stands still or is killed at any moment. One thread, no real time, no chance outside the seed.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it found by failing"
)]

#[path = "simulation/checks.rs"]
mod checks;
mod faults;
#[path = "simulation/history.rs"]
mod history;
#[path = "simulation/life.rs"]
mod life;
#[path = "simulation/nature.rs"]
mod nature;
#[path = "simulation/operator.rs"]
mod operator;
#[path = "simulation/run.rs"]
mod run;
#[path = "simulation/standstill.rs"]
mod standstill;
#[path = "simulation/worker.rs"]
mod worker;
#[path = "simulation/world.rs"]
mod world;

use std::ops::Range;

use faults::Flaw;
use run::{Outcome, simulate, simulate_with};
use world::World;

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
    for seed in seeds {
        match simulate(seed) {
            Ok(Outcome { summary, .. }) => println!("seed {seed}: {summary}, ok"),
            Err(violation) => panic!(
                "seed {seed}: {violation}\nrun it alone: \
                 SIM_SEED={seed} cargo nextest run --test simulation first"
            ),
        }
    }
}

#[test]
fn first_quarter_of_the_seeds() {
    run_all(0..10);
}

#[test]
fn second_quarter_of_the_seeds() {
    run_all(10..20);
}

#[test]
fn third_quarter_of_the_seeds() {
    run_all(20..30);
}

#[test]
fn last_quarter_of_the_seeds() {
    run_all(30..40);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let first = simulate(7).unwrap();
    let second = simulate(7).unwrap();
    assert_eq!(first.events, second.events, "how many events");
    assert_eq!(first.hash, second.hash, "every event, in order");
    assert_ne!(first.hash, simulate(8).unwrap().hash);
}

/// The simulation is worth something only if it notices.
fn is_noticed(flaw: Flaw) {
    let violation = violation_in(|world| world.store.set_flaw(flaw));
    println!("{flaw:?} was noticed: {violation}");
}

fn violation_in(spoil: impl Fn(&mut World)) -> String {
    let noticed = (0..10).find_map(|seed| simulate_with(seed, &spoil).err());
    noticed.expect("ten seeds passed in a broken world")
}

#[test]
fn a_store_that_loses_places_is_noticed() {
    is_noticed(Flaw::LosesPlaces);
}

#[test]
fn a_store_that_forgets_what_it_acknowledged_is_noticed() {
    is_noticed(Flaw::ForgetsSave);
}

#[test]
fn a_store_whose_defeated_writes_land_is_noticed() {
    is_noticed(Flaw::DefeatedWritesLand);
}

#[test]
fn a_store_that_denies_what_it_committed_is_noticed() {
    is_noticed(Flaw::DeniesCommitted);
}

#[test]
fn an_orchestrator_that_counts_its_own_standstills_is_noticed() {
    let violation = violation_in(|world| world.counts_standstills = true);
    assert!(violation.contains("I6"), "{violation}");
}
