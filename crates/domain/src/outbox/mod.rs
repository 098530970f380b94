//! What is to be saved and is not yet: one save at a time, again after a pause, never without limit.
//!
//! | what happens | consequence |
//! | --- | --- |
//! | a row arrives | it waits; above the limit one row is dropped, and returned to be counted |
//! | a save may begin | everything that waits is in flight; rows that arrive meanwhile wait |
//! | the store responded | the rows that were not tried wait again, and the next save may begin at once |
//! | the store did not respond | the rows that are not saved wait again, and the next save waits for the pause |
//! | the store refused all of them together | each is saved alone next, so that only the culprit is lost |
//!
//! A [`Shelf`] holds the rows that wait, in the way in which the users differ: a [`Queue`] keeps every row in
//! its order, [`Latest`] keeps one row a key. No row is in two saves at a time, so none is saved twice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::time::Timestamp;

/// Rows that wait to be saved.
pub trait Shelf {
    /// A row.
    type Row: Clone;

    /// Adds the newest row.
    fn add(&mut self, row: Self::Row);

    /// Adds a row that is older than every other; a newer one of its key wins.
    fn put_back(&mut self, row: Self::Row);

    /// Takes the oldest rows, at most so many.
    fn take(&mut self, most: usize) -> Vec<Self::Row>;

    /// Drops the row that is missed the least.
    fn drop_one(&mut self) -> Option<Self::Row>;

    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows, oldest first.
    fn rows(&self) -> impl DoubleEndedIterator<Item = &Self::Row>;
}

/// Which row a full [`Queue`] drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// The oldest row: what is new says more.
    Oldest,
    /// The newest row: what was accepted first is kept.
    Newest,
}

/// Every row, in the order of its arrival.
#[derive(Debug, Clone)]
pub struct Queue<T> {
    rows: VecDeque<T>,
    excess: Excess,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub const fn dropping(excess: Excess) -> Self {
        Self {
            rows: VecDeque::new(),
            excess,
        }
    }
}

impl<T: Clone> Shelf for Queue<T> {
    type Row = T;

    fn add(&mut self, row: T) {
        self.rows.push_back(row);
    }

    fn put_back(&mut self, row: T) {
        self.rows.push_front(row);
    }

    fn take(&mut self, most: usize) -> Vec<T> {
        self.rows.drain(..most.min(self.rows.len())).collect()
    }

    fn drop_one(&mut self) -> Option<T> {
        match self.excess {
            Excess::Oldest => self.rows.pop_front(),
            Excess::Newest => self.rows.pop_back(),
        }
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn rows(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.iter()
    }
}

/// A row of which only the newest version is saved.
pub trait Keyed: Clone {
    /// What tells rows apart.
    type Key: Ord;

    /// The key of this row.
    fn key(&self) -> Self::Key;

    /// Whether this row is dropped before others.
    fn is_expendable(&self) -> bool {
        false
    }
}

/// The newest row of each key, in the order of the keys.
#[derive(Debug, Clone)]
pub struct Latest<T: Keyed>(BTreeMap<T::Key, T>);

impl<T: Keyed> Default for Latest<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Keyed> Shelf for Latest<T> {
    type Row = T;

    fn add(&mut self, row: T) {
        self.0.insert(row.key(), row);
    }

    fn put_back(&mut self, row: T) {
        self.0.entry(row.key()).or_insert(row);
    }

    fn take(&mut self, most: usize) -> Vec<T> {
        if most >= self.0.len() {
            return std::mem::take(&mut self.0).into_values().collect();
        }
        std::iter::from_fn(|| self.0.pop_first())
            .map(|(_, row)| row)
            .take(most)
            .collect()
    }

