//! What decides besides the load: required labels, weights, groups, pins and the policy.

use std::collections::BTreeMap;

use crate::commands::{
    AssignOutcome, AssignStreams, DryRun, MoveStreams, PlaceWaiting, RegisterInstance, Rejection,
    Relocation, RemoveInstance, SaveStreams, StreamSpec,
};
use crate::fleet::{Filling, Fleet};
use crate::ids::{InstanceId, StreamId};
use crate::invariants::check_fleet;
use crate::ledger::Ledger;
use crate::placement::{Exclusion, PlacementPolicy, PlacementSettings, Strain};
use crate::sample;
use crate::stream::StreamState;

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn save(ledger: &mut Ledger, specs: impl IntoIterator<Item = StreamSpec>) {
    let streams = specs.into_iter().collect();
    sample::run(ledger, SaveStreams { streams });
    assert_sound(ledger);
}

fn spec(id: i64) -> StreamSpec {
    StreamSpec {
        id: Some(StreamId::new(id)),
        name: Some(format!("s{id}").into()),
        ..StreamSpec::default()
    }
}

fn weighing(id: i64, weight: u32) -> StreamSpec {
    StreamSpec {
        weight: Some(weight),
        ..spec(id)
    }
}

fn requiring(id: i64, pairs: &[(&str, &str)]) -> StreamSpec {
    StreamSpec {
        requires: Some(texts(pairs)),
        ..spec(id)
    }
}

fn grouped(id: i64, group: &str) -> StreamSpec {
    StreamSpec {
        group: Some(Some(group.into())),
        ..spec(id)
    }
}

fn pinned(id: i64, to: &str) -> StreamSpec {
    StreamSpec {
        pinned: Some(Some(to.into())),
        ..spec(id)
    }
}

/// An instance that takes streams without a request.
fn taker(id: &str, max_streams: u32) -> RegisterInstance {
    RegisterInstance {
        auto_assign: true,
        ..sample::register(id, max_streams)
    }
}

fn register(ledger: &mut Ledger, instance: RegisterInstance) {
    sample::run(ledger, instance);
    assert_sound(ledger);
}

fn remove(ledger: &mut Ledger, id: &str) {
    sample::run(ledger, RemoveInstance::new(id.into()));
    assert_sound(ledger);
}

fn held(ledger: &Ledger, id: &str) -> Vec<i64> {
    let slot = ledger.saved().instance(&id.into()).unwrap();
    slot.held().iter().map(|stream| stream.get()).collect()
}

fn state(ledger: &Ledger, id: i64) -> StreamState {
    let slot = ledger.saved().stream(StreamId::new(id)).unwrap();
    slot.place().state()
}

fn owner(ledger: &Ledger, id: i64) -> Option<&str> {
    let slot = ledger.saved().stream(StreamId::new(id)).unwrap();
    let assignment = slot.place().assignment();
    assignment.map(|assignment| assignment.instance.as_str())
}

fn assert_sound(ledger: &Ledger) {
    for check in check_fleet(ledger.saved()) {
        assert!(check.holds, "{check:?}");
    }
    for slot in ledger.saved().instances() {
        if let Some(capacity) = slot.instance().capacity {
            assert!(
                slot.weight() <= u64::from(capacity),
                "{}",
                slot.instance().id
            );
        }
    }
}

fn to(ledger: &mut Ledger, id: i64, target: &str) -> Result<(), Rejection> {
    let moves = vec![Relocation {
        stream: StreamId::new(id),
        to: Some(target.into()),
    }];
    let decided = ledger
        .decide(&MoveStreams { moves }, sample::NOW)
        .map(|_| ());
    let batch = ledger.take_batch();
    ledger.commit(batch);
    decided
}

