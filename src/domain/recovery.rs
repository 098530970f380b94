//! Which instances are being recovered, and how far each is: one recovery per instance at a
//! time, in one order.
//!
//! ```text
//!   wake ──▶ Fencing ──Alive──────────────▶ (over: it beats)
//!               │Fenced
//!               ▼
//!            Deciding ──saved, or pointless─▶ (over)
//!               │could not be saved
//!               ▼
//!            Waiting ──due, or woken────────▶ Deciding
//! ```
//!
//! Whatever wakes a recovery (a timeout, a report, the sweep, the store's return) takes the same
//! path. A second wake-up of the same life joins the first; a wake-up of a newer life replaces
//! it, because the older life is over. An instance that was fenced stays fenced while it waits:
//! nothing is granted to it that a saved failure would contradict.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ids::{Incarnation, InstanceId};
use super::incident::FailureCause;
use super::time::{Timestamp, WallTime};

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
    Decide {
        /// Which failure.
        failure: Failure,
        /// Which attempt, from 1.
        attempt: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Fencing,
    Deciding { attempt: u32 },
    Waiting { attempt: u32, until: Timestamp },
}

#[derive(Debug, Clone)]
struct Recovery {
    failure: Failure,
    stage: Stage,
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

    /// A failure was noticed. `None` if its recovery is under way already.
    pub fn wake(&mut self, failure: Failure) -> Option<Step> {
        if let Some(known) = self.under_way.get(&failure.id)
            && known.failure.incarnation >= failure.incarnation
        {
            return None;
        }
        let recovery = Recovery {
            failure: failure.clone(),
            stage: Stage::Fencing,
        };
        self.under_way.insert(failure.id.clone(), recovery);
        Some(Step::Fence(failure))
    }

    /// A recovery is over: it is saved, there was nothing to recover, or the instance beat.
    pub fn ended(&mut self, id: &InstanceId, incarnation: Incarnation) {
        if self.is(id, incarnation) {
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
            Stage::Fencing => {
                recovery.stage = Stage::Deciding { attempt: 1 };
                Some(Step::Decide {
                    failure: recovery.failure.clone(),
                    attempt: 1,
                })
            }
            Stage::Deciding { .. } | Stage::Waiting { .. } => None,
        }
    }

    /// An attempt could not be saved: the next one is due after `delay`.
    pub fn retry_after(
        &mut self,
        id: &InstanceId,
        incarnation: Incarnation,
        delay: Duration,
        now: Timestamp,
    ) {
        if let Some(recovery) = self.under_way.get_mut(id)
            && recovery.failure.incarnation == incarnation
            && let Stage::Deciding { attempt } = recovery.stage
        {
            recovery.stage = Stage::Waiting {
                attempt,
                until: now + delay,
            };
        }
    }

    /// The steps whose wait is over. Safe at any time.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Vec<Step> {
        self.resume(|until| until <= now)
    }

    /// The store is back: no wait makes sense any more.
    pub fn store_returned(&mut self) -> Vec<Step> {
        self.resume(|_| true)
    }

    fn resume(&mut self, is_due: impl Fn(Timestamp) -> bool) -> Vec<Step> {
        let mut steps = Vec::new();
        for recovery in self.under_way.values_mut() {
            if let Stage::Waiting { attempt, until } = recovery.stage
                && is_due(until)
            {
                let attempt = attempt.saturating_add(1);
                recovery.stage = Stage::Deciding { attempt };
                steps.push(Step::Decide {
                    failure: recovery.failure.clone(),
                    attempt,
                });
            }
        }
        steps
    }

    /// When the next wait is over.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.under_way
            .values()
            .filter_map(|recovery| match recovery.stage {
                Stage::Waiting { until, .. } => Some(until),
                Stage::Fencing | Stage::Deciding { .. } => None,
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

    fn is(&self, id: &InstanceId, incarnation: Incarnation) -> bool {
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

    #[test]
    fn what_cannot_be_saved_is_tried_until_it_is() {
        let mut recoveries = Recoveries::new();
        recoveries.wake(failure(1));
        let (id, life) = (InstanceId::from("a"), Incarnation::new(1));
        let decide = |attempt| Step::Decide {
            failure: failure(1),
            attempt,
        };
        assert_eq!(recoveries.fenced(&id, life), Some(decide(1)));
        assert_eq!(recoveries.fenced(&id, life), None, "answered twice");

        recoveries.retry_after(&id, life, Duration::from_secs(5), at(10));
        assert_eq!(recoveries.next_deadline(), Some(at(15)));
        assert_eq!(recoveries.handle_deadline(at(14)), []);
        assert_eq!(recoveries.handle_deadline(at(15)), [decide(2)]);
        assert_eq!(recoveries.handle_deadline(at(15)), [], "under way already");

        recoveries.retry_after(&id, life, Duration::from_secs(50), at(16));
        assert_eq!(
            recoveries.store_returned(),
            [decide(3)],
            "no waiting once the store is back"
        );
        recoveries.ended(&id, life);
        assert!(recoveries.is_empty());
        assert_eq!(recoveries.next_deadline(), None);
    }
}
