//! A model of several orchestrators on one database, checked for every order of events.
//!
//! One stream, two workers, two orchestrators, one database. An orchestrator takes over at any
//! moment: the model has no rule about when, because safety does not rest on it. The orchestrator
//! that led before goes on answering from its memory until the database contradicts it. A request
//! reaches either orchestrator, however late, because a worker has the addresses of both and a network may
//! delay it. Answers are
//! delayed and lost. `docs/LEADERSHIP.md` has the rules and the lemmas.
//!
//! | here | in the program |
//! | --- | --- |
//! | `take_over`, `renew`, `prove` | `crates/domain/src/leadership/` |
//! | `claim`, `learn`, `prove_by_the_other` | `crates/domain/src/leadership/failsafe/` |
//! | `answer`, `beat` | `crates/domain/src/leadership/proof.rs`, `src/actors/instance/actor.rs` |
//! | `adopt`, `give_to_the_other` | `crates/domain/src/commands/{register,confirm,recover}.rs` |
//! | `send`, `hear` | `crates/client/src/machine/mod.rs` |
//!
//! `one runner` is the promise. `leases end in time`, `only the owner runs` and `denials are true` are
//! the lemmas behind it, which hold in every state. The settings below have about 1,900,000 states
//! together; the tests look at all of them in 11 s of one core.
//!
//! Left out: the withdrawal of a lease before its end and overlap streams (`crates/model/tests/model/world`
//! has both), a database that loses transactions, and a released row (its take-over holds all
//! leases like any other).

mod orchestrator;
mod setting;
mod world;

use setting::{Mutation, Setting};
use stateright::{Checker, HasDiscoveries, Model, Property};
use world::{Step, World};

impl Model for Setting {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::beginning()]
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
            Property::always("one runner", |_: &Self, world: &World| world.runners() <= 1),
            Property::always("leases end in time", |_: &Self, world: &World| {
                world.leases_end_in_time()
            }),
            Property::always("only the owner runs", |_: &Self, world: &World| {
                world.only_the_owner_runs()
            }),
            Property::always("denials are true", |_: &Self, world: &World| {
                world.denials_are_true()
            }),
            Property::always("not lost", |setting: &Self, world: &World| {
                // A broken rule is looked for among the runners only: that takes less time.
                setting.mutation != Mutation::None || world.comes_to_run(setting)
            }),
            Property::sometimes("moved", |_: &Self, world: &World| world.workers[1].runs()),
        ]
    }
}

/// No faults but late and lost messages.
const FAIR: Setting = Setting {
    mutation: Mutation::None,
    time_passes: true,
    take_overs: 0,
    moves: 0,
    silences: 0,
    crashes: 0,
    releases: 0,
    lists: 0,
    in_flight: 1,
    late_proofs: false,
    failsafe: false,
};

/// Looks at all states: there are at least as many as `least`, or the model has shrunk.
fn holds(setting: Setting, least: usize) {
    let checker = setting.checker().threads(1).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{setting:?}: {states} states");
    assert!(checker.is_done(), "some states were not looked at");
    for (name, path) in checker.discoveries() {
        assert_eq!(name, "moved", "{path}");
    }
    assert!(checker.discovery("moved").is_some() || setting.crashes > 0);
    assert!(states >= least, "the model has shrunk to {states} states");
}

