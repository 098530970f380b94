//! Which alert a failure is in.

use super::*;
use crate::patterns::{InstanceFacts, LostInstance};

/// Machines of two racks in two networks; `f` has failed, `l` is late.
fn facts(machines: &[(&str, &str, char)]) -> LostFacts {
    let mut facts = LostFacts {
        all: machines.len(),
        ..LostFacts::default()
    };
    for (name, rack, state) in machines {
        let known = InstanceFacts {
            ip: format!("10.0.{}.7", rack.len()),
            labels: BTreeMap::from([
                ("rack".to_owned(), (*rack).to_owned()),
                ("site".to_owned(), "all".to_owned()),
            ]),
        };
        for what in Trait::all_of(&known) {
            *facts.carriers.entry(what).or_default() += 1;
        }
        if *state != '-' {
            let lost = LostInstance {
                facts: known,
                has_failed: *state == 'f',
            };
            facts.lost.insert(InstanceId::from(*name), lost);
        }
    }
    facts
}

fn subjects(facts: &LostFacts, open: &[OpenLoss]) -> Vec<(String, usize, usize)> {
    let losses = facts.losses(open).into_iter();
    losses
        .map(|loss| (loss.subject, loss.failed.len(), loss.late.len()))
        .collect()
}

#[test]
fn a_failure_is_in_the_alert_of_what_is_lost() {
    let rest = [("x", "bb", '-'), ("y", "bb", '-'), ("z", "bb", '-')];
    type Expected<'a> = &'a [(&'a str, usize, usize)];
    let table: [(&str, [char; 4], Expected<'_>); 6] = [
        ("one", ['f', '-', '-', '-'], &[("a", 1, 0)]),
        (
            "two are too few",
            ['f', 'f', '-', '-'],
            &[("a", 1, 0), ("b", 1, 0)],
        ),
        (
            "the others are late",
            ['f', 'l', 'l', 'l'],
            &[("label rack=a", 1, 3)],
        ),
        ("most", ['f', 'f', 'l', '-'], &[("label rack=a", 2, 1)]),
        ("all", ['f', 'f', 'f', 'f'], &[("label rack=a", 4, 0)]),
        ("late alone is no failure", ['l', 'l', 'l', 'l'], &[]),
    ];
    for (name, states, expected) in table {
        let rack = ["a", "b", "c", "d"].iter().zip(states);
        let mut machines: Vec<_> = rack.map(|(name, state)| (*name, "a", state)).collect();
        machines.extend(rest);
        let expected: Vec<_> = expected
            .iter()
            .map(|(subject, f, l)| ((*subject).to_owned(), *f, *l))
            .collect();
        assert_eq!(subjects(&facts(&machines), &[]), expected, "{name}");
    }
}

#[test]
fn a_lost_fleet_is_one_alert_and_what_all_share_explains_nothing() {
    let names: Vec<String> = (0..400).map(|number| format!("i{number:03}")).collect();
    let racks = ["a", "bb", "ccc", "dddd"];
    let machines: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(number, name)| (name.as_str(), racks[number % 4], 'f'))
        .collect();
    let facts = facts(&machines);
    assert_eq!(subjects(&facts, &[]), [("fleet".to_owned(), 400, 0)]);
    let [loss] = facts.losses(&[]).try_into().unwrap();
    assert_eq!(facts.severity(&loss), Severity::Critical);
    assert_eq!(loss.instances().len(), 400);
    let text = loss.sentence();
    assert!(
        text.starts_with("400 of the 400 instances of the fleet are lost"),
        "{text}"
    );
    assert!(text.contains("i009 and 390 more"), "{text}");
    assert!(text.len() < 200, "{text}");
}

#[test]
fn addresses_explain_what_labels_do_not() {
    let mut facts = facts(&[
        ("a", "a", 'f'),
        ("b", "a", 'f'),
        ("c", "a", 'f'),
        ("x", "bb", '-'),
        ("y", "bb", '-'),
    ]);
    let label = |what: &Trait| !matches!(what, Trait::Label { .. });
    facts.carriers.retain(|what, _| label(what));
    for lost in facts.lost.values_mut() {
        lost.facts.labels.clear();
    }
    assert_eq!(
        subjects(&facts, &[]),
        [("network 10.0.1.0/24".to_owned(), 3, 0)]
    );
}

#[test]
fn many_failures_without_anything_in_common_are_one_alert() {
    let names: Vec<String> = (0..100).map(|number| format!("i{number:03}")).collect();
    let racks: Vec<String> = (1..=50).map(|number| "r".repeat(number)).collect();
    let fleet = |failed: usize| {
        let machines: Vec<_> = names
            .iter()
            .zip(racks.iter().cycle())
            .enumerate()
            .map(|(number, (name, rack))| {
                let state = if number < failed { 'f' } else { '-' };
                (name.as_str(), rack.as_str(), state)
            })
            .collect();
        facts(&machines)
    };
    assert_eq!(subjects(&fleet(20), &[]).len(), 20);
    assert_eq!(subjects(&fleet(21), &[]), [("fleet".to_owned(), 21, 0)]);
}

#[test]
fn an_alert_stays_with_its_rack_until_the_last_is_back() {
    let open = OpenLoss {
        subject: "label rack=a".to_owned(),
        is_shared: true,
        instances: vec!["a".into(), "b".into(), "c".into()],
    };
    let rest = [("x", "bb", '-'), ("y", "bb", '-')];
    let mut machines = vec![("a", "a", 'f'), ("b", "a", '-'), ("c", "a", '-')];
    machines.extend(rest);
    let rack = ("label rack=a".to_owned(), 1, 0);
    assert_eq!(
        subjects(&facts(&machines), std::slice::from_ref(&open)),
        [rack]
    );
    machines[0].2 = '-';
    assert_eq!(subjects(&facts(&machines), &[open]), []);
}

#[test]
fn what_is_about_a_part_joins_the_whole() {
    let open = OpenLoss {
        subject: "label rack=a".to_owned(),
        is_shared: true,
        instances: vec!["a".into(), "b".into(), "c".into()],
    };
    let machines = [
        ("a", "a", 'f'),
        ("b", "a", 'f'),
        ("c", "a", 'f'),
        ("x", "bb", 'f'),
        ("y", "bb", 'f'),
        ("z", "bb", 'l'),
    ];
    let fleet = ("fleet".to_owned(), 5, 1);
    assert_eq!(subjects(&facts(&machines), &[open]), [fleet]);
}

#[test]
fn a_single_failure_waits_for_the_day_if_most_are_well() {
    let well = facts(&[("a", "a", 'f'), ("b", "bb", '-'), ("c", "ccc", '-')]);
    let [loss] = well.losses(&[]).try_into().unwrap();
    assert_eq!(well.severity(&loss), Severity::Warning);
    let ill = facts(&[("a", "a", 'f'), ("b", "bb", 'l'), ("c", "ccc", '-')]);
    let [loss] = ill.losses(&[]).try_into().unwrap();
    assert_eq!(ill.severity(&loss), Severity::Critical);
}
