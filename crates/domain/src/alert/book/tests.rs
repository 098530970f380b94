//! Which alerts the book opens, rewords, joins, closes and forgets.

use super::*;
use proptest::prelude::*;

const KIND: AlertKind = AlertKind::Flapping;

fn at(micros: i64) -> WallTime {
    WallTime::from_micros(micros)
}

fn raise(book: &mut AlertBook, subject: &str, severity: Severity, now: i64) -> Option<Raised> {
    book.raise(KIND, severity, subject, "because", at(now))
}

#[test]
fn an_open_alert_says_what_is_true_now_and_keeps_its_id_and_its_age() {
    let mut book = AlertBook::default();
    let kind = AlertKind::StreamsOrphaned;
    let mut raise = |severity, detail, now| book.raise(kind, severity, "fleet", detail, at(now));
    let opened = raise(Severity::Warning, "71 streams", 5).unwrap();
    assert_eq!(raise(Severity::Warning, "71 streams", 6), None);
    let Some(Raised::Reworded(now)) = raise(Severity::Warning, "311 streams", 7) else {
        panic!("not reworded");
    };
    let expected = Alert {
        detail: "311 streams".to_owned(),
        ..opened.alert().clone()
    };
    assert_eq!(now, expected);
    let worse = raise(Severity::Critical, "400 streams", 8).unwrap();
    assert!(matches!(&worse, Raised::Escalated(alert) if alert.detail == "400 streams"));
    assert_eq!(
        raise(Severity::Warning, "3 streams", 9),
        None,
        "a milder word"
    );
    assert_eq!(book.get(opened.alert().id), Some(worse.alert()));
}

#[test]
fn only_an_open_alert_is_reworded() {
    let mut book = AlertBook::default();
    assert_eq!(book.reword(KIND, "a", "three"), None);
    raise(&mut book, "a", Severity::Warning, 1);
    assert_eq!(book.reword(KIND, "a", "because"), None);
    let reworded = book.reword(KIND, "a", "three").unwrap();
    assert!(matches!(&reworded, Raised::Reworded(alert) if alert.detail == "three"));
    book.clear(KIND, "a", at(2));
    assert_eq!(book.reword(KIND, "a", "four"), None);
}

#[test]
fn what_follows_from_an_alert_joins_it() {
    let (cause, effect) = (AlertKind::RecoveryExhausted, AlertKind::EmergencyRecovery);
    let mut book = AlertBook::default();
    let mut raise = |kind, subject, now| {
        let opened = book.raise(kind, Severity::Critical, subject, "x", at(now));
        let joined = book.join(kind, subject, at(now));
        (opened.is_some(), joined.len())
    };
    assert_eq!(raise(effect, "a", 1), (true, 0));
    assert_eq!(
        raise(cause, "a", 2),
        (true, 1),
        "it was open before its cause"
    );
    assert_eq!(raise(effect, "a", 3), (false, 0));
    assert_eq!(raise(effect, "b", 4), (true, 0), "another instance");
    assert_eq!(
        book.open_counts(),
        BTreeMap::from([(cause, 1), (effect, 1)])
    );
    book.clear(cause, "a", at(5));
    assert!(
        book.raise(effect, Severity::Critical, "a", "x", at(6))
            .is_some()
    );
}

#[test]
fn one_alert_of_a_kind_and_subject_is_open() {
    let mut book = AlertBook::default();
    let opened = raise(&mut book, "a", Severity::Warning, 5).unwrap();
    assert_eq!(opened.alert().id, AlertId::new(5));
    assert_eq!(raise(&mut book, "a", Severity::Warning, 6), None);
    assert!(raise(&mut book, "b", Severity::Warning, 6).is_some());
    assert_eq!(book.open_counts(), BTreeMap::from([(KIND, 2)]));
    assert_eq!(book.clear(AlertKind::MassFailure, "a", at(7)), None);
    let closed = book.clear(KIND, "a", at(7)).unwrap();
    assert_eq!(
        (closed.id, closed.closed_at),
        (opened.alert().id, Some(at(7)))
    );
    assert_eq!(book.clear(KIND, "a", at(8)), None, "closed once");
    assert_eq!(book.open_of(KIND).count(), 1);
    let again = raise(&mut book, "a", Severity::Warning, 9).unwrap();
    assert_ne!(again.alert().id, opened.alert().id);
}

