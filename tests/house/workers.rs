//! `docs/WORKERS.md` is one conversation: its requests are sent, its program runs, and its table
//! has the fields of both.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot be prepared fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::tempdir;

use crate::sources::root;
use crate::support::process::expect_errors;
use crate::support::process::{Orchestrator, start};
use crate::support::worker::has_python;

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stands for a value that differs from run to run.
const ANY: &str = "…";

/// How often a heartbeat is sent until its answer is the printed one. On a busy machine the store
/// may be too slow for it, and the answer comes without a lease or without changes.
const HEARTBEAT_TRIES: usize = 20;

fn page() -> String {
    fs::read_to_string(root().join("docs/WORKERS.md")).unwrap()
}

/// A request of the page, with the answer that is printed below it.
#[derive(Debug)]
struct Exchange {
    method: String,
    path: String,
    body: String,
    status: u16,
    answer: Value,
}

/// The blocks of one language, in the order of the page.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    page.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap())
        .collect()
}

fn exchanges(page: &str) -> Vec<Exchange> {
    let exchanges: Vec<Exchange> = blocks(page, "http").into_iter().map(exchange).collect();
    assert!(exchanges.len() > 25, "the page lost its examples");
    exchanges
}

fn exchange(block: &str) -> Exchange {
    let (request, answer) = block
        .split_once("\n\n")
        .expect("request, empty line, answer");
    let (head, body) = request.split_once('\n').unwrap_or((request, ""));
    let (method, path) = head.split_once(' ').expect("method and path");
    let (status, answer) = answer.split_once('\n').expect("status and answer");
    Exchange {
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.to_owned(),
        status: status.parse().expect("a status"),
        answer: serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}")),
    }
}

/// Sends a request without a `Content-Type`.
fn send(orchestrator: &Orchestrator, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (agent, address) = orchestrator.client();
    let url = format!("{address}{path}");
    let answer = match method {
        "GET" => agent.get(url).call(),
        "DELETE" => agent.delete(url).call(),
        "POST" => agent.post(url).send(body.as_bytes()),
        _ => panic!("no worker sends {method}"),
    };
    let mut answer = answer.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_json().expect("JSON"))
}

/// Whether an answer is the printed one.
fn is_as_printed(printed: &Value, answer: &Value) -> bool {
    match (printed, answer) {
        (Value::String(text), _) if text == ANY => true,
        (Value::Object(printed), Value::Object(answer)) => {
            let alike = |(name, value)| {
                let found = answer.get(name);
                found.is_some_and(|found| is_as_printed(value, found))
            };
            printed.len() == answer.len() && printed.iter().all(alike)
        }
        (Value::Array(printed), Value::Array(answer)) => {
            let mut pairs = printed.iter().zip(answer);
            printed.len() == answer.len() && pairs.all(|(one, other)| is_as_printed(one, other))
        }
        _ => printed == answer,
    }
}

#[test]
fn each_request_of_the_page_is_answered_as_printed() {
    let folder = tempdir().unwrap();
    // The page shows what a worker gets; that it comes a second later is a sentence.
    let orchestrator = start(folder.path(), &[("AUTO_ASSIGN_SETTLE", "0")]);
    for exchange in exchanges(&page()) {
        let Exchange {
            method, path, body, ..
        } = &exchange;
        let tries = if path == "/heartbeat" {
            HEARTBEAT_TRIES
        } else {
            1
        };
        let mut answers = (0..tries).map(|_| send(&orchestrator, method, path, body));
        let is_right = |(status, answer): &(u16, Value)| {
            *status == exchange.status && is_as_printed(&exchange.answer, answer)
        };
        let Some(last) = answers.next() else { continue };
        let right = is_right(&last) || answers.any(|answer| is_right(&answer));
        let (status, answer) = last;
        assert!(
            right,
            "{method} {path}\n{body}\nis answered {status}\n{answer:#}"
        );
    }
}

#[test]
fn the_comparison_notices_another_value_and_another_field() {
    let printed = json!({"a": ANY, "b": [1, {"c": 2}]});
    let same = json!({"a": 7, "b": [1, {"c": 2}]});
    assert!(is_as_printed(&printed, &same));
    for other in [
        json!({"a": 7, "b": [1, {"c": 3}]}),
        json!({"a": 7, "b": [1, {"c": 2, "d": 3}]}),
        json!({"a": 7, "b": [1]}),
        json!({"b": [1, {"c": 2}]}),
    ] {
        assert!(!is_as_printed(&printed, &other), "{other}");
    }
}

/// A field of the table.
#[derive(Debug)]
struct Field {
    kind: String,
    is_optional: bool,
}

/// The fields of a call's request, query or answer.
type Fields = BTreeMap<String, Field>;

