//! The real program is stopped for longer than every threshold, under heartbeats, and goes on:
//! the silence was its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot be prepared fails the test"
)]

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::postgres::Database;
use crate::support::process::{self, Orchestrator, start};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Twice the timeout, the emergency threshold, and then some.
const STOPPED_FOR: Duration = Duration::from_secs(8);

#[expect(
    clippy::disallowed_methods,
    reason = "how long a real process stood still is real time"
)]
fn real_now() -> Instant {
    Instant::now()
}

fn beat(id: &str) -> Value {
    json!({"server_id": id, "current_streams": 2})
}

/// Registers an instance that owns as many streams as it takes.
fn employ(orchestrator: &Orchestrator, id: &str, max_streams: u32) {
    let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000,
        "max_streams": max_streams});
    assert_eq!(orchestrator.post("/register", &body).0, 200);
}

fn fill(orchestrator: &Orchestrator, id: &str) {
    let (_, answer) = orchestrator.post("/streams/assign", &json!({"server_id": id}));
    assert_eq!(answer["count"], 2, "{answer}");
}

/// What an instance is held to be, what it owns, and how often that changed.
fn seen(orchestrator: &Orchestrator, id: &str) -> [Value; 3] {
    let (status, answer) = orchestrator.get(&format!("/instances/{id}"));
    assert_eq!(status, 200);
    ["status", "assigned_streams", "assignment_version"].map(|field| answer["data"][field].clone())
}

fn metric(orchestrator: &Orchestrator, name: &str) -> f64 {
    let (agent, address) = orchestrator.client();
    let mut answer = agent.get(format!("{address}/metrics")).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {name}"))
        .parse()
        .unwrap()
}

/// A worker that beats whatever the answer, as a classic one does: each try is given up soon, so
/// that one after the other waits in the socket of an orchestrator that does not answer.
struct Worker {
    stop: Sender<()>,
    tries: Receiver<bool>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn hire(orchestrator: &Orchestrator, id: &str) -> Self {
        let (_, address) = orchestrator.client();
        let impatient: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(300)))
            .http_status_as_error(false)
            .build()
            .into();
        let (stop, stopped) = mpsc::channel();
        let (tried, tries) = mpsc::channel();
        let beat = beat(id);
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_millis(200)).is_err() {
                let answer = process::post(&impatient, &address, "/heartbeat", &beat);
                let was_answered = answer.is_some_and(|(status, _)| status == 200);
                if tried.send(was_answered).is_err() {
                    break;
                }
            }
        });
        Self {
            stop,
            tries,
            thread,
        }
    }

    /// Goes on beating for so long; returns whether each try was answered.
    fn beat_for(&self, duration: Duration) -> Vec<bool> {
        let began = real_now();
        let mut tries = Vec::new();
        while began.elapsed() < duration {
            tries.push(self.tries.recv().expect("it beats on"));
        }
        tries
    }

    fn dismiss(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

#[test]
fn on_sqlite_the_silence_of_a_stopped_orchestrator_is_its_own() {
    the_silence_of_a_stopped_orchestrator_is_its_own("sqlite://fleet.db");
}

#[test]
fn on_postgres_the_silence_of_a_stopped_orchestrator_is_its_own() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(Database::new());
    the_silence_of_a_stopped_orchestrator_is_its_own(&database.url());
}

fn the_silence_of_a_stopped_orchestrator_is_its_own(url: &str) {
    let folder = tempdir().unwrap();
    let settings = [
        ("DATABASE_URL", url),
        ("HEARTBEAT_TIMEOUT", "3"),
        ("HEARTBEAT_WARNING_THRESHOLD", "2"),
        ("HEARTBEAT_CHECK_INTERVAL", "1"),
    ];
    let mut orchestrator = start(folder.path(), &settings);
    let streams: Vec<Value> = (1..=6)
        .map(|id| json!({"id": id, "name": format!("{id}")}))
        .collect();
    orchestrator.post("/streams", &json!({ "streams": streams }));
    for id in ["lives", "lives-too", "dies"] {
        employ(&orchestrator, id, 2);
        fill(&orchestrator, id);
    }
    employ(&orchestrator, "heir", 5);
    let staff = ["lives", "lives-too", "heir"];
    let before = staff.map(|id| seen(&orchestrator, id));
    let workers = staff.map(|id| Worker::hire(&orchestrator, id));
    assert!(workers[0].tries.recv().unwrap(), "it is answered");
    assert_eq!(metric(&orchestrator, "orchestrator_stalls_total"), 0.0);

    assert_eq!(orchestrator.post("/heartbeat", &beat("dies")).0, 200);
    orchestrator.signal(Signal::STOP);
    let tries = workers[0].beat_for(STOPPED_FOR);
    let unanswered = tries.iter().filter(|was_answered| !**was_answered).count();
    assert!(unanswered > 10, "{unanswered} beats waited in the socket");
    orchestrator.signal(Signal::CONT);
    let continued = real_now();

    let line = orchestrator.wait_for_line("stood still");
    assert!(line.contains("the orchestrator itself"), "{line}");
    assert!(metric(&orchestrator, "orchestrator_stalls_total") >= 1.0);
    let stalled = metric(&orchestrator, "orchestrator_stalled_seconds_total");
    assert!(stalled >= 7.0, "{stalled} s");
    assert_eq!(staff.map(|id| seen(&orchestrator, id)), before);
    assert_eq!(seen(&orchestrator, "dies")[1], json!([5, 6]));

    orchestrator.wait_for_line("moved 2 streams off dies");
    let waited = continued.elapsed();
    let most = TIMEOUT - Duration::from_secs(1);
    assert!(waited > most, "it had the rest of its timeout: {waited:?}");
    for worker in workers {
        worker.dismiss();
    }
    assert_eq!(seen(&orchestrator, "heir")[1], json!([5, 6]));
    for id in ["lives", "lives-too"] {
        let [status, streams, _] = seen(&orchestrator, id);
        assert_eq!(status, "active");
        assert_eq!(streams, before[usize::from(id != "lives")][1]);
    }
    let (_, consistency) = orchestrator.get("/resilience/consistency");
    assert_eq!(consistency["consistent"], true, "{consistency}");
    let ended = orchestrator.kill();
    let blamed = |line: &&str| {
        line.contains("late with its heartbeat")
            || line.contains("has failed")
            || line.contains("mass failure")
    };
    for line in ended.log.lines().filter(blamed) {
        assert!(line.contains("dies"), "a false alarm: {line}");
    }
}
