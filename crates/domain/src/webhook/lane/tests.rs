//! Lanes in time: what is sent next, and when.

use super::*;
use crate::alert::Severity;
use crate::events::EventSeverity;
use crate::webhook::message::{AlertNotice, EventNotice, Message};

fn second(at: u64) -> Timestamp {
    Timestamp::from_micros(at * 1_000_000)
}

fn wall(at: u64) -> WallTime {
    WallTime::from_micros(i64::try_from(at * 1_000_000).unwrap())
}

fn row(number: i64) -> Delivery {
    let message = Message {
        id: format!("msg_{number}"),
        at: wall(0),
        content: Content::Test,
    };
    Delivery::new("ops", number, message, wall(0))
}

fn about(number: i64, alert: i64, closed_at: Option<WallTime>) -> Delivery {
    let notice = AlertNotice {
        id: alert,
        kind: "flapping".to_owned(),
        severity: Severity::Warning,
        subject: "a".to_owned(),
        instances: vec!["a".into()],
        detail: String::new(),
        opened_at: wall(0),
        closed_at,
        escalated: false,
    };
    let mut delivery = row(number);
    delivery.message.content = Content::Alert(notice);
    delivery
}

fn event(sequence: i64) -> Delivery {
    let notice = EventNotice {
        sequence,
        kind: "instance_failed".to_owned(),
        severity: EventSeverity::Warning,
        detail: String::new(),
        object: "{}".to_owned(),
        traceparent: None,
    };
    let message = Message {
        id: Message::event_id("u", sequence),
        at: wall(0),
        content: Content::Event(notice),
    };
    Delivery::new("ops", 0, message, wall(0))
}

fn status(code: u16) -> Answer {
    Answer::Status {
        code,
        retry_after: None,
    }
}

/// A lane whose clocks agree.
#[derive(Default)]
struct Rig {
    lane: Lane,
    numbers: i64,
}

impl Rig {
    fn with(rows: impl IntoIterator<Item = i64>) -> Self {
        let mut rig = Self {
            numbers: 1_000,
            ..Self::default()
        };
        rig.lane.put(rows.into_iter().map(row), second(0), wall(0));
        rig
    }

    fn begin(&mut self, at: u64) -> Option<String> {
        self.lane.begin(second(at)).map(|next| next.message.id)
    }

    fn answer(&mut self, at: u64, answer: &Answer) -> Settled {
        self.numbers += 1;
        let settled = self
            .lane
            .answered(answer, second(at), wall(at), 0.0, self.numbers);
        settled.unwrap()
    }

    fn expire(&mut self, at: u64) -> Vec<Delivery> {
        let day = u64::try_from(GIVE_UP_AFTER.as_micros()).unwrap();
        let first = wall(at).as_micros() - i64::try_from(day).unwrap() + 1;
        let recent = Recent::since(WallTime::from_micros(first));
        self.lane.expire(&recent, wall(at))
    }

    fn next(&self, at: u64) -> Option<u64> {
        let next = self
            .lane
            .next_deadline(second(at), |since| wall(at).since(since));
        next.map(|next| next.as_micros() / 1_000_000)
    }

    fn breaker(&self, at: u64) -> BreakerState {
        self.lane.state(second(at)).breaker
    }
}

#[test]
fn one_delivery_at_a_time_in_order() {
    let mut rig = Rig::with([2, 1]);
    assert_eq!(rig.next(0), Some(0));
    assert_eq!(rig.begin(0).unwrap(), "msg_1");
    assert_eq!((rig.begin(0), rig.next(0)), (None, None));
    let settled = rig.answer(1, &status(204));
    assert_eq!(settled.verdict, Verdict::Delivered);
    assert_eq!(settled.delivery.state, DeliveryState::Delivered);
    assert_eq!(settled.delivery.ended_at, Some(wall(1)));
    assert!(settled.has_row && settled.cursor.is_none());
    assert_eq!(rig.begin(1).unwrap(), "msg_2");
    rig.answer(1, &status(200));
    assert_eq!((rig.begin(1), rig.next(1)), (None, None));
}

#[test]
fn a_refused_delivery_is_tried_after_1_2_4_seconds_and_a_trial_later() {
    let mut rig = Rig::with([1]);
    let mut tries = Vec::new();
    let mut now = 0;
    for _ in 0..8 {
        let due = rig.next(now).unwrap();
        if due > now {
            assert_eq!(rig.begin(due - 1), None, "not before {due}");
        }
        now = due;
        rig.begin(now).unwrap();
        tries.push(now);
        rig.answer(now, &status(500));
    }
    assert_eq!(tries, [0, 1, 3, 7, 15, 31, 63, 127]);
    assert_eq!(rig.breaker(now), BreakerState::Open);
    now = rig.next(now).unwrap();
    rig.begin(now).unwrap();
    assert_eq!(rig.breaker(now), BreakerState::HalfOpen);
    let settled = rig.answer(now, &status(200));
    assert_eq!(settled.delivery.attempts, 9);
    assert_eq!(rig.breaker(now), BreakerState::Closed);
}

