//! The calls workers in the field speak, word for word, and the two kinds of workers that speak
//! them.

use std::time::Duration;

use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_begins_with, assert_has, ids, pass, settle};
use serde_json::{Value, json};

#[actix_web::test]
async fn a_registration_is_answered_word_for_word() {
    let world = World::start().await;
    let body = json!({"server_id": "a", "ip": "10.0.0.1", "port": 8080});
    let answer = world.post("/register", body.clone()).await;
    assert_has(
        &answer.ok(),
        &json!({"status": "registered", "server_id": "a", "max_streams": 20,
            "reregistration": false, "auto_rebalanced": false, "assigned_streams": [],
            "assignment_version": 1, "lease_seconds": 240, "heartbeat_interval_seconds": 30}),
    );
    assert_begins_with(
        &answer.text,
        &[
            "status",
            "server_id",
            "max_streams",
            "reregistration",
            "auto_rebalanced",
        ],
    );
    let again = world.post("/register", body).await.ok();
    assert_has(
        &again,
        &json!({"status": "registered", "reregistration": true}),
    );
    assert!(again["incarnation"].as_i64() > answer.json()["incarnation"].as_i64());
}

#[actix_web::test]
async fn heartbeats_and_their_metrics_are_answered_word_for_word() {
    let world = World::start().await;
    world.beat("a").await.problem(404);
    world.register("a", 5).await;
    assert_has(
        &world.beat("a").await.ok(),
        &json!({"status": "heartbeat_updated", "instance_status": "active"}),
    );
    let body = json!({"server_id": "a", "current_streams": 3, "status": "busy, thanks",
        "system_metrics": {"cpu_percent": 12.5, "memory_percent": 40, "memory_used_gb": 1.5,
            "memory_total_gb": 8, "disk_percent": 70.1, "disk_free_gb": 9, "disk_total_gb": 30,
            "load_average": [0.5, 0.25, 0], "uptime_seconds": 86400}});
    world.post("/heartbeat", body).await.ok();
    let nothing = json!({"server_id": "a", "current_streams": 0, "system_metrics": null});
    world.post("/heartbeat", nothing).await.ok();
    settle().await;

    let metrics = world.get("/instances/a/metrics?hours=24").await;
    let shown = metrics.ok();
    assert_has(&shown, &json!({"server_id": "a", "count": 1}));
    let record = &shown["metrics"][0];
    assert_has(
        record,
        &json!({"cpu_percent": 12.5, "memory_percent": 40.0, "disk_percent": 70.1,
            "load_average_1m": 0.5, "load_average_5m": 0.25, "load_average_15m": 0.0,
            "uptime_seconds": 86400.0}),
    );
    assert!(record["recorded_at"].as_str().unwrap().ends_with('Z'));
    world.get("/instances/b/metrics").await.problem(404);
}

#[actix_web::test]
async fn metrics_are_newest_first_saved_or_not() {
    let world = World::start().await;
    world.register("a", 5).await;
    for cpu in 1..=3 {
        let body = json!({"server_id": "a", "current_streams": 0,
            "system_metrics": {"cpu_percent": cpu}});
        world.post("/heartbeat", body).await.ok();
        // The third is not saved yet when it is shown.
        if cpu < 3 {
            pass(10).await;
        }
    }
    let cpus = async |path: &str| -> Vec<f64> {
        let shown = world.get(path).await.ok();
        let records = shown["metrics"].as_array().unwrap();
        assert_eq!(shown["count"], records.len());
        records
            .iter()
            .map(|record| record["cpu_percent"].as_f64().unwrap())
            .collect()
    };
    assert_eq!(cpus("/instances/a/metrics").await, [3.0, 2.0, 1.0]);
    assert_eq!(cpus("/instances/a/metrics?hours=0.004").await, [3.0, 2.0]);
}

