//! Random histories of the machine of recoveries: whatever wakes, answers and fails in whatever
//! order, each instance has one recovery, each step is asked for once, and none is forgotten.

#![expect(clippy::unwrap_used, reason = "a property that does not hold panics")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use resilient_orchestrator::domain::ids::{Incarnation, InstanceId};
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::recovery::{Failure, Recoveries, Retry, Step};
use resilient_orchestrator::domain::time::{Timestamp, WallTime};

const MOST_ATTEMPTS: u32 = 3;

#[derive(Debug, Clone, Copy)]
enum Happening {
    Wake {
        who: u8,
        life: i64,
        is_emergency: bool,
    },
    Fenced {
        who: u8,
        life: i64,
    },
    Failed {
        who: u8,
        life: i64,
        wait: u64,
    },
    Ended {
        who: u8,
        life: i64,
    },
    Hurry {
        who: u8,
    },
    StoreReturned,
    Pass {
        seconds: u64,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    let (who, life) = (0..3_u8, 1..4_i64);
    let both = || (0..3_u8, 1..4_i64);
    prop_oneof![
        4 => (who.clone(), life, any::<bool>())
            .prop_map(|(who, life, is_emergency)| Happening::Wake { who, life, is_emergency }),
        4 => both().prop_map(|(who, life)| Happening::Fenced { who, life }),
        4 => (both(), 0..50_u64)
            .prop_map(|((who, life), wait)| Happening::Failed { who, life, wait }),
        2 => both().prop_map(|(who, life)| Happening::Ended { who, life }),
        2 => who.prop_map(|who| Happening::Hurry { who }),
        1 => Just(Happening::StoreReturned),
        4 => (0..30_u64).prop_map(|seconds| Happening::Pass { seconds }),
    ]
}

/// What the shell was asked to do last, and has not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Fence,
    Attempt(u32),
    Wait(Timestamp, u32),
}

#[derive(Default)]
struct World {
    recoveries: Recoveries,
    now: Timestamp,
    expected: BTreeMap<InstanceId, (i64, Asked, bool)>,
}

fn id(who: u8) -> InstanceId {
    InstanceId::new(format!("i{who}"))
}

impl World {
    fn attempted(&mut self, step: &Step) {
        let Step::Attempt {
            failure,
            attempt,
            is_urgent,
        } = step
        else {
            panic!("{step:?} is no attempt");
        };
        let (life, asked, was_urgent) = self.expected.get_mut(&failure.id).unwrap();
        assert_eq!(
            *life,
            failure.incarnation.get(),
            "of the life that is recovered"
        );
        let before = match asked {
            Asked::Fence => 0,
            Asked::Wait(_, before) => *before,
            Asked::Attempt(_) => panic!("two attempts at once"),
        };
        assert_eq!(*attempt, before + 1);
        assert_eq!(is_urgent, was_urgent);
        *asked = Asked::Attempt(*attempt);
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Wake {
                who,
                life,
                is_emergency,
            } => self.wake(who, life, is_emergency),
            Happening::Fenced { who, life } => {
                let step = self.recoveries.fenced(&id(who), Incarnation::new(life));
                let known = self.expected.get(&id(who));
                let is_due = known.is_some_and(|known| (known.0, known.1) == (life, Asked::Fence));
                assert_eq!(step.is_some(), is_due, "{happening:?}");
                step.iter().for_each(|step| self.attempted(step));
            }
            Happening::Failed { who, life, wait } => self.failed(who, life, wait),
            Happening::Ended { who, life } => {
                self.recoveries.ended(&id(who), Incarnation::new(life));
                if self
                    .expected
                    .get(&id(who))
                    .is_some_and(|known| known.0 == life)
                {
                    self.expected.remove(&id(who));
                }
            }
            Happening::Hurry { who } => {
                let step = self.recoveries.hurry(&id(who));
                let known = self.expected.get(&id(who)).map(|known| known.1);
                assert_eq!(step.is_some(), matches!(known, Some(Asked::Wait(..))));
                step.iter().for_each(|step| self.attempted(step));
            }
            Happening::StoreReturned => {
                for step in self.recoveries.store_returned() {
                    self.attempted(&step);
                }
                assert_eq!(self.recoveries.next_deadline(), None);
            }
            Happening::Pass { seconds } => {
                self.now = self.now + Duration::from_secs(seconds);
                for step in self.recoveries.handle_deadline(self.now) {
                    self.attempted(&step);
                }
                assert_eq!(self.recoveries.handle_deadline(self.now), [], "twice");
            }
        }
        self.nothing_is_forgotten();
    }

    fn wake(&mut self, who: u8, life: i64, is_emergency: bool) {
        let failure = Failure {
            id: id(who),
            incarnation: Incarnation::new(life),
            cause: if is_emergency {
                FailureCause::EmergencyThreshold
            } else {
                FailureCause::HeartbeatTimeout
            },
            detected_at: WallTime::from_micros(1),
        };
        let step = self.recoveries.wake(failure.clone());
        match self.expected.get_mut(&id(who)) {
            Some((known, _, is_urgent)) if *known >= life => {
                assert_eq!(step, None, "it joins, or is of a life that is over");
                *is_urgent |= is_emergency && *known == life;
            }
            Some(_) | None => {
                assert_eq!(step, Some(Step::Fence(failure)));
                self.expected
                    .insert(id(who), (life, Asked::Fence, is_emergency));
            }
        }
    }

    fn failed(&mut self, who: u8, life: i64, wait: u64) {
        let wait = Duration::from_secs(wait);
        let key = id(who);
        let of = (&key, Incarnation::new(life));
        let retry = self
            .recoveries
            .retry_after(of, wait, self.now, MOST_ATTEMPTS, true);
        match self.expected.get_mut(&key) {
            Some((known, asked, is_urgent)) if *known == life => {
                if let Asked::Attempt(number) = *asked {
                    let is_used_up = number >= MOST_ATTEMPTS;
                    let expected = if is_used_up {
                        Retry::Exhausted
                    } else {
                        Retry::Later
                    };
                    assert_eq!(retry, expected);
                    *is_urgent |= is_used_up;
                    *asked = Asked::Wait(self.now + wait, number);
                } else {
                    assert_eq!(retry, Retry::Never);
                }
            }
            Some(_) | None => assert_eq!(retry, Retry::Never),
        }
    }

    /// Each recovery waits for an answer of the shell, or for a moment the machine knows.
    fn nothing_is_forgotten(&self) {
        assert_eq!(self.recoveries.len(), self.expected.len());
        for (id, (life, _, _)) in &self.expected {
            assert!(self.recoveries.is_recovering(id, Incarnation::new(*life)));
        }
        let waits = self.expected.values().filter_map(|known| match known.1 {
            Asked::Wait(until, _) => Some(until),
            Asked::Fence | Asked::Attempt(_) => None,
        });
        assert_eq!(self.recoveries.next_deadline(), waits.min());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn one_recovery_an_instance_each_step_once_and_none_forgotten(
        history in prop::collection::vec(happening(), 1..120)
    ) {
        let mut world = World::default();
        for happening in history {
            world.happens(happening);
        }
    }
}
