//! Clients of an orchestrator that speaks TLS: the command line and workers.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::support::certificates::{Authority, Leaf};
use crate::support::process::{Orchestrator, agent, command, start};
use crate::support::worker::{Kind, WorkerProcess, has_python};

const CA: &str = "ORCHESTRATOR_CA";
const CERT: &str = "ORCHESTRATOR_CLIENT_CERT";
const KEY: &str = "ORCHESTRATOR_CLIENT_KEY";

/// An orchestrator that knows clients by certificates of one authority, and its address by name.
struct Desk {
    folder: TempDir,
    orchestrator: Orchestrator,
    authority: Authority,
    url: String,
}

impl Desk {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let authority = Authority::new("ours");
        authority.serve(folder.path());
        let settings = [
            ("TLS_CERT", "server.pem"),
            ("TLS_KEY", "server-key.pem"),
            ("TLS_CLIENT_CA", "ca.pem"),
            // A worker in Python learns of a stream by its next heartbeat.
            ("HEARTBEAT_TIMEOUT", "20s"),
        ];
        let mut orchestrator = start(folder.path(), &settings);
        orchestrator.call_by(agent(Some(authority.pem()), None));
        let url = orchestrator.address().replace("127.0.0.1", "localhost");
        Self {
            folder,
            orchestrator,
            authority,
            url,
        }
    }

    fn issue(&self, authority: &Authority, name: &str, leaf: Leaf<'_>) {
        authority.issue(self.folder.path(), name, leaf);
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    /// Runs `orchestrator cluster` with these variables.
    fn ask(&self, variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
        ask(self.folder.path(), &self.url, variables)
    }
}

