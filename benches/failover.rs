//! One instance with ten thousand streams fails, a hundred others take them over: from the
//! failure's message to saved, on SQLite and PostgreSQL, next to one bare transaction that writes
//! the same rows through the same store.
//!
//! `cargo bench --bench failover`; PostgreSQL is started in a folder of its own, if it is
//! installed (as for the tests).

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be prepared has nothing to measure"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::commands::{
    AssignStreams, RegisterInstance, Removal, RemoveInstance, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::fleet::Fleet;
use resilient_orchestrator::domain::ids::InstanceId;
use resilient_orchestrator::domain::ledger::Ledger;
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{self, Guard, Save, Store};
use tempfile::TempDir;

use support::commands::registration;
use support::postgres::Database;

const STREAMS: u32 = 10_000;
const OTHERS: u32 = 100;

fn main() {
    divan::main();
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sqlite,
    Postgres,
}

const KINDS: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];

#[divan::bench(args = KINDS, sample_count = 10, sample_size = 1)]
fn failover_of_ten_thousand_streams(bencher: Bencher<'_, '_>, kind: Kind) {
    let runner = actix::System::new();
    bencher
        .with_inputs(|| runner.block_on(prepared_system(kind)))
        .bench_local_values(|(database, orchestrator)| {
            let recovered = runner
                .block_on(orchestrator.report_failure(doomed()))
                .expect("it is recovered");
            assert_eq!(recovered.evacuation.moved.len(), STREAMS as usize);
            (database, orchestrator)
        });
}

#[divan::bench(args = KINDS, sample_count = 10, sample_size = 1)]
fn yardstick_one_bare_transaction(bencher: Bencher<'_, '_>, kind: Kind) {
    let runner = actix::System::new();
    bencher
        .with_inputs(|| runner.block_on(prepared_transaction(kind)))
        .bench_local_values(|(database, store, guard, save)| {
            runner
                .block_on(store.save(guard, save))
                .expect("it is saved");
            (database, store)
        });
}

fn doomed() -> InstanceId {
    InstanceId::from("doomed")
}

/// Where a store is kept; gone when it is dropped.
enum Place {
    Folder(#[expect(dead_code, reason = "kept until it is dropped")] TempDir),
    Database(#[expect(dead_code, reason = "kept until it is dropped")] Database),
}

async fn new_store(kind: Kind) -> (Place, Arc<dyn Store>) {
    let (place, url) = match kind {
        Kind::Sqlite => {
            let folder = tempfile::tempdir().expect("a folder");
            let url = format!("sqlite://{}", folder.path().join("bench.db").display());
            (Place::Folder(folder), url)
        }
        Kind::Postgres => {
            let database = Database::new().await;
            let url = database.url();
            (Place::Database(database), url)
        }
    };
    let store = store::open(&url, Duration::from_secs(30), 2)
        .await
        .expect("a store");
    (place, store)
}

fn streams() -> SaveStreams {
    let streams = (0..STREAMS)
        .map(|number| StreamSpec {
            name: Some(format!("stream-{number}").into()),
            ..StreamSpec::default()
        })
        .collect();
    SaveStreams { streams }
}

fn ask() -> AssignStreams {
    AssignStreams {
        id: doomed(),
        incarnation: None,
        requested: i64::from(STREAMS),
    }
}

fn others() -> impl Iterator<Item = RegisterInstance> {
    (0..OTHERS).map(|number| {
        let id = InstanceId::new(format!("worker-{number:03}"));
        registration(id, 2 * STREAMS / OTHERS)
    })
}

async fn prepared_system(kind: Kind) -> (Place, Orchestrator) {
    let (place, store) = new_store(kind).await;
    let loaded = Loaded::from_store(store).await.expect("an empty fleet");
    let telemetry = Telemetry::new(&mut Registry::default());
    let (orchestrator, _) = start(
        loaded,
        &SystemSettings::default(),
        Clock::real(Duration::ZERO),
        telemetry,
        &Placement::Here,
    );
    orchestrator.execute(streams()).await.expect("streams");
    let doomed = registration(doomed(), STREAMS);
    orchestrator.execute(doomed).await.expect("a registration");
    orchestrator.execute(ask()).await.expect("an assignment");
    for other in others() {
        orchestrator.execute(other).await.expect("a registration");
    }
    (place, orchestrator)
}

/// The same fleet; its one instance is removed instead of failed, which writes as many rows.
async fn prepared_transaction(kind: Kind) -> (Place, Arc<dyn Store>, Guard, Arc<Save>) {
    let (place, store) = new_store(kind).await;
    let guard = store.begin_term().await.expect("a term");
    let mut ledger = Ledger::new(Fleet::default());
    let now = WallTime::default();
    ledger.decide(&streams(), now).expect("streams");
    let first = registration(doomed(), STREAMS);
    ledger.decide(&first, now).expect("a registration");
    ledger.decide(&ask(), now).expect("an assignment");
    for other in others() {
        ledger.decide(&other, now).expect("a registration");
    }
    store
        .save(guard, taken(&mut ledger))
        .await
        .expect("it is saved");
    let removal = RemoveInstance::new(doomed());
    let removed = ledger.decide(&removal, now).expect("a removal");
    let Removal::Done(evacuation) = removed else {
        panic!("a classic one leaves at once");
    };
    assert_eq!(evacuation.moved.len(), STREAMS as usize);
    (place, store, guard.after_save(), taken(&mut ledger))
}

fn taken(ledger: &mut Ledger) -> Arc<Save> {
    let batch = ledger.take_batch();
    let save = Save::from(&batch);
    ledger.commit(batch);
    Arc::new(save)
}
