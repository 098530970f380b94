//! One heartbeat on the liveness machine, next to the least a heartbeat could cost: one look-up
//! and one store into a map of the same size.
//!
//! `cargo bench --bench liveness`

use std::collections::BTreeMap;
use std::time::Duration;

use divan::{Bencher, black_box};
use resilient_orchestrator::domain::ids::Incarnation;
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::liveness::{LivenessMachine, Saved};
use resilient_orchestrator::domain::settings::LivenessThresholds;
use resilient_orchestrator::domain::time::Timestamp;

const INSTANCES: u64 = 10_000;

fn main() {
    divan::main();
}

/// What is saved about an instance that never flapped.
fn saved(status: InstanceStatus) -> Saved {
    Saved {
        incarnation: Incarnation::new(1),
        status,
        flaps: 0,
    }
}

/// Every one of 10,000 machines hears a heartbeat and says when it wants to be asked again.
#[divan::bench]
fn heartbeat_of_10_000_machines(bencher: Bencher<'_, '_>) {
    let thresholds = LivenessThresholds::from_timeout(Duration::from_secs(300));
    let mut machines: BTreeMap<u64, LivenessMachine> = (0..INSTANCES)
        .map(|id| {
            let machine =
                LivenessMachine::new(thresholds, saved(InstanceStatus::Active), Timestamp::ZERO);
            (id, machine)
        })
        .collect();
    let mut now = Timestamp::ZERO;
    bencher.counter(INSTANCES).bench_local(|| {
        now = now + Duration::from_secs(30);
        for machine in machines.values_mut() {
            black_box(machine.heartbeat(now));
            black_box(machine.next_deadline());
        }
    });
}

/// The yardstick: the same walk, only writing the time down.
#[divan::bench]
fn yardstick_10_000_stores(bencher: Bencher<'_, '_>) {
    let mut beats: BTreeMap<u64, Timestamp> =
        (0..INSTANCES).map(|id| (id, Timestamp::ZERO)).collect();
    let mut now = Timestamp::ZERO;
    bencher.counter(INSTANCES).bench_local(|| {
        now = now + Duration::from_secs(30);
        for beat in beats.values_mut() {
            *beat = black_box(now);
        }
    });
}