#[test]
fn a_stream_waits_for_an_instance_with_the_labels_it_requires_and_holds_up_no_other() {
    let mut ledger = sample::ledger();
    register(&mut ledger, sample::register("a", 9));
    save(&mut ledger, [requiring(1, &[("gpu", "yes")]), spec(2)]);
    let asked = sample::run(&mut ledger, sample::ask("a", 9));
    assert!(matches!(asked, AssignOutcome::Assigned(_)));
    assert_eq!(held(&ledger, "a"), [2], "a request brings only what fits");
    let mut gpu = sample::register("g", 9);
    gpu.labels = texts(&[("gpu", "yes")]);
    register(&mut ledger, gpu.clone());
    sample::run(&mut ledger, sample::ask("g", 9));
    assert_eq!(held(&ledger, "g"), [1]);
    remove(&mut ledger, "g");
    assert_eq!(state(&ledger, 1), StreamState::Orphaned);
    remove(&mut ledger, "a");
    register(&mut ledger, sample::register("b", 9));
    assert_eq!(
        held(&ledger, "b"),
        [2],
        "the orphan that waits blocks no other"
    );
    let refused = to(&mut ledger, 1, "b").unwrap_err();
    let exclusion = Exclusion::Requires;
    let (stream, instance) = (StreamId::new(1), InstanceId::from("b"));
    assert_eq!(
        refused,
        Rejection::DoesNotFit {
            stream,
            instance,
            exclusion
        }
    );
    register(&mut ledger, gpu);
    assert_eq!(held(&ledger, "g"), [1]);
}

#[test]
fn an_instance_that_loses_a_required_label_loses_the_stream() {
    let mut ledger = sample::ledger();
    let mut gpu = sample::register("g", 9);
    gpu.labels = texts(&[("gpu", "yes")]);
    register(&mut ledger, gpu.clone());
    save(&mut ledger, [requiring(1, &[("gpu", "yes")]), spec(2)]);
    sample::run(&mut ledger, sample::ask("g", 9));
    gpu.labels = texts(&[("gpu", "no")]);
    register(&mut ledger, gpu);
    assert_eq!(held(&ledger, "g"), [2]);
    assert_eq!(state(&ledger, 1), StreamState::Orphaned);
}

#[test]
fn capacity_limits_the_sum_of_weights() {
    let mut ledger = sample::ledger();
    let small = RegisterInstance {
        capacity: Some(10),
        ..sample::register("a", 9)
    };
    register(&mut ledger, small.clone());
    save(
        &mut ledger,
        [weighing(1, 6), weighing(2, 6), weighing(3, 4), spec(4)],
    );
    sample::run(&mut ledger, sample::ask("a", 9));
    assert_eq!(held(&ledger, "a"), [1, 3], "6 and 4 fill it");
    register(&mut ledger, sample::register("b", 9));
    sample::run(&mut ledger, sample::ask("b", 9));
    assert_eq!(held(&ledger, "b"), [2, 4]);
    let refused = to(&mut ledger, 2, "a").unwrap_err();
    assert!(matches!(
        refused,
        Rejection::DoesNotFit {
            exclusion: Exclusion::NoCapacity,
            ..
        }
    ));
    remove(&mut ledger, "b");
    assert_eq!(state(&ledger, 2), StreamState::Orphaned);
    assert_eq!(state(&ledger, 4), StreamState::Orphaned);
    let smaller = RegisterInstance {
        capacity: Some(7),
        ..small
    };
    register(&mut ledger, smaller);
    let weight = ledger.saved().instance(&"a".into()).unwrap().weight();
    assert!(weight <= 7, "{weight}");
}

#[test]
fn the_lighter_instance_by_weight_gets_the_next_stream() {
    let mut ledger = sample::ledger();
    for id in ["a", "b"] {
        register(&mut ledger, taker(id, 20));
    }
    save(&mut ledger, [weighing(1, 9)]);
    assert_eq!(owner(&ledger, 1), Some("a"));
    save(&mut ledger, (2..=6).map(spec));
    assert_eq!(
        held(&ledger, "b"),
        [2, 3, 4, 5, 6],
        "five light ones weigh less than a heavy one"
    );
}

#[test]
fn basic_counts_and_balanced_weighs() {
    let chosen = |policy| {
        let mut ledger = sample::ledger();
        ledger.set_placement(PlacementSettings {
            policy,
            ..PlacementSettings::default()
        });
        for id in ["a", "b"] {
            register(&mut ledger, taker(id, 20));
        }
        save(&mut ledger, [weighing(1, 9), spec(2), spec(3)]);
        owner(&ledger, 3).map(str::to_owned)
    };
    assert_eq!(chosen(PlacementPolicy::Balanced).as_deref(), Some("b"));
    assert_eq!(chosen(PlacementPolicy::Basic).as_deref(), Some("a"));
}

