//! What is measured: the faults, and the fleet that each is measured with.

use std::time::Duration;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Kill,
    Stop,
    Planned,
    StepDown,
    Database,
    Workers,
    Isolated,
    Gone,
    Outage,
    Crash,
    Worker,
    Promoted,
    PromotedLost,
}

/// The word for each on the command line.
const WORDS: [(&str, Mode); 13] = [
    ("kill", Mode::Kill),
    ("stop", Mode::Stop),
    ("planned", Mode::Planned),
    ("step-down", Mode::StepDown),
    ("database", Mode::Database),
    ("workers", Mode::Workers),
    ("isolated", Mode::Isolated),
    ("gone", Mode::Gone),
    ("outage", Mode::Outage),
    ("crash", Mode::Crash),
    ("worker", Mode::Worker),
    ("promoted", Mode::Promoted),
    ("promoted-lost", Mode::PromotedLost),
];

impl Mode {
    /// The mode of a word.
    pub(super) fn of(word: &str) -> Option<Self> {
        let mut words = WORDS.iter();
        words.find(|(it, _)| *it == word).map(|(_, mode)| *mode)
    }

    /// All words.
    pub(super) fn words() -> String {
        WORDS.map(|(word, _)| word).join("|")
    }

    /// `HEARTBEAT_TIMEOUT`. With 15 s a worker stops its exclusive streams 10.8 s after the last proof: a fault can last
    /// longer than that, and a failure by silence can be waited for.
    pub(super) const fn timeout(self) -> Duration {
        match self {
            Self::Stop | Self::Outage | Self::Crash | Self::Worker => Duration::from_secs(15),
            Self::Kill
            | Self::Planned
            | Self::StepDown
            | Self::Database
            | Self::Workers
            | Self::Isolated
            | Self::Gone
            | Self::Promoted
            | Self::PromotedLost => Duration::from_secs(300),
        }
    }

    /// How many instances there are if no other number is given. With a timeout of 15 s each sends a heartbeat every 3 s.
    pub(super) const fn instances(self) -> i64 {
        if self.timeout().as_secs() < 60 {
            1_000
        } else {
            10_000
        }
    }

    /// Whether the members reach the database and each other, and the clients reach them, by cables that can be cut.
    pub(super) const fn has_cables(self) -> bool {
        matches!(
            self,
            Self::Database | Self::Workers | Self::Isolated | Self::Gone | Self::Outage
        )
    }

    /// Whether the database has a standby, which is promoted.
    pub(super) const fn is_promotion(self) -> bool {
        matches!(self, Self::Promoted | Self::PromotedLost)
    }

    /// Whether streams find a new owner in each round, so instances have room for twice as many as they run.
    pub(super) const fn has_room(self) -> bool {
        matches!(self, Self::Worker | Self::PromotedLost)
    }

    /// How long the members run in peace before a round. Clients settle, and a standby gives the copy of the fleet back. A
    /// leader hands over for fitness only once a take-over is longer ago than the warning threshold.
    pub(super) fn rest(self) -> Duration {
        let settled = Duration::from_secs(6);
        match self {
            Self::Isolated => self.timeout().mul_f64(0.4) + settled,
            Self::Kill
            | Self::Stop
            | Self::Planned
            | Self::StepDown
            | Self::Database
            | Self::Workers
            | Self::Gone
            | Self::Outage
            | Self::Crash
            | Self::Worker
            | Self::Promoted
            | Self::PromotedLost => settled,
        }
    }
}
