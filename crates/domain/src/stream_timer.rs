//! A timer for many streams, each with one deadline of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::StreamId;
use super::time::{Timestamp, WallTime};

/// How many streams one decision continues at most.
const MOST_AT_ONCE: usize = 1_000;

/// How soon a decision that follows from a deadline is retried.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// A deadline, on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Deadline<D> {
    pub due: D,
    pub at: WallTime,
    /// The deadline is never further away than this.
    pub within: Duration,
}

/// The deadlines of all streams that have one, on running time.
#[derive(Debug)]
pub struct StreamTimer<D> {
    pending: BTreeMap<StreamId, (Timestamp, D)>,
    order: BTreeSet<(Timestamp, StreamId)>,
}

impl<D> Default for StreamTimer<D> {
    fn default() -> Self {
        Self {
            pending: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<D: Copy + PartialEq> StreamTimer<D> {
    /// Takes over a change of a stream. What was known of it before continues.
    pub fn follow(
        &mut self,
        stream: StreamId,
        deadline: Option<Deadline<D>>,
        now: Timestamp,
        wall: WallTime,
    ) {
        let known = self.pending.get(&stream);
        match deadline {
            Some(Deadline { due, .. }) if known.is_some_and(|(_, known)| *known == due) => {}
            Some(Deadline { due, at, within }) => {
                self.set(stream, now + at.since(wall).min(within), due);
            }
            None => self.forget(stream),
        }
    }

    /// Returns when the next deadline is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Returns the deadlines that are due now. An entry stays until the change that follows from it
    /// arrives, and is due again after a while if that never happens.
    pub fn due(&mut self, now: Timestamp) -> Vec<(StreamId, D)> {
        let due = self.order.iter().take_while(|(at, _)| *at <= now);
        let streams: Vec<StreamId> = due.map(|(_, stream)| *stream).take(MOST_AT_ONCE).collect();
        let mut found = Vec::with_capacity(streams.len());
        for stream in streams {
            if let Some((_, due)) = self.pending.get(&stream).copied() {
                found.push((stream, due));
                self.set(stream, now + RETRY_INTERVAL, due);
            }
        }
        found
    }

    fn set(&mut self, stream: StreamId, at: Timestamp, due: D) {
        self.forget(stream);
        self.pending.insert(stream, (at, due));
        self.order.insert((at, stream));
    }

    fn forget(&mut self, stream: StreamId) {
        if let Some((at, _)) = self.pending.remove(&stream) {
            self.order.remove(&(at, stream));
        }
    }
}
