//! What a world is made with, and the ways in which it can be made wrong on purpose.

use std::time::Duration;

/// One world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) seed: u64,
    /// How many orchestrators there are.
    pub(crate) orchestrators: usize,
    /// How long things go wrong.
    pub(crate) faults: Duration,
    pub(crate) mutation: Option<Mutation>,
}

impl Scene {
    /// Two orchestrators of a sound program among the usual misfortunes.
    pub(crate) fn usual(seed: u64, faults: Duration) -> Self {
        Self {
            seed,
            orchestrators: 2,
            faults,
            mutation: None,
        }
    }

    pub(crate) fn breaks(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }
}

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// A lease is told in full, however old the proof is.
    LeaseNotShortened,
    /// Workers are told of changes without a proof.
    TellsUnproven,
    /// Workers are denied without a proof.
    DeniesUnproven,
    /// A proof counts from the moment its renewal was answered.
    AnchoredAtTheAnswer,
    /// A new leader does not know that leases were granted.
    ForgetsLeases,
    /// So much of the silence that was saved is carried over that a new leader listens for a third of
    /// the warning threshold before it fails an instance.
    CarriesAllSilence,
    /// A leader takes an orchestrator that does not answer for one that confirms it.
    CountsSilenceAsYes,
    /// An orchestrator confirms a leader whatever it knows.
    ConfirmsBlindly,
    /// A fleet that was read ahead is used although it has changed since.
    UsesAnyCopy,
    /// A leader does not read what the other orchestrator heard.
    IgnoresWitnesses,
    /// A leader counts what the other orchestrator heard of the life before.
    CountsOtherLives,
    /// A leader reads that the other orchestrator hears ten times as many instances, and each one of them.
    InflatesHears,
}
