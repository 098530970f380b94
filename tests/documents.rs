//! The documents say what the program does: tables are compared, commands are run.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot be prepared fails the test"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use resilient_orchestrator::http;
use resilient_orchestrator::{cli, config};
use serde_json::Value;
use support::process::start;
use tempfile::tempdir;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What stands between two marks.
fn between(text: &str, from: &str, to: &str) -> String {
    let after = text
        .split(from)
        .nth(1)
        .unwrap_or_else(|| panic!("no `{from}`"));
    let inside = after.split_once("-->\n").expect("the mark is a comment").1;
    inside.split(to).next().unwrap().to_owned()
}

#[test]
fn the_readme_lists_every_setting() {
    let listed = between(
        &document("README.md"),
        "<!-- settings:",
        "<!-- end of settings",
    );
    assert_eq!(
        listed,
        config::markdown_table(),
        "copy what `orchestrator config table` prints"
    );
}

#[test]
fn the_readme_lists_every_route() {
    let listed = between(&document("README.md"), "<!-- routes:", "<!-- end of routes");
    assert_eq!(listed, http::markdown_route_table());
}

#[test]
fn the_operations_list_every_exit_code() {
    let listed = between(
        &document("docs/OPERATIONS.md"),
        "<!-- exit codes:",
        "<!-- end of exit codes",
    );
    assert_eq!(listed, cli::markdown_exit_codes());
}

#[test]
fn the_unit_of_the_operations_does_not_stop_restarting() {
    let text = document("docs/OPERATIONS.md");
    let unit = text.split("```ini\n").nth(1).expect("a unit");
    let unit = unit.split("```").next().unwrap();
    for line in ["StartLimitIntervalSec=0", "Restart=always"] {
        assert!(unit.lines().any(|found| found == line), "no {line}");
    }
}

/// The shell commands below a heading, block by block.
fn commands(text: &str, heading: &str) -> Vec<String> {
    let section = text.split(heading).nth(1).expect("the heading is there");
    let section = section.split("\n## ").next().unwrap();
    section
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn a_workers_life_by_curl_works_word_for_word() {
    let text = document("README.md");
    let blocks = commands(&text, "## Try it");
    let [serve, first, second, third, fourth, example, demo] = blocks.as_slice() else {
        panic!("the story has other blocks: {blocks:#?}");
    };
    assert_eq!(serve, "HEARTBEAT_TIMEOUT=6 cargo run --release\n");
    assert_eq!(example, "cargo run --release --example failover\n");
    assert_eq!(demo, "cargo run --release --example demo\n");

    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("HEARTBEAT_TIMEOUT", "6")]);
    let address = orchestrator.address().trim_start_matches("http://");
    let run = |block: &String| -> Vec<Value> {
        let script = block.replace("localhost:8001", address);
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .output()
            .expect("bash and curl are there");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{script}\n{text}");
        serde_json::Deserializer::from_str(&text)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
    };

    let answers = run(first);
    assert_eq!(answers[0]["created"], 6);
    assert_eq!(answers[1]["status"], "registered");
    assert_eq!(
        answers[2]["assigned_streams"],
        serde_json::json!([1, 2, 3, 4, 5, 6])
    );

    let answers = run(second);
    assert_eq!(answers.len(), 9);
    assert!(
        answers[1..]
            .iter()
            .all(|answer| answer["status"] == "heartbeat_updated")
    );

    let answers = run(third);
    let instances = answers[0]["instances"].as_array().unwrap();
    let status_of = |id: &str| {
        let instance = instances
            .iter()
            .find(|instance| instance["server_id"] == id);
        instance.unwrap()["status"].clone()
    };
    assert_eq!(
        (status_of("alpha"), status_of("beta")),
        ("failed".into(), "active".into())
    );
    assert_eq!(
        answers[1]["assigned_streams"],
        serde_json::json!([1, 2, 3, 4, 5, 6])
    );
    assert_eq!(answers[2]["assignments"].as_array().unwrap().len(), 6);

    let answers = run(fourth);
    assert_eq!(answers[0]["status"], "heartbeat_updated");
    assert_eq!(answers[1]["released_streams"], serde_json::json!([1, 2, 3]));
    assert_eq!(answers[3]["streams"]["total"], 6, "none is lost");
}

#[test]
fn every_document_the_readme_links_to_is_there() {
    let text = document("README.md");
    let links = text
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap());
    for link in links.filter(|link| !link.starts_with("http")) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(link);
        assert!(path.exists(), "README.md links to `{link}`");
    }
}
