//! The steps of recoveries.

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
