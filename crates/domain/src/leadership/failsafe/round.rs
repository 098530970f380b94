//! The leader's side: which members have to confirm, and what their answers prove.

use std::fmt;
use std::time::Duration;

use super::question::{FailsafeAnswer, FailsafeMember, FailsafeRefusal};
use crate::ids::Term;
use crate::leadership::proof::{Anchor, SteadyTime};
use crate::leadership::row::{NodeName, RunId};

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
