//! The life of the real process: ready, asked to end, killed, in the way of another one.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use support::process::{self, Orchestrator, command, start};
use tempfile::{TempDir, tempdir};

fn folder() -> TempDir {
    tempdir().unwrap()
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
fn both_signals_end_it_in_order_and_save_the_last_heartbeats() {
    for signal in [Signal::TERM, Signal::INT] {
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

#[test]
fn a_second_orchestrator_on_the_same_database_ends_the_first() {
    let folder = folder();
    let first = start(folder.path(), &[]);
    register(&first, "a", 1);
    let second = start(folder.path(), &[]);
    // The first notices at its next change.
    let body = json!({"server_id": "b", "ip": "127.0.0.1", "port": 9000});
    let (status, answer) = first.post("/register", &body);
    assert_eq!(status, 503, "{answer}");
    let ended = first.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    assert!(
        ended.log.contains("another orchestrator has taken over"),
        "{}",
        ended.log
    );
    assert_eq!(second.get("/instances/a").0, 200);
    assert_eq!(
        second.get("/instances/b").0,
        404,
        "what was refused is not there"
    );
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
    let settings = [("DATABASE_URL", url.as_str()), ("DATABASE_TIMEOUT", "2")];
    let output = command(folder.path(), &settings).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(!log.contains("secret-word"), "{log}");
    assert!(log.contains("127.0.0.1"), "{log}");
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

/// How much memory a process holds, in KiB.
fn resident(orchestrator: &Orchestrator) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", orchestrator.id())).unwrap();
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
