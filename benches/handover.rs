//! A planned change of the leader: how long workers wait for an answer, and where the time goes.
//!
//! Two processes of the program share one PostgreSQL with 10,000 instances and 100,000 streams. Each round the leader
//! hands over, by `POST /cluster/step-down` or by SIGTERM, while 32 workers send heartbeats at the standby without a
//! pause, and one caller saves a stream now and then. A gap is the time between two answers of a leader with status 200;
//! an answer without a lease, as an echo of the standby, does not count.
//!
//! `cargo bench --bench handover [-- ROUNDS [KIND…]]`; a kind is `step-down`, `sigterm`, or one of them with
//! `-changing` behind it, where the fleet changes ten times a second. An argument with a `/` is the path of another build
//! of the program, to compare two of them. `instances=N` makes the fleet smaller; each instance has ten streams.
//!
//! The file is long because a bench is one file: processes, callers and figures belong to this one measurement.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use support::postgres::Server;

const WORKERS: usize = 32;
/// Between two heartbeats of a worker, and the resolution of what is measured.
const BETWEEN: Duration = Duration::from_millis(10);
/// Between two changes of the fleet.
const CHANGES: Duration = Duration::from_millis(100);
const SILENCE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn main() {
    let mut rounds = 20;
    let mut instances = 10_000;
    let mut kinds = Vec::new();
    let mut program = env!("CARGO_BIN_EXE_orchestrator").to_owned();
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(number) => rounds = number,
            Err(_) if argument.starts_with("--") => {}
            Err(_) if argument.contains('/') => {
                let path = std::fs::canonicalize(&argument).expect("a program");
                program = path.to_string_lossy().into_owned();
            }
            Err(_) if argument.starts_with("instances=") => {
                let number = argument.trim_start_matches("instances=").parse();
                instances = number.expect("a number of instances");
            }
            Err(_) => kinds.push(argument),
        }
    }
    if kinds.is_empty() {
        kinds = [
            "step-down",
            "sigterm",
            "step-down-changing",
            "sigterm-changing",
        ]
        .map(str::to_owned)
        .to_vec();
    }
    let server = Server::start(&[], "");
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().expect("a runtime");
    let database = runtime.block_on(server.database());
    let folder = tempfile::tempdir().expect("a folder");
    let url = database.url();
    let begin = |node: &str| Process::start(&program, folder.path(), &url, node);

    let mut leader = begin("a");
    leader.line("ready on ");
    let beats = fill(&leader, instances);
    let mut standby = begin("b");
    for kind in &kinds {
        let mut gaps = Vec::new();
        let mut orders = Vec::new();
        for round in 1..=rounds {
            until_ready(&leader, &standby);
            let measured = hand_over(kind, &leader, &mut standby, &beats);
            println!("{kind} {round}: {}", measured.text());
            gaps.push(millis(measured.longest));
            orders.push(millis(measured.order));
            if kind.starts_with("step-down") {
                // The process that led stands by.
                std::mem::swap(&mut leader, &mut standby);
            } else {
                let node = leader.node.clone();
                leader.wait();
                leader = std::mem::replace(&mut standby, begin(&node));
            }
        }
        println!(
            "{kind}, {rounds} rounds: heartbeats {}; orders {}",
            spread(gaps),
            spread(orders)
        );
    }
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (share * values.len() as f64).ceil() as usize;
        values[index.clamp(1, values.len()) - 1]
    };
    let (half, most, max) = (at(0.5), at(0.99), at(1.0));
    format!("p50 {half:.0} ms, p99 {most:.0} ms, max {max:.0} ms")
}

/// One process of the program, and when it wrote which line.
struct Process {
    child: Child,
    node: String,
    address: String,
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    agent: ureq::Agent,
}