#[actix_web::test]
async fn assigning_and_releasing_are_answered_word_for_word() {
    let world = World::start().await;
    let ask = json!({"server_id": "a"});
    world
        .post("/streams/assign", ask.clone())
        .await
        .problem(404);
    world.register("a", 30).await;
    let none = world.post("/streams/assign", ask.clone()).await.ok();
    assert_has(
        &none,
        &json!({"status": "no_streams", "assigned_streams": []}),
    );
    assert!(none["message"].as_str().unwrap().ends_with('.'));

    world.streams(1..=40).await;
    let twenty = world.post("/streams/assign", ask.clone()).await;
    let expected: Vec<i64> = (1..=20).collect();
    assert_has(
        &twenty.ok(),
        &json!({"status": "assigned", "assigned_streams": expected, "count": 20}),
    );
    assert_begins_with(&twenty.text, &["status", "assigned_streams", "count"]);
    assert_has(
        &world.assign("a", -5).await,
        &json!({"status": "no_streams"}),
    );
    assert_has(
        &world.assign("a", 0).await,
        &json!({"status": "no_streams"}),
    );
    assert_eq!(world.assign("a", 1_000_000_000_000).await["count"], 10);
    let full = world.assign("a", 1).await;
    assert_has(
        &full,
        &json!({"status": "no_capacity", "assigned_streams": []}),
    );
    assert!(full["message"].as_str().unwrap().contains("30"), "{full}");

    let release = async |list: Value| {
        let body = json!({"server_id": "a", "stream_ids": list});
        world.post("/streams/release", body).await
    };
    let released = release(json!([3, 1, 99, 3])).await;
    assert_has(
        &released.ok(),
        &json!({"status": "released", "released_streams": [1, 3], "count": 2}),
    );
    assert_begins_with(&released.text, &["status", "released_streams", "count"]);
    assert_has(
        &release(json!([1, 3])).await.ok(),
        &json!({"status": "released", "released_streams": [], "count": 0}),
    );
    assert_eq!(
        release(json!([])).await.ok(),
        json!({"status": "no_streams_to_release"})
    );
    let unknown = json!({"server_id": "z", "stream_ids": []});
    world.post("/streams/release", unknown).await.problem(404);
}

#[actix_web::test]
async fn instances_and_assignments_are_shown_word_for_word() {
    let world = World::start().await;
    world.streams(1..=3).await;
    world.register("old", 2).await;
    pass(5).await;
    world.register("new", 4).await;
    world.assign("old", 2).await;
    let lie = json!({"server_id": "old", "current_streams": 77, "status": "fine"});
    world.post("/heartbeat", lie).await.ok();

    let list = world.get("/instances").await;
    assert_begins_with(
        &list.text,
        &[
            "instances",
            "server_id",
            "ip",
            "port",
            "max_streams",
            "current_streams",
            "status",
            "registered_at",
            "last_heartbeat",
        ],
    );
    let list = list.ok();
    let names: Vec<&Value> = list["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["server_id"])
        .collect();
    assert_eq!(names, ["new", "old"], "newest registration first");
    assert_has(
        &list["instances"][1],
        &json!({"server_id": "old", "ip": "10.0.0.1", "port": 8080, "max_streams": 2,
            "current_streams": 2, "status": "active", "reported_status": "fine",
            "reported_streams": 77, "registered_at": "2026-01-01T00:00:00.000000Z"}),
    );
    let detail = world.get("/instances/old").await.ok();
    assert_eq!(detail["status"], "success");
    assert_has(
        &detail["data"],
        &json!({"server_id": "old", "current_streams": 2, "assigned_streams": [1, 2],
            "last_heartbeat": list["instances"][1]["last_heartbeat"]}),
    );
    world.get("/instances/nobody").await.problem(404);

    let assignments = world.get("/streams/assignments").await;
    assert_begins_with(
        &assignments.text,
        &[
            "assignments",
            "stream_id",
            "server_id",
            "assigned_at",
            "status",
            "ip",
            "port",
        ],
    );
    let assignments = assignments.ok();
    assert_eq!(assignments["assignments"].as_array().unwrap().len(), 2);
    assert_has(
        &assignments["assignments"][0],
        &json!({"stream_id": 1, "server_id": "old", "status": "active", "ip": "10.0.0.1",
            "port": 8080}),
    );
}

#[actix_web::test]
async fn the_state_of_the_whole_is_shown_word_for_word() {
    let world = World::start().await;
    world.streams(1..=5).await;
    world.register("a", 3).await;
    world.register("b", 1).await;
    world.assign("a", 2).await;
    let status = world.get("/status").await.ok();
    assert_eq!(status["orchestrator_status"], "active");
    assert_has(
        &status["instances"],
        &json!({"total": 2, "active": 2, "total_capacity": 4, "current_load": 2}),
    );
    assert_has(
        &status["streams"],
        &json!({"assigned": 2, "available": 3, "total": 5}),
    );
    assert_eq!(status["load_percentage"], 50.0);

    let health = world.get("/health").await.ok();
    assert_has(
        &health,
        &json!({"status": "healthy", "database": "available"}),
    );
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));
    let ready = world.get("/ready").await.ok();
    assert_has(&ready, &json!({"status": "ready"}));
    assert!(ready["services"].is_object() && ready["timestamp"].is_string());
    world.state.readiness().set(false);
    let stopping = world.get("/ready").await;
    assert_eq!(stopping.status, 503);
    assert_has(&stopping.json(), &json!({"status": "not_ready"}));
    assert!(stopping.json()["services"].is_object());
}

