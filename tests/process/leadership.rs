//! Several orchestrators on one PostgreSQL: one leads, the others wait, and a deposed one does no
//! harm.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::path::Path;
use std::time::{Duration, Instant};

use crate::patience::until;
use crate::support::postgres::{Database, Server};
use crate::support::process::expect_errors;
use crate::support::process::{self, Orchestrator, launch};
use crate::support::proxy::Proxy;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// A database on a server of its own, and the port of that server.
struct Ground {
    server: Server,
    database: Database,
}

impl Ground {
    fn new() -> Self {
        let server = Server::start(&[], "");
        let database = block_on(server.database());
        Self { server, database }
    }

    /// The URL of the database through a proxy.
    fn through(&self, proxy: &Proxy) -> String {
        let direct = format!("127.0.0.1:{}", self.server.port());
        let through = format!("127.0.0.1:{}", proxy.port());
        self.database.url().replace(&direct, &through)
    }
}

/// An orchestrator of that name; returns once it listens.
fn orchestrator(folder: &Path, url: &str, node: &str, more: &[(&str, &str)]) -> Orchestrator {
    let mut settings = vec![
        ("DATABASE_URL", url),
        ("CLUSTER_NODE", node),
        ("DATABASE_TIMEOUT", "3s"),
    ];
    settings.extend_from_slice(more);
    launch(folder, &settings)
}

#[expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
fn now() -> Instant {
    Instant::now()
}

fn leads(orchestrator: &Orchestrator) -> bool {
    orchestrator
        .try_get("/leader")
        .is_some_and(|(status, _)| status == 200)
}

/// Waits until the leader has admitted that many standbys.
fn wait_for_admission(leader: &Orchestrator, standbys: usize) {
    until("the standbys are admitted", || {
        let (_, cluster) = leader.try_get("/cluster")?;
        let members = cluster["members"].as_array()?;
        let admitted = members.iter().filter(|member| member["admitted"] == true);
        (admitted.count() == standbys).then_some(())
    });
}

