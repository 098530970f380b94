//! A million rows are imported into SQLite by the real program, next to bare transactions that write
//! the same streams. The difference is what reading, checking, sending and deciding cost.
//!
//! `cargo bench --bench import`

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be prepared has nothing to measure"
)]

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use resilient_orchestrator::domain::commands::{SaveStreams, StreamSpec};
use resilient_orchestrator::domain::fleet::Fleet;
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::ledger::Ledger;
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{self, Guard, Save, Store};
use tempfile::TempDir;

const ROWS: i64 = 1_000_000;
const BATCH: i64 = 10_000;

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn a_million_rows(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(Desk::new)
        .bench_local_values(|desk| desk.imported("created"));
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn the_same_million_rows_again(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| Desk::new().imported("created"))
        .bench_local_values(|desk| desk.imported("unchanged"));
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn yardstick_bare_transactions(bencher: Bencher<'_, '_>) {
    let runner = actix::System::new();
    bencher
        .with_inputs(|| runner.block_on(prepared_transactions()))
        .bench_local_values(|(folder, store, mut guard, saves)| {
            runner.block_on(async {
                for save in saves {
                    store.save(guard, save).await.expect("it is saved");
                    guard = guard.after_save();
                }
            });
            (folder, store)
        });
}

/// A running orchestrator on a database of its own, and a file.
struct Desk {
    folder: TempDir,
    orchestrator: Child,
    address: String,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut text = "id,name,url,priority,label.zone\n".to_owned();
        for id in 1..=ROWS {
            let _ = writeln!(text, "{id},stream-{id},{},{},north", url(id), id % 10);
        }
        fs::write(folder.path().join("streams.csv"), text).expect("a file");
        let mut orchestrator = program(&folder)
            .env("BIND_ADDRESS", "127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = orchestrator.stderr.take().expect("its log");
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        let ready = lines.find(|line| line.contains("ready on http://"));
        let ready = ready.expect("it is ready");
        let address = ready.split("ready on ").nth(1).and_then(|rest| {
            let end = rest.find([' ', ';', '"']).unwrap_or(rest.len());
            rest.get(..end)
        });
        let address = address.expect("an address").to_owned();
        // A full pipe would hold the program up.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            folder,
            orchestrator,
            address,
        }
    }

    /// Imports the file; every row is to be counted under this word.
    fn imported(self, word: &str) -> Self {
        let output = program(&self.folder)
            .args(["streams", "import", "streams.csv"])
            .env("ORCHESTRATOR_URL", &self.address)
            .output()
            .expect("the import runs");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && printed.contains(&format!("1,000,000 {word}")),
            "{printed} {}",
            String::from_utf8_lossy(&output.stderr)
        );
        self
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.orchestrator.kill();
        let _ = self.orchestrator.wait();
    }
}

fn program(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    command.env_clear().current_dir(folder.path());
    command
}

fn url(id: i64) -> String {
    format!("rtsp://user:password@10.0.0.8/camera/{id}")
}

async fn prepared_transactions() -> (TempDir, Arc<dyn Store>, Guard, Vec<Arc<Save>>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = format!("sqlite://{}", folder.path().join("bench.db").display());
    let store = store::open(&path, Duration::from_secs(30), 1)
        .await
        .expect("a store");
    let guard = store.begin_term().await.expect("a term");
    let mut ledger = Ledger::new(Fleet::default());
    let first_ids = (1..=ROWS).step_by(usize::try_from(BATCH).expect("a step"));
    let saves = first_ids.map(|first| {
        let streams = (first..first + BATCH).map(|id| StreamSpec {
            id: Some(StreamId::new(id)),
            name: Some(format!("stream-{id}").into()),
            url: Some(Some(url(id).into())),
            labels: Some([("zone".to_owned(), "north".to_owned())].into()),
            priority: i32::try_from(id % 10).ok(),
            ..StreamSpec::default()
        });
        let command = SaveStreams {
            streams: streams.collect(),
        };
        ledger
            .decide(&command, WallTime::default())
            .expect("streams");
        let batch = ledger.take_batch();
        let save = Save::from(&batch);
        ledger.commit(batch);
        Arc::new(save)
    });
    let saves = saves.collect();
    (folder, store, guard, saves)
}
