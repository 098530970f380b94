//! What small fleets can absorb, and that the count is the least possible for equal weights.

use proptest::prelude::*;

use super::*;
use crate::commands::{CordonInstance, RegisterInstance, SaveStreams, StreamSpec};
use crate::ids::StreamId;
use crate::ledger::Ledger;
use crate::planned::Requester;
use crate::queries::{HeadroomFacts, Query};
use crate::sample;

fn headroom(ledger: &Ledger) -> Headroom {
    Headroom::of(&HeadroomFacts.answer(ledger.saved()))
}

fn register(ledger: &mut Ledger, id: &str, max: u32, labels: &[(&str, &str)]) {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let instance = RegisterInstance {
        labels: labels.iter().map(owned).collect(),
        ..sample::register(id, max)
    };
    sample::run(ledger, instance);
}

fn worst(headroom: &Headroom) -> (&str, usize, usize) {
    let worst = headroom.worst.as_ref().unwrap();
    (worst.instance.as_str(), worst.streams, worst.homeless)
}

#[test]
fn the_loss_that_leaves_most_streams_without_a_home_is_named() {
    let mut ledger = sample::ledger();
    assert!(headroom(&ledger).survives_one_instance());
    sample::run(&mut ledger, sample::streams(1..=10));
    register(&mut ledger, "a", 8, &[]);
    sample::run(&mut ledger, sample::ask("a", 8));
    let alone = headroom(&ledger);
    assert_eq!(worst(&alone), ("a", 8, 8));
    assert!(!alone.survives_one_instance());
    assert_eq!(alone.spare, -8);
    register(&mut ledger, "b", 8, &[]);
    sample::run(&mut ledger, sample::ask("b", 8));
    let two = headroom(&ledger);
    assert_eq!(worst(&two), ("a", 8, 2), "`b` has 2 and room for 6");
    register(&mut ledger, "c", 4, &[]);
    let three = headroom(&ledger);
    assert!(three.survives_one_instance());
    assert_eq!(
        (three.max_streams, three.assigned, three.free),
        (20, 10, 10)
    );
    assert_eq!(three.spare, 2);
}

#[test]
fn the_instances_of_one_label_are_lost_together() {
    let mut ledger = sample::ledger();
    sample::run(&mut ledger, sample::streams(1..=6));
    for (id, zone) in [("a", "x"), ("b", "x"), ("c", "y"), ("d", "z")] {
        register(&mut ledger, id, 3, &[("zone", zone)]);
    }
    sample::run(&mut ledger, sample::ask("a", 3));
    sample::run(&mut ledger, sample::ask("b", 2));
    sample::run(&mut ledger, sample::ask("c", 1));
    let found = headroom(&ledger);
    assert!(found.survives_one_instance());
    let loss = |value: &str, streams| LabelLoss {
        label: "zone".to_owned(),
        value: value.to_owned(),
        streams,
        homeless: 0,
    };
    assert_eq!(found.by_label, [loss("x", 5), loss("y", 1), loss("z", 0)]);
}

#[test]
fn a_label_that_names_each_instance_is_no_place() {
    let mut ledger = sample::ledger();
    for number in 0..21 {
        let id = format!("w{number:02}");
        register(&mut ledger, &id, 1, &[("host", &id), ("zone", "x")]);
    }
    let labels: Vec<String> = (headroom(&ledger).by_label.into_iter())
        .map(|loss| loss.label)
        .collect();
    assert_eq!(labels, ["zone"]);
}

#[test]
fn a_required_label_counts() {
    let mut ledger = sample::ledger();
    register(&mut ledger, "g", 9, &[("gpu", "yes")]);
    register(&mut ledger, "a", 9, &[]);
    let spec = StreamSpec {
        id: Some(StreamId::new(1)),
        name: Some("s".into()),
        requires: Some([("gpu".to_owned(), "yes".to_owned())].into()),
        ..StreamSpec::default()
    };
    sample::run(
        &mut ledger,
        SaveStreams {
            streams: vec![spec],
        },
    );
    sample::run(&mut ledger, sample::ask("g", 1));
    assert_eq!(worst(&headroom(&ledger)), ("g", 1, 1));
    register(&mut ledger, "h", 1, &[("gpu", "yes")]);
    assert!(headroom(&ledger).survives_one_instance());
}

proptest! {
    /// For streams that need nothing the count follows from the sum of the free places.
    #[test]
    fn plain_streams_have_as_many_homes_as_there_are_places(
        fleet in prop::collection::vec((0_u32..6, 0_u32..6), 1..6),
    ) {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=36));
        for (index, (held, more)) in fleet.iter().enumerate() {
            let id = format!("w{index}");
            register(&mut ledger, &id, (held + more).max(1), &[]);
            sample::run(&mut ledger, sample::ask(&id, i64::from(*held)));
        }
        let holders = HeadroomFacts.answer(ledger.saved());
        let free: usize = holders.iter().map(Holder::places).sum();
        let homeless = holders.iter().map(|holder| {
            holder.streams().saturating_sub(free - holder.places())
        });
        let worst = headroom(&ledger).worst.map_or(0, |worst| worst.homeless);
        prop_assert_eq!(Some(worst), homeless.max().or(Some(0)));
    }
}

#[test]
fn a_cordoned_instance_is_no_home() {
    let mut ledger = sample::ledger();
    sample::run(&mut ledger, sample::streams(1..=2));
    for id in ["a", "b"] {
        register(&mut ledger, id, 2, &[]);
    }
    sample::run(&mut ledger, sample::ask("a", 2));
    assert!(headroom(&ledger).survives_one_instance());
    let cordon = CordonInstance {
        id: "b".into(),
        until: None,
        by: Requester::Operator,
        reason: None,
    };
    sample::run(&mut ledger, cordon);
    assert_eq!(worst(&headroom(&ledger)), ("a", 2, 2));
}

#[test]
fn the_places_of_the_lost_instance_are_lost_too() {
    let mut ledger = sample::ledger();
    sample::run(&mut ledger, sample::streams(1..=10));
    for id in ["a", "b"] {
        register(&mut ledger, id, 20, &[]);
        sample::run(&mut ledger, sample::ask(id, 5));
    }
    let level = headroom(&ledger);
    assert_eq!(
        (level.free, level.spare),
        (30, 10),
        "20 places for all 20 streams"
    );
}

#[test]
fn a_lost_stream_takes_the_room_of_as_many_as_it_weighs() {
    let mut ledger = sample::ledger();
    let heavy = StreamSpec {
        id: Some(StreamId::new(1)),
        name: Some("heavy".into()),
        weight: Some(6),
        ..StreamSpec::default()
    };
    let streams = vec![heavy];
    sample::run(&mut ledger, SaveStreams { streams });
    for id in ["a", "b"] {
        register(&mut ledger, id, 10, &[]);
    }
    sample::run(&mut ledger, sample::ask("a", 1));
    assert_eq!(
        headroom(&ledger).spare,
        9,
        "without a capacity it takes a place"
    );
    for id in ["a", "b"] {
        let weighed = RegisterInstance {
            capacity: Some(10),
            ..sample::register(id, 10)
        };
        sample::run(&mut ledger, weighed);
    }
    assert_eq!(headroom(&ledger).spare, 4, "10 of weight for it and 4 more");
}
