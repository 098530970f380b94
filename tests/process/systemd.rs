//! Notifications of the real program: a socket of the test's own stands for systemd.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::ground::{Ground, wait_until_ready};
use crate::support::process::{Orchestrator, launch, start};

/// The socket of a manager of services.
struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self { folder, socket }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self) -> String {
        let path: PathBuf = self.folder().join("notify");
        path.to_str().unwrap().to_owned()
    }

    /// Waits for a message with this line; returns those that came, with it.
    fn wait_for(&self, line: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let mut bytes = [0; 4_096];
            let length = self.socket.recv(&mut bytes);
            let length = length.unwrap_or_else(|error| panic!("{error}: {line} after {heard:?}"));
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            heard.extend(text.lines().map(str::to_owned));
            if heard.iter().any(|heard| heard.starts_with(line)) {
                return heard;
            }
        }
    }
}

fn stop(orchestrator: Orchestrator) {
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
}

#[test]
fn a_service_is_ready_once_it_serves_and_says_that_it_stops() {
    let manager = Manager::new();
    let orchestrator = start(manager.folder(), &[("NOTIFY_SOCKET", &manager.path())]);
    let heard = manager.wait_for("STATUS=Leads");
    assert_eq!(
        heard.iter().filter(|line| *line == "READY=1").count(),
        1,
        "{heard:?}"
    );
    let status = heard.last().unwrap();
    assert!(
        status.starts_with("STATUS=Leads (term 1); the system is "),
        "{status}"
    );
    orchestrator.signal(Signal::TERM);
    let heard = manager.wait_for("STATUS=Stopping");
    assert!(heard.contains(&"STOPPING=1".to_owned()), "{heard:?}");
    assert_eq!(orchestrator.wait().status.code(), Some(0));
}

#[test]
fn a_service_that_waits_for_its_database_is_not_ready_and_asks_for_time() {
    let manager = Manager::new();
    // Nothing listens there.
    let url = "postgres://me@127.0.0.1:9/fleet";
    let socket = manager.path();
    let settings = [("NOTIFY_SOCKET", socket.as_str()), ("DATABASE_URL", url)];
    let orchestrator = launch(manager.folder(), &settings);
    let mut heard = manager.wait_for("STATUS=Starting: waits for the database");
    heard.extend(manager.wait_for("EXTEND_TIMEOUT_USEC=30000000"));
    assert!(!heard.contains(&"READY=1".to_owned()), "{heard:?}");
    stop(orchestrator);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a real process in real time: the limit tells the pace from a slower one"
)]
fn a_watchdog_is_beaten_as_often_as_it_asks_for() {
    let manager = Manager::new();
    let socket = manager.path();
    // A beat each 10 ms, where a program without a limit sends one each second.
    let settings = [
        ("NOTIFY_SOCKET", socket.as_str()),
        ("WATCHDOG_USEC", "30000"),
    ];
    let orchestrator = start(manager.folder(), &settings);
    manager.wait_for("READY=1");
    let began = Instant::now();
    for _ in 0..300 {
        manager.wait_for("WATCHDOG=1");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(100), "{took:?}");
    stop(orchestrator);
}

#[test]
fn a_watchdog_with_a_limit_of_zero_is_none() {
    let manager = Manager::new();
    let socket = manager.path();
    let settings = [("NOTIFY_SOCKET", socket.as_str()), ("WATCHDOG_USEC", "0")];
    let orchestrator = start(manager.folder(), &settings);
    manager.wait_for("STATUS=Leads");
    stop(orchestrator);
}

#[test]
fn a_standby_is_ready() {
    let (ground, manager) = (Ground::new(), Manager::new());
    let url = ground.database.url();
    let mut leader = ground.process("n1", &[]);
    leader.wait_for_line("ready on ");
    let socket = manager.path();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("CLUSTER_NODE", "n2"),
        ("NOTIFY_SOCKET", &socket),
    ];
    let standby = launch(manager.folder(), &settings);
    let heard = manager.wait_for("STATUS=Standby: n1 leads");
    assert_eq!(
        heard.iter().filter(|line| *line == "READY=1").count(),
        1,
        "{heard:?}"
    );
    stop(leader);
    let heard = manager.wait_for("STATUS=Leads");
    assert!(!heard.contains(&"READY=1".to_owned()), "{heard:?}");
    stop(standby);
}

#[test]
fn a_leader_that_becomes_a_standby_is_one_service_all_the_while() {
    let (ground, manager) = (Ground::new(), Manager::new());
    let url = ground.database.url();
    let socket = manager.path();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("CLUSTER_NODE", "n1"),
        ("NOTIFY_SOCKET", &socket),
        // A look each 20 ms, so that none of the states is missed.
        ("WATCHDOG_USEC", "60000"),
    ];
    let mut leader = start(manager.folder(), &settings);
    manager.wait_for("STATUS=Leads");
    let next = ground.process("n2", &[]);
    wait_until_ready(&leader, "n2");
    let order = json!({"reason": "an exercise"});
    assert_eq!(leader.post("/cluster/step-down", &order).0, 200);
    let mut heard = manager.wait_for("STATUS=Hands over");
    heard.extend(manager.wait_for("STATUS=Standby: n2 leads"));
    leader.wait_until_it_stands_by();
    heard.extend(manager.wait_for("WATCHDOG=1"));
    for line in ["READY=1", "STOPPING=1"] {
        assert!(!heard.contains(&line.to_owned()), "{heard:?}");
    }
    let silent = "STATUS=The actor that decides about the fleet does not answer";
    assert!(!heard.contains(&silent.to_owned()), "{heard:?}");
    // It leads again, and stops as any service does.
    stop(next);
    let mut heard = manager.wait_for("STATUS=Leads");
    leader.signal(Signal::TERM);
    heard.extend(manager.wait_for("STATUS=Stopping"));
    assert!(!heard.contains(&"READY=1".to_owned()), "{heard:?}");
    assert_eq!(leader.wait().status.code(), Some(0));
}

#[test]
fn a_manager_that_reads_nothing_holds_up_nothing() {
    let manager = Manager::new();
    let socket = manager.path();
    // A beat each 10 ms: the socket is full at once.
    let settings = [
        ("NOTIFY_SOCKET", socket.as_str()),
        ("WATCHDOG_USEC", "30000"),
    ];
    let orchestrator = start(manager.folder(), &settings);
    for _ in 0..500 {
        assert_eq!(orchestrator.get("/livez").0, 200);
    }
    stop(orchestrator);
}
