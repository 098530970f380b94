//! The tools of Prometheus on what is shipped: a real one scrapes a real fleet, in which an instance
//! fails and streams move, and is asked every query of the rules and of the dashboard.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::patience::{PATIENCE, until};
use crate::support::process::{Orchestrator, start};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::tempdir;

/// A tool of Prometheus. A missing one fails the test: it is not left out.
fn tool(name: &str) -> Command {
    let found = Command::new(name).arg("--version").output();
    if let Err(error) = found {
        panic!(
            "`{name}` cannot be run ({error}): install the Debian package `prometheus`, as `./test` \
             does, or put `{name}` of Prometheus 2.42 or later into PATH"
        );
    }
    Command::new(name)
}

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path)
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts.map(|text| String::from_utf8_lossy(text)).concat()
}

/// What `promtool` says of a file; it must find no fault.
fn checked(words: &[&str], file: &Path) -> String {
    let output = tool("promtool").args(words).arg(file).output().unwrap();
    let said = said(&output);
    assert!(output.status.success(), "promtool {words:?}: {said}");
    said
}

fn rules() -> String {
    fs::read_to_string(shipped("prometheus/orchestrator.rules.yml")).unwrap()
}

#[test]
fn the_rules_are_valid_and_their_unit_tests_pass() {
    let said = checked(
        &["check", "rules"],
        &shipped("prometheus/orchestrator.rules.yml"),
    );
    let count = rules().matches("- alert: ").count();
    assert!(said.contains(&format!("{count} rules found")), "{said}");
    checked(&["check", "config"], &shipped("prometheus/prometheus.yml"));
    checked(
        &["test", "rules"],
        &shipped("prometheus/orchestrator.rules.test.yml"),
    );
}

#[test]
fn the_unit_tests_of_the_rules_find_a_rule_that_never_fires() {
    let folder = tempdir().unwrap();
    let broken = rules().replace("orchestrator_store_up) == 0", "orchestrator_store_up) == 7");
    assert_ne!(broken, rules());
    fs::write(folder.path().join("orchestrator.rules.yml"), broken).unwrap();
    let tests = "orchestrator.rules.test.yml";
    fs::copy(shipped("prometheus").join(tests), folder.path().join(tests)).unwrap();
    let output = tool("promtool")
        .args(["test", "rules"])
        .arg(folder.path().join(tests))
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("OrchestratorStoreDown"));
}

/// A Prometheus on a free port of loopback that scrapes one address each second. Ended when dropped.
struct Prometheus {
    child: Child,
    address: String,
    agent: ureq::Agent,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn scraping(target: &str) -> Self {
        let folder = tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let rules = shipped("prometheus/orchestrator.rules.yml");
        let shown = fs::read_to_string(shipped("prometheus/prometheus.yml")).unwrap();
        let own = shown
            .replace("15s", "1s")
            .replace("orchestrator.rules.yml", &rules.display().to_string())
            .replace("127.0.0.1:8001", target);
        fs::write(&config, own).unwrap();
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .into();
        loop {
            let free = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap();
            let child = tool("prometheus")
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.path().join("data").display()
                ))
                .arg(format!("--web.listen-address={free}"))
                .arg("--log.level=error")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut prometheus = Self {
                child,
                address: format!("http://{free}"),
                agent: agent.clone(),
                _folder: tempdir().unwrap(),
            };
            let ready = format!("{}/-/ready", prometheus.address);
            let started = until("the start of Prometheus", || {
                if prometheus.child.try_wait().unwrap().is_some() {
                    return Some(false);
                }
                let answer = agent.get(&ready).call().ok()?;
                (answer.status() == 200).then_some(true)
            });
            // Another process may have taken the port meanwhile.
            if started {
                prometheus._folder = folder;
                return prometheus;
            }
        }
    }

    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{path}", self.address);
        let request = parameters
            .iter()
            .fold(self.agent.get(url), |request, (name, value)| {
                request.query(name, value)
            });
        request.call().unwrap().body_mut().read_json().unwrap()
    }

    /// The values of a query at this moment.
    fn values(&self, query: &str) -> Vec<f64> {
        let answer = self.ask("query", &[("query", query)]);
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let results = answer["data"]["result"].as_array().unwrap();
        let values = results.iter().map(|result| result["value"][1].as_str());
        values
            .map(|value| value.unwrap().parse().unwrap())
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Every query of the dashboard, with what Grafana fills in.
fn queries() -> BTreeSet<String> {
    let text = fs::read_to_string(shipped("grafana/orchestrator.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    let fleet = &dashboard["templating"]["list"][1];
    assert_eq!(
        (&fleet["name"], &fleet["type"]),
        (&json!("fleet"), &json!("query"))
    );
    let panels = dashboard["panels"].as_array().unwrap();
    let mut queries = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(
            panel["fieldConfig"]["defaults"]["unit"].is_string(),
            "{panel}"
        );
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        let exprs = targets
            .iter()
            .map(|target| target["expr"].as_str().unwrap());
        queries.extend(exprs.map(|expr| {
            let expr = expr.replace("$__rate_interval", "5m");
            assert!(expr.contains("job=~\"$fleet\""), "not of one fleet: {expr}");
            expr.replace("$fleet", "orchestrator")
        }));
    }
    queries
}

fn register(orchestrator: &Orchestrator, id: &str, max_streams: u32) {
    let worker = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000,
        "max_streams": max_streams});
    assert_eq!(orchestrator.post("/register", &worker).0, 200);
}

