//! The recoveries under way, and how far each is: one recovery per instance at a time, always in
//! the same order of steps.
//!
//! ```text
//!   wake ──▶ Fencing ──Alive──────────────▶ (over: it beats)
//!               │Fenced
//!               ▼
//!           Attempting ──saved, or pointless─▶ (over)
//!               │could not be saved
//!               ▼
//!            Waiting ──due, or woken────────▶ Attempting
//!               ▲ the lease of its worker is not over
//!               └──────────────────────────────────┘
//! ```
//!
//! Every reason for a recovery (a timeout, a report, the sweep, the store's return) takes the same
//! path. A second reason for the same incarnation joins the first; a reason for a newer incarnation
//! replaces it, because the older incarnation is over. A fenced instance stays fenced while its
//! recovery waits: nothing is granted to it that a saved failure would contradict. A recovery whose
//! attempts are used up becomes urgent and keeps retrying, at the longest delay.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{Incarnation, InstanceId};
use crate::incident::FailureCause;
use crate::time::{Timestamp, WallTime};

/// The incarnation of an instance that must be recovered, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Failure {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    pub cause: FailureCause,
    /// When the failure was noticed.
    pub detected_at: WallTime,
}

/// The next step of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Step {
    /// Fence the instance and report the answer.
    Fence(Failure),
    /// Let the fleet decide and save, and report the answer.
    Attempt {
        failure: Failure,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// Whether it is an emergency.
        is_urgent: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Fencing,
    Attempting,
    Waiting { until: Timestamp },
}

#[derive(Debug, Clone)]
struct Recovery {
    failure: Failure,
    stage: Stage,
    /// The last attempt that was begun.
    attempt: u32,
    is_urgent: bool,
}

impl Recovery {
    fn attempt(&mut self) -> Step {
        self.attempt = self.attempt.saturating_add(1);
        self.stage = Stage::Attempting;
        Step::Attempt {
            failure: self.failure.clone(),
            attempt: self.attempt,
            is_urgent: self.is_urgent,
        }
    }
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It is retried.
    Later,
    /// It is retried, and its attempts were used up just now.
    Exhausted,
    /// The recovery is not under way any more.
    Never,
}

/// All recoveries under way.
#[derive(Debug, Clone, Default)]
pub struct Recoveries {
    under_way: BTreeMap<InstanceId, Recovery>,
}

impl Recoveries {
    /// Creates an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the first instance that is being recovered, by name.
    pub fn first(&self) -> Option<&InstanceId> {
        self.under_way.keys().next()
    }

    /// Begins the recovery of a failure. Returns `None` if it is under way already; an emergency
    /// makes that one urgent.
    pub fn wake(&mut self, failure: Failure) -> Option<Step> {
        self.resume(failure, 0)
    }

    /// Continues a recovery that an earlier run of the program began, after so many attempts.
    pub fn resume(&mut self, failure: Failure, attempts: u32) -> Option<Step> {
        let is_urgent = failure.cause == FailureCause::EmergencyThreshold;
        if let Some(known) = self.under_way.get_mut(&failure.id)
            && known.failure.incarnation >= failure.incarnation
        {
            known.is_urgent |= is_urgent && known.failure.incarnation == failure.incarnation;
            return None;
        }
        let recovery = Recovery {
            failure: failure.clone(),
            stage: Stage::Fencing,
            attempt: attempts,
            is_urgent,
        };
        self.under_way.insert(failure.id.clone(), recovery);
        Some(Step::Fence(failure))
    }

    /// Ends a recovery: it is saved, there was nothing to recover, or the instance sent a
    /// heartbeat.
    pub fn ended(&mut self, id: &InstanceId, incarnation: Incarnation) {
        if self.is_recovering(id, incarnation) {
            self.under_way.remove(id);
        }
    }

