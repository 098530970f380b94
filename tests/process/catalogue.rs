//! `orchestrator streams`: the real program on both ends.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::thread;

use crate::support::postgres::Database;
use crate::support::process::{Orchestrator, command, start};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// What a command printed, and how it ended.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run_at(address: &str, folder: &Path, arguments: &[&str], input: Option<&[u8]>) -> Outcome {
    let mut command = command(folder, &[("ORCHESTRATOR_URL", address)]);
    command
        .arg("streams")
        .args(arguments)
        .stdout(Stdio::piped());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    if let Some(input) = input {
        // A command that refuses a part of its input reads no further.
        let _ = child.stdin.take().unwrap().write_all(input);
    }
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An orchestrator, and a folder with files for it.
struct Desk {
    folder: TempDir,
    orchestrator: Orchestrator,
}

impl Desk {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempdir().unwrap();
        let orchestrator = start(folder.path(), settings);
        Self {
            folder,
            orchestrator,
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        run_at(
            self.orchestrator.address(),
            self.folder.path(),
            arguments,
            None,
        )
    }

    /// Runs a command that must succeed; returns its output.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(outcome.stderr, "", "{outcome:?}");
        outcome.stdout
    }

    /// Runs a command that must fail; returns its error.
    #[track_caller]
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert_eq!(outcome.stdout, "", "{outcome:?}");
        outcome.stderr
    }

    fn streams(&self) -> Value {
        self.orchestrator.get("/streams?urls=full").1["streams"].take()
    }
}

const CAMERA: &str = "rtsp://admin:geheim@10.0.0.8/cam";

#[test]
fn what_is_exported_is_imported_again_as_it_was() {
    exported_and_imported_again(&Desk::new(), &Desk::new());
}

#[test]
fn what_sqlite_exports_postgres_imports_as_it_was_and_the_other_way() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for is_from_postgres in [false, true] {
        let database = runtime.block_on(Database::new());
        let (sqlite, postgres) = (
            Desk::new(),
            Desk::with(&[("DATABASE_URL", &database.url())]),
        );
        if is_from_postgres {
            exported_and_imported_again(&postgres, &sqlite);
        } else {
            exported_and_imported_again(&sqlite, &postgres);
        }
    }
}

fn exported_and_imported_again(desk: &Desk, other: &Desk) {
    let body = json!({"streams": [
        {"id": 5, "name": "a, \"b\"; c", "url": CAMERA, "labels": {"zone": "n", "x,y": "1;2"}},
        {"id": 7, "name": "ä\u{200b}", "priority": -3, "enabled": false, "handoff": "overlap"},
        {"id": 9, "name": "=1+1", "weight": 7, "group": "g", "pinned": "w1",
            "requires": {"gpu": "yes"}},
    ]});
    assert_eq!(desk.orchestrator.post("/streams", &body).0, 200);
    let before = desk.streams();
    for (format, name) in [("csv", "all.csv"), ("jsonl", "all.jsonl")] {
        let exported = desk.done(&["export", "--format", format]);
        assert!(exported.contains(CAMERA));
        desk.file(name, &exported);
        other.file(name, &exported);
        let again = desk.done(&["import", name]);
        assert_eq!(again, "0 created, 0 updated, 3 unchanged.\n", "{format}");
        other.done(&["import", name]);
        assert_eq!(other.done(&["export", "--format", format]), exported);
    }
    assert_eq!(desk.streams(), before);
}

