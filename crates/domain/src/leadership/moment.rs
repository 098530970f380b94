//! A moment of a database, and which of its histories it belongs to.

use std::fmt;

use crate::ids::{Term, Version};

/// Terms of one timeline: 2^32.
pub(super) const TERMS_OF_A_TIMELINE: i64 = 1 << 32;

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

/// Returns whether a database on this timeline was promoted since the term was taken. A term without a
/// timeline was taken where there is none.
pub fn is_promoted(term: Term, found: WalTimeline) -> bool {
    let of_term = WalTimeline::of_term(term);
    of_term.get() > 0 && found > of_term
}

/// One moment of a fleet: two reads with the same moment found the same instances and streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FleetMoment {
    /// Which history of the database.
    pub timeline: WalTimeline,
    /// The term of the leader that wrote last.
    pub term: Term,
    /// How many transactions there were.
    pub version: Version,
}

impl fmt::Display for FleetMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (timeline, term) = (self.timeline.get(), self.term.get());
        write!(
            f,
            "timeline {timeline}, term {term}, version {}",
            self.version.get()
        )
    }
}
