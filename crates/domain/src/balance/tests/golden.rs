//! Plans as text.

use super::super::*;
use super::kit::{TestFleet, TestInstance, TestStream, fleet, instance, stream, text};

#[test]
fn a_balanced_fleet_and_an_empty_one_have_an_empty_plan() {
    for counts in [&[][..], &[0, 0], &[10, 10, 10], &[12, 10, 8], &[1]] {
        assert_eq!(text(&fleet(20, counts).plan()), "", "{counts:?}");
    }
}

#[test]
fn an_instance_that_joins_takes_from_the_fullest_until_each_has_its_share() {
    assert_eq!(
        text(&fleet(20, &[10, 10, 0]).plan()),
        "20 b -> c above_fair_share\n\
         10 a -> c above_fair_share\n\
         19 b -> c above_fair_share\n\
         9 a -> c above_fair_share\n\
         18 b -> c above_fair_share\n"
    );
}

#[test]
fn an_instance_with_twice_the_limit_gets_twice_the_share() {
    let mut fleet = fleet(10, &[9, 0]);
    fleet.0[1].max_streams = 20;
    let after = fleet.after(&fleet.plan());
    let counts: Vec<usize> = after.0.iter().map(|held| held.streams.len()).collect();
    assert_eq!(counts, [4, 5]);
}

#[test]
fn a_stream_makes_room_for_one_that_has_only_one_place_to_go() {
    // `a` holds streams that only `b` can take; `b` is full.
    let gpu = |id| {
        let mut stream = stream(id);
        stream.needs_gpu = true;
        stream
    };
    let mut a = instance("a", 20, (1..=12).map(gpu).collect());
    a.has_gpu = true;
    let mut b = instance("b", 6, (21..=26).map(stream).collect());
    b.capacity = Some(20);
    b.has_gpu = true;
    let fleet = TestFleet(vec![a, b, instance("c", 20, vec![])]);
    let plan = fleet.plan();
    assert_eq!(
        text(&plan),
        "26 b -> c makes_room\n25 b -> c makes_room\n24 b -> c makes_room\n23 b -> c makes_room\n\
         12 a -> b above_fair_share\n11 a -> b above_fair_share\n\
         10 a -> b above_fair_share\n9 a -> b above_fair_share\n"
    );
    assert_eq!(fleet.after(&plan).excesses(), [0, 0, 0]);
}

#[test]
fn pinned_streams_cordoned_instances_and_hard_limits_stay_as_they_are() {
    let mut fleet = fleet(20, &[18, 0, 0, 12]);
    for stream in &mut fleet.0[0].streams[..14] {
        stream.is_movable = false;
    }
    fleet.0[1].capacity = Some(1);
    fleet.0[3].role = BalanceRole::Keeps;
    assert_eq!(
        text(&fleet.plan()),
        "18 a -> c above_fair_share\n17 a -> c above_fair_share\n\
         16 a -> c above_fair_share\n15 a -> c above_fair_share\n"
    );
}

#[test]
fn streams_of_one_group_are_kept_apart_where_there_is_a_choice() {
    let mut fleet = fleet(20, &[12, 5, 5]);
    fleet.0[0].streams[11].group = Some(1);
    fleet.0[1].streams[0].group = Some(1);
    let plan = fleet.plan();
    let grouped = plan.moves.iter().find(|planned| planned.stream.get() == 12);
    assert!(
        grouped.is_none_or(|planned| planned.to.as_str() != "b"),
        "{plan:?}"
    );
}

#[test]
fn heavy_streams_are_swapped_for_light_ones_where_no_move_helps() {
    let heavy = |id, weight| {
        let mut stream = stream(id);
        stream.weight = weight;
        stream
    };
    let light = (11..=20).map(|id| TestStream {
        is_movable: false,
        ..stream(id)
    });
    let a = instance("a", 50, vec![heavy(1, 20), heavy(2, 20)]);
    let mut b = instance("b", 50, vec![heavy(3, 16)]);
    b.streams.extend(light);
    let plan = TestFleet(vec![a, b]).plan();
    assert_eq!(
        text(&plan),
        "2 a -> b above_fair_share\n3 b -> a makes_room\n"
    );
}

#[test]
fn a_partner_is_found_behind_many_that_have_no_room() {
    let heavy = |id| TestStream {
        weight: 50,
        ..stream(id)
    };
    let holding = |id: &str, capacity, streams| TestInstance {
        capacity: Some(capacity),
        ..instance(id, 100, streams)
    };
    let mut instances = vec![holding("a", 1_000, (1..=16).map(heavy).collect())];
    for number in 0..70 {
        instances.push(holding(&format!("b{number:02}"), 40, vec![]));
    }
    let mut held: Vec<TestStream> = (21..=24).map(heavy).collect();
    held.extend((31..=38).map(stream));
    instances.push(holding("z", 1_000, held));
    let fleet = TestFleet(instances);
    let after = fleet.after(&fleet.plan());
    let weight = |held: &TestInstance| held.streams.iter().map(|one| one.weight).sum::<u32>();
    assert!(weight(&after.0[71]) > 250, "{after:?}");
}