/// The table of fields, by call and part.
fn table(page: &str) -> BTreeMap<(String, String), Fields> {
    let mut table: BTreeMap<(String, String), Fields> = BTreeMap::new();
    let rows = page
        .split("| call | part | field |")
        .nth(1)
        .expect("the table");
    for row in rows.lines().skip(2).take_while(|row| row.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ["", call, part, field, kind, optional, ..] = cells.as_slice() else {
            panic!("not a row of the table: {row}");
        };
        let field = field.trim_matches('`').to_owned();
        let line = Field {
            kind: (*kind).to_owned(),
            is_optional: *optional == "opt",
        };
        let part = table.entry(((*call).to_owned(), (*part).to_owned()));
        let twice = part.or_default().insert(field, line);
        assert!(twice.is_none(), "twice in the table: {row}");
    }
    table
}

/// How the table calls a request; none: no call of a worker.
fn call_of(method: &str, path: &str) -> Option<&'static str> {
    Some(match (method, path) {
        ("POST", "/register") => "register",
        ("POST", "/heartbeat") => "heartbeat",
        ("POST", "/streams/assign") => "assign",
        ("POST", "/streams/release") => "release",
        ("POST", "/diagnostic") => "diagnostic",
        ("GET", path) if path.contains("/assignments?") => "poll",
        ("GET", path) if path.starts_with("/instances/") => "look",
        ("DELETE", path) if path.starts_with("/instances/") => "leave",
        _ => return None,
    })
}

/// Every field of a value with its path, as the table writes it.
fn fields_of<'a>(value: &'a Value, path: &str, fields: &mut Vec<(String, &'a Value)>) {
    match value {
        // Its names are the worker's own.
        Value::Object(_) if path.ends_with("labels") => {}
        Value::Object(object) => {
            for (name, inner) in object {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{name}");
                fields.push((path.clone(), inner));
                fields_of(inner, &path, fields);
            }
        }
        Value::Array(list) => {
            for entry in list {
                fields_of(entry, &format!("{path}[]"), fields);
            }
        }
        _ => {}
    }
}

/// Whether a value is of a type of the table.
fn is_of_kind(value: &Value, kind: &str) -> bool {
    let one = |kind: &str| match kind.split(' ').next().unwrap() {
        "text" | "time" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "true" => value.is_boolean(),
        "list" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        "false" => false,
        other => panic!("the table has a type `{other}`"),
    };
    value == ANY || kind.split(" or ").any(one)
}

/// What is wrong with the fields of a printed request or answer.
fn faults(printed: &Value, table: &Fields, seen: &mut BTreeSet<String>) -> Vec<String> {
    let mut fields = Vec::new();
    fields_of(printed, "", &mut fields);
    let mut faults = Vec::new();
    for (path, value) in &fields {
        match table.get(path) {
            None => faults.push(format!("`{path}` is not in the table")),
            Some(field) if !is_of_kind(value, &field.kind) => {
                faults.push(format!("`{path}` is no {}: {value}", field.kind));
            }
            Some(_) => {}
        }
    }
    let is_there = |path: &str| fields.iter().any(|(there, _)| there == path);
    let needed = table.iter().filter(|(path, field)| {
        let is_outermost = !path.contains(['.', '[']);
        is_outermost && !field.is_optional
    });
    for (path, _) in needed.filter(|(path, _)| !is_there(path)) {
        faults.push(format!(
            "`{path}` is left out, and the table says it is always there"
        ));
    }
    seen.extend(fields.into_iter().map(|(path, _)| path));
    faults
}

#[test]
fn the_table_has_every_field_that_is_printed() {
    let page = page();
    let table = table(&page);
    let none = Fields::new();
    let mut seen: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let served = exchanges(&page).into_iter().filter(|one| one.status == 200);
    for exchange in served {
        let Some(call) = call_of(&exchange.method, &exchange.path) else {
            continue;
        };
        let body = match exchange.body.as_str() {
            "" => json!({}),
            body => serde_json::from_str(body).unwrap(),
        };
        for (part, printed) in [("request", &body), ("answer", &exchange.answer)] {
            let key = (call.to_owned(), part.to_owned());
            let fields = table.get(&key).unwrap_or(&none);
            let faults = faults(printed, fields, seen.entry(key).or_default());
            assert!(faults.is_empty(), "{call}, {part}: {faults:#?}");
        }
    }
    for (key, fields) in table.iter().filter(|((_, part), _)| part != "query") {
        let seen = seen
            .get(key)
            .unwrap_or_else(|| panic!("{key:?} has no example"));
        let missing: Vec<&String> = fields
            .iter()
            .filter(|(path, field)| !field.is_optional && !seen.contains(*path))
            .map(|(path, _)| path)
            .collect();
        assert!(missing.is_empty(), "no example of {key:?} has {missing:?}");
    }
}

/// A value that no field of this type takes.
fn wrong(field: &Field) -> Value {
    if field.kind.starts_with("true") {
        json!("neither")
    } else {
        json!(true)
    }
}

