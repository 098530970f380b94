//! The documents say what the program does: tables are compared, commands are run.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot be prepared fails the test"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::sources::{ANYTHING, literals, sources};
use crate::support::process::start;
use resilient_orchestrator::domain::alert::{AlertKind, RULES};
use resilient_orchestrator::http;
use resilient_orchestrator::{cli, config};
use serde_json::Value;
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
fn the_unit_does_not_stop_restarting() {
    let unit = document("deploy/systemd/orchestrator.service");
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
    let [serve, import, first, second, third, fourth, example, demo] = blocks.as_slice() else {
        panic!("the story has other blocks: {blocks:#?}");
    };
    assert_eq!(serve, "HEARTBEAT_TIMEOUT=6 cargo run --release\n");
    assert_eq!(example, "cargo run --release --example failover\n");
    assert_eq!(demo, "cargo run --release --example demo\n");

    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("HEARTBEAT_TIMEOUT", "6")]);
    let address = orchestrator.address().trim_start_matches("http://");
    let printed = |block: &String| -> String {
        let script = block.replace("localhost:8001", address).replace(
            "target/release/orchestrator",
            env!("CARGO_BIN_EXE_orchestrator"),
        );
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(folder.path())
            .env("ORCHESTRATOR_URL", orchestrator.address())
            .output()
            .expect("bash and curl are there");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{script}\n{text}");
        text
    };
    let run = |block: &String| -> Vec<Value> {
        let text = printed(block);
        serde_json::Deserializer::from_str(&text)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
    };

    let text = printed(import);
    assert!(text.starts_with("6 created, 0 updated"), "{text}");
    assert!(text.contains("6   soul  unclaimed"), "{text}");

    let answers = run(first);
    assert_eq!(answers[0]["status"], "registered");
    assert_eq!(
        answers[1]["assigned_streams"],
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

#[test]
fn each_kind_of_alert_has_a_row_in_the_failures_with_something_to_do() {
    let failures = document("docs/FAILURES.md");
    for kind in AlertKind::ALL {
        let named = format!("`{kind}`");
        let mut rows = failures
            .lines()
            .filter(|line| line.starts_with('|') && line.contains(&named));
        let row = rows.next();
        let row = row.unwrap_or_else(|| panic!("no row of docs/FAILURES.md names {named}"));
        let advice = row.trim_end_matches('|').rsplit('|').next().unwrap();
        assert!(!advice.trim().is_empty(), "{named} has no advice: {row}");
    }
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn the_runbook_of_each_alert_is_a_heading_of_the_documents() {
    for rule in RULES {
        let (file, anchor) = rule.runbook.split_once('#').unwrap();
        assert!(
            ["docs/OPERATIONS.md", "docs/FAILURES.md"].contains(&file),
            "{}",
            rule.kind
        );
        let found = anchors(&document(file));
        assert!(
            found.iter().any(|one| one == anchor),
            "{file} has no heading for {anchor}"
        );
    }
}

#[test]
fn each_link_within_the_operations_leads_to_a_heading() {
    for page in ["docs/OPERATIONS.md", "docs/CLUSTER.md"] {
        let text = document(page);
        let found = anchors(&text);
        for link in text.split("](#").skip(1) {
            let anchor = link.split(')').next().unwrap();
            assert!(
                found.iter().any(|one| one == anchor),
                "{page} has no heading for #{anchor}"
            );
        }
    }
}

#[test]
fn each_link_of_the_cluster_page_leads_to_a_heading_of_its_page() {
    let text = document("docs/CLUSTER.md");
    for link in text.split("](").skip(1) {
        let Some((file, anchor)) = link.split(')').next().unwrap().split_once(".md#") else {
            continue;
        };
        let found = anchors(&document(&format!("docs/{file}.md")));
        assert!(
            found.iter().any(|one| one == anchor),
            "{file}.md has no heading for {anchor}"
        );
    }
}

#[test]
fn each_failure_of_a_cluster_names_its_test_or_says_that_it_is_not_built() {
    let page = document("docs/CLUSTER.md");
    let chapter = page
        .split("## What each failure looks like")
        .nth(1)
        .unwrap();
    let rows = chapter.split("\n## ").next().unwrap().lines();
    let rows: Vec<&str> = rows.filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() >= 15, "{} rows", rows.len());
    for row in rows {
        let shown = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let files: Vec<String> = quotes(shown)
            .filter(|quote| quote.starts_with("tests/"))
            .map(document)
            .collect();
        let mut names = quotes(shown).filter(|quote| quote.matches('_').count() > 3);
        let first = names.next();
        assert!(first.is_some() || shown.contains("not built"), "{row}");
        for name in first.into_iter().chain(names) {
            let test = format!("fn {name}()");
            assert!(
                files.iter().any(|file| file.contains(&test)),
                "there is no test {name}: {row}"
            );
        }
    }
}

/// Every text literal of the program, with its gaps marked.
fn program_literals() -> Vec<String> {
    let files = sources("src").into_iter().chain(sources("crates"));
    files
        .flat_map(|(_, text)| literals(&text))
        .map(|(_, literal)| literal)
        .collect()
}

/// A quoted line with its gaps marked: single capital letters and dots stand for anything, and so does a
/// number with its noun, which may be one stream.
fn pattern(quoted: &str) -> String {
    let mut pattern = String::new();
    let quoted = quoted.replace("N streams", "N");
    let mut chars = quoted.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let ends = chars.peek().is_none_or(|next| !next.is_alphanumeric());
        let is_gap = c == '…' || (c.is_ascii_uppercase() && !before.is_alphanumeric() && ends);
        pattern.push(if is_gap { ANYTHING } else { c });
        before = c;
    }
    pattern
}

/// What stands in backticks.
fn quotes(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cells of a table's row.
fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").collect()
}

#[test]
fn each_line_of_the_log_that_the_documents_quote_is_in_the_program() {
    let operations = document("docs/OPERATIONS.md");
    let table = operations.split("## Lines in the log").nth(1);
    let table = table.unwrap().split("\n## ").next().unwrap();
    let mut quoted: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|row| quotes(cells(row)[0]))
        .collect();
    let failures = document("docs/FAILURES.md");
    let is_call = |quote: &&str| {
        let calls = ["GET ", "POST ", "DELETE ", "orchestrator "];
        calls.iter().any(|call| quote.starts_with(call))
    };
    let seen = failures
        .lines()
        .filter_map(|row| cells(row).get(3).copied())
        .flat_map(quotes);
    quoted.extend(seen.filter(|quote| quote.contains(' ') && !is_call(quote)));
    assert!(quoted.len() > 25, "{quoted:?}");
    let literals = program_literals();
    let missing: Vec<&&str> = quoted
        .iter()
        .filter(|quote| {
            // A reason may stand behind a colon, in a text of its own.
            let parts = quote.split(": ").map(pattern).collect::<Vec<_>>();
            let whole = [pattern(quote)];
            let is_there = |part: &String| literals.iter().any(|line| line.contains(part.as_str()));
            !whole.iter().all(is_there) && !parts.iter().all(is_there)
        })
        .collect();
    assert!(missing.is_empty(), "no such line: {missing:#?}");
}
