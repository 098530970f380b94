//! Which alerts the book opens, rewords, joins, closes and forgets.

use super::*;
use crate::patterns::{InstanceFacts, LostInstance, Trait};
use crate::planned::Requester;
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
        repeats: 1,
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
        let raised = book.raise(kind, Severity::Critical, subject, "x", at(now));
        let opened = raised.filter(|raised| matches!(raised, Raised::Opened(_)));
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
            AlertKind::Failsafe,
            AlertKind::MemberAway,
            AlertKind::SettingsDiffer,
            AlertKind::ReleasesDiffer,
            AlertKind::ReplicationIsAsynchronous,
            AlertKind::DatabaseWentBack,
            AlertKind::StreamsDiffer,
            AlertKind::RunsWhatWasTaken,
            AlertKind::NoRoomForFailure,
            AlertKind::WebhookFailing,
            AlertKind::AuthFailures,
            AlertKind::CertificateExpiring,
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

#[test]
fn a_consequence_counts_as_a_repeat_of_its_cause() {
    let (cause, effect) = (AlertKind::RecoveryExhausted, AlertKind::EmergencyRecovery);
    let mut book = AlertBook::default();
    book.raise(cause, Severity::Critical, "a", "x", at(1));
    let Some(Raised::Reworded(now)) = book.raise(effect, Severity::Critical, "a", "y", at(2))
    else {
        panic!("not joined");
    };
    assert_eq!(
        (now.kind, now.repeats, now.detail.as_str()),
        (cause, 1, "x")
    );
    assert_eq!(now.instances, [InstanceId::from("a")]);
}

#[test]
fn an_acknowledgement_lasts_until_its_alert_is_more_urgent() {
    let mut book = AlertBook::default();
    let id = raise(&mut book, "a", Severity::Warning, 1)
        .unwrap()
        .alert()
        .id;
    let seen = Acknowledgement {
        at: at(2),
        by: Requester::Operator,
        note: Some("mine".to_owned()),
    };
    let alert = book.acknowledge(id, seen.clone()).unwrap();
    assert_eq!(alert.acknowledged, Some(seen.clone()));
    let reworded = book.reword(KIND, "a", "other words").unwrap();
    assert_eq!(reworded.alert().acknowledged, Some(seen.clone()));
    let worse = raise(&mut book, "a", Severity::Critical, 3).unwrap();
    assert_eq!(worse.alert().acknowledged, None);
    book.clear(KIND, "a", at(4));
    assert_eq!(book.acknowledge(id, seen.clone()), None, "it is closed");
    assert_eq!(book.acknowledge(AlertId::new(99), seen), None, "unknown");
}

/// A fleet of ten, of which so many of rack `r` have failed, and so many are late.
fn rack(failed: &[&str], late: &[&str]) -> LostFacts {
    let facts = || InstanceFacts {
        ip: "rack.example".to_owned(),
        labels: BTreeMap::from([("rack".to_owned(), "r".to_owned())]),
    };
    let lost = |names: &[&str], has_failed| -> Vec<(InstanceId, LostInstance)> {
        let lost = names.iter().map(|name| {
            let facts = facts();
            (InstanceId::from(*name), LostInstance { facts, has_failed })
        });
        lost.collect()
    };
    let all = lost(failed, true).into_iter().chain(lost(late, false));
    LostFacts {
        lost: all.collect(),
        carriers: Trait::all_of(&facts()).map(|what| (what, 4)).collect(),
        all: 10,
    }
}

#[test]
fn the_alert_of_a_failure_is_widened_to_its_rack_and_closed_with_the_last() {
    let mut book = AlertBook::default();
    let (raised, closed) = book.lose(&rack(&["a", "b"], &[]), at(1));
    let opened: Vec<AlertId> = raised.iter().map(|raised| raised.alert().id).collect();
    assert_eq!((opened.len(), closed.len()), (2, 0), "each alone");
    let seen = Acknowledgement {
        at: at(1),
        by: Requester::Operator,
        note: None,
    };
    book.acknowledge(opened[0], seen).unwrap();
    let (raised, closed) = book.lose(&rack(&["a", "b"], &["c", "d"]), at(2));
    let [Raised::Escalated(wide)] = &raised[..] else {
        panic!("{raised:?}");
    };
    assert_eq!(
        (wide.id, wide.subject.as_str()),
        (opened[0], "label rack=r")
    );
    assert_eq!(wide.acknowledged, None, "it is another thing now");
    let names = |alert: &Alert| -> Vec<String> {
        alert.instances.iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(wide), ["a", "b", "c", "d"]);
    assert_eq!(wide.repeats, 1, "b joined");
    let closed: Vec<AlertId> = closed.iter().map(|alert| alert.id).collect();
    assert_eq!(closed, [opened[1]], "it joined");
    assert_eq!(
        book.lose(&rack(&["a", "b"], &["c", "d"]), at(3)),
        (vec![], vec![])
    );
    let (raised, closed) = book.lose(&rack(&["b"], &[]), at(4));
    assert!(matches!(&raised[..], [Raised::Reworded(one)] if names(one) == ["b"]));
    assert_eq!(closed, []);
    let (raised, closed) = book.lose(&rack(&[], &["b"]), at(5));
    assert_eq!((raised.len(), closed.len()), (0, 1));
    assert_eq!(closed[0].id, opened[0]);
    assert_eq!(book.open_counts(), BTreeMap::new());
}

#[test]
fn a_lost_rack_is_known_again_after_a_start() {
    let mut book = AlertBook::default();
    let facts = rack(&["a", "b", "c"], &[]);
    let (raised, _) = book.lose(&facts, at(1));
    assert_eq!(raised.len(), 1);
    let kept: Vec<Alert> = book.wanted(&AlertFilter::default()).cloned().collect();
    let (mut book, closed) = AlertBook::restore(kept, at(2));
    assert_eq!(closed, []);
    assert_eq!(book.lose(&facts, at(3)), (vec![], vec![]));
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
