//! A model of leases and hand-overs, checked for every order in which things can happen.
//!
//! One stream, two workers whose clocks may drift as far as the margin allows, one orchestrator, and
//! a network that delays, loses, duplicates and reorders heartbeats and their answers. Workers and
//! orchestrator crash; the orchestrator keeps what the program saves (owner, epoch, what is to be
//! let go of, withdrawn leases, lives, versions) and forgets what it only remembers (silence,
//! granted leases). Beside that there are silences, planned moves and reported failures. How often
//! each happens is limited; time is not, so the states are finite and all of them are looked at.
//!
//! | here | in the program |
//! | --- | --- |
//! | `beat`, `look`, `withdraw` | `src/actors/instance/actor.rs`, `crates/domain/src/lease/`, `crates/domain/src/commands/lease.rs` |
//! | `let_go`, `begin_move`, `end_overlap` | `crates/domain/src/fleet/placement.rs`, `crates/domain/src/lease/release.rs`, `crates/domain/src/commands/{confirm,relocate}.rs` |
//! | `register`, `start` | `crates/domain/src/commands/register.rs`, `src/actors/start.rs` |
//! | `send`, `hear`, the stop in `tick` | `crates/client/src/machine/mod.rs` |
//!
//! Left out: capacity (two workers have room for one stream), classic workers (nothing is promised of
//! them), suspended workers (who sleeps runs nothing, and looks at its clock when it wakes), two
//! processes of one name (`tests/actors/identity.rs`). One message is on its way at a time, which
//! still may be late, lost, doubled and overtaken by everything that is not a message. The
//! program's own code is tried against the same disasters, one order at a time, by
//! `tests/simulation/main.rs`.

#![expect(
    clippy::print_stdout,
    reason = "how many states were looked at is worth knowing"
)]

mod leaders;
mod loss;
mod world;

use stateright::{Checker, HasDiscoveries, Model, Property};
use world::{Mutation, Setting, Step, World};

impl Model for Setting {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        World::beginnings()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Step>) {
        actions.extend(world.steps(self));
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        next.take(step, self);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one runner", |setting: &Self, world: &World| {
                setting.overlap || world.runners() <= 1
            }),
            Property::always("epochs grow", |_: &Self, world: &World| {
                let mut running = world.workers.iter().filter_map(|worker| worker.running);
                let epochs = (running.next(), running.next());
                let differ = epochs.1.is_none() || epochs.0 != epochs.1;
                differ
                    && world
                        .workers
                        .iter()
                        .all(|worker| worker.running <= Some(world.epoch))
            }),
            Property::always("not lost", |setting: &Self, world: &World| {
                world.comes_to_run(setting)
            }),
            Property::sometimes("moved", |_: &Self, world: &World| {
                world.workers[1].running.is_some()
            }),
        ]
    }
}

/// No faults. A message may always be late or lost.
const FAIR: Setting = Setting {
    mutation: Mutation::None,
    overlap: false,
    silences: 0,
    moves: 0,
    reports: 0,
    worker_crashes: 0,
    orchestrator_crashes: 0,
    duplicates: 0,
    in_flight: 1,
};

/// Looks at all states: there are at least as many as `least`, or the model has shrunk.
fn holds(setting: Setting, least: usize) {
    let checker = setting.checker().threads(1).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{setting:?}: {states} states");
    assert!(checker.is_done(), "some states were not looked at");
    assert!(states >= least, "the model has shrunk to {states} states");
    for (name, path) in checker.discoveries() {
        assert_eq!(name, "moved", "{path}");
    }
}

/// A broken rule violates one of `properties`.
fn is_found(setting: Setting, properties: &[&str]) {
    let failures = HasDiscoveries::AnyFailures;
    let checker = setting.checker().threads(1).finish_when(failures);
    let found = checker.spawn_bfs().join().discoveries();
    let mut violated: Vec<&str> = found.keys().copied().collect();
    violated.retain(|property| *property != "moved");
    let is_known = violated.iter().any(|name| properties.contains(name));
    assert!(is_known, "{properties:?} expected: {violated:?}");
}

#[test]
fn holds_in_fair_weather() {
    holds(FAIR, 150_000);
}

