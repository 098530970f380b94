//! The list of metrics is what a real process exposes, and every query names a family of the list.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::sources::root;
use crate::support::process::{Orchestrator, start};
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
    let orchestrator = start(folder.path(), &[("METRICS_PER_INSTANCE", "on")]);
    let worker = json!({"server_id": "a", "ip": "127.0.0.1", "port": 9000});
    assert_eq!(orchestrator.post("/register", &worker).0, 200);
    let table = table(&scrape(&orchestrator));
    let page = page();
    let listed = listed(&page);
    assert_eq!(listed, table, "write into docs/METRICS.md:\n{table}");
}
