//! The one connection by which the page lives: how soon an event is shown, and what is said when it is lost, held back
//! by a proxy, or when the database is out.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use std::io::{Read, Write, copy};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::json;

use crate::browser::Browser;
use crate::fleet::{Worker, catalogue, until};
use crate::support::process::{Orchestrator, expect_errors, start};

fn small_fleet(orchestrator: &Orchestrator) -> Vec<Worker> {
    catalogue(orchestrator, 1..=4);
    let mut workers = vec![
        Worker::join(orchestrator, "left", 10, json!({})),
        Worker::join(orchestrator, "right", 10, json!({})),
    ];
    until(orchestrator, &mut workers, "all run", |workers| {
        workers
            .iter()
            .map(|worker| worker.streams.len())
            .sum::<usize>()
            == 4
    });
    workers
}

#[test]
fn an_event_is_on_the_page_within_a_second_and_nothing_is_asked_while_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let _workers = small_fleet(&orchestrator);
    let browser = Browser::at(orchestrator.address());
    browser.open("overview");
    browser.sees("main", "Latest events");
    let asked = "performance.getEntriesByType('resource').length";
    browser.script(
        "window.shownAt = null;
        (function look() {
            if (document.querySelector('main .tale')?.innerText.includes('is given no streams')) window.shownAt = Date.now();
            else requestAnimationFrame(look);
        })();",
    );
    orchestrator.post(
        "/instances/left/cordon",
        &json!({"reason": "to be watched"}),
    );
    browser.wait_for(
        "window.shownAt || document.querySelector('main .tale').innerText.includes('cordon')",
    );
    let (_, events) = orchestrator.get("/resilience/events?kind=instance_cordoned");
    let at = &events["events"][0]["at"];
    let late = browser.script(&format!(
        "return (window.shownAt ?? Date.now()) - Date.parse({at})"
    ));
    assert!(late.as_f64().unwrap() < 1_000.0, "{late} ms");
    // The counts and the map follow; then all is quiet.
    browser.sees("main", "cordoned");
    browser.wait_for("performance.now() - Math.max(...performance.getEntriesByType('resource').map((one) => one.startTime)) > 3_000");
    let before = browser.script(&format!("return {asked}"));
    browser.script("window.quietSince = performance.now()");
    browser.wait_for("performance.now() - window.quietSince > 4_000");
    assert_eq!(browser.script(&format!("return {asked}")), before);
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn a_page_whose_connection_is_lost_says_so_greys_and_comes_back_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}/c.db", folder.path().display());
    let settings = [("DATABASE_URL", file.as_str())];
    let orchestrator = start(folder.path(), &settings);
    let _workers = small_fleet(&orchestrator);
    let address = orchestrator.address().to_owned();
    let browser = Browser::at(&address);
    browser.open("overview");
    browser.sees("main h1", "Everything runs.");
    orchestrator.kill();
    browser.sees("#banner", "This page is not live");
    browser.sees("#banner", "The fleet does not depend on this page.");
    browser.sees("main h1", "everything ran.");
    browser.sees("#board", "Not live");
    browser.wait_for("document.body.classList.contains('lost')");
    let bind = address.trim_start_matches("http://").to_owned();
    let again = [
        ("DATABASE_URL", file.as_str()),
        ("BIND_ADDRESS", bind.as_str()),
    ];
    let orchestrator = start(folder.path(), &again);
    browser.wait_for("!document.body.classList.contains('lost')");
    browser.sees("#board", "Healthy");
    browser.sees("main h1", "Everything runs.");
    orchestrator.post("/instances/left/cordon", &json!({}));
    browser.sees("main .tale", "left");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn an_orchestrator_whose_database_is_out_shows_what_it_remembers_and_since_when() {
    expect_errors(&["store"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.db");
    let url = format!("sqlite://{}", file.display());
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_TIMEOUT", "500ms"),
        ("CIRCUIT_BREAKER_THRESHOLD", "1"),
    ];
    let orchestrator = start(folder.path(), &settings);
    let _workers = small_fleet(&orchestrator);
    let browser = Browser::at(orchestrator.address());
    browser.open("overview");
    let mut intruder = SqliteConnection::establish(&file.display().to_string()).unwrap();
    intruder
        .batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE")
        .unwrap();
    orchestrator.post("/streams", &json!({"streams": [{"name": "another"}]}));
    browser.sees("#banner", "The database takes no changes since");
    browser.sees("main", "4 streams");
    browser.go("instance/left");
    browser.sees("main h1", "left");
    browser.wait_for("document.querySelector('[data-act=drain]').disabled");
    intruder.batch_execute("ROLLBACK").unwrap();
    browser.wait_for("!document.querySelector('.banner')");
    browser.wait_for("!document.querySelector('[data-act=drain]').disabled");
    assert_eq!(browser.wrong(), json!([]));
}

/// A proxy that answers everything, and keeps back the event stream.
fn buffering_proxy(target: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || pass_on(client, target));
        }
    });
    address
}

/// Passes one request on.
fn pass_on(mut client: TcpStream, target: SocketAddr) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    if head.contains("/resilience/events/stream") {
        // It never sends a byte; it ends when the client does.
        let _ = client.read(&mut byte);
        return None;
    }
    let mut server = TcpStream::connect(target).ok()?;
    let head = head.replace("Connection: keep-alive", "Connection: close");
    server.write_all(head.as_bytes()).ok()?;
    copy(&mut server, &mut client).ok()?;
    None
}

#[test]
fn a_proxy_that_holds_back_the_event_stream_is_named_as_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let _workers = small_fleet(&orchestrator);
    let target = orchestrator.address().trim_start_matches("http://");
    let proxy = buffering_proxy(target.parse().unwrap());
    let browser = Browser::at(&format!("http://{proxy}"));
    browser.open("settings");
    browser.sees("#banner", "holds back the event stream");
    browser.sees("#banner", "a proxy buffers");
    browser.sees("#board", "Not live");
    assert_eq!(browser.wrong(), json!([]));
}
