//! The orchestrator is killed in the middle of a drain of one of 20 worker processes with 2,000 streams,
//! on each database: the drain goes on where it was, and says that it has drained only when each stream
//! runs elsewhere.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::any::Any;

use crate::patience::until;
use crate::support::postgres::Database;
use crate::support::process::{Orchestrator, start};
use crate::support::proxy::Proxy;
use crate::support::worker::WorkerProcess;
use serde_json::{Value, json};
use tempfile::tempdir;

const WORKERS: usize = 20;

const STREAMS: i64 = 2_000;

/// Room for 2,200 streams: one worker fits into the others.
const ROOM: u32 = 110;

/// Few enough at a time that the kill meets the drain in its middle.
const PACE: [(&str, &str); 2] = [
    ("MAX_MOVES_PER_TARGET", "2"),
    ("MAX_CONCURRENT_MOVES", "10"),
];

/// A lease of 48 s, so that nothing here is decided by its end.
const TIMEOUT: (&str, &str) = ("HEARTBEAT_TIMEOUT", "60s");

fn name(number: usize) -> String {
    format!("w{number:02}")
}

fn drain(orchestrator: &Orchestrator) -> Value {
    orchestrator.get("/instances/w00/drain").1
}

/// The streams that an instance owns.
fn held(orchestrator: &Orchestrator, id: &str) -> Vec<i64> {
    let detail = orchestrator.get(&format!("/instances/{id}")).1;
    let ids = detail["data"]["assigned_streams"].as_array().cloned();
    ids.unwrap_or_default()
        .iter()
        .filter_map(Value::as_i64)
        .collect()
}

fn a_drain_survives_a_crash((url, _database): (String, Box<dyn Any>)) {
    let folder = tempdir().unwrap();
    let proxy = Proxy::in_front_of(0);
    let start = || {
        let settings = [
            TIMEOUT,
            PACE[0],
            PACE[1],
            // Each worker is filled before the next one starts, and stays so.
            ("AUTO_ASSIGN_SETTLE", "0"),
            ("REBALANCE", "off"),
            ("DATABASE_URL", url.as_str()),
        ];
        let orchestrator = start(folder.path(), &settings);
        let port = orchestrator.address().rsplit(':').next().unwrap();
        proxy.redirect(port.parse().unwrap());
        orchestrator
    };
    let orchestrator = start();
    let streams: Vec<Value> = (1..=STREAMS)
        .map(|id| json!({"id": id, "name": format!("s{id}")}))
        .collect();
    let (status, answer) = orchestrator.post("/streams", &json!({ "streams": streams }));
    assert_eq!(status, 200, "{answer}");
    let address = format!("http://127.0.0.1:{}", proxy.port());
    let mut workers: Vec<WorkerProcess> = Vec::new();
    for number in 0..WORKERS {
        workers.push(WorkerProcess::with_room(&address, &name(number), ROOM));
        let owned = |orchestrator: &Orchestrator| {
            let totals = orchestrator.get("/status").1;
            totals["streams"]["assigned"].as_i64().unwrap_or_default()
        };
        let wanted = (i64::try_from(number).unwrap() + 1) * 110;
        until("the first assignment", || {
            (owned(&orchestrator) == wanted.min(STREAMS)).then_some(())
        });
    }
    let victim = held(&orchestrator, "w00");
    assert_eq!(victim.len(), 110);
    let body = json!({"reason": "a process test"});
    let (status, begun) = orchestrator.post("/instances/w00/drain", &body);
    assert_eq!(status, 200, "{begun}");
    assert_eq!(begun["streams"], 110);
    until("the middle of the drain", || {
        (drain(&orchestrator)["moved"].as_i64() >= Some(20)).then_some(())
    });
    let before = drain(&orchestrator);
    assert_eq!(
        before["state"], "draining",
        "it was killed too late: {before}"
    );
    orchestrator.kill();
    let orchestrator = start();
    let after = drain(&orchestrator);
    assert_eq!(after["started_at"], before["started_at"]);
    assert!(
        after["moved"].as_i64() >= before["moved"].as_i64(),
        "{after}"
    );
    until("the rest of the drain", || {
        (drain(&orchestrator)["state"] != "draining").then_some(())
    });
    let over = drain(&orchestrator);
    assert_eq!(over["state"], "drained", "{over}");
    assert_eq!(
        (&over["moved"], &over["streams_left"]),
        (&json!(110), &json!(0))
    );
    let mut all = Vec::new();
    for number in 0..WORKERS {
        let streams = held(&orchestrator, &name(number));
        assert!(streams.is_empty() == (number == 0), "{number}: {streams:?}");
        all.extend(streams);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=STREAMS), "each stream has one owner");
    // Its worker has stopped each of them once, and started none again.
    let mut stopped: Vec<i64> = Vec::new();
    while stopped.len() < victim.len() {
        let line = workers[0].next();
        let stream = line.strip_prefix("stop ");
        stopped.extend(stream.map(|id| id.parse::<i64>().unwrap()));
    }
    stopped.sort_unstable();
    assert_eq!(stopped, victim);
    let (status, _) = orchestrator.get("/instances/w00");
    assert_eq!(status, 200);
    assert_eq!(
        orchestrator.get("/instances/w00").1["data"]["status"],
        "draining"
    );
}

#[test]
fn a_drain_survives_a_crash_on_sqlite() {
    let url = "sqlite://fleet.db".to_owned();
    a_drain_survives_a_crash((url, Box::new(())));
}

#[test]
fn a_drain_survives_a_crash_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(Database::new());
    a_drain_survives_a_crash((database.url(), Box::new(database)));
}
