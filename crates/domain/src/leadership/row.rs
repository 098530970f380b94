//! The leadership row of the database, and the names of who stands in it.

use std::fmt;
use std::sync::Arc;

use crate::ids::{Term, Version};
use crate::time::WallTime;

/// The stable name of an orchestrator (`CLUSTER_NODE`): the same after a restart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// Wraps a checked name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The text of the setting.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One process of a node: a random number drawn at its start, from 1 to 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(i64);

impl RunId {
    /// Wraps the number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number itself.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether the leader of the row's term still claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowState {
    /// The leader renews the row, or ended without a word.
    Held,
    /// The leader released the row: the successor may take it at once, or any orchestrator if there is
    /// none.
    Released,
}

impl RowState {
    /// The word for it in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
        }
    }
}

/// Why a leader released its term.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReleaseCause {
    /// It ended, or stepped down as ordered.
    #[default]
    Ended,
    /// Its successor hears many instances, and it hears few.
    Fitness,
}

impl ReleaseCause {
    /// The word for it in the database; none for the usual one.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Ended => None,
            Self::Fitness => Some("fitness"),
        }
    }

    /// Reads the word. One of a later release is taken for the usual cause: it only names the cause of a take-over.
    pub fn of_word(word: Option<&str>) -> Self {
        match word {
            Some("fitness") => Self::Fitness,
            Some(_) | None => Self::Ended,
        }
    }
}

/// The word by which the orchestrators of one database know each other: random, drawn by the first leader,
/// and kept in the leadership row. Its debug output does not show it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct MemberSecret(Arc<str>);

impl MemberSecret {
    /// Wraps the text of the row, which is empty before the first leader.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Makes a secret of 128 random bits.
    pub fn of_bits(bits: u128) -> Self {
        Self(format!("{bits:032x}").into())
    }

    /// Returns the text, for the row and for a header between orchestrators.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether no leader has drawn a secret yet.
    pub fn is_missing(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether `given` is the secret. A missing secret is known to no caller. Each byte is compared,
    /// so the time of the answer says nothing of where two texts differ.
    pub fn is(&self, given: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let differences = own.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
        !own.is_empty() && own.len() == given.len() && differences == 0
    }
}

impl fmt::Debug for MemberSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemberSecret(…)")
    }
}

/// The leadership row as one read of it found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadershipRow {
    /// The newest term.
    pub term: Term,
    /// The node that leads it.
    pub node: NodeName,
    /// The process that leads it.
    pub run: RunId,
    /// Counts the renewals of the term. A reader times its changes on a clock of its own.
    pub beat: i64,
    /// Whether the leader still claims the term.
    pub state: RowState,
    /// The node the leader gave the term to.
    pub successor: Option<NodeName>,
    /// Why the leader gave it.
    pub release_cause: ReleaseCause,
    /// Where the other orchestrators reach the leader.
    pub address: String,
    /// Where workers and people reach the leader.
    pub public_url: String,
    /// By what the orchestrators of this database know each other.
    pub secret: MemberSecret,
    /// When the term was taken, on the leader's wall clock.
    pub since: WallTime,
    /// If the term starts after a loss: the highest version that was known before, 0 for none.
    pub after_loss: Option<Version>,
    /// The version of the fleet at the moment of the read.
    pub version: Version,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_release_is_read_as_it_is_written() {
        for cause in [ReleaseCause::Ended, ReleaseCause::Fitness] {
            assert_eq!(ReleaseCause::of_word(cause.word()), cause);
        }
        assert_eq!(ReleaseCause::of_word(Some("x")), ReleaseCause::Ended);
    }

    #[test]
    fn a_secret_is_known_by_its_whole_text_and_shown_nowhere() {
        let secret = MemberSecret::of_bits(7);
        let text = secret.expose().to_owned();
        assert_eq!(text.len(), 32);
        assert!(secret.is(text.as_bytes()));
        for other in ["", "7", &text[1..], &text.replace('7', "8")] {
            assert!(!secret.is(other.as_bytes()), "{other}");
        }
        assert!(!format!("{secret:?}").contains(&text));
        let missing = MemberSecret::default();
        assert!(missing.is_missing() && !missing.is(b""), "of no leader yet");
    }
}