    fn drop_one(&mut self) -> Option<T> {
        let expendable = self.0.values().find(|row| row.is_expendable());
        match expendable.map(Keyed::key) {
            Some(key) => self.0.remove(&key),
            None => self.0.pop_first().map(|(_, row)| row),
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn rows(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.values()
    }
}

/// Rows that are not saved yet, and the save that is under way.
#[derive(Debug, Clone)]
pub struct Outbox<S: Shelf> {
    waiting: S,
    in_flight: Arc<[S::Row]>,
    /// How many rows may wait.
    limit: usize,
    /// The wait between a failed save and the next one.
    pause: Duration,
    retry_at: Option<Timestamp>,
    /// How many rows are saved alone next.
    singly: usize,
}

impl<S: Shelf> Outbox<S> {
    /// An outbox whose shelf holds at most `limit` rows, and whose next save waits for `pause` after a
    /// failed one.
    pub fn new(shelf: S, limit: usize, pause: Duration) -> Self {
        Self {
            waiting: shelf,
            in_flight: Arc::from([]),
            limit,
            pause,
            retry_at: None,
            singly: 0,
        }
    }

    /// Takes a row. Returns what is dropped because of it.
    #[must_use = "a dropped row is counted"]
    pub fn put(&mut self, row: S::Row) -> Vec<S::Row> {
        self.waiting.add(row);
        self.drop_excess()
    }

    /// The rows of the next save, which is under way from now on. None while another one is, while the
    /// pause after a failure lasts, and while no row waits.
    pub fn begin(&mut self, now: Timestamp) -> Option<Arc<[S::Row]>> {
        let pauses = self.retry_at.is_some_and(|at| now < at);
        if self.is_saving() || pauses || self.waiting.is_empty() {
            return None;
        }
        self.retry_at = None;
        let most = if self.singly > 0 { 1 } else { usize::MAX };
        self.in_flight = self.waiting.take(most).into();
        Some(self.in_flight.clone())
    }

    /// The store responded: what is in flight is saved, or lost for its content, except for the rows
    /// that were `left` untried. Returns what is dropped at the limit.
    #[must_use = "a dropped row is counted"]
    pub fn settled(&mut self, left: Vec<S::Row>) -> Vec<S::Row> {
        let tried = self.in_flight.len().saturating_sub(left.len());
        self.singly = self.singly.saturating_sub(tried);
        self.in_flight = Arc::from([]);
        for row in left.into_iter().rev() {
            self.waiting.put_back(row);
        }
        self.drop_excess()
    }

    /// The store did not respond: the rows that are `left` wait for another save, which waits for the
    /// pause. Returns what is dropped at the limit.
    #[must_use = "a dropped row is counted"]
    pub fn failed(&mut self, left: Vec<S::Row>, now: Timestamp) -> Vec<S::Row> {
        self.retry_at = Some(now + self.pause);
        self.settled(left)
    }

    /// The save could not even be tried: everything in flight waits for the pause.
    #[must_use = "a dropped row is counted"]
    pub fn postponed(&mut self, now: Timestamp) -> Vec<S::Row> {
        self.failed(self.in_flight.to_vec(), now)
    }

    /// The store refused several rows together, for the content of one of them: they wait again, and are
    /// saved one by one. Returns what is dropped at the limit.
    #[must_use = "a dropped row is counted"]
    pub fn refused(&mut self) -> Vec<S::Row> {
        let (rows, count) = (self.in_flight.to_vec(), self.in_flight.len());
        let dropped = self.settled(rows);
        self.singly = count;
        dropped
    }

    /// Whether a save is under way.
    pub fn is_saving(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// When the next save may begin, if it has to wait for that.
    pub fn next_retry(&self) -> Option<Timestamp> {
        self.retry_at
            .filter(|_| !self.is_saving() && !self.waiting.is_empty())
    }

    /// How many rows are not saved.
    pub fn len(&self) -> usize {
        self.in_flight.len() + self.waiting.len()
    }

    /// Whether everything is saved.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows that are not saved, oldest first. With [`Latest`] a row in flight may be there in a newer
    /// version too.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &S::Row> {
        self.in_flight.iter().chain(self.waiting.rows())
    }

    fn drop_excess(&mut self) -> Vec<S::Row> {
        let excess = self.waiting.len().saturating_sub(self.limit);
        (0..excess)
            .filter_map(|_| self.waiting.drop_one())
            .collect()
    }
}

#[cfg(test)]
mod tests;
