//! What holds for every plan.

use proptest::prelude::*;

use super::super::*;
use super::kit::{TestFleet, TestInstance, TestStream, fleet, instance};
use crate::settings::BalanceLimits;

fn streams(weights: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = Vec<TestStream>> {
    let stream = (
        weights,
        prop::bool::weighted(0.2),
        prop::option::weighted(0.2, 0_u8..3),
        prop::bool::weighted(0.9),
    );
    let stream = stream.prop_map(|(weight, needs_gpu, group, is_movable)| TestStream {
        id: 0,
        weight,
        needs_gpu,
        group,
        is_movable,
    });
    prop::collection::vec(stream, 0..20)
}

fn an_instance(
    weights: std::ops::RangeInclusive<u32>,
) -> impl Strategy<Value = (TestInstance, Option<u32>)> {
    let role = prop_oneof![
        8 => Just(BalanceRole::Shares),
        2 => Just(BalanceRole::Keeps),
    ];
    let room = prop_oneof![Just(0_u32), Just(1), 0_u32..30];
    (
        streams(weights),
        role,
        any::<bool>(),
        room,
        prop::option::of(0_u32..100),
    )
        .prop_map(|(mut streams, role, has_gpu, room, spare)| {
            // What is there was allowed to be.
            for stream in &mut streams {
                stream.needs_gpu &= has_gpu;
            }
            let max_streams = (streams.len() as u32 + room).max(1);
            let instance = TestInstance {
                role,
                has_gpu,
                ..instance("", max_streams, streams)
            };
            (instance, spare)
        })
}

/// Fleets of up to 7 instances.
fn fleets(weights: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = TestFleet> {
    prop::collection::vec(an_instance(weights), 1..8).prop_map(|instances| {
        let mut next = 0;
        let instances = ('a'..='z')
            .zip(instances)
            .map(|(id, (mut instance, spare))| {
                instance.id = id.to_string();
                for stream in &mut instance.streams {
                    next += 1;
                    stream.id = next;
                }
                let weight: u32 = instance.streams.iter().map(|stream| stream.weight).sum();
                instance.capacity = spare.map(|spare| (weight + spare).max(1));
                instance
            });
        TestFleet(instances.collect())
    })
}

fn square(excesses: &[i64]) -> i64 {
    excesses.iter().map(|excess| excess * excess).sum()
}

/// The sum of squares after the best single move or swap.
fn best_neighbour(fleet: &TestFleet) -> i64 {
    let mut best = square(&fleet.excesses());
    let fits = |target: &TestInstance, stream: &TestStream| {
        let weight: u32 = target.streams.iter().map(|stream| stream.weight).sum();
        target.role == BalanceRole::Shares
            && (target.streams.len() as u32) < target.max_streams
            && target
                .capacity
                .is_none_or(|most| weight + stream.weight <= most)
            && (!stream.needs_gpu || target.has_gpu)
    };
    let is_giving = |instance: &TestInstance| instance.role != BalanceRole::Keeps;
    for (from, giver) in fleet.0.iter().enumerate() {
        for (to, taker) in fleet.0.iter().enumerate() {
            if from == to || !is_giving(giver) {
                continue;
            }
            for (place, stream) in giver.streams.iter().enumerate() {
                if !stream.is_movable || !fits(taker, stream) {
                    continue;
                }
                let mut moved = fleet.clone();
                moved.0[from].streams.remove(place);
                moved.0[to].streams.push(*stream);
                best = best.min(square(&moved.excesses()));
                for (other, back) in taker.streams.iter().enumerate() {
                    if back.is_movable && fits(giver, back) {
                        let mut swapped = moved.clone();
                        swapped.0[to].streams.remove(other);
                        swapped.0[from].streams.push(*back);
                        best = best.min(square(&swapped.excesses()));
                    }
                }
            }
        }
    }
    best
}

proptest! {
    #[test]
    fn a_plan_keeps_the_hard_rules_and_no_move_or_swap_improves_it(fleet in fleets(1..=9)) {
        // `after` checks the hard rules.
        let plan = fleet.plan();
        let after = fleet.after(&plan);
        if fleet.is_balanced() {
            prop_assert_eq!(plan, BalancePlan::default());
            return Ok(());
        }
        prop_assert_eq!(square(&after.excesses()), best_neighbour(&after));
        let moved: std::collections::BTreeSet<_> =
            plan.moves.iter().map(|planned| planned.stream).collect();
        prop_assert_eq!(moved.len(), plan.moves.len(), "a stream moves once");
    }

    #[test]
    fn a_plan_for_its_own_result_is_empty(fleet in prop_oneof![fleets(1..=1), fleets(1..=9)]) {
        let after = fleet.after(&fleet.plan());
        prop_assert_eq!(after.plan(), BalancePlan::default());
    }

    #[test]
    fn a_plan_does_not_depend_on_the_order_of_the_instances(fleet in fleets(1..=9)) {
        let mut reversed = fleet.clone();
        reversed.0.reverse();
        prop_assert_eq!(reversed.plan(), fleet.plan());
    }

    #[test]
    fn without_hard_limits_every_instance_is_within_two_streams_or_the_heaviest_weight(
        counts in prop::collection::vec(0_i64..40, 1..9),
        limits in prop::collection::vec(40_u32..400, 9),
        heavy in prop::collection::btree_map(1_i64..200, 2_u32..50, 0..20),
    ) {
        let mut fleet = fleet(20, &counts);
        for (instance, limit) in fleet.0.iter_mut().zip(limits) {
            // Room for everything, so that only the shares decide.
            instance.max_streams = 100_000;
            instance.capacity = Some(limit * 100);
            for stream in &mut instance.streams {
                stream.weight = heavy.get(&stream.id).copied().unwrap_or(1);
            }
        }
        let after = fleet.after(&fleet.plan());
        let (input, shares) = (after.input(), after.shares());
        let all = after.0.iter().flat_map(|held| &held.streams);
        let heaviest = all.map(|stream| stream.weight).max().unwrap_or(0).max(2);
        for (instance, held) in input.instances().iter().zip(&after.0) {
            let share = shares.share(instance).unwrap().as_f64();
            let held: u32 = held.streams.iter().map(|stream| stream.weight).sum();
            let difference = (f64::from(held) - share).abs();
            prop_assert!(difference <= f64::from(heaviest) + 1e-3, "{held} of {share}");
        }
    }

    #[test]
    fn without_hard_limits_the_result_is_balanced_as_far_as_whole_streams_can_be(
        counts in prop::collection::vec(0_i64..20, 2..7),
        limits in prop::collection::vec(1_u32..60, 7),
    ) {
        let mut fleet = fleet(100_000, &counts);
        let streams: i64 = counts.iter().sum();
        for (instance, limit) in fleet.0.iter_mut().zip(limits) {
            // Room for everything, and loads that differ much.
            instance.capacity = Some(limit + streams as u32);
        }
        let after = fleet.after(&fleet.plan());
        let (input, shares) = (after.input(), after.shares());
        for (instance, held) in input.instances().iter().zip(&after.0) {
            let share = shares.share(instance).unwrap().as_f64();
            let difference = (held.streams.len() as f64 - share).abs();
            prop_assert!(difference <= 2.0 + 1e-3, "{} of {share}", held.streams.len());
        }
    }

    #[test]
    fn fair_shares_and_statistics_are_over_the_same_instances(fleet in fleets(1..=9)) {
        let limits = BalanceLimits::default();
        let report = BalanceReport::of(&fleet.input(), limits, BalanceMeasure::Weight);
        let statistics = report.statistics();
        let shares: f64 = report.instances.iter().filter_map(|one| one.fair_share).sum();
        prop_assert!((shares - statistics.weight as f64).abs() < 1e-3, "{statistics:?}");
        let takes = |one: &&TestInstance| one.role == BalanceRole::Shares;
        let taking: Vec<&TestInstance> = fleet.0.iter().filter(takes).collect();
        prop_assert_eq!(statistics.instances, taking.len());
        let streams: usize = taking.iter().map(|one| one.streams.len()).sum();
        prop_assert_eq!(statistics.streams, streams as u64);
    }

    #[test]
    fn a_join_moves_streams_only_to_the_new_instance(
        count in 1_usize..20, streams in 0_i64..200, limit in 20_u32..60,
    ) {
        // As level as placement fills it.
        let count = count as i64;
        let counts: Vec<i64> = (0..count).map(|at| (streams + at) / count).collect();
        let limit = limit.max(streams as u32 / count as u32 + 1);
        let mut joined = fleet(limit, &counts);
        joined.0.push(instance("zz", limit, vec![]));
        let plan = joined.plan();
        for planned in &plan.moves {
            prop_assert_eq!(planned.to.as_str(), "zz");
        }
        prop_assert!(joined.after(&plan).excesses().iter().all(|excess| *excess == 0));
    }
}
