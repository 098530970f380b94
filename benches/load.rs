//! Loading a fleet from SQLite and PostgreSQL, next to reading the same rows and doing nothing with
//! them; and how much memory a load takes beside what stays.
//!
//! `cargo bench --bench load [-- STREAMS]`; ten streams an instance, 100,000 streams unless said
//! otherwise. PostgreSQL is started in a folder of its own, if it is installed (as for the tests).
//! Each measurement is a process of its own, so that memory the one left behind is not counted to
//! the other.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench that cannot be prepared has nothing to measure, and measures real time"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::ops::ControlFlow;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use futures_util::TryStreamExt;
use resilient_orchestrator::domain::instance::Instance;
use resilient_orchestrator::domain::ledger::Ledger;
use resilient_orchestrator::domain::stream::Stream;
use resilient_orchestrator::store::{self, LoadedFleet, Store};

use support::fleets::{Draft, assigned, instance, stream};
use support::postgres::Database;

const LIMIT: Duration = Duration::from_secs(600);

/// How many streams one transaction of the preparation writes.
const BATCH: i64 = 20_000;

const ROWS: &str = "SELECT s.id, s.name, s.url, s.labels, p.state, p.instance_id, p.epoch, p.reason \
    FROM streams s LEFT JOIN placements p ON p.stream_id = s.id ORDER BY s.id";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match words.as_slice() {
        ["read", url] => runtime.block_on(read(url)),
        ["load", url] => runtime.block_on(load(url)),
        words => {
            let number = words.iter().find_map(|word| word.parse().ok());
            let streams = number.unwrap_or(100_000);
            runtime.block_on(measure(streams));
        }
    }
}

async fn measure(streams: i64) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = format!("sqlite://{}", folder.path().join("bench.db").display());
    let database = Database::new().await;
    for url in [file, database.url()] {
        let kind = url.split(':').next().unwrap_or_default();
        println!("{kind}, {streams} streams on {} instances", streams / 10);
        fill(&url, streams).await;
        for what in ["read", "load", "read", "load"] {
            let program = std::env::current_exe().expect("this program");
            let ended = Command::new(program).args([what, &url]).status();
            assert!(ended.expect("it runs").success(), "{what}");
        }
    }
}

async fn fill(url: &str, streams: i64) {
    let store = store::open(url, LIMIT, 1).await.expect("a store");
    let mut guard = store.begin_term().await.expect("a term");
    let mut draft = Draft::default();
    for number in 0..streams / 10 {
        draft = draft.instance(Instance {
            max_streams: 10,
            ..instance(&name(number))
        });
    }
    for first in (1..=streams).step_by(usize::try_from(BATCH).expect("a batch")) {
        for id in first..(first + BATCH).min(streams + 1) {
            let url = format!("rtsp://camera-{id}.example.org:554/live?profile=main");
            let row = Stream {
                url: Some(url.as_str().into()),
                ..stream(id)
            };
            draft = draft.stream(row, assigned(&name((id - 1) / 10), id));
        }
        let save = std::mem::take(&mut draft).decided(1, streams);
        store.save(guard, save).await.expect("it is saved");
        guard = guard.after_save();
    }
    store.close().await.expect("an end");
}

fn name(number: i64) -> String {
    format!("worker-{number:06}")
}

#[derive(QueryableByName)]
#[expect(dead_code, reason = "rows are read and nothing is done with them")]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    url: Option<String>,
    #[diesel(sql_type = Text)]
    labels: String,
    #[diesel(sql_type = Nullable<Text>)]
    state: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    instance_id: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    epoch: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
}

/// Reads every stream, and forgets it.
async fn read(url: &str) {
    let begin = Instant::now();
    let count = if let Some(path) = url.strip_prefix("sqlite://") {
        let mut connection = SqliteConnection::establish(path).expect("the file");
        let rows = diesel::sql_query(ROWS).load_iter::<Row, _>(&mut connection);
        let rows = rows.expect("rows").map(|row| row.expect("a row"));
        rows.count()
    } else {
        let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls)
            .await
            .expect("a connection");
        tokio::spawn(driver);
        let no_parameters: [&str; 0] = [];
        let rows = client.query_raw(ROWS, no_parameters).await.expect("rows");
        let count = rows.try_fold(0, async |count, _| Ok(count + 1));
        count.await.expect("rows")
    };
    println!("  read: {count} rows in {:.2?}", begin.elapsed());
}

/// Loads the fleet as a start does, both copies.
async fn load(url: &str) {
    let store: Arc<dyn Store> = store::open(url, LIMIT, 1).await.expect("a store");
    let begin = Instant::now();
    let loaded = store
        .load_fleet(LIMIT, Box::new(|_| ControlFlow::Continue(())))
        .await;
    let LoadedFleet { fleet, .. } = loaded.expect("a fleet");
    let built = begin.elapsed();
    let ledger = Ledger::new(fleet);
    let took = begin.elapsed();
    let (peak, stays) = (memory("VmHWM:"), memory("VmRSS:"));
    println!(
        "  load: {} streams in {built:.2?}, with the draft {took:.2?}; peak {} MB, stays {} MB ({:.2})",
        ledger.saved().streams().count(),
        peak / 1_024,
        stays / 1_024,
        peak as f64 / stays as f64
    );
}

/// Kilobytes of this process.
fn memory(line: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("the state of this process");
    let value = text.lines().find_map(|text| text.strip_prefix(line));
    let number = value.and_then(|value| value.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).expect(line)
}
