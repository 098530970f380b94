//! Which alerts a silence applies to, and which silences are refused.

use super::*;
use crate::alert::Severity;
use crate::ids::AlertId;

fn matcher(name: &str, value: &str, is_regex: bool) -> Matcher {
    Matcher {
        name: name.to_owned(),
        value: value.to_owned(),
        is_regex,
    }
}

fn silence(id: i64, matchers: &[(&str, &str, bool)]) -> Silence {
    let matchers = matchers
        .iter()
        .map(|(name, value, regex)| matcher(name, value, *regex));
    Silence {
        id: SilenceId::new(id),
        matchers: matchers.collect(),
        created_at: WallTime::from_micros(1),
        by: Requester::Operator,
        until: WallTime::from_micros(100),
        reason: "work".to_owned(),
    }
}

fn alert(kind: AlertKind, instances: &[&str]) -> Alert {
    Alert {
        id: AlertId::new(1),
        kind,
        severity: Severity::Warning,
        subject: "x".to_owned(),
        instances: instances.iter().map(|id| InstanceId::from(*id)).collect(),
        detail: String::new(),
        opened_at: WallTime::from_micros(1),
        closed_at: None,
        repeats: 0,
        acknowledged: None,
    }
}

#[test]
fn an_alert_is_silenced_if_all_matchers_match_for_all_of_its_instances() {
    let rack = |rack: &str| BTreeMap::from([("rack".to_owned(), rack.to_owned())]);
    let labels = BTreeMap::from([("a".into(), rack("r1")), ("b".into(), rack("r2"))]);
    let (failed, fleet) = (AlertKind::InstanceFailed, AlertKind::StreamsOrphaned);
    type Given<'a> = &'a [(&'a str, &'a str, bool)];
    let table: [(Given<'_>, AlertKind, &[&str], bool); 16] = [
        (&[("kind", "instance_failed", false)], failed, &["a"], true),
        (&[("kind", "instance_failed", false)], fleet, &[], false),
        (&[("kind", "instance_.*", true)], failed, &["a"], true),
        // Anchored on both sides.
        (&[("kind", "instance", true)], failed, &["a"], false),
        (&[("kind", "failed", true)], failed, &["a"], false),
        (
            &[("kind", "instance|instance_failed", true)],
            failed,
            &["a"],
            true,
        ),
        (&[("instance", "a", false)], failed, &["a"], true),
        (&[("instance", "a", false)], failed, &["a", "b"], false),
        (&[("instance", "a|b", true)], failed, &["a", "b"], true),
        (&[("instance", "a", false)], fleet, &[], false),
        (&[("label:rack", "r1", false)], failed, &["a"], true),
        (&[("label:rack", "r1", false)], failed, &["b"], false),
        (&[("label:rack", r"r\d", true)], failed, &["a", "b"], true),
        (&[("label:rack", "r1", false)], failed, &["gone"], false),
        (
            &[("label:zone", "", false), ("instance", "a", false)],
            failed,
            &["a"],
            true,
        ),
        (
            &[("instance", "a", false), ("kind", "flapping", false)],
            failed,
            &["a"],
            false,
        ),
    ];
    for (matchers, kind, instances, expected) in table {
        let mut book = SilenceBook::default();
        assert!(book.add(silence(7, matchers)), "{matchers:?}");
        let alert = alert(kind, instances);
        let of = Silenced {
            alert: &alert,
            labels: &labels,
        };
        let expected: &[i64] = if expected { &[7] } else { &[] };
        let ids: Vec<i64> = book.silencing(of).into_iter().map(SilenceId::get).collect();
        assert_eq!(ids, expected, "{matchers:?} {kind} {instances:?}");
    }
}

#[test]
fn a_matcher_that_cannot_be_used_is_refused() {
    let fault = |name, value, is_regex| matcher(name, value, is_regex).check();
    assert_eq!(
        fault("severity", "x", false),
        Err(MatcherFault::UnknownName)
    );
    assert_eq!(fault("label:", "x", false), Err(MatcherFault::UnknownName));
    assert_eq!(
        fault("kind", "flaping", false),
        Err(MatcherFault::UnknownKind)
    );
    assert_eq!(fault("kind", "flap.*", true), Ok(()));
    for broken in ["(", "a)(b", "[z-a]", "x{1000}{1000}{1000}"] {
        let found = fault("instance", broken, true);
        let Err(MatcherFault::Expression(reason)) = found else {
            panic!("{broken}: {found:?}");
        };
        assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
    }
}

#[test]
fn an_expression_that_backtracks_elsewhere_is_linear() {
    let evil = matcher("instance", "(a*)*b", true);
    let mut book = SilenceBook::default();
    assert!(book.add(Silence {
        matchers: vec![evil],
        ..silence(1, &[])
    }));
    let name = "a".repeat(128);
    let alert = alert(AlertKind::Flapping, &[&name]);
    let labels = BTreeMap::new();
    assert!(
        book.silencing(Silenced {
            alert: &alert,
            labels: &labels
        })
        .is_empty()
    );
}

#[test]
fn what_matches_an_empty_text_is_known() {
    for (value, is_regex, expected) in [
        ("", false, true),
        ("a", false, false),
        (".*", true, true),
        (".+", true, false),
    ] {
        assert_eq!(
            matcher("instance", value, is_regex).matches_empty(),
            expected,
            "{value}"
        );
    }
}

#[test]
fn silences_expire_by_themselves_and_are_known_again_after_a_start() {
    let at = WallTime::from_micros;
    let kept = [
        silence(5, &[("instance", "a", false)]),
        Silence {
            until: at(10),
            ..silence(6, &[("instance", "b", false)])
        },
        silence(7, &[("gone", "b", false)]),
    ];
    let (mut book, unusable) = SilenceBook::restore(kept.clone(), at(10));
    assert_eq!(unusable, [kept[2].clone()]);
    let ids = |book: &SilenceBook| -> Vec<i64> {
        book.active().map(|silence| silence.id.get()).collect()
    };
    assert_eq!(ids(&book), [5], "the other one is over");
    assert_eq!(book.next_id(at(3)), SilenceId::new(8), "no key twice");
    assert_eq!(book.expire(at(99)), []);
    assert_eq!(book.expire(at(100)).len(), 1);
    assert!(book.is_empty());
}

#[test]
fn a_closed_alert_needs_no_silence() {
    let mut book = SilenceBook::default();
    book.add(silence(1, &[("instance", "a", false)]));
    let closed = Alert {
        closed_at: Some(WallTime::from_micros(2)),
        ..alert(AlertKind::Flapping, &["a"])
    };
    let labels = BTreeMap::new();
    assert_eq!(
        book.silencing(Silenced {
            alert: &closed,
            labels: &labels
        }),
        []
    );
    assert!(!book.needs_labels());
}
