//! The invariants by name, and the result of looking at one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many violations of one invariant are listed; the rest are counted. A fleet that went
/// wrong wholesale must not make an answer of a hundred thousand lines.
pub const LISTED_VIOLATIONS: usize = 20;

/// The invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Invariant {
    /// One owner at the most, and epochs that only grow.
    #[serde(rename = "I1")]
    SingleOwner,
    /// No instance owns more than it may.
    #[serde(rename = "I2")]
    WithinCapacity,
    /// No stream is lost.
    #[serde(rename = "I3")]
    NoneLost,
    /// A recovery moves the streams of the failed instance and no others.
    #[serde(rename = "I4")]
    RecoveryIsExact,
    /// No assignment names an instance that cannot run it.
    #[serde(rename = "I5")]
    OwnersServe,
    /// No instance fails for the orchestrator's own silence.
    #[serde(rename = "I6")]
    OwnSilenceHarmsNobody,
    /// Memory and database agree.
    #[serde(rename = "I7")]
    MemoryEqualsStore,
    /// Recoveries end or can be resumed.
    #[serde(rename = "I8")]
    RecoveriesEnd,
}

impl Invariant {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 8] = [
        Self::SingleOwner,
        Self::WithinCapacity,
        Self::NoneLost,
        Self::RecoveryIsExact,
        Self::OwnersServe,
        Self::OwnSilenceHarmsNobody,
        Self::MemoryEqualsStore,
        Self::RecoveriesEnd,
    ];

    /// The name in documents and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SingleOwner => "I1",
            Self::WithinCapacity => "I2",
            Self::NoneLost => "I3",
            Self::RecoveryIsExact => "I4",
            Self::OwnersServe => "I5",
            Self::OwnSilenceHarmsNobody => "I6",
            Self::MemoryEqualsStore => "I7",
            Self::RecoveriesEnd => "I8",
        }
    }

    /// What it demands, as a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Self::SingleOwner => "A stream has at most one assignment, and its epoch only grows.",
            Self::WithinCapacity => {
                "An instance never holds more streams than its max_streams, but for those of the process before it \
                 that no heartbeat has released yet."
            }
            Self::NoneLost => {
                "Every enabled stream is assigned, unclaimed or orphaned, and no orphan waits \
                 while an eligible instance has room, unless it is paused."
            }
            Self::RecoveryIsExact => {
                "Recovering an instance moves exactly its streams and no other."
            }
            Self::OwnersServe => {
                "No assignment names a failed, removed or unknown instance once its recovery has \
                 ended."
            }
            Self::OwnSilenceHarmsNobody => {
                "No instance is failed for a silence that is the orchestrator's own."
            }
            Self::MemoryEqualsStore => "Memory and database agree.",
            Self::RecoveriesEnd => {
                "Every recovery ends or is resumable; a crash between any two steps loses nothing."
            }
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The result of looking at one invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Check {
    pub invariant: Invariant,
    /// Whether it holds.
    pub holds: bool,
    /// Where it does not, at most [`LISTED_VIOLATIONS`] and then how many more.
    pub violations: Vec<String>,
}

/// Collects violations, and only counts those too many to list.
pub(super) struct Violations {
    invariant: Invariant,
    listed: Vec<String>,
    more: usize,
}

impl Violations {
    pub(super) fn of(invariant: Invariant) -> Self {
        Self {
            invariant,
            listed: Vec::new(),
            more: 0,
        }
    }

    pub(super) fn add(&mut self, violation: impl FnOnce() -> String) {
        if self.listed.len() < LISTED_VIOLATIONS {
            self.listed.push(violation());
        } else {
            self.more += 1;
        }
    }

    pub(super) fn into_check(mut self) -> Check {
        let holds = self.listed.is_empty();
        if self.more > 0 {
            self.listed.push(format!("and {} more", self.more));
        }
        Check {
            invariant: self.invariant,
            holds,
            violations: self.listed,
        }
    }
}
