//! Names that deceive: markup, text from right to left, as long as they may be. They are shown as they are, and
//! change nothing around them.

use serde_json::json;

use crate::browser::{Browser, Screen};
use crate::fleet::Worker;
use crate::support::process::start;

#[test]
fn names_with_markup_right_to_left_text_and_128_letters_are_shown_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("DATABASE_URL", "memory:")]);
    let long = "w".repeat(128);
    let names = [
        "<img src=x onerror=\"window.wrong.push('markup ran')\">",
        "</td><script>window.wrong.push('a script ran')</script>",
        "\u{645}\u{62d}\u{637}\u{629}-7",
        "a/b?c#d%20&e=\"f\"",
        long.as_str(),
    ];
    for name in names {
        Worker::join(&orchestrator, name, 9, json!({"zone": name, "<b>": "</b>"}));
        let stream = json!({"name": name, "group": name, "labels": {"kind": name}});
        let (status, _) = orchestrator.post("/streams", &json!({ "streams": [stream] }));
        assert_eq!(status, 200);
    }
    let browser = Browser::at(orchestrator.address());
    for screen in [Screen::DESK, Screen::PHONE] {
        browser.on(screen);
        browser.open("instances");
        for view in [
            "overview",
            "instances",
            "streams",
            "events",
            "work",
            "balance",
        ] {
            browser.go(view);
            browser.is_well(view);
        }
        for name in names {
            browser.script(&format!(
                "document.documentElement.dataset.ready = ''; location.hash = `#/instance/${{encodeURIComponent({})}}`",
                json!(name)
            ));
            browser.ready();
            browser.wait_for(&format!(
                "document.querySelector('main h1 .id').textContent === {}",
                json!(name)
            ));
            browser.is_well(name);
            browser.click("main [data-act=drain]");
            browser.sees("#dialog", "Dry run of");
            browser.is_well(name);
            browser.press("\u{e00c}");
        }
        for stream in 1..=names.len() {
            browser.go(&format!("stream/{stream}"));
            browser.is_well(names[stream - 1]);
        }
        assert_eq!(
            browser.script("return document.querySelectorAll('main img, main script').length"),
            0
        );
    }
    browser.go("instances");
    browser.fill("#q", "<img");
    browser.wait_for("document.querySelectorAll('main tbody tr').length === 1");
    browser.click("main tbody tr a");
    browser.sees("main h1", "<img src=x");
    assert_eq!(browser.wrong(), json!([]));
}
