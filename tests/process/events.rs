//! `orchestrator events --follow` and `story` beside a real orchestrator that is stopped and started again,
//! on each database.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::any::Any;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::support::postgres::Database;
use crate::support::process::{Orchestrator, start};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that follows events; ended when dropped.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn begin(address: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .env_clear()
            .env("ORCHESTRATOR_URL", address)
            .args(["events", "--follow"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn printed(address: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .env_clear()
        .env("ORCHESTRATOR_URL", address)
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn register(orchestrator: &Orchestrator, id: &str) {
    let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9, "max_streams": 3});
    assert_eq!(orchestrator.post("/register", &body).0, 200);
}

fn follows_across_a_restart((url, _database): (String, Box<dyn Any>)) {
    let folder = tempdir().unwrap();
    let begin = |bind: &str| {
        let settings = [("DATABASE_URL", url.as_str()), ("BIND_ADDRESS", bind)];
        start(folder.path(), &settings)
    };
    let first = begin("127.0.0.1:0");
    let address = first.address().to_owned();
    let bind = address.trim_start_matches("http://").to_owned();
    register(&first, "a");
    let all = Following::begin(&address, &["--since", "1h", "--json"]);
    let of_b = Following::begin(&address, &["--since", "1h", "--instance", "b"]);
    let event = all.event();
    assert_eq!(
        (&event["kind"], &event["instance"]),
        (&json!("instance_registered"), &json!("a"))
    );
    register(&first, "b");
    let event = all.event();
    assert_eq!(
        (&event["kind"], &event["instance"]),
        (&json!("instance_registered"), &json!("b"))
    );
    let line = of_b.line();
    assert!(line.ends_with("  info     instance b registered"), "{line}");

    first.signal(Signal::TERM);
    let ended = first.wait();
    assert!(ended.status.success(), "{}", ended.log);
    let waited = "some requests could not be answered before the shutdown";
    assert!(
        !ended.log.contains(waited),
        "followers end at once: {}",
        ended.log
    );

    let second = begin(&bind);
    register(&second, "c");
    let event = all.event();
    assert_eq!(
        (&event["kind"], &event["instance"]),
        (&json!("instance_registered"), &json!("c"))
    );
    register(&second, "b");
    let event = all.event();
    assert_eq!(
        event["detail"], "instance b registered again",
        "none comes twice"
    );
    assert!(
        of_b.line()
            .ends_with("  info     instance b registered again")
    );

    let (code, story, complaint) = printed(&address, &["story", "b"]);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    let told: Vec<&str> = story.lines().map(|line| &line[30..]).collect();
    assert_eq!(
        told,
        ["instance b registered", "instance b registered again"]
    );
    let (code, listed, _) = printed(
        &address,
        &["events", "--limit", "1", "--kind", "instance_registered"],
    );
    assert_eq!(code, Some(0));
    assert!(
        listed.ends_with("instance b registered again\n"),
        "{listed}"
    );
    let (code, nothing, complaint) = printed(&address, &["story", "nobody"]);
    assert_eq!((code, nothing.as_str()), (Some(1), ""));
    assert!(complaint.contains("No instance `nobody`"), "{complaint}");
    let (code, _, complaint) = printed(&address, &["events", "--follow", "--kind", "nothing"]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("`kind`"), "{complaint}");
}

#[test]
fn events_are_followed_across_a_restart_on_sqlite() {
    let folder = tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("events.db").display());
    follows_across_a_restart((url, Box::new(folder)));
}

#[test]
fn events_are_followed_across_a_restart_on_postgres() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(Database::new());
    let url = database.url();
    follows_across_a_restart((url, Box::new((database, runtime))));
}