impl Process {
    fn start(program: &str, folder: &Path, url: &str, node: &str) -> Self {
        let mut child = Command::new(program)
            .env_clear()
            .current_dir(folder)
            .env("BIND_ADDRESS", "127.0.0.1:0")
            .env("DATABASE_URL", url)
            .env("CLUSTER_NODE", node)
            // No instance fails here, and each has its streams from the start.
            .env("HEARTBEAT_TIMEOUT", "1h")
            .env("REBALANCE", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let lines: Arc<Mutex<Vec<_>>> = Arc::default();
        let seen = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                seen.lock().expect("the lines").push((now(), line));
            }
        });
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(SILENCE))
            .http_status_as_error(false);
        let mut process = Self {
            child,
            node: node.to_owned(),
            address: String::new(),
            lines,
            agent: config.build().into(),
        };
        let line = process.line("listening on ").1;
        let address = line.split("listening on http://").nth(1);
        let address = address.and_then(|rest| rest.split([' ', ';', '"']).next());
        process.address = address.expect("an address").to_owned();
        process
    }

    /// The first line with that text, and when it came.
    fn line(&self, text: &str) -> (Instant, String) {
        let began = now();
        loop {
            if let Some(found) = self.seen(text) {
                return found;
            }
            assert!(
                now().duration_since(began) < SILENCE,
                "no line with {text}: {:#?}",
                self.lines
            );
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    fn seen(&self, text: &str) -> Option<(Instant, String)> {
        let lines = self.lines.lock().expect("the lines");
        lines.iter().find(|(_, line)| line.contains(text)).cloned()
    }

    fn get(&self, path: &str) -> Option<(u16, Value)> {
        let answer = self
            .agent
            .get(format!("http://{}{path}", self.address))
            .call();
        let mut answer = answer.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.body_mut().read_json().ok()?))
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let sent = self.agent.post(format!("http://{}{path}", self.address));
        let mut answer = sent.send_json(body).expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_json().expect("a body"))
    }

    fn wait(&mut self) {
        self.child.wait().expect("it ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Registers the instances, and saves streams until each has some. Returns the heartbeats of the workers.
fn fill(leader: &Process, instances: usize) -> Vec<Value> {
    let streams = 10 * instances as i64;
    let began = now();
    let next = AtomicU64::new(0);
    let lives = Mutex::new(vec![Value::Null; WORKERS]);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed) as usize;
                    if number >= instances {
                        return;
                    }
                    let body = json!({
                        "server_id": format!("w{number}"), "ip": "127.0.0.1", "port": 9_000,
                        "max_streams": 20, "auto_assign": true,
                    });
                    let (status, answer) = leader.post("/register", &body);
                    assert_eq!(status, 200, "{answer}");
                    if number < WORKERS {
                        lives.lock().expect("the lives")[number] = answer["incarnation"].clone();
                    }
                }
            });
        }
    });
    for first in (1..=streams).step_by(1_000) {
        let streams: Vec<Value> = (first..first + 1_000)
            .map(|id| json!({"id": id, "name": format!("stream {id}"), "url": format!("http://192.0.2.1/{id}")}))
            .collect();
        let (status, answer) = leader.post("/streams", &json!({ "streams": streams }));
        assert_eq!(status, 200, "{answer}");
    }
    while leader
        .get("/status")
        .is_none_or(|(_, status)| status["streams"]["owned"] != streams)
    {
        thread::park_timeout(Duration::from_millis(100));
        if now().duration_since(began) > 3 * SILENCE {
            println!("not all streams are assigned: {:?}", leader.get("/status"));
            break;
        }
    }
    println!(
        "filled in {:.1} s",
        now().duration_since(began).as_secs_f64()
    );
    let lives = lives.into_inner().expect("the lives");
    // With the newest version, as the heartbeats of most workers have it.
    let with_version = |(number, life): (usize, Value)| {
        let mut body = json!({
            "server_id": format!("w{number}"), "current_streams": 10, "status": "active",
            "incarnation": life, "assignment_version": 0,
        });
        let (status, answer) = leader.post("/heartbeat", &body);
        assert_eq!(status, 200, "{answer}");
        body["assignment_version"] = answer["assignment_version"].clone();
        body
    };
    lives.into_iter().enumerate().map(with_version).collect()
}

fn until_ready(leader: &Process, standby: &Process) {
    let began = now();
    loop {
        let members = leader
            .get("/cluster")
            .map(|(_, cluster)| cluster["members"].clone());
        let is_ready = members.and_then(|members| {
            let member = members
                .as_array()?
                .iter()
                .find(|member| member["node"] == *standby.node)?;
            (member["state"] == "ready").then_some(())
        });
        let carries = standby
            .get("/ready")
            .is_some_and(|(status, _)| status == 200);
        if is_ready.is_some() && carries {
            return;
        }
        assert!(
            now().duration_since(began) < SILENCE,
            "{} is not ready",
            standby.node
        );
        thread::park_timeout(Duration::from_millis(50));
    }
}