#[test]
fn operators_are_notified_after_a_minute_of_failures() {
    let mut rig = Rig::with([1]);
    let mut now = 0;
    for expected in [false, false, false, false, false, false, true] {
        rig.begin(now).unwrap();
        rig.answer(now, &Answer::TimedOut);
        assert_eq!(
            rig.lane.state(second(now)).is_failing,
            expected,
            "at {now} s"
        );
        now = rig.next(now).unwrap();
    }
    rig.begin(now).unwrap();
    rig.answer(now, &status(200));
    assert!(!rig.lane.state(second(now)).is_failing);
}

#[test]
fn while_the_breaker_is_open_the_rest_waits_and_is_due_at_once_when_it_closes() {
    let mut rig = Rig::with([1, 2, 3]);
    for at in [0, 0, 0, 1, 1] {
        rig.begin(at).unwrap();
        rig.answer(at, &status(500));
    }
    assert_eq!(rig.breaker(1), BreakerState::Open);
    assert_eq!((rig.begin(1), rig.next(1)), (None, Some(17)));
    assert_eq!(
        rig.begin(17).unwrap(),
        "msg_3",
        "the one with the fewest tries"
    );
    rig.answer(17, &status(200));
    assert_eq!(rig.begin(17).unwrap(), "msg_1");
    rig.answer(17, &status(200));
    assert_eq!(rig.begin(17).unwrap(), "msg_2");
}

#[test]
fn one_message_that_is_always_refused_keeps_no_other_back() {
    let mut rig = Rig::with([1]);
    let mut now = 0;
    for _ in 0..6 {
        rig.begin(now).unwrap();
        rig.answer(now, &status(400));
        now = rig.next(now).unwrap();
    }
    rig.lane.put_events([event(50)]);
    assert_eq!(rig.begin(now).unwrap(), "msg_u_event_50");
    let settled = rig.answer(now, &status(200));
    assert_eq!(settled.cursor, Some(50));
    assert_eq!(rig.breaker(now), BreakerState::Closed);
}

#[test]
fn the_end_of_an_alert_waits_for_its_beginning() {
    let mut rig = Rig::with([]);
    let rows = [
        about(1, 70, None),
        about(2, 70, Some(wall(0))),
        about(3, 71, None),
    ];
    rig.lane.put(rows, second(0), wall(0));
    assert_eq!(rig.begin(0).unwrap(), "msg_1");
    rig.answer(0, &status(500));
    assert_eq!(
        rig.begin(0).unwrap(),
        "msg_3",
        "another alert does not wait"
    );
    rig.answer(0, &status(200));
    assert_eq!((rig.begin(0), rig.next(0)), (None, Some(1)));
    assert_eq!(rig.begin(1).unwrap(), "msg_1");
    rig.answer(1, &status(200));
    assert_eq!(rig.begin(1).unwrap(), "msg_2");
}

#[test]
fn an_accepted_event_has_no_row_and_a_refused_one_gets_one() {
    let mut rig = Rig::default();
    assert!(rig.lane.wants_events());
    rig.lane.put_events([event(7), event(9)]);
    assert!(!rig.lane.wants_events());
    assert_eq!(rig.begin(0).unwrap(), "msg_u_event_7");
    let settled = rig.answer(0, &status(200));
    assert_eq!((settled.has_row, settled.cursor), (false, Some(7)));
    rig.begin(0).unwrap();
    assert!(!rig.lane.wants_events(), "one is under way");
    let settled = rig.answer(0, &status(500));
    assert_eq!((settled.has_row, settled.cursor), (true, Some(9)));
    assert_eq!(settled.delivery.number, 2, "the number that was given");
    assert!(rig.lane.wants_events());
    rig.begin(1).unwrap();
    let settled = rig.answer(1, &status(200));
    assert_eq!((settled.has_row, settled.cursor), (true, None));
}

#[test]
fn retry_after_holds_the_target_back_and_is_no_failure() {
    let mut rig = Rig::with([1, 2]);
    rig.begin(0).unwrap();
    let throttled = Answer::Status {
        code: 429,
        retry_after: Some(Duration::from_secs(40)),
    };
    let settled = rig.answer(0, &throttled);
    assert_eq!(settled.delivery.next_try_at, Some(wall(40)));
    assert_eq!(rig.lane.state(second(0)).failures, 0);
    assert_eq!((rig.begin(39), rig.next(0)), (None, Some(40)));
    assert_eq!(rig.begin(40).unwrap(), "msg_1");
}

