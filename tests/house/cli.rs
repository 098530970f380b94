//! The commands that talk to a running orchestrator: the real program on both ends.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use crate::support::process::expect_errors;
use crate::support::process::{Orchestrator, command, start};
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The line that begins with this word, its columns joined by one space.
    fn line(&self, first: &str) -> String {
        let line = self
            .stdout
            .lines()
            .find(|line| line.split_whitespace().next() == Some(first));
        let line = line.unwrap_or_else(|| panic!("no `{first}` in\n{}", self.stdout));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut command = command(folder, environment);
    command.args(arguments).stdout(Stdio::piped());
    let output = command.output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An orchestrator with three streams on `a`, room on `b`, and a way to ask it.
struct Desk {
    folder: TempDir,
    orchestrator: Orchestrator,
}

impl Desk {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let orchestrator = start(folder.path(), &[]);
        let desk = Self {
            folder,
            orchestrator,
        };
        desk.post(
            "/streams",
            &json!({"streams": [{"name": "x"}, {"name": "y"}, {"name": "z"}]}),
        );
        for id in ["a", "b"] {
            let body = json!({"server_id": id, "ip": "10.0.0.1", "port": 1, "max_streams": 5});
            desk.post("/register", &body);
            if id == "a" {
                desk.post(
                    "/streams/assign",
                    &json!({"server_id": id, "requested_count": 3}),
                );
            }
        }
        desk
    }

    fn post(&self, path: &str, body: &Value) {
        let (status, answer) = self.orchestrator.post(path, body);
        assert_eq!(status, 200, "{answer}");
    }

    /// Whoever reports a failure is answered when the moves are saved; the end is saved then.
    fn all_have_ended(&self) {
        let is_open = |incident: &Value| incident["state"] == "open";
        loop {
            let (_, answer) = self.orchestrator.get("/resilience/incidents");
            if !answer["incidents"].as_array().unwrap().iter().any(is_open) {
                return;
            }
        }
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let url = self.orchestrator.address();
        run(self.folder.path(), arguments, &[("ORCHESTRATOR_URL", url)])
    }
}

#[test]
fn an_operator_sees_how_the_fleet_is_and_what_happened() {
    expect_errors(&["alert streams_orphaned"]);
    let desk = Desk::new();
    let status = desk.run(&["status"]);
    assert_eq!((status.code, status.stderr.as_str()), (Some(0), ""));
    assert_eq!(status.line("health"), "health healthy");
    assert_eq!(status.line("instances"), "instances 2 registered: 2 active");
    assert_eq!(status.line("streams"), "streams 3 to be run: 3 running");
    assert_eq!(status.line("load"), "load 3 of 10 (30.0 %)");
    assert_eq!(desk.run(&["incidents"]).stdout, "No incidents.\n");

    desk.post("/instances/a/failure", &json!({}));
    desk.all_have_ended();
    let incidents = desk.run(&["incidents"]);
    assert_eq!(incidents.code, Some(0));
    let lines: Vec<&str> = incidents.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", incidents.stdout);
    for (head, value) in [
        ("INSTANCE", "a "),
        ("CAUSE", "reported"),
        ("OUTCOME", "recovered"),
        ("MOVED", "3 of 3"),
        ("ORPHANED", "0"),
    ] {
        let column = lines[0].find(head).unwrap();
        assert!(
            lines[1][column..].starts_with(value),
            "{}",
            incidents.stdout
        );
    }
    assert_eq!(
        desk.run(&["incidents", "--instance", "b"]).stdout,
        "No incidents.\n"
    );
    assert_eq!(
        desk.run(&["incidents", "--state", "open"]).stdout,
        "No incidents.\n"
    );
    let json = desk.run(&["incidents", "--json", "--limit", "1"]).json();
    assert_eq!(json["incidents"][0]["server_id"], "a");

    let id = json["incidents"][0]["id"].to_string();
    let one = desk.run(&["incidents", &id]);
    assert_eq!((one.code, one.stderr.as_str()), (Some(0), ""));
    assert!(one.line("plan").ends_with("3 to move, 0 without room"));
    assert!(one.line("verify").starts_with("verify done"));
    let (_, chain) = one.stdout.split_once("The whole chain (UTC):\n").unwrap();
    for part in [
        "the last heartbeat of a",
        "instance a has failed",
        "3 streams moved to b",
    ] {
        assert!(chain.contains(part), "`{part}` in: {chain}");
    }
    let events = desk.run(&[
        "events",
        "--since",
        "1h",
        "--instance",
        "a",
        "--kind",
        "instance_failed",
    ]);
    assert!(
        events
            .stdout
            .ends_with("  warning  instance a has failed with 3 streams (reported)\n"),
        "{}",
        events.stdout
    );
    let events = desk.run(&["events", "--incident", &id, "--json"]).json();
    assert_eq!(events["events"].as_array().unwrap().len(), 5);
    let story = desk.run(&["story", "1"]);
    assert_eq!((story.code, story.stderr.as_str()), (Some(0), ""));
    assert!(
        story.stdout.contains("stream 1 moved from a"),
        "{}",
        story.stdout
    );
    let json = desk.run(&["incidents", &id, "--json"]).json();
    assert_eq!(json["data"]["steps"].as_array().unwrap().len(), 6);
    let nothing = desk.run(&["incidents", "999999"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(1), ""));
    assert!(nothing.stderr.contains("999999"), "{}", nothing.stderr);
    let status = desk.run(&["status"]);
    assert!(
        status.line("health").starts_with("health degraded: "),
        "{}",
        status.stdout
    );
    assert_eq!(status.line("failed"), "failed a");
    assert!(!status.stdout.contains("OPEN SINCE"), "{}", status.stdout);

    desk.post("/instances/b/failure", &json!({}));
    let first = desk.run(&["incidents", "--limit", "1"]);
    let next = first.line("More:");
    let next = next.strip_prefix("More: --after ").unwrap();
    let second = desk.run(&["incidents", "--limit", "1", "--after", next]);
    assert!(second.stdout.contains("  a  "), "{}", second.stdout);
    // Nobody is left to run them; that is seen within a second.
    let status = loop {
        let status = desk.run(&["status"]);
        if status.stdout.contains("streams orphaned") {
            break status;
        }
    };
    assert!(
        status.stdout.contains("OPEN SINCE (UTC)"),
        "{}",
        status.stdout
    );
    let json = desk.run(&["status", "--json"]).json();
    assert_eq!(json["streams"]["total"], 3);
    assert_eq!(json["resilience"]["streams"]["orphaned"], 3);
    assert_eq!(json["alerts"][0]["open"], true);
}