#[test]
fn load_aware_avoids_a_strained_machine() {
    let mut ledger = sample::ledger();
    let policy = PlacementPolicy::LoadAware;
    ledger.set_placement(PlacementSettings {
        policy,
        ..PlacementSettings::default()
    });
    for id in ["a", "b"] {
        register(&mut ledger, taker(id, 20));
    }
    ledger.set_strain(|id| {
        if id.as_str() == "a" {
            Strain::Exhausted
        } else {
            Strain::Normal
        }
    });
    save(&mut ledger, [spec(1)]);
    assert_eq!(owner(&ledger, 1), Some("b"));
    ledger.set_strain(|_| Strain::Normal);
    save(&mut ledger, [spec(2)]);
    assert_eq!(owner(&ledger, 2), Some("a"));
}

#[test]
fn streams_of_a_group_are_kept_apart_where_there_is_a_choice() {
    let mut ledger = sample::ledger();
    for (id, zone) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let labels = texts(&[("zone", zone)]);
        register(
            &mut ledger,
            RegisterInstance {
                labels,
                ..taker(id, 20)
            },
        );
    }
    // `a` has the first, and `c` is the fullest.
    save(&mut ledger, [grouped(1, "g")]);
    assert_eq!(owner(&ledger, 1), Some("a"));
    save(&mut ledger, (11..=16).map(spec));
    for id in 11..=16 {
        to(&mut ledger, id, "c").unwrap();
    }
    save(
        &mut ledger,
        [grouped(2, "g"), grouped(3, "g"), grouped(4, "g")],
    );
    assert_eq!(
        owner(&ledger, 2),
        Some("c"),
        "another zone before another load"
    );
    assert_eq!(
        owner(&ledger, 3),
        Some("b"),
        "another instance of the same zone"
    );
    assert!(
        owner(&ledger, 4).is_some(),
        "never a reason to have no owner"
    );
    // The group goes apart again when an instance is emptied.
    remove(&mut ledger, "c");
    for id in 1..=4 {
        assert!(owner(&ledger, id).is_some());
    }
    let of_group = |instance: &str| {
        let held = held(&ledger, instance);
        held.into_iter().filter(|id| *id < 10).count()
    };
    assert_eq!((of_group("a"), of_group("b")), (2, 2));
}

/// The worker has followed its newest version.
fn follow(ledger: &mut Ledger, id: &str) {
    sample::follow(ledger, id);
    assert_sound(ledger);
}

#[test]
fn a_pinned_stream_goes_back_when_its_instance_is_there_again() {
    let mut ledger = sample::ledger();
    register(&mut ledger, sample::register("a", 9));
    register(&mut ledger, taker("b", 9));
    save(&mut ledger, [pinned(1, "a"), spec(2)]);
    assert_eq!(held(&ledger, "b"), [2], "the other belongs elsewhere");
    sample::run(&mut ledger, sample::ask("a", 9));
    assert_eq!(owner(&ledger, 1), Some("a"));
    remove(&mut ledger, "a");
    assert_eq!(owner(&ledger, 1), Some("b"));
    sample::agree_lease(&mut ledger, "b");
    register(&mut ledger, sample::register("a", 9));
    assert_eq!(
        owner(&ledger, 1),
        Some("b"),
        "its leased owner has to release it first"
    );
    follow(&mut ledger, "b");
    assert_eq!(owner(&ledger, 1), Some("a"));
    assert_eq!(owner(&ledger, 2), Some("b"));
}

#[test]
fn an_unclaimed_pinned_stream_waits_for_the_request_of_its_instance() {
    let mut ledger = sample::ledger();
    for id in ["a", "b"] {
        register(&mut ledger, sample::register(id, 9));
    }
    save(&mut ledger, [pinned(1, "b"), spec(2)]);
    sample::run(&mut ledger, sample::ask("a", 9));
    assert_eq!(held(&ledger, "a"), [2]);
    sample::run(&mut ledger, sample::ask("b", 9));
    assert_eq!(held(&ledger, "b"), [1]);
}

#[test]
fn an_unclaimed_stream_that_its_instance_cannot_have_goes_to_another() {
    let mut ledger = sample::ledger();
    let small = RegisterInstance {
        capacity: Some(10),
        ..sample::register("b", 9)
    };
    register(&mut ledger, small);
    register(&mut ledger, sample::register("a", 9));
    register(&mut ledger, taker("c", 9));
    let heavy = StreamSpec {
        weight: Some(50),
        ..pinned(1, "b")
    };
    let choosy = StreamSpec {
        requires: Some(texts(&[("gpu", "yes")])),
        ..pinned(2, "b")
    };
    save(&mut ledger, [heavy, choosy, pinned(3, "b")]);
    assert_eq!(held(&ledger, "c"), [1], "nobody has the label of stream 2");
    sample::run(&mut ledger, sample::ask("a", 9));
    assert!(held(&ledger, "a").is_empty(), "stream 3 belongs to b");
}

