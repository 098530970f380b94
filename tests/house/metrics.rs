//! The list of metrics is what a real process exposes, and every query names a family of the list.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::sources::root;
use crate::support::certificates::Authority;
use crate::support::process::{Orchestrator, agent, start};
use serde_json::json;
use tempfile::tempdir;

fn page() -> String {
    fs::read_to_string(root().join("docs/METRICS.md")).unwrap()
}

/// The table of the page.
fn listed(page: &str) -> &str {
    let after = page.split("<!-- metrics: ").nth(1).unwrap();
    let inside = after.split_once("-->\n").unwrap().1;
    inside.split("<!-- end of metrics").next().unwrap()
}

fn scrape(orchestrator: &Orchestrator) -> String {
    let (agent, address) = orchestrator.client();
    let mut answer = agent.get(format!("{address}/metrics")).call().unwrap();
    answer.body_mut().read_to_string().unwrap()
}

/// A table of what was scraped: a line for each family, in alphabetical order.
fn table(text: &str) -> String {
    let described = |kind: &str| -> BTreeMap<&str, &str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(kind));
        lines.map(|line| line.split_once(' ').unwrap()).collect()
    };
    let (help, types) = (described("# HELP "), described("# TYPE "));
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else {
            continue;
        };
        let endings = ["", "_bucket", "_sum", "_count"].into_iter();
        let family = endings
            .filter_map(|ending| name.strip_suffix(ending))
            .find(|family| types.contains_key(family))
            .unwrap();
        // Values may have braces, as those of routes do.
        let names = rest.split('=').filter_map(|part| {
            let name = part.rsplit([',', '{']).next()?;
            let is_name = |c: char| c == '_' || c.is_ascii_lowercase();
            (!name.is_empty() && name.chars().all(is_name)).then_some(name)
        });
        let own = names.filter(|name| *name != "le");
        labels.entry(family).or_default().extend(own);
    }
    let mut table = "| name | type | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for (family, kind) in types {
        let labels = labels.remove(family).unwrap_or_default();
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let meaning = help[family].trim_end_matches('.');
        let labels = labels.join(", ");
        table.push_str(&format!("| `{family}` | {kind} | {labels} | {meaning} |\n"));
    }
    table
}

#[test]
fn the_page_of_metrics_lists_what_a_process_exposes() {
    let folder = tempdir().unwrap();
    let authority = Authority::new("ours");
    authority.serve(folder.path());
    let settings = [
        ("METRICS_PER_INSTANCE", "on"),
        ("TLS_CERT", "server.pem"),
        ("TLS_KEY", "server-key.pem"),
    ];
    let mut orchestrator = start(folder.path(), &settings);
    orchestrator.call_by(agent(Some(authority.pem()), None));
    let worker = json!({"server_id": "a", "ip": "127.0.0.1", "port": 9000});
    assert_eq!(orchestrator.post("/register", &worker).0, 200);
    let (agent, address) = orchestrator.client();
    let webhook = json!({"url": "https://10.0.0.1/", "types": ["alert.closed"]});
    let saved = agent
        .put(format!("{address}/webhooks/a"))
        .send_json(webhook);
    assert_eq!(saved.unwrap().status(), 200);
    let table = table(&scrape(&orchestrator));
    let page = page();
    let listed = listed(&page);
    assert_eq!(listed, table, "write into docs/METRICS.md:\n{table}");
}

/// An alert rule as it is written: one line for each of its keys.
#[derive(Default)]
struct Rule {
    name: String,
    expr: String,
    hold: String,
    severity: String,
    runbook: String,
}

fn rules() -> Vec<Rule> {
    let path = "deploy/prometheus/orchestrator.rules.yml";
    let text = fs::read_to_string(root().join(path)).unwrap();
    let of_rule = |text: &str| {
        let value = |key: &str| {
            let begins = format!("{key}: ");
            let found = text
                .lines()
                .find_map(|line| line.trim().strip_prefix(&begins));
            found.map(|value| value.trim_matches('\'').to_owned())
        };
        assert!(value("summary").is_some_and(|summary| summary.ends_with('.')));
        Rule {
            name: text.lines().next().unwrap().to_owned(),
            expr: value("expr").unwrap(),
            hold: value("for").unwrap_or_else(|| "0".to_owned()),
            severity: value("severity").unwrap(),
            runbook: value("runbook").unwrap(),
        }
    };
    text.split("- alert: ").skip(1).map(of_rule).collect()
}

#[test]
fn the_operations_list_every_alert_rule() {
    let operations = fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    let rows = operations
        .lines()
        .filter(|line| line.starts_with("| `Orchestrator"));
    let listed: Vec<String> = rows
        .map(|row| row.splitn(5, '|').take(4).collect::<Vec<_>>().join("|"))
        .collect();
    let expected = rules().into_iter().map(|rule| {
        let hold = rule.hold.replace('m', " m");
        format!("| `{}` | {hold} | {} ", rule.name, rule.severity)
    });
    assert_eq!(listed, expected.collect::<Vec<_>>());
}

#[test]
fn every_alert_rule_leads_to_a_heading_that_exists() {
    for rule in rules() {
        let (file, anchor) = rule.runbook.split_once('#').unwrap();
        let text = fs::read_to_string(root().join(file)).unwrap();
        let headings = text.lines().filter(|line| line.starts_with('#'));
        let mut anchors = headings.map(|heading| {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|c| c.is_alphanumeric() || [' ', '-'].contains(c));
            kept.collect::<String>().replace(' ', "-")
        });
        assert!(
            anchors.any(|found| found == anchor),
            "{}: {}",
            rule.name,
            rule.runbook
        );
    }
}

#[test]
fn every_alert_rule_has_a_unit_test_that_fires_and_one_that_is_quiet() {
    let path = "deploy/prometheus/orchestrator.rules.test.yml";
    let text = fs::read_to_string(root().join(path)).unwrap();
    for Rule { name, severity, .. } in rules() {
        let begins = format!("alertname: {name}\n");
        let tests = text
            .split("  - name: ")
            .filter(|test| test.contains(&begins));
        let (quiet, fires): (Vec<_>, Vec<_>) =
            tests.partition(|test| test.contains("exp_alerts: []"));
        assert!(!quiet.is_empty() && !fires.is_empty(), "{name}");
        let severity = format!("severity: {severity}");
        assert!(fires.iter().all(|test| test.contains(&severity)), "{name}");
    }
}

#[test]
fn every_query_is_about_metrics_of_the_page() {
    let page = page();
    let dashboard = fs::read_to_string(root().join("deploy/grafana/orchestrator.json")).unwrap();
    let exprs = rules().into_iter().map(|rule| rule.expr);
    let queries: Vec<String> = exprs.chain([dashboard]).collect();
    let is_name = |c: char| c == '_' || c.is_ascii_lowercase();
    for name in queries
        .iter()
        .flat_map(|query| query.split(|c| !is_name(c)))
    {
        if !name.starts_with("orchestrator_") && !name.starts_with("process_") {
            continue;
        }
        let endings = ["", "_bucket", "_sum", "_count"].into_iter();
        let mut families = endings.filter_map(|ending| name.strip_suffix(ending));
        let is_listed = |family: &str| page.contains(&format!("| `{family}` |"));
        assert!(families.any(is_listed), "{name} is not in docs/METRICS.md");
    }
}
