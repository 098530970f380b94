//! When the end of the audit trail is read for the readers that follow it.
//!
//! ```text
//!            follow                    read                     a commit, or a full page
//!   idle ─────────────▶ finding ─────────────▶ following ◀──────────────────────────────┐
//!     ▲                    │ failed              │   │  PAUSE since the last read        │
//!     └────────────────────┘                     │   └──────────▶ reading ── read ───────┤
//!     ▲                 no reader is left        │                   └── failed, RETRY ──┘
//!     └──────────────────────────────────────────┘
//! ```
//!
//! *Finding*: the number of the newest event is looked up. All later ones are announced, so a reader that
//! reads the store up to that number and the announcements from then on misses none.
//!
//! Commits that come while a read is under way, or before the pause is over, share the next read. So the
//! number of reads depends neither on the number of readers nor on that of the commits.

use std::time::Duration;

use super::time::Timestamp;

/// The least time between two reads.
pub const PAUSE: Duration = Duration::from_millis(50);

/// After how long a read that failed is repeated.
pub const RETRY: Duration = Duration::from_secs(1);

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailRead {
    /// The number of the newest event.
    Newest,
    /// The events after this one.
    After(i64),
}

/// When the end of the audit trail is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TailMachine {
    /// The last event that was announced; `None` while no reader follows.
    position: Option<i64>,
    is_reading: bool,
    /// Whether something may have been written since the last read began.
    has_news: bool,
    next_at: Timestamp,
}

impl TailMachine {
    /// Returns the last event that was announced; `None` while no reader follows.
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// Begins to follow, if it does not do so already.
    pub fn follow(&mut self) {
        if self.position.is_none() {
            self.has_news = true;
        }
    }

    /// Events were written.
    pub fn committed(&mut self) {
        if self.position.is_some() || self.is_reading {
            self.has_news = true;
        }
    }

    /// No reader follows any more.
    pub fn rest(&mut self) {
        self.position = None;
        self.has_news = false;
    }

    /// Returns what is to be read now; the read is under way then.
    pub fn begin(&mut self, now: Timestamp) -> Option<TailRead> {
        if self.is_reading || !self.has_news || now < self.next_at {
            return None;
        }
        self.is_reading = true;
        self.has_news = false;
        Some(self.position.map_or(TailRead::Newest, TailRead::After))
    }

    /// Returns when the next read is due; `None` while none is.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        (self.has_news && !self.is_reading).then_some(self.next_at)
    }

    /// The newest event was found. What was written meanwhile may be newer.
    pub fn found(&mut self, newest: i64, now: Timestamp) {
        self.is_reading = false;
        self.position = Some(newest);
        self.has_news = true;
        self.next_at = now;
    }

    /// Events were read up to this one; a page that is full has more behind it.
    pub fn read(&mut self, last: Option<i64>, is_full: bool, now: Timestamp) {
        self.is_reading = false;
        if let Some(position) = &mut self.position {
            *position = last.map_or(*position, |last| last.max(*position));
            self.has_news |= is_full;
        }
        self.next_at = now + PAUSE;
    }

    /// A read failed. Readers that wait for the newest number are refused, and no retry is due for them.
    pub fn failed(&mut self, now: Timestamp) {
        self.is_reading = false;
        self.has_news = self.position.is_some();
        self.next_at = now + RETRY;
        if self.position.is_none() {
            self.next_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(7_000_000);

    fn following(newest: i64) -> TailMachine {
        let mut tail = TailMachine::default();
        tail.follow();
        assert_eq!(tail.begin(NOW), Some(TailRead::Newest));
        tail.found(newest, NOW);
        tail
    }

    #[test]
    fn nothing_is_read_while_no_reader_follows() {
        let mut tail = TailMachine::default();
        tail.committed();
        assert_eq!((tail.begin(NOW), tail.next_deadline()), (None, None));
        let mut tail = following(5);
        tail.rest();
        tail.committed();
        assert_eq!((tail.begin(NOW), tail.position()), (None, None));
    }

    #[test]
    fn events_written_while_the_newest_is_looked_up_are_announced() {
        let mut tail = following(5);
        assert_eq!(tail.begin(NOW), Some(TailRead::After(5)));
        tail.read(Some(6), false, NOW);
        assert_eq!((tail.position(), tail.next_deadline()), (Some(6), None));
    }

    #[test]
    fn commits_that_come_together_share_a_read() {
        let mut tail = following(5);
        assert_eq!(tail.begin(NOW), Some(TailRead::After(5)));
        tail.committed();
        tail.committed();
        assert_eq!(tail.begin(NOW), None, "a read is under way");
        tail.read(Some(8), false, NOW);
        assert_eq!(tail.begin(NOW), None, "the pause is not over");
        assert_eq!(tail.next_deadline(), Some(NOW + PAUSE));
        assert_eq!(tail.begin(NOW + PAUSE), Some(TailRead::After(8)));
        tail.read(None, false, NOW + PAUSE);
        assert_eq!(tail.next_deadline(), None);
    }

    #[test]
    fn a_full_page_is_followed_by_another() {
        let mut tail = following(0);
        let _ = tail.begin(NOW);
        tail.read(Some(1_000), true, NOW);
        assert_eq!(tail.begin(NOW + PAUSE), Some(TailRead::After(1_000)));
    }

    #[test]
    fn a_failed_read_is_repeated_from_the_same_place() {
        let mut tail = following(5);
        let _ = tail.begin(NOW);
        tail.failed(NOW);
        assert_eq!(tail.next_deadline(), Some(NOW + RETRY));
        assert_eq!(tail.begin(NOW + RETRY), Some(TailRead::After(5)));
        let mut tail = TailMachine::default();
        tail.follow();
        let _ = tail.begin(NOW);
        tail.failed(NOW);
        assert_eq!(tail.next_deadline(), None, "its reader was refused");
    }
}
