//! The observer: when an orchestrator that does not lead takes over.
//!
//! It looks at the leadership row at regular intervals and times how long the beat stays the same,
//! on its own clock. No other machine's clock matters. The time counts only between looks that were
//! answered in time: if the database stands still, the leader cannot renew the row, and the observer
//! cannot see that it does, so a failed look is never a verdict.
//!
//! Nothing here carries safety. A take-over that comes too early costs a load of the fleet and some
//! seconds of waiting; what keeps the leader before harmless is its missing proof (`proof`).
//!
//! | the row | the observer takes over |
//! | --- | --- |
//! | released to it, or to all | at once |
//! | released to another node | after one second, if that node does not |
//! | held by an earlier process of its own node | once the row's address refuses or stays silent |
//! | held by another node whose address refuses | after two looks without a beat |
//! | held by another node | after the time before a take-over without a beat |
//!
//! If an earlier process of the observer's own node still lives, the observer ends: a node is one
//! process. It lives if it answers under the row's address, or if its beat goes on.

mod candidacy;
mod seen_row;

use std::time::Duration;

pub use self::candidacy::{Candidacy, Eligibility, TakeOverCause};
use self::seen_row::{LOOKS_BEFORE_ASKING, Neighbour, SeenRow};
use super::limits::LeadershipLimits;
use super::moment::{WalTimeline, is_promoted};
use super::proof::SteadyTime;
use super::row::{LeadershipRow, NodeName, ReleaseCause, RowState, RunId};
use crate::ids::Term;

/// How long another node has to take a row that was released to it.
pub const SUCCESSOR_WAIT: Duration = Duration::from_secs(1);

/// How much longer each observer waits than the one before it in rank.
pub const RANK_WAIT: Duration = Duration::from_millis(200);

/// Beats of another process of the observer's own node after which that process lives for sure. One
/// beat may be a renewal that a dead process left on its way.
const BEATS_OF_A_LIVING_PROCESS: u32 = 2;

/// What the leader's address did when it was asked which process is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressAnswer {
    /// The machine refused the connection: no process listens there. This says something about the
    /// leader only if the address is the process's own, not a balancer's.
    Refused,
    /// No answer within the limit of a statement.
    Silent,
    /// A process answered.
    Process {
        /// Its node.
        node: NodeName,
        /// Its run.
        run: RunId,
    },
}

/// What an observer does after a look.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum WatchDecision {
    /// It looks again after the renewal interval.
    Wait,
    /// The row names this very process: a take-over whose outcome was unknown succeeded.
    Lead {
        /// The term that it leads.
        term: Term,
    },
    /// It asks the row's address which process is there, and goes on looking meanwhile.
    AskAddress {
        /// The term of the row.
        term: Term,
        /// The beat of the row.
        beat: i64,
        /// The address.
        address: String,
    },
    /// It takes the row, if that still has this term and this beat.
    TakeOver {
        /// The term of the row.
        term: Term,
        /// The beat of the row.
        beat: i64,
        cause: TakeOverCause,
    },
    /// Another process of its node lives: this one ends.
    EndDuplicate {
        /// The other process.
        run: RunId,
        /// The address in the row.
        address: String,
    },
}

/// The observer of one process.
#[derive(Debug, Clone)]
pub struct LeaderWatch {
    node: NodeName,
    run: RunId,
    limits: LeadershipLimits,
    seen: Option<SeenRow>,
    /// The timeline of the database at the last look.
    timeline: WalTimeline,
    is_ordered: bool,
}

impl LeaderWatch {
    /// An observer that has not looked yet.
    pub const fn new(node: NodeName, run: RunId, limits: LeadershipLimits) -> Self {
        Self {
            node,
            run,
            limits,
            seen: None,
            timeline: WalTimeline::new(0),
            is_ordered: false,
        }
    }

    /// For how long the beat was unchanged, for people.
    pub fn unchanged_for(&self) -> Duration {
        self.seen
            .as_ref()
            .map_or(Duration::ZERO, |seen| seen.unchanged)
    }

