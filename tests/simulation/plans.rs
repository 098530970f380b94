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

/// In none of the worlds of this weather two leased workers run an exclusive stream.
fn doubles_nothing(weather: Weather) {
    for seed in 0..8 {
        match simulate(scene(seed, weather)) {
            Ok(outcome) => println!("seed {seed}, {weather:?}: {}", outcome.summary),
            Err(violation) => panic!("seed {seed}, {weather:?}: {violation}"),
        }
    }
}

#[test]
fn planned_work_among_the_disasters_doubles_no_exclusive_stream_of_a_leased_worker() {
    doubles_nothing(Weather::Foul);
}

#[test]
fn planned_work_at_the_edge_doubles_no_exclusive_stream_of_a_leased_worker() {
    doubles_nothing(Weather::AtTheEdge);
}
