//! What it costs to plan the balance of a large fleet, beside a walk over all its streams that
//! adds up what each instance holds. `max alloc` is the memory that a plan needs at the most, beside
//! the copy of the fleet that it is made on.

use std::collections::BTreeMap;
use std::sync::Arc;

use divan::{AllocProfiler, Bencher, black_box};
use resilient_orchestrator::domain::balance::{
    BalanceInput, BalanceInstance, BalanceMeasure, BalancePlan, BalanceRole, BalanceStream, plan,
};
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};
use resilient_orchestrator::domain::settings::BalanceLimits;

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Instances with so many streams each, by `count`; `weight` of each stream by its number.
fn fleet(
    instances: usize,
    count: impl Fn(usize) -> usize,
    weight: impl Fn(i64) -> u32,
) -> BalanceInput {
    let labels = Arc::new(BTreeMap::new());
    let mut input = BalanceInput::default();
    let mut next = 1;
    for number in 0..instances {
        let streams = (next..).take(count(number)).map(|id| BalanceStream {
            id: StreamId::new(id),
            weight: weight(id),
            requires: 0,
            group: 0,
            is_movable: true,
        });
        let streams: Vec<BalanceStream> = streams.collect();
        next += streams.len() as i64;
        input.push(BalanceInstance {
            id: InstanceId::new(format!("worker-{number:05}")),
            role: BalanceRole::Shares,
            max_streams: 1_000,
            capacity: Some(100_000),
            labels: labels.clone(),
            streams,
            leaving_streams: 0,
            leaving_weight: 0,
        });
    }
    input
}

fn planned(input: &BalanceInput) -> BalancePlan {
    let (limits, measure) = (BalanceLimits::default(), BalanceMeasure::Weight);
    plan(black_box(input), limits, measure)
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn one_instance_joins_1_000_with_100_000_streams(bencher: Bencher<'_, '_>) {
    let input = fleet(1_001, |number| usize::from(number < 1_000) * 100, |_| 1);
    assert!((97..=100).contains(&planned(&input).moves.len()));
    bencher.bench(|| planned(&input));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn a_million_streams_of_half_of_10_000_instances_spread_over_all(bencher: Bencher<'_, '_>) {
    let input = fleet(10_000, |number| (number % 2) * 200, |_| 1);
    assert!(planned(&input).moves.len() >= 490_000);
    bencher.bench(|| planned(&input));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn the_same_with_weights_from_1_to_9(bencher: Bencher<'_, '_>) {
    let input = fleet(
        10_000,
        |number| (number % 2) * 200,
        |id| 1 + (id % 9) as u32,
    );
    bencher.bench(|| planned(&input));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn yardstick_add_up_100_000_streams(bencher: Bencher<'_, '_>) {
    let input = fleet(1_001, |number| usize::from(number < 1_000) * 100, |_| 1);
    bencher.bench(|| {
        let mut held: BTreeMap<InstanceId, u64> = BTreeMap::new();
        for instance in black_box(&input).instances() {
            for stream in &instance.streams {
                *held.entry(instance.id.clone()).or_default() += u64::from(stream.weight);
            }
        }
        held
    });
}