fn beat(orchestrator: &Orchestrator, id: &str) {
    let beat = json!({"server_id": id, "current_streams": 0});
    assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
}

/// The worker `lives` has heartbeats, `dies` has none and loses its streams, and two streams move.
fn happen(orchestrator: &Orchestrator) {
    let streams: Vec<Value> = (1..=6)
        .map(|id| json!({"id": id, "name": format!("{id}")}))
        .collect();
    orchestrator.post("/streams", &json!({ "streams": streams }));
    for (id, room) in [("dies", 3), ("lives", 5)] {
        register(orchestrator, id, room);
        let asked = json!({"server_id": id, "requested_count": 3});
        assert_eq!(orchestrator.post("/streams/assign", &asked).0, 200);
    }
    register(orchestrator, "third", 2);
    let moves = [4, 5].map(|id| json!({"stream_id": id, "to": "third"}));
    let moved = json!({ "moves": moves });
    let (status, answer) = orchestrator.post("/streams/move", &moved);
    assert_eq!(status, 200, "{answer}");
    until("the failure of an instance", || {
        beat(orchestrator, "lives");
        beat(orchestrator, "third");
        let incidents = orchestrator.get("/resilience/incidents").1;
        (!incidents["incidents"][0]["outcome"].is_null()).then_some(())
    });
}

#[test]
fn prometheus_scrapes_a_real_fleet_and_every_query_has_data() {
    let folder = tempdir().unwrap();
    let settings = [
        ("HEARTBEAT_TIMEOUT", "3"),
        ("HEARTBEAT_CHECK_INTERVAL", "1"),
        ("HEARTBEAT_FLUSH_INTERVAL", "1s"),
        ("METRICS_PER_INSTANCE", "on"),
        ("WEBHOOKS_FILE", "webhooks.toml"),
        ("WEBHOOK_ALLOW_LOOPBACK", "on"),
    ];
    // A receiver that refuses each message.
    let webhooks = "[webhooks.pager]\nurl = \"http://127.0.0.1:9/\"\n\
                    secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\"\n";
    fs::write(folder.path().join("webhooks.toml"), webhooks).unwrap();
    let orchestrator = start(folder.path(), &settings);
    let target = orchestrator
        .address()
        .trim_start_matches("http://")
        .to_owned();
    let prometheus = Prometheus::scraping(&target);
    until("the first scrape", || {
        let found = prometheus.values("orchestrator_failures_total{cause=\"heartbeat_timeout\"}");
        (found == [0.0]).then_some(())
    });
    happen(&orchestrator);

    // Two scrapes after the last event, every rate has what happened.
    let mut left = queries();
    assert!(left.len() > 40, "{}", left.len());
    while let Some(query) = left.first().cloned() {
        until(
            &format!("data for the query `{query}` of the dashboard"),
            || {
                beat(&orchestrator, "lives");
                beat(&orchestrator, "third");
                left.retain(|query| !prometheus.values(query).into_iter().any(f64::is_finite));
                (!left.contains(&query)).then_some(())
            },
        );
    }

    let rules = prometheus.ask("rules", &[]);
    let rules = rules["data"]["groups"][0]["rules"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(rules.len(), self::rules().matches("- alert: ").count());
    for rule in &rules {
        prometheus.values(rule["query"].as_str().unwrap());
    }
    let failed = until("the alert of the failure", || {
        let alerts = prometheus.ask("alerts", &[]);
        let alerts = alerts["data"]["alerts"].as_array().unwrap().clone();
        let is_it = |alert: &Value| {
            alert["labels"]["alertname"] == "OrchestratorInstanceFailed"
                && alert["state"] == "firing"
        };
        alerts.into_iter().find(is_it)
    });
    assert_eq!(failed["labels"]["severity"], "warning", "{failed}");
    for healthy in [
        "OrchestratorDown",
        "OrchestratorNotReady",
        "OrchestratorStoreDown",
    ] {
        let rule = rules.iter().find(|rule| rule["name"] == healthy).unwrap();
        assert!(
            prometheus
                .values(rule["query"].as_str().unwrap())
                .is_empty(),
            "{healthy}"
        );
    }
    let renamed = prometheus.values("{exported_instance!=\"\"} or {exported_job!=\"\"}");
    assert!(renamed.is_empty(), "labels that belong to the scraper");
    lint(&orchestrator);
}

/// What `promtool` says of the metrics of this process.
fn lint(orchestrator: &Orchestrator) {
    let (agent, address) = orchestrator.client();
    let mut answer = agent.get(format!("{address}/metrics")).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let mut promtool = tool("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "", "promtool has no remark");
}
