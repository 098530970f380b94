//! How long streams that should run were without an owner, added up over the streams.
//!
//! One stream without an owner for a minute counts as much as sixty streams for a second. The counts
//! are noted when they change, so no stream is visited.

use crate::fleet::Fleet;
use crate::stream::StreamState;
use crate::time::Timestamp;

/// How many streams that should run have no owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Unowned {
    pub unclaimed: usize,
    pub orphaned: usize,
    pub quarantined: usize,
}

impl Unowned {
    /// Counts the streams of a fleet. Visits none of them.
    pub fn of(fleet: &Fleet) -> Self {
        let (unclaimed, orphaned) = fleet.quarantined_counts();
        Self {
            unclaimed: fleet.unclaimed().len() - unclaimed,
            orphaned: fleet.orphaned().len() - orphaned,
            quarantined: unclaimed + orphaned,
        }
    }

    /// Returns the counts by state.
    pub const fn by_state(&self) -> [(StreamState, usize); 3] {
        [
            (StreamState::Unclaimed, self.unclaimed),
            (StreamState::Orphaned, self.orphaned),
            (StreamState::Quarantined, self.quarantined),
        ]
    }
}

/// How many streams wait for what; each is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits {
    /// Streams that may be placed, and are assigned on request or to instances with `auto_assign`.
    pub unclaimed: usize,
    /// Streams that may be placed, and wait for an instance with room.
    pub orphaned: usize,
    /// Streams that were given back again and again, and wait for the end of their pause.
    pub paused: usize,
    /// Streams whose owners failed, and wait for their retry.
    pub quarantined: usize,
}

impl Waits {
    /// Counts the streams of a fleet. Visits none of them.
    pub fn of(fleet: &Fleet) -> Self {
        let all = fleet.unclaimed().len() + fleet.orphaned().len();
        let (unclaimed, orphaned) = fleet.ready_counts();
        let quarantined = Unowned::of(fleet).quarantined;
        Self {
            unclaimed,
            orphaned,
            paused: all.saturating_sub(unclaimed + orphaned + quarantined),
            quarantined,
        }
    }

    /// Returns the counts by the word for their reason.
    pub const fn by_reason(&self) -> [(&'static str, usize); 4] {
        [
            ("unclaimed", self.unclaimed),
            ("orphaned", self.orphaned),
            ("paused", self.paused),
            ("quarantined", self.quarantined),
        ]
    }
}

/// Stream-seconds without an owner, by state.
pub type UnownedSeconds = [(StreamState, f64); 3];

/// Adds up the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnownedTime {
    /// Up to when the time is added up; none before the first count.
    until: Option<Timestamp>,
    unowned: Unowned,
}

impl UnownedTime {
    /// Returns the stream-seconds since the last call. A moment before that adds nothing.
    pub fn advance(&mut self, now: Timestamp) -> UnownedSeconds {
        let before = self.until.unwrap_or(now);
        self.until = Some(before.max(now));
        let seconds = now.since(before).as_secs_f64();
        let states = self.unowned.by_state();
        states.map(|(state, streams)| (state, streams as f64 * seconds))
    }

    /// Returns the stream-seconds since the last call; the counts are others from now on.
    pub fn changed(&mut self, now: Timestamp, unowned: Unowned) -> UnownedSeconds {
        let seconds = self.advance(now);
        self.unowned = unowned;
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn each_stream_without_an_owner_counts_each_second() {
        let mut time = UnownedTime::default();
        let unowned = Unowned {
            unclaimed: 2,
            orphaned: 5,
            quarantined: 1,
        };
        let none = time.changed(at(100), unowned);
        assert_eq!(none.map(|(_, seconds)| seconds), [0.0, 0.0, 0.0]);
        let some = time.advance(at(103));
        assert_eq!(some.map(|(_, seconds)| seconds), [6.0, 15.0, 3.0]);
        let more = time.changed(at(104), Unowned::default());
        assert_eq!(more.map(|(_, seconds)| seconds), [2.0, 5.0, 1.0]);
        let over = time.advance(at(1_000));
        assert_eq!(over.map(|(_, seconds)| seconds), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_moment_that_is_over_adds_nothing_and_is_not_added_twice() {
        let mut time = UnownedTime::default();
        let unowned = Unowned {
            orphaned: 1,
            ..Unowned::default()
        };
        time.changed(at(10), unowned);
        assert_eq!(time.advance(at(5))[1].1, 0.0);
        assert_eq!(time.advance(at(11))[1].1, 1.0);
    }

    #[test]
    fn a_disabled_stream_needs_no_owner() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=3));
        assert_eq!(Unowned::of(ledger.saved()).unclaimed, 3);
    }
}