#[test]
fn an_operator_takes_an_instance_out_of_use_and_lets_it_come_back() {
    expect_errors(&["alert emergency_recovery"]);
    let desk = Desk::new();
    let refused = desk.run(&["recover", "a"]);
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), ""));
    assert!(
        refused.stdout.contains("has not failed"),
        "{}",
        refused.stdout
    );

    let taken = desk.run(&["emergency", "a", "--reason", "its disk is full"]);
    assert_eq!(taken.code, Some(0), "{}{}", taken.stdout, taken.stderr);
    assert!(
        taken
            .stdout
            .starts_with("Of 3 streams of `a`, 3 run elsewhere.")
    );
    for step in ["force", "redistribute", "verify", "reset"] {
        assert!(taken.line(step).contains(" done "), "{}", taken.stdout);
    }
    assert_eq!(
        desk.run(&["status"]).line("instances"),
        "instances 2 registered: 1 active, 1 maintenance"
    );
    let json = desk.run(&["incidents", "--json"]).json();
    let incident = &json["incidents"][0];
    assert_eq!(
        (&incident["cause"], &incident["reason"]),
        (&json!("emergency"), &json!("its disk is full"))
    );

    let back = desk.run(&["recover", "a", "--json"]);
    assert_eq!(back.code, Some(0));
    assert_eq!(back.json()["status"], "success");
    assert_eq!(
        desk.run(&["status"]).line("instances"),
        "instances 2 registered: 2 active"
    );

    let nobody = desk.run(&["recover", "no/body"]);
    assert_eq!(nobody.code, Some(1));
    assert_eq!(nobody.stdout, "No instance `no/body` is registered.\n");
    let nobody = desk.run(&["emergency", "nobody", "--reason", "x"]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(1), ""));
    assert!(nobody.stderr.contains("No instance `nobody`"));
    let empty = desk.run(&["emergency", "a", "--reason", ""]);
    assert_eq!(empty.code, Some(1));
    assert!(empty.stderr.contains("`reason` must not be empty"));
}

