//! SIGHUP reads the settings again: some change at once, others wait, and a mistake changes nothing.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs;
use std::io::Write;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::postgres::Server;
use crate::support::process::{Orchestrator, launch, start};

fn write(folder: &Path, lines: &[&str]) {
    fs::write(folder.join(".env"), lines.join("\n")).unwrap();
}

/// An orchestrator with an instance that runs half of what it could.
fn half_full(folder: &Path) -> Orchestrator {
    let orchestrator = start(folder, &[]);
    fill_by_half(&orchestrator);
    assert_eq!(health(&orchestrator), "healthy");
    orchestrator
}

fn fill_by_half(orchestrator: &Orchestrator) {
    let worker = json!({"server_id": "a", "ip": "127.0.0.1", "port": 9000, "max_streams": 2});
    let streams = json!({"streams": [{"id": 1, "name": "one"}]});
    let request = json!({"server_id": "a", "requested_count": 1});
    assert_eq!(orchestrator.post("/register", &worker).0, 200);
    assert_eq!(orchestrator.post("/streams", &streams).0, 200);
    assert_eq!(orchestrator.post("/streams/assign", &request).0, 200);
}

fn health(orchestrator: &Orchestrator) -> Value {
    orchestrator.get("/resilience/health").1["system_health"].clone()
}

#[test]
fn a_reload_applies_what_may_change_and_names_what_needs_a_restart() {
    let folder = tempdir().unwrap();
    let before = ["MAX_CAPACITY_UTILIZATION=0.8", "HEARTBEAT_TIMEOUT=300"];
    write(folder.path(), &before);
    let mut orchestrator = half_full(folder.path());
    write(
        folder.path(),
        &[
            "MAX_CAPACITY_UTILIZATION=0.4",
            "HEARTBEAT_TIMEOUT=600",
            "EVENT_RETENTION=7d",
            "RUST_LOG=debug",
            "DATABASE_URL=postgres://me:geheim@127.0.0.1/fleet",
        ],
    );
    orchestrator.signal(Signal::HUP);
    for line in [
        "SIGHUP: DATABASE_URL is to be postgres://127.0.0.1/… (.env); it needs a restart, and stays",
        "SIGHUP: HEARTBEAT_TIMEOUT is to be 10m (.env); it needs a restart, and stays 5m until then",
        "SIGHUP: MAX_CAPACITY_UTILIZATION is 0.4 now (.env); it was 0.8",
        "SIGHUP: EVENT_RETENTION is 7d now (.env); it was 30d",
        "SIGHUP: INCIDENT_RETENTION is 7d now (derived: equal to EVENT_RETENTION); it was 30d",
        "SIGHUP: RUST_LOG is debug now (.env); it was info",
    ] {
        orchestrator.wait_for_line(line);
    }
    // The lines of DEBUG are there now, and the new limit judges.
    assert_eq!(health(&orchestrator), "degraded");
    orchestrator.wait_for_line("GET /resilience/health was answered 200");
    write(folder.path(), &["LOG_FORMAT=json"]);
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line("SIGHUP: LOG_FORMAT is json now (.env); it was text");
    orchestrator.signal(Signal::USR1);
    let line = orchestrator.wait_for_line("SIGUSR1 is ignored");
    assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
    assert_eq!(health(&orchestrator), "healthy");
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(!ended.log.contains("geheim"), "{}", ended.log);
}

#[test]
fn a_mistake_in_a_reload_changes_nothing_and_is_named() {
    let folder = tempdir().unwrap();
    let mut orchestrator = half_full(folder.path());
    write(
        folder.path(),
        &[
            "MAX_CAPACITY_UTILIZATION=0.4",
            "EVENT_RETENTION=soon",
            "no setting",
        ],
    );
    orchestrator.signal(Signal::HUP);
    let mistake = "SIGHUP: nothing has changed, because of a mistake in the settings: ";
    let line = orchestrator.wait_for_line(mistake);
    assert!(line.contains(".env, line 3"), "{line}");
    let line = orchestrator.wait_for_line(mistake);
    assert!(
        line.contains("EVENT_RETENTION (.env) is \"soon\""),
        "{line}"
    );
    assert_eq!(health(&orchestrator), "healthy");
    fs::remove_file(folder.path().join(".env")).unwrap();
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line("SIGHUP: no setting has changed");
}

