//! The commands that list and watch, beside a real orchestrator.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;

use crate::support::process::expect_errors;
use crate::support::process::{Orchestrator, command, start};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// An orchestrator with streams on two instances, and a way to ask it.
struct Desk {
    folder: TempDir,
    orchestrator: Orchestrator,
}

impl Desk {
    fn new(streams: usize) -> Self {
        let folder = tempdir().unwrap();
        let orchestrator = start(folder.path(), &[]);
        let desk = Self {
            folder,
            orchestrator,
        };
        let rows: Vec<Value> = (1..=streams)
            .map(|number| json!({"name": format!("s{number}")}))
            .collect();
        desk.post("/streams", &json!({ "streams": rows }));
        for (id, zone) in [("a", "north"), ("b", "south")] {
            desk.post(
                "/register",
                &json!({"server_id": id, "ip": "10.0.0.1", "port": 1, "max_streams": 5,
                    "labels": {"zone": zone}}),
            );
        }
        desk
    }

    fn post(&self, path: &str, body: &Value) {
        let (status, answer) = self.orchestrator.post(path, body);
        assert_eq!(status, 200, "{answer}");
    }

    fn run(&self, arguments: &str) -> (Option<i32>, String, String) {
        run(self.folder.path(), self.orchestrator.address(), arguments)
    }

    fn done(&self, arguments: &str) -> String {
        let (code, printed, complaint) = self.run(arguments);
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{arguments}");
        printed
    }
}

