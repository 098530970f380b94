//! When a stream that was given back is looked at again: one timer for all of them.
//!
//! The end of a pause and the end of a trial are deadlines of the saved stream; the rules are in
//! `returns`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::{Epoch, StreamId};
use super::returns::{ReturnPolicy, whole_pause};
use super::stream::{Place, Stream};
use super::time::{Timestamp, WallTime};

/// How many streams one decision continues at the most.
const MOST_AT_ONCE: usize = 1_000;

/// How soon it is tried again to save that a pause or a trial is over.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// What is due for a stream that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Its pause after so many returns is over.
    Retry {
        /// How many.
        count: u32,
    },
    /// It has run steadily under this epoch.
    Steady {
        /// The epoch under which it has run.
        epoch: Epoch,
    },
}

/// When something is due, by the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// What.
    pub due: Due,
    /// When.
    pub at: WallTime,
    /// It is never further away than this.
    pub within: Duration,
}

/// What is due next for a stream; most were never given back.
pub fn deadline(stream: &Stream, place: &Place, policy: &ReturnPolicy) -> Option<Deadline> {
    let returns = stream.returns.as_deref()?;
    match place {
        Place::Assigned(assignment) => Some(Deadline {
            due: Due::Steady {
                epoch: assignment.epoch,
            },
            at: assignment.assigned_at + policy.steady,
            within: policy.steady,
        }),
        Place::Unclaimed { .. } | Place::Orphaned { .. } => Some(Deadline {
            due: Due::Retry {
                count: returns.count,
            },
            at: returns.retry_at?,
            within: whole_pause(returns.count),
        }),
        Place::Disabled => None,
    }
}

/// The deadlines of all streams that were given back, on running time: the one timer of whoever
/// continues them.
#[derive(Debug, Default)]
pub struct ReturnTimer {
    pending: BTreeMap<StreamId, (Timestamp, Due)>,
    order: BTreeSet<(Timestamp, StreamId)>,
}

impl ReturnTimer {
    /// A stream has changed. What was known of it before goes on.
    pub fn follow(
        &mut self,
        stream: StreamId,
        deadline: Option<Deadline>,
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

    /// When the next one is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// What is due now. It stays until the change that follows from it has been followed, and is due
    /// again after a while if that never comes.
    pub fn due(&mut self, now: Timestamp) -> Vec<(StreamId, Due)> {
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

    fn set(&mut self, stream: StreamId, at: Timestamp, due: Due) {
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
