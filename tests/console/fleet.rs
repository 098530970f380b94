//! Workers that beat when a test says so, and do what the answer says.

#![expect(clippy::unwrap_used, reason = "a worker without an answer has failed")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::process::Orchestrator;

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A leased worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: String,
    incarnation: Value,
    version: Value,
    pub(crate) streams: BTreeSet<i64>,
}

impl Worker {
    /// Registers a worker; its streams come by themselves.
    pub(crate) fn join(orchestrator: &Orchestrator, id: &str, room: u32, labels: Value) -> Self {
        let (status, answer) = orchestrator.post(
            "/register",
            &json!({"server_id": id, "ip": "10.20.3.11", "port": 9_000, "max_streams": room,
                "labels": labels, "auto_assign": true, "heartbeat_interval": 20}),
        );
        assert_eq!(status, 200, "{answer}");
        Self {
            id: id.to_owned(),
            incarnation: answer["incarnation"].clone(),
            version: json!(0),
            streams: BTreeSet::new(),
        }
    }

    /// Sends a heartbeat, and takes and releases what its answer says.
    pub(crate) fn beat(&mut self, orchestrator: &Orchestrator) -> Value {
        let streams: Vec<i64> = self.streams.iter().copied().collect();
        let load = (self.id.bytes().map(u32::from).sum::<u32>() % 40) as f64;
        let (_, answer) = orchestrator.post(
            "/heartbeat",
            &json!({"server_id": self.id, "current_streams": streams.len(), "streams": streams,
                "incarnation": self.incarnation, "assignment_version": self.version,
                "system_metrics": {"cpu_percent": 30.0 + load, "memory_percent": 55.0,
                    "memory_used_gb": 17.6, "memory_total_gb": 32.0, "disk_percent": 41.0,
                    "disk_free_gb": 295.0, "disk_total_gb": 500.0, "uptime_seconds": 86_400}}),
        );
        if answer["full"] == true {
            self.streams.clear();
        }
        for given in answer["assign"].as_array().into_iter().flatten() {
            self.streams.insert(given["stream_id"].as_i64().unwrap());
        }
        for taken in answer["revoke"].as_array().into_iter().flatten() {
            self.streams.remove(&taken.as_i64().unwrap());
        }
        if answer["assignment_version"].is_number() {
            self.version = answer["assignment_version"].clone();
        }
        answer
    }
}

/// Creates streams with these ids.
pub(crate) fn catalogue(orchestrator: &Orchestrator, ids: std::ops::RangeInclusive<i64>) {
    let names = [
        "antenne", "radio", "cam", "feed", "news", "jazz", "hit", "klassik",
    ];
    let streams: Vec<Value> = ids
        .map(|id| {
            json!({"id": id, "name": format!("{}-{id:05}", names[id as usize % 8]),
                "group": format!("group-{}", id / 9), "priority": 50})
        })
        .collect();
    for part in streams.chunks(5_000) {
        let (status, answer) = orchestrator.post("/streams", &json!({ "streams": part }));
        assert_eq!(status, 200, "{answer}");
    }
}

#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
fn now() -> Instant {
    Instant::now()
}

/// Has workers beat in turns until something is so.
#[track_caller]
pub(crate) fn until(
    orchestrator: &Orchestrator,
    workers: &mut [Worker],
    what: &str,
    mut is_so: impl FnMut(&[Worker]) -> bool,
) {
    let begun = now();
    while now().duration_since(begun) < PATIENCE {
        if is_so(workers) {
            return;
        }
        for worker in workers.iter_mut() {
            worker.beat(orchestrator);
        }
    }
    panic!("it never came to this: {what}; {workers:?}");
}
