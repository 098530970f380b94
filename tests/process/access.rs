//! Keys of callers: the first one, the start that is refused, the command line, and an orchestrator that runs meanwhile.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::path::Path;
use std::process::{Output, Stdio};

use crate::patience::until;
use crate::support::postgres::Server;
use crate::support::process::{self, Orchestrator, command};
use crate::support::worker::{Kind, WorkerProcess, has_python};
use serde_json::{Value, json};
use tempfile::tempdir;

/// Runs a command to its end.
fn run(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = command(folder, settings);
    command.args(arguments).stdout(Stdio::piped());
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The only line that a command printed.
fn line(output: &Output) -> String {
    assert_eq!(code(output), 0, "{}", told(output));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{text}");
    line.to_owned()
}

const CREATE: [&str; 7] = [
    "keys",
    "create",
    "--role",
    "admin",
    "--name",
    "first",
    "--offline",
];

/// Status and body of a GET with a key.
fn get(orchestrator: &Orchestrator, path: &str, key: &str) -> (u16, Value) {
    let (agent, address) = orchestrator.client();
    let request = agent.get(format!("{address}{path}"));
    let request = request.header("authorization", format!("Bearer {key}"));
    let mut answer = request.call().unwrap();
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_json().unwrap_or_default())
}

/// Whether a key is refused; an address that tries too often is told to wait.
fn is_refused(orchestrator: &Orchestrator, path: &str, key: &str) -> bool {
    [401, 429].contains(&get(orchestrator, path, key).0)
}

#[test]
fn beyond_loopback_the_start_is_refused_until_auth_is_set() {
    let folder = tempdir().unwrap();
    let everywhere = ("BIND_ADDRESS", "0.0.0.0:0");
    for arguments in [&[][..], &["serve"], &["config", "check"]] {
        let refused = run(folder.path(), &[everywhere], arguments);
        assert_eq!(code(&refused), 2, "{arguments:?}");
        for part in [
            "AUTH=on",
            "keys create --role admin",
            "--offline",
            "AUTH=off",
        ] {
            assert!(told(&refused).contains(part), "{part}: {}", told(&refused));
        }
    }
    let open = run(
        folder.path(),
        &[everywhere, ("AUTH", "off")],
        &["config", "check"],
    );
    let report = String::from_utf8_lossy(&open.stdout).into_owned() + &told(&open);
    assert_eq!(code(&open), 0, "{report}");
    assert!(
        report.contains("every machine that reaches this address can give orders"),
        "{report}"
    );
    let guarded = run(
        folder.path(),
        &[everywhere, ("AUTH", "on")],
        &["config", "check"],
    );
    assert_eq!(code(&guarded), 0);
    let report = String::from_utf8_lossy(&guarded.stdout).into_owned() + &told(&guarded);
    assert!(report.contains("TLS_CERT is not set"), "{report}");
    let behind_proxy = [everywhere, ("AUTH", "on"), ("TRUSTED_PROXIES", "10.0.0.1")];
    let behind_proxy = run(folder.path(), &behind_proxy, &["config", "check"]);
    let report = String::from_utf8_lossy(&behind_proxy.stdout).into_owned();
    assert_eq!(code(&behind_proxy), 0);
    assert!(!report.contains("TLS_CERT is not set"), "{report}");
    let kept = run(
        folder.path(),
        &[("AUTH", "on"), ("DATABASE_URL", "memory:")],
        &["serve"],
    );
    assert_eq!(code(&kept), 2);
    // The first key is made before AUTH is set.
    let key = line(&run(folder.path(), &[everywhere], &CREATE));
    assert!(key.starts_with("ork_") && key.len() == 47, "{key}");
}

/// An address that counts as another machine's, and at which nothing listens.
const ELSEWHERE: &str = "http://0.0.0.0:1";

/// Starts with `ork_`, as a key does.
const KEY: &str = "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

#[test]
fn the_command_line_warns_once_of_a_key_that_is_sent_without_encryption() {
    let folder = tempdir().unwrap();
    let told = |key: &[(&str, &str)], urls: &str| {
        told(&run(folder.path(), key, &["status", "--url", urls]))
    };
    let with_key = [("ORCHESTRATOR_KEY", KEY)];
    let two = format!("{ELSEWHERE},{ELSEWHERE}/behind");
    let warned = told(&with_key, &two);
    assert_eq!(warned.matches("without encryption").count(), 1, "{warned}");
    for part in ["ORCHESTRATOR_KEY", ELSEWHERE, "https://", "--url"] {
        assert!(warned.contains(part), "{part} is missing in {warned}");
    }
    for warned in [told(&[], &two), told(&with_key, "http://127.0.0.1:1")] {
        assert!(!warned.contains("without encryption"), "{warned}");
    }
}

#[test]
fn the_example_workers_warn_of_a_key_that_is_sent_without_encryption() {
    for (kind, line) in [
        (
            Kind::Rust,
            "the worker's key is sent to http://0.0.0.0/… without encryption",
        ),
        (
            Kind::Python,
            "warning: the key (ORCHESTRATOR_KEY) is sent to http://0.0.0.0 without encryption",
        ),
    ] {
        if kind == Kind::Python && !has_python() {
            eprintln!("SKIPPED: there is no python3 on this machine");
            continue;
        }
        let key = [("ORCHESTRATOR_KEY", KEY)];
        let mut worker = WorkerProcess::start_with(kind, ELSEWHERE, "w", &key);
        worker.wait_for(line);
    }
}

