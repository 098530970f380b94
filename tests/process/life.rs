//! The life of the real process: ready, asked to end, killed, in the way of another one.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::support::postgres::Database;
use crate::support::process::expect_errors;
use crate::support::process::{self, Orchestrator, command, launch, start};
use rustix::process::Signal;
use serde_json::json;
use tempfile::{TempDir, tempdir};

fn folder() -> TempDir {
    tempdir().unwrap()
}

fn on_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn register(orchestrator: &Orchestrator, id: &str, max_streams: u32) {
    let body =
        json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": max_streams});
    let (status, answer) = orchestrator.post("/register", &body);
    assert_eq!(status, 200, "{answer}");
}

fn save_streams(orchestrator: &Orchestrator, count: i64) {
    let streams: Vec<_> = (1..=count)
        .map(|id| json!({"id": id, "name": format!("s{id}")}))
        .collect();
    let (status, answer) = orchestrator.post("/streams", &json!({ "streams": streams }));
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn it_needs_nothing_and_keeps_everything_in_one_file() {
    let folder = folder();
    let orchestrator = start(folder.path(), &[]);
    register(&orchestrator, "a", 3);
    save_streams(&orchestrator, 5);
    let (_, answer) = orchestrator.post("/streams/assign", &json!({"server_id": "a"}));
    assert_eq!(answer["assigned_streams"], json!([1, 2, 3]));
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(folder.path().join("orchestrator.db").exists());

    let again = start(folder.path(), &[]);
    let (_, instance) = again.get("/instances/a");
    assert_eq!(instance["data"]["assigned_streams"], json!([1, 2, 3]));
    assert_eq!(instance["data"]["status"], "active");
}

#[test]
fn each_signal_to_end_ends_it_in_order_and_saves_the_last_heartbeats() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let folder = folder();
        let orchestrator = start(folder.path(), &[("HEARTBEAT_FLUSH_INTERVAL", "1h")]);
        register(&orchestrator, "a", 1);
        let beat = json!({"server_id": "a", "current_streams": 0,
            "system_metrics": {"cpu_percent": 12.5}});
        assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
        let (_, before) = orchestrator.get("/instances/a");
        orchestrator.signal(signal);
        let ended = orchestrator.wait();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
        assert!(ended.log.contains("shutting down"), "{}", ended.log);

        let again = start(folder.path(), &[]);
        let (_, after) = again.get("/instances/a");
        assert_eq!(
            after["data"]["last_heartbeat"],
            before["data"]["last_heartbeat"]
        );
        let (_, metrics) = again.get("/instances/a/metrics");
        assert_eq!(metrics["metrics"][0]["cpu_percent"], 12.5, "{metrics}");
    }
}

#[test]
fn who_waits_for_changes_is_answered_when_it_ends_and_does_not_delay_that() {
    let folder = folder();
    let orchestrator = start(folder.path(), &[]);
    register(&orchestrator, "a", 1);
    let send = |path: &str| {
        let mut stream =
            TcpStream::connect(orchestrator.address().trim_start_matches("http://")).unwrap();
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        stream
    };
    let text = |mut stream: TcpStream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let waits = send("/instances/a/assignments?version=1&wait=60s");
    // Each round is a request of its own, so this does not spin.
    while !text(send("/metrics")).contains("orchestrator_polls_waiting 1\n") {}
    orchestrator.signal(Signal::TERM);
    let answer = text(waits);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(
        !ended.log.contains("could not be finished"),
        "{}",
        ended.log
    );
}

#[test]
fn a_port_in_use_is_one_sentence_and_takes_nothing_from_the_first() {
    let folder = folder();
    let first = start(folder.path(), &[]);
    let address = first.address().trim_start_matches("http://").to_owned();
    let second = command(folder.path(), &[("BIND_ADDRESS", &address)])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{log}");
    assert!(log.contains(&address) && log.contains("in use"), "{log}");
    register(&first, "a", 1);
}

