//! The breaker: tables for its states and forces, a property for its promises in any order.

use proptest::prelude::*;

use super::*;

const THRESHOLD: u32 = 5;
const LIMIT: u64 = 6;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn settings() -> BreakerSettings {
    BreakerSettings {
        threshold: THRESHOLD,
        max_probe_interval: Duration::from_secs(60),
        probe_limit: Duration::from_secs(LIMIT),
    }
}

fn open_breaker() -> BreakerMachine {
    let mut breaker = BreakerMachine::new(settings());
    for _ in 0..4 {
        assert_eq!(breaker.failed(at(0)), None);
        assert!(breaker.lets_through());
    }
    assert_eq!(breaker.failed(at(0)), Some(BreakerEffect::Opened));
    assert!(!breaker.lets_through());
    breaker
}

#[test]
fn only_failures_in_a_row_open_it() {
    let mut breaker = BreakerMachine::new(settings());
    for _ in 0..100 {
        for _ in 0..4 {
            assert_eq!(breaker.failed(at(0)), None);
        }
        assert_eq!(breaker.succeeded(), None);
        assert_eq!(breaker.failures(), 0);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn a_threshold_of_one_opens_at_the_first_failure() {
    let mut breaker = BreakerMachine::new(BreakerSettings {
        threshold: 1,
        ..settings()
    });
    assert_eq!(breaker.failed(at(0)), Some(BreakerEffect::Opened));
}

#[test]
fn probes_come_one_at_a_time_and_ever_more_slowly_up_to_the_limit() {
    let mut breaker = open_breaker();
    let mut now = 0;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(
            breaker.handle_deadline(at(now + wait - 1)),
            None,
            "not before {wait} s"
        );
        now += wait;
        assert_eq!(breaker.next_deadline(), Some(at(now)));
        assert_eq!(breaker.next_probe(), Some(at(now)));
        assert_eq!(breaker.handle_deadline(at(now)), Some(BreakerEffect::Probe));
        assert_eq!(breaker.next_probe(), None, "it is under way");
        assert_eq!(
            breaker.handle_deadline(at(now + LIMIT - 1)),
            None,
            "one at a time"
        );
        assert_eq!(breaker.failed(at(now)), None);
    }
    assert_eq!(breaker.failures(), THRESHOLD + 8);
}

#[test]
fn a_limit_below_the_first_wait_still_waits_a_second() {
    let mut breaker = BreakerMachine::new(BreakerSettings {
        threshold: 1,
        max_probe_interval: Duration::from_millis(1),
        ..settings()
    });
    breaker.failed(at(0));
    for now in 1..5 {
        assert_eq!(breaker.handle_deadline(at(now)), Some(BreakerEffect::Probe));
        breaker.failed(at(now));
    }
}

#[test]
fn a_probe_that_never_answers_has_failed() {
    let mut breaker = open_breaker();
    breaker.handle_deadline(at(1));
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert_eq!(breaker.next_deadline(), Some(at(1 + LIMIT)));
    assert_eq!(breaker.handle_deadline(at(1 + LIMIT)), None);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(breaker.next_probe(), Some(at(1 + LIMIT + 2)));
    assert_eq!(
        breaker.succeeded(),
        Some(BreakerEffect::Closed),
        "late is not never"
    );
}

#[test]
fn a_success_closes_it_and_forgets_the_waits() {
    let mut breaker = open_breaker();
    breaker.handle_deadline(at(1));
    breaker.failed(at(1));
    breaker.handle_deadline(at(3));
    assert_eq!(breaker.succeeded(), Some(BreakerEffect::Closed));
    for _ in 0..5 {
        breaker.failed(at(100));
    }
    assert_eq!(breaker.next_deadline(), Some(at(101)));
}

#[test]
fn one_that_looks_closer_opens_although_nobody_calls() {
    let mut breaker = BreakerMachine::that_looks_closer(settings());
    assert_eq!(breaker.next_deadline(), None);
    breaker.suspect(at(0));
    for second in 0..4 {
        assert_eq!(
            breaker.handle_deadline(at(second)),
            Some(BreakerEffect::Probe)
        );
        breaker.suspect(at(second));
        assert_eq!(breaker.handle_deadline(at(second)), None, "one at a time");
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert_eq!(breaker.failed(at(second)), None);
    }
    breaker.handle_deadline(at(4));
    assert_eq!(
        breaker.handle_deadline(at(4 + LIMIT)),
        Some(BreakerEffect::Opened),
        "no answer is a failure"
    );
}

#[test]
fn one_that_looks_closer_is_content_with_one_success() {
    let mut breaker = BreakerMachine::that_looks_closer(settings());
    breaker.failed(at(0));
    assert_eq!(breaker.next_deadline(), Some(at(1)));
    breaker.handle_deadline(at(1));
    assert_eq!(breaker.succeeded(), None);
    assert_eq!(breaker.next_deadline(), None);
}

#[test]
fn others_are_not_looked_at() {
    let mut breaker = BreakerMachine::new(settings());
    breaker.failed(at(0));
    breaker.suspect(at(0));
    assert_eq!(breaker.next_deadline(), None);
}

#[test]
fn forced_open_lets_nothing_through_and_probes_nothing_until_released() {
    let mut breaker = BreakerMachine::that_looks_closer(settings());
    breaker.force(Some(Force::Open));
    assert_eq!(breaker.state(), BreakerState::Open);
    assert!(!breaker.lets_through());
    breaker.suspect(at(0));
    assert_eq!(breaker.succeeded(), None);
    for _ in 0..THRESHOLD {
        breaker.failed(at(1));
    }
    assert_eq!(breaker.next_deadline(), None);
    assert_eq!(breaker.next_probe(), None);
    assert_eq!(breaker.handle_deadline(at(1_000)), None);
    breaker.force(None);
    assert_eq!(
        breaker.handle_deadline(at(1_000)),
        Some(BreakerEffect::Probe)
    );
}

#[test]
fn forced_closed_lets_everything_through_whatever_fails() {
    let mut breaker = open_breaker();
    breaker.force(Some(Force::Closed));
    assert!(breaker.lets_through());
    for second in 0..100 {
        assert_eq!(breaker.handle_deadline(at(second)), None);
        assert_eq!(breaker.failed(at(second)), None);
        assert!(breaker.lets_through());
    }
    breaker.force(None);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn a_probe_under_way_when_it_is_forced_keeps_its_limit() {
    let mut breaker = open_breaker();
    breaker.handle_deadline(at(1));
    breaker.force(Some(Force::Open));
    assert_eq!(breaker.handle_deadline(at(1 + LIMIT)), None);
    assert_eq!(breaker.next_deadline(), None);
    breaker.force(None);
    assert_eq!(breaker.next_probe(), Some(at(1 + LIMIT + 2)));
}

#[derive(Debug, Clone)]
enum Input {
    Succeed,
    Fail,
    Suspect,
    Force(Option<Force>),
    Pass(u64),
    /// The probe under way, if there is one, answers.
    Answer(bool),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        1 => Just(Input::Succeed),
        4 => Just(Input::Fail),
        1 => Just(Input::Suspect),
        1 => prop_oneof![
            Just(None),
            Just(Some(Force::Open)),
            Just(Some(Force::Closed))
        ]
        .prop_map(Input::Force),
        6 => (0..30_000_000_u64).prop_map(Input::Pass),
        3 => any::<bool>().prop_map(Input::Answer),
    ]
}

proptest! {
    /// Whatever happens in whatever order: what the machine promises holds after each step.
    #[test]
    fn its_promises_hold_in_any_order(
        looks_closer: bool,
        threshold in 1..8_u32,
        longest in 0..90_u64,
        inputs in prop::collection::vec(input(), 1..200),
    ) {
        let settings = BreakerSettings {
            threshold,
            max_probe_interval: Duration::from_secs(longest),
            ..settings()
        };
        let mut breaker = if looks_closer {
            BreakerMachine::that_looks_closer(settings)
        } else {
            BreakerMachine::new(settings)
        };
        let mut now = at(1);
        let mut in_a_row = 0_u32;
        // What the machine should be without any force.
        let mut is_out = false;
        let mut forced = None;
        // The end of the probe that is under way.
        let mut probe: Option<Timestamp> = None;
        for input in inputs {
            match input {
                Input::Succeed | Input::Answer(true) => {
                    if matches!(input, Input::Answer(_)) && probe.is_none() { continue; }
                    let effect = breaker.succeeded();
                    prop_assert_eq!(effect == Some(BreakerEffect::Closed), is_out);
                    (in_a_row, is_out, probe) = (0, false, None);
                }
                Input::Fail | Input::Answer(false) => {
                    if matches!(input, Input::Answer(_)) && probe.is_none() { continue; }
                    let effect = breaker.failed(now);
                    in_a_row += 1;
                    let opens = !is_out && in_a_row >= threshold;
                    prop_assert_eq!(effect == Some(BreakerEffect::Opened), opens);
                    is_out |= opens;
                    probe = None;
                }
                Input::Suspect => breaker.suspect(now),
                Input::Force(force) => {
                    breaker.force(force);
                    forced = force;
                }
                Input::Pass(micros) => {
                    now = now + Duration::from_micros(micros);
                    match breaker.handle_deadline(now) {
                        Some(BreakerEffect::Probe) => {
                            prop_assert!(probe.is_none(), "two probes at once");
                            prop_assert!(forced.is_none(), "probed although forced");
                            probe = Some(now + Duration::from_secs(LIMIT));
                        }
                        effect => {
                            if probe.is_some_and(|until| until <= now) {
                                in_a_row += 1;
                                let opens = !is_out && in_a_row >= threshold;
                                prop_assert_eq!(effect == Some(BreakerEffect::Opened), opens);
                                is_out |= opens;
                                probe = None;
                            } else {
                                prop_assert_eq!(effect, None);
                            }
                        }
                    }
                    prop_assert!(
                        breaker.next_deadline().is_none_or(|deadline| deadline > now),
                        "a deadline in the past is no deadline"
                    );
                    let again = breaker.clone();
                    prop_assert_eq!(breaker.handle_deadline(now), None, "twice is once");
                    prop_assert_eq!(&again, &breaker);
                }
            }
            prop_assert_eq!(breaker.failures(), in_a_row);
            prop_assert_eq!(breaker.forced(), forced);
            let lets_through = match forced {
                Some(Force::Open) => false,
                Some(Force::Closed) => true,
                None => !is_out,
            };
            prop_assert_eq!(breaker.lets_through(), lets_through);
            if is_out && forced.is_none() {
                prop_assert!(breaker.next_deadline().is_some(), "an open breaker is never left");
                let longest = Duration::from_secs(longest.max(LIMIT)) + FIRST_PROBE;
                let wait = breaker.next_deadline().unwrap().since(now);
                prop_assert!(wait <= longest, "{:?}", wait);
            }
            if let Some(next) = breaker.next_probe() {
                prop_assert!(next.since(now) <= Duration::from_secs(longest.max(1)));
            }
        }
    }
}
