//! The simulation is worth something only if it notices: each rule that keeps a replaced leader
//! harmless is broken on purpose, and must be missed within a few seeds, under its own name.

use crate::FAULTS;
use crate::run::simulate;
use crate::scene::{Mutation, Scene};

/// Two of them run it, or write what they made of it, whichever is seen first.
const LEASES: [&str; 2] = ["lease: two run", "still wrote to stream"];

/// Seeds that may pass before somebody notices.
const PATIENCE: u64 = 40;

fn is_noticed(mutation: Mutation, signs: &[&str]) {
    let noticed = (0..PATIENCE).find_map(|seed| {
        let scene = Scene {
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

#[test]
fn a_lease_that_is_not_shortened_by_the_age_of_the_proof_is_noticed() {
    is_noticed(Mutation::LeaseNotShortened, &["I9", LEASES[0], LEASES[1]]);
}

#[test]
fn telling_without_a_proof_is_noticed() {
    is_noticed(Mutation::TellsUnproven, &["I10", LEASES[0], LEASES[1]]);
}

#[test]
fn denying_without_a_proof_is_noticed() {
    is_noticed(Mutation::DeniesUnproven, &["I10"]);
}

#[test]
fn a_proof_that_counts_from_its_answer_is_noticed() {
    let signs = ["I9", "I10", LEASES[0], LEASES[1]];
    is_noticed(Mutation::AnchoredAtTheAnswer, &signs);
}

#[test]
fn a_new_leader_that_forgets_leases_is_noticed() {
    is_noticed(Mutation::ForgetsLeases, &LEASES);
}

#[test]
fn a_leader_that_does_without_the_word_of_a_member_is_noticed() {
    let signs = ["I9", "I10", LEASES[0], LEASES[1]];
    is_noticed(Mutation::CountsSilenceAsYes, &signs);
}

#[test]
fn a_member_that_confirms_whatever_it_knows_is_noticed() {
    let signs = ["I9", "I10", LEASES[0], LEASES[1]];
    is_noticed(Mutation::ConfirmsBlindly, &signs);
}

#[test]
fn a_copy_of_another_version_is_noticed() {
    is_noticed(
        Mutation::UsesAnyCopy,
        &["I13", "I12", "still wrote", "two run"],
    );
}

#[test]
fn silence_that_is_carried_over_without_a_bound_is_noticed() {
    is_noticed(Mutation::CarriesAllSilence, &["I11"]);
}
