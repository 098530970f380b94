//! `support-bundle` of the real program: it has what a helper needs, and no secret.

#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::mpsc;
use std::thread;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::process::{command, expect_errors, start};

/// Stands in each place where a secret can be.
const SECRET: &str = "geheim";

fn bundle(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = command(folder, environment);
    command.env_remove("BIND_ADDRESS").arg("support-bundle");
    command.args(arguments).stdout(Stdio::piped());
    command.output().unwrap()
}

/// The files of an archive by their names, without their folder.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let file = GzDecoder::new(fs::File::open(path).unwrap());
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            let folder = path.parent().unwrap().to_str().unwrap();
            assert!(folder.starts_with("orchestrator-support-2"), "{folder}");
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), text)
        })
        .collect()
}

#[test]
fn a_bundle_has_everything_and_no_secret() {
    expect_errors(&["alert streams_orphaned"]);
    let folder = tempdir().unwrap();
    // A secret in the settings of the server: those of the database and an unknown variable.
    let dotenv = format!("ORCHESTRATOR_TOKEN={SECRET}\nDATABASE_TIMEOUT=7s\n");
    fs::write(folder.path().join(".env"), dotenv).unwrap();
    let orchestrator = start(folder.path(), &[("RUST_LOG", "debug")]);
    // In the URL of a stream, in a text of a worker, in metrics that are no metrics, in a reason.
    let url = format!("rtsp://user:{SECRET}@camera.example/live/{SECRET}?key={SECRET}");
    let streams = json!({"streams": [{"id": 1, "name": "one", "url": url}]});
    assert_eq!(orchestrator.post("/streams", &streams).0, 200);
    let worker = json!({"server_id": "a", "ip": "127.0.0.1", "port": 9000,
        "labels": {"proxy": format!("http://me:{SECRET}@proxy.example:3128")}});
    assert_eq!(orchestrator.post("/register", &worker).0, 200);
    let beat = json!({"server_id": "a", "current_streams": 0,
        "status": format!("via http://me:{SECRET}@proxy"),
        "system_metrics": {"cpu_percent": 1, "memory_percent": 1, "memory_used_gb": 1,
            "memory_total_gb": 1, "disk_percent": 1, "disk_free_gb": 1, "disk_total_gb": 1,
            "token": SECRET}});
    assert_eq!(orchestrator.post("/heartbeat", &beat).0, 200);
    let request = json!({"server_id": "a", "requested_count": 1});
    assert_eq!(orchestrator.post("/streams/assign", &request).0, 200);
    let reason = json!({"reason": format!("see https://me:{SECRET}@wiki/x")});
    assert_eq!(orchestrator.post("/instances/a/cordon", &reason).0, 200);
    // In the query of a request that is logged, and in a header.
    assert_eq!(orchestrator.get(&format!("/status?token={SECRET}")).0, 422);
    assert_eq!(orchestrator.post("/instances/a/failure", &json!({})).0, 200);
    // In the environment of the command: its own database, and a proxy that it does not use.
    let database = format!("postgres://me:{SECRET}@db.example/fleet");
    let proxy = format!("http://me:{SECRET}@proxy.example:3128");
    let (_, address) = orchestrator.client();
    let address = address.replace("http://", &format!("http://me:{SECRET}@"));
    let environment = [
        ("DATABASE_URL", database.as_str()),
        ("HTTP_PROXY", &proxy),
        ("ORCHESTRATOR_URL", &address),
    ];
    let output = bundle(folder.path(), &environment, &["--file", "b.tar.gz"]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        !said.contains("missing") && !said.contains(SECRET),
        "{said}"
    );
    let path = folder.path().join("b.tar.gz");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let files = unpacked(&path);
    for (name, text) in &files {
        assert!(!text.contains(SECRET), "{name}: {text}");
        if name.ends_with(".json") {
            assert!(
                serde_json::from_str::<Value>(text).is_ok(),
                "{name}: {text}"
            );
        }
        assert!(
            name == "MANIFEST" || files["MANIFEST"].contains(name),
            "{name}"
        );
    }
    for name in [
        "MANIFEST",
        "version.json",
        "config-check.txt",
        "settings.json",
        "status.json",
        "health.json",
        "cluster.json",
        "capacity.json",
        "incidents.json",
        "alerts.json",
        "patterns.json",
        "series-heartbeats.json",
        "series-load.json",
        "moves.json",
        "metrics.txt",
        "log.json",
        "events.json",
    ] {
        assert!(files.contains_key(name), "{name} is missing: {said}");
    }
    assert!(
        files["incidents.json"].contains("\"a\""),
        "{}",
        files["incidents.json"]
    );
    assert!(files["metrics.txt"].contains("orchestrator_heartbeats_total"));
    let log: Value = serde_json::from_str(&files["log.json"]).unwrap();
    let lines = log["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["server_id"] == "a"), "{log}");
    let settings: Value = serde_json::from_str(&files["settings.json"]).unwrap();
    let settings = settings["settings"].as_array().unwrap();
    let timeout = settings
        .iter()
        .find(|one| one["name"] == "DATABASE_TIMEOUT");
    let expected = json!({"name": "DATABASE_TIMEOUT", "value": "7s", "origin": ".env",
        "reloadable": false});
    assert_eq!(timeout, Some(&expected));
    assert!(files["config-check.txt"].contains("postgres://db.example/…"));
    // A file that is there is left as it is.
    let again = bundle(folder.path(), &environment, &["--file", "b.tar.gz"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(unpacked(&path), files);
}

#[test]
fn a_bundle_without_an_orchestrator_has_configuration_and_version() {
    let folder = tempdir().unwrap();
    for environment in [
        // Nothing listens there, or the address is none.
        [("ORCHESTRATOR_URL", "http://me:geheim@127.0.0.1:9")],
        [("ORCHESTRATOR_URL", "me:geheim@nowhere")],
    ] {
        let output = bundle(folder.path(), &environment, &["--file", "b.tar.gz"]);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{said}");
        assert!(
            said.contains("23 parts are missing") && !said.contains(SECRET),
            "{said}"
        );
        let path = folder.path().join("b.tar.gz");
        let files = unpacked(&path);
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["MANIFEST", "config-check.txt", "version.json"]);
        let manifest = &files["MANIFEST"];
        assert_eq!(manifest.matches("MISSING: ").count(), 23, "{manifest}");
        assert!(!manifest.contains(SECRET), "{manifest}");
        fs::remove_file(path).unwrap();
    }
}

/// Reads the head of a request; returns its path without the query.
fn path_of(connection: &TcpStream) -> String {
    let mut lines = BufReader::new(connection).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    lines.find(String::is_empty).unwrap();
    let target = first.split(' ').nth(1).unwrap();
    target.split('?').next().unwrap().to_owned()
}

#[test]
fn a_part_that_breaks_off_costs_no_other_and_a_refusal_is_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (send, asked) = mpsc::channel();
    // Answers as long as the test runs.
    thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            let path = path_of(&connection);
            let (status, body) = match path.as_str() {
                "/ready" => ("503 Service Unavailable", "{\"detail\":\"not yet\"}"),
                _ => ("200 OK", "{\"a\":1}"),
            };
            // Breaks off: the body is shorter than its head says.
            let missing = usize::from(path == "/logs" || path == "/capacity");
            let length = body.len() + missing;
            write!(
                connection,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .unwrap();
            send.send(path).unwrap();
        }
    });
    let folder = tempdir().unwrap();
    let environment = [("ORCHESTRATOR_URL", url.as_str())];
    let output = bundle(folder.path(), &environment, &["--file", "b.tar.gz"]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    let asked: Vec<String> = asked.try_iter().collect();
    let first = ["/logs", "/settings", "/metrics", "/cluster", "/ready"];
    assert_eq!(asked[..5], first, "{asked:?}");
    let files = unpacked(&folder.path().join("b.tar.gz"));
    let manifest = &files["MANIFEST"];
    assert!(!files.contains_key("log.json"), "{manifest}");
    assert!(!files.contains_key("capacity.json"), "{manifest}");
    assert_eq!(files["ready.json"], "{\"detail\":\"not yet\"}");
    assert!(manifest.contains("REFUSED: not yet"), "{manifest}");
    for name in ["settings.json", "metrics.txt", "health.json", "brake.json"] {
        assert_eq!(files[name], "{\"a\":1}", "{manifest}");
    }
}
