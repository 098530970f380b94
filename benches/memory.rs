//! How much memory an instance and a stream take, by what holds them.
//!
//! Each line is a process of its own, which builds one thing more than the line before it; the
//! numbers are differences of resident memory, divided by how many there are. The sizes of the
//! types are what the compiler says.
//!
//! `cargo bench --bench memory [-- INSTANCES STREAMS]`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::mem::size_of;
use std::process::Command;

use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::registry::Entry;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::fleet::{Fleet, InstanceSlot, Snapshot, StreamSlot};
use resilient_orchestrator::domain::ids::Epoch;
use resilient_orchestrator::domain::instance::Instance;
use resilient_orchestrator::domain::ledger::Ledger;
use resilient_orchestrator::domain::stream::{Place, Stream};
use resilient_orchestrator::store;

use support::fleets::{Draft, assigned, instance, stream};

/// What a process builds, each after the one before it.
const STEPS: [&str; 4] = ["rows", "fleet", "ledger", "actors"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let step = STEPS
        .iter()
        .position(|step| arguments.iter().any(|word| word == step));
    let mut numbers = arguments.iter().filter_map(|word| word.parse::<i64>().ok());
    let instances = numbers.next().unwrap_or(100_000);
    let streams = numbers.next().unwrap_or(1_000_000);
    match step {
        Some(step) => println!("{}", built(step, instances, streams)),
        None => compare(instances, streams),
    }
}

fn compare(instances: i64, streams: i64) {
    println!(
        "sizes: Instance {}, its slot {}, its entry in the registry {}; Stream {}, its slot {} \
         (its place {})",
        size_of::<Instance>(),
        size_of::<InstanceSlot>(),
        size_of::<Entry>(),
        size_of::<Stream>(),
        size_of::<StreamSlot>(),
        size_of::<Place>(),
    );
    let measured = |step: &str, instances: i64, streams: i64| -> u64 {
        let program = std::env::current_exe().expect("this program");
        let numbers = [instances, streams].map(|number| number.to_string());
        let output = Command::new(program).arg(step).args(numbers).output();
        let text = String::from_utf8(output.expect("it runs").stdout).expect("a number");
        text.trim().parse().expect("a number")
    };
    let nothing = measured("rows", 0, 0);
    let (mut empty_before, mut filled_before) = (nothing, nothing);
    for step in STEPS {
        let empty = measured(step, instances, 0);
        let an_instance = bytes(empty.saturating_sub(empty_before), instances);
        empty_before = empty;
        if step == "actors" {
            println!("{step:<8} {an_instance:>6} bytes an instance");
            continue;
        }
        let filled = measured(step, instances, streams) - empty + nothing;
        let a_stream = bytes(filled.saturating_sub(filled_before), streams);
        filled_before = filled;
        println!("{step:<8} {an_instance:>6} bytes an instance {a_stream:>6} bytes a stream");
    }
}

fn bytes(kib: u64, count: i64) -> u64 {
    kib * 1_024 / count.unsigned_abs().max(1)
}

/// Builds everything up to a step; returns the resident memory, in KiB.
fn built(step: usize, instances: i64, streams: i64) -> u64 {
    let idle = resident(&());
    let rows = rows(instances, streams);
    if step == 0 {
        return resident(&rows);
    }
    if step == 3 {
        return idle + actors(rows);
    }
    let fleet = Fleet::from_rows(rows).expect("a fleet");
    if step == 1 {
        return resident(&fleet);
    }
    resident(&Ledger::new(fleet))
}

fn name(number: i64) -> String {
    format!("worker-{number:06}")
}

fn rows(instances: i64, streams: i64) -> Snapshot {
    let each = streams.checked_div(instances).unwrap_or(1).max(1);
    Snapshot {
        counter: Epoch::new(streams),
        instances: (0..instances)
            .map(|number| Instance {
                max_streams: 20,
                ..instance(&name(number))
            })
            .collect(),
        streams: (1..=streams)
            .map(|id| (stream(id), assigned(&name((id - 1) / each), id)))
            .collect(),
        ..Snapshot::default()
    }
}

/// The program's actors on a fleet in memory. The store in memory has rows of its own, which are
/// measured before and not counted.
fn actors(rows: Snapshot) -> u64 {
    let system = actix::System::new();
    system.block_on(async {
        let limit = std::time::Duration::from_secs(600);
        let store = store::open("memory:", limit, 1).await.expect("a store");
        let mut draft = Draft::default();
        let count = rows.instances.len();
        for instance in rows.instances {
            draft = draft.instance(instance);
        }
        let guard = store.begin_term().await.expect("a term");
        let save = draft.decided(1, 1);
        store.save(guard, save).await.expect("it is saved");
        let stored = resident(&store);
        let loaded = Loaded::from_store(store).await.expect("a fleet");
        let (orchestrator, fatalities) = start(
            loaded,
            &SystemSettings::default(),
            Clock::real(std::time::Duration::ZERO),
            Telemetry::new(&mut Registry::default()),
            &Placement::Here,
        );
        // As long as the Supervisor's walk takes.
        let walk = std::time::Duration::from_millis(500 + count as u64 / 20);
        tokio::time::sleep(walk).await;
        let running = resident(&orchestrator);
        drop(fatalities);
        running.saturating_sub(stored)
    })
}

/// Resident memory while `kept` is there, in KiB.
fn resident<T>(kept: &T) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("the state of this process");
    let value = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = value.and_then(|value| value.split_whitespace().next());
    let _ = kept;
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}
