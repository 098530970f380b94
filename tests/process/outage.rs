//! The real program while its real database is down, hangs, and comes back.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot be prepared fails the test"
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::postgres::{Database, Server};
use crate::support::process::expect_errors;
use crate::support::process::{self, Orchestrator, command, launch, start};
use crate::support::proxy::Proxy;
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use resilient_orchestrator::store;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

fn register(id: &str) -> Value {
    json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": 20})
}

fn on_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// An empty database behind a proxy.
fn behind_a_proxy() -> (Database, Proxy, String) {
    let database = on_runtime(Database::new());
    let url = database.url();
    let (before, rest) = url
        .split_once("@127.0.0.1:")
        .expect("a URL with a user, on loopback");
    let (port, name) = rest.split_once('/').expect("a URL with a database");
    let proxy = Proxy::in_front_of(port.parse().expect("a port"));
    let url = format!("{before}@127.0.0.1:{}/{name}", proxy.port());
    (database, proxy, url)
}

/// Beats until told to stop; every answer must be 200. Returns how many there were.
fn beating(orchestrator: &Orchestrator, id: &str) -> (Sender<()>, JoinHandle<usize>) {
    let (agent, address) = orchestrator.client();
    let beat = json!({"server_id": id, "current_streams": 0});
    let (stop, stopped) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut beats = 0;
        while stopped.recv_timeout(Duration::from_millis(100)).is_err() {
            let (status, answer) = process::post(&agent, &address, "/heartbeat", &beat).unwrap();
            assert_eq!(status, 200, "a heartbeat was refused: {answer}");
            beats += 1;
        }
        beats
    });
    (stop, thread)
}

/// What `DATABASE_TIMEOUT` is set to in the outages.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

fn is_refused_by_the_breaker(orchestrator: &Orchestrator) -> bool {
    let (_, answer) = orchestrator.get("/resilience/breakers");
    let breakers = answer["breakers"].as_array().expect("breakers");
    breakers.iter().all(|breaker| breaker["state"] != "closed")
}

/// While the database is out heartbeats and questions are answered, changes are not, and nothing
/// fails for it; a worker that dies meanwhile is recovered once the database is back.
#[expect(
    clippy::disallowed_methods,
    reason = "how long an answer takes is seen from outside"
)]
fn lives_through_an_outage(url: &str, goes: impl FnOnce(), returns: impl FnOnce()) {
    let folder = tempdir().unwrap();
    let settings = [
        ("DATABASE_URL", url),
        ("DATABASE_TIMEOUT", "2"),
        ("HEARTBEAT_TIMEOUT", "4"),
        ("HEARTBEAT_FLUSH_INTERVAL", "200ms"),
        ("CIRCUIT_BREAKER_THRESHOLD", "2"),
        ("CIRCUIT_BREAKER_TIMEOUT", "1"),
    ];
    let mut orchestrator = start(folder.path(), &settings);
    for id in ["dies", "lives"] {
        assert_eq!(orchestrator.post("/register", &register(id)).0, 200);
    }
    let streams: Vec<Value> = (1..=5)
        .map(|id| json!({"id": id, "name": format!("{id}")}))
        .collect();
    orchestrator.post("/streams", &json!({ "streams": streams }));
    let (_, answer) = orchestrator.post("/streams/assign", &json!({"server_id": "dies"}));
    assert_eq!(answer["count"], 5);
    let (stop, heart) = beating(&orchestrator, "lives");

    goes();
    orchestrator.wait_for_line("the store does not answer");
    let (status, problem) = orchestrator.post("/register", &register("new"));
    assert_eq!(status, 503, "{problem}");
    assert_eq!(orchestrator.get("/health").1["database"], "unavailable");
    assert_eq!(orchestrator.get("/health").1["status"], "healthy");
    assert_eq!(
        orchestrator.get("/instances/new").0,
        404,
        "what was refused is not there"
    );
    orchestrator.wait_for_line("recovery of dies waits");
    // Both are out by now, or soon, in whichever order.
    while orchestrator.get("/status").1["stale_since"].is_null() {}
    while !is_refused_by_the_breaker(&orchestrator) {}
    let began = Instant::now();
    for path in ["/register", "/register", "/register"] {
        assert_eq!(orchestrator.post(path, &register("new")).0, 503);
    }
    let took = began.elapsed();
    assert!(took < DATABASE_TIMEOUT, "nobody waits for it: {took:?}");
    assert_eq!(orchestrator.get("/resilience/events").0, 503);
    let (_, incidents) = orchestrator.get("/resilience/incidents");
    assert!(incidents["stale_since"].is_string(), "{incidents}");
    let (_, dying) = orchestrator.get("/instances/dies");
    assert_ne!(
        dying["data"]["status"], "failed",
        "nothing is shown that is not saved"
    );
    assert_eq!(dying["data"]["current_streams"], 5);

    returns();
    orchestrator.wait_for_line("moved 5 streams off dies");
    let (_, survivor) = orchestrator.get("/instances/lives");
    assert_eq!(survivor["data"]["assigned_streams"], json!([1, 2, 3, 4, 5]));
    assert_eq!(survivor["data"]["status"], "active", "it beat all the time");
    assert_eq!(orchestrator.post("/register", &register("new")).0, 200);
    while !orchestrator.get("/status").1["stale_since"].is_null() {}
    let (_, consistency) = orchestrator.get("/resilience/consistency");
    assert_eq!(consistency["consistent"], true, "{consistency}");
    let (_, failed) = orchestrator.get("/resilience/incidents");
    for incident in failed["incidents"].as_array().unwrap() {
        assert_eq!(incident["server_id"], "dies", "no false failure");
    }
    stop.send(()).unwrap();
    assert!(heart.join().unwrap() > 10);
}

