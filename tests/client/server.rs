//! Workers and the real orchestrator, each a process of its own or the library in this one.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use crate::support::process::{Orchestrator, start};
use crate::support::worker::{Kind, WorkerProcess, has_python};
use orchestrator_client::testing::FakeOrchestrator;
use orchestrator_client::{Failure, Notice, Permit, Runner, StopReason, StreamAssignment, Worker};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Long enough for a busy machine, short enough to wait for.
const TIMEOUT: (&str, &str) = ("HEARTBEAT_TIMEOUT", "4");

/// The examples there is a way to run.
#[expect(clippy::print_stderr, reason = "who runs the tests is to know")]
fn kinds() -> Vec<Kind> {
    if has_python() {
        return vec![Kind::Rust, Kind::Python];
    }
    eprintln!("SKIPPED for examples/worker.py: there is no python3 on this machine");
    vec![Kind::Rust]
}

fn lines(what: &str, ids: impl IntoIterator<Item = i64>) -> Vec<String> {
    ids.into_iter().map(|id| format!("{what} {id}")).collect()
}

fn add_streams(orchestrator: &Orchestrator, ids: impl IntoIterator<Item = i64>) {
    let streams: Vec<Value> = ids
        .into_iter()
        .map(|id| json!({"id": id, "name": format!("s{id}")}))
        .collect();
    let (status, answer) = orchestrator.post("/streams", &json!({ "streams": streams }));
    assert_eq!(status, 200, "{answer}");
}

fn held_by(orchestrator: &Orchestrator, name: &str) -> Value {
    let (_, answer) = orchestrator.get(&format!("/instances/{name}"));
    answer["data"]["assigned_streams"].clone()
}

#[test]
fn the_streams_of_a_killed_worker_go_to_the_other_and_leaving_gives_them_on() {
    for (first, second) in kinds().into_iter().zip(kinds().into_iter().rev()) {
        let folder = tempdir().unwrap();
        let orchestrator = start(folder.path(), &[TIMEOUT]);
        add_streams(&orchestrator, 1..=5);
        let mut one = WorkerProcess::start(first, orchestrator.address(), "one");
        one.expect(lines("start", 1..=5));
        let mut two = WorkerProcess::registered(second, orchestrator.address(), "two");
        one.signal(Signal::KILL);
        two.expect(lines("start", 1..=5));
        assert_eq!(held_by(&orchestrator, "two"), json!([1, 2, 3, 4, 5]));

        // It leaves as it should: what it ran is free at once, and goes to the third.
        let mut three = WorkerProcess::registered(first, orchestrator.address(), "three");
        add_streams(&orchestrator, 6..=6);
        three.expect(lines("start", 6..=6));
        let ended = two.leave();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(ended.rest, lines("stop", 1..=5));
        assert_eq!(orchestrator.get("/instances/two").0, 404);
        three.expect(lines("start", 1..=5));
    }
}

#[test]
fn streams_go_on_while_the_orchestrator_is_killed_and_started_again() {
    for kind in kinds() {
        let folder = tempdir().unwrap();
        // A lease of 24 s: the restart is over long before.
        let timeout = ("HEARTBEAT_TIMEOUT", "30");
        let interval = ("HEARTBEAT_INTERVAL", "250ms");
        let request = ("HEARTBEAT_REQUEST_TIMEOUT", "200ms");
        let settings = [timeout, interval, request];
        let orchestrator = start(folder.path(), &settings);
        add_streams(&orchestrator, 1..=3);
        let mut worker = WorkerProcess::start(kind, orchestrator.address(), "w");
        worker.expect(lines("start", 1..=3));
        let again = restart(orchestrator, folder.path(), &settings);
        // What is new arrives, so heartbeats do; what ran before has not been touched.
        add_streams(&again, 4..=4);
        worker.expect(lines("start", 4..=4));
        assert_eq!(worker.unexpected(), [""; 0]);
        assert_eq!(held_by(&again, "w"), json!([1, 2, 3, 4]));
    }
}

/// Kills it, and starts it again where it was.
fn restart(orchestrator: Orchestrator, folder: &Path, settings: &[(&str, &str)]) -> Orchestrator {
    let address = orchestrator
        .address()
        .trim_start_matches("http://")
        .to_owned();
    orchestrator.kill();
    let mut settings = settings.to_vec();
    settings.push(("BIND_ADDRESS", &address));
    start(folder, &settings)
}

#[test]
fn who_was_suspended_beyond_the_lease_stops_first() {
    for kind in kinds() {
        let fake = FakeOrchestrator::start().unwrap();
        fake.set_lease(Duration::from_secs(3));
        let mut worker = WorkerProcess::start(kind, &fake.url(), "w");
        fake.assign([1, 2]);
        worker.expect(lines("start", [1, 2]));
        fake.wait_until_running(&[1, 2]).unwrap();
        worker.signal(Signal::STOP);
        // A process that stands still cannot be asked how late it is: the lease is waited for.
        let (_never, silence) = mpsc::channel::<()>();
        let _ = silence.recv_timeout(Duration::from_secs(4));
        fake.revoke([1]);
        fake.assign([3]);
        worker.signal(Signal::CONT);
        worker.expect(lines("stop", [1, 2]));
        worker.expect(lines("start", [2, 3]));
    }
}