/// A broken rule violates all of `properties`.
fn is_found(setting: Setting, properties: &[&'static str]) {
    let all = HasDiscoveries::AllOf(properties.iter().copied().collect());
    let checker = setting.checker().threads(1).finish_when(all);
    let found = checker.spawn_bfs().join();
    let mut missing = properties.to_vec();
    missing.retain(|name| found.discovery(name).is_none());
    assert!(missing.is_empty(), "not violated: {missing:?}");
}

const RUNNERS: &str = "one runner";
const LEASES: &str = "leases end in time";
const OWNER: &str = "only the owner runs";

#[test]
fn holds_after_two_take_overs_with_a_move_and_a_silence() {
    let setting = Setting {
        take_overs: 2,
        moves: 1,
        silences: 1,
        ..FAIR
    };
    holds(setting, 400_000);
}

#[test]
fn holds_when_answers_are_late_and_a_worker_falls_silent() {
    let setting = Setting {
        take_overs: 1,
        silences: 1,
        in_flight: 2,
        ..FAIR
    };
    holds(setting, 400_000);
}

#[test]
fn holds_when_answers_are_late_during_moves() {
    let setting = Setting {
        time_passes: false,
        take_overs: 2,
        moves: 2,
        in_flight: 3,
        ..FAIR
    };
    holds(setting, 25_000);
}

#[test]
fn holds_when_proofs_are_late() {
    let setting = Setting {
        take_overs: 2,
        silences: 1,
        late_proofs: true,
        ..FAIR
    };
    holds(setting, 350_000);
}

#[test]
fn holds_when_a_worker_crashes() {
    let setting = Setting {
        take_overs: 1,
        crashes: 1,
        ..FAIR
    };
    holds(setting, 70_000);
}

#[test]
fn holds_when_a_worker_asks_for_its_streams() {
    let setting = Setting {
        take_overs: 1,
        moves: 1,
        lists: 1,
        ..FAIR
    };
    holds(setting, 150_000);
}

#[test]
fn holds_when_releases_are_late() {
    let setting = Setting {
        time_passes: false,
        take_overs: 2,
        moves: 2,
        releases: 1,
        in_flight: 2,
        ..FAIR
    };
    holds(setting, 100_000);
}

#[test]
fn holds_when_registrations_are_late() {
    let setting = Setting {
        time_passes: false,
        take_overs: 2,
        moves: 1,
        crashes: 1,
        in_flight: 2,
        ..FAIR
    };
    holds(setting, 75_000);
}

#[test]
fn holds_when_registrations_and_commands_are_late() {
    let setting = Setting {
        time_passes: false,
        take_overs: 1,
        moves: 1,
        crashes: 1,
        lists: 1,
        in_flight: 2,
        ..FAIR
    };
    holds(setting, 150_000);
}

#[test]
fn holds_when_the_other_orchestrator_confirms_a_leader_without_a_database() {
    let setting = Setting {
        take_overs: 1,
        silences: 1,
        failsafe: true,
        ..FAIR
    };
    holds(setting, 10_000);
}

#[test]
fn holds_when_streams_move_while_a_leader_has_no_database() {
    let setting = Setting {
        time_passes: false,
        take_overs: 2,
        moves: 2,
        crashes: 1,
        failsafe: true,
        ..FAIR
    };
    holds(setting, 10_000);
}

#[test]
fn failsafe_without_the_word_of_the_other_orchestrator_is_found() {
    let setting = Setting {
        mutation: Mutation::FailsafeWithoutAWord,
        take_overs: 1,
        silences: 1,
        failsafe: true,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, LEASES, OWNER]);
}

#[test]
fn a_lease_that_is_not_shortened_is_found() {
    let setting = Setting {
        mutation: Mutation::LeaseNotShortened,
        take_overs: 1,
        silences: 1,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, LEASES]);
}

#[test]
fn telling_without_a_proof_is_found() {
    let setting = Setting {
        mutation: Mutation::TellsWithoutProof,
        time_passes: false,
        take_overs: 1,
        moves: 1,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, OWNER]);
}

#[test]
fn telling_by_a_proof_sent_before_the_request_is_found() {
    let setting = Setting {
        mutation: Mutation::TellsByYoungProof,
        time_passes: false,
        take_overs: 1,
        moves: 1,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, OWNER]);
}

#[test]
fn denying_without_a_proof_is_found() {
    let setting = Setting {
        mutation: Mutation::DeniesWithoutProof,
        time_passes: false,
        take_overs: 1,
        crashes: 1,
        ..FAIR
    };
    is_found(setting, &["denials are true"]);
}

#[test]
fn a_proof_anchored_at_its_answer_is_found() {
    let setting = Setting {
        mutation: Mutation::ProofFromAnswer,
        take_overs: 1,
        silences: 1,
        late_proofs: true,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, LEASES]);
}

#[test]
fn a_command_answered_from_memory_is_found() {
    let setting = Setting {
        mutation: Mutation::CommandFromMemory,
        time_passes: false,
        take_overs: 1,
        moves: 1,
        lists: 1,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, OWNER]);
}

#[test]
fn an_answer_heeded_after_the_worker_gave_up_is_found() {
    let setting = Setting {
        mutation: Mutation::LateAnswerHeeded,
        time_passes: false,
        take_overs: 1,
        moves: 1,
        in_flight: 2,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, OWNER]);
}

#[test]
fn leases_forgotten_at_a_take_over_are_found() {
    let setting = Setting {
        mutation: Mutation::TakeOverForgetsLeases,
        take_overs: 1,
        silences: 1,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, LEASES]);
}

#[test]
fn a_late_release_without_an_epoch_is_found() {
    let setting = Setting {
        mutation: Mutation::ReleaseNamesNoEpoch,
        time_passes: false,
        take_overs: 1,
        moves: 1,
        releases: 1,
        in_flight: 2,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, OWNER]);
}

#[test]
fn a_late_registration_that_ends_the_life_before_is_found() {
    let setting = Setting {
        mutation: Mutation::RegistrationEndsLife,
        crashes: 1,
        time_passes: false,
        take_overs: 1,
        moves: 1,
        in_flight: 2,
        ..FAIR
    };
    is_found(setting, &[RUNNERS, OWNER]);
}