#[test]
fn a_database_that_is_stopped_and_started_again() {
    expect_errors(&["the store is out"]);
    // A server of its own: stopping it must not disturb other tests.
    let server = Server::start(&[], "");
    let database = on_runtime(server.database());
    lives_through_an_outage(
        &database.url(),
        || server.stop_immediate(),
        || server.start_again(),
    );
}

#[test]
fn a_database_that_accepts_and_never_answers() {
    expect_errors(&["the store is out"]);
    let (_database, proxy, url) = behind_a_proxy();
    lives_through_an_outage(&url, || proxy.freeze(), || proxy.thaw());
}

#[test]
fn a_hanging_database_does_not_hold_up_the_end() {
    expect_errors(&["what was under way could not be finished"]);
    let (_database, proxy, url) = behind_a_proxy();
    let folder = tempdir().unwrap();
    // Longer than the whole shutdown may take.
    let settings = [("DATABASE_URL", url.as_str()), ("DATABASE_TIMEOUT", "60")];
    let orchestrator = start(folder.path(), &settings);
    assert_eq!(orchestrator.post("/register", &register("a")).0, 200);
    proxy.freeze();
    // Once this has run out of time the change is certainly being saved.
    let impatient: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(500)))
        .build()
        .into();
    let (_, address) = orchestrator.client();
    assert_eq!(
        process::post(&impatient, &address, "/register", &register("b")),
        None
    );
    let beat = json!({"server_id": "a", "current_streams": 0});
    assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
    orchestrator.signal(Signal::TERM);
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(orchestrator.wait()));
    let end = end
        .recv_timeout(Duration::from_secs(10))
        .expect("gone within 10 s");
    assert_eq!(end.status.code(), Some(0), "{}", end.log);
    assert!(end.log.contains("could not be finished"), "{}", end.log);
}

/// How many transactions were begun so far.
fn begun(orchestrator: &Orchestrator) -> u64 {
    let (agent, address) = orchestrator.client();
    let mut answer = agent.get(format!("{address}/metrics")).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("orchestrator_batch_commands_count "));
    line.unwrap().parse().unwrap()
}

#[test]
fn what_is_in_flight_is_finished_before_the_end() {
    let (_database, proxy, url) = behind_a_proxy();
    let folder = tempdir().unwrap();
    let settings = [("DATABASE_URL", url.as_str()), ("DATABASE_TIMEOUT", "5")];
    let mut orchestrator = start(folder.path(), &settings);
    assert_eq!(orchestrator.post("/register", &register("a")).0, 200);
    let before = begun(&orchestrator);
    proxy.freeze();
    let (agent, address) = orchestrator.client();
    let change =
        thread::spawn(move || process::post(&agent, &address, "/register", &register("b")));
    // Each look is a request of its own; the change is certainly under way once it is counted.
    while begun(&orchestrator) == before {}
    orchestrator.signal(Signal::TERM);
    orchestrator.wait_for_line("shutting down");
    proxy.thaw();
    let (status, answer) = change.join().unwrap().expect("an answer");
    assert_eq!(status, 200, "{answer}");
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);

    let again = start(folder.path(), &settings);
    assert_eq!(
        again.get("/instances/b").0,
        200,
        "what was answered is there"
    );
}