/// What one hand-over took.
struct Measured {
    longest: Duration,
    median: Duration,
    order: Duration,
    echoes: u64,
    refused: u64,
    phases: Vec<(&'static str, f64)>,
}

impl Measured {
    fn text(&self) -> String {
        let phases: Vec<String> = self
            .phases
            .iter()
            .map(|(name, at)| format!("{name} {at:.0}"))
            .collect();
        format!(
            "longest {:.0} ms, median worker {:.0} ms, order {:.0} ms, {} without a lease, {} refused; ms after the order: {}",
            millis(self.longest),
            millis(self.median),
            millis(self.order),
            self.echoes,
            self.refused,
            phases.join(", ")
        )
    }
}

/// Lines that mark a phase: of the process that hands over, and of the one that takes over.
const OLD: [(&str, &str); 4] = [
    ("prepared", "has read the fleet ahead"),
    ("frozen", "takes no more changes"),
    ("released", "gave up the leadership"),
    ("old stands by", "this process goes on as a standby"),
];
const NEW: [(&str, &str); 4] = [
    ("copy", "read the fleet ahead, at version"),
    ("taken", "taking over: "),
    ("loaded", "instances and "),
    ("serves", "ready on "),
];

fn hand_over(kind: &str, leader: &Process, standby: &mut Process, beats: &[Value]) -> Measured {
    // A process may have led and stood by before.
    for process in [leader, &*standby] {
        process.lines.lock().expect("the lines").clear();
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let changing = kind.ends_with("-changing");
    let (echoes, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut workers = Vec::new();
    for body in beats {
        let mut caller = Caller::new(&standby.address, "/heartbeat", body.to_string());
        let (is_over, echoes, refused) = (is_over.clone(), echoes.clone(), refused.clone());
        workers.push(thread::spawn(move || {
            caller.longest_gap(BETWEEN, &is_over, &echoes, &refused)
        }));
    }
    let body = json!({"streams": [{"id": 1, "name": "stream 1", "url": "http://192.0.2.1/1"}]});
    let mut orders = Caller::new(&standby.address, "/streams", body.to_string());
    let orders = {
        let (is_over, refused) = (is_over.clone(), refused.clone());
        let names = changing.then(|| json!({"streams": [{"id": 1, "name": "NAME"}]}).to_string());
        orders.renaming = names;
        changing.then(|| {
            thread::spawn(move || {
                orders.longest_gap(CHANGES, &is_over, &AtomicU64::new(0), &refused)
            })
        })
    };
    thread::park_timeout(Duration::from_millis(700));
    let began = now();
    if kind.starts_with("step-down") {
        let (status, answer) = leader.post("/cluster/step-down", &json!({"reason": "a bench"}));
        assert_eq!(status, 200, "{answer}");
    } else {
        let pid = Pid::from_child(&leader.child);
        kill_process(pid, Signal::TERM).expect("it is there");
    }
    standby.line("ready on ");
    thread::park_timeout(Duration::from_millis(500));
    is_over.store(true, Ordering::Relaxed);
    let mut gaps: Vec<Duration> = workers
        .into_iter()
        .map(|worker| worker.join().expect("a worker"))
        .collect();
    gaps.sort();
    let order = orders.map_or(Duration::ZERO, |orders| orders.join().expect("a caller"));
    let mut phases: Vec<(&str, f64)> = Vec::new();
    for (process, names) in [(leader, OLD), (&*standby, NEW)] {
        for (name, text) in names {
            if let Some((at, _)) = process.seen(text) {
                phases.push((name, millis(at.saturating_duration_since(began))));
            }
        }
    }
    phases.sort_by(|one, other| one.1.total_cmp(&other.1));
    Measured {
        longest: gaps.last().copied().unwrap_or_default(),
        median: gaps.get(gaps.len() / 2).copied().unwrap_or_default(),
        order,
        echoes: echoes.load(Ordering::Relaxed),
        refused: refused.load(Ordering::Relaxed),
        phases,
    }
}

/// Sends the same request again and again on one connection.
struct Caller {
    address: String,
    path: &'static str,
    body: String,
    /// A body in which `NAME` is replaced each time.
    renaming: Option<String>,
    sent: u64,
    connection: Option<TcpStream>,
}

impl Caller {
    fn new(address: &str, path: &'static str, body: String) -> Self {
        Self {
            address: address.to_owned(),
            path,
            body,
            renaming: None,
            sent: 0,
            connection: None,
        }
    }

    /// The longest time between two answers of a leader with status 200.
    fn longest_gap(
        &mut self,
        between: Duration,
        is_over: &AtomicBool,
        echoes: &AtomicU64,
        refused: &AtomicU64,
    ) -> Duration {
        let (mut last, mut longest) = (now(), Duration::ZERO);
        while !is_over.load(Ordering::Relaxed) {
            match self.call() {
                Some((200, text)) if !text.contains("\"lease_seconds\":0") => {
                    let at = now();
                    longest = longest.max(at.duration_since(last));
                    last = at;
                }
                Some((200, _)) => drop(echoes.fetch_add(1, Ordering::Relaxed)),
                Some(_) | None => drop(refused.fetch_add(1, Ordering::Relaxed)),
            }
            thread::park_timeout(between);
        }
        longest.max(now().duration_since(last))
    }

    fn call(&mut self) -> Option<(u16, String)> {
        self.sent += 1;
        if let Some(renaming) = &self.renaming {
            self.body = renaming.replace("NAME", &format!("stream 1 {}", self.sent));
        }
        let answer = self.exchange();
        if answer.is_none() {
            self.connection = None;
        }
        answer
    }

    fn exchange(&mut self) -> Option<(u16, String)> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let made = TcpStream::connect(&self.address).ok()?;
                made.set_nodelay(true).ok()?;
                made.set_read_timeout(Some(SILENCE)).ok()?;
                none.insert(made)
            }
        };
        let (path, host, length) = (self.path, &self.address, self.body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{}",
            self.body
        );
        connection.write_all(request.as_bytes()).ok()?;
        let mut buffer = [0; 16_384];
        let mut text = String::new();
        loop {
            let length = connection
                .read(&mut buffer)
                .ok()
                .filter(|length| *length > 0)?;
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let head = head.to_ascii_lowercase();
            let announced = head.split("content-length: ").nth(1);
            let announced = announced.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
            if body.len() >= announced.unwrap_or(0) {
                let status = head.split(' ').nth(1)?.parse().ok()?;
                let closes = head.contains("connection: close");
                let body = body.to_owned();
                if closes {
                    self.connection = None;
                }
                return Some((status, body));
            }
        }
    }
}