#[actix_web::test]
async fn a_diagnosis_is_answered_word_for_word() {
    let world = World::start().await;
    world.streams(1..=4).await;
    world.register("a", 3).await;
    world.register("b", 3).await;
    world.assign("a", 2).await;
    world.assign("b", 1).await;
    pass(7).await;
    let diagnose = async |streams: Value, count: i64| {
        let body = json!({"server_id": "a", "local_streams": streams,
            "local_stream_count": count});
        world.post("/diagnostic", body).await
    };
    let fine = diagnose(json!([1, 2]), 2).await;
    assert_begins_with(
        &fine.text,
        &[
            "server_id",
            "timestamp",
            "is_synchronized",
            "synchronization_status",
            "local_state",
            "orchestrator_state",
            "inconsistencies",
            "streams_in_sync",
            "instance_info",
            "recommendations",
        ],
    );
    let fine = fine.ok();
    assert_has(
        &fine,
        &json!({"server_id": "a", "is_synchronized": true, "synchronization_status": "OK",
            "streams_in_sync": [1, 2],
            "local_state": {"stream_count": 2, "streams": [1, 2]},
            "orchestrator_state": {"stream_count": 2, "streams": [1, 2],
                "instance_current_streams": 2},
            "inconsistencies": {"streams_only_in_local": [],
                "streams_only_in_orchestrator": [], "count_mismatch": false,
                "orchestrator_count_mismatch": false}}),
    );
    assert_has(
        &fine["instance_info"],
        &json!({"status": "active", "max_streams": 3}),
    );
    assert!(fine["instance_info"]["heartbeat_age_seconds"].as_f64() >= Some(7.0));

    let wrong = diagnose(json!([2, 3]), 9).await.ok();
    assert_has(
        &wrong,
        &json!({"is_synchronized": false, "synchronization_status": "INCONSISTENT",
            "streams_in_sync": [2],
            "inconsistencies": {"streams_only_in_local": [3],
                "streams_only_in_orchestrator": [1], "count_mismatch": true,
                "orchestrator_count_mismatch": false}}),
    );
    assert!(!wrong["recommendations"].as_array().unwrap().is_empty());
    let unknown = json!({"server_id": "z", "local_streams": [], "local_stream_count": 0});
    world.post("/diagnostic", unknown).await.problem(404);
}

#[actix_web::test]
async fn a_reported_failure_moves_exactly_the_streams_of_that_instance() {
    let world = World::start().await;
    world.streams(1..=7).await;
    for (id, asks) in [("a", 4), ("b", 1), ("c", 1)] {
        world.register(id, if id == "a" { 4 } else { 2 }).await;
        world.assign(id, asks).await;
    }
    let failure = world.send("POST", "/instances/a/failure").await;
    assert_begins_with(
        &failure.text,
        &[
            "status",
            "method",
            "server_id",
            "streams_redistributed",
            "instances_affected",
            "execution_time_ms",
            "error",
        ],
    );
    let failure = failure.ok();
    assert_has(
        &failure,
        &json!({"status": "completed", "method": "smart", "server_id": "a",
            "streams_redistributed": 2, "instances_affected": 2, "error": null,
            "streams_orphaned": 2}),
    );
    assert!(failure["execution_time_ms"].is_u64());
    assert_eq!(world.held("a").await, Vec::<i64>::new());
    assert_eq!(
        world.get("/instances/a").await.ok()["data"]["status"],
        "failed"
    );
    let again = world.send("POST", "/instances/a/failure").await.ok();
    assert_has(
        &again,
        &json!({"streams_redistributed": 0, "instances_affected": 0}),
    );
    world
        .send("POST", "/instances/z/failure")
        .await
        .problem(404);
}

