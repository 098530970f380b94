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
mod tests {
    use super::*;

    fn failure(life: i64) -> Failure {
        Failure {
            id: "a".into(),
            incarnation: Incarnation::new(life),
            cause: FailureCause::HeartbeatTimeout,
            detected_at: WallTime::from_micros(1),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_second_wake_up_joins_the_first_and_a_newer_life_replaces_it() {
        let mut recoveries = Recoveries::new();
        assert_eq!(recoveries.wake(failure(1)), Some(Step::Fence(failure(1))));
        assert_eq!(recoveries.wake(failure(1)), None);
        assert_eq!(recoveries.wake(failure(2)), Some(Step::Fence(failure(2))));
        assert_eq!(recoveries.wake(failure(1)), None, "the older life is over");
        assert_eq!(
            recoveries.fenced(&"a".into(), Incarnation::new(1)),
            None,
            "stale"
        );
        assert_eq!(recoveries.len(), 1);
    }

    #[test]
    fn an_instance_that_beats_is_left_alone() {
        let mut recoveries = Recoveries::new();
        recoveries.wake(failure(1));
        recoveries.ended(&"a".into(), Incarnation::new(1));
        assert!(recoveries.is_empty());
        assert!(
            recoveries.wake(failure(1)).is_some(),
            "its next silence is judged anew"
        );
    }

    const LIFE: Incarnation = Incarnation::new(1);

    fn attempt(attempt: u32, is_urgent: bool) -> Step {
        Step::Attempt {
            failure: failure(1),
            attempt,
            is_urgent,
        }
    }

    #[test]
    fn what_cannot_be_saved_is_tried_until_it_is() {
        let mut recoveries = Recoveries::new();
        recoveries.wake(failure(1));
        let id = InstanceId::from("a");
        assert_eq!(recoveries.fenced(&id, LIFE), Some(attempt(1, false)));
        assert_eq!(recoveries.fenced(&id, LIFE), None, "answered twice");
        assert_eq!(recoveries.hurry(&id), None, "under way already");

        let mut retry = |delay, now| {
            let delay = Duration::from_secs(delay);
            recoveries.retry_after((&id, LIFE), delay, at(now), 3, true)
        };
        assert_eq!(retry(5, 10), Retry::Later);
        assert_eq!(retry(5, 11), Retry::Never, "it waits already");
        assert_eq!(recoveries.next_deadline(), Some(at(15)));
        assert_eq!(recoveries.handle_deadline(at(14)), []);
        assert_eq!(recoveries.handle_deadline(at(15)), [attempt(2, false)]);
        assert_eq!(recoveries.handle_deadline(at(15)), [], "under way already");

        recoveries.retry_after((&id, LIFE), Duration::from_secs(50), at(16), 3, true);
        assert_eq!(
            recoveries.store_returned(),
            [attempt(3, false)],
            "no waiting once the store is back"
        );
        recoveries.ended(&id, LIFE);
        assert!(recoveries.is_empty());
        assert_eq!(recoveries.next_deadline(), None);
    }

    #[test]
    fn waiting_for_a_store_that_is_out_uses_up_no_attempt() {
        let mut recoveries = Recoveries::new();
        let id = InstanceId::from("a");
        recoveries.wake(failure(1));
        recoveries.fenced(&id, LIFE);
        for _ in 0..10 {
            recoveries.wait_for_store((&id, LIFE), Duration::from_secs(5), at(0));
            recoveries.wait_for_store((&id, LIFE), Duration::from_secs(9), at(0));
            assert_eq!(recoveries.next_deadline(), Some(at(5)), "it waits already");
            assert_eq!(recoveries.handle_deadline(at(5)), [attempt(1, false)]);
        }
        recoveries.wait_for_store((&id, LIFE), Duration::from_secs(5), at(0));
        assert_eq!(recoveries.store_returned(), [attempt(1, false)]);
    }

    #[test]
    fn used_up_attempts_are_an_emergency_and_no_end() {
        for escalates in [true, false] {
            let mut recoveries = Recoveries::new();
            let id = InstanceId::from("a");
            recoveries.wake(failure(1));
            recoveries.fenced(&id, LIFE);
            for number in 2..100 {
                let delay = Duration::from_secs(1);
                let retry = recoveries.retry_after((&id, LIFE), delay, at(0), 3, escalates);
                let is_used_up = number > 3;
                let expected = if is_used_up {
                    Retry::Exhausted
                } else {
                    Retry::Later
                };
                assert_eq!(retry, expected, "{number}");
                assert_eq!(
                    recoveries.hurry(&id),
                    Some(attempt(number, escalates && is_used_up))
                );
            }
        }
    }

    #[test]
    fn an_emergency_makes_the_recovery_it_joins_urgent() {
        let mut recoveries = Recoveries::new();
        recoveries.wake(failure(1));
        let emergency = |life| Failure {
            cause: FailureCause::EmergencyThreshold,
            ..failure(life)
        };
        assert_eq!(recoveries.wake(emergency(1)), None);
        assert_eq!(recoveries.fenced(&"a".into(), LIFE), Some(attempt(1, true)));

        recoveries.wake(failure(2));
        recoveries.wake(emergency(1));
        let step = recoveries.fenced(&"a".into(), Incarnation::new(2));
        assert!(
            matches!(
                step,
                Some(Step::Attempt {
                    is_urgent: false,
                    ..
                })
            ),
            "an emergency of a life that is over"
        );
    }

    #[test]
    fn a_resumed_recovery_goes_on_counting() {
        let mut recoveries = Recoveries::new();
        assert!(recoveries.resume(failure(1), 4).is_some());
        assert_eq!(recoveries.resume(failure(1), 9), None);
        assert_eq!(
            recoveries.fenced(&"a".into(), LIFE),
            Some(attempt(5, false))
        );
    }
}
