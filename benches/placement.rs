//! What it costs to decide where 10,000 streams of a failed instance go among 100 others, beside
//! making the same changes to a fleet without deciding anything, and beside filling a map with
//! the same number of rows.

#![expect(
    clippy::expect_used,
    reason = "a bench whose setting fails has nothing to measure"
)]

use std::collections::BTreeMap;

use divan::{Bencher, black_box};
use resilient_orchestrator::domain::commands::{
    AssignStreams, Command, RecoverInstance, RegisterInstance, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::fleet::{Batch, Fleet, Ledger};
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::stream::Place;
use resilient_orchestrator::domain::time::WallTime;

const STREAMS: i64 = 10_000;
const SURVIVORS: usize = 100;
const NOW: WallTime = WallTime::from_micros(1);

fn main() {
    divan::main();
}

fn run<C: Command>(ledger: &mut Ledger, command: C) {
    ledger.decide(&command, NOW).expect("accepted");
    let batch = ledger.take_batch();
    ledger.commit(batch);
}

fn register(id: &str, max_streams: u32) -> RegisterInstance {
    RegisterInstance {
        id: id.into(),
        ip: "127.0.0.1".into(),
        port: 8080,
        max_streams,
        labels: BTreeMap::new(),
        heartbeat_interval: None,
        auto_assign: false,
    }
}

/// One instance with every stream, and a hundred empty ones that can hold twice as many.
fn fleet() -> Fleet {
    let mut ledger = Ledger::new(Fleet::default());
    let streams = (1..=STREAMS)
        .map(|id| StreamSpec {
            id: Some(StreamId::new(id)),
            name: Some(format!("stream-{id}").into()),
            ..StreamSpec::default()
        })
        .collect();
    run(&mut ledger, SaveStreams { streams });
    run(&mut ledger, register("doomed", 10_000));
    run(
        &mut ledger,
        AssignStreams {
            id: "doomed".into(),
            incarnation: None,
            requested: STREAMS,
        },
    );
    for number in 0..SURVIVORS {
        run(&mut ledger, register(&format!("worker-{number:03}"), 200));
    }
    ledger.saved().clone()
}

fn recovery(fleet: &Fleet) -> RecoverInstance {
    let id = InstanceId::from("doomed");
    RecoverInstance {
        incarnation: fleet.instance(&id).expect("known").instance().incarnation,
        id,
        cause: FailureCause::HeartbeatTimeout,
        detected_at: NOW,
        attempt: 1,
    }
}

fn decided(fleet: &Fleet) -> (Ledger, Batch) {
    let mut ledger = Ledger::new(fleet.clone());
    let reply = ledger.decide(&recovery(fleet), NOW).expect("accepted");
    assert_eq!(reply.evacuation.moved.len(), STREAMS as usize);
    let batch = ledger.take_batch();
    (ledger, batch)
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn decide_recovery_of_10_000_streams_on_100_instances(bencher: Bencher<'_, '_>) {
    let fleet = fleet();
    let command = recovery(&fleet);
    bencher
        .with_inputs(|| Ledger::new(fleet.clone()))
        .bench_refs(|ledger| ledger.decide(black_box(&command), NOW));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn yardstick_apply_the_same_changes(bencher: Bencher<'_, '_>) {
    let fleet = fleet();
    bencher
        .with_inputs(|| {
            let (ledger, batch) = decided(&fleet);
            (ledger, Some(batch))
        })
        .bench_refs(|(ledger, batch)| ledger.commit(batch.take().unwrap_or_default()));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn yardstick_insert_10_000_places_into_a_map(bencher: Bencher<'_, '_>) {
    let fleet = fleet();
    let (_, batch) = decided(&fleet);
    let places: Vec<(StreamId, Option<Place>)> = batch.rows().places.into_iter().collect();
    bencher
        .with_inputs(|| places.clone())
        .bench_values(|places| {
            let mut map = BTreeMap::new();
            for (id, place) in places {
                map.insert(id, place);
            }
            map
        });
}