#[test]
fn a_file_with_a_mistake_is_refused_with_its_line_and_changes_nothing() {
    let desk = Desk::new();
    desk.orchestrator
        .post("/streams", &json!({"streams": [{"id": 1, "name": "old"}]}));
    let before = desk.streams();
    let utf_16: Vec<u8> = "name\nnews\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let long = format!(
        "name,url\nnews,{CAMERA}\njazz,{}\n",
        "x".repeat(10 * 1024 * 1024)
    );
    let geheim = format!("name,enabled\nnews,{CAMERA}\n");
    for (name, content, line, word) in [
        (
            "columns.csv",
            b"name,colour\nnews,red\n".to_vec(),
            1,
            "unknown column `colour`",
        ),
        (
            "ids.csv",
            b"id,name\n2,news\n3,jazz\n2,talk\n".to_vec(),
            4,
            "same id as line 2",
        ),
        (
            "keys.csv",
            b"id,name\n2,news\n,news\n".to_vec(),
            3,
            "same name as line 2",
        ),
        ("long.csv", long.into_bytes(), 3, "longer than 1 MiB"),
        (
            "utf16.csv",
            [b"\xFF\xFE".to_vec(), utf_16].concat(),
            1,
            "UTF-16",
        ),
        (
            "latin.csv",
            b"name\nnews\nM\xFCller\n".to_vec(),
            3,
            "not UTF-8",
        ),
        (
            "quote.csv",
            b"name\nnews\n\"jazz\n".to_vec(),
            3,
            "never closed",
        ),
        (
            "secret.csv",
            geheim.into_bytes(),
            2,
            "neither true nor false",
        ),
        (
            "masked.csv",
            "name,url\nnews,rtsp://h/\u{2026}\n".into(),
            2,
            "is masked",
        ),
        (
            "taken.jsonl",
            b"{\"id\": 3, \"name\": \"new\"}\n{\"id\": 2, \"name\": \"old\"}\n".to_vec(),
            2,
            "belongs to stream 1",
        ),
        (
            "json.jsonl",
            b"{\"name\": \"news\"}\n{\"name\": \n".to_vec(),
            2,
            "is not JSON",
        ),
        ("hls.m3u", b"#EXTM3U\n#EXT-X-VERSION:3\n".to_vec(), 2, "HLS"),
    ] {
        desk.file(name, content);
        let error = desk.refused(&["import", name], 1);
        assert!(error.contains("nothing was changed"), "{name}: {error}");
        assert!(
            error.contains(&format!("\n  line {line} ")),
            "{name}: {error}"
        );
        assert!(error.contains(word), "{name}: {error}");
        assert!(!error.contains("geheim"), "{name}: {error}");
        assert_eq!(desk.streams(), before, "{name}");
    }
    for (arguments, code, word) in [
        (&["import", "missing.csv"][..], 1, "could not be read"),
        (&["import", "."], 2, "--format"),
        (&["import", "streams.txt"], 2, "--format"),
        (&["import", "ids.csv", "--format", "xml"], 2, "xml"),
        (&["import", "ids.csv", "--prune"], 2, "--yes"),
        (&["disable", "0"], 2, "0"),
    ] {
        let error = desk.refused(arguments, code);
        assert!(error.contains(word), "{arguments:?}: {error}");
    }
    assert_eq!(desk.streams(), before);
}

#[test]
fn all_mistakes_are_counted_and_the_other_rows_are_saved_on_request() {
    let desk = Desk::new();
    let rows: String = (1..=50)
        .map(|id| format!("{id},s{id},{}\n", if id % 2 == 0 { 1 } else { 0 }))
        .collect();
    desk.file("half.csv", format!("id,name,weight\n{rows}"));
    let error = desk.refused(&["import", "half.csv"], 1);
    assert!(error.contains("25 rows cannot be imported"), "{error}");
    assert!(
        error.contains("line 2 has a `weight` that must be from 1 to 1000."),
        "{error}"
    );
    assert!(error.ends_with("and 5 rows more.\n"), "{error}");
    let tried = desk.run(&["import", "half.csv", "--dry-run", "--keep-going"]);
    assert_eq!(
        tried.stdout,
        "Dry run: 25 created, 0 updated, 0 unchanged.\n"
    );
    assert_eq!(desk.streams(), json!([]));
    let saved = desk.run(&["import", "half.csv", "--keep-going", "--json"]);
    assert_eq!(saved.code, Some(1));
    assert!(saved.stderr.contains("the others were saved"), "{saved:?}");
    let answer: Value = serde_json::from_str(&saved.stdout).unwrap();
    let expected = json!({"dry_run": false, "complete": false, "created": 25, "updated": 0,
        "unchanged": 0, "refused": 25, "disabled": 0});
    assert_eq!(answer, expected);
    assert_eq!(desk.streams().as_array().unwrap().len(), 25);
}

