//! A model of a fail-over of the database that loses changes, checked for every order of events.
//!
//! One stream, two workers, two or three orchestrators, a primary of the database and a standby that streams from it. The
//! standby stops streaming at any moment and is promoted at any moment, once or twice, so any beginning of the
//! history survives. An orchestrator takes over at any moment. The leader lives through the promotion, ends with the
//! primary or in the middle of what it writes again, or is cut off and goes on answering. Workers hear what they are
//! told, or do not. A change has no answer, and happened or did not. The primary before goes on answering looks.
//!
//! | here | in the program |
//! | --- | --- |
//! | `Database::take_over`, `Fleet::renumber` | `crates/domain/src/leadership/takeover.rs` decides; `src/store/postgres/leading.rs` |
//! | `decide`, `claim`, `write`, `go_on` | `crates/domain/src/leadership/{promotion,recent}.rs` decide; `src/actors/leadership/promoted.rs`, `src/actors/fleet/holding.rs` |
//! | `beat` | `crates/domain/src/heartbeat_outcome.rs`, `crates/domain/src/lease/grant.rs` decide |
//! | `frozen_for` | `crates/domain/src/leadership/loss.rs` decides |
//! | `settle`, `settle_by` | `src/store/postgres/operations.rs`, `src/actors/fleet/holding.rs` |
//!
//! What decides is the program's own code: the model breaks if a rule of the domain does. The settings below have
//! about 1,400,000 states together; the tests look at all of them in 17 s of one core.
//!
//! Left out: late messages, registrations and failsafe (`leaders` has them), the withdrawal of a lease (`world` has it), a
//! primary that commits after another server was promoted (nothing is promised then), an orchestrator that takes over by
//! order and that no leader has admitted, the beat of the row (a claim may succeed at any moment), and copies that
//! are read ahead (their moment is compared in `src/actors/leadership/ahead.rs`).

mod database;
mod leader;
mod promoted;
mod setting;
mod steps;
mod tidy;
mod verdict;
mod world;

use setting::{Mutation, Setting};
use stateright::{Checker, HasDiscoveries, Model, Property};
use steps::Step;
use world::World;

impl Model for Setting {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::beginning(self)]
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
            Property::always("numbers do not return", |_: &Self, world: &World| {
                !world.truth.has_returned
            }),
            Property::always("promises are kept", |_: &Self, world: &World| {
                world.keeps_its_promise() && !world.truth.is_torn
            }),
            Property::always("no start before leases end", |_: &Self, world: &World| {
                !world.truth.was_too_early
            }),
            Property::always(
                "no start under a passed epoch",
                |_: &Self, world: &World| !world.truth.was_passed,
            ),
            Property::always("versions name one set", |_: &Self, world: &World| {
                world.versions_name_one_set()
            }),
            Property::always("not lost", |setting: &Self, world: &World| {
                !setting.recovers || world.comes_to_run(setting)
            }),
            Property::sometimes("restored", |_: &Self, world: &World| {
                world.truth.was_restored && world.runners() == 1
            }),
            Property::sometimes("runs after a loss", |_: &Self, world: &World| {
                let is_over = world.database.row.after_loss.is_none();
                world.truth.was_lost && is_over && world.runners() == 1
            }),
        ]
    }
}

/// One promotion, and enough changes for a stream that moves.
const FAIR: Setting = Setting {
    mutation: Mutation::None,
    orchestrators: 2,
    promotions: 1,
    changes: 2,
    doubts: 0,
    take_overs: 1,
    ends: 0,
    forgets: false,
    recovers: false,
};

const SOMETIMES: [&str; 2] = ["restored", "runs after a loss"];

/// Looks at all states: there are at least as many as `least`, or the model has shrunk.
fn holds(setting: Setting, least: usize) {
    let checker = setting.checker().threads(1).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{setting:?}: {states} states");
    assert!(checker.is_done(), "some states were not looked at");
    let found = checker.discoveries();
    for (name, path) in &found {
        assert!(SOMETIMES.contains(name), "{name}: {path}");
    }
    for name in SOMETIMES {
        assert!(found.contains_key(name), "never: {name}");
    }
    assert!(states >= least, "the model has shrunk to {states} states");
}