/// A port on loopback where nothing listens.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Something that answers every connection as a PostgreSQL server does that refuses it with a
/// SQLSTATE; the port.
fn refusing(state: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut startup = [0; 1024];
            let _ = client.read(&mut startup);
            let fields = format!("SFATAL\0VFATAL\0C{state}\0Mrefused on purpose\0\0");
            let length = u32::try_from(fields.len() + 4).unwrap();
            let mut message = vec![b'E'];
            message.extend(length.to_be_bytes());
            message.extend(fields.as_bytes());
            let _ = client.write_all(&message);
        }
    });
    port
}

/// Runs the program to its end and returns its exit code and its log; it must not wait.
fn run(settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = tempdir().unwrap();
    let output = command(folder.path(), settings).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), log)
}

#[test]
fn while_the_database_is_not_there_yet_every_route_but_livez_is_503_and_none_404() {
    let folder = tempdir().unwrap();
    let url = format!("postgres://someone:geheim@127.0.0.1:{}/fleet", free_port());
    let mut orchestrator = launch(folder.path(), &[("DATABASE_URL", &url)]);
    let line = orchestrator.wait_for_line("waiting for the database");
    assert!(
        line.contains(" since 20") && line.contains("127.0.0.1"),
        "{line}"
    );
    assert_eq!(orchestrator.get("/livez").0, 200);
    let (status, ready) = orchestrator.get("/ready");
    assert_eq!(status, 503, "{ready}");
    assert_eq!(ready["status"], "not_ready");
    assert_eq!(ready["services"]["database"], "unavailable");
    let beat = json!({"server_id": "a", "current_streams": 0});
    assert_eq!(orchestrator.post("/heartbeat", &beat).0, 503);
    for path in ["/health", "/instances/a", "/no/such/route"] {
        let (status, problem) = orchestrator.get(path);
        assert_eq!(status, 503, "{path}: {problem}");
        assert_eq!(problem["type"], "/problems/starting", "{path}");
    }
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line("SIGHUP: no setting has changed");
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(!ended.log.contains("geheim"), "{}", ended.log);
    assert!(!ended.log.contains(" ERROR "), "{}", ended.log);
}

#[test]
fn a_start_goes_on_by_itself_once_its_database_answers() {
    let (database, proxy, url) = behind_a_proxy();
    let real = database.url();
    let real = real.split(['/', ':']).find_map(|part| part.parse().ok());
    proxy.redirect(free_port());
    let folder = tempdir().unwrap();
    let mut orchestrator = launch(folder.path(), &[("DATABASE_URL", &url)]);
    orchestrator.wait_for_line("waiting for the database");
    assert_eq!(orchestrator.post("/register", &register("a")).0, 503);
    proxy.redirect(real.expect("a port"));
    orchestrator.wait_for_line(" answers; the start waited for ");
    orchestrator.wait_for_line("ready on ");
    assert_eq!(orchestrator.post("/register", &register("a")).0, 200);
    assert_eq!(orchestrator.get("/ready").0, 200);
}

#[test]
fn a_server_that_starts_or_is_full_is_waited_for() {
    for state in ["57P03", "53300"] {
        let url = format!("postgres://u@127.0.0.1:{}/fleet", refusing(state));
        let folder = tempdir().unwrap();
        let mut orchestrator = launch(folder.path(), &[("DATABASE_URL", &url)]);
        let line = orchestrator.wait_for_line("waiting for the database");
        assert!(line.contains("refused on purpose"), "{line}");
    }
}

#[test]
fn a_server_that_refuses_for_good_ends_the_start_at_once() {
    for state in ["28P01", "28000", "3D000"] {
        let url = format!("postgres://u@127.0.0.1:{}/fleet", refusing(state));
        let (code, log) = run(&[("DATABASE_URL", &url)]);
        assert_eq!(code, Some(1), "{state}: {log}");
        assert!(!log.contains("waiting for"), "{state}: {log}");
        assert!(log.contains("DATABASE_URL"), "what to do: {log}");
        assert_eq!(log.matches(" ERROR ").count(), 1, "{state}: {log}");
    }
}

