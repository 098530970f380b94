//! A PostgreSQL that fails over: a primary and a streaming standby, and orchestrators that know both.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio_postgres::Client;

use crate::patience::{now, until};
use crate::support::postgres::{Database, Server, connect};
use crate::support::process::{Orchestrator, expect_errors, launch};

/// The first term and the first epoch of a timeline.
const TERM: i64 = 1 << 32;
const EPOCH: i64 = 1 << 40;

/// How long the program may take once a standby takes writes: a few renewals, and what a busy machine adds.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// A primary with a database, and a standby that streams from it.
struct Pair {
    primary: Server,
    standby: Server,
    database: Database,
    folder: TempDir,
}

impl Pair {
    fn new() -> Self {
        let primary = Server::start(&[], "");
        let database = block_on(primary.database());
        // A role without the rights of `pg_monitor`.
        block_on(async {
            let name = database.name();
            let sql = format!("CREATE ROLE plain LOGIN; ALTER DATABASE {name} OWNER TO plain");
            database.connect().await.batch_execute(&sql).await.unwrap();
        });
        let standby = primary.standby();
        let pair = Self {
            primary,
            standby,
            database,
            folder: tempdir().unwrap(),
        };
        until("the standby streams", || {
            (pair.count_of_streams() == 1).then_some(())
        });
        pair
    }

    /// Both servers in one URL.
    fn url(&self) -> String {
        let (first, second) = (self.primary.port(), self.standby.port());
        let name = self.database.name();
        format!("postgres://plain@127.0.0.1:{first},127.0.0.1:{second}/{name}")
    }

    fn orchestrator(&self, node: &str, timeout: &str) -> Orchestrator {
        self.orchestrator_at("127.0.0.1:0", node, timeout)
    }

    fn orchestrator_at(&self, address: &str, node: &str, timeout: &str) -> Orchestrator {
        let url = self.url();
        let folder: &Path = self.folder.path();
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("BIND_ADDRESS", address),
            ("CLUSTER_NODE", node),
            ("DATABASE_TIMEOUT", "3s"),
            ("HEARTBEAT_TIMEOUT", timeout),
            ("CLUSTER_TAKEOVER_AFTER", "3s"),
        ];
        launch(folder, &settings)
    }

    /// Two orchestrators, of which the second may take over.
    fn orchestrators(&self, timeout: &str) -> [Orchestrator; 2] {
        let mut leader = self.orchestrator("a", timeout);
        leader.wait_for_line("ready on ");
        let mut other = self.orchestrator("b", timeout);
        other.wait_for_line("standby");
        until("the standby is admitted", || {
            let (_, cluster) = leader.try_get("/cluster")?;
            let members = cluster["members"].as_array()?;
            members.iter().find(|one| one["admitted"] == true)?;
            Some(())
        });
        [leader, other]
    }

    /// From its promotion on the standby refuses to insert a stream.
    fn refuse_stream_after_a_promotion(&self, id: i64) {
        let sql = format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) = '00000002' THEN \
                     RAISE EXCEPTION 'not here'; \
                 END IF; \
                 RETURN NEW; \
             END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON streams FOR EACH ROW WHEN (NEW.id = {id}) \
             EXECUTE FUNCTION refuse()"
        );
        block_on(async {
            let client = self.database.connect().await;
            client.batch_execute(&sql).await.unwrap();
        });
    }

    fn run_on_standby(&self, sql: &str) {
        let (port, sql) = (self.standby.port(), sql.to_owned());
        block_on(async {
            let client = connect_to(port, "postgres").await;
            client.batch_execute(&sql).await.unwrap();
        });
    }

    /// Stops the stream: what is committed from now on is on the primary only.
    fn stop_the_stream(&self) {
        self.run_on_standby("ALTER SYSTEM SET primary_conninfo = ''");
        self.run_on_standby("SELECT pg_reload_conf()");
        until("the stream ends", || {
            let count = self.count_of_streams();
            (count == 0).then_some(())
        });
    }

    fn count_of_streams(&self) -> i64 {
        let port = self.primary.port();
        block_on(async {
            let client = connect_to(port, "postgres").await;
            let sql = "SELECT count(*) FROM pg_stat_replication";
            client.query_one(sql, &[]).await.unwrap().get(0)
        })
    }

    /// Waits until the standby has everything that was committed.
    fn catch_up(&self) {
        let (primary, standby) = (self.primary.port(), self.standby.port());
        until("the standby has everything", || {
            let (written, replayed): (bool, String) = block_on(async {
                let sql = "SELECT pg_current_wal_lsn()::text";
                let client = connect_to(primary, "postgres").await;
                let written: String = client.query_one(sql, &[]).await.unwrap().get(0);
                let sql = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn, \
                           pg_last_wal_replay_lsn()::text";
                let client = connect_to(standby, "postgres").await;
                let row = client.query_one(sql, &[&written]).await.unwrap();
                (row.get(0), row.get(1))
            });
            (written && !replayed.is_empty()).then_some(())
        });
    }
}