/// What a folder holds, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_clean_stop_leaves_everything_in_the_one_file() {
    let (folder, elsewhere) = (folder(), tempdir().unwrap());
    let orchestrator = start(folder.path(), &[("HEARTBEAT_FLUSH_INTERVAL", "1h")]);
    register(&orchestrator, "a", 3);
    save_streams(&orchestrator, 500);
    let beat = json!({"server_id": "a", "current_streams": 0});
    assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
    let (_, before) = orchestrator.get("/instances/a");
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert_eq!(names(folder.path()), ["orchestrator.db"]);

    fs::copy(
        folder.path().join("orchestrator.db"),
        elsewhere.path().join("orchestrator.db"),
    )
    .unwrap();
    let copied = start(elsewhere.path(), &[]);
    let (_, after) = copied.get("/instances/a");
    assert_eq!(
        after["data"]["last_heartbeat"], before["data"]["last_heartbeat"],
        "the last heartbeat too"
    );
    assert_eq!(copied.get("/status").1["streams"]["total"], 500);
}

#[test]
fn migrating_by_hand_leaves_one_file() {
    let folder = folder();
    for arguments in [&["migrate"][..], &["migrate", "--down"], &["migrate"]] {
        let output = command(folder.path(), &[])
            .args(arguments)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert_eq!(names(folder.path()), ["orchestrator.db"]);
    }
}

#[test]
fn a_second_process_on_the_same_file_is_refused_at_once_and_told_by_whom() {
    let folder = folder();
    let first = start(folder.path(), &[]);
    register(&first, "a", 1);
    let address = first.address().trim_start_matches("http://").to_owned();
    for arguments in [&[][..], &["migrate"], &["migrate", "--down"]] {
        let second = command(folder.path(), &[])
            .args(arguments)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&second.stderr);
        assert_eq!(second.status.code(), Some(1), "{log}");
        assert_eq!(log.matches("ERROR").count(), 1, "one sentence:\n{log}");
        for part in [
            &format!("process {}", first.process_id()),
            &format!("at {address}"),
            "since 2",
            "orchestrator.db",
        ] {
            assert!(log.contains(part), "no `{part}` in {log}");
        }
    }
    // Nothing was taken from the first: its term holds, and its tables are there.
    register(&first, "b", 1);
    first.kill();
    let next = start(folder.path(), &[]);
    assert_eq!(next.get("/instances/b").0, 200);
}