#[test]
fn an_unknown_database_on_a_real_server_ends_the_start_with_the_command_that_makes_it() {
    let database = on_runtime(Database::new());
    let url = format!("{}_missing", database.url());
    let (code, log) = run(&[("DATABASE_URL", &url)]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("createdb --template=template0"), "{log}");
}

#[test]
fn a_schema_of_a_newer_release_ends_the_start_at_once() {
    let database = on_runtime(Database::new());
    let url = database.url();
    let folder = tempdir().unwrap();
    drop(start(folder.path(), &[("DATABASE_URL", &url)]));
    on_runtime(async {
        let client = database.connect().await;
        let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')";
        client.batch_execute(newer).await.unwrap();
    });
    let (code, log) = run(&[("DATABASE_URL", &url)]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("newer release"), "{log}");
    assert!(!log.contains("waiting for"), "{log}");
}

#[test]
fn the_wait_for_a_database_ends_when_it_was_told_to() {
    let url = format!("postgres://u@127.0.0.1:{}/fleet", free_port());
    let (code, log) = run(&[("DATABASE_URL", &url), ("DATABASE_WAIT", "0")]);
    assert_eq!(code, Some(1), "{log}");
    assert!(!log.contains("waiting for"), "{log}");
    let (code, log) = run(&[("DATABASE_URL", &url), ("DATABASE_WAIT", "1s")]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("waiting for"), "{log}");
    assert!(log.contains("gave up after 1 s (DATABASE_WAIT)"), "{log}");
}

#[test]
fn a_migration_never_waits_for_its_database() {
    let folder = tempdir().unwrap();
    let url = format!("postgres://u@127.0.0.1:{}/fleet", free_port());
    let mut migrate = command(folder.path(), &[("DATABASE_URL", &url)]);
    let output = migrate.arg("migrate").output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(!log.contains("waiting for"), "{log}");
}

#[test]
fn a_sqlite_file_that_another_process_holds_is_waited_for() {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};

    let folder = tempdir().unwrap();
    let file = folder.path().join("orchestrator.db");
    let mut holder = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let hold = "CREATE TABLE t (x); PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE";
    holder.batch_execute(hold).unwrap();
    let mut orchestrator = launch(folder.path(), &[("DATABASE_TIMEOUT", "500ms")]);
    let line = orchestrator.wait_for_line("waiting for the database");
    assert!(line.contains("is held by another program"), "{line}");
    assert_eq!(orchestrator.get("/health").0, 503);
    drop(holder);
    orchestrator.wait_for_line("ready on ");
    assert_eq!(orchestrator.get("/health").0, 200);
}

/// The orchestrator ends while its database hangs, for longer than a timeout: nobody is late.
#[test]
fn nobody_is_late_while_the_end_takes_longer_than_a_timeout() {
    expect_errors(&["what was under way could not be finished"]);
    let (_database, proxy, url) = behind_a_proxy();
    let folder = tempdir().unwrap();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_TIMEOUT", "60"),
        ("HEARTBEAT_TIMEOUT", "3s"),
        ("HEARTBEAT_CHECK_INTERVAL", "200ms"),
    ];
    let orchestrator = start(folder.path(), &settings);
    assert_eq!(orchestrator.post("/register", &register("a")).0, 200);
    let streams = json!({"streams": [{"id": 1, "name": "s1"}]});
    assert_eq!(orchestrator.post("/streams", &streams).0, 200);
    let before = begun(&orchestrator);
    proxy.freeze();
    let (agent, address) = orchestrator.client();
    let change = thread::spawn(move || {
        let ask = json!({"server_id": "a", "requested_count": 1});
        process::post(&agent, &address, "/streams/assign", &ask)
    });
    while begun(&orchestrator) == before {}
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    let _ = change.join();
    assert!(ended.log.contains("could not be finished"), "{}", ended.log);
    for word in ["late", "failed", "mass failure"] {
        assert!(!ended.log.contains(word), "{word}: {}", ended.log);
    }
}

