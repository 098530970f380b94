//! Who may take a term, and the numbers that it begins with: its own, and the counter of epochs.
//!
//! Terms and epochs must not come back. After a fail-over, a PostgreSQL that was promoted may have
//! lost the last transactions, and with them a term or epochs that were handed out. Its *timeline*
//! is higher than that of the primary before. If the timeline is in the high bits of each number,
//! then no number comes back, because whatever the new history counts, it counts above the old one.

use std::fmt;

use super::moment::{FleetMoment, TERMS_OF_A_TIMELINE, WalTimeline, is_promoted};
use super::row::{LeadershipRow, MemberSecret, NodeName, RowState, RunId};
use crate::ids::{Epoch, Term, Version};
use crate::time::WallTime;

/// Epochs of one timeline: 2^40.
const EPOCHS_OF_A_TIMELINE: i64 = 1 << 40;

/// By how much the epochs grow with a take-over that was not handed over. The leader before may
/// have handed out epochs that this one does not know.
const EPOCH_JUMP: i64 = 1 << 20;

/// Numbers stay below this: JSON has no greater whole numbers.
const LIMIT: i64 = 1 << 53;

/// Why an orchestrator may take the term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimRight {
    /// The tables say so: the term is released to the node or to all, the node leads it already, or
    /// the leader has admitted the node.
    Tables,
    /// A person ordered it.
    Order,
    /// The leader has been silent for longer than it may lead without the database.
    Horizon,
}

/// What a claimant says of the changes that a promoted database may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LeadersWord {
    /// It cannot know: it did not lead until now.
    #[default]
    Nothing,
    /// It led until now, and nothing was lost behind this moment of the promoted database.
    Intact(FleetMoment),
    /// It led until now, and writes again what was lost behind this moment.
    Restores(FleetMoment),
}

/// An orchestrator claims the term that comes after the one it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its stable name.
    pub node: NodeName,
    /// Its process, which must have joined the members.
    pub run: RunId,
    /// Where the other orchestrators reach it.
    pub address: String,
    /// Where workers and people reach it.
    pub public_url: String,
    /// The secret that the row gets if it has none yet.
    pub secret: MemberSecret,
    /// When it claims.
    pub since: WallTime,
    /// The term it saw.
    pub seen_term: Term,
    /// The beat it saw.
    pub seen_beat: i64,
    /// Why it may take the term.
    pub right: ClaimRight,
    /// What it says of changes that a promoted database may lack.
    pub word: LeadersWord,
    /// The highest version that it has seen.
    pub known: Version,
}

impl Claim {
    /// Whether the claim is for this row, and the claimant may have it. `admitted` is the term under
    /// which it was last admitted.
    pub fn may_take(&self, row: &LeadershipRow, admitted: Option<Term>) -> bool {
        if row.term != self.seen_term || row.beat != self.seen_beat {
            return false;
        }
        let is_released = row.state == RowState::Released
            && row.successor.as_ref().is_none_or(|to| *to == self.node);
        match self.right {
            ClaimRight::Order | ClaimRight::Horizon => true,
            ClaimRight::Tables => {
                is_released || row.node == self.node || admitted == Some(row.term)
            }
        }
    }

    /// Whether the row says that this claim was carried out before.
    pub fn is_won(&self, row: &LeadershipRow) -> bool {
        row.state == RowState::Held
            && row.run == self.run
            && row.node == self.node
            && row.term > self.seen_term
    }
}

/// The next term, or the epochs of it, would reach 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumbersUsedUp;

impl fmt::Display for NumbersUsedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the numbers of terms or epochs in the database are used up (2^53)")
    }
}

impl std::error::Error for NumbersUsedUp {}

/// A take-over under way: the row that was found, and the term that comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    before: LeadershipRow,
    timeline: WalTimeline,
    term: Term,
}

impl Succession {
    /// Follows the term of `before` on a database with this timeline.
    ///
    /// # Errors
    /// If the next term would reach 2^53, which is timeline 2,097,152.
    pub fn new(before: LeadershipRow, timeline: WalTimeline) -> Result<Self, NumbersUsedUp> {
        let base = i64::from(timeline.get()).saturating_mul(TERMS_OF_A_TIMELINE);
        let next = before.term.get().saturating_add(1);
        let term = below_limit(next.max(base.saturating_add(1))).map(Term::new)?;
        Ok(Self {
            before,
            timeline,
            term,
        })
    }

    /// The row before.
    pub const fn before(&self) -> &LeadershipRow {
        &self.before
    }