#[test]
fn only_so_many_pinned_streams_are_on_their_way_at_a_time() {
    let mut ledger = sample::ledger();
    register(&mut ledger, sample::register("b", 99));
    save(&mut ledger, (1..=25).map(|id| pinned(id, "a")));
    sample::run(&mut ledger, sample::ask("b", 99));
    sample::agree_lease(&mut ledger, "b");
    register(&mut ledger, sample::register("a", 99));
    for moved in [0, 10, 20, 25] {
        assert_eq!(held(&ledger, "a").len(), moved);
        follow(&mut ledger, "b");
    }
}

#[test]
fn pinned_streams_that_do_not_fit_hold_up_no_other() {
    let mut ledger = sample::ledger();
    register(&mut ledger, sample::register("b", 99));
    let heavy = (1..=12).map(|id| StreamSpec {
        weight: Some(50),
        ..pinned(id, "a")
    });
    save(&mut ledger, heavy.chain([pinned(13, "a")]));
    sample::run(&mut ledger, sample::ask("b", 99));
    let small = RegisterInstance {
        capacity: Some(10),
        ..sample::register("a", 99)
    };
    register(&mut ledger, small);
    assert_eq!(held(&ledger, "a"), [13]);
}

#[test]
fn a_dry_run_does_not_keep_unclaimed_streams_waiting() {
    let mut ledger = sample::ledger();
    ledger.set_filling(Filling::new(true));
    let streams = vec![spec(1)];
    let tried = DryRun(SaveStreams { streams });
    ledger.decide(&tried, sample::NOW).unwrap();
    assert!(!ledger.filling().is_delayed());
    sample::run(&mut ledger, sample::streams([1]));
    assert!(ledger.filling().is_delayed());
}

#[test]
fn one_command_assigns_a_part_of_the_unclaimed_streams_and_says_that_it_left_some() {
    let mut ledger = sample::ledger();
    ledger.set_filling(Filling::new(true));
    for id in ["a", "b"] {
        register(&mut ledger, taker(id, 90_000));
    }
    save(&mut ledger, (1..=25_000).map(spec));
    ledger.filling().end();
    // The first part raises `a` to what both will have of the first 15,000.
    for (counts, is_left) in [
        ([7_500, 2_500], true),
        ([10_000, 10_000], true),
        ([12_500, 12_500], false),
    ] {
        sample::run(&mut ledger, PlaceWaiting);
        assert_eq!(["a", "b"].map(|id| held(&ledger, id).len()), counts);
        assert_eq!(ledger.filling().take_interruption(), is_left);
    }
    assert_sound(&ledger);
}

/// More than two parts of streams wait, so that the first part raises instances at one go.
#[test]
fn very_many_streams_are_spread_as_if_they_were_placed_one_by_one() {
    let sizes = [(3_000, 40), (9_000, 0), (12_000, 900), (5_000, 0), (300, 0)];
    let mut ledger = Ledger::new(Fleet::default());
    ledger.set_filling(Filling::new(true));
    let specs = (1..=24_000).map(|id| match id % 1_000 {
        0 => grouped(id, "pair"),
        1 => pinned(id, "i0"),
        _ => spec(id),
    });
    let streams: Vec<StreamSpec> = specs.collect();
    sample::run(&mut ledger, SaveStreams { streams });
    for (number, (max_streams, held)) in sizes.into_iter().enumerate() {
        let id = format!("i{number}");
        sample::run(&mut ledger, taker(&id, max_streams));
        let request = AssignStreams {
            id: id.as_str().into(),
            incarnation: None,
            requested: held,
        };
        sample::run(&mut ledger, request);
    }
    ledger.filling().end();
    let mut parts = Vec::new();
    loop {
        let waiting = ledger.saved().ready_unclaimed().count();
        if waiting == 0 {
            break;
        }
        sample::run(&mut ledger, PlaceWaiting);
        parts.push(waiting - ledger.saved().ready_unclaimed().count());
    }
    assert_sound(&ledger);
    assert_eq!(parts, [10_000, 10_000, 3_060]);
    let counts = (0..sizes.len()).map(|number| held(&ledger, &format!("i{number}")).len());
    // 24,000 of 29,300 places; without a level they are the same.
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [2_458, 7_372, 9_829, 4_095, 246]
    );
}
