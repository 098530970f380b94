//! What is a pattern, and what is chance.

use std::collections::BTreeMap;

use super::finding::HOUR;
use super::*;
use crate::ids::{Incarnation, IncidentId, InstanceId};
use crate::incident::{FailureCause, Incident, IncidentOutcome};
use crate::time::WallTime;
use proptest::prelude::*;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * HOUR;

fn incident(id: usize, instance: &str, at: i64) -> Incident {
    let at = WallTime::from_micros(at);
    Incident {
        id: IncidentId::new(id as i64),
        instance: instance.into(),
        incarnation: Incarnation::new(1),
        cause: FailureCause::HeartbeatTimeout,
        detected_at: at,
        ended_at: Some(at),
        outcome: Some(IncidentOutcome::Recovered),
        streams_affected: 1,
        streams_moved: 1,
        streams_orphaned: 0,
        attempts: 1,
        reason: None,
        escalated_at: None,
        steps: Vec::new(),
    }
}

fn incidents(failures: &[(&str, i64)]) -> Vec<Incident> {
    failures
        .iter()
        .enumerate()
        .map(|(id, (instance, at))| incident(id + 1, instance, *at))
        .collect()
}

/// Instances `i0`, `i1` … each with an address and perhaps a rack.
fn fleet(machines: &[(&str, Option<&str>)]) -> BTreeMap<InstanceId, InstanceFacts> {
    let facts = machines.iter().enumerate().map(|(number, (ip, rack))| {
        let labels = rack.map(|rack| ("rack".to_owned(), rack.to_owned()));
        let facts = InstanceFacts {
            ip: (*ip).to_owned(),
            labels: labels.into_iter().collect(),
        };
        (InstanceId::new(format!("i{number}")), facts)
    });
    facts.collect()
}

/// Each on a network of its own.
fn strangers(
    count: usize,
    rack: impl Fn(usize) -> Option<&'static str>,
) -> BTreeMap<InstanceId, InstanceFacts> {
    let ips: Vec<String> = (0..count)
        .map(|number| format!("10.0.{number}.1"))
        .collect();
    let machines: Vec<(&str, Option<&str>)> = ips
        .iter()
        .enumerate()
        .map(|(number, ip)| (ip.as_str(), rack(number)))
        .collect();
    fleet(&machines)
}

fn kinds(patterns: &[Pattern]) -> Vec<&'static str> {
    patterns
        .iter()
        .map(|pattern| match pattern.kind {
            PatternKind::SameInstance(_) => "instance",
            PatternKind::SameHour(_) => "hour",
            PatternKind::SameLabel(_) => "label",
            PatternKind::SeveralAtOnce(_) => "at once",
        })
        .collect()
}

fn found(failures: &[(&str, i64)], facts: &BTreeMap<InstanceId, InstanceFacts>) -> Vec<Pattern> {
    find_patterns(&incidents(failures), facts)
}

#[test]
fn few_incidents_show_nothing() {
    let facts = strangers(8, |number| (number < 4).then_some("a"));
    let tables: [&[(&str, i64)]; 6] = [
        &[],
        &[("i0", 0)],
        &[("i0", 0), ("i0", 5 * HOUR)],
        &[("i0", 0), ("i1", 0)],
        &[("i0", 0), ("i1", DAY)],
        &[("i0", 0), ("i1", 30 * HOUR), ("i5", 40 * HOUR)],
    ];
    for failures in tables {
        assert_eq!(kinds(&found(failures, &facts)), [""; 0], "{failures:?}");
    }
}

#[test]
fn an_instance_that_keeps_failing_is_named_with_its_incidents() {
    let failures = [
        ("i1", 2 * HOUR),
        ("i0", 0),
        ("i1", 40 * HOUR),
        ("i1", 9 * HOUR),
    ];
    let patterns = found(&failures, &BTreeMap::new());
    assert_eq!(kinds(&patterns), ["instance"]);
    let [pattern] = patterns.as_slice() else {
        panic!("{patterns:?}");
    };
    assert_eq!(pattern.kind, PatternKind::SameInstance("i1".into()));
    assert_eq!(pattern.sentence, "Instance i1 failed 3 times.");
    let ids: Vec<i64> = pattern.incidents.iter().map(|id| id.get()).collect();
    assert_eq!(ids, [1, 4, 3], "in order of time");
    assert_eq!(pattern.instances, ["i1".into()]);
    assert_eq!(pattern.first.as_micros(), 2 * HOUR);
    assert_eq!(pattern.last.as_micros(), 40 * HOUR);
}

#[test]
fn what_was_averted_or_ordered_is_no_pattern() {
    let mut three = incidents(&[("i0", 0), ("i0", 5 * HOUR), ("i0", 9 * HOUR)]);
    three[0].outcome = Some(IncidentOutcome::Averted);
    assert_eq!(find_patterns(&three, &BTreeMap::new()), []);
    three[0].outcome = Some(IncidentOutcome::Interrupted);
    assert_eq!(find_patterns(&three, &BTreeMap::new()), []);
    three[0].outcome = Some(IncidentOutcome::Failed);
    assert_eq!(find_patterns(&three, &BTreeMap::new()).len(), 1);
    three[0].cause = FailureCause::Emergency;
    assert_eq!(find_patterns(&three, &BTreeMap::new()), []);
}

