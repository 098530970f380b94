//! `kill -9` in the middle of a failover of two thousand streams: whatever was saved stands,
//! nothing is lost or doubled, and the next start brings it to its end.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::postgres::Database;
use crate::support::process::{self, Orchestrator, start};
use serde_json::{Value, json};
use tempfile::tempdir;

const STREAMS: u64 = 2_000;
const SURVIVORS: usize = 3;

/// When the process is killed, counted from the moment the failure is reported. A failover of
/// this size takes some tens of milliseconds; where each of these moments falls differs from
/// machine to machine, and every one of them must do.
const MOMENTS: [u64; 8] = [0, 3, 8, 15, 25, 40, 70, 150];

/// One worker with every stream, others with room for all of them together.
fn prepare(orchestrator: &Orchestrator) {
    let streams: Vec<Value> = (1..=STREAMS)
        .map(|id| json!({"id": id, "name": format!("s{id}")}))
        .collect();
    assert_eq!(
        orchestrator
            .post("/streams", &json!({ "streams": streams }))
            .0,
        200
    );
    register(orchestrator, "doomed", STREAMS);
    let ask = json!({"server_id": "doomed", "requested_count": STREAMS});
    let (_, answer) = orchestrator.post("/streams/assign", &ask);
    assert_eq!(answer["count"], STREAMS);
    for number in 0..SURVIVORS {
        register(orchestrator, &format!("survivor-{number}"), 1_000);
    }
}

fn register(orchestrator: &Orchestrator, id: &str, max_streams: u64) {
    let body =
        json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": max_streams});
    assert_eq!(orchestrator.post("/register", &body).0, 200);
}

/// How many streams each instance owns; each stream is counted once or the sum is wrong.
fn owners(orchestrator: &Orchestrator) -> BTreeMap<String, u64> {
    let (_, answer) = orchestrator.get("/streams/assignments");
    let mut seen = BTreeMap::new();
    let mut owners = BTreeMap::new();
    for row in answer["assignments"].as_array().unwrap() {
        let id = row["stream_id"].as_u64().unwrap();
        let owner = row["server_id"].as_str().unwrap().to_owned();
        let before = seen.insert(id, owner.clone());
        assert_eq!(before, None, "stream {id} is doubled");
        *owners.entry(owner).or_default() += 1;
    }
    owners
}

/// Reports the failure and kills the process a moment later; returns whether it was answered
/// with 200 before the end.
fn kill_in_the_middle(orchestrator: Orchestrator, moment: Duration) -> bool {
    let (agent, address) = orchestrator.client();
    let (begun, beginning) = mpsc::channel();
    let (answered, answer) = mpsc::channel();
    let reporter = thread::spawn(move || {
        begun.send(()).unwrap();
        let report = process::post(&agent, &address, "/instances/doomed/failure", &json!({}));
        let _ = answered.send(report.is_some_and(|(status, _)| status == 200));
    });
    beginning.recv().unwrap();
    // The moment of the kill is what is tried out: time itself is waited for, or the answer.
    let was_answered = answer.recv_timeout(moment).unwrap_or(false);
    orchestrator.kill();
    reporter.join().unwrap();
    was_answered || answer.try_recv().unwrap_or(false)
}

/// Nothing lost, nothing doubled, every invariant holds; all of it or nothing of it is done.
fn check(again: &Orchestrator, was_answered: bool, moment: Duration) {
    let owners = owners(again);
    assert_eq!(
        owners.values().sum::<u64>(),
        STREAMS,
        "{moment:?}: {owners:?}"
    );
    let left = owners.get("doomed").copied().unwrap_or(0);
    assert!(
        left == 0 || (left == STREAMS && !was_answered),
        "{moment:?}: half a failover: {owners:?}, answered: {was_answered}"
    );
    let (_, consistency) = again.get("/resilience/consistency");
    assert_eq!(consistency["consistent"], true, "{moment:?}: {consistency}");
    for number in 0..SURVIVORS {
        let (_, survivor) = again.get(&format!("/instances/survivor-{number}"));
        assert_eq!(
            survivor["data"]["status"], "active",
            "{moment:?}: {survivor}"
        );
    }
}

/// The restarted process ends what was begun, by itself or because it is asked again.
fn bring_to_its_end(again: &mut Orchestrator, moment: Duration) {
    let (status, answer) = again.post("/instances/doomed/failure", &json!({}));
    assert_eq!(status, 200, "{moment:?}: {answer}");
    let owners = owners(again);
    assert_eq!(owners.get("doomed"), None, "{moment:?}: {owners:?}");
    assert_eq!(owners.values().sum::<u64>(), STREAMS, "{moment:?}");
    let (_, incidents) = again.get("/resilience/incidents?state=open");
    let open = incidents["incidents"].as_array().unwrap().len();
    if open > 0 {
        // Closing follows the answer.
        again.wait_for_line("moved 2000 streams off doomed");
    }
}

fn survives_kill_9_during_a_failover(url: impl Fn() -> (String, Box<dyn std::any::Any>)) {
    let mut unfinished = 0;
    for moment in MOMENTS.map(Duration::from_millis) {
        let folder = tempdir().unwrap();
        let (url, _database) = url();
        let settings = [("DATABASE_URL", url.as_str())];
        let orchestrator = start(folder.path(), &settings);
        prepare(&orchestrator);
        let was_answered = kill_in_the_middle(orchestrator, moment);
        unfinished += usize::from(!was_answered);
        let mut again = start(folder.path(), &settings);
        check(&again, was_answered, moment);
        bring_to_its_end(&mut again, moment);
        check(&again, true, moment);
    }
    assert!(
        unfinished > 0,
        "every kill came after the end of the failover"
    );
}

#[test]
fn sqlite_survives_kill_9_during_a_failover() {
    survives_kill_9_during_a_failover(|| {
        let folder = tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("fleet.db").display());
        (url, Box::new(folder))
    });
}

#[test]
fn postgres_survives_kill_9_during_a_failover() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    survives_kill_9_during_a_failover(|| {
        let database = runtime.block_on(Database::new());
        (database.url(), Box::new(database))
    });
}
