//! The changes that a leader acknowledged last, kept so that they can be written again.
//!
//! A standby of the database that is promoted lacks the end of the history if it streamed asynchronously. A
//! change is a full image of its rows, and what survived is a prefix of the history. So the acknowledged state
//! is back once the changes after that prefix are written again, in order.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::Version;
use crate::time::Timestamp;

/// How long a change is kept: a standby that is further behind is out of order.
const WINDOW: Duration = Duration::from_secs(60);

/// How many rows are kept at the most: about 64 MB.
const MAX_ROWS: usize = 200_000;

/// The newest changes, oldest first. Their versions follow one another without a gap.
#[derive(Debug)]
pub struct RecentChanges<T> {
    kept: VecDeque<Kept<T>>,
    rows: usize,
}

#[derive(Debug)]
struct Kept<T> {
    version: Version,
    at: Timestamp,
    rows: usize,
    change: T,
}

impl<T> Default for RecentChanges<T> {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            rows: 0,
        }
    }
}

impl<T> RecentChanges<T> {
    /// Keeps the change that led to this version, which has so many rows, and drops what is too old or too much.
    pub fn note(&mut self, version: Version, now: Timestamp, rows: usize, change: T) {
        let newest = self.kept.back();
        if newest.is_some_and(|newest| newest.version.next() != version) {
            self.kept.clear();
            self.rows = 0;
        }
        self.rows += rows;
        self.kept.push_back(Kept {
            version,
            at: now,
            rows,
            change,
        });
        while let Some(oldest) = self.kept.front()
            && (self.rows > MAX_ROWS || now.since(oldest.at) > WINDOW)
        {
            self.rows -= oldest.rows;
            self.kept.pop_front();
        }
    }

    /// The version after which every change up to `acknowledged` is kept.
    pub fn complete_since(&self, acknowledged: Version) -> Version {
        let newest = self.kept.back();
        if newest.is_none_or(|newest| newest.version != acknowledged) {
            return acknowledged;
        }
        let count = i64::try_from(self.kept.len()).unwrap_or(i64::MAX);
        Version::new(acknowledged.get().saturating_sub(count))
    }

    /// The changes after this version, oldest first.
    pub fn after(&self, version: Version) -> impl Iterator<Item = &T> {
        let later = self.kept.iter().filter(move |kept| kept.version > version);
        later.map(|kept| &kept.change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    /// Version, second and rows.
    type Noted = (i64, u64, usize);

    fn noted(changes: &[Noted]) -> RecentChanges<i64> {
        let mut recent = RecentChanges::default();
        for (version, seconds, rows) in changes {
            recent.note(Version::new(*version), at(*seconds), *rows, *version);
        }
        recent
    }

    #[test]
    fn changes_are_kept_without_a_gap_as_long_as_they_are_young_and_few() {
        let half = MAX_ROWS / 2;
        // changes, since when all are kept, which of them come after version 6
        let table: [(&[Noted], i64, &[i64]); 7] = [
            (&[], 9, &[]),
            (&[(7, 0, 1), (8, 1, 1), (9, 2, 1)], 6, &[7, 8, 9]),
            (&[(6, 0, 1), (7, 0, 1), (8, 1, 1), (9, 2, 1)], 5, &[7, 8, 9]),
            (&[(7, 0, 1), (8, 1, 1), (9, 61, 1)], 7, &[8, 9]),
            (&[(7, 0, half), (8, 0, half), (9, 0, 1)], 7, &[8, 9]),
            (&[(8, 0, 1), (9, 0, MAX_ROWS + 1)], 9, &[]),
            // A change in doubt was defeated, which moves the version by two.
            (&[(6, 0, 1), (7, 0, 1), (9, 0, 1)], 8, &[9]),
        ];
        for (changes, since, after) in table {
            let recent = noted(changes);
            let found = recent.complete_since(Version::new(9));
            assert_eq!(found, Version::new(since), "{changes:?}");
            let found: Vec<i64> = recent.after(Version::new(6)).copied().collect();
            assert_eq!(found, after, "{changes:?}");
        }
    }

    #[test]
    fn nothing_is_complete_if_a_later_version_was_acknowledged() {
        let recent = noted(&[(7, 0, 1)]);
        assert_eq!(recent.complete_since(Version::new(9)), Version::new(9));
    }
}