    /// The timeline on which it is carried out.
    pub const fn timeline(&self) -> WalTimeline {
        self.timeline
    }

    /// The next term.
    pub const fn term(&self) -> Term {
        self.term
    }

    /// Whether the next term starts after a loss: the highest version that was known before. `found` is the
    /// version of the fleet in the transaction.
    ///
    /// A database on a newer timeline than that of the term before may lack its end. Only the leader before
    /// knows that it does not, or can mend it, and gives its word. A mark stays until the leader of the term
    /// removes it.
    pub fn after_loss(&self, claim: &Claim, found: Version) -> Option<Version> {
        let marked = self.before.after_loss;
        let is_whole = claim.word == LeadersWord::Intact(self.moment(found));
        if is_whole || !self.is_promoted() {
            return marked;
        }
        Some(marked.unwrap_or_default().max(claim.known))
    }

    /// Whether something may have been lost for good, so that the versions of the instances have to move.
    ///
    /// That is so also if the row has a mark already: the leader before may have written again only a part of what
    /// was lost.
    pub fn begins_after_loss(&self, claim: &Claim, found: Version) -> bool {
        let moment = self.moment(found);
        let words = [LeadersWord::Intact(moment), LeadersWord::Restores(moment)];
        let may_lack = self.is_promoted() || self.before.after_loss.is_some();
        may_lack && !words.contains(&claim.word)
    }

    /// The moment that the transaction finds. A word about another one says nothing: another standby may have
    /// been promoted since.
    fn moment(&self, found: Version) -> FleetMoment {
        FleetMoment {
            timeline: self.timeline,
            term: self.before.term,
            version: found,
        }
    }

    /// Whether the database was promoted since the term before was taken.
    pub fn is_promoted(&self) -> bool {
        is_promoted(self.before.term, self.timeline)
    }

    /// What the counter of epochs is moved to. If the leader before released its term on the same
    /// timeline, it saved every epoch that it assigned, and the counter stays.
    ///
    /// # Errors
    /// If it would reach 2^53, which is timeline 8,192, or about 2^33 take-overs.
    pub fn next_epoch(&self, epoch: Epoch) -> Result<Epoch, NumbersUsedUp> {
        let is_same_timeline = WalTimeline::of_term(self.before.term) == self.timeline;
        if self.before.state == RowState::Released && is_same_timeline {
            return below_limit(epoch.get()).map(Epoch::new);
        }
        let least = i64::from(self.timeline.get()).saturating_mul(EPOCHS_OF_A_TIMELINE);
        below_limit(epoch.get().saturating_add(EPOCH_JUMP).max(least)).map(Epoch::new)
    }
}