/// Worker A: registers after any failed heartbeat, compares its list with `GET /instances/{id}`
/// and adopts what is there.
struct WorkerA<'a> {
    world: &'a World,
    id: &'a str,
    runs: Vec<i64>,
}

impl WorkerA<'_> {
    const MAX: i64 = 6;

    async fn boot(&mut self) {
        self.world.register(self.id, Self::MAX as u32).await;
        self.ask().await;
    }

    async fn ask(&mut self) {
        let wanted = Self::MAX - self.runs.len() as i64;
        let answer = self.world.assign(self.id, wanted).await;
        if answer["status"] == "assigned" {
            self.runs.extend(ids(&answer["assigned_streams"]));
        }
    }

    async fn beat(&mut self) {
        let body = json!({"server_id": self.id, "current_streams": self.runs.len(),
            "status": "active"});
        if self.world.post("/heartbeat", body).await.status != 200 {
            self.world.register(self.id, Self::MAX as u32).await;
        }
    }

    async fn compare_and_adopt(&mut self) {
        self.runs = self.world.held(self.id).await;
    }
}

#[actix_web::test]
async fn worker_a_lives_through_failover_restart_and_reduction() {
    expect_errors(&["alert streams_orphaned"]);
    let world = World::start().await;
    world.streams(1..=8).await;
    let mut first = WorkerA {
        world: &world,
        id: "first",
        runs: Vec::new(),
    };
    let mut second = WorkerA {
        world: &world,
        id: "second",
        runs: Vec::new(),
    };
    first.boot().await;
    second.boot().await;
    assert_eq!(first.runs, [1, 2, 3, 4, 5, 6]);
    assert_eq!(second.runs, [7, 8]);

    // The first falls silent; the second finds in its list what was moved to it.
    for _ in 0..31 {
        pass(10).await;
        second.beat().await;
    }
    second.compare_and_adopt().await;
    assert_eq!(second.runs, [1, 2, 3, 4, 7, 8], "as many as it may hold");
    second.ask().await;
    second.runs.sort_unstable();
    second.runs.dedup();
    assert_eq!(
        second.runs,
        [1, 2, 3, 4, 7, 8],
        "told again, because never delivered"
    );
    assert_eq!(world.assign("second", 0).await["status"], "no_capacity");

    // The first comes back, is on probation, and gets what found no room.
    first.runs.clear();
    first.boot().await;
    assert_eq!(first.runs, [5, 6]);
    first.compare_and_adopt().await;
    assert_eq!(first.runs, [5, 6]);

    // It restarts at once: it asks with nothing in its hands and gets its streams back.
    first.runs.clear();
    first.boot().await;
    assert_eq!(first.runs, [5, 6]);
    // It merely registers again, still running them: no duplicates.
    world.register("first", WorkerA::MAX as u32).await;
    first.ask().await;
    assert_eq!(first.runs, [5, 6]);
    // Forgotten, it is told to register by its failing heartbeat.
    world.delete("/instances/first").await.ok();
    first.beat().await;
    world.beat("first").await.ok();
}

/// Worker B: any failed request puts it into local mode, until `/health` answers. It appends what
/// it is handed, and never removes duplicates.
struct WorkerB<'a> {
    world: &'a World,
    runs: Vec<i64>,
    is_local: bool,
}