    /// For how long no orchestrator has led that could be known; `None` if one may lead. An orchestrator that
    /// could would have taken over by then, whether the row is held or released.
    pub fn leaderless_for(&self) -> Option<Duration> {
        let seen = self.seen.as_ref()?;
        let is_leaderless =
            seen.row.run != self.run && seen.unchanged >= self.limits.leaderless_after();
        is_leaderless.then_some(seen.unchanged)
    }

    /// Whether another node holds the row and has let two looks pass without a renewal.
    pub fn is_silent(&self) -> bool {
        let seen = self.seen.as_ref();
        seen.is_some_and(|seen| seen.is_silent_of_another(&self.node))
    }

    /// The next look was answered by a database on this timeline.
    pub const fn on_timeline(&mut self, timeline: WalTimeline) {
        self.timeline = timeline;
    }

    /// A look that was asked and answered at these moments found `row`.
    pub fn look(
        &mut self,
        row: &LeadershipRow,
        asked: SteadyTime,
        answered: SteadyTime,
        candidacy: Candidacy,
    ) -> WatchDecision {
        let is_late = answered.since(asked) > self.limits.statement_limit;
        if self.went_back(row) {
            self.look_failed();
            return WatchDecision::Wait;
        }
        self.note(row, asked, answered, is_late);
        if is_late {
            return WatchDecision::Wait;
        }
        self.decide(candidacy)
    }