#[test]
fn a_target_that_throttles_for_long_is_one_that_fails() {
    let mut rig = Rig::with([1]);
    let throttled = Answer::Status {
        code: 429,
        retry_after: Some(Duration::from_secs(40)),
    };
    let is_failing: Vec<bool> = (0..3)
        .map(|number| {
            let now = number * 40;
            rig.begin(now).unwrap();
            rig.answer(now, &throttled);
            rig.lane.state(second(now)).is_failing
        })
        .collect();
    assert_eq!(is_failing, [false, false, true]);
}

#[test]
fn an_answer_of_what_the_target_was_says_nothing_of_what_it_is() {
    for late in [status(410), status(500), Answer::TimedOut] {
        let mut rig = Rig::with([1]);
        rig.begin(0).unwrap();
        rig.lane.outdate();
        let settled = rig.lane.answered(&late, second(3), wall(3), 0.0, 2_000);
        assert_eq!(settled, None, "{late}");
        assert_eq!(rig.lane.state(second(3)).failures, 0, "{late}");
        assert_eq!(rig.begin(3).unwrap(), "msg_1", "{late}: again, at once");
    }
}

#[test]
fn an_event_that_was_accepted_by_what_the_target_was_is_delivered() {
    let mut rig = Rig::with([1]);
    rig.begin(0).unwrap();
    rig.lane.outdate();
    let settled = rig.answer(3, &status(200));
    assert_eq!(settled.delivery.state, DeliveryState::Delivered);
    assert_eq!(rig.begin(3), None);
}

#[test]
fn events_wait_in_the_store_while_too_many_rows_wait() {
    let most = i64::try_from(MAX_WAITING).unwrap();
    for (rows, next) in [(most, None), (most - 1, Some("msg_u_event_7"))] {
        // All about one alert: they wait for the first one.
        let rows = (1..=rows).map(|number| about(number, 1, None));
        let mut rig = Rig::with([]);
        rig.lane.put(rows, second(0), wall(0));
        rig.begin(0).unwrap();
        rig.answer(0, &status(500));
        rig.lane.put_events([event(7)]);
        assert_eq!(rig.begin(0).as_deref(), next);
    }
}

#[test]
fn a_day_without_success_ends_a_delivery() {
    let mut rig = Rig::with([1]);
    let day = 24 * 3_600;
    let mut now = 0;
    let mut waits = Vec::new();
    loop {
        let next = rig.next(now).unwrap();
        waits.push(next - now);
        now = next;
        if let Some(given_up) = rig.expire(now).pop() {
            assert_eq!(now, day);
            assert_eq!(given_up.state, DeliveryState::Failed);
            let words = given_up.last_answer.unwrap();
            assert!(
                words.contains("24 h") && words.contains("HTTP 500"),
                "{words}"
            );
            break;
        }
        rig.begin(now).unwrap();
        rig.answer(now, &status(500));
    }
    assert!(waits.iter().all(|wait| *wait <= 300), "{waits:?}");
    assert_eq!(rig.next(now), None);
}

#[test]
fn gone_fails_the_delivery_and_takes_the_rest_out() {
    let mut rig = Rig::with([1, 2]);
    rig.lane.put_events([event(7)]);
    rig.begin(0).unwrap();
    let settled = rig.answer(0, &status(410));
    assert_eq!(
        (settled.verdict, settled.delivery.state),
        (Verdict::Gone, DeliveryState::Failed)
    );
    let rest = rig.lane.take_all();
    assert_eq!(rest.len(), 1);
    assert_eq!((rig.begin(0), rig.next(0)), (None, None));
}

#[test]
fn the_oldest_gives_way_when_too_many_wait() {
    let mut rig = Rig::default();
    let most = i64::try_from(MAX_WAITING).unwrap();
    let dropped = rig.lane.put((1..=most + 2).map(row), second(0), wall(3));
    let numbers: Vec<i64> = dropped.iter().map(|delivery| delivery.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(
        dropped
            .iter()
            .all(|delivery| delivery.state == DeliveryState::Failed)
    );
}

#[test]
fn a_request_that_is_no_delivery_counts_for_the_breaker_alone() {
    let mut rig = Rig::with([1]);
    assert!(rig.lane.begin_repeat(second(0)));
    assert!(!rig.lane.begin_repeat(second(0)));
    assert_eq!(rig.begin(0), None);
    let settled = rig.lane.answered(&status(500), second(0), wall(0), 0.0, 1);
    assert_eq!(settled, None);
    assert_eq!(rig.lane.state(second(0)).failures, 1);
}

#[test]
fn a_delivery_under_way_is_not_taken_twice() {
    let mut rig = Rig::with([1]);
    rig.begin(0).unwrap();
    rig.lane.put([row(1)], second(0), wall(0));
    rig.answer(0, &status(200));
    assert_eq!(rig.begin(0), None);
}
