//! A thousand workers ask for a stream at the same moment, on SQLite, next to one bare transaction
//! that writes the same rows. The difference is what deciding, queueing and answering cost.
//!
//! `cargo bench --bench group_commit`

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be prepared has nothing to measure"
)]

#[path = "../tests/support/commands.rs"]
mod orders;

use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::commands::{
    AssignOutcome, AssignStreams, RegisterInstance, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::fleet::Fleet;
use resilient_orchestrator::domain::ids::InstanceId;
use resilient_orchestrator::domain::ledger::Ledger;
use resilient_orchestrator::domain::running_time::LONGEST_GRACE;
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{self, Guard, Save, Store};
use tempfile::TempDir;

use orders::registration;

const WORKERS: usize = 1_000;

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn a_thousand_assigns(bencher: Bencher<'_, '_>) {
    let runner = actix::System::new();
    bencher
        .with_inputs(|| runner.block_on(prepared_system()))
        .bench_local_values(|(folder, orchestrator)| {
            runner.block_on(async {
                let asks = (0..WORKERS).map(|number| orchestrator.execute(ask(number)));
                for answer in join_all(asks).await {
                    assert!(matches!(answer, Ok(AssignOutcome::Assigned(ids)) if ids.len() == 1));
                }
            });
            (folder, orchestrator)
        });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn yardstick_one_bare_transaction(bencher: Bencher<'_, '_>) {
    let runner = actix::System::new();
    bencher
        .with_inputs(|| runner.block_on(prepared_transaction()))
        .bench_local_values(|(folder, store, guard, save)| {
            runner
                .block_on(store.save(guard, save))
                .expect("it is saved");
            (folder, store)
        });
}

fn ask(number: usize) -> AssignStreams {
    AssignStreams {
        id: name(number),
        incarnation: None,
        requested: 1,
    }
}

fn name(number: usize) -> InstanceId {
    InstanceId::new(format!("worker-{number:04}"))
}

/// A thousand workers and as many streams that wait to be asked for.
fn preparations() -> (Vec<RegisterInstance>, SaveStreams) {
    let registrations = (0..WORKERS)
        .map(|number| registration(name(number), 20))
        .collect();
    let streams = (0..WORKERS)
        .map(|number| StreamSpec {
            name: Some(format!("stream-{number}").into()),
            ..StreamSpec::default()
        })
        .collect();
    (registrations, SaveStreams { streams })
}

async fn new_store() -> (TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("bench.db").display());
    let store = store::open(&url, Duration::from_secs(30), 1)
        .await
        .expect("a store");
    (folder, store)
}

async fn prepared_system() -> (TempDir, Orchestrator) {
    let (folder, store) = new_store().await;
    let loaded = Loaded::from_store(store).await.expect("an empty fleet");
    let telemetry = Telemetry::new(&mut Registry::default());
    let settings = SystemSettings::default();
    let (orchestrator, _) = start(
        loaded,
        &settings,
        Clock::real(LONGEST_GRACE),
        telemetry,
        &Placement::Here,
    );
    let (registrations, streams) = preparations();
    orchestrator.execute(streams).await.expect("streams");
    for outcome in join_all(registrations.into_iter().map(|r| orchestrator.execute(r))).await {
        outcome.expect("a registration");
    }
    (folder, orchestrator)
}

async fn prepared_transaction() -> (TempDir, Arc<dyn Store>, Guard, Arc<Save>) {
    let (folder, store) = new_store().await;
    let guard = store.begin_term().await.expect("a term");
    let mut ledger = Ledger::new(Fleet::default());
    let (registrations, streams) = preparations();
    ledger
        .decide(&streams, WallTime::default())
        .expect("streams");
    for registration in &registrations {
        ledger
            .decide(registration, WallTime::default())
            .expect("a registration");
    }
    store
        .save(guard, taken(&mut ledger))
        .await
        .expect("it is saved");
    for number in 0..WORKERS {
        ledger
            .decide(&ask(number), WallTime::default())
            .expect("a stream");
    }
    (folder, store, guard.after_save(), taken(&mut ledger))
}

fn taken(ledger: &mut Ledger) -> Arc<Save> {
    let batch = ledger.take_batch();
    let save = Save::from(&batch);
    ledger.commit(batch);
    Arc::new(save)
}
