//! The real program and real receivers: some that hang, lie, close, redirect, flood and throttle, one that
//! verifies signatures with the public library, and a real Alertmanager.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::patience::{PATIENCE, until};
use crate::support::process::{Orchestrator, start};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request as a receiver got it.
#[derive(Debug, Clone)]
struct Got {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A receiver on loopback: the path of a request says how it is treated. It ends with the test process.
struct Receivers {
    address: String,
    got: Receiver<Got>,
}

impl Receivers {
    fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, got) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || serve(stream, &sender));
            }
        });
        Self { address, got }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// The next request to a path.
    fn next(&self, path: &str) -> Got {
        loop {
            let got = self.got.recv_timeout(PATIENCE);
            let got = got.unwrap_or_else(|error| panic!("no request to {path}: {error}"));
            if got.path == path {
                return got;
            }
        }
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut first = String::new();
    stream.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Got {
        path: first.split(' ').nth(1)?.to_owned(),
        headers,
        body: String::from_utf8(body).ok()?,
    })
}

fn serve(stream: TcpStream, sender: &Sender<Got>) {
    let mut reader = BufReader::new(stream);
    while let Some(got) = read(&mut reader) {
        let path = got.path.clone();
        let _ = sender.send(got);
        let stream = reader.get_mut();
        let done = match path.as_str() {
            // It never answers, and keeps the connection.
            "/hang" => loop {
                thread::park();
            },
            "/close" => return,
            "/lie" => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nno more"),
            "/redirect" => stream
                .write_all(b"HTTP/1.1 302 Found\r\nlocation: /moved\r\ncontent-length: 0\r\n\r\n"),
            "/flood" => {
                let _ =
                    stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 1073741824\r\n\r\n");
                while stream.write_all(&[b'x'; 65_536]).is_ok() {}
                return;
            }
            "/headers" => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ");
                while stream.write_all(&[b'x'; 65_536]).is_ok() {}
                return;
            }
            "/later" => stream.write_all(
                b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 3000\r\ncontent-length: 0\r\n\r\n",
            ),
            _ => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n"),
        };
        if done.is_err() {
            return;
        }
    }
}

fn put(orchestrator: &Orchestrator, name: &str, body: &Value) -> (u16, Value) {
    let (agent, address) = orchestrator.client();
    let mut answer = agent
        .put(format!("{address}/webhooks/{name}"))
        .send_json(body)
        .unwrap();
    (
        answer.status().as_u16(),
        answer.body_mut().read_json().unwrap(),
    )
}

fn target(orchestrator: &Orchestrator, name: &str, url: &str) {
    let body = json!({"url": url, "secret": SECRET, "types": ["alert.*"]});
    let (status, answer) = put(orchestrator, name, &body);
    assert_eq!(status, 200, "{answer}");
}

/// Two full instances: the loss of one could not be absorbed, which is an alert.
fn open_an_alert(orchestrator: &Orchestrator) {
    let streams = json!({"streams": [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]});
    assert_eq!(orchestrator.post("/streams", &streams).0, 200);
    for id in ["w", "x"] {
        register(orchestrator, id, 1);
        let asked = json!({"server_id": id, "requested_count": 1});
        assert_eq!(orchestrator.post("/streams/assign", &asked).0, 200);
    }
}

fn register(orchestrator: &Orchestrator, id: &str, max_streams: u32) {
    let worker = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000,
        "max_streams": max_streams});
    assert_eq!(orchestrator.post("/register", &worker).0, 200);
}

fn close_the_alert(orchestrator: &Orchestrator) {
    register(orchestrator, "y", 5);
}

fn webhook(orchestrator: &Orchestrator, name: &str) -> Value {
    let webhooks = orchestrator.get("/webhooks").1["webhooks"].take();
    let webhooks = webhooks.as_array().unwrap().iter();
    let mut named = webhooks.filter(|webhook| webhook["name"] == name);
    named.next().unwrap().clone()
}

const LOOPBACK: (&str, &str) = ("WEBHOOK_ALLOW_LOOPBACK", "on");

#[test]
fn receivers_that_hang_lie_close_redirect_flood_and_throttle_delay_no_other() {
    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[LOOPBACK]);
    let receivers = Receivers::begin();
    let failing = ["hang", "close", "redirect", "flood", "headers", "later"];
    for name in failing.into_iter().chain(["lie", "good"]) {
        target(&orchestrator, name, &receivers.url(&format!("/{name}")));
    }
    // Nothing listens there.
    let nothing = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    target(&orchestrator, "nothing", &format!("http://{nothing}/"));
    open_an_alert(&orchestrator);
    let got = receivers.next("/good");
    assert_eq!(got.json()["type"], "alert.opened");
    assert_eq!(got.json()["data"]["kind"], "no_room_for_failure");
    for (name, reason) in [
        ("hang", "no answer in time"),
        ("close", "closed"),
        ("redirect", "HTTP 302: redirects are not followed"),
        ("flood", "HTTP 500"),
        ("headers", "headers"),
        ("later", "HTTP 429: try again after 3000 s"),
        ("nothing", "refused"),
    ] {
        let failure = until(name, || {
            let failure = webhook(&orchestrator, name)["last_failure"]["reason"].clone();
            failure.as_str().map(str::to_owned)
        });
        assert!(failure.contains(reason), "{name}: {failure}");
        // Heartbeats are answered while receivers hang and flood.
        let beat = json!({"server_id": "w", "current_streams": 1});
        assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
    }
    let lie = until("the liar", || {
        let lie = webhook(&orchestrator, "lie");
        lie["last_success_at"].is_string().then_some(lie)
    });
    assert!(lie["last_failure"].is_null(), "its status was 200: {lie}");
    assert!(receivers.got.try_iter().all(|got| got.path != "/moved"));
    close_the_alert(&orchestrator);
    assert_eq!(receivers.next("/good").json()["type"], "alert.closed");
}

