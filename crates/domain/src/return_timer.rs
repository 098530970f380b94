//! The timer after which streams that were given back are tried again: one for all of them.
//!
//! The end of a pause and the end of a trial are deadlines of the saved stream; the rules are in
//! `returns`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::{Epoch, StreamId};
use super::returns::{ReturnPolicy, whole_pause};
use super::stream::{Place, Stream};
use super::time::{Timestamp, WallTime};

/// How many streams one decision continues at most.
const MOST_AT_ONCE: usize = 1_000;

/// How soon saving the end of a pause or trial is retried.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// The deadline that a stream has reached after it was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Due {
    /// Its pause after so many returns is over.
    Retry { count: u32 },
    /// It has run steadily under this epoch.
    Steady { epoch: Epoch },
}

/// A deadline, on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Deadline {
    pub due: Due,
    pub at: WallTime,
    /// The deadline is never further away than this.
    pub within: Duration,
}

/// Returns the next deadline of a stream; `None` for most, because they were never given back.
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

/// The deadlines of all streams that were given back, on running time.
#[derive(Debug, Default)]
pub struct ReturnTimer {
    pending: BTreeMap<StreamId, (Timestamp, Due)>,
    order: BTreeSet<(Timestamp, StreamId)>,
}

impl ReturnTimer {
    /// Takes over a change of a stream. What was known of it before continues.
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

    /// Returns when the next deadline is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Returns the deadlines that are due now. An entry stays until the change that follows from it
    /// arrives, and is due again after a while if that never happens.
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
