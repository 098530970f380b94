//! What a leader and a member say to each other.

use std::fmt;

use crate::ids::Term;
use crate::leadership::row::{NodeName, RunId};

/// What a leader asks a member: do you confirm that I lead this term?
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FailsafeQuestion {
    pub term: Term,
    pub node: NodeName,
    pub run: RunId,
}

/// A member that has to confirm, as the leader read its row in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailsafeMember {
    /// Its stable name.
    pub node: NodeName,
    /// Its process.
    pub run: RunId,
    /// Where it is asked.
    pub address: String,
}

/// The answer of the process that listens at the address of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailsafeAnswer {
    /// The node of the process that answers.
    pub node: NodeName,
    /// The process that answers.
    pub run: RunId,
    /// Whether it confirms.
    pub verdict: Result<(), FailsafeRefusal>,
}

/// Why a member does not confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailsafeRefusal {
    /// Its process has not written its row and read the leadership row after that. An earlier process of its node may
    /// have taken over.
    NotRead,
    /// It reaches the database, so it takes over if the leader does not.
    ReachesDatabase,
    /// It knows of this higher term.
    HigherTerm(Term),
    /// The row names another process as the leader of the term.
    OtherLeader,
    /// A take-over of its own is under way or in doubt, or was carried out.
    Claims,
}

impl FailsafeRefusal {
    /// The word for it in an answer.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotRead => "not_read",
            Self::ReachesDatabase => "reaches_database",
            Self::HigherTerm(_) => "higher_term",
            Self::OtherLeader => "other_leader",
            Self::Claims => "claims",
        }
    }

    /// The refusal of this word; `term` belongs to `higher_term`.
    pub fn parse(word: &str, term: Option<Term>) -> Option<Self> {
        let higher = term.map(Self::HigherTerm);
        let known = [
            Self::NotRead,
            Self::ReachesDatabase,
            Self::OtherLeader,
            Self::Claims,
        ];
        let mut known = known.into_iter().chain(higher);
        known.find(|refusal| refusal.as_str() == word)
    }

    /// The higher term that it names.
    pub const fn higher_term(&self) -> Option<Term> {
        match self {
            Self::HigherTerm(term) => Some(*term),
            Self::NotRead | Self::ReachesDatabase | Self::OtherLeader | Self::Claims => None,
        }
    }
}

impl fmt::Display for FailsafeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRead => f.write_str("it has not read the leadership row since it was started"),
            Self::ReachesDatabase => f.write_str("it reaches the database"),
            Self::HigherTerm(term) => write!(f, "it knows of term {term}"),
            Self::OtherLeader => {
                f.write_str("another process leads the term in the row that it read")
            }
            Self::Claims => f.write_str("it takes over, or does not know yet whether it has"),
        }
    }
}
