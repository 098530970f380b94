//! Chromium, by the protocol of its driver (WebDriver): one JSON request for each step.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test without its browser has failed"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::png;

/// No step takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Notes what goes wrong in a page, from its first line on.
const WATCH: &str = "window.wrong = [];
    addEventListener('error', (event) => wrong.push(String(event.message)));
    addEventListener('unhandledrejection', (event) => wrong.push(String(event.reason)));
    document.addEventListener('securitypolicyviolation', (event) => wrong.push(`policy: ${event.violatedDirective} ${event.blockedURI}`));";

/// The screen that a page is shown on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) name: &'static str,
    width: u32,
    height: u32,
    is_dark: bool,
}

impl Screen {
    pub(crate) const DESK: Self = Self::of("desk", 1_440, 900, false);
    pub(crate) const DARK: Self = Self::of("dark", 1_440, 900, true);
    pub(crate) const SMALL: Self = Self::of("small", 1_024, 768, false);
    pub(crate) const PHONE: Self = Self::of("phone", 390, 844, false);
    pub(crate) const DARK_PHONE: Self = Self::of("dark phone", 390, 844, true);

    const fn of(name: &'static str, width: u32, height: u32, is_dark: bool) -> Self {
        Self {
            name,
            width,
            height,
            is_dark,
        }
    }
}

/// A browser with one window. Ends with its driver when it is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    driver_url: String,
    session: String,
    base: String,
}

impl Browser {
    /// Starts a browser that shows the console at an address.
    pub(crate) fn at(base: &str) -> Self {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium-driver is installed: `./test` installs it");
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                let rest = line.split("successfully on port ").nth(1)?.to_owned();
                rest.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("the driver says on which port it listens");
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .into();
        let mut browser = Self {
            driver,
            agent,
            driver_url: format!("http://127.0.0.1:{port}"),
            session: String::new(),
            base: base.to_owned(),
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1440,900",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments}}}});
        let session = browser.call("/session", &wanted);
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        browser.step("/timeouts", &json!({"script": PATIENCE.as_millis() as u64}));
        browser.develop(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": WATCH}),
        );
        browser.on(Screen::DESK);
        browser
    }

    fn call(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.driver_url);
        let mut answer = self.agent.post(url).send_json(body).expect("an answer");
        let value: Value = answer.body_mut().read_json().expect("JSON");
        assert_eq!(answer.status(), 200, "{path} {body}: {value}");
        value["value"].clone()
    }

    fn step(&self, path: &str, body: &Value) -> Value {
        self.call(&format!("{}{path}", self.session), body)
    }

    /// A command of the developer tools.
    pub(crate) fn develop(&self, command: &str, parameters: Value) -> Value {
        self.step(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// Shows what follows on a screen.
    pub(crate) fn on(&self, screen: Screen) {
        let scheme = if screen.is_dark { "dark" } else { "light" };
        self.develop(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": screen.width, "height": screen.height, "deviceScaleFactor": 1,
                "mobile": screen.width < 500}),
        );
        self.develop(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
    }

    /// Opens the console anew at a view: `instances?state=failed`.
    pub(crate) fn open(&self, view: &str) {
        self.open_unready(view);
        self.ready();
    }

    /// The same, and does not wait for what it shows.
    pub(crate) fn open_unready(&self, view: &str) {
        self.step("/url", &json!({"url": "about:blank"}));
        self.step("/url", &json!({"url": format!("{}/#/{view}", self.base)}));
    }

    /// Goes to a view of the page that is open.
    pub(crate) fn go(&self, view: &str) {
        self.script(&format!(
            "const wanted = {};
            if (location.hash === wanted) return;
            document.documentElement.dataset.ready = '';
            location.hash = wanted;",
            json!(format!("#/{view}"))
        ));
        self.ready();
    }

    /// Waits until the view has read what it shows.
    pub(crate) fn ready(&self) {
        self.wait_for("document.documentElement.dataset.ready === 'true'");
    }

    /// Runs a script in the page.
    pub(crate) fn script(&self, text: &str) -> Value {
        self.step("/execute/sync", &json!({"script": text, "args": []}))
    }

    /// Waits until an expression is true; each picture of the page is a look at it.
    pub(crate) fn wait_for(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0], until = performance.now() + 20_000;
            (function look() {{
                let is = false;
                try {{ is = Boolean({condition}); }} catch {{}}
                if (is || performance.now() > until) done(is); else requestAnimationFrame(look);
            }})();"
        );
        let is_so = self.step("/execute/async", &json!({"script": script, "args": []}));
        assert_eq!(
            is_so,
            true,
            "waited for {condition}; wrong: {}; the page has:\n{}",
            self.wrong(),
            self.text("body")
        );
    }

    /// Waits until an element has a text.
    pub(crate) fn sees(&self, selector: &str, text: &str) {
        self.wait_for(&format!(
            "document.querySelector({})?.innerText.replaceAll('\\u00a0', ' ').includes({})",
            json!(selector),
            json!(text)
        ));
    }

    /// The text of an element, with ordinary spaces.
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.script(&format!(
            "return document.querySelector({})?.innerText ?? ''",
            json!(selector)
        ));
        text.as_str().unwrap_or_default().replace('\u{a0}', " ")
    }

    /// Clicks an element.
    pub(crate) fn click(&self, selector: &str) {
        self.wait_for(&format!("document.querySelector({})", json!(selector)));
        self.script(&format!(
            "document.querySelector({}).click()",
            json!(selector)
        ));
    }

    /// Types into a field, as a person does: the page is told of it.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.wait_for(&format!("document.querySelector({})", json!(selector)));
        self.script(&format!(
            "const field = document.querySelector({});
            field.value = {};
            field.dispatchEvent(new Event('input', {{bubbles: true}}));
            field.dispatchEvent(new Event('change', {{bubbles: true}}));",
            json!(selector),
            json!(text)
        ));
    }

    /// Presses a key on whatever has the focus.
    pub(crate) fn press(&self, key: &str) {
        let keys = [
            json!({"type": "keyDown", "value": key}),
            json!({"type": "keyUp", "value": key}),
        ];
        self.step(
            "/actions",
            &json!({"actions": [{"type": "key", "id": "keys", "actions": keys}]}),
        );
    }

    /// What went wrong in the page so far.
    pub(crate) fn wrong(&self) -> Value {
        self.script("return window.wrong")
    }

    /// Asserts that nothing went wrong, and that nothing is wider than the screen.
    #[track_caller]
    pub(crate) fn is_well(&self, what: &str) {
        assert_eq!(self.wrong(), json!([]), "{what}");
        let is_wider = self.script(
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth",
        );
        assert_eq!(is_wider, false, "{what} scrolls sideways");
    }

    /// Puts a picture of the page into the folder of pictures.
    pub(crate) fn picture(&self, name: &str) {
        let folder = pictures();
        fs::create_dir_all(&folder).unwrap();
        let shot = self.develop("Page.captureScreenshot", json!({"format": "png"}));
        let shot = png::smaller(&decoded(shot["data"].as_str().unwrap()));
        fs::write(folder.join(format!("{name}.png")), shot).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self
            .agent
            .delete(format!("{}{}", self.driver_url, self.session))
            .call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the script that makes the pictures of the documents names their folder"
)]
fn pictures() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join(std::env::var("PICTURES").unwrap_or_else(|_| "target/pictures".to_owned()))
}

/// Decodes base64.
fn decoded(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four
            .iter()
            .fold(0_u32, |bits, letter| bits << 6 | u32::from(value(*letter)));
        let bits = bits << (6 * (4 - four.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes
}
