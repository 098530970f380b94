//! Every view, with data and without, on five screens: nothing goes wrong in the page, nothing is wider than the
//! screen, and axe-core finds nothing serious.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::browser::{Browser, Screen};
use crate::fleet::{Worker, catalogue, until};
use crate::support::process::{Orchestrator, start};

/// Every view of the rail.
const VIEWS: [&str; 13] = [
    "overview",
    "instances",
    "streams",
    "incidents",
    "alerts",
    "alerts?all=1",
    "events",
    "work",
    "balance",
    "cluster",
    "settings",
    "webhooks",
    "keys",
];

const SCREENS: [Screen; 5] = [
    Screen::DESK,
    Screen::DARK,
    Screen::SMALL,
    Screen::PHONE,
    Screen::DARK_PHONE,
];

/// Where `./test` puts axe-core.
const AXE: &str = "target/axe/axe.min.js";

/// Asserts that axe-core finds nothing serious in the page.
#[track_caller]
fn is_accessible(browser: &Browser, what: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(AXE);
    let axe = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; `./test` installs it", path.display()));
    browser.script(&format!("if (!window.axe) {{ {axe} }}"));
    browser.script(
        "window.found = null;
        axe.run(document, {resultTypes: ['violations']}).then((result) => {
            window.found = result.violations
                .filter((one) => ['serious', 'critical'].includes(one.impact))
                .map((one) => `${one.id}: ${one.nodes[0].html}`);
        });",
    );
    browser.wait_for("window.found");
    assert_eq!(browser.script("return window.found"), json!([]), "{what}");
}

/// A fleet with everything in it: a drain, an incident, alerts, a silence, a webhook, a waiting stream.
fn world(orchestrator: &Orchestrator) -> Vec<Worker> {
    catalogue(orchestrator, 1..=60);
    let labels = |zone: &str, rack: &str| json!({"zone": zone, "rack": rack});
    let mut workers: Vec<Worker> = (0..8)
        .map(|i| {
            let zone = ["ams2", "fra1"][i % 2];
            Worker::join(
                orchestrator,
                &format!("{zone}-r0{}-01", i / 2 + 1),
                12,
                labels(zone, &format!("r0{}", i / 2 + 1)),
            )
        })
        .collect();
    until(orchestrator, &mut workers, "everything runs", |workers| {
        workers
            .iter()
            .map(|worker| worker.streams.len())
            .sum::<usize>()
            == 60
    });
    let order = |path: &str, body: Value| {
        let (status, answer) = orchestrator.post(path, &body);
        assert_eq!(status, 200, "{path}: {answer}");
    };
    order("/instances/ams2-r01-01/failure", json!({}));
    order(
        "/instances/fra1-r04-01/drain",
        json!({"reason": "disk 2", "force": true}),
    );
    order(
        "/instances/fra1-r01-01/cordon",
        json!({"reason": "to be watched"}),
    );
    order(
        "/resilience/silences",
        json!({"matchers": [{"name": "instance", "value": "x"}], "for": "1h", "reason": "it is built"}),
    );
    order(
        "/streams",
        json!({"streams": [{"id": 900, "name": "needs what is not there", "requires": {"gpu": "a10"}}]}),
    );
    workers
}

#[test]
fn every_view_of_a_fleet_is_shown_on_every_screen_and_is_accessible() {
    let folder = tempfile::tempdir().unwrap();
    // No worker beats while the pages are looked at.
    let settings = [("DATABASE_URL", "memory:"), ("HEARTBEAT_TIMEOUT", "1h")];
    let orchestrator = start(folder.path(), &settings);
    let _workers = world(&orchestrator);
    let browser = Browser::at(orchestrator.address());
    let (_, incidents) = orchestrator.get("/resilience/incidents");
    let incident = format!("incident/{}", incidents["incidents"][0]["id"]);
    let subjects = [
        "instance/fra1-r02-01",
        "instance/ams2-r01-01",
        "stream/5",
        "stream/900",
        incident.as_str(),
        "instance/unknown",
        "stream/77777",
        "more",
        "no-such-view",
    ];
    for screen in SCREENS {
        browser.on(screen);
        browser.open("overview");
        for view in VIEWS.into_iter().chain(subjects) {
            browser.go(view);
            let what = format!("{view}, {}", screen.name);
            assert!(!browser.text("main h1").is_empty(), "{what} has no title");
            assert!(!browser.text("main").contains("undefined"), "{what}");
            browser.is_well(&what);
            is_accessible(&browser, &what);
        }
        browser.go("instance/fra1-r02-01");
        browser.click("[data-act=drain]");
        browser.sees("#dialog", "Dry run of");
        browser.is_well("the dry run of a drain");
        is_accessible(&browser, "the dry run of a drain");
    }
}