#[test]
fn streams_that_are_not_in_the_file_are_disabled_on_request() {
    let desk = Desk::new();
    let body = json!({"streams": [{"name": "news"}, {"name": "jazz"}, {"name": "rock"}]});
    desk.orchestrator.post("/streams", &body);
    desk.file("two.csv", "name\nnews\ntalk\n");
    let tried = desk.done(&["import", "two.csv", "--prune", "--dry-run"]);
    let expected = "1 created, 0 updated, 1 unchanged; 2 not in the file and disabled.\n";
    assert_eq!(tried, format!("Dry run: {expected}"));
    assert_eq!(
        desk.done(&["import", "two.csv", "--prune", "--yes"]),
        expected
    );
    let again = desk.done(&["import", "two.csv", "--prune", "--yes"]);
    assert_eq!(
        again,
        "0 created, 0 updated, 2 unchanged; 0 not in the file and disabled.\n"
    );
    let enabled = |id: usize| desk.streams()[id - 1]["enabled"].clone();
    assert_eq!([1, 2, 3, 4].map(enabled), [true, false, false, true]);
    desk.file("empty.csv", "name\n");
    let error = desk.refused(&["import", "empty.csv", "--prune", "--yes"], 1);
    assert!(error.contains("no rows"), "{error}");
    desk.file("bad.csv", "name,weight\nnews,0\ntalk,1\n");
    let bad = desk.run(&["import", "bad.csv", "--prune", "--yes", "--keep-going"]);
    assert!(bad.stderr.contains("no stream was disabled"), "{bad:?}");
    assert_eq!([1, 4].map(enabled), [true, true]);
}

#[test]
fn a_channel_is_found_by_its_tvg_id_and_a_stream_without_an_id_by_its_name() {
    let desk = Desk::new();
    let list = |name: &str| {
        format!("#EXTM3U\n#EXTINF:-1 tvg-id=\"one\",{name}\nhttp://h/1\nhttp://h/live/two\n")
    };
    let input = |text: String| {
        let arguments = ["import", "-", "--format", "m3u"];
        let folder = desk.folder.path();
        run_at(
            desk.orchestrator.address(),
            folder,
            &arguments,
            Some(text.as_bytes()),
        )
    };
    let first = input(list("One"));
    assert_eq!(
        first.stdout, "2 created, 0 updated, 0 unchanged.\n",
        "{first:?}"
    );
    assert_eq!(
        input(list("One")).stdout,
        "0 created, 0 updated, 2 unchanged.\n"
    );
    assert_eq!(
        input(list("One HD")).stdout,
        "0 created, 1 updated, 1 unchanged.\n"
    );
    let streams = desk.streams();
    assert_eq!(
        (&streams[0]["id"], &streams[0]["name"]),
        (&json!(1), &json!("One HD"))
    );
    assert_eq!(streams[1]["name"], "two");
    let other = "#EXTINF:-1 tvg-id=\"other\",One HD\nhttp://h/1\n".to_owned();
    let refused = input(other);
    assert!(
        refused.stderr.contains("the name of stream 1"),
        "{refused:?}"
    );
}

#[test]
fn rows_without_an_id_never_take_the_id_of_a_row_that_has_one() {
    let desk = Desk::new();
    desk.file("mixed.csv", "id,name\n,a\n1,b\n,c\n2,d\n");
    assert_eq!(
        desk.done(&["import", "mixed.csv"]),
        "4 created, 0 updated, 0 unchanged.\n"
    );
    assert_eq!(
        desk.done(&["import", "mixed.csv"]),
        "0 created, 0 updated, 4 unchanged.\n"
    );
    let names: Vec<_> = (0..4)
        .map(|index| desk.streams()[index]["name"].clone())
        .collect();
    assert_eq!(names, ["b", "d", "a", "c"]);
}