fn ask(folder: &Path, url: &str, variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = command(folder, variables);
    let command = command
        .args(["cluster", "--url", url])
        .stdout(Stdio::piped());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_command_line_proves_itself_by_files_that_settings_name() {
    let desk = Desk::new();
    let foreign = Authority::new("theirs");
    let named = Leaf {
        common: "desk",
        ..Leaf::default()
    };
    desk.issue(&desk.authority, "desk", named);
    desk.issue(&foreign, "foreign", named);
    let expired = Leaf {
        from: -10,
        to: -1,
        ..named
    };
    desk.issue(&desk.authority, "expired", expired);
    foreign.write(&desk.folder.path().join("theirs.pem"));
    let ca = (CA, "ca.pem");
    let (code, printed, complaint) = desk.ask(&[ca]);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    assert!(printed.contains("leader"), "{printed}");
    let own = [ca, (CERT, "desk.pem"), (KEY, "desk-key.pem")];
    let (code, _, complaint) = desk.ask(&own);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    // The same from `.env`.
    let lines = own
        .map(|(name, value)| format!("{name}={value}\n"))
        .concat();
    fs::write(desk.folder.path().join(".env"), lines).unwrap();
    assert_eq!(desk.ask(&[]).0, Some(0));
    fs::remove_file(desk.folder.path().join(".env")).unwrap();

    let key = fs::read_to_string(desk.folder.path().join("desk-key.pem")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    type Given<'a> = &'a [(&'a str, &'a str)];
    let table: [(Given<'_>, i32, &str); 9] = [
        (&[], 1, "is not trusted"),
        (&[(CA, "theirs.pem")], 1, "is not trusted"),
        (&[(CA, "none.pem")], 2, "none.pem"),
        (
            &[ca, (CERT, "desk.pem")],
            2,
            "ORCHESTRATOR_CLIENT_CERT is set, and ORCHESTRATOR_CLIENT_KEY is not",
        ),
        (
            &[ca, (KEY, "desk-key.pem")],
            2,
            "ORCHESTRATOR_CLIENT_KEY is set, and ORCHESTRATOR_CLIENT_CERT is not",
        ),
        (
            &[ca, (CERT, "desk.pem"), (KEY, "foreign-key.pem")],
            2,
            "ORCHESTRATOR_CLIENT_KEY is foreign-key.pem: it names a key that is not the one",
        ),
        (
            &[ca, (CERT, "expired.pem"), (KEY, "expired-key.pem")],
            2,
            "`CN=expired`",
        ),
        (
            &[ca, (CERT, "foreign.pem"), (KEY, "foreign-key.pem")],
            1,
            "refused the TLS connection",
        ),
        (
            &[ca, (CERT, "desk-key.pem"), (KEY, "desk-key.pem")],
            2,
            "it has none",
        ),
    ];
    for (variables, expected, part) in table {
        let (code, printed, complaint) = desk.ask(variables);
        if part == "`CN=expired`" {
            assert!(complaint.contains("has expired"), "{complaint}");
            continue;
        }
        assert_eq!(code, Some(expected), "{variables:?}: {complaint}");
        assert!(complaint.contains(part), "`{part}` is not in: {complaint}");
        assert!(!complaint.contains(secret) && printed.is_empty());
    }
    // HTTP where TLS is spoken, and the other way round.
    let plain = desk.url.replace("https", "http");
    let (code, _, complaint) = ask(desk.folder.path(), &plain, &[]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("write https://"), "{complaint}");
    let folder = tempdir().unwrap();
    let other = start(folder.path(), &[]);
    let url = other.address().replace("http", "https");
    let (code, _, complaint) = ask(desk.folder.path(), &url, &[ca]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("none of TLS"), "{complaint}");
}

#[test]
fn no_argument_takes_a_certificate_or_a_key() {
    let folder = tempdir().unwrap();
    for flag in ["--ca", "--client-cert", "--client-key"] {
        let mut command = command(folder.path(), &[]);
        let output = command.args(["cluster", flag, "x.pem"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag}");
    }
}

/// A worker that runs a stream over TLS, loses its certificate and gets another one while it runs.
fn worker_over_tls(kind: Kind) {
    let mut desk = Desk::new();
    let named = |name| Leaf {
        common: name,
        ..Leaf::default()
    };
    desk.issue(&desk.authority, "worker-1", named("worker-1"));
    let (ca, certificate) = (desk.path("ca.pem"), desk.path("worker-1.pem"));
    let key = desk.path("worker-1-key.pem");
    let files = [(CA, ca.as_str()), (CERT, &certificate), (KEY, &key)];
    let streams = json!({"streams": [{"id": 1, "name": "one"}]});
    assert_eq!(desk.orchestrator.post("/streams", &streams).0, 200);
    let url = desk.url.clone();
    let mut worker = WorkerProcess::start_with(kind, &url, "worker-1", &files);
    worker.wait_for("registered");
    worker.expect(vec!["start 1".to_owned()]);

    // The authority changes; so does the worker's certificate, while the worker goes on.
    let next = Authority::new("next");
    let both = format!("{}{}", desk.authority.pem(), next.pem());
    fs::write(desk.path("ca.pem"), both).unwrap();
    desk.issue(&next, "worker-1", named("worker-1"));
    let server = Leaf {
        common: "orchestrator",
        dns: &["localhost", "127.0.0.1"],
        ..Leaf::default()
    };
    desk.issue(&next, "server", server);
    desk.orchestrator.signal(Signal::HUP);
    desk.orchestrator.wait_for_line("TLS_CLIENT_CA is in force");
    next.write(Path::new(&desk.path("ca.pem")));
    desk.orchestrator.signal(Signal::HUP);
    desk.orchestrator
        .wait_for_line("TLS_CLIENT_CA is in force: certificate `CN=next`");
    desk.orchestrator.call_by(agent(Some(next.pem()), None));
    let more = json!({"streams": [{"id": 2, "name": "two"}]});
    assert_eq!(desk.orchestrator.post("/streams", &more).0, 200);
    worker.expect(vec!["start 2".to_owned()]);
    let ended = worker.leave();
    assert!(ended.status.success(), "{}", ended.error);
}

#[test]
fn a_worker_of_the_library_runs_over_tls_and_takes_up_new_files() {
    worker_over_tls(Kind::Rust);
}

#[test]
fn a_worker_in_python_runs_over_tls_and_takes_up_new_files() {
    if has_python() {
        worker_over_tls(Kind::Python);
    }
}

#[test]
fn a_worker_whose_files_cannot_be_used_says_so_and_begins_once_they_can() {
    let desk = Desk::new();
    let named = Leaf {
        common: "worker-1",
        ..Leaf::default()
    };
    desk.issue(&desk.authority, "worker-1", named);
    let foreign = Authority::new("theirs");
    desk.issue(&foreign, "other", named);
    let (ca, certificate) = (desk.path("ca.pem"), desk.path("worker-1.pem"));
    let key = desk.path("other-key.pem");
    let files = [(CA, ca.as_str()), (CERT, &certificate), (KEY, &key)];
    let mut worker = WorkerProcess::start_with(Kind::Rust, &desk.url, "worker-1", &files);
    worker.wait_for("the orchestrator does not answer: the key in ");
    fs::copy(desk.path("worker-1-key.pem"), &key).unwrap();
    worker.wait_for("registered");
    assert!(worker.leave().status.success());
}
