//! What it costs to decide where 10,000 streams of a failed instance go among 100 others, beside
//! making the same changes to a fleet without deciding anything, and beside filling a map with
//! the same number of rows.

#![expect(
    clippy::expect_used,
    reason = "a bench whose setting fails has nothing to measure"
)]

#[path = "../tests/support/commands.rs"]
mod orders;

use std::collections::BTreeMap;
use std::time::Duration;

use divan::{Bencher, black_box};
use resilient_orchestrator::domain::commands::{
    AssignStreams, Command, OpenIncident, Opening, PlaceWaiting, RecoverInstance, SaveStreams,
    StreamSpec,
};
use resilient_orchestrator::domain::fleet::Standing;
use resilient_orchestrator::domain::fleet::{Filling, Fleet, Reading, Scores, Scoring};
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::lease::lease;
use resilient_orchestrator::domain::ledger::{Batch, Ledger};
use resilient_orchestrator::domain::liveness::FenceAnswer;
use resilient_orchestrator::domain::recovery::{Detected, Failure, Manner, Progress};
use resilient_orchestrator::domain::stream::Place;
use resilient_orchestrator::domain::time::{Timestamp, WallTime};

use orders::{registration, self_filling};

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
    run(&mut ledger, registration("doomed", 10_000));
    run(
        &mut ledger,
        AssignStreams {
            id: "doomed".into(),
            incarnation: None,
            requested: STREAMS,
        },
    );
    for number in 0..SURVIVORS {
        run(
            &mut ledger,
            registration(format!("worker-{number:03}").as_str(), 200),
        );
    }
    ledger.saved().clone()
}

/// The fleet with the incident open, and the command that is measured.
fn recovery(fleet: &Fleet, scoring: Scoring) -> (Ledger, RecoverInstance) {
    let id = InstanceId::from("doomed");
    let seen = Standing::of(fleet.instance(&id).expect("known"));
    let failure = Failure {
        incarnation: seen.incarnation,
        id,
        cause: FailureCause::HeartbeatTimeout,
        detected_at: NOW,
    };
    let confirmed = Detected::new(failure)
        .refresh(Some(&seen))
        .and_then(|refreshed| refreshed.reconfirm(Some(FenceAnswer::Fenced)))
        .expect("fenced");
    let (manner, progress) = (Manner::Ordinary, Progress::default());
    let opening = OpenIncident::new(confirmed, manner.clone(), progress.clone());
    let mut ledger = Ledger::new(fleet.clone());
    let Opening::Opened(opened) = ledger.decide(&opening, NOW).expect("accepted") else {
        unreachable!("it owns streams");
    };
    let batch = ledger.take_batch();
    ledger.commit(batch);
    let now = Timestamp::from_micros(0);
    let over = lease(&seen, Some(now), Duration::ZERO, now)
        .over()
        .expect("classic");
    let command = RecoverInstance::new(opened, over, manner, progress, scoring);
    (ledger, command)
}

fn decided(fleet: &Fleet) -> (Ledger, Batch) {
    let (mut ledger, command) = recovery(fleet, Scoring::default());
    let reply = ledger.decide(&command, NOW).expect("accepted");
    assert_eq!(reply.evacuation().moved.len(), STREAMS as usize);
    let batch = ledger.take_batch();
    (ledger, batch)
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn decide_recovery_of_10_000_streams_on_100_instances(bencher: Bencher<'_, '_>) {
    let (ledger, command) = recovery(&fleet(), Scoring::default());
    let fleet = ledger.saved().clone();
    bencher
        .with_inputs(|| Ledger::new(fleet.clone()))
        .bench_refs(|ledger| ledger.decide(black_box(&command), NOW));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn decide_the_same_when_every_second_machine_is_busy(bencher: Bencher<'_, '_>) {
    let readings = (0..SURVIVORS).step_by(2).map(|number| {
        let reading = Reading {
            cpu: Some(85.0),
            memory: None,
            queue: None,
            age: Duration::ZERO,
        };
        (InstanceId::new(format!("worker-{number:03}")), reading)
    });
    let scoring = Scoring::judge(Scores::of(readings, Duration::MAX), Duration::ZERO);
    let (ledger, command) = recovery(&fleet(), scoring);
    let fleet = ledger.saved().clone();
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

/// Streams that wait, and instances that take them once the delay is over.
fn waiting(streams: i64, instances: usize) -> Ledger {
    let mut ledger = Ledger::new(Fleet::default());
    ledger.set_filling(Filling::new(true));
    let specs = (1..=streams).map(|id| StreamSpec {
        id: Some(StreamId::new(id)),
        name: Some(format!("stream-{id}").into()),
        ..StreamSpec::default()
    });
    let streams_each = u32::try_from(streams).expect("few") / 100;
    run(
        &mut ledger,
        SaveStreams {
            streams: specs.collect(),
        },
    );
    for number in 0..instances {
        run(
            &mut ledger,
            self_filling(format!("worker-{number:05}").as_str(), streams_each),
        );
    }
    ledger.filling().end();
    ledger
}

fn place(bencher: Bencher<'_, '_>, streams: i64, instances: usize) {
    let fleet = waiting(streams, instances).saved().clone();
    bencher
        .with_inputs(|| Ledger::new(fleet.clone()))
        .bench_refs(|ledger| {
            // One command assigns a part of them, so that no other command waits for all.
            while ledger.draft().ready_unclaimed().next().is_some() {
                ledger
                    .decide(black_box(&PlaceWaiting), NOW)
                    .expect("accepted");
            }
        });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn place_100_000_waiting_streams_on_1_000_instances(bencher: Bencher<'_, '_>) {
    place(bencher, 100_000, 1_000);
}

/// The part of one command.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn place_the_first_of_1_000_000_waiting_streams_on_10_000_instances(bencher: Bencher<'_, '_>) {
    let fleet = waiting(1_000_000, 10_000).saved().clone();
    bencher
        .with_inputs(|| Ledger::new(fleet.clone()))
        .bench_refs(|ledger| ledger.decide(black_box(&PlaceWaiting), NOW));
}

#[divan::bench(sample_count = 2, sample_size = 1)]
fn place_1_000_000_waiting_streams_on_10_000_instances(bencher: Bencher<'_, '_>) {
    place(bencher, 1_000_000, 10_000);
}

/// The yardstick: as many rows in a map.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn fill_a_map_with_100_000_rows(bencher: Bencher<'_, '_>) {
    bencher.bench(|| {
        let rows = (1..=100_000_i64).map(|id| (StreamId::new(id), InstanceId::from("worker")));
        rows.collect::<BTreeMap<StreamId, InstanceId>>()
    });
}
