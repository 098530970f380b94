//! What small fleets can absorb, and that the count is the least possible for equal weights.

use std::collections::BTreeMap;

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
        unplaced: Unplaced::new(),
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

/// A stream of a lost instance: its weight, and whether it requires a GPU.
type Lost = (u32, bool);

/// A place for streams: how many, their weight, and whether there is a GPU.
type Home = (u32, u32, bool);

/// The least number of streams without a home, by trying every home for every stream.
fn least_homeless(lost: &[Lost], homes: &mut [Home]) -> usize {
    let Some(((weight, needs_gpu), others)) = lost.split_first() else {
        return 0;
    };
    let mut least = 1 + least_homeless(others, homes);
    for index in 0..homes.len() {
        let home = homes[index];
        let (streams, room, has_gpu) = home;
        if least > 0 && streams > 0 && room >= *weight && (has_gpu || !needs_gpu) {
            homes[index] = (streams - 1, room - weight, has_gpu);
            least = least.min(least_homeless(others, homes));
            homes[index] = home;
        }
    }
    least
}

/// Instances with their streams, how many more they take, and whether they have a GPU.
fn small_fleets() -> impl Strategy<Value = Vec<(Vec<Lost>, u32, bool)>> {
    let stream = (1_u32..4, prop::bool::weighted(0.4));
    let instance = (prop::collection::vec(stream, 0..5), 0_u32..3, any::<bool>());
    prop::collection::vec(instance, 1..5)
}

/// What is known of a fleet, as the fleet itself would count it.
fn holders(fleet: &[(Vec<Lost>, u32, bool)], with_capacity: bool) -> Vec<Holder> {
    let gpu: BTreeMap<String, String> = [("gpu".to_owned(), "yes".to_owned())].into();
    let mut ledger = sample::ledger();
    for (number, (streams, more, has_gpu)) in (0_i64..).zip(fleet) {
        let id = format!("w{number}");
        let weight: u32 = streams.iter().map(|(weight, _)| weight).sum();
        let count = u32::try_from(streams.len()).unwrap();
        let instance = RegisterInstance {
            labels: if *has_gpu {
                gpu.clone()
            } else {
                BTreeMap::new()
            },
            capacity: with_capacity.then_some((weight + more).max(1)),
            ..sample::register(&id, (count + more).max(1))
        };
        sample::run(&mut ledger, instance);
        // One instance at a time asks for what was created for it.
        let specs = (0_i64..)
            .zip(streams)
            .map(|(at, (weight, needs_gpu))| StreamSpec {
                id: Some(StreamId::new(number * 10 + at + 1)),
                name: Some(format!("s{number}-{at}").into()),
                weight: Some(*weight),
                requires: (*needs_gpu && *has_gpu).then(|| gpu.clone()),
                ..StreamSpec::default()
            });
        let streams = specs.collect();
        sample::run(&mut ledger, SaveStreams { streams });
        sample::run(&mut ledger, sample::ask(&id, i64::from(count)));
    }
    HeadroomFacts.answer(ledger.saved())
}

/// How many streams have no home after the loss of each instance, by trying all.
fn worst_by_trying(fleet: &[(Vec<Lost>, u32, bool)], with_capacity: bool) -> usize {
    let losses = fleet
        .iter()
        .enumerate()
        .map(|(index, (streams, _, has_gpu))| {
            let streams = streams
                .iter()
                .map(|(weight, gpu)| (*weight, *gpu && *has_gpu));
            let lost: Vec<Lost> = streams.collect();
            let others = fleet
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index);
            let home = |(held, more, has_gpu): &(Vec<Lost>, u32, bool)| {
                // One that holds and takes nothing must have a limit of 1 all the same.
                let more = if held.is_empty() {
                    (*more).max(1)
                } else {
                    *more
                };
                (more, if with_capacity { more } else { u32::MAX }, *has_gpu)
            };
            let mut homes: Vec<Home> = others.map(|(_, one)| home(one)).collect();
            least_homeless(&lost, &mut homes)
        });
    losses.max().unwrap_or(0)
}

proptest! {
    /// With streams of one weight, some of which require one label.
    #[test]
    fn for_equal_weights_no_other_placement_has_more_homes(fleet in small_fleets()) {
        let mut fleet = fleet;
        for (weight, _) in fleet.iter_mut().flat_map(|(streams, _, _)| streams) {
            *weight = 1;
        }
        for with_capacity in [false, true] {
            let found = Headroom::of(&holders(&fleet, with_capacity));
            let worst = found.worst.map_or(0, |worst| worst.homeless);
            prop_assert_eq!(worst, worst_by_trying(&fleet, with_capacity));
        }
    }

    #[test]
    fn for_mixed_weights_it_is_never_too_few(fleet in small_fleets()) {
        let found = Headroom::of(&holders(&fleet, true));
        let worst = found.worst.map_or(0, |worst| worst.homeless);
        prop_assert!(worst >= worst_by_trying(&fleet, true));
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
