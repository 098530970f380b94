//! Failsafe: how a leader proves its term while no orchestrator reaches the database.
//!
//! ```text
//!   leader: a renewal failed ──▶ FailsafeRound::begin ──▶ asks each member that may take over
//!                                                          │
//!   member: FailsafeRecord::answer ◀───────────────────────┘
//!                │ yes, or why not
//!                ▼
//!   leader: FailsafeRound::judge ── all say yes ──▶ a proof, anchored at the moment before the first question
//!                                └─ one does not ─▶ no proof
//! ```
//!
//! Whoever may take over a held term is in the leader's set (`admission`), is another process of the leader's own
//! node, or waits for longer than the horizon. If each process of the set says after a moment that it has not taken
//! over, then none had at that moment, so the moment is as good as the anchor of a renewal. One process that does
//! not answer may be the one that has taken over. So all of them are asked, and a majority proves nothing.
//! `docs/LEADERSHIP.md` has the whole argument.

mod record;

use std::fmt;
use std::time::Duration;

pub use self::record::FailsafeRecord;
use super::proof::{Anchor, SteadyTime};
use super::row::{NodeName, RunId};
use crate::ids::Term;

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

/// Why there is no proof: one member is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconfirmed {
    /// The member that did not confirm.
    pub node: NodeName,
    /// What it did.
    pub cause: UnconfirmedCause,
}

/// What a member did instead of confirming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnconfirmedCause {
    /// Its address gave no answer in time.
    Silent,
    /// This other process answered at its address.
    OtherProcess(NodeName, RunId),
    /// It refused.
    Refused(FailsafeRefusal),
}

impl fmt::Display for Unconfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = &self.node;
        match &self.cause {
            UnconfirmedCause::Silent => {
                write!(f, "the orchestrator `{node}` did not answer in time")
            }
            UnconfirmedCause::OtherProcess(other, run) => write!(
                f,
                "run {run} of `{other}` answered at the address of the orchestrator `{node}`, which \
                 has another run in the database"
            ),
            UnconfirmedCause::Refused(refusal) => {
                write!(f, "the orchestrator `{node}` does not confirm: {refusal}")
            }
        }
    }
}

/// One round of questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailsafeRound {
    asked_at: SteadyTime,
    members: Vec<FailsafeMember>,
}

impl FailsafeRound {
    /// A round whose first question is sent after `now`; `None` if the newest renewal was sent longer than `horizon`
    /// ago. A process that no leader has admitted takes over then.
    ///
    /// Only renewals count for the horizon: other proofs do not move the beat, which such a process times.
    pub fn begin(
        members: Vec<FailsafeMember>,
        now: SteadyTime,
        last_renewal: SteadyTime,
        horizon: Duration,
    ) -> Option<Self> {
        let is_within = !horizon.is_zero() && now.since(last_renewal) <= horizon;
        is_within.then_some(Self {
            asked_at: now,
            members,
        })
    }

    /// The members that have to confirm. If there is none, no process may take over.
    pub fn members(&self) -> &[FailsafeMember] {
        &self.members
    }

    /// Returns the proof, if each member has confirmed. `answers` are in the order of the members; `None`: it did not
    /// answer in time.
    ///
    /// # Errors
    /// Returns a member that has not; one that names a higher term before others.
    pub fn judge(&self, answers: &[Option<FailsafeAnswer>]) -> Result<Anchor, Unconfirmed> {
        let mut missing = self.members.iter().enumerate().filter_map(|(at, member)| {
            let answer = answers.get(at).and_then(Option::as_ref);
            let cause = member.cause_against(answer)?;
            let node = member.node.clone();
            Some(Unconfirmed { node, cause })
        });
        let Some(first) = missing.next() else {
            return Ok(Anchor::sent_at(self.asked_at));
        };
        let higher = missing.find(|missing| missing.higher_term().is_some());
        match higher {
            Some(higher) if first.higher_term().is_none() => Err(higher),
            _ => Err(first),
        }
    }
}

impl Unconfirmed {
    /// The higher term that the member knows of.
    pub const fn higher_term(&self) -> Option<Term> {
        match &self.cause {
            UnconfirmedCause::Refused(refusal) => refusal.higher_term(),
            UnconfirmedCause::Silent | UnconfirmedCause::OtherProcess(..) => None,
        }
    }
}

impl FailsafeMember {
    /// Why this answer is no yes of this member; `None` if it is one.
    fn cause_against(&self, answer: Option<&FailsafeAnswer>) -> Option<UnconfirmedCause> {
        let Some(FailsafeAnswer { node, run, verdict }) = answer else {
            return Some(UnconfirmedCause::Silent);
        };
        if (node, run) != (&self.node, &self.run) {
            return Some(UnconfirmedCause::OtherProcess(node.clone(), *run));
        }
        verdict.err().map(UnconfirmedCause::Refused)
    }
}

#[cfg(test)]
mod tests;