#[test]
fn rows_changed_behind_the_orchestrators_back_are_found() {
    expect_errors(&["alert invariant_broken"]);
    let desk = Desk::new();
    let good = desk.run(&["consistency"]);
    assert_eq!(good.code, Some(0), "{}", good.stdout);
    assert!(good.stdout.starts_with("Consistent."));
    assert_eq!(good.line("I7"), "I7 holds Memory and database agree.");

    let file = desk.folder.path().join("orchestrator.db");
    let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let gone = diesel::sql_query("DELETE FROM placements WHERE stream_id = 2")
        .execute(&mut connection)
        .unwrap();
    assert_eq!(gone, 1);

    let bad = desk.run(&["consistency"]);
    assert_eq!(bad.code, Some(1));
    assert!(bad.stdout.starts_with("NOT CONSISTENT."), "{}", bad.stdout);
    assert_eq!(bad.line("I7"), "I7 VIOLATED Memory and database agree.");
    assert_eq!(
        bad.line("I1").split(' ').nth(1),
        Some("holds"),
        "memory is as it was"
    );
    assert!(
        bad.line("I7:")
            .starts_with("I7: stream 2 is assigned to `a`")
    );

    let json = desk.run(&["consistency", "--json"]);
    assert_eq!(
        (json.code, &json.json()["consistent"]),
        (Some(1), &json!(false))
    );
    let (status, answer) = desk.orchestrator.get("/resilience/consistency");
    assert_eq!((status, &answer), (200, &json.json()));
    let violations = answer["checks"][4]["violations"].as_array().unwrap();
    assert_eq!(violations.len(), 1, "only what was changed: {answer}");
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    let folder = tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    for subcommand in ["status", "incidents", "consistency"] {
        let outcome = run(folder.path(), &[subcommand, "--url", &url], &[]);
        assert_eq!(outcome.code, Some(1));
        let expected = format!("orchestrator: no orchestrator answers at {url}.\n");
        assert_eq!((outcome.stdout, outcome.stderr), (String::new(), expected));
    }
    for url in ["", "localhost", "ftp://localhost", "http://"] {
        let outcome = run(folder.path(), &["status", "--url", url], &[]);
        assert_eq!(outcome.code, Some(2), "{url}");
        assert!(outcome.stderr.contains("--url") && outcome.stdout.is_empty());
    }
    // A flag goes before the environment.
    let other = [("ORCHESTRATOR_URL", "ftp://nobody")];
    assert_eq!(
        run(folder.path(), &["status", "--url", &url], &other).code,
        Some(1)
    );
    assert_eq!(run(folder.path(), &["status"], &other).code, Some(2));

    let desk = Desk::new();
    let outcome = desk.run(&["incidents", "--limit", "0"]);
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("`limit` must be"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn whatever_else_answers_is_no_orchestrator() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0);
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let outcome = run(tempdir().unwrap().path(), &["status", "--url", &url], &[]);
    server.join().unwrap();
    assert_eq!(outcome.code, Some(1));
    assert_eq!(
        outcome.stderr,
        format!(
            "orchestrator: unexpected response from {url} (HTTP 200, not an orchestrator's); check --url.\n"
        )
    );
}

