//! A mass failure whose recovery is held back.

use std::time::Duration;

use super::census::Census;
use crate::time::Timestamp;

/// How often a held mass is checked: if all its instances send heartbeats again, the hold is over.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How far in the future the end of a hold may be put.
pub const MAX_PROLONGATION: Duration = Duration::from_secs(3_600);

/// A brake that is held or released, as operators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Engagement {
    pub since: Timestamp,
    /// When the hold ends, or ended.
    pub until: Timestamp,
    /// The count that engaged the brake.
    pub census: Census,
    /// How many instances are held and not recovered, as of the last check.
    pub waiting: usize,
    /// Whether an operator prolonged the hold, which suspends the promise of 60 seconds.
    pub is_prolonged: bool,
}

/// A mass that is held, and until when.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    /// The hold, as operators see it.
    pub(super) engaged: Engagement,
    /// Silences that began up to here are the mass: when the brake engaged, or when more instances
    /// joined.
    pub(super) upto: Timestamp,
    /// Silences that began up to here are not part of the mass: an earlier hold had them.
    pub(super) after: Option<Timestamp>,
    /// Whether an operator ended the hold.
    pub(super) is_released: bool,
    next_look: Timestamp,
}

impl Hold {
    pub(super) fn new(engaged: Engagement, after: Option<Timestamp>) -> Self {
        Self {
            upto: engaged.since,
            after,
            is_released: false,
            next_look: engaged.since + LOOK_INTERVAL,
            engaged,
        }
    }

    /// Returns whether a silence that began at that moment is held, or was released with this hold.
    pub(super) fn covers(&self, last_beat: Timestamp) -> bool {
        last_beat <= self.upto && self.after.is_none_or(|after| last_beat > after)
    }

    pub(super) fn next_deadline(&self) -> Timestamp {
        self.engaged.until.min(self.next_look)
    }

    /// Notes the result of a check: how many instances are still silent.
    pub(super) fn looked(&mut self, waiting: usize, now: Timestamp) {
        self.engaged.waiting = waiting;
        self.next_look = now + LOOK_INTERVAL;
    }

    pub(super) fn release(&mut self, now: Timestamp) {
        self.is_released = true;
        self.engaged.until = now;
    }

    pub(super) fn prolong(&mut self, by: Duration, now: Timestamp) {
        let until = self.engaged.until.max(now) + by;
        self.engaged.until = until.min(now + MAX_PROLONGATION);
        self.engaged.is_prolonged = true;
        self.is_released = false;
        self.next_look = now;
    }

    /// Takes over everything that another hold covers.
    pub(super) fn take_in(&mut self, other: &Self) {
        self.upto = self.upto.max(other.upto);
        self.after = self.after.min(other.after);
        self.engaged.since = self.engaged.since.min(other.engaged.since);
    }
}