#[test]
fn the_first_key_is_made_in_the_file_and_makes_the_others() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let bad = run(
        path,
        &[],
        &[
            "keys",
            "create",
            "--role",
            "root",
            "--name",
            "x",
            "--offline",
        ],
    );
    assert_eq!(
        (code(&bad), told(&bad).contains("--role")),
        (2, true),
        "{}",
        told(&bad)
    );
    let nothing = run(path, &[("DATABASE_URL", "memory:")], &CREATE);
    assert_eq!(code(&nothing), 2);
    let key = line(&run(path, &[], &CREATE));
    let again = run(path, &[], &CREATE);
    assert_eq!((code(&again), told(&again).contains("`first`")), (1, true));
    let mut orchestrator = process::start(path, &[("AUTH", "on")]);
    orchestrator.line_seen("callers need a key");
    let in_use = run(
        path,
        &[],
        &[
            "keys",
            "create",
            "--role",
            "viewer",
            "--name",
            "y",
            "--offline",
        ],
    );
    assert_eq!(code(&in_use), 1, "{}", told(&in_use));
    assert!(in_use.stdout.is_empty());
    assert_eq!(orchestrator.get("/livez").0, 200);
    assert_eq!(orchestrator.get("/status").0, 401);
    assert_eq!(orchestrator.get("/metrics").0, 401);
    assert_eq!(get(&orchestrator, "/status", &key).0, 200);

    let file = path.join("key");
    std::fs::write(&file, format!("{key}\n")).unwrap();
    let address = orchestrator.address().to_owned();
    let with_key = |arguments: &[&str]| {
        let more = ["--url", &address, "--key-file", file.to_str().unwrap()];
        run(path, &[], &[arguments, &more].concat())
    };
    let by_variable = run(
        path,
        &[("ORCHESTRATOR_KEY", &key)],
        &["status", "--url", &address],
    );
    assert_eq!(code(&by_variable), 0, "{}", told(&by_variable));
    let without = run(path, &[], &["status", "--url", &address]);
    assert_eq!(code(&without), 1);
    assert!(told(&without).contains("needs a key"), "{}", told(&without));
    let create = [
        "keys",
        "create",
        "--role",
        "worker",
        "--name",
        "rack",
        "--server-id",
        "a-*",
        "--expires",
        "30d",
    ];
    let worker = line(&with_key(&create));
    let (status, who) = get(&orchestrator, "/whoami", &worker);
    assert_eq!(
        (status, &who["role"], &who["server_ids"]),
        (200, &json!("worker"), &json!(["a-*"]))
    );
    let list = with_key(&["keys"]);
    let table = String::from_utf8(list.stdout).unwrap();
    assert!(
        table.contains("rack") && table.contains("a-*") && !table.contains("ork_"),
        "{table}"
    );
    let (_, keys) = get(&orchestrator, "/keys", &key);
    let mut rows = keys["keys"].as_array().unwrap().iter();
    let id = rows.find(|key| key["name"] == "rack").unwrap()["id"].to_string();
    let revoked = line(&with_key(&["keys", "revoke", &id]));
    assert_eq!(revoked, format!("Key {id} (rack) is revoked."));
    let (status, problem) = get(&orchestrator, "/whoami", &worker);
    assert_eq!(status, 401, "{problem}");
    let unknown = with_key(&["keys", "revoke", "99"]);
    assert_eq!(
        (
            code(&unknown),
            told(&unknown).contains("`orchestrator keys`")
        ),
        (1, true)
    );
    orchestrator.wait_for_line("was revoked");
    orchestrator.signal(rustix::process::Signal::TERM);
    let log = orchestrator.wait().log;
    for secret in [&key, &worker] {
        assert!(!log.contains(&secret[4..]), "{log}");
    }
    // Keys survive a restart, and revocations.
    let orchestrator = process::start(path, &[("AUTH", "on")]);
    assert_eq!(get(&orchestrator, "/status", &key).0, 200);
    assert_eq!(get(&orchestrator, "/status", &worker).0, 401);
}

#[test]
fn a_running_orchestrator_on_postgresql_knows_a_new_key_soon() {
    let folder = tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(Server::shared().database());
    let url = database.url();
    let settings = [("DATABASE_URL", url.as_str()), ("AUTH", "on")];
    let leader = process::start(folder.path(), &settings);
    leader.line_seen("no good one of the role `admin`");
    let other = tempdir().unwrap();
    let node = [
        ("DATABASE_URL", url.as_str()),
        ("AUTH", "on"),
        ("CLUSTER_NODE", "other"),
    ];
    let mut standby = process::launch(other.path(), &node);
    standby.wait_for_line("standby");
    assert_eq!(leader.get("/status").0, 401);
    let key = line(&run(folder.path(), &settings[..1], &CREATE));
    until("the leader knows the key", || {
        (get(&leader, "/status", &key).0 == 200).then_some(())
    });
    until("the standby knows the key", || {
        (get(&standby, "/settings", &key).0 == 200).then_some(())
    });
    assert_eq!(standby.get("/settings").0, 401);
    assert_eq!(get(&standby, "/whoami", &key).1["role"], "admin");
    let (status, session) = standby.post("/session", &json!({ "key": key }));
    assert_eq!((status, &session["role"]), (200, &json!("admin")));
    let (agent, address) = leader.client();
    let request = agent.delete(format!("{address}/keys/1"));
    let request = request.header("authorization", format!("Bearer {key}"));
    assert_eq!(request.call().unwrap().status(), 200);
    assert!(is_refused(&leader, "/status", &key));
    until("the standby hears of it", || {
        is_refused(&standby, "/settings", &key).then_some(())
    });
}