#[test]
fn a_second_orchestrator_on_the_same_postgres_deposes_nobody() {
    let database = on_runtime(Database::new());
    let url = database.url();
    let named = |node| [("DATABASE_URL", url.as_str()), ("CLUSTER_NODE", node)];
    let folder = folder();
    let first = start(folder.path(), &named("a"));
    register(&first, "a", 1);
    let led = first.get("/leader").1;
    let mut second = launch(folder.path(), &named("b"));
    second.wait_for_line("standby");
    crate::patience::until("the standby reaches the leader", || {
        (second.try_get("/ready")?.0 == 200).then_some(())
    });
    let body = json!({"server_id": "b", "ip": "127.0.0.1", "port": 9000});
    for each in [&first, &second] {
        let (status, answer) = each.post("/register", &body);
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(second.get("/leader").0, 503);
    assert_eq!(first.get("/leader").1["term"], led["term"]);
    second.signal(Signal::TERM);
    assert_eq!(second.wait().status.code(), Some(0));
    assert_eq!(first.get("/instances/b").0, 200);
}

#[test]
fn a_clean_stop_leaves_no_session_on_postgres() {
    let database = on_runtime(Database::new());
    let url = database.url();
    let settings = [("DATABASE_URL", url.as_str())];
    let folder = folder();
    let migrated = command(folder.path(), &settings)
        .arg("migrate")
        .output()
        .unwrap();
    assert_eq!(migrated.status.code(), Some(0));
    no_session_is_left(&database);
    let orchestrator = start(folder.path(), &settings);
    register(&orchestrator, "a", 1);
    assert_eq!(orchestrator.get("/resilience/events").0, 200);
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    no_session_is_left(&database);
}

/// The server takes a moment to notice that a client has gone; each look is a query of its own.
fn no_session_is_left(database: &Database) {
    on_runtime(async {
        let client = database.connect().await;
        let sessions = "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'resilient-orchestrator'";
        while client
            .query_one(sessions, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {}
    });
}

#[test]
fn a_new_database_is_told_of_at_the_start_and_one_with_a_fleet_is_not() {
    let folder = folder();
    let orchestrator = start(folder.path(), &[]);
    orchestrator.line_seen("new database, no instances");
    orchestrator.kill();
    let again = start(folder.path(), &[]);
    again.line_seen("empty database, no instances");
    register(&again, "a", 1);
    again.kill();
    let full = start(folder.path(), &[]).kill();
    assert!(!full.log.contains("no instances"), "{}", full.log);
}

/// Short enough to see a sweep, and long enough to beat in between.
const SWEEPING: [(&str, &str); 3] = [
    ("HEARTBEAT_CHECK_INTERVAL", "1s"),
    ("HEARTBEAT_FLUSH_INTERVAL", "1h"),
    ("CIRCUIT_BREAKER_TIMEOUT", "1s"),
];

#[test]
fn a_deleted_file_is_noticed_without_a_request_and_takes_no_change() {
    expect_errors(&[
        "alert store_unavailable",
        "changes are refused",
        "the database file",
        "the store is out",
    ]);
    let folder = folder();
    let mut orchestrator = start(folder.path(), &SWEEPING);
    register(&orchestrator, "a", 1);
    fs::remove_file(folder.path().join("orchestrator.db")).unwrap();
    let line = orchestrator.wait_for_line("changes are refused");
    assert!(line.contains("orchestrator.db"), "{line}");
    // Also when the breaker has opened, and nothing is tried any more.
    for id in 1..=10 {
        let streams = json!({"streams": [{"id": id, "name": format!("s{id}")}]});
        let (status, answer) = orchestrator.post("/streams", &streams);
        assert_eq!(status, 503, "{answer}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains("moved, deleted or replaced"), "{detail}");
    }
    let beat = json!({"server_id": "a", "current_streams": 0});
    assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
    assert_eq!(orchestrator.get("/health").1["database"], "unavailable");
    let (_, answer) = orchestrator.get("/resilience/alerts?open=true");
    let alerts = answer["alerts"].as_array().unwrap().iter();
    let details: Vec<&str> = alerts
        .filter(|alert| alert["kind"] == "store_unavailable")
        .map(|alert| alert["detail"].as_str().unwrap())
        .collect();
    assert_eq!(details.len(), 1, "one cause, one alert: {answer}");
    assert!(details[0].contains("replaced"), "{answer}");

    // It was asked to end, and what it answered is not in the file: there is none.
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    assert!(!folder.path().join("orchestrator.db").exists());
}

#[test]
fn a_file_that_is_put_back_takes_changes_again() {
    expect_errors(&[
        "alert store_unavailable",
        "changes are refused",
        "the store is out",
    ]);
    let folder = folder();
    let mut orchestrator = start(folder.path(), &SWEEPING);
    register(&orchestrator, "a", 1);
    let (path, elsewhere) = (
        folder.path().join("orchestrator.db"),
        folder.path().join("elsewhere.db"),
    );
    fs::rename(&path, &elsewhere).unwrap();
    orchestrator.wait_for_line("changes are refused (store_writes)");
    fs::rename(&elsewhere, &path).unwrap();
    orchestrator.wait_for_line("the store answers again (store_writes)");
    register(&orchestrator, "b", 1);
    while !orchestrator
        .get("/resilience/alerts?open=true&kind=store_unavailable")
        .1["alerts"]
        .as_array()
        .unwrap()
        .is_empty()
    {}
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
}

#[test]
fn a_database_that_cannot_be_used_is_one_sentence() {
    let folder = folder();
    fs::write(
        folder.path().join("orchestrator.db"),
        "this is no database".repeat(100),
    )
    .unwrap();
    let missing = format!(
        "sqlite://{}",
        folder.path().join("no/such/folder/x.db").display()
    );
    for settings in [vec![], vec![("DATABASE_URL", missing.as_str())]] {
        let output = command(folder.path(), &settings).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert_eq!(log.matches("ERROR").count(), 1, "one sentence:\n{log}");
    }
}

#[test]
fn an_unreachable_postgres_is_one_sentence_without_the_password() {
    let folder = folder();
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("postgres://someone:secret-word@127.0.0.1:{port}/none");
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_TIMEOUT", "2"),
        ("DATABASE_WAIT", "0"),
    ];
    let output = command(folder.path(), &settings).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(!log.contains("secret-word"), "{log}");
    assert!(log.contains("127.0.0.1"), "{log}");
    assert_eq!(log.matches("ERROR").count(), 1, "one sentence:\n{log}");
}

#[test]
fn signals_that_mean_nothing_here_are_logged_and_ignored() {
    let folder = folder();
    let mut orchestrator = start(folder.path(), &[]);
    let ignored = [
        (Signal::USR1, "SIGUSR1 is ignored"),
        (Signal::USR2, "SIGUSR2 is ignored"),
    ];
    for (signal, line) in ignored {
        orchestrator.signal(signal);
        orchestrator.wait_for_line(line);
    }
    register(&orchestrator, "a", 1);
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
}

#[test]
fn a_closed_standard_error_ends_nothing() {
    let folder = folder();
    let mut orchestrator = start(folder.path(), &[("RUST_LOG", "debug")]);
    orchestrator.stop_reading();
    for number in 0..20 {
        register(&orchestrator, &format!("i{number}"), 1);
    }
    orchestrator.signal(Signal::HUP);
    assert_eq!(orchestrator.get("/livez").0, 200);
    orchestrator.signal(Signal::TERM);
    assert_eq!(orchestrator.wait().status.code(), Some(0));
}

/// Sends these bytes on a connection of their own.
fn send(orchestrator: &Orchestrator, bytes: &[u8]) -> TcpStream {
    let address = orchestrator.address().trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(20));
    connection.set_read_timeout(limit).unwrap();
    connection.write_all(bytes).unwrap();
    connection
}

fn answer_on(mut connection: TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection may also be reset after what was answered.
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long the end of a real process takes is real time"
)]
fn half_sent_requests_do_not_delay_the_end() {
    let folder = folder();
    let mut orchestrator = start(folder.path(), &[]);
    let half_head = send(
        &orchestrator,
        b"POST /heartbeat HTTP/1.1\r\nHost: h\r\nConte",
    );
    let half_body = send(
        &orchestrator,
        b"POST /heartbeat HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{\"server",
    );
    let half_chunk = send(
        &orchestrator,
        b"POST /register HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"s",
    );
    // Answered on the same workers, so the requests before are being read.
    for _ in 0..4 {
        assert_eq!(orchestrator.get("/livez").0, 200);
    }
    let began = std::time::Instant::now();
    orchestrator.signal(Signal::TERM);
    orchestrator.wait_for_line("shutting down");
    let ended = orchestrator.wait();
    let took = began.elapsed();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(
        took < Duration::from_secs(4),
        "took {took:?}: {}",
        ended.log
    );
    assert!(!ended.log.contains("could not"), "{}", ended.log);
    for connection in [half_body, half_chunk] {
        let answer = answer_on(connection);
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("shutting-down"), "{answer}");
    }
    assert_eq!(answer_on(half_head), "");
}