#[test]
fn a_second_signal_during_the_end_ends_it_at_once() {
    expect_errors(&["SIGTERM during the stop"]);
    let (_database, proxy, url) = behind_a_proxy();
    let folder = tempdir().unwrap();
    let settings = [("DATABASE_URL", url.as_str()), ("DATABASE_TIMEOUT", "60")];
    let mut orchestrator = start(folder.path(), &settings);
    assert_eq!(orchestrator.post("/register", &register("a")).0, 200);
    let before = begun(&orchestrator);
    proxy.freeze();
    let (agent, address) = orchestrator.client();
    let change =
        thread::spawn(move || process::post(&agent, &address, "/register", &register("b")));
    while begun(&orchestrator) == before {}
    orchestrator.signal(Signal::TERM);
    orchestrator.wait_for_line("SIGTERM: shutting down");
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line("SIGHUP is ignored");
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    assert!(
        ended.log.contains("SIGTERM during the stop"),
        "{}",
        ended.log
    );
    assert!(
        !ended.log.contains("could not be finished"),
        "{}",
        ended.log
    );
    let _ = change.join();
}

/// One worker sends a value that the database refuses, somebody asks for a stream that it refuses;
/// nobody else notices.
fn lives_with_values_the_database_refuses(url: &str) {
    let folder = tempdir().unwrap();
    let settings = [
        ("DATABASE_URL", url),
        ("HEARTBEAT_FLUSH_INTERVAL", "200ms"),
        ("CIRCUIT_BREAKER_THRESHOLD", "1"),
    ];
    let mut orchestrator = start(folder.path(), &settings);
    for id in ["well", "odd"] {
        assert_eq!(orchestrator.post("/register", &register(id)).0, 200);
    }
    let beat = |id: &str, cpu: f64| json!({"server_id": id, "current_streams": 0, "system_metrics": {"cpu_percent": cpu}});
    for _ in 0..3 {
        assert_eq!(orchestrator.post("/heartbeat", &beat("odd", 1e9)).0, 200);
        assert_eq!(orchestrator.post("/heartbeat", &beat("well", 50.0)).0, 200);
    }
    orchestrator.wait_for_line("refused a metrics record of odd");
    let streams = |name: &str| json!({"streams": [{"name": name}]});
    let (status, problem) = orchestrator.post("/streams", &streams("longer than twelve letters"));
    assert_eq!(
        (status, &problem["status"]),
        (422, &json!(422)),
        "{problem}"
    );
    assert_eq!(orchestrator.post("/streams", &streams("short")).0, 200);
    assert!(!is_refused_by_the_breaker(&orchestrator));
    let (_, health) = orchestrator.get("/health");
    assert_eq!(health["database"], "available");
    let (_, saved) = orchestrator.get("/instances/well/metrics");
    assert_eq!(
        (&saved["count"], &saved["complete"]),
        (&json!(3), &json!(true))
    );
    let ended = orchestrator.kill();
    let lines = ended.log.lines();
    let refusals = lines.filter(|line| line.contains("metrics record of odd"));
    assert_eq!(refusals.count(), 1, "logged once");
}

#[test]
fn a_value_that_sqlite_refuses_is_that_value_s_fault() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    let url = format!("sqlite://{}", path.display());
    on_runtime(store::migrate(&url, DATABASE_TIMEOUT)).unwrap();
    SqliteConnection::establish(path.to_str().unwrap())
        .unwrap()
        .batch_execute(
            "CREATE TRIGGER metric BEFORE INSERT ON metrics WHEN new.cpu_percent > 999
                 BEGIN SELECT RAISE(ABORT, 'too great'); END;
             CREATE TRIGGER name BEFORE INSERT ON streams WHEN length(new.name) > 12
                 BEGIN SELECT RAISE(ABORT, 'too long'); END",
        )
        .unwrap();
    lives_with_values_the_database_refuses(&url);
}

#[test]
fn a_value_that_postgres_refuses_is_that_value_s_fault() {
    let database = on_runtime(Database::new());
    on_runtime(async {
        store::migrate(&database.url(), DATABASE_TIMEOUT)
            .await
            .unwrap();
        let odd = "ALTER TABLE streams ALTER COLUMN name TYPE varchar(12);
            CREATE FUNCTION narrow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                PERFORM new.cpu_percent::numeric(4, 1);
                RETURN new;
            END $$;
            CREATE TRIGGER narrow BEFORE INSERT ON metrics
                FOR EACH ROW EXECUTE FUNCTION narrow()";
        database.connect().await.batch_execute(odd).await.unwrap();
    });
    lives_with_values_the_database_refuses(&database.url());
}
