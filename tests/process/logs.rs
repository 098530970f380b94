//! The log of the real program: what is in it, and what becomes of it when it is not read.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::process::{command, expect_errors, start};

fn register(id: &str) -> Value {
    json!({"server_id": id, "ip": "127.0.0.1", "port": 9000})
}

#[test]
fn a_healthy_system_writes_no_line_for_a_heartbeat() {
    let folder = tempdir().unwrap();
    let mut orchestrator = start(folder.path(), &[]);
    assert_eq!(orchestrator.post("/register", &register("a")).0, 200);
    let beat = json!({"server_id": "a", "current_streams": 0});
    // The first one says that the worker goes without leases.
    assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
    orchestrator.signal(Signal::USR1);
    orchestrator.wait_for_line("SIGUSR1 is ignored");
    for _ in 0..1_000 {
        assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
    }
    orchestrator.signal(Signal::USR2);
    let ended = orchestrator.wait_for_line(" ");
    assert!(ended.contains("SIGUSR2 is ignored"), "{ended}");
}

#[test]
fn lines_about_a_request_have_its_id_and_its_trace() {
    let folder = tempdir().unwrap();
    let settings = [("LOG_FORMAT", "json"), ("RUST_LOG", "debug")];
    let mut orchestrator = start(folder.path(), &settings);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let (agent, address) = orchestrator.client();
    let send = |path: &str, id: &str, body: Value| {
        let request = agent.post(format!("{address}{path}"));
        let request = request
            .header("x-request-id", id)
            .header("traceparent", &parent);
        let answer = request.send_json(body).unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-request-id"], id);
    };
    let line_of = |line: String| -> Value {
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "{line}");
        }
        line
    };
    send("/register", "first", register("a\"\u{202e}b"));
    // By the actor that has saved it, and by the part that answers.
    let lines = orchestrator.wait_for_lines(["registered", "/register was answered"]);
    let [saved, answered] = lines.map(line_of);
    for line in [&saved, &answered] {
        assert_eq!(line["request_id"], "first", "{line}");
        assert_eq!(line["trace_id"], trace, "{line}");
    }
    assert_eq!(saved["server_id"], "a\"\u{202e}b");
    assert_eq!(answered["level"], "DEBUG");
    send(
        "/streams",
        "second",
        json!({"streams": [{"id": 1, "name": "one"}]}),
    );
    let answered = line_of(orchestrator.wait_for_line("/streams was answered"));
    assert_eq!(answered["request_id"], "second");
    assert_eq!(
        [
            &answered["level"],
            &answered["method"],
            &answered["path"],
            &answered["status"]
        ],
        [
            &json!("INFO"),
            &json!("POST"),
            &json!("/streams"),
            &json!(200)
        ]
    );
    // Without a request there is no id.
    orchestrator.signal(Signal::USR1);
    let ignored = line_of(orchestrator.wait_for_line("SIGUSR1 is ignored"));
    assert_eq!(ignored["request_id"], Value::Null);
}