#[test]
fn what_was_sent_before_the_end_was_asked_for_is_answered_and_kept() {
    let folder = folder();
    let orchestrator = start(folder.path(), &[]);
    let ids: Vec<String> = (0..40).map(|number| format!("i{number}")).collect();
    let request = |id: &String| {
        let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000}).to_string();
        format!(
            "POST /register HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let connections: Vec<TcpStream> = ids
        .iter()
        .map(|id| send(&orchestrator, request(id).as_bytes()))
        .collect();
    orchestrator.signal(Signal::TERM);
    for connection in connections {
        let answer = answer_on(connection);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    let again = start(folder.path(), &[]);
    for id in ids {
        assert_eq!(again.get(&format!("/instances/{id}")).0, 200, "{id}");
    }
}

#[test]
fn while_no_more_files_can_be_opened_nobody_is_late() {
    expect_errors(&["no connection can be taken"]);
    let folder = folder();
    let mut orchestrator = start(folder.path(), &[("HEARTBEAT_TIMEOUT", "3s")]);
    register(&orchestrator, "a", 1);
    orchestrator.allow_files(Some(1));
    orchestrator.wait_for_line("no connection can be taken");
    // What is waited for here is time itself: more than a timeout.
    let (_nobody, silence) = std::sync::mpsc::channel::<()>();
    let _ = silence.recv_timeout(Duration::from_millis(3_500));
    orchestrator.allow_files(None);
    orchestrator.wait_for_line("connections can be taken again");
    assert!(!orchestrator.has_seen("is late"), "nobody could be heard");
    assert!(
        !orchestrator.has_seen("has failed"),
        "nobody could be heard"
    );
    orchestrator.wait_for_line("a has failed");
}

#[test]
fn idle_connections_are_closed_when_it_ends() {
    let folder = folder();
    let orchestrator = start(folder.path(), &[]);
    let idle = send(&orchestrator, b"");
    assert_eq!(orchestrator.get("/livez").0, 200);
    orchestrator.signal(Signal::TERM);
    assert_eq!(answer_on(idle), "");
    assert_eq!(orchestrator.wait().status.code(), Some(0));
}

#[test]
fn logs_are_json_when_asked_for() {
    let folder = folder();
    let mut orchestrator = start(folder.path(), &[("LOG_FORMAT", "json")]);
    register(&orchestrator, "quo\"te", 1);
    let line = orchestrator.wait_for_line("registered");
    let record: serde_json::Value = serde_json::from_str(&line).expect("one JSON object a line");
    assert_eq!(record["level"], "INFO");
    assert_eq!(record["server_id"], "quo\"te");
    assert_eq!(record["max_streams"], 1, "numbers stay numbers: {line}");
}

#[test]
fn a_silent_worker_fails_over_within_its_timeout() {
    let folder = folder();
    let timeout = Duration::from_secs(2);
    let mut orchestrator = start(folder.path(), &[("HEARTBEAT_TIMEOUT", "2s")]);
    register(&orchestrator, "dies", 10);
    save_streams(&orchestrator, 10);
    orchestrator.post("/streams/assign", &json!({"server_id": "dies"}));
    register(&orchestrator, "lives", 10);
    let (agent, address) = orchestrator.client();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let beating = std::thread::spawn(move || {
        while stopped
            .recv_timeout(timeout / 10)
            .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            let beat = json!({"server_id": "lives", "current_streams": 0});
            process::post(&agent, &address, "/heartbeat", &beat).expect("an answer");
        }
    });
    orchestrator.wait_for_line("moved 10 streams off dies");
    let (_, answer) = orchestrator.post(
        "/streams/assign",
        &json!({"server_id": "lives", "requested_count": 0}),
    );
    assert_eq!(answer["count"], 10, "{answer}");
    let (_, dead) = orchestrator.get("/instances/dies");
    assert_eq!(dead["data"]["status"], "failed");
    assert_eq!(dead["data"]["assigned_streams"], json!([]));
    drop(stop);
    beating.join().unwrap();
}

