//! How many planned moves may be under way: those of drains, of rolls, of balance and of returns to a
//! pin together.
//!
//! A move is *under way* from the moment its target is chosen until the target shows that it runs the
//! stream: while its owner is to release it, while it overlaps, and while a leased target has not
//! confirmed it. A classic target cannot confirm, so a move to it is over once it is assigned.
//! `Fleet::moves_under_way` and `Fleet::arriving` count them.
//!
//! The limit of one target keeps a server that starts many streams at once from a stampede; the limit
//! in all keeps planned work from taking the whole fleet. A recovery asks neither, and neither does an
//! operator's order to move single streams, whose moves are counted.

use crate::handover::MoveProgress;

/// The limits of planned moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovePace {
    /// Moves that may be under way to one instance, at least 1.
    pub per_target: usize,
    /// Moves that may be under way in the whole fleet, at least 1.
    pub in_all: usize,
}

impl Default for MovePace {
    /// The defaults of `MAX_MOVES_PER_TARGET` and `MAX_CONCURRENT_MOVES`.
    fn default() -> Self {
        Self {
            per_target: 10,
            in_all: 100,
        }
    }
}

/// How many more moves may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveBudget {
    pace: MovePace,
    under_way: usize,
}

impl MoveBudget {
    /// Creates the budget while so many moves are under way in the whole fleet.
    pub const fn new(pace: MovePace, under_way: usize) -> Self {
        Self { pace, under_way }
    }

    /// Returns how many more moves may begin in the whole fleet.
    pub const fn left(&self) -> usize {
        self.pace.in_all.saturating_sub(self.under_way)
    }

    /// Returns how many more moves may begin to a target to which `arriving` are under way.
    pub fn left_for(&self, arriving: usize) -> usize {
        let there = self.pace.per_target.saturating_sub(arriving);
        there.min(self.left())
    }

    /// Counts a move that began, if it is under way. A move that is made at once is under way until a
    /// leased target has confirmed it.
    pub const fn note(&mut self, progress: MoveProgress, target_is_leased: bool) {
        let is_under_way = match progress {
            MoveProgress::Releasing | MoveProgress::Overlapping => true,
            MoveProgress::Moved => target_is_leased,
            MoveProgress::Unchanged => false,
        };
        if is_under_way {
            self.under_way = self.under_way.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_and_the_fleet_each_have_a_limit() {
        let pace = MovePace {
            per_target: 3,
            in_all: 5,
        };
        // under way in all, arriving at the target, left in all, left for the target
        for (under_way, arriving, left, there) in [
            (0, 0, 5, 3),
            (3, 1, 2, 2),
            (3, 3, 2, 0),
            (4, 0, 1, 1),
            (5, 0, 0, 0),
            (9, 9, 0, 0),
        ] {
            let budget = MoveBudget::new(pace, under_way);
            assert_eq!((budget.left(), budget.left_for(arriving)), (left, there));
        }
    }

    #[test]
    fn a_move_that_begins_uses_the_budget_up() {
        let mut budget = MoveBudget::new(MovePace::default(), 98);
        for (progress, target_is_leased, left) in [
            (MoveProgress::Unchanged, true, 2),
            (MoveProgress::Moved, false, 2),
            (MoveProgress::Moved, true, 1),
            (MoveProgress::Releasing, false, 0),
        ] {
            budget.note(progress, target_is_leased);
            assert_eq!(budget.left_for(0), left, "{progress:?}");
        }
    }
}
