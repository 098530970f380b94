//! The observer among the others, and why it takes over.

use std::time::Duration;

/// Whether an observer may take the row of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eligibility {
    /// The leader knows it.
    Admitted,
    /// No leader has admitted it yet: the beat must be unchanged for so long.
    Newcomer {
        /// Longer than any leader can stay proven without the database.
        after: Duration,
    },
    /// It may not lead: for example its release is too old for the database.
    Barred,
}

/// The observer among the others that may take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidacy {
    /// Whether it may.
    pub eligibility: Eligibility,
    /// How many observers go first.
    pub rank: u32,
}

/// Why an orchestrator takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TakeOverCause {
    /// The row was released.
    Released,
    /// The row was released to this orchestrator, because it hears many instances and the leader few.
    Fitness,
    /// The beat did not change for the time before a take-over.
    Unchanged,
    /// The beat did not change for two looks, and the leader's address refuses.
    LeaderRefused,
    /// The row is held by an earlier process of the same node, which is gone.
    OwnRow,
    /// The row is held by an earlier process of the same node, of which nothing is known.
    OwnRowSilent,
    /// An operator ordered it.
    Ordered,
}

impl TakeOverCause {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Released,
        Self::Fitness,
        Self::Unchanged,
        Self::LeaderRefused,
        Self::OwnRow,
        Self::OwnRowSilent,
        Self::Ordered,
    ];

    /// The word for it in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Fitness => "fitness",
            Self::Unchanged => "unchanged",
            Self::LeaderRefused => "leader_refused",
            Self::OwnRow => "own_row",
            Self::OwnRowSilent => "own_row_silent",
            Self::Ordered => "ordered",
        }
    }

    /// The reason in words, for a log line.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Released => "the term is free",
            Self::Fitness => "the leader hears few instances, and this orchestrator hears many",
            Self::Unchanged => "the leader has not renewed its row",
            Self::LeaderRefused => {
                "the leader has not renewed its row, and no process listens at its address"
            }
            Self::OwnRow => "an earlier process of this node led, and is gone",
            Self::OwnRowSilent => {
                "an earlier process of this node led and does not answer; exclusive streams move on a \
             worker's word only until it cannot lead any more"
            }
            Self::Ordered => "an operator ordered it",
        }
    }

    /// Whether the leader before may live, cut off from the database and sure of its term, for
    /// longer than its leases: exclusive streams are then given away on a worker's word only. A leader
    /// that has admitted no other process is sure of it for a while without the database, and does not hear of
    /// an order to a process that it has not admitted.
    pub const fn needs_workers_word(self, eligibility: Eligibility) -> bool {
        match self {
            Self::OwnRowSilent => true,
            Self::Ordered => !matches!(eligibility, Eligibility::Admitted),
            Self::Released
            | Self::Fitness
            | Self::Unchanged
            | Self::LeaderRefused
            | Self::OwnRow => false,
        }
    }
}