#[test]
fn addresses_that_may_not_be_called_are_refused_by_name_and_by_number() {
    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[]);
    for url in [
        "http://localhost:9/",
        "http://127.0.0.1:9/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://[::ffff:169.254.169.254]/",
        "http://0xA9FEA9FE/",
    ] {
        let (status, answer) = put(&orchestrator, "bad", &json!({"url": url}));
        assert_eq!(status, 422, "{url}: {answer}");
        assert_eq!(answer["errors"][0]["field"], "url", "{url}: {answer}");
    }
    // A name that leads there later is refused with each connection: here the setting changed.
    orchestrator.signal(Signal::TERM);
    assert!(orchestrator.wait().status.success());
    let orchestrator = start(folder.path(), &[LOOPBACK]);
    let receivers = Receivers::begin();
    target(&orchestrator, "ops", &receivers.url("/good"));
    orchestrator.signal(Signal::TERM);
    assert!(orchestrator.wait().status.success());
    let orchestrator = start(folder.path(), &[]);
    let (status, tested) = orchestrator.post("/webhooks/ops/test", &json!({}));
    assert_eq!((status, &tested["status"]), (200, &json!("failed")));
    let reason = tested["last_answer"].as_str().unwrap();
    assert!(reason.contains("loopback"), "{reason}");
    assert!(receivers.got.try_recv().is_err(), "nothing was sent");
}

/// The Python of the virtual environment with the public library.
fn python() -> Command {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/webhooks/bin/python");
    assert!(
        place.is_file(),
        "`{}` is missing: `./test` makes it, with `standardwebhooks` in it",
        place.display()
    );
    Command::new(place)
}

/// What the public library says of a request.
fn verified(got: &Got, secret: &str) -> bool {
    let script = "import json, sys\n\
        from standardwebhooks.webhooks import Webhook, WebhookVerificationError\n\
        got = json.load(sys.stdin)\n\
        try:\n\
        \x20   Webhook(got['secret']).verify(got['body'], got['headers'])\n\
        except WebhookVerificationError as error:\n\
        \x20   print(error)\n\
        \x20   sys.exit(7)\n";
    let mut python = python()
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!({"secret": secret, "body": got.body, "headers": got.headers});
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).unwrap();
    drop(stdin);
    let status = python.wait_with_output().unwrap().status;
    assert!(matches!(status.code(), Some(0 | 7)), "{status}");
    status.success()
}

#[test]
fn a_message_about_an_order_carries_the_trace_of_its_request() {
    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[LOOPBACK]);
    let receivers = Receivers::begin();
    let url = receivers.url("/good");
    let body = json!({"url": url, "secret": SECRET, "types": ["event.instance_*cordoned"]});
    assert_eq!(put(&orchestrator, "ops", &body).0, 200);
    register(&orchestrator, "w", 1);
    let (agent, address) = orchestrator.client();
    let order = |action: &str, traceparent: Option<&str>| {
        let mut request = agent.post(format!("{address}/instances/w/{action}"));
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        assert_eq!(request.send_empty().unwrap().status(), 200);
        receivers.next("/good")
    };
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let got = order("cordon", Some(trace));
    assert_eq!(got.json()["type"], "event.instance_cordoned");
    assert_eq!(
        got.headers.get("traceparent").map(String::as_str),
        Some(trace)
    );
    // It is a header alone, and of this order alone.
    assert!(!got.body.contains("4bf92f35"), "{}", got.body);
    let got = order("uncordon", None);
    assert_eq!(got.json()["type"], "event.instance_uncordoned");
    assert_eq!(got.headers.get("traceparent"), None);
}

#[test]
fn the_public_library_verifies_every_signature_also_while_a_secret_is_rotated() {
    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[LOOPBACK]);
    let receivers = Receivers::begin();
    target(&orchestrator, "ops", &receivers.url("/good"));
    open_an_alert(&orchestrator);
    let got = receivers.next("/good");
    assert!(verified(&got, SECRET));
    let other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    assert!(!verified(&got, other));
    let changed = Got {
        body: got.body.replace("no_room", "no_rum"),
        ..got.clone()
    };
    assert!(!verified(&changed, SECRET));
    let (_, rotated) = put(&orchestrator, "ops", &json!({"rotate_secret": true}));
    close_the_alert(&orchestrator);
    let got = receivers.next("/good");
    assert_eq!(got.json()["type"], "alert.closed");
    assert!(verified(&got, SECRET), "the old one, for a day");
    assert!(verified(&got, rotated["secret"].as_str().unwrap()));
    assert!(!verified(&got, other));
}