#[test]
fn an_alert_becomes_more_urgent_and_never_milder() {
    let mut book = AlertBook::default();
    let opened = raise(&mut book, "a", Severity::Warning, 5).unwrap();
    let worse = raise(&mut book, "a", Severity::Critical, 6).unwrap();
    assert!(matches!(&worse, Raised::Escalated(alert)
        if alert.id == opened.alert().id && alert.opened_at == at(5)));
    assert_eq!(raise(&mut book, "a", Severity::Warning, 7), None);
    assert_eq!(book.open_of(KIND).next(), Some(worse.alert()));
}

#[test]
fn what_ended_with_the_process_is_closed_at_the_next_start() {
    let mut book = AlertBook::default();
    for (kind, now) in AlertKind::ALL.iter().zip(1..) {
        // Each about another subject: none of them is the cause of another.
        book.raise(*kind, Severity::Critical, kind.as_str(), "", at(now));
    }
    let kept: Vec<Alert> = book.wanted(&AlertFilter::default()).cloned().collect();
    let (book, closed) = AlertBook::restore(kept, at(3));
    let closed: Vec<AlertKind> = closed.iter().map(|alert| alert.kind).collect();
    assert_eq!(
        closed,
        [
            AlertKind::MassFailure,
            AlertKind::StoreUnavailable,
            AlertKind::BreakerForced,
            AlertKind::InstanceQuarantined,
            AlertKind::DuplicateIdentity,
            AlertKind::ClockStepped,
            AlertKind::LeaderUnproven,
            AlertKind::StreamsDiffer,
            AlertKind::RunsWhatWasTaken,
            AlertKind::NoRoomForFailure,
        ]
    );
    assert_eq!(
        book.open_counts().len(),
        AlertKind::ALL.len() - closed.len()
    );
    let last = book.wanted(&AlertFilter::default()).next().unwrap();
    assert_eq!(last.id.get(), AlertKind::ALL.len() as i64);
    for alert in book.wanted(&AlertFilter::default()) {
        assert!(alert.closed_at.is_none_or(|end| end >= alert.opened_at));
    }
}

#[test]
fn an_instance_that_is_gone_needs_nobody() {
    let mut book = AlertBook::default();
    for kind in [KIND, AlertKind::RecoveryExhausted, AlertKind::SystemHealth] {
        book.raise(kind, Severity::Warning, "a", "", at(1));
    }
    raise(&mut book, "b", Severity::Warning, 1);
    let closed = book.clear_instance("a", at(2));
    assert_eq!(closed.len(), 2);
    assert_eq!(book.open_counts().len(), 2, "the system and b");
}

#[test]
fn a_closed_alert_is_forgotten_when_it_is_old_and_an_open_one_is_not() {
    let mut book = AlertBook::default();
    for (subject, closed) in [("old", Some(5)), ("young", Some(9)), ("open", None)] {
        raise(&mut book, subject, Severity::Warning, 1);
        if let Some(end) = closed {
            book.clear(KIND, subject, at(end));
        }
    }
    book.forget_closed(&Recent::since(at(6)));
    let all = AlertFilter::default();
    let left: Vec<&str> = book
        .wanted(&all)
        .map(|alert| alert.subject.as_str())
        .collect();
    assert_eq!(left, ["open", "young"]);
}

#[test]
fn memory_is_bounded_and_what_is_open_stays() {
    let mut book = AlertBook::default();
    raise(&mut book, "open", Severity::Warning, 0);
    for now in 1..=(MAX_CLOSED as i64 + 5) {
        raise(&mut book, "a", Severity::Warning, now);
        book.clear(KIND, "a", at(now));
    }
    assert_eq!(book.wanted(&AlertFilter::default()).count(), MAX_CLOSED + 1);
    assert_eq!(book.open_of(KIND).next().unwrap().subject, "open");
}

proptest! {
    #[test]
    fn ids_grow_whatever_the_clock_does(
        steps in proptest::collection::vec((0_i64..50, 0_u8..3, any::<bool>()), 1..60)
    ) {
        let mut book = AlertBook::default();
        let mut newest = None;
        for (now, subject, raises) in steps {
            let subject = subject.to_string();
            if raises {
                if let Some(raised) = raise(&mut book, &subject, Severity::Warning, now) {
                    prop_assert!(Some(raised.alert().id) > newest);
                    newest = Some(raised.alert().id);
                }
            } else {
                book.clear(KIND, &subject, at(now));
            }
            let open: Vec<&str> =
                book.open_of(KIND).map(|alert| alert.subject.as_str()).collect();
            prop_assert!(open.is_sorted_by(|a, b| a < b), "one a subject: {open:?}");
            let filter = AlertFilter::default();
            let all = book.wanted(&filter);
            prop_assert!(all.is_sorted_by(|a, b| a.id > b.id));
        }
    }
}