#[test]
fn an_empty_fleet_says_how_to_register_the_first_worker_and_notices_it() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let browser = Browser::at(orchestrator.address());
    browser.open("overview");
    assert_eq!(browser.text("main h1"), "No worker has registered yet.");
    assert!(
        browser
            .text("main")
            .contains(&format!("{}/register", orchestrator.address()))
    );
    for view in VIEWS.into_iter().chain(["more"]) {
        browser.go(view);
        assert!(!browser.text("main h1").is_empty(), "{view} has no title");
        assert!(!browser.text("main").contains("undefined"), "{view}");
        browser.is_well(view);
        is_accessible(&browser, view);
    }
    browser.go("overview");
    catalogue(&orchestrator, 1..=3);
    browser.sees("main", "3 streams so far");
    Worker::join(&orchestrator, "alpha", 10, json!({}));
    browser.sees("main h1", "Everything runs");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn each_view_filter_and_moment_has_an_address_that_opens_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let _workers = world(&orchestrator);
    let browser = Browser::at(orchestrator.address());
    browser.open("instances?q=r02&state=active");
    assert_eq!(
        browser.script("return document.querySelectorAll('main tbody tr').length"),
        2
    );
    browser.fill("#q", "fra1");
    browser.wait_for("location.hash.includes('q=fra1')");
    browser.wait_for("[...document.querySelectorAll('main tbody tr')].every((row) => row.innerText.includes('fra1'))");
    browser.open("streams?name=jazz&instance=fra1-r02-01");
    browser.wait_for("document.querySelectorAll('main tbody tr').length > 0 && [...document.querySelectorAll('main tbody tr')].every((row) => row.innerText.includes('jazz') && row.innerText.includes('fra1-r02-01'))");
    browser.open("events?group=orders&to=2020-01-01T00:00:00Z");
    browser.sees("main", "No event is like that.");
    browser.open("events?group=orders");
    browser.sees("main", "drain");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn the_console_is_used_with_the_keyboard_alone() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let _workers = world(&orchestrator);
    let browser = Browser::at(orchestrator.address());
    browser.open("overview");
    browser.press("g");
    browser.press("i");
    browser.sees("main h1", "Instances");
    browser.ready();
    browser.press("j");
    browser.press("j");
    browser.wait_for("document.querySelector('tr[data-own-on] a') === document.activeElement");
    browser.press("\u{e007}");
    browser.wait_for("location.hash.startsWith('#/instance/')");
    browser.wait_for(
        "document.querySelector('[data-act=drain]:not([disabled]), [data-act=cancel-drain]')",
    );
    browser.go("instance/fra1-r02-01");
    browser.wait_for("document.querySelector('[data-act=drain]:not([disabled])')");
    browser.press("d");
    browser.sees("#dialog h2", "Drain fra1-r02-01");
    browser.wait_for("document.activeElement.id === 'f-reason'");
    browser.press("\u{e00c}");
    browser.wait_for("!document.getElementById('dialog').open");
    browser.press("/");
    browser.wait_for("document.activeElement.matches('#finder input')");
    browser.fill("#finder input", "ams2-r03");
    browser.sees("#found", "ams2-r03-01");
    browser.press("\u{e007}");
    browser.sees("main h1", "ams2-r03-01");
    browser.press("?");
    browser.sees("#keymap", "Keyboard map");
    assert_eq!(browser.wrong(), json!([]));
}