async fn connect_to(port: u16, name: &str) -> Client {
    connect(&format!("postgres://postgres@127.0.0.1:{port}/{name}")).await
}

fn leads(orchestrator: &Orchestrator) -> bool {
    let found = orchestrator.try_get("/leader");
    found.is_some_and(|(status, _)| status == 200)
}

fn register(at: &Orchestrator, id: &str) -> Value {
    let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
    let (status, answer) = at.post("/register", &body);
    assert_eq!(status, 200, "{answer}");
    answer["incarnation"].clone()
}

fn beat(at: &Orchestrator, id: &str, life: &Value, version: &Value, streams: &Value) -> Value {
    let body = json!({
        "server_id": id, "status": "active", "incarnation": life, "assignment_version": version,
        "streams": streams, "current_streams": streams.as_array().map_or(0, Vec::len),
    });
    let (status, answer) = at.post("/heartbeat", &body);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn ask(at: &Orchestrator, id: &str, life: &Value, count: i64) -> (u16, Value) {
    let body = json!({"server_id": id, "requested_count": count, "incarnation": life});
    at.post("/streams/assign", &body)
}

fn open_alerts(at: &Orchestrator, kind: &str) -> Vec<Value> {
    let Some((_, answer)) = at.try_get(&format!("/resilience/alerts?open=true&kind={kind}")) else {
        return Vec::new();
    };
    answer["alerts"].as_array().cloned().unwrap_or_default()
}

fn add_streams(at: &Orchestrator) {
    let streams = json!({"streams": [{"id": 1, "name": "s1"}, {"id": 2, "name": "s2"}]});
    let (status, answer) = at.post("/streams", &streams);
    assert_eq!(status, 200, "{answer}");
}

fn owner(at: &Orchestrator, stream: i64) -> Option<Value> {
    let (status, answer) = at.try_get(&format!("/streams/{stream}"))?;
    (status == 200).then(|| answer["data"]["server_id"].clone())
}

#[test]
fn a_fail_over_that_loses_nothing_moves_nothing_and_the_leader_leads_on() {
    expect_errors(&["alert leader_unproven", "alert store_unavailable"]);
    let pair = Pair::new();
    let [mut leader, other] = pair.orchestrators("60s");
    add_streams(&leader);
    let life = register(&leader, "w1");
    beat(&leader, "w1", &life, &json!(0), &json!([]));
    let (_, given) = ask(&leader, "w1", &life, 1);
    assert_eq!(given["assigned_streams"], json!([1]), "{given}");
    let before = beat(&leader, "w1", &life, &json!(0), &json!([1]));
    let version = before["assignment_version"].clone();
    until("the alert about the replication is open", || {
        let known = open_alerts(&leader, "replication_is_asynchronous");
        (known.len() == 1).then_some(())
    });
    let (_, cluster) = leader.get("/cluster");
    let database = json!({"timeline": 1, "replication": "asynchronous"});
    assert_eq!(cluster["database"], database);
    pair.catch_up();

    pair.primary.stop_immediate();
    pair.standby.promote();
    let promoted = now();
    until("the leader leads on the promoted database", || {
        let (_, cluster) = leader.try_get("/cluster")?;
        (cluster["term"].as_i64()? == 2 * TERM + 1 && leads(&leader)).then_some(())
    });
    assert!(now().duration_since(promoted) < SETTLED_WITHIN);
    leader.wait_for_line("nothing is lost; taking a new term there");
    assert!(!leads(&other));
    let (_, cluster) = leader.get("/cluster");
    assert_eq!(cluster["leader"]["node"], "a", "{cluster}");
    // Its worker goes on, with a lease, and nothing has moved.
    let after = beat(&leader, "w1", &life, &version, &json!([1]));
    assert!(after["lease_seconds"].as_f64().unwrap() > 40.0, "{after}");
    assert!(after.get("assign").is_none(), "{after}");
    assert_eq!(after["term"].as_i64(), Some(2 * TERM + 1));
    assert_eq!(open_alerts(&leader, "database_went_back"), [Value::Null; 0]);
    let given = until("changes are saved again", || {
        let (status, given) = ask(&leader, "w1", &life, 1);
        (status == 200).then_some(given)
    });
    assert!(now().duration_since(promoted) < SETTLED_WITHIN);
    let epoch = given["assignments"][0]["epoch"].as_i64().unwrap();
    assert!(epoch > 2 * EPOCH, "{given}");
    assert_eq!(owner(&leader, 1), Some(json!("w1")));
    until("the standby follows the new term", || {
        let (_, cluster) = other.try_get("/cluster")?;
        (cluster["term"].as_i64()? == 2 * TERM + 1).then_some(())
    });
}

#[test]
fn the_living_leader_writes_again_what_a_fail_over_loses() {
    expect_errors(&["alert leader_unproven", "alert store_unavailable"]);
    let pair = Pair::new();
    let [mut leader, mut other] = pair.orchestrators("60s");
    add_streams(&leader);
    let life = register(&leader, "w1");
    beat(&leader, "w1", &life, &json!(0), &json!([]));
    let (_, given) = ask(&leader, "w1", &life, 1);
    assert_eq!(given["assigned_streams"], json!([1]), "{given}");
    pair.catch_up();
    pair.stop_the_stream();
    // All of this is lost.
    let (_, given) = ask(&leader, "w1", &life, 1);
    assert_eq!(given["assigned_streams"], json!([2]), "{given}");
    register(&leader, "w2");
    let body = json!({"streams": [{"id": 3, "name": "s3"}]});
    assert_eq!(leader.post("/streams", &body).0, 200);
    let before = beat(&leader, "w1", &life, &json!(0), &json!([1, 2]));
    let version = before["assignment_version"].clone();

    pair.primary.stop_immediate();
    pair.standby.promote();
    leader.wait_for_line("and writing the lost changes again");
    leader.wait_for_line("lost changes are written again");
    leader.wait_for_line("leading on under term");
    // Its worker goes on with a lease, and is told nothing.
    let after = until("a lease is granted again", || {
        let after = beat(&leader, "w1", &life, &version, &json!([1, 2]));
        (after["lease_seconds"].as_f64()? > 40.0).then_some(after)
    });
    assert!(after.get("full").is_none(), "{after}");
    assert_eq!(after["assignment_version"], version);
    let given = until("changes are saved again", || {
        let (status, given) = ask(&leader, "w1", &life, 1);
        (status == 200).then_some(given)
    });
    assert_eq!(given["assigned_streams"], json!([3]), "{given}");
    let epoch = given["assignments"][0]["epoch"].as_i64().unwrap();
    assert!(epoch > 2 * EPOCH, "{given}");

    // The database has all of it: another leader goes on from there, and nothing is frozen.
    leader.kill();
    other.wait_for_line("ready on ");
    assert_eq!(open_alerts(&other, "database_went_back"), [Value::Null; 0]);
    for stream in [1, 2, 3] {
        assert_eq!(owner(&other, stream), Some(json!("w1")));
    }
    let (status, known) = other.get("/instances/w2");
    assert_eq!(status, 200, "{known}");
    // Each event is told once, and no number of a lost one comes back.
    let (_, story) = other.get("/resilience/events?stream=2");
    let events = story["events"].as_array().unwrap();
    let given = events
        .iter()
        .filter(|event| event["kind"] == "stream_assigned");
    assert_eq!(given.count(), 1, "{story}");
    let last = events.iter().filter_map(|event| event["sequence"].as_i64());
    assert!(last.max().is_some_and(|last| last > 1 << 20), "{story}");
}

/// The promoted server refuses one of the lost changes, so the leader stops in the middle of them.
#[test]
fn a_leader_that_cannot_write_all_lost_changes_again_leaves_the_mark_of_a_loss() {
    expect_errors(&[
        "alert leader_unproven",
        "alert store_unavailable",
        "alert database_went_back",
        "the lost changes could not be written again",
        "the database went back",
    ]);
    let pair = Pair::new();
    let [leader, mut other] = pair.orchestrators("20s");
    add_streams(&leader);
    pair.refuse_stream_after_a_promotion(4);
    pair.catch_up();
    pair.stop_the_stream();
    for id in [3, 4, 5] {
        let body = json!({"streams": [{"id": id, "name": format!("s{id}")}]});
        assert_eq!(leader.post("/streams", &body).0, 200);
    }
    pair.primary.stop_immediate();
    pair.standby.promote();
    let ended = leader.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    let sentence = "the lost changes could not be written again";
    assert!(ended.log.contains(sentence), "{}", ended.log);

    // What was written again before stays, and the next leader knows that something is missing.
    other.wait_for_line("ready on ");
    assert_eq!(open_alerts(&other, "database_went_back").len(), 1);
    assert_eq!(other.get("/streams/3").0, 200);
    assert_eq!(other.get("/streams/4").0, 404);
    assert_eq!(other.get("/streams/5").0, 404);
    let body = json!({"server_id": "w1", "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
    assert_eq!(other.post("/register", &body).0, 503);
}

#[test]
fn a_fail_over_that_loses_changes_starts_nothing_until_all_leases_are_over() {
    expect_errors(&[
        "alert leader_unproven",
        "alert store_unavailable",
        "alert database_went_back",
        "a standby of the database was promoted",
        "the database went back",
    ]);
    let pair = Pair::new();
    let [leader, mut other] = pair.orchestrators("20s");
    add_streams(&leader);
    let life = register(&leader, "w1");
    beat(&leader, "w1", &life, &json!(0), &json!([]));
    let (_, given) = ask(&leader, "w1", &life, 1);
    assert_eq!(given["assigned_streams"], json!([1]), "{given}");
    pair.catch_up();
    pair.stop_the_stream();
    // It may have taken over, and does not say whether it did.
    other.signal(Signal::STOP);
    // This is lost: w1 runs stream 2, of which the promoted database will not know.
    let (_, given) = ask(&leader, "w1", &life, 1);
    assert_eq!(given["assigned_streams"], json!([2]), "{given}");
    let lost_epoch = given["assignments"][0]["epoch"].as_i64().unwrap();
    let before = beat(&leader, "w1", &life, &json!(0), &json!([1, 2]));
    let version = before["assignment_version"].clone();
    assert!(before["lease_seconds"].as_f64().unwrap() > 10.0, "{before}");

    pair.primary.stop_immediate();
    pair.standby.promote();
    // The leader knows better than its database, and does not go on from its memory.
    let ended = leader.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    let sentence = "(timeline 2, was 1): it has version ";
    let line = ended.log.lines().find(|line| line.contains(sentence));
    let line = line.unwrap_or_else(|| panic!("no loss in:\n{}", ended.log));
    assert!(line.contains("was acknowledged"), "{line}");
    assert!(line.contains("`b` may have taken over"), "{line}");
    other.signal(Signal::CONT);

    // The next leader starts nothing, and lets go on what both sides agree on.
    other.wait_for_line("The database went back: it has version ");
    other.wait_for_line("ready on ");
    let alerts = until("the alert is open", || {
        let alerts = open_alerts(&other, "database_went_back");
        (!alerts.is_empty()).then_some(alerts)
    });
    let detail = alerts[0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("was there before"), "{detail}");
    let told = beat(&other, "w1", &life, &version, &json!([1, 2]));
    assert_eq!(
        (&told["full"], &told["assign"][1]),
        (&json!(true), &Value::Null)
    );
    // The lost history may have given it to another instance and back: no lower epoch than those comes back.
    assert_eq!(told["assign"][0]["stream_id"], json!(1), "{told}");
    let kept_epoch = told["assign"][0]["epoch"].as_i64().unwrap();
    assert!(kept_epoch > 2 * EPOCH, "{told}");
    assert!(told["lease_seconds"].as_f64().unwrap() > 10.0, "{told}");
    let (status, refused) = ask(&other, "w1", &life, 1);
    assert_eq!(status, 503, "{refused}");
    let body = json!({"server_id": "w2", "ip": "127.0.0.1", "port": 9001, "max_streams": 10});
    assert_eq!(other.post("/register", &body).0, 503);

    // When all leases are over, streams start again, and the lost epoch does not come back.
    let given = until("streams start again", || {
        beat(&other, "w1", &life, &version, &json!([1]));
        let (status, given) = ask(&other, "w1", &life, 1);
        (status == 200).then_some(given)
    });
    assert_eq!(given["assigned_streams"], json!([2]), "{given}");
    let epoch = given["assignments"][0]["epoch"].as_i64().unwrap();
    assert!(epoch > kept_epoch && epoch > lost_epoch, "{given}");
    let told = beat(&other, "w1", &life, &version, &json!([1]));
    assert_eq!(
        told["full"],
        json!(true),
        "no version names two sets: {told}"
    );
    until("the alert closes", || {
        open_alerts(&other, "database_went_back")
            .is_empty()
            .then_some(())
    });
    let (_, cluster) = other.get("/cluster");
    assert!(cluster["term"].as_i64().unwrap() > 2 * TERM, "{cluster}");
}

/// A process that was started after the promotion does not know what the one before it did on the old primary.
#[test]
fn a_leader_does_not_take_a_new_process_for_the_one_that_may_have_taken_over() {
    expect_errors(&[
        "alert leader_unproven",
        "alert store_unavailable",
        "alert database_went_back",
        "a standby of the database was promoted",
        "the database went back",
    ]);
    let pair = Pair::new();
    let [leader, other] = pair.orchestrators("60s");
    add_streams(&leader);
    pair.catch_up();
    leader.signal(Signal::STOP);
    pair.primary.stop_immediate();
    let address = other.address().trim_start_matches("http://").to_owned();
    other.kill();
    pair.standby.promote();
    let mut other = pair.orchestrator_at(&address, "b", "60s");
    // It has read the row of the leader's term, and has seen no higher one.
    other.wait_for_line("standby: `a` leads");
    leader.signal(Signal::CONT);
    let ended = leader.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    let sentence = "the orchestrator `b` may have taken over before it was started again";
    assert!(ended.log.contains(sentence), "{}", ended.log);
    other.wait_for_line("ready on ");
    assert_eq!(open_alerts(&other, "database_went_back").len(), 1);
}

/// The leader dies with the primary: no process knows what was acknowledged last.
#[test]
fn a_leader_that_dies_with_the_primary_gives_no_word() {
    expect_errors(&["alert database_went_back"]);
    let pair = Pair::new();
    let [leader, mut other] = pair.orchestrators("20s");
    add_streams(&leader);
    pair.catch_up();
    pair.primary.stop_immediate();
    leader.kill();
    pair.standby.promote();
    other.wait_for_line("No leader before says that nothing is lost");
    other.wait_for_line("ready on ");
    assert_eq!(open_alerts(&other, "database_went_back").len(), 1);
    other.wait_for_line("streams start again");
}
