//! The pictures of the documents: each view of a fleet that looks like a real one.

use serde_json::{Value, json};

use crate::browser::{Browser, Screen};
use crate::fleet::{Worker, catalogue, until};
use crate::support::process::{Orchestrator, expect_errors, start};

const STREAMS: i64 = 1_980;

fn fleet(orchestrator: &Orchestrator) -> Vec<Worker> {
    catalogue(orchestrator, 1..=STREAMS);
    let mut workers: Vec<Worker> = (0..54)
        .map(|i| {
            let zone = ["ams2", "fra1", "waw1"][i % 3];
            let rack = format!("r{:02}", i / 3 % 6 + 1);
            let id = format!("{zone}-{rack}-{:02}", i / 18 + 1);
            let labels = json!({"zone": zone, "rack": rack});
            Worker::join(orchestrator, &id, 60, labels)
        })
        .collect();
    until(orchestrator, &mut workers, "everything runs", |workers| {
        workers
            .iter()
            .map(|worker| worker.streams.len())
            .sum::<usize>()
            == STREAMS as usize
    });
    workers
}

fn order(orchestrator: &Orchestrator, path: &str, body: Value) {
    let (status, answer) = orchestrator.post(path, &body);
    assert_eq!(status, 200, "{path}: {answer}");
}

#[test]
fn the_views_of_the_documents() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/console.db", folder.path().display());
    let settings = [("DATABASE_URL", url.as_str()), ("CLUSTER_NODE", "orch-1")];
    let orchestrator = start(folder.path(), &settings);
    let mut workers = fleet(&orchestrator);
    order(&orchestrator, "/instances/waw1-r05-02/failure", json!({}));
    let held = |workers: &[Worker]| -> usize {
        let others = workers.iter().filter(|worker| worker.id != "waw1-r05-02");
        others.map(|worker| worker.streams.len()).sum()
    };
    until(
        &orchestrator,
        &mut workers,
        "the lost ones run",
        |workers| held(workers) >= STREAMS as usize,
    );
    order(
        &orchestrator,
        "/instances/fra1-r02-01/drain",
        json!({"reason": "disk 2 reports bad sectors; ticket OPS-4412"}),
    );
    order(
        &orchestrator,
        "/instances/ams2-r04-02/maintenance",
        json!({"for": "2h", "reason": "kernel update"}),
    );
    for worker in &mut workers {
        worker.beat(&orchestrator);
    }
    let (_, incidents) = orchestrator.get("/resilience/incidents");
    let incident = format!("incident/{}", incidents["incidents"][0]["id"]);
    let moved = workers.iter().find(|worker| worker.id == "ams2-r03-01");
    let stream = format!("stream/{}", moved.unwrap().streams.first().unwrap());
    let browser = Browser::at(orchestrator.address());
    for (view, name) in [
        ("overview?span=1h", "overview"),
        ("instances", "instances"),
        ("instance/ams2-r03-01", "instance"),
        ("streams", "streams"),
        (stream.as_str(), "stream"),
        ("incidents", "incidents"),
        (incident.as_str(), "incident"),
        ("alerts?all=1", "alerts"),
        ("events?group=orders", "events"),
        ("work", "work"),
        ("balance", "balance"),
        ("cluster", "cluster"),
        ("settings", "settings"),
        ("webhooks", "webhooks"),
        ("keys", "keys"),
    ] {
        browser.open(view);
        browser.wait_for("!document.querySelector('main .reading')");
        browser.is_well(view);
        browser.picture(name);
    }
    browser.open("instance/ams2-r03-01");
    browser.click("[data-act=drain]");
    browser.sees("#dialog", "Dry run of");
    browser.fill("#f-reason", "Disk 2 reports bad sectors; ticket OPS-4412");
    browser.picture("drain");
    browser.on(Screen::PHONE);
    browser.open("instances");
    browser.picture("phone");
}

#[test]
fn the_view_of_an_empty_fleet() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let browser = Browser::at(orchestrator.address());
    browser.open("overview");
    browser.picture("empty");
}

#[test]
fn the_view_of_a_mass_failure() {
    expect_errors(&["mass"]);
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("DATABASE_URL", "memory:"),
        ("HEARTBEAT_TIMEOUT", "4s"),
        ("MASS_FAILURE_MIN", "3"),
        ("MASS_FAILURE_RATIO", "0.05"),
        ("MASS_FAILURE_HOLD", "5m"),
        ("CLUSTER_NODE", "orch-1"),
    ];
    let orchestrator = start(folder.path(), &settings);
    let mut workers = fleet(&orchestrator);
    let browser = Browser::at(orchestrator.address());
    browser.on(Screen::DARK);
    browser.open("overview?span=1h");
    // Those of one rack beat no more; the others do, while the page is looked at.
    workers.retain(|worker| !worker.id.starts_with("fra1-r02"));
    until(&orchestrator, &mut workers, "the brake holds them", |_| {
        let (_, brake) = orchestrator.get("/resilience/brake");
        brake["state"] == "held"
    });
    until(&orchestrator, &mut workers, "the leases are over", |_| {
        let (_, status) = orchestrator.get("/status");
        status["streams"]["running"] != status["streams"]["owned"]
    });
    browser.sees("main h1", "may not be running");
    browser.sees("main", "Mass failure");
    browser.wait_for("!document.querySelector('main .reading')");
    browser.picture("trouble");
}