fn below_limit(number: i64) -> Result<i64, NumbersUsedUp> {
    if number < LIMIT {
        Ok(number)
    } else {
        Err(NumbersUsedUp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use proptest::prelude::*;

    const ONE: i64 = TERMS_OF_A_TIMELINE;

    fn row(term: i64, state: RowState) -> LeadershipRow {
        LeadershipRow {
            state,
            ..sample::leadership_row(term)
        }
    }

    fn next_term(term: i64, timeline: u32) -> Result<Term, NumbersUsedUp> {
        let succession = Succession::new(row(term, RowState::Held), WalTimeline::new(timeline));
        succession.map(|succession| succession.term())
    }

    fn claim(node: &str, right: ClaimRight) -> Claim {
        Claim {
            node: NodeName::new(node),
            right,
            ..sample::claim()
        }
    }

    #[test]
    fn a_row_is_taken_by_who_has_a_right_to_it() {
        use ClaimRight::{Horizon, Order, Tables};
        use RowState::{Held, Released};
        // the row's state and successor, the claimant, its right, its admission, may take
        let table = [
            (Held, None, "b", Tables, None, false),
            (Held, None, "b", Tables, Some(2), false),
            (Held, None, "b", Tables, Some(3), true),
            (Held, None, "a", Tables, None, true),
            (Held, None, "b", Order, None, true),
            (Held, None, "b", Horizon, None, true),
            (Released, None, "b", Tables, None, true),
            (Released, Some("b"), "b", Tables, None, true),
            (Released, Some("c"), "b", Tables, None, false),
            (Released, Some("c"), "b", Tables, Some(3), true),
        ];
        for (state, successor, node, right, admitted, expected) in table {
            let row = LeadershipRow {
                successor: successor.map(NodeName::new),
                ..row(3, state)
            };
            let may_take = claim(node, right).may_take(&row, admitted.map(Term::new));
            assert_eq!(may_take, expected, "{row:?} by {node}, {right:?}");
        }
    }

    #[test]
    fn a_row_that_moved_since_it_was_seen_is_taken_by_nobody() {
        let claim = claim("a", ClaimRight::Order);
        let seen = row(3, RowState::Held);
        assert!(claim.may_take(&seen, None));
        let renewed = LeadershipRow { beat: 6, ..seen };
        assert!(!claim.may_take(&renewed, None));
        assert!(!claim.may_take(&row(4, RowState::Held), None));
    }

    #[test]
    fn a_claim_is_won_if_the_row_is_the_claimants_under_a_newer_term() {
        let claim = claim("a", ClaimRight::Tables);
        let own = |term, state| LeadershipRow {
            run: claim.run,
            ..row(term, state)
        };
        assert!(claim.is_won(&own(4, RowState::Held)));
        assert!(!claim.is_won(&own(3, RowState::Held)));
        assert!(!claim.is_won(&own(4, RowState::Released)));
        assert!(
            !claim.is_won(&row(4, RowState::Held)),
            "another process of the node"
        );
    }

    #[test]
    fn a_term_is_one_more_and_above_its_timeline() {
        // term, timeline, next
        let table = [
            (0, 0, Some(1)),
            (41, 0, Some(42)),
            (41, 1, Some(ONE + 1)),
            (ONE + 7, 1, Some(ONE + 8)),
            (ONE + 7, 2, Some(2 * ONE + 1)),
            (2 * ONE + 1, 1, Some(2 * ONE + 2)),
            (7, (1 << 21) - 1, Some(((1 << 21) - 1) * ONE + 1)),
            (7, 1 << 21, None),
            (7, u32::MAX, None),
            (LIMIT - 1, 0, None),
            (i64::MAX, 0, None),
        ];
        for (term, timeline, expected) in table {
            let next = next_term(term, timeline);
            assert_eq!(next.ok(), expected.map(Term::new), "{term}, {timeline}");
        }
    }

    #[test]
    fn epochs_jump_unless_the_term_was_released_on_the_same_timeline() {
        use RowState::{Held, Released};
        const JUMP: i64 = EPOCH_JUMP;
        const EPOCHS: i64 = EPOCHS_OF_A_TIMELINE;
        // epoch, term before, timeline, end, next
        let table = [
            (5, 3, 0, Held, Some(5 + JUMP)),
            (5, 3, 0, Released, Some(5)),
            (5, ONE + 3, 1, Released, Some(5)),
            (5, ONE + 3, 1, Held, Some(EPOCHS)),
            (EPOCHS + 5, ONE + 3, 1, Held, Some(EPOCHS + 5 + JUMP)),
            (EPOCHS + 5, ONE + 3, 2, Held, Some(2 * EPOCHS)),
            (EPOCHS + 5, ONE + 3, 2, Released, Some(2 * EPOCHS)),
            (5, 3, 8_191, Held, Some(8_191 * EPOCHS)),
            (5, 3, 8_192, Held, None),
            (LIMIT - JUMP, 3, 0, Held, None),
            (LIMIT - JUMP - 1, 3, 0, Held, Some(LIMIT - 1)),
            (i64::MAX, 3, 0, Held, None),
        ];
        for (epoch, term, timeline, end, expected) in table {
            let timeline = WalTimeline::new(timeline);
            let succession = Succession::new(row(term, end), timeline).unwrap();
            let next = succession.next_epoch(Epoch::new(epoch));
            assert_eq!(next.ok(), expected.map(Epoch::new), "{epoch}, {timeline:?}");
        }
    }

    proptest! {
        /// A promotion loses any number of the last take-overs: none of their numbers come back.
        #[test]
        fn numbers_do_not_come_back_after_a_loss(
            before in 0_usize..20,
            lost in 1_usize..20,
            first in 1_u32..100,
        ) {
            let (old, new) = (WalTimeline::new(first), WalTimeline::new(first + 1));
            let take = |(term, epoch): (Term, Epoch), timeline| {
                let before = row(term.get(), RowState::Held);
                let succession = Succession::new(before, timeline).unwrap();
                (succession.term(), succession.next_epoch(epoch).unwrap())
            };
            let start = (Term::new(0), Epoch::new(0));
            let kept = (0..before).fold(start, |numbers, _| take(numbers, old));
            let highest = (0..lost).fold(kept, |numbers, _| take(numbers, old));
            let after = take(kept, new);
            prop_assert!(after.0 > highest.0 && after.1 > highest.1);
            prop_assert_eq!(WalTimeline::of_term(after.0), new);
        }
    }
}