#[test]
fn broken_requests_are_no_errors_of_ours() {
    let folder = folder();
    let orchestrator = start(folder.path(), &[("RUST_LOG", "debug")]);
    let address = orchestrator
        .address()
        .trim_start_matches("http://")
        .to_owned();
    for request in [
        "this is not HTTP\r\n\r\n",
        "POST /heartbeat HTTP/1.1\r\nContent-Length: nonsense\r\n\r\n",
        "POST /heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{]",
        "POST /heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    ] {
        let mut connection = TcpStream::connect(&address).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(!answer.contains(" 500 "), "{request}\n{answer}");
    }
    register(&orchestrator, "a", 1);
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    let errors: Vec<&str> = ended
        .log
        .lines()
        .filter(|line| line.contains(" ERROR "))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Everything that is not an answer to the worker that runs a stream, or to a reader of the
/// catalogue; the log on its finest level.
fn the_urls_of_streams_are_only_where_they_belong(database: &str) {
    const SECRET: &str = "geheim-7";
    const URL: &str = "rtsp://admin:geheim-7@10.0.0.8:554/cam?token=geheim-7";
    let folder = folder();
    let settings = [
        ("DATABASE_URL", database),
        ("RUST_LOG", "trace,tokio_postgres=trace"),
    ];
    let orchestrator = start(folder.path(), &settings);
    let saved = json!({"streams": [{"id": 1, "name": "camera", "url": URL}]});
    assert_eq!(orchestrator.post("/streams", &saved).0, 200);
    register(&orchestrator, "a", 3);
    register(&orchestrator, "b", 3);
    orchestrator.post("/streams/assign", &json!({"server_id": "a"}));

    let beat = json!({"server_id": "a", "current_streams": 0, "assignment_version": 0});
    let (_, answer) = orchestrator.post("/heartbeat", &beat);
    assert_eq!(answer["assign"][0]["url"], URL, "its worker has it");
    for path in ["/streams", "/streams/1"] {
        let (_, answer) = orchestrator.get(&format!("{path}?urls=full"));
        assert!(answer.to_string().contains(URL), "the catalogue has it");
        let (_, answer) = orchestrator.get(path);
        assert!(!answer.to_string().contains(SECRET), "{answer}");
    }

    for streams in [
        json!([{"id": 1, "name": "camera", "url": format!("{URL}\u{0}")}]),
        json!([{"id": 1, "name": "camera", "url": [URL]}]),
        json!([{"id": 2, "name": "camera", "url": URL}]),
        json!([{"id": 1, "name": "camera", "url": URL, "priority": "high"}]),
        json!([{"id": 1, "name": "camera", "url": URL.repeat(100)}]),
        json!([{"id": 1, "name": URL.repeat(6), "url": URL}]),
        json!([{"url": URL}]),
        json!([URL]),
        json!(URL),
    ] {
        let (status, answer) = orchestrator.post("/streams", &json!({ "streams": streams }));
        assert!((400..500).contains(&status), "{answer}");
        assert!(!answer.to_string().contains(SECRET), "{answer}");
    }
    let (agent, address) = orchestrator.client();
    let mut answer = agent
        .post(format!("{address}/streams"))
        .send(format!("{{\"streams\": [{{\"url\": \"{URL}\""))
        .unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    assert!(
        text.contains("not valid JSON") && !text.contains(SECRET),
        "{text}"
    );

    assert_eq!(orchestrator.post("/instances/a/failure", &json!({})).0, 200);
    for path in [
        "/metrics",
        "/status",
        "/instances",
        "/instances/b",
        "/streams/assignments",
        "/resilience/events",
        "/resilience/incidents",
        "/resilience/alerts",
        "/resilience/consistency",
        "/resilience/status",
    ] {
        let mut answer = agent.get(format!("{address}{path}")).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(!text.contains(SECRET), "{path}: {text}");
    }
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0));
    let leaks: Vec<&str> = ended
        .log
        .lines()
        .filter(|line| line.contains(SECRET))
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert!(ended.log.contains(" TRACE "), "the finest level was on");
}

