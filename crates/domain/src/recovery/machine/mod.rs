//! Which instances are being recovered, and how far each is: one recovery per instance at a
//! time, in one order.
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
//! Whatever wakes a recovery (a timeout, a report, the sweep, the store's return) takes the same
//! path. A second wake-up of the same life joins the first; a wake-up of a newer life replaces
//! it, because the older life is over. An instance that was fenced stays fenced while it waits:
//! nothing is granted to it that a saved failure would contradict. A recovery whose attempts are
//! used up becomes urgent and is tried for ever, at the slowest step.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{Incarnation, InstanceId};
use crate::incident::FailureCause;
use crate::time::{Timestamp, WallTime};

/// The life of an instance that is to be recovered, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Who.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// Why it is held to have failed.
    pub cause: FailureCause,
    /// When that was noticed.
    pub detected_at: WallTime,
}

/// What the shell is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Fence the instance and report the answer.
    Fence(Failure),
    /// Have the fleet decide and save, and report the answer.
    Attempt {
        /// Which failure.
        failure: Failure,
        /// Which attempt, from 1.
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

/// What became of a recovery whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It is tried again.
    Later,
    /// It is tried again, and its attempts were used up just now.
    Exhausted,
    /// It is not under way any more.
    Never,
}

/// All recoveries under way.
#[derive(Debug, Clone, Default)]
pub struct Recoveries {
    under_way: BTreeMap<InstanceId, Recovery>,
}

impl Recoveries {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// A failure was noticed. `None` if its recovery is under way already; an emergency makes that
    /// one urgent.
    pub fn wake(&mut self, failure: Failure) -> Option<Step> {
        self.resume(failure, 0)
    }

    /// A recovery that was begun by an earlier run of the program goes on, after so many attempts.
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

    /// A recovery is over: it is saved, there was nothing to recover, or the instance beat.
    pub fn ended(&mut self, id: &InstanceId, incarnation: Incarnation) {
        if self.is_recovering(id, incarnation) {
            self.under_way.remove(id);
        }
    }

    /// The instance is fenced.
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

    /// An attempt could not be saved: the next one is due after `delay`. After `most_attempts`
    /// it is urgent, if `escalates`.
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

    /// The store is known to be out, and nothing was tried: the attempt does not count. It is made
    /// once the store is back; `delay` is for the case that nobody says so.
    pub fn wait_for_store(
        &mut self,
        (id, incarnation): (&InstanceId, Incarnation),
        delay: Duration,
        now: Timestamp,
    ) {
        self.postpone((id, incarnation), now + delay);
    }

    /// The worker may still run its streams: the attempt does not count, and is made again when
    /// the lease is over.
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

    /// The steps whose wait is over. Safe at any time.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Vec<Step> {
        self.go_on(|until| until <= now)
    }

    /// The store is back: no wait makes sense any more.
    pub fn store_returned(&mut self) -> Vec<Step> {
        self.go_on(|_| true)
    }

    /// Somebody asks for the next attempt of an instance now, if it waits for one.
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

    /// When the next wait is over.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.under_way
            .values()
            .filter_map(|recovery| match recovery.stage {
                Stage::Waiting { until } => Some(until),
                Stage::Fencing | Stage::Attempting => None,
            })
            .min()
    }

    /// Whether some life of the instance is being recovered.
    pub fn concerns(&self, id: &InstanceId) -> bool {
        self.under_way.contains_key(id)
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Whether nothing is being recovered.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether this life of the instance is being recovered.
    pub fn is_recovering(&self, id: &InstanceId, incarnation: Incarnation) -> bool {
        self.under_way
            .get(id)
            .is_some_and(|known| known.failure.incarnation == incarnation)
    }
}

#[cfg(test)]
mod tests;
