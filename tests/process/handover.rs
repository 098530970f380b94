//! The orchestrator is killed in the middle of a hand-over between two worker processes, on each
//! database: the move goes on where it was, and no stream has two runners at any time.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::postgres::Database;
use crate::support::process::{Orchestrator, start};
use crate::support::proxy::Proxy;
use crate::support::worker::{Kind, WorkerProcess};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

/// A lease of 16 s: long enough for a restart, so that nothing here is decided by its end.
const TIMEOUT: (&str, &str) = ("HEARTBEAT_TIMEOUT", "20s");

const EXCLUSIVE: [i64; 2] = [1, 2];
const OVERLAP: i64 = 3;

/// How long after the order to move the process is killed, beside the one moment that is exact.
const MOMENTS: [u64; 3] = [0, 15, 60];

/// The boot times of the first and last result of a stream under an epoch.
type Spans = BTreeMap<(i64, i64), (i64, i64)>;

/// What the workers wrote.
#[derive(Debug, Clone, Default)]
struct Results(Arc<Mutex<Spans>>);

impl Results {
    fn hire(&self, url: &str, name: &str) -> WorkerProcess {
        let results = self.0.clone();
        WorkerProcess::start_with_results(Kind::Fenced, url, name, move |line| {
            let numbers: Vec<i64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            let [stream, epoch, millis] = numbers[..] else {
                panic!("`{line}` is no result");
            };
            let mut results = results.lock().unwrap();
            let seen = results.entry((stream, epoch)).or_insert((millis, millis));
            seen.1 = seen.1.max(millis);
        })
    }

    /// Of each exclusive stream the last result under an epoch was made before the first under the
    /// next one.
    fn check_one_runner(&self) {
        let results = self.0.lock().unwrap();
        for stream in EXCLUSIVE {
            let mut last = i64::MIN;
            let of_stream = results.range((stream, i64::MIN)..(stream + 1, i64::MIN));
            for (key, (first, end)) in of_stream {
                assert!(last < *first, "{key:?} began before its former owner ended");
                last = *end;
            }
        }
    }
}

/// Everything a run needs. The workers know the address of a proxy, which stays the same.
struct Ground {
    folder: tempfile::TempDir,
    url: String,
    proxy: Proxy,
    _database: Box<dyn Any>,
}

impl Ground {
    fn new((url, database): (String, Box<dyn Any>)) -> Self {
        Self {
            folder: tempdir().unwrap(),
            url,
            proxy: Proxy::in_front_of(0),
            _database: database,
        }
    }

    fn start(&self) -> Orchestrator {
        // Only the moves that are ordered here.
        let balance = ("REBALANCE", "off");
        let settings = [TIMEOUT, balance, ("DATABASE_URL", self.url.as_str())];
        let orchestrator = start(self.folder.path(), &settings);
        let port = orchestrator.address().rsplit(':').next().unwrap();
        self.proxy.redirect(port.parse().unwrap());
        orchestrator
    }

    /// Where the workers find the orchestrator.
    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy.port())
    }
}

fn lines(what: &str, ids: impl IntoIterator<Item = i64>) -> Vec<String> {
    ids.into_iter().map(|id| format!("{what} {id}")).collect()
}

fn stream(orchestrator: &Orchestrator, id: i64) -> Value {
    orchestrator.get(&format!("/streams/{id}")).1["data"].clone()
}

/// `one` runs all streams, `two` none.
fn prepare(
    ground: &Ground,
    orchestrator: &Orchestrator,
    results: &Results,
) -> (WorkerProcess, WorkerProcess) {
    let mut streams = vec![json!({"id": OVERLAP, "name": "o", "handoff": "overlap"})];
    streams.extend(EXCLUSIVE.map(|id| json!({"id": id, "name": format!("s{id}")})));
    let (status, answer) = orchestrator.post("/streams", &json!({ "streams": streams }));
    assert_eq!(status, 200, "{answer}");
    let mut one = results.hire(&ground.address(), "one");
    one.expect(lines("start", [1, 2, 3]));
    let mut two = results.hire(&ground.address(), "two");
    two.wait_for("registered");
    (one, two)
}

fn order(orchestrator: &Orchestrator) {
    let moves = [1, 2, 3].map(|id| json!({"stream_id": id, "to": "two"}));
    let (status, answer) = orchestrator.post("/streams/move", &json!({ "moves": moves }));
    assert_eq!(status, 200, "{answer}");
}

fn check_moved(orchestrator: &Orchestrator, results: &Results) {
    for id in [1, 2, 3] {
        let found = stream(orchestrator, id);
        assert_eq!(found["server_id"], "two", "{found}");
    }
    let (_, consistency) = orchestrator.get("/resilience/consistency");
    assert_eq!(consistency["consistent"], true, "{consistency}");
    results.check_one_runner();
}

/// The owner is suspended, so the hand-over stands still exactly in its middle.
fn goes_on_after_a_restart_in_its_middle(ground: &Ground) {
    let results = Results::default();
    let orchestrator = ground.start();
    let (mut one, mut two) = prepare(ground, &orchestrator, &results);
    one.signal(Signal::STOP);
    order(&orchestrator);
    orchestrator.kill();
    let orchestrator = ground.start();
    for id in EXCLUSIVE {
        let found = stream(&orchestrator, id);
        assert_eq!(found["server_id"], "one", "{found}");
        assert_eq!(found["handover"]["state"], "releasing", "{found}");
        assert_eq!(found["handover"]["to"], "two", "{found}");
    }
    // What may overlap does not wait for the one that sleeps.
    two.expect(lines("start", [OVERLAP]));
    one.signal(Signal::CONT);
    one.expect(lines("stop", [1, 2, 3]));
    two.expect(lines("start", EXCLUSIVE));
    check_moved(&orchestrator, &results);
}

/// Wherever the kill falls, all streams are moved in the end, once the order was answered.
fn goes_on_after_a_restart_at_any_moment(ground: &Ground, moment: Duration) {
    let results = Results::default();
    let orchestrator = ground.start();
    let (mut one, mut two) = prepare(ground, &orchestrator, &results);
    order(&orchestrator);
    // The moment of the kill is what is tried out: time itself is waited for.
    let (_never, nothing) = std::sync::mpsc::channel::<()>();
    let _ = nothing.recv_timeout(moment);
    orchestrator.kill();
    let orchestrator = ground.start();
    one.expect(lines("stop", [1, 2, 3]));
    two.expect(lines("start", [1, 2, 3]));
    check_moved(&orchestrator, &results);
}

fn survives_a_kill(database: impl Fn() -> (String, Box<dyn Any>)) {
    goes_on_after_a_restart_in_its_middle(&Ground::new(database()));
    for moment in MOMENTS.map(Duration::from_millis) {
        goes_on_after_a_restart_at_any_moment(&Ground::new(database()), moment);
    }
}

#[test]
fn a_hand_over_goes_on_after_a_kill_on_sqlite() {
    survives_a_kill(|| {
        let folder = tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("fleet.db").display());
        (url, Box::new(folder))
    });
}

#[test]
fn a_hand_over_goes_on_after_a_kill_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    survives_a_kill(|| {
        let database = runtime.block_on(Database::new());
        (database.url(), Box::new(database))
    });
}
