//! Streams that their workers give back, and when they are tried again.
//!
//! A stream that no worker can start must not bounce between them as fast as it is released.
//!
//! ```text
//!            counted return             counted return
//!   (none) ────────────────▶ 1 return ────────────────▶ paused (2, 3, … returns) ◀──┐
//!      ▲                        │                          │ the pause is over        │
//!      │                        ▼                          ▼                          │ counted
//!      └─── runs steadily ─── on trial: some instance owns it ◀── pushed, asked for   │ return
//!                               └─────────────────────────────────────────────────────┘
//! ```
//!
//! *Counted*: a worker released the stream sooner than the warning threshold after it was assigned,
//! or named a reason; or the stream was moved away because its owner never ran it (`not_run`)
//! before it had run steadily. A release without a reason of a stream that was owned for longer
//! does not count, so workers that stop gracefully pause nothing. Neither does a release that the
//! orchestrator asked for (a move, a recovery); and a return without a reason is taken back when
//! its worker leaves for good.
//!
//! *Paused*: from the second return on the stream waits, [`FIRST_PAUSE`] first and twice as long
//! with each further return, up to [`LONGEST_PAUSE`]; jitter takes away at most a quarter. No
//! instance gets it meanwhile, with or without a request. A planned move by an operator ends the
//! pause. After the first return the stream is not paused: every other instance may have it at
//! once, and the one that gave it back may be assigned it again after [`FIRST_PAUSE`].
//!
//! *Chosen last*: an instance that gave the stream back lately is chosen only if no other instance
//! with room is there, and of several the one whose return is oldest. If there is only one
//! instance, it gets the stream again.
//!
//! *Steady*: one owner has held the stream for the whole heartbeat timeout, without giving it back.
//! Then all returns are forgotten. They are forgotten too when the stream is disabled or deleted,
//! or its URL is changed, because it may be startable now.
//!
//! What can go wrong: the process ends (count and pause are saved with the stream, and the rest of
//! the pause by the wall clock, never more than the pause, is waited for again); the wall clock
//! jumps (pauses run on running time: `ReturnTimer`); the end of a pause cannot be saved (saving is
//! retried every `RETRY_INTERVAL`).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{InstanceId, StreamId};
use super::settings::LivenessThresholds;
use super::string_enum::string_enum;
use super::time::WallTime;

/// The pause after the second return.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// No pause is longer: a camera that is back is tried within minutes.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How many workers that gave a stream back are remembered; the oldest is forgotten first.
pub const MOST_WORKERS: usize = 8;

/// How long a reason may be, in characters.
pub const LONGEST_REASON: usize = 512;

/// From this many returns on a stream is paused, and reported.
pub const REPORTED_RETURNS: u32 = 2;

/// The reason of a return that the orchestrator detected by itself.
const NOT_RUN: &str = "the worker was told to run it and did not";

/// Decides which returns count, and when they are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnPolicy {
    /// A release counts if the stream was owned for less than this.
    pub quick: Duration,
    /// An owner that has held a stream for so long runs it steadily.
    pub steady: Duration,
}

impl ReturnPolicy {
    /// Derives the policy: quick is less than the warning threshold, steady is the timeout.
    pub const fn from_thresholds(thresholds: &LivenessThresholds) -> Self {
        Self {
            quick: thresholds.warning,
            steady: thresholds.timeout,
        }
    }

    /// Returns whether a release counts.
    pub fn counts(&self, owned: Duration, reason: Option<&str>) -> bool {
        owned < self.quick || reason.is_some()
    }

    /// Returns whether it counts that the owner did not run the stream.
    pub fn counts_not_run(&self, owned: Duration) -> bool {
        owned < self.steady
    }
}

/// That of a timeout of five minutes, until a fleet is given another one.
impl Default for ReturnPolicy {
    fn default() -> Self {
        Self::from_thresholds(&LivenessThresholds::from_timeout(Duration::from_secs(300)))
    }
}

/// Returns how long a stream waits after its `count`th return in a row, before jitter.
pub(super) fn whole_pause(count: u32) -> Duration {
    let doublings = count.saturating_sub(REPORTED_RETURNS).min(16);
    FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE)
}

/// Returns the same with jitter, so that streams that failed together are not tried together. The
/// jitter follows from the stream and the count, so a repeated decision is the same.
pub fn pause(stream: StreamId, count: u32) -> Duration {
    let seed = stream.get().cast_unsigned() ^ (u64::from(count) << 48);
    whole_pause(count).mul_f64(1.0 - 0.25 * fraction(seed))
}

/// Returns a number in 0..1 that looks random (the finalizer of SplitMix64).
fn fraction(seed: u64) -> f64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    f64::from(u32::try_from(mixed >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// The returns of a stream, remembered until it runs steadily.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returns {
    /// How many in a row, at least 1.
    pub count: u32,
    /// The workers that gave it back, each once, the newest last; at most [`MOST_WORKERS`].
    pub workers: Vec<InstanceId>,
    /// The last reason that was given.
    pub reason: Option<Arc<str>>,
    /// The time of the last return.
    pub last_at: WallTime,
    /// Until when it waits; `None` once the wait is over, or the stream has an owner.
    pub retry_at: Option<WallTime>,
}

impl Returns {
    /// Returns the state after one more return.
    pub fn after(
        before: Option<&Self>,
        stream: StreamId,
        by: &InstanceId,
        reason: Option<Arc<str>>,
        now: WallTime,
    ) -> Self {
        let count = before.map_or(0, |before| before.count).saturating_add(1);
        let known = before.map(|before| before.workers.iter());
        let mut workers: Vec<InstanceId> = known
            .into_iter()
            .flatten()
            .filter(|worker| *worker != by)
            .cloned()
            .collect();
        workers.push(by.clone());
        let excess = workers.len().saturating_sub(MOST_WORKERS);
        workers.drain(..excess);
        Self {
            count,
            workers,
            reason: reason.or_else(|| before.and_then(|before| before.reason.clone())),
            last_at: now,
            retry_at: Some(now + pause(stream, count)),
        }
    }

    /// Returns the state if the last return counts no more; `None` if it was the only one.
    pub fn without_last(&self) -> Option<Self> {
        let count = self.count.saturating_sub(1);
        let mut workers = self.workers.clone();
        workers.pop();
        (count > 0).then(|| Self {
            count,
            workers,
            retry_at: None,
            ..self.clone()
        })
    }

    /// Returns the reason of a return that no worker announced.
    pub fn not_run() -> Arc<str> {
        NOT_RUN.into()
    }

    /// Returns whether no instance may have the stream now.
    pub const fn is_paused(&self) -> bool {
        self.retry_at.is_some() && self.is_reported()
    }

    /// Returns whether the alert `stream_returned` reports it.
    pub const fn is_reported(&self) -> bool {
        self.count >= REPORTED_RETURNS
    }
}

string_enum! {
    /// Why the returns of a stream are forgotten.
    ReturnsEnd {
        /// One owner held it for the whole timeout.
        RanSteadily = "ran_steadily",
        /// Its URL was changed.
        Changed = "changed",
        /// It was disabled.
        Disabled = "disabled",
        /// It was deleted.
        Deleted = "deleted",
        /// It is quarantined instead (`quarantine/mod.rs`).
        Quarantined = "quarantined",
        /// The worker that gave it back last left for good.
        WorkerLeft = "worker_left",
    }
}

#[cfg(test)]
mod tests;