#[test]
fn each_order_of_an_operator_has_its_id_in_the_lines_of_what_it_led_to() {
    expect_errors(&["alert emergency_recovery", "alert instance_failed"]);
    let folder = tempdir().unwrap();
    let mut orchestrator = start(
        folder.path(),
        &[("LOG_FORMAT", "json"), ("REBALANCE", "false")],
    );
    for id in ["a", "b", "c", "d"] {
        assert_eq!(orchestrator.post("/register", &register(id)).0, 200);
        let streams: Vec<Value> = (1..=4)
            .map(|number| json!({"name": format!("{id}{number}")}))
            .collect();
        let streams = json!({ "streams": streams });
        assert_eq!(orchestrator.post("/streams", &streams).0, 200);
        let request = json!({"server_id": id, "requested_count": 4});
        assert_eq!(orchestrator.post("/streams/assign", &request).0, 200);
    }
    let (agent, address) = orchestrator.client();
    let send = |method: &str, path: &str, body: Option<Value>| {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{address}{path}"))
            .header(
                "x-request-id",
                format!("id of {method} {path}").replace(' ', "_"),
            );
        let answer = match body {
            Some(body) => agent.run(
                request
                    .header("content-type", "application/json")
                    .body(body.to_string())
                    .unwrap(),
            ),
            None => agent.run(request.body(()).unwrap()),
        };
        assert_eq!(answer.unwrap().status(), 200, "{method} {path}");
    };
    let reason = || Some(json!({"reason": "a test"}));
    for (method, path, body, line) in [
        (
            "POST",
            "/instances/a/failure",
            None,
            "instance a has failed",
        ),
        ("DELETE", "/instances/b", None, "instance b was removed"),
        (
            "POST",
            "/resilience/emergency/c",
            reason(),
            "emergency: took ",
        ),
        (
            "POST",
            "/resilience/breakers/store_writes",
            Some(json!({"force": "closed", "reason": "a test"})),
            "is forced: closed",
        ),
        (
            "POST",
            "/register",
            Some(register("e")),
            "instance e registered",
        ),
        ("POST", "/rebalance/smart", None, "balance (smart, "),
    ] {
        send(method, path, body);
        let text = orchestrator.wait_for_line(line);
        let read: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        let id = format!("id_of_{method}_{path}");
        assert_eq!(read["request_id"], id.as_str(), "{read}");
    }
}

/// A program whose standard error is read by the test itself.
struct Unread {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Unread {
    fn start(settings: &[(&str, &str)]) -> (tempfile::TempDir, Self) {
        let folder = tempdir().unwrap();
        let mut child = command(folder.path(), settings).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut unread = Self {
            child,
            log,
            address: String::new(),
        };
        let ready = unread.line_with("ready on ");
        let address = ready.split("ready on ").nth(1).unwrap();
        unread.address = address.split(' ').next().unwrap().to_owned();
        (folder, unread)
    }

    fn line_with(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(
                self.log.read_line(&mut line).unwrap() > 0,
                "no line with {part}"
            );
            if line.contains(part) {
                return line;
            }
        }
    }

    fn get(&self, path: &str) -> String {
        let mut answer = ureq::get(format!("{}{path}", self.address)).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    fn dropped(&self) -> u64 {
        let metrics = self.get("/metrics");
        let family = "orchestrator_log_lines_dropped_total ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(family));
        line.unwrap().parse().unwrap()
    }

    /// Has the program write until lines are dropped.
    fn fill(&self) {
        while self.dropped() == 0 {
            for _ in 0..50 {
                self.get("/livez");
            }
        }
    }

    fn end(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_log_that_is_not_read_stops_nothing_and_says_afterwards_what_is_missing() {
    let (_folder, mut program) = Unread::start(&[("RUST_LOG", "trace")]);
    program.fill();
    // A pipe that is full, a queue that is full: requests are answered.
    for number in 0..20 {
        let id = format!("i{number}");
        let request = ureq::post(format!("{}/register", program.address));
        assert_eq!(request.send_json(register(&id)).unwrap().status(), 200);
    }
    let notice = program.line_with("log lines were dropped");
    let lines = notice.split(" log lines").next().unwrap();
    let lines: u64 = lines.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(lines > 0, "{notice}");
    assert!(notice.contains(&format!("lines={lines}")), "{notice}");
    // What is written from now on is there again.
    program.end(Signal::TERM);
    program.line_with("SIGTERM: shutting down");
    let mut rest = String::new();
    program.log.read_to_string(&mut rest).unwrap();
    assert_eq!(program.child.wait().unwrap().code(), Some(0), "{rest}");
}

#[test]
fn a_program_whose_log_is_never_read_comes_to_its_end() {
    let (_folder, mut program) = Unread::start(&[("RUST_LOG", "trace")]);
    program.fill();
    program.end(Signal::TERM);
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}
