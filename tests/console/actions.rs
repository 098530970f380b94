//! Each action: its plan is shown first, and its effect arrives at the workers and on the page.

use serde_json::json;

use crate::browser::Browser;
use crate::fleet::{Worker, catalogue, until};
use crate::support::process::{Orchestrator, expect_errors, start};

/// Two workers with room for all, and six streams that run.
fn pair(orchestrator: &Orchestrator) -> Vec<Worker> {
    catalogue(orchestrator, 1..=6);
    let mut workers = vec![
        Worker::join(orchestrator, "left", 10, json!({"zone": "a"})),
        Worker::join(orchestrator, "right", 10, json!({"zone": "b"})),
    ];
    until(orchestrator, &mut workers, "all run", |workers| {
        workers
            .iter()
            .map(|worker| worker.streams.len())
            .sum::<usize>()
            == 6
    });
    workers
}

/// Opens a plan, waits for what it says, gives the reason, and carries it out.
#[track_caller]
fn carry_out(browser: &Browser, action: &str, plan: &str, fields: &[(&str, &str)]) {
    browser.click(&format!("main {action}:not([disabled])"));
    browser.sees("#dialog", plan);
    for (name, value) in fields {
        browser.fill(&format!("#f-{name}"), value);
    }
    browser.click("#dialog [data-do=go]:not([disabled])");
    browser.wait_for("!document.getElementById('dialog').open");
}