#[test]
fn streams_are_listed_enabled_disabled_and_deleted_by_their_ids() {
    let desk = Desk::new();
    let body = json!({"streams": [{"name": "news", "url": CAMERA, "labels": {"zone": "n", "k": "v"}},
        {"name": "jazz", "labels": {"zone": "n"}}]});
    desk.orchestrator.post("/streams", &body);
    let list = desk.done(&["list"]);
    assert!(
        list.contains("rtsp://10.0.0.8/…") && !list.contains("geheim"),
        "{list}"
    );
    let page = desk.done(&["list", "--label", "zone:n", "--label", "k:v", "--json"]);
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(page["streams"].as_array().unwrap().len(), 1);
    assert!(
        desk.done(&["list", "--limit", "1"])
            .contains("More: --after 1")
    );
    assert!(desk.done(&["list", "--urls", "full"]).contains(CAMERA));
    assert_eq!(
        desk.done(&["disable", "1", "2", "1"]),
        "2 streams disabled.\n"
    );
    let error = desk.refused(&["enable", "1", "99"], 1);
    assert!(
        error.contains("no stream 99; nothing was changed"),
        "{error}"
    );
    assert_eq!(desk.streams()[0]["enabled"], false);
    assert_eq!(desk.done(&["enable", "1"]), "1 stream enabled.\n");
    let error = desk.refused(&["delete", "1", "99"], 1);
    assert!(
        error.contains("99") && error.contains("Nothing was deleted"),
        "{error}"
    );
    assert_eq!(desk.done(&["delete", "1", "--json"]), "{\"deleted\":1}\n");
    assert_eq!(desk.streams().as_array().unwrap().len(), 1);
}

/// Reads a request; returns its first line.
fn request(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader
        .read_line(&mut first)
        .ok()
        .filter(|count| *count > 0)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    reader.take(length).read_to_end(&mut Vec::new()).ok()?;
    Some(first)
}

/// A server that answers checks, saves one batch, and then is gone.
fn breaks_after_one_save() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut saves = 0;
        for stream in listener.incoming().map_while(Result::ok) {
            let Some(first) = request(&stream) else {
                continue;
            };
            saves += usize::from(!first.contains("dry_run"));
            if saves == 2 {
                return;
            }
            let body = r#"{"status":"saved","created":10000,"updated":0,"unchanged":0,"ids":[]}"#;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let length = body.len();
            let _ = write!(&stream, "{head}Content-Length: {length}\r\n\r\n{body}");
        }
    });
    address
}

#[test]
fn an_import_that_is_interrupted_says_how_far_it_came() {
    let folder = tempdir().unwrap();
    let rows: String = (1..=20_001).map(|id| format!("{id},s{id}\n")).collect();
    fs::write(folder.path().join("many.csv"), format!("id,name\n{rows}")).unwrap();
    let address = breaks_after_one_save();
    let outcome = run_at(&address, folder.path(), &["import", "many.csv"], None);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let far = "10,000 of 20,001 rows were saved; repeat the import to save the others.";
    assert!(outcome.stderr.contains(far), "{outcome:?}");
    let outcome = run_at(&address, folder.path(), &["import", "many.csv"], None);
    assert!(
        outcome.stderr.contains("no orchestrator answers"),
        "{outcome:?}"
    );
    assert!(!outcome.stderr.contains("were saved"), "{outcome:?}");
}

#[test]
fn a_password_of_a_stream_is_in_no_log_line() {
    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[("RUST_LOG", "trace")]);
    let list = format!("name,url\nnews,{CAMERA}\n");
    let arguments = ["import", "-", "--format", "csv"];
    let address = orchestrator.address().to_owned();
    let outcome = run_at(&address, folder.path(), &arguments, Some(list.as_bytes()));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    orchestrator.signal(rustix::process::Signal::TERM);
    let ended = orchestrator.wait();
    assert!(!ended.log.contains("geheim"), "{}", ended.log);
}
