//! What may happen in the model, and which of its rules is broken.

use super::MARGIN;

/// Which rule is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mutation {
    None,
    /// The orchestrator adds no margin to a lease.
    NoMargin,
    /// It gives streams away at once when a failure is reported.
    GivesAwayAtOnce,
    /// A start forgets the leases that were granted before.
    ForgetsLeases,
    /// A start forgets which owner was told to let go.
    ForgetsHandover,
    /// A planned move does not wait for the owner.
    MovesAtOnce,
    /// The worker counts its lease from the answer.
    LeaseFromAnswer,
    /// The worker confirms what it is told before it has stopped.
    ConfirmsBeforeItStops,
    /// The worker never stops by itself.
    NeverStops,
    /// A new owner goes by the epoch of the one before.
    ReusesEpochs,
    /// What has lost its owner is not given to anybody.
    LosesOrphans,
}

/// What may happen, and how often things go wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) mutation: Mutation,
    /// Whether the stream may have two runners while it moves.
    pub(crate) overlap: bool,
    pub(crate) silences: u8,
    pub(crate) moves: u8,
    pub(crate) reports: u8,
    pub(crate) worker_crashes: u8,
    pub(crate) orchestrator_crashes: u8,
    pub(crate) duplicates: u8,
    /// How many messages are on their way at the most.
    pub(crate) in_flight: usize,
}

impl Setting {
    pub(super) fn margin(&self) -> u8 {
        if self.mutation == Mutation::NoMargin {
            0
        } else {
            MARGIN
        }
    }
}