#[test]
fn a_drain_shows_where_each_stream_goes_and_empties_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let mut workers = pair(&orchestrator);
    let held = workers[0].streams.len();
    let browser = Browser::at(orchestrator.address());
    browser.open("instance/left");
    browser.sees("main", &format!("Runs {held} stream"));
    // Without a reason nothing happens.
    browser.click("main [data-act=drain]");
    browser.sees("#dialog", &format!("Moves {held} of {held} stream"));
    browser.sees("#dialog tbody", "right");
    browser.sees("#dialog", "Needed: reason.");
    browser.wait_for("document.querySelector('#dialog [data-do=go]').disabled");
    browser.press("\u{e00c}");
    assert_eq!(
        orchestrator.get("/instances/left").1["data"]["status"],
        "active"
    );
    let plan = format!("Moves {held} of {held} stream");
    carry_out(
        &browser,
        "[data-act=drain]",
        &plan,
        &[("reason", "disk 2 reports bad sectors")],
    );
    browser.sees("main h1", "draining");
    until(&orchestrator, &mut workers, "left is empty", |workers| {
        workers[0].streams.is_empty()
            && workers[1].streams.len() == 6
            && orchestrator.get("/instances/left/drain").1["state"] == "drained"
    });
    browser.sees("main", "Has drained and is kept empty.");
    browser.sees("main", "disk 2 reports bad sectors");
    carry_out(&browser, "[data-act=cancel-drain]", "elsewhere", &[]);
    browser.sees("main h1", "active");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn streams_that_fit_nowhere_are_named_and_stop_a_drain() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    catalogue(&orchestrator, 1..=5);
    let mut workers = vec![Worker::join(&orchestrator, "big", 5, json!({}))];
    until(&orchestrator, &mut workers, "all run", |workers| {
        workers[0].streams.len() == 5
    });
    workers.push(Worker::join(&orchestrator, "small", 2, json!({})));
    let browser = Browser::at(orchestrator.address());
    browser.open("instance/big");
    browser.click("main [data-act=drain]");
    // How many depends on whether balance has moved one already.
    browser.sees("#dialog", "fit nowhere.");
    browser.sees("#dialog", "What fits nowhere");
    browser.fill("#f-reason", "an update");
    browser.sees("#dialog footer", "fit nowhere: make room, or tick the box.");
    browser.click("#f-force");
    browser.click("#dialog [data-do=go]:not([disabled])");
    browser.sees("main h1", "draining");
    until(&orchestrator, &mut workers, "two moved", |workers| {
        workers[1].streams.len() == 2
    });
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn a_cordoned_worker_gets_no_stream_until_it_is_uncordoned() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let mut workers = pair(&orchestrator);
    let held = workers[0].streams.len();
    let browser = Browser::at(orchestrator.address());
    browser.open("instance/left");
    carry_out(
        &browser,
        "[data-act=cordon]",
        "Nothing moves",
        &[("reason", "to be watched")],
    );
    browser.sees("main h1", "cordoned");
    catalogue(&orchestrator, 7..=9);
    until(&orchestrator, &mut workers, "the new ones run", |workers| {
        workers[1].streams.len() == 9 - held
    });
    assert_eq!(workers[0].streams.len(), held);
    carry_out(
        &browser,
        "[data-act=uncordon]",
        "It takes streams again",
        &[],
    );
    browser.wait_for("!document.querySelector('main h1').innerText.includes('cordoned')");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn maintenance_empties_a_worker_and_recover_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let mut workers = pair(&orchestrator);
    let browser = Browser::at(orchestrator.address());
    browser.open("instance/left");
    carry_out(
        &browser,
        "[data-act=maintenance]",
        "its silence is expected until",
        &[("reason", "kernel update"), ("for", "2h")],
    );
    until(&orchestrator, &mut workers, "left is empty", |workers| {
        workers[0].streams.is_empty()
            && workers[1].streams.len() == 6
            && orchestrator.get("/instances/left").1["data"]["status"] == "maintenance"
    });
    browser.sees("main h1", "maintenance");
    carry_out(&browser, "[data-act=recover]", "Ends its maintenance", &[]);
    browser.sees("main h1", "active");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn an_emergency_takes_every_stream_from_a_worker_that_beats() {
    expect_errors(&["alert emergency_recovery"]);
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let mut workers = pair(&orchestrator);
    let held = workers[0].streams.len();
    let browser = Browser::at(orchestrator.address());
    browser.open("instance/left");
    let plan = format!("Moves {held} of {held} stream");
    // The plan is the orchestrator's own, and changes nothing.
    browser.click("main [data-act=emergency]");
    browser.sees("#dialog", "Dry run of");
    browser.sees("#dialog", "Its lease is withdrawn");
    browser.sees("#dialog tbody", "right");
    browser.press("\u{e00c}");
    assert_eq!(
        orchestrator.get("/instances/left").1["data"]["status"],
        "active"
    );
    assert_eq!(workers[0].streams.len(), held);
    carry_out(
        &browser,
        "[data-act=emergency]",
        &plan,
        &[("reason", "beats, and decodes nothing")],
    );
    until(&orchestrator, &mut workers, "left is empty", |workers| {
        workers[0].streams.is_empty() && workers[1].streams.len() == 6
    });
    browser.sees("main h1", "maintenance");
    browser.go("incidents");
    browser.sees("main tbody", "left");
    browser.go("instance/left");
    carry_out(&browser, "[data-act=recover]", "Ends its maintenance", &[]);
    browser.sees("main h1", "active");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn a_report_of_a_failure_shows_where_each_stream_goes() {
    expect_errors(&["alert system_health"]);
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("DATABASE_URL", "memory:"),
        ("HEARTBEAT_WARNING_THRESHOLD", "5s"),
    ];
    let orchestrator = start(folder.path(), &settings);
    let mut workers = pair(&orchestrator);
    let held = workers[0].streams.len();
    let browser = Browser::at(orchestrator.address());
    browser.open("instance/left");
    until(&orchestrator, &mut workers[1..], "left is late", |_| {
        orchestrator.get("/instances/left").1["data"]["status"] == "suspect"
    });
    browser.click("main [data-act=report]");
    browser.sees("#dialog", &format!("Moves {held} of {held} stream"));
    browser.sees("#dialog tbody", "right");
    browser.press("\u{e00c}");
    let (_, events) = orchestrator.get("/resilience/events?kind=instance_failed,lease_withdrawn");
    assert_eq!(events["events"], json!([]), "the plan changed nothing");
    let plan = format!("Moves {held} of {held} stream");
    workers[1].beat(&orchestrator);
    carry_out(&browser, "[data-act=report]", &plan, &[]);
    until(&orchestrator, &mut workers, "right has all", |workers| {
        workers[1].streams.len() == 6
    });
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn a_failed_instance_is_recovered_and_removed() {
    expect_errors(&["alert"]);
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(
        folder.path(),
        &[("DATABASE_URL", "memory:"), ("HEARTBEAT_TIMEOUT", "2s")],
    );
    catalogue(&orchestrator, 1..=2);
    let mut workers = vec![Worker::join(&orchestrator, "lost", 2, json!({}))];
    until(&orchestrator, &mut workers, "all run", |workers| {
        workers[0].streams.len() == 2
    });
    let browser = Browser::at(orchestrator.address());
    // It beats no more.
    browser.open("instance/lost");
    browser.sees("main h1", "failed");
    carry_out(&browser, "[data-act=recover]", "nothing left to move", &[]);
    carry_out(
        &browser,
        "[data-act=remove]",
        "It is forgotten",
        &[("reason", "scrapped")],
    );
    browser.sees("main", "No instance of this name is registered");
    assert_eq!(orchestrator.get("/instances/lost").0, 404);
    browser.go("overview");
    browser.sees("main", "No worker has registered yet.");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn a_stream_is_moved_disabled_and_enabled() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let mut workers = pair(&orchestrator);
    let stream = *workers[0].streams.first().unwrap();
    let path = format!("/streams/{stream}");
    let browser = Browser::at(orchestrator.address());
    browser.open(&format!("stream/{stream}"));
    browser.sees("main", "Runs on left");
    carry_out(
        &browser,
        "[data-act=move]",
        "From left to right",
        &[("to", "right")],
    );
    until(&orchestrator, &mut workers, "it runs on right", |workers| {
        workers[1].streams.contains(&stream) && !workers[0].streams.contains(&stream)
    });
    browser.sees("main", "Runs on right");
    carry_out(&browser, "[data-act=disable]", "runs nowhere", &[]);
    until(&orchestrator, &mut workers, "it runs nowhere", |workers| {
        workers
            .iter()
            .all(|worker| !worker.streams.contains(&stream))
            && orchestrator.get(&path).1["data"]["state"] == "disabled"
    });
    browser.sees("main h1", "disabled");
    carry_out(&browser, "[data-act=enable]", "It is to run again", &[]);
    until(&orchestrator, &mut workers, "it runs again", |workers| {
        workers
            .iter()
            .any(|worker| worker.streams.contains(&stream))
    });
    browser.sees("main h1", "runs");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn an_alert_is_acknowledged_and_silenced() {
    expect_errors(&["alert"]);
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    catalogue(&orchestrator, 1..=1);
    Worker::join(&orchestrator, "left", 10, json!({"zone": "a"}));
    let browser = Browser::at(orchestrator.address());
    browser.open("alerts?kind=instance_failed");
    browser.sees("main", "Nothing asks for attention.");
    // The alert comes to the page that is open.
    orchestrator.post("/instances/left/failure", &json!({}));
    browser.sees("main article", "left");
    carry_out(
        &browser,
        "[data-act=acknowledge]",
        "It stays open",
        &[("note", "I look at it")],
    );
    browser.sees("main article", "I look at it");
    carry_out(
        &browser,
        "article [data-act=silence]",
        "1 open alert is like that now",
        &[("for", "1h"), ("reason", "a new disk comes")],
    );
    browser.sees("main", "a new disk comes");
    browser.sees("main article", "Silenced");
    let (_, alerts) = orchestrator.get("/resilience/alerts?open=true&kind=instance_failed");
    assert_eq!(alerts["alerts"][0]["acknowledged"]["note"], "I look at it");
    assert_eq!(
        alerts["alerts"][0]["silenced_by"].as_array().unwrap().len(),
        1
    );
    carry_out(
        &browser,
        "[data-act=end-silence]",
        "Its alerts are sent again",
        &[],
    );
    browser.sees("main", "None.");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn a_refusal_stands_beside_its_field_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let _workers = pair(&orchestrator);
    let browser = Browser::at(orchestrator.address());
    browser.open("instance/left");
    browser.click("main [data-act=drain]");
    browser.sees("#dialog", "Dry run of");
    browser.fill("#f-reason", "an update");
    browser.fill("#f-deadline", "soon");
    browser.click("#dialog [data-do=go]:not([disabled])");
    browser.wait_for("document.querySelector('#f-deadline[aria-invalid]')");
    assert!(browser.text("#f-deadline-why").len() > 10);
    assert_eq!(
        orchestrator.get("/instances/left").1["data"]["status"],
        "active"
    );
    browser.fill("#f-deadline", "30m");
    browser.click("#dialog [data-do=go]:not([disabled])");
    browser.sees("main h1", "draining");
}
