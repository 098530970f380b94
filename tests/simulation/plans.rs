//! Planned work among the disasters: an exclusive stream of a leased worker never has two runners because
//! of it.

use std::time::Duration;

use crate::run::simulate;
use crate::scene::{Scene, Weather};

/// How long things go wrong in one world.
const FAULTS: Duration = Duration::from_secs(30 * 60);

fn scene(seed: u64, weather: Weather) -> Scene {
    Scene {
        weather,
        plans: true,
        ..Scene::usual(seed, FAULTS)
    }
}

#[test]
fn planned_work_among_the_disasters_doubles_no_exclusive_stream_of_a_leased_worker() {
    for weather in [Weather::Foul, Weather::AtTheEdge] {
        for seed in 0..8 {
            let outcome = simulate(scene(seed, weather));
            match outcome {
                Ok(outcome) => println!("seed {seed}, {weather:?}: {}", outcome.summary),
                Err(violation) => panic!("seed {seed}, {weather:?}: {violation}"),
            }
        }
    }
}
