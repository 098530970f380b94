//! `kill -9` at any moment loses nothing that was answered, and nobody fails for the silence that
//! was the orchestrator's own.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use crate::support::postgres::Database;
use crate::support::process::expect_errors;
use crate::support::process::{self, Orchestrator, start};
use serde_json::{Value, json};
use tempfile::tempdir;

const TIMEOUT: Duration = Duration::from_millis(1_500);
const WORKERS: usize = 4;
const STREAMS: i64 = 2_000;

/// What one worker knows when the connection breaks: what it was answered, and what it had asked
/// for when no answer came.
#[derive(Debug)]
struct Memory {
    id: String,
    held: BTreeSet<i64>,
    in_doubt: BTreeSet<i64>,
    asked: bool,
}

/// Asks for streams and releases some, as fast as it is answered, until it is not.
fn busy_worker(orchestrator: &Orchestrator, id: String, answers: Sender<()>) -> JoinHandle<Memory> {
    let (agent, address) = orchestrator.client();
    thread::spawn(move || {
        let mut memory = Memory {
            id,
            held: BTreeSet::new(),
            in_doubt: BTreeSet::new(),
            asked: false,
        };
        let ids = |value: &Value| -> Vec<i64> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_i64)
                .collect()
        };
        for round in 0.. {
            let ask = json!({"server_id": memory.id, "requested_count": 3});
            memory.asked = true;
            let Some((200, answer)) = process::post(&agent, &address, "/streams/assign", &ask)
            else {
                break;
            };
            memory.asked = false;
            memory.held.extend(ids(&answer["assigned_streams"]));
            let _ = answers.send(());
            if round % 2 == 0 {
                memory.in_doubt = memory.held.iter().copied().take(2).collect();
                let release = json!({"server_id": memory.id, "stream_ids": memory.in_doubt});
                let Some((200, answer)) =
                    process::post(&agent, &address, "/streams/release", &release)
                else {
                    break;
                };
                for released in ids(&answer["released_streams"]) {
                    memory.held.remove(&released);
                }
                memory.in_doubt.clear();
                let _ = answers.send(());
            }
        }
        memory
    })
}

/// An empty PostgreSQL database.
fn database() -> Database {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(Database::new())
}

/// The moment a line of the log was written.
fn written_at(line: &str) -> SystemTime {
    let stamp = line.split(' ').next().unwrap();
    humantime::parse_rfc3339(stamp).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn survives_kill_9_under_load(url: &str) {
    let folder = tempdir().unwrap();
    let settings = [("DATABASE_URL", url), ("HEARTBEAT_TIMEOUT", "1500ms")];
    let orchestrator = start(folder.path(), &settings);
    let streams: Vec<Value> = (1..=STREAMS)
        .map(|id| json!({"id": id, "name": format!("s{id}")}))
        .collect();
    assert_eq!(
        orchestrator
            .post("/streams", &json!({ "streams": streams }))
            .0,
        200
    );
    let (answers, answered) = mpsc::channel();
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let id = format!("worker-{number}");
        let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": 400});
        assert_eq!(orchestrator.post("/register", &body).0, 200);
        workers.push(busy_worker(&orchestrator, id, answers.clone()));
    }
    for _ in 0..150 {
        answered.recv().unwrap();
    }
    orchestrator.kill();
    let memories: Vec<Memory> = workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .collect();

    // The silence has to be real: what is waited for here is time itself, more than a timeout.
    let (_nobody, silence) = mpsc::channel::<()>();
    let _ = silence.recv_timeout(TIMEOUT + TIMEOUT / 2);

    let mut again = start(folder.path(), &settings);
    for memory in &memories {
        let (status, instance) = again.get(&format!("/instances/{}", memory.id));
        assert_eq!(
            (status, &instance["data"]["status"]),
            (200, &json!("active"))
        );
        let stored: BTreeSet<i64> = instance["data"]["assigned_streams"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_i64)
            .collect();
        let lost: Vec<_> = memory
            .held
            .difference(&stored)
            .filter(|id| !memory.in_doubt.contains(id))
            .collect();
        assert!(
            lost.is_empty(),
            "{}: answered with 200 and gone: {lost:?}",
            memory.id
        );
        let extra = stored.difference(&memory.held).count();
        let most = if memory.asked { 3 } else { 0 };
        assert!(
            extra <= most,
            "{}: {extra} streams nobody was told of",
            memory.id
        );
    }
    let (_, answer) = again.get("/streams/assignments");
    let owned: Vec<i64> = answer["assignments"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["stream_id"].as_i64())
        .collect();
    assert_eq!(
        owned.len(),
        owned.iter().collect::<BTreeSet<_>>().len(),
        "doubled"
    );
    let (_, status) = again.get("/status");
    assert_eq!(status["streams"]["total"], STREAMS, "no stream is lost");

    let failed = again.wait_for_line("has failed");
    let loaded = again.line_seen("loaded ");
    let grace = written_at(&failed)
        .duration_since(written_at(&loaded))
        .unwrap();
    assert!(
        grace >= TIMEOUT,
        "failed {grace:?} after the start:\n{loaded}\n{failed}"
    );
}

