//! Poisonous streams: a stream whose owners fail one after the other is kept away from the rest.
//!
//! ```text
//!             an owner failed          QUARANTINE_AFTER owners in a row failed
//!   (none) ───────────────────▶ suspect ──────────────────────────▶ quarantined ◀──┐
//!      ▲                           │                                   │ retry_at   │
//!      │                           ▼                                   ▼            │ the owner
//!      └── one owner kept it for QUARANTINE_WINDOW ◀──────────────── on trial ──────┘ failed
//!      └── released by hand, disabled, deleted, or its URL was changed
//! ```
//!
//! *Evidence* (`evidence.rs`): an owner failed within `QUARANTINE_WINDOW` of getting the stream, or
//! the stream was given back with a reason, or its owner did not run it although it was notified. An
//! owner that kept the stream for longer than the window and failed then ends the row. What is no
//! evidence leaves the row as it is: a removal, an emergency order, a planned move, a release without
//! a reason, a mass failure, a silence that may be the orchestrator's own.
//!
//! *In a row*: the owners that failed are different ones while another instance could have the
//! stream: an owner that fails with it again counts once, by its last failure. One sick worker
//! quarantines no stream then, however often the stream comes back to it (because it is pinned
//! there). If no other instance is left that could have the stream, each failure counts: a poisonous
//! stream in a fleet of one or two instances, or with a label that one instance has, must not go round
//! for ever.
//!
//! *Quarantined*: the stream has no owner, and no instance gets it, with or without a request. It is
//! retried after the heartbeat timeout first, and after twice as long with each retry that fails, up
//! to [`LONGEST_WAIT`]. One stream of the whole fleet is retried at a time. The retry prefers an
//! instance that owns nothing, and one that did not fail with the stream before.
//!
//! *Suspects together*: streams whose rows name the same failures cannot be told apart. If the owner
//! of one fails again during its trial, that failure counts against this stream only, not against its
//! neighbours, and its fellow suspects leave the quarantine. They keep all but the oldest of their
//! failures, so that one more puts them back: two of them may be poisonous.
//!
//! *Over*: the stream is released by hand, or one owner has kept it for the whole window, and is not
//! late at its end. All evidence is forgotten then. It is forgotten too when the stream is disabled or
//! deleted, or its URL is changed.
//!
//! What can go wrong: the process ends (evidence, retries and the next retry are saved with the
//! stream); a jump of the wall clock (waits run on running time: `trial_timer.rs`); no instance has
//! room for the trial, or another trial is under way (the retry is repeated every `RETRY_INTERVAL`);
//! the owner of a stream on trial is removed, emptied, or says goodbye for a while (the trial goes on
//! with the next owner).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::InstanceId;
use super::planned::Requester;
use super::string_enum::string_enum;
use super::time::WallTime;

mod evidence;
mod policy;

pub use evidence::{Conduct, Culpable, Deafness, Evidence, FailureFacts, OwnerFault};
pub use policy::{LONGEST_WAIT, MOST_FAILURES, QuarantinePolicy};

/// After how many times the required failures a stream is quarantined although it had fewer owners.
const MOST_ROUNDS: usize = 2;

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerFailure {
    /// The owner.
    pub server_id: InstanceId,
    /// When it failed, or gave the stream back.
    pub at: WallTime,
    /// What it did.
    pub what: OwnerFault,
    /// How long it had owned the stream, in milliseconds.
    pub owned_ms: u64,
    /// The reason that it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
}

impl OwnerFailure {
    /// Returns whether it is the same failure, seen from another stream. A worker that gives a stream
    /// back names that one.
    fn is_same(&self, other: &Self) -> bool {
        let is_failure = self.what == OwnerFault::Failed && other.what == OwnerFault::Failed;
        is_failure && self.server_id == other.server_id && self.at == other.at
    }
}

/// The wait of a stream that is kept away from the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantine {
    /// The time it began.
    pub since: WallTime,
    /// How many retries failed.
    pub retries: u32,
    /// When it is retried; `None` from its retry on.
    pub retry_at: Option<WallTime>,
}

/// What speaks against a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// The failures of its owners in a row, the newest last; once it is quarantined, at most as many as
    /// are required.
    pub failures: Vec<OwnerFailure>,
    /// Set while it is quarantined or on trial.
    pub quarantine: Option<Quarantine>,
}

