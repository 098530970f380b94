//! One to four orchestrators on one database, in virtual time: the real actors, the real candidacy and the
//! real machine of the worker library. Each process has its own faulty view of the database, is
//! stopped, woken and killed; workers have a list of all of them.
//!
//! | file | holds |
//! | --- | --- |
//! | `process.rs` | a process that can be stopped and killed |
//! | `node.rs` | what an orchestrator does in one: candidacy, load, office, restart |
//! | `database.rs` | one process's view of the leadership row |
//! | `cables.rs` | the way between two orchestrators |
//! | `worker.rs`, `network.rs`, `wire.rs` | workers, cables, and what HTTP makes of their requests |
//! | `nature.rs` | what goes wrong, and what an operator orders |
//! | `oracle.rs` | what must hold, judged by true time |
//! | `ahead.rs` | a fleet that is read before the term is taken |
//! | `failsafe.rs` | an outage of the database for all |
//! | `witnesses.rs`, `fitness.rs` | workers that only the standby hears |
//! | `doubt.rs`, `overtaken.rs` | what it found, each as a test of its own |

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test says what it found by failing"
)]

mod ahead;
mod cables;
mod database;
mod doubt;
mod failsafe;
#[path = "../faults/mod.rs"]
mod faults;
mod fitness;
#[path = "../support/fleets.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "each test program uses another part of it"
)]
mod fleets;
mod mutations;
mod nature;
mod network;
mod node;
mod oracle;
#[path = "../support/commands.rs"]
mod orders;
mod overtaken;
mod process;
mod run;
mod scene;
#[path = "../simulation/watch.rs"]
#[expect(dead_code, reason = "no classic worker is here")]
mod watch;
mod wire;
mod witnesses;
mod worker;
mod world;

use std::ops::Range;
use std::time::Duration;

use run::simulate;
use scene::Scene;

/// How long things go wrong in one world.
const FAULTS: Duration = Duration::from_secs(20 * 60);

/// How many seeds there are, unless `SIM_SEEDS` says otherwise.
const SEEDS: u64 = 200;

/// A number that is asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "the settings of the simulation; the program's configuration has no part in them"
)]
fn asked_for(name: &str) -> Option<u64> {
    let number = std::env::var(name).ok()?;
    let number = number.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is a number")))
}

/// One eighth of all seeds: eight tests run beside each other.
fn eighth(part: u64) -> Range<u64> {
    let all = asked_for("SIM_SEEDS").unwrap_or(SEEDS);
    all * part / 8..all * (part + 1) / 8
}

/// How many orchestrators the world of a seed has: most often two, as most fleets.
fn orchestrators(seed: u64) -> usize {
    match seed % 10 {
        0 => 1,
        1..=5 => 2,
        6..=8 => 3,
        _ => 4,
    }
}

fn run_all(seeds: Range<u64>) {
    let seeds = asked_for("SIM_SEED").map_or(seeds, |seed| seed..seed + 1);
    for seed in seeds {
        let scene = Scene {
            orchestrators: orchestrators(seed),
            ..Scene::usual(seed, FAULTS)
        };
        match simulate(scene) {
            Ok(summary) => println!("seed {seed}: {summary}, ok"),
            Err(violation) => panic!(
                "seed {seed}: {violation}\nrun it alone: \
                 SIM_SEED={seed} cargo nextest run --test leaders first"
            ),
        }
    }
}

#[test]
fn first_eighth_of_the_seeds() {
    run_all(eighth(0));
}

#[test]
fn second_eighth_of_the_seeds() {
    run_all(eighth(1));
}

#[test]
fn third_eighth_of_the_seeds() {
    run_all(eighth(2));
}

#[test]
fn fourth_eighth_of_the_seeds() {
    run_all(eighth(3));
}

#[test]
fn fifth_eighth_of_the_seeds() {
    run_all(eighth(4));
}

#[test]
fn sixth_eighth_of_the_seeds() {
    run_all(eighth(5));
}

#[test]
fn seventh_eighth_of_the_seeds() {
    run_all(eighth(6));
}

#[test]
fn last_eighth_of_the_seeds() {
    run_all(eighth(7));
}