fn register(orchestrator: &Orchestrator, id: &str) -> Value {
    let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
    let (status, answer) = orchestrator.post("/register", &body);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn beat(orchestrator: &Orchestrator, id: &str, life: &Value, version: i64) -> (u16, Value) {
    let body = json!({
        "server_id": id, "current_streams": 1, "status": "active",
        "incarnation": life, "assignment_version": version,
    });
    orchestrator.post("/heartbeat", &body)
}

fn term(orchestrator: &Orchestrator) -> i64 {
    orchestrator.get("/cluster").1["term"].as_i64().unwrap()
}

#[test]
fn a_leader_cut_off_from_its_database_starts_denies_and_judges_nothing_after_a_take_over() {
    expect_errors(&[
        "alert leader_unproven",
        "another orchestrator has taken over",
    ]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let cable = Proxy::in_front_of(ground.server.port());
    let slow = [("HEARTBEAT_TIMEOUT", "60s")];
    let mut old = orchestrator(folder.path(), &ground.through(&cable), "old", &slow);
    old.wait_for_line("ready on ");
    let streams = json!({"streams": [{"id": 1, "name": "s1"}]});
    assert_eq!(old.post("/streams", &streams).0, 200);
    let life = register(&old, "w1")["incarnation"].clone();
    let (_, first) = beat(&old, "w1", &life, 0);
    let lease = first["lease_seconds"].as_f64().unwrap();
    assert!(lease > 44.0 && lease <= 48.0, "{first}");
    let ask = json!({"server_id": "w1", "requested_count": 1, "incarnation": life});
    let (_, taken) = old.post("/streams/assign", &ask);
    assert_eq!(taken["assigned_streams"], json!([1]), "{taken}");
    let (_, beaten) = beat(&old, "w1", &life, 0);
    let version = beaten["assignment_version"].as_i64().unwrap();

    let mut new = orchestrator(folder.path(), &ground.database.url(), "new", &slow);
    new.wait_for_line("standby");
    wait_for_admission(&old, 1);
    cable.freeze();
    new.wait_for_line("ready on ");
    assert!(leads(&new));

    // The worker lets the stream go at the new leader, which gives it to another one.
    let release = json!({"server_id": "w1", "stream_ids": [1], "incarnation": life});
    let (status, released) = new.post("/streams/release", &release);
    assert_eq!(status, 200, "{released}");
    register(&new, "w2");
    let (_, second) = new.post(
        "/streams/assign",
        &json!({"server_id": "w2", "requested_count": 1}),
    );
    assert_eq!(second["assigned_streams"], json!([1]), "{second}");

    // The old one renews nothing that outlives its proof, and hands nothing out.
    let (status, renewed) = beat(&old, "w1", &life, version);
    assert_eq!(status, 200, "{renewed}");
    assert!(
        renewed["lease_seconds"].as_f64().unwrap() < 48.0,
        "{renewed}"
    );
    let (status, told) = beat(&old, "w1", &life, 0);
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["lease_seconds"], 0, "{told}");
    assert!(told["assign"].is_null() && told["full"].is_null(), "{told}");
    let (status, asked) = old.post("/streams/assign", &ask);
    assert_eq!(status, 503, "{asked}");
    // It denies nobody.
    let (status, denied) = old.post(
        "/heartbeat",
        &json!({"server_id": "w2", "current_streams": 1, "status": "active"}),
    );
    assert_eq!(status, 503, "{denied}");
    let older = json!(life.as_i64().unwrap() + 1);
    assert_eq!(beat(&old, "w1", &older, 0).0, 503);
    // It judges nothing.
    let claims = json!({"claims": [{"stream_id": 1, "epoch": 1}]});
    assert_eq!(old.post("/streams/verify", &claims).0, 503);
    assert_eq!(new.post("/streams/verify", &claims).0, 200);

    cable.thaw();
    let ended = old.wait();
    assert_eq!(ended.status.code(), Some(4), "{}", ended.log);
    assert!(ended.log.contains("another orchestrator"), "{}", ended.log);
}

#[test]
fn a_suspended_leader_that_wakes_after_a_take_over_ends_as_deposed() {
    expect_errors(&["alert system_health", "another orchestrator has taken over"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let quick = [("HEARTBEAT_TIMEOUT", "3s")];
    let mut old = orchestrator(folder.path(), &url, "old", &quick);
    old.wait_for_line("ready on ");
    register(&old, "w1");
    let mut new = orchestrator(folder.path(), &url, "new", &quick);
    new.wait_for_line("standby");
    wait_for_admission(&old, 1);
    let before = term(&old);
    old.signal(Signal::STOP);
    new.wait_for_line("ready on ");
    assert!(term(&new) > before);
    old.signal(Signal::CONT);
    // Whatever it answers in its last moments, it denies nobody.
    if let Some((status, answer)) = old.try_post(
        "/heartbeat",
        &json!({
        "server_id": "unknown", "current_streams": 0, "status": "active"}),
    ) {
        assert_eq!(status, 503, "{answer}");
    }
    let ended = old.wait();
    assert_eq!(ended.status.code(), Some(4), "{}", ended.log);
}

#[test]
fn two_units_that_restart_by_themselves_do_not_depose_each_other() {
    expect_errors(&["alert system_health"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let quick = [("HEARTBEAT_TIMEOUT", "3s")];
    let mut first = orchestrator(folder.path(), &url, "a", &quick);
    first.wait_for_line("ready on ");
    let mut second = orchestrator(folder.path(), &url, "b", &quick);
    second.wait_for_line("standby");
    wait_for_admission(&first, 1);
    let before = term(&first);
    first.kill();
    second.wait_for_line("ready on ");
    let after = term(&second);
    assert_eq!(after, before + 1, "one take-over");
    let mut first = orchestrator(folder.path(), &url, "a", &quick);
    first.wait_for_line("standby");
    wait_for_admission(&second, 1);
    // A worker that ends is found although a second unit came and went.
    register(&second, "w1");
    until("the silent worker has failed", || {
        let (_, instance) = second.try_get("/instances/w1")?;
        let data = instance.get("data").unwrap_or(&instance);
        (data["status"] == "failed").then_some(())
    });
    assert_eq!(term(&second), after, "nobody was deposed");
    assert!(!leads(&first));
}

#[test]
fn a_standby_answers_503_and_says_who_leads() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = orchestrator(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    register(&leader, "w1");
    let mut standby = orchestrator(folder.path(), &url, "b", &[]);
    standby.wait_for_line("standby");
    assert_eq!(standby.get("/livez").0, 200);
    for path in [
        "/ready",
        "/leader",
        "/status",
        "/instances/w1",
        "/instances/nobody",
    ] {
        let (status, answer) = standby.get(path);
        assert_eq!(status, 503, "{path}: {answer}");
        assert!(answer.to_string().contains("`a`"), "{path}: {answer}");
    }
    for path in [
        "/heartbeat",
        "/register",
        "/streams/assign",
        "/no/such/route",
    ] {
        let (status, answer) = standby.post(path, &json!({"server_id": "w1"}));
        assert_eq!(status, 503, "{path}: {answer}");
    }
    let (status, cluster) = standby.get("/cluster");
    assert_eq!(status, 200);
    assert_eq!(cluster["role"], "standby");
    assert_eq!(cluster["leader"]["node"], "a");
    let (status, seen) = leader.get("/leader");
    assert_eq!((status, &seen["node"]), (200, &json!("a")));
    // A clean stop gives the row up: nobody has to wait.
    leader.signal(Signal::TERM);
    let began = now();
    standby.wait_for_line("ready on ");
    assert!(now().duration_since(began) < Duration::from_secs(15));
    assert_eq!(leader.wait().status.code(), Some(0));
    assert!(leads(&standby));
}

#[test]
fn an_operator_orders_a_standby_to_take_over() {
    expect_errors(&["another orchestrator has taken over"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = orchestrator(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    let mut standby = orchestrator(folder.path(), &url, "b", &[]);
    standby.wait_for_line("standby");
    let said = process::command(folder.path(), &[])
        .args(["cluster", "take-over", "--url", standby.address()])
        .args(["--reason", "an exercise"])
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    standby.wait_for_line("ready on ");
    assert!(standby.has_seen("an exercise"));
    let ended = leader.wait();
    assert_eq!(ended.status.code(), Some(4), "{}", ended.log);
    // Without a reason nothing is ordered.
    let (status, refused) = standby.post("/cluster/take-over", &json!({}));
    assert_eq!(status, 422, "{refused}");
}

#[test]
fn of_two_living_processes_of_one_node_the_newer_ends() {
    expect_errors(&["another orchestrator called"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut first = orchestrator(folder.path(), &url, "a", &[]);
    first.wait_for_line("ready on ");
    let second = orchestrator(folder.path(), &url, "a", &[]);
    let ended = second.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    assert!(ended.log.contains("CLUSTER_NODE"), "{}", ended.log);
    assert!(leads(&first));
}

#[test]
fn a_restarted_leader_of_the_same_node_leads_again_at_once() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut first = orchestrator(folder.path(), &url, "a", &[]);
    first.wait_for_line("ready on ");
    let before = term(&first);
    first.kill();
    let began = now();
    let mut again = orchestrator(folder.path(), &url, "a", &[]);
    again.wait_for_line("ready on ");
    // Well below the three seconds after which a standby takes over.
    assert!(now().duration_since(began) < Duration::from_secs(3));
    assert_eq!(term(&again), before + 1);
}

#[test]
fn a_database_that_lost_a_term_is_not_called_another_orchestrator() {
    expect_errors(&["the database went back"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = orchestrator(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    leader.kill();
    let mut leader = orchestrator(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    block_on(async {
        let client = ground.database.connect().await;
        let lost = "BEGIN; UPDATE leadership SET term = term - 1; \
                    UPDATE fleet_state SET term = term - 1; COMMIT";
        client.batch_execute(lost).await.unwrap();
    });
    let ended = leader.wait();
    assert!(ended.log.contains("went back"), "{}", ended.log);
    assert!(!ended.log.contains("taken over"), "{}", ended.log);
}

#[test]
fn an_outage_of_the_database_leaves_one_leader_and_moves_nothing() {
    expect_errors(&["alert leader_unproven"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = orchestrator(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    let mut standby = orchestrator(folder.path(), &url, "b", &[]);
    standby.wait_for_line("standby");
    wait_for_admission(&leader, 1);
    let before = term(&leader);
    ground.server.stop_immediate();
    until("the leader is unproven", || (!leads(&leader)).then_some(()));
    let (status, beaten) = leader.post(
        "/heartbeat",
        &json!({"server_id": "unknown", "current_streams": 0, "status": "active"}),
    );
    assert_eq!(status, 503, "{beaten}");
    ground.server.start_again();
    until("the leader is proven again", || {
        leads(&leader).then_some(())
    });
    assert_eq!(term(&leader), before);
    assert!(!leads(&standby));
}

#[test]
fn a_sole_orchestrator_goes_on_without_its_database() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = orchestrator(folder.path(), &url, "a", &[("HEARTBEAT_TIMEOUT", "60s")]);
    leader.wait_for_line("ready on ");
    let life = register(&leader, "w1")["incarnation"].clone();
    beat(&leader, "w1", &life, 0);
    ground.server.stop_immediate();
    until("the outage is noticed", || {
        (leader.try_get("/cluster")?.1["failsafe"]["active"] == true).then_some(())
    });
    let (status, beaten) = beat(&leader, "w1", &life, 1);
    assert_eq!(status, 200, "{beaten}");
    assert!(beaten["lease_seconds"].as_f64().unwrap() > 46.0, "{beaten}");
    assert!(leads(&leader));
}