#[test]
fn who_is_cut_off_stops_by_itself_and_goes_on_when_nothing_changed() {
    for kind in kinds() {
        let fake = FakeOrchestrator::start().unwrap();
        fake.set_lease(Duration::from_secs(3));
        let mut worker = WorkerProcess::start(kind, &fake.url(), "w");
        fake.assign([1]);
        fake.assign_overlap(2);
        worker.expect(lines("start", [1, 2]));
        fake.fall_silent();
        worker.expect(lines("stop", [1]));
        fake.refuse(503, Some(0));
        fake.answer();
        worker.expect(lines("start", [1]));
        assert_eq!(worker.unexpected(), [""; 0], "2 went on");
    }
}

#[test]
fn who_is_forgotten_registers_again_and_who_is_replaced_ends() {
    for kind in kinds() {
        let fake = FakeOrchestrator::start().unwrap();
        fake.set_lease(PATIENCE);
        let mut worker = WorkerProcess::start(kind, &fake.url(), "w");
        fake.assign([1]);
        worker.expect(lines("start", [1]));
        fake.forget();
        worker.expect(lines("stop", [1]));
        fake.wait_for(|call| call.path == "/register").unwrap();
        fake.assign([2]);
        worker.expect(lines("start", [2]));
        fake.let_another_register();
        worker.expect(lines("stop", [2]));
        let ended = worker.wait();
        assert!(!ended.status.success(), "{ended:?}");
        assert!(ended.error.contains("409"), "{ended:?}");
        assert!(!fake.calls().iter().any(|call| call.method == "DELETE"));
    }
}

/// Tells the test which streams start and stop, with their epochs.
struct Teller(Sender<String>);

impl Runner for Teller {
    fn start(&mut self, stream: &StreamAssignment, _permit: Permit) -> Result<(), Failure> {
        assert!(stream.epoch > 0);
        assert_eq!(stream.name, format!("s{}", stream.id));
        let _ = self.0.send(format!("start {}", stream.id));
        Ok(())
    }

    fn stop(&mut self, stream: &StreamAssignment, reason: StopReason) {
        let _ = self.0.send(format!("stop {} {reason:?}", stream.id));
    }

    fn notice(&mut self, notice: &Notice) {
        if matches!(notice, Notice::Registered { .. }) {
            let _ = self.0.send("registered".to_owned());
        }
    }
}

fn live(orchestrator: &Orchestrator, name: &str, room: u32) -> (Worker, Receiver<String>) {
    let (tell, story) = mpsc::channel();
    let worker = Worker::builder(orchestrator.address(), name)
        .max_streams(room)
        .start(Teller(tell));
    (worker.unwrap(), story)
}

fn expect(story: &Receiver<String>, wanted: &[&str]) {
    for wanted in wanted {
        assert_eq!(story.recv_timeout(PATIENCE).unwrap(), *wanted);
    }
}

#[test]
fn the_library_and_the_orchestrator_understand_each_other() {
    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[TIMEOUT]);
    add_streams(&orchestrator, 1..=3);
    let (one, first) = live(&orchestrator, "one", 3);
    expect(&first, &["registered", "start 1", "start 2", "start 3"]);

    // Changed in the catalogue: stopped and started, each told with the next heartbeat.
    let (status, _) = orchestrator.post(
        "/streams",
        &json!({"streams": [{"id": 2, "enabled": false}]}),
    );
    assert_eq!(status, 200);
    expect(&first, &["stop 2 Revoked"]);

    // Given back: somebody else gets it, and it does not come back to who did.
    let (two, second) = live(&orchestrator, "two", 9);
    expect(&second, &["registered"]);
    one.handle().give_back(3);
    expect(&first, &["stop 3 GivenBack"]);
    expect(&second, &["start 3"]);

    // Leaves: the other one gets the rest.
    one.leave().unwrap();
    expect(&first, &["stop 1 Leaving"]);
    expect(&second, &["start 1"]);
    assert_eq!(orchestrator.get("/instances/one").0, 404);

    // A second process under the name of the other one.
    let (three, third) = live(&orchestrator, "two", 9);
    expect(&third, &["registered", "start 1", "start 3"]);
    let error = two.wait().unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    expect(&second, &["stop 1 OtherProcess", "stop 3 OtherProcess"]);
    drop(three);
    expect(&third, &["stop 1 Leaving", "stop 3 Leaving"]);
    let (_, consistency) = orchestrator.get("/resilience/consistency");
    assert_eq!(consistency["consistent"], true, "{consistency}");
}