    /// A look was not answered: what passes until the next answered one does not count.
    pub fn look_failed(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.counted_to = None;
        }
    }

    /// The row's address was asked, for the row with this term and beat.
    pub fn address_answered(
        &mut self,
        term: Term,
        beat: i64,
        answer: &AddressAnswer,
        candidacy: Candidacy,
    ) -> WatchDecision {
        let Some(seen) = &mut self.seen else {
            return WatchDecision::Wait;
        };
        let is_own_node = seen.row.node == self.node;
        let is_current = seen.row.term == term && (seen.row.beat == beat || is_own_node);
        if !is_current || seen.neighbour != Neighbour::Asked {
            return WatchDecision::Wait;
        }
        seen.neighbour = match answer {
            AddressAnswer::Refused => Neighbour::Gone,
            // The leader may be slow; it is asked again with the next look.
            AddressAnswer::Silent | AddressAnswer::Process { .. } if !is_own_node => {
                Neighbour::NotAsked
            }
            // The address is this process's own by now, so the earlier process does not have it.
            AddressAnswer::Process { node, run } if *node == self.node && *run == self.run => {
                Neighbour::Gone
            }
            AddressAnswer::Process { node, run } if *node == self.node => Neighbour::Lives(*run),
            // Another node's answer says nothing about the earlier process.
            AddressAnswer::Silent | AddressAnswer::Process { .. } => Neighbour::Silent,
        };
        if seen.neighbour == Neighbour::NotAsked {
            return WatchDecision::Wait;
        }
        self.decide(candidacy)
    }

    /// Takes an operator's order to take over, also while a leader renews the row.
    pub fn order(&mut self, candidacy: Candidacy) -> WatchDecision {
        self.is_ordered = true;
        self.decide(candidacy)
    }

    /// A lower term than before: the database has lost transactions, or was replaced. No observer
    /// takes over below a term that it has seen. On a newer timeline the next term is above it.
    fn went_back(&self, row: &LeadershipRow) -> bool {
        let seen = self.seen.as_ref().map(|seen| seen.row.term);
        seen.is_some_and(|seen| row.term < seen && !is_promoted(seen, self.timeline))
    }

    fn note(
        &mut self,
        row: &LeadershipRow,
        asked: SteadyTime,
        answered: SteadyTime,
        is_late: bool,
    ) {
        let longest_gap = self.limits.renewal_interval + self.limits.statement_limit;
        let Some(seen) = &mut self.seen else {
            self.seen = Some(SeenRow::new(row, answered, is_late));
            return;
        };
        let is_same_office = (seen.row.term, seen.row.run) == (row.term, row.run);
        let is_same = is_same_office && (seen.row.beat, seen.row.state) == (row.beat, row.state);
        if is_same {
            // The observer itself stood still if the gap is longer.
            let gap = seen.counted_to.map(|from| asked.since(from));
            seen.unchanged += gap
                .filter(|gap| *gap <= longest_gap)
                .unwrap_or(Duration::ZERO);
            let counted_to = if gap.is_some() { asked } else { answered };
            seen.counted_to = (!is_late).then_some(counted_to);
            seen.looks += u32::from(!is_late);
            seen.row = row.clone();
            return;
        }
        // An order is for the term that the operator saw.
        self.is_ordered &= seen.row.term == row.term;
        let mut next = SeenRow::new(row, answered, is_late);
        if is_same_office {
            next.beats = seen.beats + 1;
            // A process of another node that goes on renewing is asked anew when it stops.
            if row.node == self.node {
                next.neighbour = seen.neighbour;
            }
        }
        *seen = next;
    }

    fn decide(&mut self, candidacy: Candidacy) -> WatchDecision {
        let Some(seen) = &mut self.seen else {
            return WatchDecision::Wait;
        };
        let (term, beat) = (seen.row.term, seen.row.beat);
        let take_over = |cause| WatchDecision::TakeOver { term, beat, cause };
        let is_own_node = seen.row.node == self.node;
        if is_own_node && seen.row.run == self.run {
            return WatchDecision::Lead { term };
        }
        if candidacy.eligibility == Eligibility::Barred {
            return WatchDecision::Wait;
        }
        if self.is_ordered {
            return take_over(TakeOverCause::Ordered);
        }
        let rank_wait = RANK_WAIT * candidacy.rank;
        if seen.row.state == RowState::Released {
            let is_for_another = seen
                .row
                .successor
                .as_ref()
                .is_some_and(|to| *to != self.node);
            let is_due = !is_for_another || seen.unchanged >= SUCCESSOR_WAIT + rank_wait;
            let is_fitter = seen.row.release_cause == ReleaseCause::Fitness && !is_for_another;
            let cause = if is_fitter {
                TakeOverCause::Fitness
            } else {
                TakeOverCause::Released
            };
            return if is_due {
                take_over(cause)
            } else {
                WatchDecision::Wait
            };
        }
        if is_own_node {
            return match seen.neighbour {
                Neighbour::Lives(run) => seen.duplicate(run),
                _ if seen.beats >= BEATS_OF_A_LIVING_PROCESS => seen.duplicate(seen.row.run),
                Neighbour::Gone => take_over(TakeOverCause::OwnRow),
                Neighbour::Silent => take_over(TakeOverCause::OwnRowSilent),
                Neighbour::Asked => WatchDecision::Wait,
                Neighbour::NotAsked => seen.ask(),
            };
        }
        let is_admitted = candidacy.eligibility == Eligibility::Admitted;
        let needed = match candidacy.eligibility {
            Eligibility::Newcomer { after } => after.max(self.limits.take_over_after),
            Eligibility::Admitted | Eligibility::Barred => self.limits.take_over_after,
        };
        if seen.unchanged >= needed + rank_wait {
            return take_over(TakeOverCause::Unchanged);
        }
        if !is_admitted || seen.looks < LOOKS_BEFORE_ASKING {
            return WatchDecision::Wait;
        }
        match seen.neighbour {
            Neighbour::Gone if seen.counted_to.is_some() => take_over(TakeOverCause::LeaderRefused),
            Neighbour::NotAsked => seen.ask(),
            Neighbour::Gone | Neighbour::Asked | Neighbour::Silent | Neighbour::Lives(_) => {
                WatchDecision::Wait
            }
        }
    }
}

impl SeenRow {
    fn ask(&mut self) -> WatchDecision {
        self.neighbour = Neighbour::Asked;
        WatchDecision::AskAddress {
            term: self.row.term,
            beat: self.row.beat,
            address: self.row.address.clone(),
        }
    }

    fn duplicate(&self, run: RunId) -> WatchDecision {
        WatchDecision::EndDuplicate {
            run,
            address: self.row.address.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