#[test]
fn the_hour_before_dawn() {
    let night = |day: i64| day * DAY + 3 * HOUR + day * MINUTE;
    let at_night = [("i0", night(1)), ("i1", night(2)), ("i2", night(3))];
    let patterns = found(&at_night, &BTreeMap::new());
    assert_eq!(kinds(&patterns), ["hour"]);
    assert_eq!(patterns[0].kind, PatternKind::SameHour(3));
    assert!(
        patterns[0]
            .sentence
            .starts_with("Between 03:00 and 04:00 UTC")
    );
    assert_eq!(patterns[0].incidents.len(), 3);
    // Among many failures at all hours three in one are no news.
    let names: Vec<String> = (0..24).map(|number| format!("x{number}")).collect();
    let mut many: Vec<(&str, i64)> = names
        .iter()
        .zip(0..)
        .map(|(name, hour)| (name.as_str(), 5 * DAY + hour * HOUR))
        .collect();
    many.extend(at_night);
    assert_eq!(kinds(&found(&many, &BTreeMap::new())), [""; 0]);
}

#[test]
fn one_night_with_many_failures_is_one_night() {
    let failures = [
        ("i0", 0),
        ("i1", 1),
        ("i2", 2),
        ("i3", DAY),
        ("i4", DAY + 1),
    ];
    assert_eq!(kinds(&found(&failures, &BTreeMap::new())), [""; 0]);
}

#[test]
fn a_label_most_of_those_that_failed_have_and_few_others() {
    let facts = strangers(12, |number| Some(if number < 4 { "a" } else { "b" }));
    let failures = [
        ("i0", 0),
        ("i1", 5 * HOUR),
        ("i2", 31 * HOUR),
        ("i3", 60 * HOUR),
    ];
    let patterns = found(&failures, &facts);
    assert_eq!(kinds(&patterns), ["label"]);
    let PatternKind::SameLabel(shared) = &patterns[0].kind else {
        panic!("{patterns:?}");
    };
    assert_eq!(shared.what.to_string(), "label rack=a");
    assert_eq!((shared.by, shared.carriers), (4, 4));
    assert_eq!(
        patterns[0].sentence,
        "4 of the 4 instances with label rack=a failed, and 0 of the 8 others."
    );
    // Where everybody has it, it explains nothing.
    let alike = strangers(12, |_| Some("a"));
    assert_eq!(kinds(&found(&failures, &alike)), [""; 0]);
    // Nor where as many others failed.
    let both = [
        ("i0", 0),
        ("i1", 5 * HOUR),
        ("i2", 31 * HOUR),
        ("i6", 60 * HOUR),
        ("i7", 66 * HOUR),
        ("i8", 80 * HOUR),
    ];
    assert_eq!(kinds(&found(&both, &facts)), [""; 0]);
}

#[test]
fn several_at_once_share_a_network() {
    let facts = fleet(&[
        ("192.0.2.1", None),
        ("192.0.2.2", None),
        ("192.0.2.3", None),
        ("198.51.100.1", None),
    ]);
    let failures = [
        ("i0", 0),
        ("i1", MINUTE),
        ("i3", MINUTE),
        ("i2", 2 * MINUTE),
    ];
    let patterns = found(&failures, &facts);
    assert_eq!(kinds(&patterns), ["at once"]);
    let PatternKind::SeveralAtOnce(shared) = &patterns[0].kind else {
        panic!("{patterns:?}");
    };
    assert_eq!(shared[0].what, Trait::Network("192.0.2.0/24".to_owned()));
    assert_eq!((shared.len(), shared[0].by, shared[0].carriers), (1, 3, 3));
    assert_eq!(patterns[0].instances.len(), 4, "all that failed then");
    let slower = [("i0", 0), ("i1", MINUTE), ("i2", 2 * MINUTE + 1)];
    assert_eq!(kinds(&found(&slower, &facts)), [""; 0]);
    let two = [("i0", 0), ("i1", 1), ("i3", 2)];
    assert_eq!(kinds(&found(&two, &facts)), [""; 0]);
    // An early one by itself does not hide a group that begins later.
    let late = [
        ("i3", 0),
        ("i0", MINUTE),
        ("i1", 2 * MINUTE),
        ("i2", 3 * MINUTE),
    ];
    assert_eq!(kinds(&found(&late, &facts)), ["at once"]);
}

#[test]
fn several_at_once_share_a_label_and_what_explains_most_comes_first() {
    let facts = strangers(6, |number| Some(if number < 3 { "a" } else { "b" }));
    let failures = [("i0", 0), ("i1", 1), ("i2", 2), ("i3", 3)];
    let patterns = found(&failures, &facts);
    assert_eq!(kinds(&patterns)[0], "at once");
    let PatternKind::SeveralAtOnce(shared) = &patterns[0].kind else {
        panic!("{patterns:?}");
    };
    assert_eq!(shared[0].what.to_string(), "label rack=a");
    assert!(
        patterns[0]
            .sentence
            .contains("3 of them share label rack=a")
    );
}

proptest! {
    /// Whatever is reported rests on incidents that were given, in order of time.
    #[test]
    fn the_evidence_is_there(
        failures in proptest::collection::vec((0_usize..6, 0_i64..5 * DAY), 0..40)
    ) {
        let facts = strangers(6, |number| Some(if number < 3 { "a" } else { "b" }));
        let incidents: Vec<Incident> = failures
            .iter()
            .enumerate()
            .map(|(id, (instance, at))| incident(id, &format!("i{instance}"), *at))
            .collect();
        for pattern in find_patterns(&incidents, &facts) {
            prop_assert!(pattern.incidents.len() >= 3, "{:?}", pattern);
            let evidence: Vec<&Incident> = pattern
                .incidents
                .iter()
                .map(|id| &incidents[id.get() as usize])
                .collect();
            prop_assert!(evidence.is_sorted_by_key(|one| one.detected_at));
            prop_assert!(evidence.iter().all(|one| pattern.instances.contains(&one.instance)));
            prop_assert!(pattern.first <= pattern.last);
        }
    }
}