impl Suspicion {
    /// Returns the suspicion after one more failure at `now`. `has_others` returns whether an instance
    /// besides these owners could have the stream; it is asked only if the failures are enough and their
    /// owners are not. A stream that kills two workers in turns is not spared for ever: enough are
    /// twice as many failures, of however few owners.
    pub fn after(
        before: Option<&Self>,
        failure: OwnerFailure,
        policy: &QuarantinePolicy,
        now: WallTime,
        has_others: impl FnOnce(&[InstanceId]) -> bool,
    ) -> Self {
        let known = before.map(|before| before.failures.clone());
        let mut failures = known.unwrap_or_default();
        failures.push(failure);
        let required = policy.after.clamp(1, MOST_FAILURES) as usize;
        let quarantined = before.and_then(|before| before.quarantine);
        let owners = owners(&failures);
        let is_enough = quarantined.is_some()
            || owners.len() >= required
            || failures.len() >= required * MOST_ROUNDS
            || (failures.len() >= required && !has_others(&owners));
        if is_enough {
            if quarantined.is_none() && owners.len() >= required {
                keep_last_of_each(&mut failures);
            }
            let excess = failures.len().saturating_sub(required);
            failures.drain(..excess);
        }
        let quarantine = match quarantined {
            Some(Quarantine { since, retries, .. }) => Some(Quarantine {
                since,
                retries: retries.saturating_add(1),
                retry_at: Some(now + policy.wait(retries.saturating_add(1))),
            }),
            None => is_enough.then(|| Quarantine {
                since: now,
                retries: 0,
                retry_at: Some(now + policy.wait(0)),
            }),
        };
        Self {
            failures,
            quarantine,
        }
    }

    /// Returns the suspicion once its stream is on trial.
    #[must_use]
    pub fn on_trial(&self) -> Self {
        Self {
            failures: self.failures.clone(),
            quarantine: self.quarantine.map(|quarantine| Quarantine {
                retry_at: None,
                ..quarantine
            }),
        }
    }

    /// Returns the suspicion of a stream that leaves the quarantine because a fellow suspect failed
    /// again; `None` if nothing is left of it.
    pub fn cleared(&self) -> Option<Self> {
        let failures: Vec<OwnerFailure> = self.failures.iter().skip(1).cloned().collect();
        (!failures.is_empty()).then_some(Self {
            failures,
            quarantine: None,
        })
    }

    /// Returns whether both name the same failures: one of the two streams may be innocent.
    pub fn is_fellow_of(&self, other: &Self) -> bool {
        let pairs = self.failures.iter().zip(&other.failures);
        self.failures.len() == other.failures.len() && { pairs }.all(|(one, two)| one.is_same(two))
    }

    /// Returns the instances that failed with the stream, the oldest failure first.
    pub fn owners(&self) -> Vec<InstanceId> {
        owners(&self.failures)
    }
}

/// Returns the owners that failed, each once, by its last failure.
fn owners(failures: &[OwnerFailure]) -> Vec<InstanceId> {
    let mut owners: Vec<InstanceId> = Vec::with_capacity(failures.len());
    for failure in failures {
        owners.retain(|owner| *owner != failure.server_id);
        owners.push(failure.server_id.clone());
    }
    owners
}

/// Keeps the last failure of each owner.
fn keep_last_of_each(failures: &mut Vec<OwnerFailure>) {
    let mut kept: Vec<OwnerFailure> = Vec::with_capacity(failures.len());
    for failure in failures.drain(..) {
        kept.retain(|one| one.server_id != failure.server_id);
        kept.push(failure);
    }
    *failures = kept;
}

string_enum! {
    /// Why a stream leaves its quarantine.
    QuarantineEnd {
        /// An operator released it.
        ByHand = "by_hand",
        /// One owner kept it for the whole window.
        RanSteadily = "ran_steadily",
        /// A stream that shared all its failed owners failed again.
        AnotherFailed = "another_failed",
        /// Its URL was changed.
        Changed = "changed",
        /// It was disabled.
        Disabled = "disabled",
        /// It was deleted.
        Deleted = "deleted",
    }
}

impl QuarantineEnd {
    /// Returns who ended it.
    pub const fn by(self) -> Requester {
        match self {
            Self::ByHand | Self::Changed | Self::Disabled | Self::Deleted => Requester::Operator,
            Self::RanSteadily | Self::AnotherFailed => Requester::Program,
        }
    }
}

#[cfg(test)]
mod tests;
