//! The simulation is worth something only if it notices: each invariant and each rule of the
//! leases is broken on purpose, and must be missed within a few seeds, under its own name.

use std::time::Duration;

use crate::faults::{Flaw, Rot};
use crate::run::simulate;
use crate::scene::{Mutation, Scene, Weather};

const FAULTS: Duration = Duration::from_secs(20 * 60);

/// The program itself notices, too, when it writes next.
const STORE: [&str; 2] = ["I7", "the database is not as this orchestrator left it"];

/// Two of them run it, or write what they made of it, whichever is seen first.
const LEASES: [&str; 2] = ["lease: two run", "still wrote to stream"];

/// Seeds that may pass before somebody notices. Most rules are noticed by the first; a lease counted
/// from the answer is wrong by one answer's way, which matters in one world of a hundred.
const PATIENCE: u64 = 200;

fn is_noticed_with(weather: Weather, mutation: Mutation, signs: &[&str]) {
    let noticed = (0..PATIENCE).find_map(|seed| {
        let scene = Scene {
            weather,
            mutation: Some(mutation),
            ..Scene::usual(seed, FAULTS)
        };
        simulate(scene).err().map(|violation| (seed, violation))
    });
    let Some((seed, violation)) = noticed else {
        panic!("{PATIENCE} seeds passed with {mutation:?}");
    };
    println!("{mutation:?} was noticed by seed {seed}: {violation}");
    let is_known = signs.iter().any(|sign| violation.contains(sign));
    assert!(is_known, "{signs:?} expected: {violation}");
}

fn is_noticed(mutation: Mutation, signs: &[&str]) {
    is_noticed_with(Weather::Foul, mutation, signs);
}

#[test]
fn i1_a_counter_of_epochs_that_went_back_is_noticed() {
    is_noticed(Mutation::Edited(Rot::RewindsEpochs), &["I1"]);
}

#[test]
fn i2_an_owner_with_less_room_than_streams_is_noticed() {
    is_noticed(Mutation::Edited(Rot::TakesRoom), &["I2"]);
}

#[test]
fn i2_a_worker_that_runs_more_than_it_can_is_noticed() {
    is_noticed(Mutation::ClaimsTooMuchRoom, &["I2"]);
}

#[test]
fn i3_a_stream_that_is_nowhere_is_noticed() {
    is_noticed(Mutation::Edited(Rot::HidesStream), &["I3"]);
}

#[test]
fn i4_a_recovery_that_moves_a_stream_of_somebody_else_is_noticed() {
    is_noticed(Mutation::Store(Flaw::InventsMoves), &["I4"]);
}

#[test]
fn i5_an_owner_that_has_failed_is_noticed() {
    is_noticed(Mutation::Edited(Rot::FailsOwner), &["I5"]);
}

#[test]
fn i6_an_orchestrator_that_does_not_wait_as_agreed_is_noticed() {
    // It also retries quarantined streams too early, which may be seen first.
    is_noticed(Mutation::Impatient, &["I6", "quarantine: stream"]);
}

#[test]
fn i6_an_orchestrator_that_counts_its_own_standstills_is_noticed() {
    is_noticed(Mutation::CountsStandstills, &["I6"]);
}

#[test]
fn i7_a_store_that_loses_places_is_noticed() {
    is_noticed(Mutation::Store(Flaw::LosesPlaces), &["I7"]);
}

#[test]
fn i7_a_store_that_forgets_what_it_acknowledged_is_noticed() {
    is_noticed(Mutation::Store(Flaw::ForgetsSave), &STORE);
}

#[test]
fn i7_a_store_whose_defeated_writes_land_is_noticed() {
    // The events of such a write tell of a stream what memory does not know of it.
    let signs = [STORE[0], STORE[1], "I1: stream"];
    is_noticed(Mutation::Store(Flaw::DefeatedWritesLand), &signs);
}

#[test]
fn i7_a_store_that_denies_what_it_committed_is_noticed() {
    is_noticed(Mutation::Store(Flaw::DeniesCommitted), &STORE);
}

#[test]
fn i8_a_recovery_that_never_ends_is_noticed() {
    is_noticed(Mutation::Store(Flaw::KeepsIncidentsOpen), &["I8"]);
}

/// The control of those below: at the very edge of what the limits forgive, nothing is wrong.
#[test]
fn lease_clocks_just_true_enough_are_forgiven() {
    for seed in 0..20 {
        let scene = Scene {
            weather: Weather::AtTheEdge,
            ..Scene::usual(seed, FAULTS)
        };
        if let Err(violation) = simulate(scene) {
            panic!("seed {seed}: {violation}");
        }
    }
}

#[test]
fn lease_without_a_margin_for_slow_clocks_is_noticed() {
    is_noticed_with(Weather::AtTheEdge, Mutation::NoMargin, &LEASES);
}

#[test]
fn lease_counted_from_the_answer_is_noticed() {
    // In a world where no other worker was given the stream, the worker does not run what it owns when
    // everything has settled.
    let signs = [LEASES[0], LEASES[1], ", and holds ["];
    is_noticed_with(Weather::AtTheEdge, Mutation::CountsFromTheAnswer, &signs);
}

#[test]
fn lease_that_no_worker_keeps_is_noticed() {
    // In a world where no other worker was given the stream, the worker runs what it does not own
    // when everything has settled.
    let signs = [LEASES[0], LEASES[1], ", and holds ["];
    is_noticed_with(Weather::AtTheEdge, Mutation::NeverStops, &signs);
}

