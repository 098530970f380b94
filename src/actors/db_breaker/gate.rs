//! The state of the store's breakers, readable by every caller without a message.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::actors::refusal::Refusal;
use crate::domain::breaker::BreakerName;
use crate::domain::time::{Timestamp, WallTime};

/// No such moment.
const NO_WALL_TIME: i64 = i64::MIN;
const NO_TIMESTAMP: u64 = u64::MAX;

/// What one breaker shows. Written by its actor only.
#[derive(Debug)]
pub struct Gate {
    lets_through: AtomicBool,
    answers: AtomicBool,
    out_since: AtomicI64,
    next_probe: AtomicU64,
    file_replaced: AtomicBool,
}

/// What a gate is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) lets_through: bool,
    pub(super) answers: bool,
    pub(super) out_since: Option<WallTime>,
    pub(super) next_probe: Option<Timestamp>,
    pub(super) file_replaced: bool,
}

impl Gate {
    const fn open_to_all() -> Self {
        Self {
            lets_through: AtomicBool::new(true),
            answers: AtomicBool::new(true),
            out_since: AtomicI64::new(NO_WALL_TIME),
            next_probe: AtomicU64::new(NO_TIMESTAMP),
            file_replaced: AtomicBool::new(false),
        }
    }

    pub(super) fn show(&self, shown: Shown) {
        let since = shown.out_since.map_or(NO_WALL_TIME, WallTime::as_micros);
        let probe = shown.next_probe.map_or(NO_TIMESTAMP, Timestamp::as_micros);
        self.out_since.store(since, Ordering::Release);
        self.next_probe.store(probe, Ordering::Release);
        self.file_replaced
            .store(shown.file_replaced, Ordering::Release);
        self.answers.store(shown.answers, Ordering::Release);
        self.lets_through
            .store(shown.lets_through, Ordering::Release);
    }

    /// Whether calls may be made.
    pub fn lets_through(&self) -> bool {
        self.lets_through.load(Ordering::Acquire)
    }

    /// Whether the last call was answered, and calls may be made.
    pub fn answers(&self) -> bool {
        self.answers.load(Ordering::Acquire)
    }

    /// Returns the answer to a caller that is refused because of it.
    pub fn refusal(&self) -> Refusal {
        if self.file_replaced.load(Ordering::Acquire) {
            Refusal::DatabaseReplaced
        } else {
            Refusal::StoreUnavailable
        }
    }

    /// Since when it does not answer: since the first of the failures that opened it, or since
    /// it was forced open. None while calls may be made.
    pub fn out_since(&self) -> Option<WallTime> {
        let since = self.out_since.load(Ordering::Acquire);
        (!self.lets_through() && since != NO_WALL_TIME).then(|| WallTime::from_micros(since))
    }

    /// When it is probed next, in the past if it is being probed; none while it need not be
    /// probed, or is forced.
    pub fn next_probe(&self) -> Option<Timestamp> {
        let at = self.next_probe.load(Ordering::Acquire);
        (at != NO_TIMESTAMP).then(|| Timestamp::from_micros(at))
    }
}

/// Whether the store answers, readable by every caller without a message.
#[derive(Debug)]
pub struct StoreGate {
    reads: Gate,
    writes: Gate,
}

impl StoreGate {
    /// The gate of a store that answered just now.
    pub const fn new() -> Self {
        Self {
            reads: Gate::open_to_all(),
            writes: Gate::open_to_all(),
        }
    }

    /// The gate of what is read.
    pub fn reads(&self) -> &Gate {
        &self.reads
    }

    /// The gate of what is written.
    pub fn writes(&self) -> &Gate {
        &self.writes
    }

    /// Whether it answers, as far as is known: one failure is enough for a no.
    pub fn is_up(&self) -> bool {
        self.reads.answers() && self.writes.answers()
    }

    /// Since when answers come from memory alone.
    pub fn stale_since(&self) -> Option<WallTime> {
        self.reads.out_since()
    }

    pub(super) fn of(&self, name: &BreakerName) -> Option<&Gate> {
        if *name == BreakerName::STORE_READS {
            Some(&self.reads)
        } else if *name == BreakerName::STORE_WRITES {
            Some(&self.writes)
        } else {
            None
        }
    }
}

impl Default for StoreGate {
    fn default() -> Self {
        Self::new()
    }
}
