//! What observing costs: heartbeats with everything that tells people how the fleet is, and without it.
//!
//! Two processes of the program itself on SQLite, each with 10,000 instances and 100,000 streams, are asked in turns
//! in the same run by 32 connections that send the next heartbeat when the last is answered:
//!
//! - *alone*: the plain one, with nothing beside the heartbeats;
//! - *changes*: the plain one, beside 50 changes a second, of which one is the failure of an instance and one its
//!   registration: each is an event, and each failure opens an alert. Nobody asks, and the log is off;
//! - *observed*: the other one, beside the same changes, with a log of JSON lines that are read, a webhook that gets
//!   every event and alert, a scrape of `/metrics` each second, and questions for the series and the status each second.
//!
//! The rate that is kept depends on what else the machine does, and clients, receiver, reader of the log and both
//! servers share it. So the processor time that the program takes for each heartbeat is compared too: it hardly depends
//! on that, and says by how much the rate would fall if the program had the machine for itself. The counting of
//! heartbeats is part of all three; what it takes is timed alone. Scrapes are timed too.
//!
//! `cargo bench --bench observing [-- ROUNDS SECONDS]`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

mod closed_loop;
#[expect(dead_code, reason = "only a part of it is needed")]
mod open_loop;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::telemetry::{AnswerLabel, BeatResult, Telemetry};

use open_loop::fleet::fill;
use open_loop::{heartbeat, line, name, now};

const INSTANCES: usize = 10_000;
const STREAMS: usize = 100_000;
const CONNECTIONS: usize = 32;
const CHANGES_A_SECOND: u64 = 50;
const SECOND: Duration = Duration::from_secs(1);

/// A process of the program. Killed when dropped.
struct Program {
    child: Child,
    address: SocketAddr,
    /// How many lines it has written to its log.
    lines: Arc<AtomicU64>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What goes on beside the heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Changes,
    ChangesAndReaders,
}

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let rounds = numbers.next().unwrap_or(9);
    let during = Duration::from_secs(numbers.next().unwrap_or(4) as u64);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plain.db");
    thread::scope(|scope| {
        scope.spawn(|| fill(&file, INSTANCES, STREAMS, 20));
    });
    let other = folder.path().join("observed.db");
    std::fs::copy(&file, &other).expect("a copy");
    let plain = program(&file, &[("RUST_LOG", "off")]);
    let settings = [("LOG_FORMAT", "json"), ("WEBHOOK_ALLOW_LOOPBACK", "on")];
    let observed = program(&other, &settings);
    let received = receive(observed.address);

    let (mut kept, mut of_alone, mut noise) = (Vec::new(), Vec::new(), Vec::new());
    let (mut by_time, mut noise_of_time) = (Vec::new(), Vec::new());
    let mut scrapes = Vec::new();
    for round in 0..=rounds {
        let mut micros = Vec::new();
        let mut measured = |program: &Program, beside| {
            let began = processor_time(&program.child);
            let (rate, taken) = measure(program.address, beside, during);
            let took = processor_time(&program.child).saturating_sub(began);
            micros.push(took.as_secs_f64() * 1e6 / (rate * during.as_secs_f64()));
            scrapes.extend(taken);
            rate
        };
        let alone = measured(&plain, Beside::Nothing);
        let before = measured(&plain, Beside::Changes);
        let counts = || [&received, &observed.lines].map(|count| count.load(Ordering::Relaxed));
        let [messages, lines] = counts();
        let watched = measured(&observed, Beside::ChangesAndReaders);
        let [all_messages, all_lines] = counts();
        let after = measured(&plain, Beside::Changes);
        // What is allocated on the first use is no part of the measurement.
        if round == 0 {
            continue;
        }
        println!(
            "round {round}: alone {alone:>6.0}/s   changes {before:>6.0}/s   observed {watched:>6.0}/s   \
             changes {after:>6.0}/s   ({} messages, {} lines)",
            all_messages - messages,
            all_lines - lines,
        );
        if let [of_heartbeats, of_changes, of_watched, of_changes_after] = micros[..] {
            println!(
                "  processor time of a heartbeat: alone {of_heartbeats:.1} us, changes {of_changes:.1}, \
                 observed {of_watched:.1}, changes {of_changes_after:.1}"
            );
            by_time.push((of_changes + of_changes_after) / 2.0 / of_watched);
            noise_of_time.push(of_changes / of_changes_after);
        }
        kept.push(2.0 * watched / (before + after));
        of_alone.push(watched / alone);
        noise.push(after / before);
    }
    show("observed, of the changes", kept);
    show("observed, of the heartbeats alone", of_alone);
    show("noise: changes, of changes before", noise);
    show("observed, of the changes, by processor time", by_time);
    show("noise of the processor time", noise_of_time);
    line("scrapes under these", scrapes);
    let idle = (0..50).map(|_| get(observed.address, "/metrics"));
    line("scrapes, idle", idle.collect());
    show_counting();
}

/// How much processor time a process has taken, on all of its threads.
fn processor_time(child: &Child) -> Duration {
    /// How long a tick of the kernel's accounting is, on every Linux that this runs on.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    // The name of the program, which may have blanks, ends with the last bracket.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    TICK * ticks
}

/// Prints the median of ratios, and between which they are.
fn show(what: &str, mut ratios: Vec<f64>) {
    ratios.sort_by(f64::total_cmp);
    let at = |index: usize| ratios.get(index).copied().unwrap_or_default();
    println!(
        "{what}: {:.3} (median of {}, {:.3} to {:.3})",
        at(ratios.len() / 2),
        ratios.len(),
        at(0),
        at(ratios.len().saturating_sub(1)),
    );
}