#[test]
fn lease_that_an_orchestrator_forgets_is_noticed() {
    is_noticed_with(
        Weather::AtTheEdge,
        Mutation::Edited(Rot::ForgetsLeases),
        &LEASES,
    );
}

/// The returns of a stream that no worker can start are forgotten with each restart, and most of these
/// worlds notice that. The same worlds hold without the mutation.
#[test]
fn a_stream_that_nobody_can_start_and_that_is_forgotten_is_noticed() {
    const WORLDS: u64 = 8;
    let mut noticed = 0;
    for seed in 0..WORLDS {
        let sound = Scene {
            weather: Weather::OneIsBroken,
            ..Scene::usual(seed, Duration::from_secs(10 * 60))
        };
        if let Err(violation) = simulate(sound) {
            panic!("seed {seed}: {violation}");
        }
        let mutated = Scene {
            mutation: Some(Mutation::Edited(Rot::ForgetsReturns)),
            ..sound
        };
        if let Err(violation) = simulate(mutated) {
            println!("seed {seed}: {violation}");
            assert!(violation.contains("given back: stream"), "{violation}");
            noticed += 1;
        }
    }
    println!("{noticed} of {WORLDS}");
    assert!(noticed >= 6, "{noticed} of {WORLDS}");
}

/// Of these twenty worlds most quarantine a stream, and each that does so too late is noticed. The same
/// worlds hold without the mutation.
#[test]
fn a_stream_that_is_given_to_a_fourth_owner_is_noticed() {
    let mut noticed = 0;
    for seed in 0..20 {
        let usual = Scene::usual(seed, FAULTS);
        if let Err(violation) = simulate(usual) {
            panic!("seed {seed}: {violation}");
        }
        let mutated = Scene {
            mutation: Some(Mutation::TakesAFourth),
            ..usual
        };
        if let Err(violation) = simulate(mutated) {
            assert!(violation.contains("quarantine: stream"), "{violation}");
            noticed += 1;
        }
    }
    println!("{noticed} of 20");
    assert!(noticed >= 15, "{noticed} of 20");
}

/// Nothing goes wrong but that one stream ends each worker that runs it.
fn with_poison(seed: u64, mutation: Option<Mutation>) -> Scene {
    Scene {
        weather: Weather::Fair,
        poisons: true,
        mutation,
        ..Scene::usual(seed, Duration::from_secs(20 * 60))
    }
}

/// Whether a program quarantines is seen without what it says about it: by the workers that the stream
/// has ended.
#[test]
fn a_poisonous_stream_that_is_never_quarantined_is_noticed() {
    let mut noticed = 0;
    for seed in 0..12 {
        if let Err(violation) = simulate(with_poison(seed, None)) {
            panic!("seed {seed}: {violation}");
        }
        if let Err(violation) = simulate(with_poison(seed, Some(Mutation::NeverQuarantines))) {
            assert!(violation.contains("gets stream 2"), "{violation}");
            noticed += 1;
        }
    }
    println!("{noticed} of 12");
    assert!(noticed >= 5, "{noticed} of 12");
}

#[test]
fn hand_over_confirmed_by_a_worker_that_has_not_stopped_is_noticed() {
    is_noticed_with(Weather::AtTheEdge, Mutation::ConfirmsTooEarly, &LEASES);
}

#[test]
fn an_orchestrator_that_moves_many_streams_at_once_for_balance_is_noticed() {
    is_noticed(Mutation::Stampedes, &["pace"]);
}

/// Seeds of worlds with planned work, with and without a fault in it.
const PLANNED_SEEDS: std::ops::Range<u64> = 0..20;

/// How long things go wrong in each of them.
const PLANNED_FAULTS: Duration = Duration::from_secs(10 * 60);

fn with_plans(seed: u64, mutation: Option<Mutation>) -> Scene {
    Scene {
        weather: Weather::AtTheEdge,
        plans: true,
        drains_often: true,
        mutation,
        ..Scene::usual(seed, PLANNED_FAULTS)
    }
}

/// The fault is noticed by at least so many of the seeds, and always under one of these signs.
fn is_noticed_in_planned_work(mutation: Mutation, least: usize, signs: &[&str]) {
    let mut noticed = 0;
    for seed in PLANNED_SEEDS {
        let Err(violation) = simulate(with_plans(seed, Some(mutation))) else {
            continue;
        };
        println!("{mutation:?} was noticed by seed {seed}: {violation}");
        let is_known = signs.iter().any(|sign| violation.contains(sign));
        assert!(is_known, "{signs:?} expected: {violation}");
        noticed += 1;
    }
    println!("{mutation:?} was noticed by {noticed} seeds");
    assert!(noticed >= least, "{noticed} of {PLANNED_SEEDS:?} seeds");
}

/// The control of those below.
#[test]
fn planned_work_without_a_fault_is_accepted() {
    for seed in PLANNED_SEEDS {
        if let Err(violation) = simulate(with_plans(seed, None)) {
            panic!("seed {seed}: {violation}");
        }
    }
}

#[test]
fn a_drain_that_takes_streams_before_they_are_released_is_noticed() {
    is_noticed_in_planned_work(Mutation::TakesBeforeRelease, 8, &LEASES);
}

#[test]
fn a_drain_that_is_over_before_its_streams_have_confirmed_owners_is_noticed() {
    is_noticed_in_planned_work(Mutation::DrainedTooEarly, 16, &["drain: "]);
}
