//! The member's side: what a process has to remember in order to answer a leader.

use super::question::{FailsafeAnswer, FailsafeQuestion, FailsafeRefusal};
use crate::ids::Term;
use crate::leadership::row::{LeadershipRow, NodeName, RunId};

/// What a process remembers of its looks and claims.
///
/// | it confirms if | because |
/// | --- | --- |
/// | it has written its row, and read the leadership row after that | an earlier process of its node takes no term from then on, and one that it took before was in the row |
/// | it knows of no higher term | the leader may be replaced |
/// | no claim of its own is under way or in doubt | that one may be committed already |
/// | its newest statement failed | otherwise it takes over if the leader does not renew |
///
/// A claim that it sends after its answer is committed after the leader's question. So the answer binds it without
/// a promise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailsafeRecord {
    has_joined: bool,
    /// The row that the newest look after the first join found.
    seen: Option<(Term, NodeName, RunId)>,
    /// The highest term that a look found.
    highest: Term,
    is_reached: bool,
    /// The newest claim that is under way or in doubt, by the term and the beat that it names.
    claimed: Option<(Term, i64)>,
}

impl FailsafeRecord {
    /// The row of this process is written.
    pub fn joined(&mut self) {
        self.has_joined = true;
    }

    /// A look was answered.
    ///
    /// Beats and terms only grow. So if the row is past what a claim named, and is not this process's own, then the
    /// claim was not carried out, or has been replaced by now.
    pub fn looked(&mut self, row: &LeadershipRow, own: RunId) {
        self.is_reached = true;
        self.highest = self.highest.max(row.term);
        if self.has_joined {
            self.seen = Some((row.term, row.node.clone(), row.run));
        }
        let is_past = |claim| (row.term, row.beat) > claim && row.run != own;
        self.claimed = self.claimed.filter(|claim| !is_past(*claim));
    }

    /// A statement of this process was not answered in time.
    pub fn failed(&mut self) {
        self.is_reached = false;
    }

    /// A claim is sent, for the row with this term and beat.
    pub fn claims(&mut self, term: Term, beat: i64) {
        self.claimed = Some((term, beat)).max(self.claimed);
    }

    /// No claim was carried out, and none is under way.
    pub fn claims_nothing(&mut self) {
        self.claimed = None;
    }

    /// Whether a claim is under way or in doubt, or was carried out.
    pub const fn is_claiming(&self) -> bool {
        self.claimed.is_some()
    }

    /// Answers a leader, as the process `run` of `node`.
    pub fn answer(&self, node: &NodeName, run: RunId, asked: &FailsafeQuestion) -> FailsafeAnswer {
        FailsafeAnswer {
            node: node.clone(),
            run,
            verdict: self.verdict(asked),
        }
    }

    fn verdict(&self, asked: &FailsafeQuestion) -> Result<(), FailsafeRefusal> {
        let Some((term, node, run)) = &self.seen else {
            return Err(FailsafeRefusal::NotRead);
        };
        if self.highest > asked.term {
            return Err(FailsafeRefusal::HigherTerm(self.highest));
        }
        if *term == asked.term && (node, run) != (&asked.node, &asked.run) {
            return Err(FailsafeRefusal::OtherLeader);
        }
        if self.is_claiming() {
            return Err(FailsafeRefusal::Claims);
        }
        if self.is_reached {
            return Err(FailsafeRefusal::ReachesDatabase);
        }
        Ok(())
    }
}