#[test]
fn a_delivery_that_a_kill_interrupts_is_made_by_the_next_process_under_its_id() {
    let folder = tempdir().unwrap();
    let mut orchestrator = start(folder.path(), &[LOOPBACK, ("RUST_LOG", "debug")]);
    let receivers = Receivers::begin();
    target(&orchestrator, "ops", &receivers.url("/hang"));
    open_an_alert(&orchestrator);
    let first = receivers.next("/hang");
    orchestrator.wait_for_line("alert no_room_for_failure");
    let log = orchestrator.kill().log;
    for hidden in ["whsec_", "/hang"] {
        assert!(!log.contains(hidden), "{hidden} stands in the log");
    }
    let orchestrator = start(folder.path(), &[LOOPBACK]);
    let again = receivers.next("/hang");
    assert_eq!(first.headers["webhook-id"], again.headers["webhook-id"]);
    let body = json!({"url": receivers.url("/good")});
    assert_eq!(put(&orchestrator, "ops", &body).0, 200);
    // Other alerts may pass the one that was refused.
    let last = std::iter::repeat_with(|| receivers.next("/good"))
        .find(|got| got.headers["webhook-id"] == first.headers["webhook-id"])
        .unwrap();
    assert_eq!(first.body, last.body);
    assert!(verified(&last, SECRET));
}

/// A real Alertmanager. Killed when dropped.
struct Alertmanager {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    fn begin() -> Self {
        let found = Command::new("prometheus-alertmanager")
            .arg("--version")
            .output();
        if let Err(error) = found {
            panic!(
                "`prometheus-alertmanager` cannot be run ({error}): install the Debian package of that \
                 name, as `./test` does"
            );
        }
        let folder = tempdir().unwrap();
        let config = folder.path().join("alertmanager.yml");
        fs::write(
            &config,
            "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n",
        )
        .unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let manager = Self {
            child,
            address: format!("http://{address}"),
            _folder: folder,
        };
        until("the Alertmanager", || manager.try_alerts());
        manager
    }

    fn try_alerts(&self) -> Option<Vec<Value>> {
        let mut answer = ureq::get(format!("{}/api/v2/alerts", self.address))
            .call()
            .ok()?;
        answer.body_mut().read_json().ok()
    }

    /// Its alerts of a name.
    fn alerts(&self, name: &str) -> Vec<Value> {
        let alerts = self.try_alerts().unwrap_or_default().into_iter();
        let named = alerts.filter(|alert| alert["labels"]["alertname"] == name);
        named.collect()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

#[test]
fn an_alert_appears_in_a_real_alertmanager_and_is_resolved_there() {
    let folder = tempdir().unwrap();
    let manager = Alertmanager::begin();
    let file = folder.path().join("webhooks.toml");
    let url = format!("{}/api/v2/alerts", manager.address);
    let text = format!(
        "[webhooks.am]\nurl = \"{url}\"\nsecret = \"{SECRET}\"\nformat = \"alertmanager\"\n"
    );
    fs::write(&file, text).unwrap();
    let settings = [LOOPBACK, ("WEBHOOKS_FILE", "webhooks.toml")];
    let orchestrator = start(folder.path(), &settings);
    let (status, tested) = orchestrator.post("/webhooks/am/test", &json!({}));
    assert_eq!(
        (status, &tested["status"]),
        (200, &json!("delivered")),
        "{tested}"
    );
    open_an_alert(&orchestrator);
    let alert = until("the alert", || manager.alerts("no_room_for_failure").pop());
    assert_eq!(alert["status"]["state"], "active");
    assert_eq!(alert["labels"]["severity"], "warning");
    assert!(alert["annotations"]["summary"].as_str().unwrap().len() > 10);
    let generator = format!("{}/resilience/alerts", orchestrator.address());
    assert_eq!(alert["generatorURL"], generator.as_str());
    close_the_alert(&orchestrator);
    until("the end of the alert", || {
        manager
            .alerts("no_room_for_failure")
            .is_empty()
            .then_some(())
    });
    let (status, answer) = put(&orchestrator, "am", &json!({"enabled": false}));
    assert_eq!(status, 409, "{answer}");
}

#[test]
fn a_file_with_a_mistake_ends_the_start_with_its_line_and_field() {
    let folder = tempdir().unwrap();
    let text = "[webhooks.ops]\nurl = \"https://hooks.example/\"\nsecret = \"whsec_aGlkZGVu\"\n";
    fs::write(folder.path().join("webhooks.toml"), text).unwrap();
    let settings = [("WEBHOOKS_FILE", "webhooks.toml")];
    let output = crate::support::process::command(folder.path(), &settings)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("line 3") && said.contains("`secret`"),
        "{said}"
    );
    assert!(!said.contains("aGlk"), "{said}");
}