#[test]
fn holds_when_a_worker_falls_silent() {
    holds(
        Setting {
            silences: 1,
            ..FAIR
        },
        800_000,
    );
}

#[test]
fn holds_when_the_stream_is_moved() {
    holds(Setting { moves: 1, ..FAIR }, 700_000);
}

#[test]
fn holds_when_an_overlap_stream_is_moved() {
    let setting = Setting {
        moves: 1,
        overlap: true,
        ..FAIR
    };
    holds(setting, 100_000);
}

#[test]
fn holds_when_a_failure_is_reported() {
    holds(Setting { reports: 1, ..FAIR }, 3_000_000);
}

#[test]
fn holds_when_a_worker_crashes() {
    let setting = Setting {
        worker_crashes: 1,
        ..FAIR
    };
    holds(setting, 700_000);
}

#[test]
fn holds_when_the_orchestrator_crashes() {
    let setting = Setting {
        orchestrator_crashes: 1,
        ..FAIR
    };
    holds(setting, 500_000);
}

#[test]
fn holds_when_a_message_comes_twice_during_a_move() {
    let setting = Setting {
        moves: 1,
        duplicates: 1,
        ..FAIR
    };
    holds(setting, 1_000_000);
}

#[test]
fn holds_when_the_orchestrator_crashes_during_a_move() {
    let setting = Setting {
        moves: 1,
        orchestrator_crashes: 1,
        ..FAIR
    };
    holds(setting, 1_000_000);
}

#[test]
fn holds_when_a_worker_crashes_during_a_move() {
    let setting = Setting {
        moves: 1,
        worker_crashes: 1,
        ..FAIR
    };
    holds(setting, 1_000_000);
}

const RUNNERS: [&str; 1] = ["one runner"];

#[test]
fn no_margin_is_found() {
    let setting = Setting {
        mutation: Mutation::NoMargin,
        reports: 1,
        ..FAIR
    };
    is_found(setting, &RUNNERS);
}

#[test]
fn giving_away_at_once_is_found() {
    let setting = Setting {
        mutation: Mutation::GivesAwayAtOnce,
        reports: 1,
        ..FAIR
    };
    is_found(setting, &RUNNERS);
}

#[test]
fn leases_forgotten_at_a_start_are_found() {
    let setting = Setting {
        mutation: Mutation::ForgetsLeases,
        reports: 1,
        orchestrator_crashes: 1,
        ..FAIR
    };
    is_found(setting, &RUNNERS);
}

#[test]
fn a_hand_over_forgotten_at_a_start_is_found() {
    let setting = Setting {
        mutation: Mutation::ForgetsHandover,
        moves: 1,
        orchestrator_crashes: 1,
        ..FAIR
    };
    is_found(setting, &["one runner", "not lost"]);
}

#[test]
fn moving_at_once_is_found() {
    let setting = Setting {
        mutation: Mutation::MovesAtOnce,
        moves: 1,
        ..FAIR
    };
    is_found(setting, &RUNNERS);
}

#[test]
fn a_lease_counted_from_the_answer_is_found() {
    let setting = Setting {
        mutation: Mutation::LeaseFromAnswer,
        reports: 1,
        ..FAIR
    };
    is_found(setting, &RUNNERS);
}

#[test]
fn confirming_before_stopping_is_found() {
    let setting = Setting {
        mutation: Mutation::ConfirmsBeforeItStops,
        moves: 1,
        ..FAIR
    };
    is_found(setting, &RUNNERS);
}

#[test]
fn never_stopping_is_found() {
    let setting = Setting {
        mutation: Mutation::NeverStops,
        silences: 1,
        ..FAIR
    };
    is_found(setting, &RUNNERS);
}

#[test]
fn an_epoch_used_twice_is_found() {
    let setting = Setting {
        mutation: Mutation::ReusesEpochs,
        overlap: true,
        moves: 1,
        ..FAIR
    };
    is_found(setting, &["epochs grow"]);
}

#[test]
fn a_lost_orphan_is_found() {
    let setting = Setting {
        mutation: Mutation::LosesOrphans,
        reports: 2,
        ..FAIR
    };
    is_found(setting, &["not lost"]);
}
