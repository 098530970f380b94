//! Planned work among the disasters: an exclusive stream of a leased worker never has two runners because
//! of it.

use std::time::Duration;

use crate::faults::Rot;
use crate::run::simulate;
use crate::scene::{Mutation, Scene, Weather};

/// How long things go wrong in one world.
const FAULTS: Duration = Duration::from_secs(30 * 60);

fn scene(seed: u64, weather: Weather, mutation: Option<Mutation>) -> Scene {
    Scene {
        weather,
        mutation,
        plans: true,
        ..Scene::usual(seed, FAULTS)
    }
}

#[test]
fn planned_work_among_the_disasters_doubles_no_exclusive_stream_of_a_leased_worker() {
    for weather in [Weather::Foul, Weather::AtTheEdge] {
        for seed in 0..8 {
            let outcome = simulate(scene(seed, weather, None));
            if let Err(violation) = outcome {
                panic!("seed {seed}, {weather:?}: {violation}");
            }
        }
    }
}

/// The streams of moves under way are given to their targets while their owners may run them.
#[test]
fn a_planned_move_that_does_not_wait_for_its_owner_is_noticed() {
    let mutation = Some(Mutation::Edited(Rot::SkipsHandOvers));
    let signs = ["lease: two run", "still wrote to stream"];
    let noticed = (0..200).find_map(|seed| {
        let outcome = simulate(scene(seed, Weather::AtTheEdge, mutation));
        outcome.err().map(|violation| (seed, violation))
    });
    let (seed, violation) = noticed.unwrap_or_else(|| panic!("no seed noticed it"));
    println!("noticed by seed {seed}: {violation}");
    assert!(
        signs.iter().any(|sign| violation.contains(sign)),
        "{violation}"
    );
}