#[test]
fn sqlite_survives_kill_9_under_load() {
    expect_errors(&["alert mass_failure"]);
    let folder = tempdir().unwrap();
    let file = folder.path().join("fleet.db");
    survives_kill_9_under_load(&format!("sqlite://{}", file.display()));
}

#[test]
fn postgres_survives_kill_9_under_load() {
    expect_errors(&["alert mass_failure"]);
    let database = database();
    survives_kill_9_under_load(&database.url());
}

/// A worker that restarts with an empty memory gets its streams back by asking; one that only
/// registers again gets no duplicates.
fn a_restarted_worker_gets_its_streams_back(url: &str) {
    let folder = tempdir().unwrap();
    let settings = [("DATABASE_URL", url)];
    let orchestrator = start(folder.path(), &settings);
    let streams: Vec<Value> = (1..=5)
        .map(|id| json!({"id": id, "name": format!("s{id}")}))
        .collect();
    orchestrator.post("/streams", &json!({ "streams": streams }));
    let register = json!({"server_id": "a", "ip": "127.0.0.1", "port": 9000, "max_streams": 20});
    orchestrator.post("/register", &register);
    let ask = json!({"server_id": "a", "requested_count": 20});
    let (_, first) = orchestrator.post("/streams/assign", &ask);
    assert_eq!(first["assigned_streams"], json!([1, 2, 3, 4, 5]));
    orchestrator.kill();

    let again = start(folder.path(), &settings);
    let (_, answer) = again.post("/register", &register);
    assert_eq!(answer["reregistration"], true);
    let still_running = json!({"server_id": "a", "requested_count": 15});
    let (_, nothing) = again.post("/streams/assign", &still_running);
    assert_eq!(
        nothing["status"], "no_streams",
        "it lost nothing: {nothing}"
    );
    let (_, back) = again.post("/streams/assign", &ask);
    assert_eq!(
        back["assigned_streams"],
        json!([1, 2, 3, 4, 5]),
        "it lost everything: {back}"
    );
}

#[test]
fn on_sqlite_a_restarted_worker_gets_its_streams_back() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("fleet.db");
    a_restarted_worker_gets_its_streams_back(&format!("sqlite://{}", file.display()));
}

#[test]
fn on_postgres_a_restarted_worker_gets_its_streams_back() {
    let database = database();
    a_restarted_worker_gets_its_streams_back(&database.url());
}

/// A worker that had been silent before a restart is found sooner than a whole timeout after it.
fn silence_is_carried_over_a_restart(url: &str) {
    let folder = tempdir().unwrap();
    let settings = [
        ("DATABASE_URL", url),
        ("HEARTBEAT_TIMEOUT", "10s"),
        ("HEARTBEAT_FLUSH_INTERVAL", "100ms"),
    ];
    let orchestrator = start(folder.path(), &settings);
    let body = json!({"server_id": "dies", "ip": "127.0.0.1", "port": 9000});
    assert_eq!(orchestrator.post("/register", &body).0, 200);
    let beat = json!({"server_id": "dies", "current_streams": 0});
    assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
    // Late is what it is after four seconds; the log says so.
    let mut orchestrator = orchestrator;
    orchestrator.wait_for_line("is late with its heartbeat");
    orchestrator.kill();
    let mut again = start(folder.path(), &settings);
    let began = written_at(&again.line_seen("ready on "));
    let failed = written_at(&again.wait_for_line("has failed"));
    let after = failed.duration_since(began).unwrap();
    assert!(
        after >= Duration::from_millis(3_900),
        "it is listened for: {after:?}"
    );
    assert!(
        after < Duration::from_millis(8_500),
        "not a whole timeout: {after:?}"
    );
}

#[test]
fn on_sqlite_silence_is_carried_over_a_restart() {
    expect_errors(&["alert system_health"]);
    silence_is_carried_over_a_restart("sqlite://fleet.db");
}

#[test]
fn on_postgres_silence_is_carried_over_a_restart() {
    expect_errors(&["alert system_health"]);
    silence_is_carried_over_a_restart(&database().url());
}