fn run(folder: &Path, address: &str, arguments: &str) -> (Option<i32>, String, String) {
    let output = command(folder, &[("ORCHESTRATOR_URL", address)])
        .args(arguments.split(' '))
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The same for `cluster`, by the certificates in a file.
fn run_trusting(folder: &Path, address: &str, ca: &str) -> (Option<i32>, String, String) {
    std::fs::write(folder.join(".env"), format!("ORCHESTRATOR_CA={ca}\n")).unwrap();
    run(folder, address, "cluster")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn instances_are_listed_by_filter_in_each_form() {
    let desk = Desk::new(1);
    let table = desk.done("instances");
    assert!(
        table.starts_with("INSTANCE  STATE   RUNNING  OWNED  MAX"),
        "{table}"
    );
    assert!(
        table.contains("zone=south") && !table.contains("ADDRESS"),
        "{table}"
    );
    let wide = desk.done("instances --output wide --label zone=north");
    assert!(
        wide.contains("ADDRESS") && wide.contains("10.0.0.1:1"),
        "{wide}"
    );
    assert_eq!(wide.lines().count(), 2, "{wide}");
    let json = desk.done("instances -o json --label zone:south");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["instances"][0]["server_id"], "b");
    let shown = lines(&desk.done("instances -o jsonl --state active"));
    assert_eq!(shown.len(), 2);
    assert_eq!(desk.done("instances --state failed"), "No instances.\n");
    assert_eq!(desk.done("instances --state failed -o jsonl"), "");
    let none: Value = serde_json::from_str(&desk.done("instances --state failed --json")).unwrap();
    assert_eq!(none, json!({"instances": []}));

    let first = desk.done("instances --limit 1");
    let next = first.lines().last().unwrap();
    let next = next.strip_prefix("More: --after ").unwrap();
    let second = desk.done(&format!("instances --limit 1 --after {next}"));
    assert_eq!(second.lines().count(), 2, "{second}");

    let (code, printed, complaint) = desk.run("instances --state gone");
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    assert!(
        complaint.contains("suspect"),
        "it names the states: {complaint}"
    );
    let (code, _, complaint) = desk.run("instances --output xml");
    assert_eq!(code, Some(2));
    assert!(
        complaint.contains("table, wide, json, jsonl"),
        "{complaint}"
    );
}

#[test]
fn a_list_is_read_to_its_end_page_by_page() {
    let desk = Desk::new(6_001);
    let all = lines(&desk.done("streams --output jsonl"));
    let ids: Vec<i64> = all.iter().filter_map(|row| row["id"].as_i64()).collect();
    assert_eq!(ids, (1..=6_001).collect::<Vec<_>>());
    let whole: Value = serde_json::from_str(&desk.done("streams list --json")).unwrap();
    assert_eq!(whole["streams"].as_array().unwrap(), &all);
    let table = desk.done("streams --limit 5500");
    assert_eq!(table.lines().count(), 5_502);
    assert!(table.ends_with("More: --after 5500\n"));
    let (code, some, complaint) = desk.run("streams -o jsonl --limit 2");
    assert_eq!((code, lines(&some).len()), (Some(0), 2));
    assert!(complaint.contains("--after 2"), "{complaint}");
}

#[test]
fn moves_alerts_and_patterns_are_listed() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let desk = Desk::new(2);
    assert_eq!(desk.done("moves"), "No moves are under way.\n");
    assert_eq!(desk.done("alerts"), "No alerts.\n");
    assert_eq!(desk.done("patterns"), "No patterns.\n");
    let (code, _, complaint) = desk.run("moves --state done");
    assert_eq!(code, Some(2));
    assert!(complaint.contains("given_up"), "{complaint}");
    let (code, _, complaint) = desk.run("moves --limit 0");
    assert_eq!(code, Some(1));
    assert!(complaint.contains("`limit`"), "{complaint}");

    let beat = json!({"server_id": "a", "current_streams": 0, "incarnation": 1});
    desk.post("/heartbeat", &beat);
    desk.post(
        "/streams/assign",
        &json!({"server_id": "a", "requested_count": 2, "incarnation": 1}),
    );
    desk.post(
        "/streams/move",
        &json!({"moves": [{"stream_id": 1, "to": "b"}]}),
    );
    let moves = lines(&desk.done("moves -o jsonl"));
    assert_eq!(moves.len(), 1);
    assert_eq!(
        (
            &moves[0]["stream_id"],
            &moves[0]["from"],
            &moves[0]["to"],
            &moves[0]["state"]
        ),
        (&json!(1), &json!("a"), &json!("b"), &json!("releasing"))
    );
    assert!(desk.done("moves --instance b").contains("s1"));
    assert_eq!(desk.done("moves --instance c"), "No moves are under way.\n");

    let desk = Desk::new(2);
    desk.post(
        "/streams/assign",
        &json!({"server_id": "a", "requested_count": 2}),
    );
    for id in ["b", "a"] {
        desk.post(&format!("/instances/{id}/failure"), &json!({}));
    }
    let alerts = loop {
        let alerts = lines(&desk.done("alerts -o jsonl"));
        if alerts
            .iter()
            .any(|alert| alert["kind"] == "streams_orphaned")
        {
            break alerts;
        }
    };
    assert!(
        alerts.iter().all(|alert| alert["open"] == true),
        "{alerts:?}"
    );
    let all = lines(&desk.done("alerts --all -o jsonl"));
    assert!(all.len() >= alerts.len());
}

#[test]
fn the_exit_code_of_the_status_is_the_health() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let desk = Desk::new(2);
    let (code, printed, _) = desk.run("status --exit-code");
    assert_eq!(code, Some(0), "{printed}");
    desk.post(
        "/streams/assign",
        &json!({"server_id": "a", "requested_count": 2}),
    );
    desk.post("/instances/a/failure", &json!({}));
    let printed = loop {
        let (code, printed, _) = desk.run("status --exit-code");
        if code == Some(1) {
            break printed;
        }
    };
    assert!(
        printed.lines().next().unwrap().contains("degraded"),
        "{printed}"
    );
    desk.post("/instances/b/failure", &json!({}));
    while desk.run("status --exit-code --json").0 != Some(2) {}
    assert_eq!(desk.run("status").0, Some(0), "only if it is asked for");

    let Desk {
        folder,
        orchestrator,
    } = desk;
    let address = orchestrator.address().to_owned();
    orchestrator.kill();
    let (code, _, complaint) = run(folder.path(), &address, "status --exit-code");
    assert_eq!(code, Some(3));
    assert!(complaint.contains("no orchestrator answers"), "{complaint}");
}

struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_watch_prints_blocks_and_ends_at_an_interrupt() {
    let desk = Desk::new(1);
    let address = [("ORCHESTRATOR_URL", desk.orchestrator.address())];
    let child = command(desk.folder.path(), &address)
        .args(["instances", "--watch", "0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut watching = Watching(child);
    let mut output = BufReader::new(watching.0.stdout.take().unwrap()).lines();
    let mut block = || -> Vec<String> {
        let lines = output.by_ref().map(Result::unwrap);
        lines.take_while(|line| !line.is_empty()).collect()
    };
    assert_eq!(block().len(), 3);
    desk.post(
        "/register",
        &json!({"server_id": "c", "ip": "10.0.0.1", "port": 1, "max_streams": 5}),
    );
    while block().len() != 4 {}
    kill_process(Pid::from_child(&watching.0), Signal::INT).unwrap();
    let status = watching.0.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let mut complaint = String::new();
    let mut errors = watching.0.stderr.take().unwrap();
    errors.read_to_string(&mut complaint).unwrap();
    assert_eq!(complaint, "");
}

#[test]
fn a_watch_without_an_orchestrator_fails_at_once() {
    let folder = tempdir().unwrap();
    let nothing = "http://127.0.0.1:9";
    for arguments in ["status --watch", "alerts --watch 1 -o json"] {
        let (code, printed, complaint) = run(folder.path(), nothing, arguments);
        assert_eq!((code, printed.as_str()), (Some(1), ""));
        assert!(complaint.contains("no orchestrator answers"), "{complaint}");
    }
}

#[test]
fn a_build_says_what_it_is_without_an_orchestrator() {
    let folder = tempdir().unwrap();
    let (code, printed, complaint) = run(folder.path(), "", "version --json");
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    let build: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(build["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(build["databases"], json!(["sqlite", "postgres", "memory"]));
    let (code, printed, _) = run(folder.path(), "", "version");
    assert_eq!(code, Some(0));
    assert!(printed.starts_with("orchestrator 0."), "{printed}");
}

#[test]
fn completions_are_read_by_the_shell_and_a_closed_pipe_is_no_failure() {
    let folder = tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, complaint) = run(folder.path(), "", &format!("completions {shell}"));
        assert_eq!((code, complaint.as_str()), (Some(0), ""));
        for word in ["instances", "jsonl", "take-over", "exit-code"] {
            assert!(script.contains(word), "{word} is missing for {shell}");
        }
        if shell == "bash" {
            let file = folder.path().join("completions");
            std::fs::write(&file, script).unwrap();
            let asked = "source completions && COMP_WORDS=(orchestrator mov) COMP_CWORD=1 && \
                         _orchestrator orchestrator mov orchestrator && echo \"${COMPREPLY[@]}\"";
            let completed = std::process::Command::new("bash")
                .args(["-euc", asked])
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert_eq!(
                (
                    String::from_utf8_lossy(&completed.stdout),
                    completed.stderr.as_slice()
                ),
                ("moves\n".into(), &b""[..])
            );
        }
    }
    let mut child = command(folder.path(), &[])
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()));
    let (code, _, complaint) = run(folder.path(), "", "completions tcsh");
    assert_eq!(code, Some(2));
    assert!(complaint.contains("bash, zsh, fish"), "{complaint}");
}