/// What all that is counted of one heartbeat takes, on one thread.
fn show_counting() {
    const TIMES: u32 = 1_000_000;
    let telemetry = Telemetry::new(&mut Registry::default());
    let label = AnswerLabel {
        method: "POST",
        route: "/heartbeat",
        status: 200,
    };
    let began = now();
    for _ in 0..TIMES {
        telemetry.heartbeat_silence.observe(Duration::from_secs(9));
        telemetry.count_heartbeat(BeatResult::Accepted, 1);
        telemetry.count_answer(&label, Duration::from_micros(90));
    }
    let each = now().duration_since(began) / TIMES;
    println!("counting a heartbeat takes {each:?}");
}

/// The program, with nothing but these settings; its log is read.
fn program(file: &Path, settings: &[(&str, &str)]) -> Program {
    // A free port is found first: a log that is off does not say where the program listens.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("an address");
    drop(port);
    let mut child = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .arg("serve")
        .env_clear()
        .env("DATABASE_URL", format!("sqlite://{}", file.display()))
        .env("BIND_ADDRESS", address.to_string())
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let log = child.stderr.take().expect("its log");
    let lines = Arc::new(AtomicU64::new(0));
    let counted = lines.clone();
    thread::spawn(move || {
        for _ in BufReader::new(log).lines().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    while !is_ready(address) {
        thread::park_timeout(Duration::from_millis(100));
    }
    Program {
        child,
        address,
        lines,
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(client) = TcpStream::connect(address) else {
        return false;
    };
    let answer = exchange(
        client,
        "GET /ready HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
    );
    answer.starts_with("HTTP/1.1 200 OK")
}

/// A receiver that accepts every message, and the order to send it everything. Returns the number of messages.
fn receive(orchestrator: SocketAddr) -> Arc<AtomicU64> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let received = Arc::new(AtomicU64::new(0));
    let counted = received.clone();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let counted = counted.clone();
            thread::spawn(move || accept(client, &counted));
        }
    });
    let body = format!(r#"{{"url":"{url}","format":"generic","types":["alert.*","event.*"]}}"#);
    send(orchestrator, "PUT", "/webhooks/bench", &body);
    received
}

/// Reads messages of a connection, and accepts each.
fn accept(client: TcpStream, counted: &AtomicU64) {
    let mut reader = BufReader::new(client);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if !matches!(reader.read_line(&mut line), Ok(read) if read > 0) {
                return;
            }
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(given) = line.strip_prefix("content-length:") {
                length = given.trim().parse().unwrap_or_default();
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        counted.fetch_add(1, Ordering::Relaxed);
        let answer = "HTTP/1.1 204 No Content\r\n\r\n";
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Sends a request and returns the answer. The server closes the connection.
fn exchange(mut client: TcpStream, request: &str) -> String {
    let mut answer = String::new();
    let sent = client.write_all(request.as_bytes());
    if sent.is_err() || client.read_to_string(&mut answer).is_err() {
        return String::new();
    }
    answer
}

fn send(address: SocketAddr, method: &str, path: &str, body: &str) {
    let client = TcpStream::connect(address).expect("a connection");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(client, &request);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{path}: {answer}");
}

/// Asks once; returns the time until the last byte of the answer.
fn get(address: SocketAddr, path: &str) -> Duration {
    let client = TcpStream::connect(address).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
    let began = now();
    let answer = exchange(client, &request);
    let took = now().duration_since(began);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{path}: {answer}");
    took
}

/// Heartbeats answered each second, and how long each scrape took.
fn measure(address: SocketAddr, beside: Beside, during: Duration) -> (f64, Vec<Duration>) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let is_over = &is_over;
        if beside != Beside::Nothing {
            scope.spawn(move || change(address, is_over));
        }
        let scraping = (beside == Beside::ChangesAndReaders)
            .then(|| scope.spawn(move || read(address, is_over)));
        let beaten = rate(address, during);
        is_over.store(true, Ordering::Relaxed);
        let scrapes = scraping.map(|scraping| scraping.join().expect("scrapes"));
        (beaten, scrapes.unwrap_or_default())
    })
}

/// Changes the name of a stream again and again. Each second an instance that owns nothing fails, or registers.
fn change(address: SocketAddr, is_over: &AtomicBool) {
    let began = now();
    let mut number = 0_u32;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let due = began + SECOND * number / CHANGES_A_SECOND as u32;
        thread::park_timeout(due.saturating_duration_since(now()));
        match u64::from(number) % CHANGES_A_SECOND {
            0 => send(address, "POST", "/instances/spare/failure", "{}"),
            1 => {
                let body = r#"{"server_id":"spare","ip":"127.0.0.1","port":9000,"max_streams":1}"#;
                send(address, "POST", "/register", body);
            }
            _ => {
                let body = format!(r#"{{"streams":[{{"id":1,"name":"changed {number}"}}]}}"#);
                send(address, "POST", "/streams", &body);
            }
        }
    }
}

/// Scrapes `/metrics` each second, and asks for what a person would look at.
fn read(address: SocketAddr, is_over: &AtomicBool) -> Vec<Duration> {
    let mut scrapes = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let began = now();
        scrapes.push(get(address, "/metrics"));
        for path in [
            "/status",
            "/resilience/status",
            "/resilience/series?name=heartbeats",
            "/resilience/alerts?open=true",
        ] {
            get(address, path);
        }
        thread::park_timeout(SECOND.saturating_sub(now().duration_since(began)));
    }
    scrapes
}

/// Heartbeats answered each second.
fn rate(address: SocketAddr, during: Duration) -> f64 {
    closed_loop::rate(address, CONNECTIONS, INSTANCES, during, |number| {
        let id = name(number);
        let body = format!(r#"{{"server_id":"{id}","current_streams":10,"status":"active"}}"#);
        heartbeat(&body)
    })
}