impl WorkerB<'_> {
    async fn call(&mut self, path: &str, body: Value) -> Option<Value> {
        let answer = self.world.post(path, body).await;
        if answer.status == 200 {
            return Some(answer.json());
        }
        self.is_local = true;
        None
    }

    async fn boot(&mut self) {
        let body = json!({"server_id": "b", "ip": "::1", "port": 1, "max_streams": 4});
        self.call("/register", body).await;
    }

    async fn round(&mut self) {
        if self.is_local {
            let health = self.world.get("/health").await;
            if health.status == 200 && health.json()["status"] == "healthy" {
                self.is_local = false;
                self.boot().await;
            }
            return;
        }
        let beat = json!({"server_id": "b", "current_streams": self.runs.len(),
            "status": "running", "system_metrics": {"cpu_percent": 1}});
        self.call("/heartbeat", beat).await;
        let ask = json!({"server_id": "b", "requested_count": 4 - self.runs.len() as i64});
        if let Some(answer) = self.call("/streams/assign", ask).await {
            self.runs.extend(ids(&answer["assigned_streams"]));
        }
    }
}

#[actix_web::test]
async fn worker_b_is_never_handed_a_stream_twice_and_returns_from_local_mode() {
    let world = World::start().await;
    world.streams(1..=3).await;
    let mut worker = WorkerB {
        world: &world,
        runs: Vec::new(),
        is_local: false,
    };
    worker.boot().await;
    for _ in 0..3 {
        worker.round().await;
        assert!(!worker.is_local);
    }
    assert_eq!(worker.runs, [1, 2, 3]);

    // It is forgotten; its next request fails and it works on alone, until it looks again.
    world.delete("/instances/b").await.ok();
    worker.round().await;
    assert!(worker.is_local);
    worker.round().await;
    assert!(!worker.is_local);
    worker.runs.clear();
    worker.round().await;
    assert_eq!(worker.runs, [1, 2, 3], "free again, and asked for");
    // Registering again with the streams in its hands gets it no duplicates.
    worker.boot().await;
    worker.round().await;
    worker.round().await;
    assert_eq!(worker.runs, [1, 2, 3]);
}

#[actix_web::test]
async fn registering_and_asking_are_signs_of_life() {
    let world = World::start().await;
    world.register("asks", 2).await;
    world.register("releases", 2).await;
    world.register("silent", 2).await;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        world.assign("asks", 0).await;
        let release = json!({"server_id": "releases", "stream_ids": []});
        world.post("/streams/release", release).await.ok();
    }
    let status = async |id: &str| {
        let detail = world.get(&format!("/instances/{id}")).await.ok();
        detail["data"]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status("asks").await, "active");
    assert_eq!(status("releases").await, "active");
    assert_eq!(status("silent").await, "failed");
}

#[actix_web::test]
async fn rebalancing_is_answered_word_for_word() {
    let world = World::start().await;
    world.streams(1..=30).await;
    for (id, count) in [("a", 20), ("b", 10), ("c", 0)] {
        world.register(id, 20).await;
        world.assign(id, count).await;
    }
    let check = world.get("/rebalance/check").await;
    assert_begins_with(
        &check.text,
        &[
            "status",
            "consistent",
            "needs_rebalancing",
            "reason",
            "statistics",
            "instances",
        ],
    );
    let smart = world.send("POST", "/rebalance/smart?reason=manual").await;
    assert_begins_with(
        &smart.text,
        &[
            "status",
            "method",
            "reason",
            "streams_moved",
            "instances_affected",
            "execution_time_ms",
            "migrations",
            "error",
        ],
    );
    let smart = smart.ok();
    assert_has(
        &smart,
        &json!({"status": "completed", "method": "smart", "reason": "manual", "streams_moved": 8,
            "instances_affected": 2, "migrations": 8, "error": null}),
    );
    assert!(smart["execution_time_ms"].is_number(), "{smart}");
    let basic = world.send("POST", "/rebalance/basic").await;
    assert_begins_with(
        &basic.text,
        &["status", "method", "message", "streams_moved"],
    );
    let nothing = json!({"status": "completed", "method": "basic", "streams_moved": 0});
    assert_has(&basic.ok(), &nothing);
    let stats = world.get("/rebalance/stats").await;
    assert_begins_with(&stats.text, &["status", "statistics"]);
    let stats = stats.ok();
    let numbers = [
        "total_rebalances",
        "successful_rebalances",
        "total_streams_moved",
        "success_rate",
        "average_execution_time_ms",
    ];
    for name in numbers {
        assert!(stats["statistics"][name].is_number(), "{name}: {stats}");
    }
    assert!(stats["statistics"]["last_rebalance"].is_string(), "{stats}");
}