#[test]
fn each_command_has_a_man_page_without_a_warning() {
    let folder = tempdir().unwrap();
    let (code, printed, complaint) = run(folder.path(), "", "man pages/man1");
    assert_eq!(
        (code, printed.as_str(), complaint.as_str()),
        (Some(0), "", "")
    );
    let pages = folder.path().join("pages/man1");
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in [
        "orchestrator.1",
        "orchestrator-moves.1",
        "orchestrator-streams-import.1",
    ] {
        assert!(
            names.iter().any(|known| known == name),
            "{name} is missing in {names:?}"
        );
    }
    assert!(names.len() >= 40, "{} pages: {names:?}", names.len());
    let has_groff = std::process::Command::new("groff")
        .arg("--version")
        .output()
        .is_ok();
    for name in names.iter().filter(|_| has_groff) {
        let shown = std::process::Command::new("groff")
            .args(["-man", "-Kutf8", "-Tutf8", "-ww", "-z"])
            .arg(pages.join(name))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&shown.stderr), "", "{name}");
    }
    let (code, page, _) = run(folder.path(), "", "man");
    assert_eq!(code, Some(0));
    assert!(page.contains(".TH orchestrator 1"), "{page}");
    let (code, _, complaint) = run(folder.path(), "", "man pages/man1/orchestrator.1");
    assert_eq!(code, Some(1));
    assert!(complaint.contains("name a folder"), "{complaint}");
}

/// Answers one request of `orchestrator cluster` over TLS, as a proxy with a path prefix does, and returns
/// the request; nothing if the caller does not trust the certificate.
fn proxy(listener: TcpListener, certified: rcgen::CertifiedKey<rcgen::KeyPair>) -> String {
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.unwrap())
        .unwrap();
    let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let mut request = [0; 2048];
    let Ok(read) = stream.read(&mut request) else {
        return String::new();
    };
    let body = r#"{"node": "n:1", "role": "leader", "term": 7, "members": []}"#;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).unwrap();
    stream.conn.send_close_notify();
    let _ = stream.flush();
    String::from_utf8_lossy(&request[..read]).into_owned()
}

#[test]
fn https_and_a_path_prefix_lead_to_an_orchestrator_behind_a_proxy() {
    let folder = tempdir().unwrap();
    let ask = |trusted: bool| {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let known = if trusted { &certified } else { &other };
        std::fs::write(folder.path().join("ca.pem"), known.cert.pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = thread::spawn(|| proxy(listener, certified));
        let url = format!("https://localhost:{port}/fleet/");
        let outcome = run_trusting(folder.path(), &url, "ca.pem");
        (outcome, served.join().unwrap())
    };
    let ((code, printed, complaint), request) = ask(true);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    assert!(printed.contains("n:1, leader"), "{printed}");
    assert!(
        request.starts_with("GET /fleet/cluster HTTP/1.1"),
        "{request}"
    );

    let ((code, printed, complaint), request) = ask(false);
    assert_eq!(
        (code, printed.as_str(), request.as_str()),
        (Some(1), "", "")
    );
    assert!(
        complaint.contains("is not trusted") && complaint.contains("ORCHESTRATOR_CA"),
        "{complaint}"
    );
    // A proxy whose certificate the caller does not accept, although it is the one that was named.
    let ask_with = |parameters: rcgen::CertificateParams| {
        let signing_key = rcgen::KeyPair::generate().unwrap();
        let cert = parameters.self_signed(&signing_key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), cert.pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = thread::spawn(|| proxy(listener, rcgen::CertifiedKey { cert, signing_key }));
        let url = format!("https://localhost:{port}");
        let (code, _, complaint) = run_trusting(folder.path(), &url, "ca.pem");
        assert_eq!(code, Some(1));
        served.join().unwrap();
        complaint
    };
    let named = |name: &str| rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let mut old = named("localhost");
    old.not_before = rcgen::date_time_ymd(2001, 1, 1);
    old.not_after = rcgen::date_time_ymd(2002, 1, 1);
    assert!(ask_with(old).contains("has expired"));
    let mut new = named("localhost");
    new.not_before = rcgen::date_time_ymd(2999, 1, 1);
    new.not_after = rcgen::date_time_ymd(3000, 1, 1);
    assert!(ask_with(new).contains("not valid yet; check the clocks"));
    let complaint = ask_with(named("elsewhere"));
    assert!(complaint.contains("is for another name"), "{complaint}");
    let (code, _, complaint) = run_trusting(folder.path(), "https://localhost:1", "none.pem");
    assert_eq!(code, Some(2));
    assert!(complaint.contains("none.pem"), "{complaint}");
}
