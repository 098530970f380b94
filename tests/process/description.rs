//! The description of the API against the real program, by tools that did not write it: one that checks the document,
//! and one that sends requests made from it, good and bad, on SQLite and on PostgreSQL.
//!
//! No answer may be a 5xx, except 503, nor have a status, a content type or a field that the description does not
//! have; a bad request must be refused, and a good one must not, apart from the routes in `schemathesis.toml`.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::postgres::Database;
use crate::support::process::{Orchestrator, expect_errors, start};
use rustix::process::Signal;
use tempfile::tempdir;

/// A tool that `./test` installs. A missing one fails the test: it is not left out.
fn tool(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/api-tools/bin")
        .join(name);
    assert!(
        path.exists(),
        "{} is missing: `./test description` installs it, with Python's venv and pip",
        path.display()
    );
    Command::new(path)
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/schemathesis.toml")
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts.map(|text| String::from_utf8_lossy(text)).concat()
}

/// Sends requests made from the description; `more` selects them.
fn explore(orchestrator: &Orchestrator, folder: &Path, more: &[&str]) {
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process");
    let output = tool("schemathesis")
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", hooks)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg("--config-file")
        .arg(config())
        .arg("run")
        .arg(format!("{}/openapi.json", orchestrator.address()))
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "3",
        ])
        .args(["--seed", "1", "--continue-on-failure", "--no-color"])
        .args(more)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

fn answers_as_described(settings: &[(&str, &str)]) {
    const FORCE: &str = "/resilience/breakers/{name}";
    // What the requests order is grave.
    expect_errors(&[
        "alert emergency_recovery",
        "alert store_unavailable",
        "alert streams_orphaned",
    ]);
    let folder = tempdir().unwrap();
    // Webhooks lead to a closed port of this machine: `schemathesis_hooks.py`.
    let settings = [settings, &[("WEBHOOK_ALLOW_LOOPBACK", "on")]].concat();
    let orchestrator = start(folder.path(), &settings);
    explore(&orchestrator, folder.path(), &["--exclude-path", FORCE]);
    // A forced breaker has everything else answer 503, so it is the last that is tried.
    explore(&orchestrator, folder.path(), &["--include-path", FORCE]);
    orchestrator.signal(Signal::TERM);
    let log = orchestrator.wait().log;
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn the_description_is_valid_openapi() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("openapi.json");
    fs::write(&path, resilient_orchestrator::http::api_description()).unwrap();
    let output = tool("openapi-spec-validator").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let broken = String::from_utf8_lossy(resilient_orchestrator::http::api_description())
        .replace("\"responses\"", "\"answers\"");
    fs::write(&path, broken).unwrap();
    let output = tool("openapi-spec-validator").arg(&path).output().unwrap();
    assert!(!output.status.success(), "the tool finds a fault");
}

#[test]
fn the_program_answers_as_described_on_sqlite() {
    answers_as_described(&[("DATABASE_URL", "sqlite://orchestrator.db")]);
}

#[tokio::test]
async fn the_program_answers_as_described_on_postgres() {
    let database = Database::new().await;
    answers_as_described(&[("DATABASE_URL", &database.url())]);
}