/// The fields whose values an answer with 422 refuses.
fn refused(orchestrator: &Orchestrator, method: &str, path: &str, body: &Value) -> Vec<String> {
    let (status, answer) = send(orchestrator, method, path, &body.to_string());
    assert_eq!(status, 422, "{method} {path}: {answer}");
    let errors = answer["errors"].as_array().expect("a list of errors");
    // An unknown parameter of a query is named as well, for another reason.
    let is_wrong = |error: &&Value| error["reason"].as_str().unwrap().starts_with("must ");
    let field = |error: &Value| error["field"].as_str().unwrap().to_owned();
    errors.iter().filter(is_wrong).map(field).collect()
}

#[test]
fn each_field_of_the_table_is_read_from_requests() {
    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[]);
    for ((call, part), fields) in table(&page()) {
        let (method, path) = match call.as_str() {
            "register" => ("POST", "/register"),
            "heartbeat" => ("POST", "/heartbeat"),
            "assign" => ("POST", "/streams/assign"),
            "release" => ("POST", "/streams/release"),
            "diagnostic" => ("POST", "/diagnostic"),
            "poll" => ("GET", "/instances/w1/assignments"),
            "look" => ("GET", "/instances/w1"),
            "leave" => ("DELETE", "/instances/w1"),
            other => panic!("the table has a call `{other}`"),
        };
        let mut named = BTreeSet::new();
        match part.as_str() {
            "request" => {
                let mut outer = Map::new();
                let mut inner: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
                for (name, field) in &fields {
                    match name.split_once('.') {
                        None => drop(outer.insert(name.clone(), wrong(field))),
                        Some((object, name)) => {
                            let object = inner.entry(object).or_default();
                            object.insert(name.to_owned(), wrong(field));
                        }
                    }
                }
                named.extend(refused(&orchestrator, method, path, &outer.into()));
                named.extend(refused(&orchestrator, method, path, &json!(inner)));
            }
            "query" => {
                // Any text is a reason, unless it is too long.
                let wrong = |name: &String| match name.as_str() {
                    "reason" => format!("reason={}", "x".repeat(513)),
                    name => format!("{name}=x"),
                };
                let query: Vec<String> = fields.keys().map(wrong).collect();
                let path = format!("{path}?{}", query.join("&"));
                named.extend(refused(&orchestrator, method, &path, &Value::Null));
            }
            "answer" => continue,
            other => panic!("the table has a part `{other}`"),
        }
        let listed: BTreeSet<String> = fields.into_keys().collect();
        assert_eq!(
            named, listed,
            "{call}, {part}: named by the program, and listed"
        );
    }
}

/// The classic worker of the page. Killed when dropped.
struct ClassicWorker {
    child: Child,
    lines: Receiver<String>,
}

impl ClassicWorker {
    fn start(script: &Path, url: &str) -> Self {
        let mut child = Command::new("python3")
            .arg(script)
            .args([url, "classic"])
            .env("no_proxy", "*")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the worker starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// The next lines, in any order.
    fn next_lines(&self, count: usize) -> BTreeSet<String> {
        let next = |_| self.lines.recv_timeout(PATIENCE).expect("a line");
        (0..count).map(next).collect()
    }
}

impl Drop for ClassicWorker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_classic_worker_in_twenty_lines_follows_its_list() {
    expect_errors(&["alert streams_orphaned"]);
    let page = page();
    let [program] = blocks(&page, "python")[..] else {
        panic!("the page has another number of programs");
    };
    assert_eq!(program.lines().count(), 20, "as the heading says");
    if !has_python() {
        eprintln!("SKIPPED: there is no python3 on this machine");
        return;
    }
    let folder = tempdir().unwrap();
    let script = folder.path().join("worker.py");
    fs::write(&script, program).unwrap();
    let orchestrator = start(folder.path(), &[("HEARTBEAT_TIMEOUT", "6")]);
    let save = |streams: Value| {
        let (status, answer) = orchestrator.post("/streams", &json!({ "streams": streams }));
        assert_eq!(status, 200, "{answer}");
    };
    let lines = |lines: &[&str]| -> BTreeSet<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    };
    save(json!([{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]));
    let worker = ClassicWorker::start(&script, orchestrator.address());
    assert_eq!(worker.next_lines(2), lines(&["start 1", "start 2"]));
    save(json!([{"id": 3, "name": "three"}]));
    assert_eq!(worker.next_lines(1), lines(&["start 3"]));
    save(json!([{"id": 2, "enabled": false}]));
    assert_eq!(worker.next_lines(1), lines(&["stop 2"]));
    let (status, answer) = send(&orchestrator, "DELETE", "/instances/classic", "");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(worker.next_lines(2), lines(&["stop 1", "stop 3"]));
    assert_eq!(worker.next_lines(2), lines(&["start 1", "start 3"]));
}