#[test]
fn a_file_of_webhooks_that_changes_is_applied_and_one_with_a_mistake_is_not() {
    let folder = tempdir().unwrap();
    write(
        folder.path(),
        &["WEBHOOKS_FILE=webhooks.toml", "WEBHOOK_ALLOW_LOOPBACK=on"],
    );
    let file = |name: &str, more: &str| {
        let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
        let text = format!(
            "[webhooks.{name}]\nurl = \"http://127.0.0.1:9/hidden\"\nsecret = \"{secret}\"\n{more}"
        );
        fs::write(folder.path().join("webhooks.toml"), text).unwrap();
    };
    file("first", "");
    let mut orchestrator = start(folder.path(), &[]);
    let names = |orchestrator: &Orchestrator| {
        let webhooks = orchestrator.get("/webhooks").1["webhooks"].take();
        let webhooks = webhooks.as_array().unwrap().iter();
        let names = webhooks.map(|webhook| webhook["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&orchestrator), ["first"]);
    file("second", "");
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line("SIGHUP: WEBHOOKS_FILE names the same file (.env), in which");
    orchestrator.wait_for_line("webhook first is not in WEBHOOKS_FILE any more and is deleted");
    orchestrator.wait_for_line("webhook second of WEBHOOKS_FILE is in force");
    assert_eq!(names(&orchestrator), ["second"]);
    file("third", "colour = 3\n");
    orchestrator.signal(Signal::HUP);
    let mistake = "SIGHUP: nothing has changed, because of a mistake in the settings: ";
    let line = orchestrator.wait_for_line(mistake);
    assert!(line.contains("line 4") && line.contains("colour"), "{line}");
    assert_eq!(names(&orchestrator), ["second"]);
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    for secret in ["hidden", "whsec_"] {
        assert!(!ended.log.contains(secret), "{}", ended.log);
    }
}

#[test]
fn a_reload_before_the_fleet_is_loaded_counts_once_it_is() {
    let server = Server::start(&[], "");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(server.database());
    server.stop_immediate();
    let folder = tempdir().unwrap();
    let mut orchestrator = launch(folder.path(), &[("DATABASE_URL", &database.url())]);
    orchestrator.wait_for_line("waiting for the database");
    write(
        folder.path(),
        &["RUST_LOG=debug", "MAX_CAPACITY_UTILIZATION=0.4"],
    );
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line("SIGHUP: MAX_CAPACITY_UTILIZATION is 0.4 now");
    orchestrator.wait_for_line("SIGHUP: RUST_LOG is debug now");
    server.start_again();
    orchestrator.wait_for_line("ready on http://");
    fill_by_half(&orchestrator);
    assert_eq!(health(&orchestrator), "degraded");
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
}

#[test]
fn settings_from_a_pipe_that_nothing_writes_hold_up_no_signal_and_are_mentioned() {
    let folder = tempdir().unwrap();
    let mut orchestrator = start(folder.path(), &[]);
    let pipe = folder.path().join(".env");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    orchestrator.signal(Signal::HUP);
    // Returns once the program has opened it, too.
    let mut writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    orchestrator.signal(Signal::HUP);
    orchestrator
        .wait_for_line("SIGHUP: the settings are still being read; they are read once more");
    assert_eq!(orchestrator.get("/livez").0, 200);
    writer.write_all(b"HEALTH_HISTORY_ROWS=7\n").unwrap();
    drop(writer);
    orchestrator.wait_for_line("SIGHUP: HEALTH_HISTORY_ROWS is 7 now");
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
}
