//! The rules of a take-over: who may take the row, and which term and epoch come next.

use super::contract::{Claim, ClaimRight};
use crate::domain::ids::{Epoch, Term};
use crate::domain::leadership::{LeadershipRow, RowState};

/// The timeline is in the bits of a term above these: a term of a promoted standby is above all
/// that the old primary may have given out.
const TIMELINE_BITS_OF_TERM: u32 = 32;

/// The same in an epoch.
const TIMELINE_BITS_OF_EPOCH: u32 = 40;

/// How far the epochs jump when the leader before did not hand over: an epoch that it assigned, and
/// whose transaction was lost, is not assigned again.
const EPOCH_JUMP: i64 = 1 << 20;

/// A take-over under way: the row that was found, and the term that comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Succession {
    /// The row before.
    pub(in crate::store) before: LeadershipRow,
    /// The timeline of the database.
    pub(in crate::store) timeline: i64,
    /// The next term.
    pub(in crate::store) term: Term,
}

impl Succession {
    pub(in crate::store) fn new(before: LeadershipRow, timeline: i64) -> Self {
        Self {
            term: next_term(before.term, timeline),
            before,
            timeline,
        }
    }
}

fn next_term(term: Term, timeline: i64) -> Term {
    let least = (timeline << TIMELINE_BITS_OF_TERM).saturating_add(1);
    Term::new(term.get().saturating_add(1).max(least))
}

/// The last epoch that counts as given out after the take-over.
pub(in crate::store) fn next_epoch(epoch: Epoch, succession: &Succession) -> Epoch {
    let before = &succession.before;
    let same_timeline = before.term.get() >> TIMELINE_BITS_OF_TERM == succession.timeline;
    if before.state == RowState::Released && same_timeline {
        return epoch;
    }
    let least = succession.timeline << TIMELINE_BITS_OF_EPOCH;
    Epoch::new(epoch.get().saturating_add(EPOCH_JUMP).max(least))
}

/// Whether a claim is for this row, and the claimant may have it. `admitted` is the term under which
/// it was last admitted.
pub(in crate::store) fn may_take(
    row: &LeadershipRow,
    claim: &Claim,
    admitted: Option<Term>,
) -> bool {
    if row.term != claim.seen_term || row.beat != claim.seen_beat {
        return false;
    }
    let is_released = row.state == RowState::Released
        && row.successor.as_ref().is_none_or(|to| *to == claim.node);
    match claim.right {
        ClaimRight::Order | ClaimRight::Horizon => true,
        ClaimRight::Tables => is_released || row.node == claim.node || admitted == Some(row.term),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Version;
    use crate::domain::leadership::{NodeName, RunId};
    use crate::domain::time::WallTime;

    fn succession(term: i64, state: RowState, timeline: i64) -> Succession {
        let before = LeadershipRow {
            term: Term::new(term),
            node: NodeName::new("a"),
            run: RunId::new(1),
            beat: 0,
            state,
            successor: None,
            address: String::new(),
            public_url: String::new(),
            since: WallTime::default(),
            version: Version::default(),
        };
        Succession::new(before, timeline)
    }

    #[test]
    fn terms_grow_and_carry_their_timeline() {
        let next = |term, timeline| succession(term, RowState::Held, timeline).term.get();
        assert_eq!(next(0, 0), 1);
        assert_eq!(next(7, 0), 8);
        assert_eq!(next(7, 1), (1 << 32) + 1);
        assert_eq!(next((1 << 32) + 1, 1), (1 << 32) + 2);
        assert_eq!(next((1 << 32) + 9, 2), (2 << 32) + 1);
        assert_eq!(next((2 << 32) + 1, 1), (2 << 32) + 2, "never back");
    }

    #[test]
    fn epochs_jump_unless_they_were_handed_over_on_one_timeline() {
        let next = |term, state, timeline| {
            let succession = succession(term, state, timeline);
            next_epoch(Epoch::new(50), &succession).get()
        };
        assert_eq!(next(3, RowState::Released, 0), 50);
        assert_eq!(next(3, RowState::Held, 0), 50 + (1 << 20));
        assert_eq!(next((1 << 32) + 1, RowState::Released, 1), 50);
        assert_eq!(next((1 << 32) + 1, RowState::Released, 2), 2 << 40);
        assert_eq!(next((2 << 32) + 1, RowState::Held, 2), 2 << 40);
        let late = succession((2 << 32) + 1, RowState::Held, 2);
        let epoch = Epoch::new((2 << 40) + 5);
        assert_eq!(next_epoch(epoch, &late).get(), (2 << 40) + 5 + (1 << 20));
    }
}