/// A broken rule violates one of `properties`.
fn is_found(setting: Setting, properties: &[&str]) {
    let failures = HasDiscoveries::AnyFailures;
    let checker = setting.checker().threads(1).finish_when(failures);
    let found = checker.spawn_bfs().join().discoveries();
    let mut violated: Vec<&str> = found.keys().copied().collect();
    violated.retain(|property| !SOMETIMES.contains(property));
    let is_known = violated.iter().any(|name| properties.contains(name));
    assert!(is_known, "{properties:?} expected: {violated:?}");
}

const RUNNERS: &str = "one runner";
const NUMBERS: &str = "numbers do not return";
const PROMISES: &str = "promises are kept";
const TOO_EARLY: &str = "no start before leases end";

#[test]
fn holds_when_the_newest_changes_are_lost() {
    holds(FAIR, 180_000);
}

#[test]
fn holds_when_a_process_ends_and_the_stream_comes_to_run() {
    let setting = Setting {
        changes: 1,
        take_overs: 2,
        ends: 1,
        recovers: true,
        ..FAIR
    };
    holds(setting, 250_000);
}

#[test]
fn holds_when_a_change_has_no_answer() {
    let setting = Setting {
        changes: 1,
        doubts: 1,
        ends: 1,
        recovers: true,
        ..FAIR
    };
    holds(setting, 100_000);
}

#[test]
fn holds_when_a_lost_change_is_kept_no_more() {
    let setting = Setting {
        changes: 1,
        ends: 1,
        forgets: true,
        ..FAIR
    };
    holds(setting, 60_000);
}

#[test]
fn holds_when_two_standbys_are_promoted() {
    let setting = Setting {
        promotions: 2,
        changes: 1,
        ..FAIR
    };
    holds(setting, 600_000);
}

#[test]
fn holds_with_three_orchestrators() {
    let setting = Setting {
        orchestrators: 3,
        changes: 1,
        ..FAIR
    };
    holds(setting, 40_000);
}

fn broken(mutation: Mutation) -> Setting {
    Setting { mutation, ..FAIR }
}

#[test]
fn epochs_that_are_not_moved_are_found() {
    is_found(broken(Mutation::EpochsNotMoved), &[NUMBERS]);
}

#[test]
fn a_term_without_its_timeline_is_found() {
    is_found(broken(Mutation::TermWithoutTimeline), &[NUMBERS, PROMISES]);
}

#[test]
fn versions_that_are_not_moved_are_found() {
    is_found(
        broken(Mutation::VersionsNotMoved),
        &["versions name one set"],
    );
}

#[test]
fn epochs_that_the_lost_history_has_passed_are_found() {
    let setting = broken(Mutation::OldEpochsKept);
    is_found(setting, &["no start under a passed epoch"]);
}

#[test]
fn a_mark_that_is_removed_before_everything_is_written_is_found() {
    is_found(broken(Mutation::MarkRemovedFirst), &[PROMISES]);
}

#[test]
fn starting_at_once_after_a_loss_is_found() {
    is_found(broken(Mutation::StartsAtOnce), &[RUNNERS, TOO_EARLY]);
}

#[test]
fn changes_that_are_written_again_out_of_order_are_found() {
    is_found(broken(Mutation::WritesBackwards), &[PROMISES]);
}

#[test]
fn changes_that_are_written_again_under_the_old_term_are_found() {
    is_found(broken(Mutation::WritesUnderOldTerm), &[RUNNERS, NUMBERS]);
}

#[test]
fn versions_that_are_not_compared_are_found() {
    is_found(broken(Mutation::VersionsNotCompared), &[PROMISES]);
}

#[test]
fn a_leader_that_goes_on_although_another_one_led_is_found() {
    is_found(broken(Mutation::IsSureToBeLast), &[RUNNERS, PROMISES]);
}

#[test]
fn the_word_of_a_process_that_was_started_later_is_found() {
    let setting = Setting {
        ends: 1,
        ..broken(Mutation::AsksAnyProcess)
    };
    is_found(setting, &[RUNNERS, PROMISES]);
}

#[test]
fn a_word_from_before_another_promotion_is_found() {
    let setting = Setting {
        promotions: 2,
        ..broken(Mutation::WordOutlivesPromotion)
    };
    is_found(setting, &[RUNNERS, PROMISES]);
}

#[test]
fn a_lease_for_a_set_that_is_not_told_after_a_loss_is_found() {
    let setting = broken(Mutation::TellsNothingAfterLoss);
    is_found(setting, &[RUNNERS, TOO_EARLY]);
}