    /// Notes that the instance is fenced.
    pub fn fenced(&mut self, id: &InstanceId, incarnation: Incarnation) -> Option<Step> {
        let recovery = self.under_way.get_mut(id)?;
        if recovery.failure.incarnation != incarnation {
            return None;
        }
        match recovery.stage {
            Stage::Fencing => Some(recovery.attempt()),
            Stage::Attempting | Stage::Waiting { .. } => None,
        }
    }

    /// Notes that an attempt could not be saved: the next one is due after `delay`. After
    /// `most_attempts` the recovery is urgent, if `escalates`.
    pub fn retry_after(
        &mut self,
        (id, incarnation): (&InstanceId, Incarnation),
        delay: Duration,
        now: Timestamp,
        most_attempts: u32,
        escalates: bool,
    ) -> Retry {
        let Some(recovery) = self.under_way.get_mut(id) else {
            return Retry::Never;
        };
        if recovery.failure.incarnation != incarnation || recovery.stage != Stage::Attempting {
            return Retry::Never;
        }
        recovery.stage = Stage::Waiting { until: now + delay };
        if recovery.attempt < most_attempts {
            return Retry::Later;
        }
        recovery.is_urgent |= escalates;
        Retry::Exhausted
    }

    /// Notes that the store is known to be out and nothing was tried: the attempt does not count.
    /// It is repeated once the store is back; `delay` applies if its return is not reported.
    pub fn wait_for_store(
        &mut self,
        (id, incarnation): (&InstanceId, Incarnation),
        delay: Duration,
        now: Timestamp,
    ) {
        self.postpone((id, incarnation), now + delay);
    }

    /// Notes that the worker may still run its streams: the attempt does not count, and is repeated
    /// when the lease is over.
    pub fn wait_for_lease(
        &mut self,
        (id, incarnation): (&InstanceId, Incarnation),
        until: Timestamp,
    ) {
        self.postpone((id, incarnation), until);
    }

    fn postpone(&mut self, (id, incarnation): (&InstanceId, Incarnation), until: Timestamp) {
        if let Some(recovery) = self.under_way.get_mut(id)
            && recovery.failure.incarnation == incarnation
            && recovery.stage == Stage::Attempting
        {
            recovery.attempt -= 1;
            recovery.stage = Stage::Waiting { until };
        }
    }

    /// Returns the steps whose wait is over. May be called at any time.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Vec<Step> {
        self.go_on(|until| until <= now)
    }

    /// Returns every step that waits: the store is back, so no wait is needed.
    pub fn store_returned(&mut self) -> Vec<Step> {
        self.go_on(|_| true)
    }

    /// Begins the next attempt of an instance now, if it waits for one.
    pub fn hurry(&mut self, id: &InstanceId) -> Option<Step> {
        let recovery = self.under_way.get_mut(id)?;
        match recovery.stage {
            Stage::Waiting { .. } => Some(recovery.attempt()),
            Stage::Fencing | Stage::Attempting => None,
        }
    }

    fn go_on(&mut self, is_due: impl Fn(Timestamp) -> bool) -> Vec<Step> {
        let recoveries = self.under_way.values_mut();
        recoveries
            .filter(|recovery| match recovery.stage {
                Stage::Waiting { until } => is_due(until),
                Stage::Fencing | Stage::Attempting => false,
            })
            .map(Recovery::attempt)
            .collect()
    }

    /// Returns when the next wait is over.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.under_way
            .values()
            .filter_map(|recovery| match recovery.stage {
                Stage::Waiting { until } => Some(until),
                Stage::Fencing | Stage::Attempting => None,
            })
            .min()
    }

    /// Returns whether any incarnation of the instance is being recovered.
    pub fn concerns(&self, id: &InstanceId) -> bool {
        self.under_way.contains_key(id)
    }

    /// Returns how many recoveries are under way.
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Returns whether no recovery is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Returns whether this incarnation of the instance is being recovered.
    pub fn is_recovering(&self, id: &InstanceId, incarnation: Incarnation) -> bool {
        self.under_way
            .get(id)
            .is_some_and(|known| known.failure.incarnation == incarnation)
    }
}

#[cfg(test)]
mod tests;
