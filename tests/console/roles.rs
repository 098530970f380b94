//! The console with keys: the form, the three roles that look at it, and a key that is revoked while it is used.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use std::process::Command;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::process::{Orchestrator, start};

/// An administrator's key for a database that no program uses yet; none before the program has keys.
fn first_key(url: &str) -> Option<String> {
    let made = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args([
            "keys",
            "create",
            "--role",
            "admin",
            "--name",
            "first",
            "--offline",
        ])
        .env_clear()
        .env("DATABASE_URL", url)
        .output()
        .unwrap();
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    made.status.success().then_some(key)
}

fn post(orchestrator: &Orchestrator, key: &str, path: &str, body: Value) -> Value {
    let (agent, address) = orchestrator.client();
    let mut answer = agent
        .post(format!("{address}{path}"))
        .header("authorization", format!("Bearer {key}"))
        .send_json(body)
        .unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.body_mut().read_json().unwrap()
}

fn enter(browser: &Browser, key: &str) {
    browser.sees("#gate", "A key is needed");
    browser.script(&format!(
        "document.getElementById('key').value = {}; document.querySelector('#gate button').click()",
        json!(key)
    ));
}

#[test]
fn each_role_sees_what_it_may_do_and_a_revoked_key_leads_to_the_form() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/keys.db", folder.path().display());
    let Some(admin) = first_key(&url) else {
        return;
    };
    let settings = [("DATABASE_URL", url.as_str()), ("AUTH", "on")];
    let orchestrator = start(folder.path(), &settings);
    let make = |role: &str| {
        post(
            &orchestrator,
            &admin,
            "/keys",
            json!({"name": role, "role": role}),
        )
    };
    let (viewer, operator) = (make("viewer"), make("operator"));
    let body = json!({"server_id": "left", "ip": "10.0.0.1", "port": 80, "max_streams": 4});
    post(&orchestrator, &admin, "/register", body);
    let browser = Browser::at(orchestrator.address());
    // No key, a wrong one, and one that sees and changes nothing.
    browser.open_unready("instance/left");
    enter(&browser, "ork_wrong");
    browser.sees("#gate", "This key is not known, or is over.");
    enter(&browser, viewer["key"].as_str().unwrap());
    browser.sees("main h1", "left");
    browser.sees("#board", "viewer");
    browser.wait_for("[...document.querySelectorAll('main .acts [data-act]')].every((button) => button.disabled)");
    browser.wait_for("document.querySelector('[data-act=drain]').title.includes('operator')");
    assert!(!browser.text("#rail").contains("Keys"));
    browser.click("[data-do=leave]");
    // One that acts on the fleet, until it is revoked.
    enter(&browser, operator["key"].as_str().unwrap());
    browser.sees("main h1", "left");
    browser.click("[data-act=cordon]:not([disabled])");
    browser.sees("#dialog", "Nothing moves");
    browser.fill("#f-reason", "to be watched");
    browser.click("#dialog [data-do=go]:not([disabled])");
    browser.sees("main h1", "cordoned");
    assert!(!browser.text("#rail").contains("Webhooks"));
    let (agent, address) = orchestrator.client();
    let revoked = agent
        .delete(format!("{address}/keys/{}", operator["id"]))
        .header("authorization", format!("Bearer {admin}"))
        .call()
        .unwrap();
    assert_eq!(revoked.status(), 200);
    browser.sees("#gate", "The key is over, or was revoked.");
    // One that makes keys: each is shown once.
    enter(&browser, &admin);
    browser.sees("main h1", "left");
    browser.go("keys");
    browser.sees("main tbody", "viewer");
    browser.click("[data-act=key-create]");
    browser.fill("#f-name", "night-shift");
    browser.click("#dialog [data-do=go]:not([disabled])");
    browser.sees("#dialog pre", "ork_");
    browser.click("#dialog [data-do=close]");
    browser.sees("main tbody", "night-shift");
    assert!(!browser.text("main").contains("ork_"));
    browser.go("webhooks");
    browser.sees("main h1", "Webhooks");
    assert_eq!(browser.wrong(), json!([]));
}