#[test]
fn a_healthy_worker_is_answered_with_a_command() {
    expect_errors(&["alert emergency_recovery"]);
    let desk = Desk::new();
    let refused = desk.run(&["recover", "a"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stdout
            .contains("`orchestrator emergency a --reason TEXT` takes the streams"),
        "{}",
        refused.stdout
    );
    let taken = desk.run(&["emergency", "a", "--reason", "x"]);
    assert!(
        taken
            .stdout
            .contains("`orchestrator recover a` releases it."),
        "{}",
        taken.stdout
    );
    let nothing = desk.run(&["incidents", "999999"]);
    assert!(
        nothing
            .stderr
            .contains("`orchestrator incidents` lists them."),
        "{}",
        nothing.stderr
    );
    for shown in [refused.stdout, taken.stdout, nothing.stderr] {
        assert!(!shown.contains("/resilience/"), "{shown}");
    }
}

#[test]
fn a_name_that_deceives_is_kept_as_it_is_and_shown_escaped() {
    expect_errors(&["alert system_health"]);
    const NAME: &str = "w\u{202e}1\u{2028}\u{200b}x";
    const SHOWN: &str = "w\\u{202e}1\\u{2028}\\u{200b}x";
    let folder = tempdir().unwrap();
    for format in ["text", "json"] {
        let folder = folder.path().join(format);
        std::fs::create_dir(&folder).unwrap();
        let orchestrator = start(&folder, &[("LOG_FORMAT", format)]);
        let body = json!({"server_id": NAME, "ip": "10.0.0.1", "port": 1, "max_streams": 5});
        assert_eq!(orchestrator.post("/register", &body).1["server_id"], NAME);
        let body = json!({"server_id": NAME, "requested_count": 1});
        assert_eq!(orchestrator.post("/streams/assign", &body).0, 200);
        let (status, answer) = orchestrator.post(
            "/instances/w%E2%80%AE1%E2%80%A8%E2%80%8Bx/failure",
            &json!({}),
        );
        assert_eq!(status, 200, "{answer}");
        let (_, kept) = orchestrator.get("/instances");
        assert_eq!(kept["instances"][0]["server_id"], NAME, "answered as it is");

        let url = [("ORCHESTRATOR_URL", orchestrator.address())];
        for arguments in [&["status"] as &[&str], &["incidents"], &["recover", NAME]] {
            let outcome = run(&folder, arguments, &url);
            let shown = outcome.stdout + &outcome.stderr;
            assert!(shown.contains(SHOWN), "{arguments:?}: {shown}");
            assert!(
                !shown.contains(['\u{202e}', '\u{2028}', '\u{200b}']),
                "{shown}"
            );
        }
        let json = run(&folder, &["incidents", "--json"], &url);
        assert!(!json.stdout.contains('\u{202e}'), "{}", json.stdout);
        assert_eq!(
            json.json()["incidents"][0]["server_id"],
            NAME,
            "the same value"
        );

        orchestrator.signal(rustix::process::Signal::TERM);
        let log = orchestrator.wait().log;
        assert!(!log.contains(['\u{202e}', '\u{2028}', '\u{200b}']), "{log}");
        if format == "text" {
            assert!(log.contains(SHOWN), "{log}");
        } else {
            let records = log
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            let names: Vec<Value> = records
                .map(|mut record| record["server_id"].take())
                .collect();
            assert!(names.contains(&json!(NAME)), "{log}");
        }
    }
}

#[test]
fn the_password_of_a_proxy_is_not_printed() {
    let folder = tempdir().unwrap();
    for url in [
        "http://u:geheim@127.0.0.1:1",
        "https://u:geheim@127.0.0.1:1",
        "u:geheim@h",
    ] {
        let outcome = run(folder.path(), &["status", "--url", url], &[]);
        assert_ne!(outcome.code, Some(0));
        assert!(!outcome.stderr.contains("geheim"), "{}", outcome.stderr);
    }
}

/// Streams of classic workers move at once, so nothing is left to wait for.
#[test]
fn an_operator_balances_and_waits_for_the_moves() {
    let desk = Desk::new();
    let balanced = desk.run(&["rebalance", "--wait"]);
    assert_eq!((balanced.code, balanced.stderr.as_str()), (Some(0), ""));
    assert!(
        balanced.stdout.starts_with("1 stream began to move."),
        "{}",
        balanced.stdout
    );
    let again = desk.run(&["rebalance", "--wait"]);
    assert!(
        again.stdout.starts_with("Nothing to do."),
        "{}",
        again.stdout
    );
}

#[test]
fn an_operator_plans_cordons_drains_and_rolls() {
    let desk = Desk::new();
    let plan = desk.run(&["drain", "a", "--dry-run"]);
    assert_eq!((plan.code, plan.stderr.as_str()), (Some(0), ""));
    assert!(
        plan.stdout.starts_with("a would move 3 streams"),
        "{}",
        plan.stdout
    );
    assert_eq!(plan.line("1"), "1 a b planned");
    let cordoned = desk.run(&["cordon", "b", "--reason", "a fan"]);
    assert_eq!(cordoned.stdout, "b is cordoned.\n");
    let refused = desk.run(&["drain", "a"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("No room for: 1, 2, 3."),
        "{}",
        refused.stderr
    );
    assert_eq!(desk.run(&["uncordon", "b"]).code, Some(0));
    let waited = desk.run(&["drain", "b", "--wait"]);
    assert_eq!(
        waited.stdout,
        "b is drained; 0 streams have moved, 0 are left.\n"
    );
    assert_eq!(waited.code, Some(0));
    let cancelled = desk.run(&["drain", "b", "--cancel"]);
    assert!(
        cancelled.stdout.starts_with("b takes streams again"),
        "{}",
        cancelled.stdout
    );
    let roll = desk.run(&["roll", "--instances", "b,a", "--dry-run"]);
    assert_eq!(roll.line("b"), "b draining");
    assert_eq!(roll.line("a"), "a waiting");
    let begun = desk
        .run(&["roll", "--instances", "b", "--drained", "--json"])
        .json();
    assert_eq!(begun["state"], "running");
    let id = begun["id"].to_string();
    let waited = desk.run(&["roll", "show", &id, "--wait"]);
    assert_eq!(
        (waited.code, waited.line("b").as_str()),
        (Some(0), "b drained")
    );
    assert!(desk.run(&["roll", "list"]).stdout.contains("done"));
    let away = desk
        .run(&["maintenance", "b", "--for", "1h", "--json"])
        .json();
    assert_eq!(away["status"], "maintenance");
}
