//! What a first view weighs and how soon it is there, with 10,000 instances and 100,000 streams; and how fast the
//! table of all of them stays.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use std::thread;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::fleet::catalogue;
use crate::support::process::{Orchestrator, post, start};

const INSTANCES: usize = 10_000;
const STREAMS: i64 = 100_000;

fn large_fleet(orchestrator: &Orchestrator) {
    catalogue(orchestrator, 1..=STREAMS);
    thread::scope(|scope| {
        for part in 0..16 {
            let (agent, address) = orchestrator.client();
            scope.spawn(move || {
                for i in (part..INSTANCES).step_by(16) {
                    let zone = ["ams2", "fra1", "waw1"][i % 3];
                    let body = json!({"server_id": format!("{zone}-r{:03}-{i:05}", i / 90),
                        "ip": "10.0.0.1", "port": 9_000, "max_streams": 20,
                        "labels": {"zone": zone, "rack": format!("r{:03}", i / 90)}});
                    let (status, _) = post(&agent, &address, "/register", &body).unwrap();
                    assert_eq!(status, 200);
                    let body =
                        json!({"server_id": body["server_id"], "requested_count": 5 + i % 11});
                    let (status, _) = post(&agent, &address, "/streams/assign", &body).unwrap();
                    assert_eq!(status, 200);
                }
            });
        }
    });
}

fn number(value: Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn a_first_view_of_10_000_instances_and_100_000_streams_weighs_less_than_200_kb() {
    let folder = tempfile::tempdir().unwrap();
    // Not what is measured: a debug build takes its time with so much at once.
    let settings = [("DATABASE_URL", "memory:"), ("DATABASE_TIMEOUT", "1m")];
    let orchestrator = start(folder.path(), &settings);
    large_fleet(&orchestrator);
    let browser = Browser::at(orchestrator.address());
    browser.develop("Network.enable", json!({}));
    browser.develop("Network.setCacheDisabled", json!({"cacheDisabled": true}));
    browser.open("overview");
    browser.sees("main h1", "100,000");
    let weight = number(browser.script(
        "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
            .reduce((sum, one) => sum + one.transferSize, 0)",
    ));
    let took = number(browser.script("return window.firstView"));
    println!("first view: {weight} bytes over the wire, there after {took:.0} ms");
    assert!(weight > 10_000.0 && weight < 200_000.0, "{weight} bytes");
    // Only rows in sight are made, wherever the page is, and a filter is not felt.
    browser.go("instances");
    let rows =
        || number(browser.script("return document.querySelectorAll('main tbody tr').length"));
    assert!(rows() < 90.0, "{}", rows());
    browser.script("scrollTo(0, document.body.scrollHeight / 2)");
    browser.wait_for("document.querySelectorAll('main tbody tr:not(.space)').length > 20 && Number(document.querySelector('main tbody tr:not(.space)').getAttribute('aria-rowindex')) > 1_000");
    assert!(rows() < 90.0, "{}", rows());
    let took = number(browser.script(
        "const from = performance.now(); location.hash = '#/instances?q=r050&sort=load';
        return new Promise((done) => (function look() {
            const text = document.querySelector('main .foot')?.innerText ?? '';
            if (text.startsWith('90')) done(performance.now() - from); else requestAnimationFrame(look);
        })())",
    ));
    println!("a filter over {INSTANCES} rows: {took:.0} ms");
    browser.go("streams");
    browser.sees("main .foot", "100 rows of 100,000");
    browser.is_well("100,000 streams");
}