#[test]
fn the_urls_of_streams_are_only_where_they_belong_on_sqlite() {
    the_urls_of_streams_are_only_where_they_belong("sqlite://fleet.db");
}

#[test]
fn the_urls_of_streams_are_only_where_they_belong_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(Database::new());
    the_urls_of_streams_are_only_where_they_belong(&database.url());
}

/// How much memory a process holds, in KiB.
fn resident(orchestrator: &Orchestrator) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", orchestrator.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

#[test]
fn twenty_clients_that_never_read_a_big_list_cost_less_than_a_mebibyte_each() {
    let folder = folder();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let last = 20_000;
    register(&orchestrator, "a", 100_000);
    for from in [1, last / 2 + 1] {
        let streams: Vec<_> = (from..from + last / 2)
            .map(|id| json!({"id": id, "name": format!("stream {id}")}))
            .collect();
        let (status, answer) = orchestrator.post("/streams", &json!({ "streams": streams }));
        assert_eq!(status, 200, "{answer}");
    }
    let ask = json!({"server_id": "a", "requested_count": last});
    assert_eq!(orchestrator.post("/streams/assign", &ask).0, 200);
    let (_, all) = orchestrator.get("/streams/assignments");
    assert_eq!(all["assignments"].as_array().unwrap().len(), last);
    let before = resident(&orchestrator);
    let address = orchestrator
        .address()
        .trim_start_matches("http://")
        .to_owned();
    let paths = [
        "/streams/assignments",
        "/streams?limit=10000",
        "/instances/a",
    ];
    let clients: Vec<TcpStream> = (0..20)
        .map(|index| {
            let mut client = TcpStream::connect(&address).unwrap();
            let path = paths[index % paths.len()];
            write!(client, "GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            client
        })
        .collect();
    for client in &clients {
        // Once the first byte is there, what is held for it is held.
        assert_eq!(client.peek(&mut [0]).unwrap(), 1);
    }
    let after = resident(&orchestrator);
    assert!(after < before + 20 * 1024, "{before} KiB, then {after} KiB");
    assert_eq!(
        orchestrator.get("/streams/assignments").0,
        200,
        "nobody is kept out"
    );
}
