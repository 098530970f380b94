//! The numbers that a new term begins with: its own, and the counter of epochs.
//!
//! Terms and epochs must not come back. After a fail-over, a PostgreSQL that was promoted may have
//! lost the last transactions, and with them a term or epochs that were handed out. Its *timeline*
//! is higher than that of the primary before. If the timeline is in the high bits of each number,
//! then no number comes back, because whatever the new history counts, it counts above the old one.

use crate::ids::{Epoch, Term};

/// Terms of one timeline: 2^32.
const TERMS_OF_A_TIMELINE: i64 = 1 << 32;

/// Epochs of one timeline: 2^40.
const EPOCHS_OF_A_TIMELINE: i64 = 1 << 40;

/// By how much the epochs grow with a take-over that was not handed over. The leader before may
/// have handed out epochs that this one does not know.
const EPOCH_JUMP: i64 = 1 << 20;

/// Numbers stay below this: JSON has no greater whole numbers.
const LIMIT: i64 = 1 << 53;

/// The timeline of a PostgreSQL's write-ahead log. It grows with each promotion. A database
/// without one (SQLite, memory) has timeline 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WalTimeline(u32);

impl WalTimeline {
    /// Wraps the number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number itself.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The timeline that a term was taken on.
    pub fn of_term(term: Term) -> Self {
        Self(u32::try_from(term.get() / TERMS_OF_A_TIMELINE).unwrap_or(0))
    }
}

/// How the term before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TermEnd {
    /// Its leader gave the row up after its last change.
    Released,
    /// Not by its leader.
    Unreleased,
}

/// The next term, or the epochs of it, would reach 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumbersUsedUp;

/// The term after `term` on a database with this timeline.
///
/// # Errors
/// If it would reach 2^53, which is timeline 2,097,152.
pub fn next_term(term: Term, timeline: WalTimeline) -> Result<Term, NumbersUsedUp> {
    let base = i64::from(timeline.0).saturating_mul(TERMS_OF_A_TIMELINE);
    let next = term.next().get().max(base.saturating_add(1));
    below_limit(next).map(Term::new)
}

/// What the counter of epochs is moved to when the term after `term` is taken on a database with
/// this timeline.
///
/// # Errors
/// If it would reach 2^53, which is timeline 8,192, or about 2^33 take-overs.
pub fn next_epoch(
    epoch: Epoch,
    term: Term,
    timeline: WalTimeline,
    end: TermEnd,
) -> Result<Epoch, NumbersUsedUp> {
    let is_same_timeline = WalTimeline::of_term(term) == timeline;
    let next = if end == TermEnd::Released && is_same_timeline {
        epoch.get()
    } else {
        let least = i64::from(timeline.0).saturating_mul(EPOCHS_OF_A_TIMELINE);
        epoch.get().saturating_add(EPOCH_JUMP).max(least)
    };
    below_limit(next).map(Epoch::new)
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
    use proptest::prelude::*;

    const ONE: i64 = TERMS_OF_A_TIMELINE;

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
            let next = next_term(Term::new(term), WalTimeline::new(timeline));
            assert_eq!(next.ok(), expected.map(Term::new), "{term}, {timeline}");
        }
    }

    #[test]
    fn epochs_jump_unless_the_term_was_released_on_the_same_timeline() {
        use TermEnd::{Released, Unreleased};
        const JUMP: i64 = EPOCH_JUMP;
        const EPOCHS: i64 = EPOCHS_OF_A_TIMELINE;
        // epoch, term before, timeline, end, next
        let table = [
            (5, 3, 0, Unreleased, Some(5 + JUMP)),
            (5, 3, 0, Released, Some(5)),
            (5, ONE + 3, 1, Released, Some(5)),
            (5, ONE + 3, 1, Unreleased, Some(EPOCHS)),
            (EPOCHS + 5, ONE + 3, 1, Unreleased, Some(EPOCHS + 5 + JUMP)),
            (EPOCHS + 5, ONE + 3, 2, Unreleased, Some(2 * EPOCHS)),
            (EPOCHS + 5, ONE + 3, 2, Released, Some(2 * EPOCHS)),
            (5, 3, 8_191, Unreleased, Some(8_191 * EPOCHS)),
            (5, 3, 8_192, Unreleased, None),
            (LIMIT - JUMP, 3, 0, Unreleased, None),
            (LIMIT - JUMP - 1, 3, 0, Unreleased, Some(LIMIT - 1)),
            (i64::MAX, 3, 0, Unreleased, None),
        ];
        for (epoch, term, timeline, end, expected) in table {
            let timeline = WalTimeline::new(timeline);
            let next = next_epoch(Epoch::new(epoch), Term::new(term), timeline, end);
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
            let take = |(term, epoch), timeline| (
                next_term(term, timeline).unwrap(),
                next_epoch(epoch, term, timeline, TermEnd::Unreleased).unwrap(),
            );
            let start = (Term::new(0), Epoch::new(0));
            let kept = (0..before).fold(start, |numbers, _| take(numbers, old));
            let highest = (0..lost).fold(kept, |numbers, _| take(numbers, old));
            let after = take(kept, new);
            prop_assert!(after.0 > highest.0 && after.1 > highest.1);
            prop_assert_eq!(WalTimeline::of_term(after.0), new);
        }
    }
}
