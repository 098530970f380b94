//! How long a heartbeat waits in a large fleet, from the start on: pauses, rate and memory.
//!
//! 100,000 instances and 1,000,000 streams are written to a SQLite file, and the orchestrator is
//! started on it. A generator then sends 10,000 heartbeats a second over 64 connections in an open
//! loop: each heartbeat has its moment, whether earlier ones are answered or not, and its latency
//! counts from that moment. The yardstick, right before it in the same run, is an echo: the same
//! HTTP server and the same requests, answered by a handler that knows nothing. Generator and
//! servers share the machine, so only the comparison means something.
//!
//! At the end it checks the consistency of all of it twice, and measures how long commands wait
//! meanwhile: first commands that are rejected, so that nothing changes, then registrations.
//!
//! `cargo bench --bench pauses [-- INSTANCES STREAMS SECONDS [FILE]]`; a FILE that an earlier run
//! left is not filled again.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::app::Server;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::config::Config;
use resilient_orchestrator::domain::commands::{
    RegisterInstance, RemoveInstance, SaveStreams, StreamSpec,
};
use resilient_orchestrator::{http, store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const HEARTBEATS_A_SECOND: u64 = 10_000;
const STREAMS_A_REQUEST: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_millis(20);
const ECHO_FOR: Duration = Duration::from_secs(20);

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let instances = numbers.next().unwrap_or(100_000);
    let streams = numbers.next().unwrap_or(1_000_000);
    let during = Duration::from_secs(numbers.next().unwrap_or(120) as u64);

    let folder = tempfile::tempdir().expect("a folder");
    let kept = std::env::args().find(|argument| argument.ends_with(".db"));
    let file = kept.map_or_else(|| folder.path().join("fleet.db"), PathBuf::from);
    // A process of its own would be cleaner; this one gives back what filling the file took.
    let began = now();
    if !file.exists() {
        thread::scope(|scope| {
            scope.spawn(|| fill(&file, instances, streams));
        });
        println!(
            "{instances} instances and {streams} streams written in {:.1} s",
            now().duration_since(began).as_secs_f64()
        );
    }
    let idle = resident();

    let echo = serve_echo();
    load(echo, instances, Duration::from_secs(2));
    report("echo", ECHO_FOR, load(echo, instances, ECHO_FOR));

    let began = now();
    let (address, orchestrator) = serve_orchestrator(&file);
    println!(
        "ready {:.2} s after its start; {} MiB resident more than before, {} MiB at the most in all",
        now().duration_since(began).as_secs_f64(),
        status_kib("VmRSS:").saturating_sub(idle) / 1_024,
        status_kib("VmHWM:") / 1_024,
    );
    report("heartbeats", during, load(address, instances, during));
    println!(
        "{} MiB resident more than before the start",
        status_kib("VmRSS:").saturating_sub(idle) / 1_024
    );
    check(&orchestrator);
}

/// Checks the consistency while commands are carried out one after the other.
fn check(orchestrator: &Orchestrator) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for is_changing in [false, true] {
            let checker = orchestrator.clone();
            let began = now();
            let check = tokio::spawn(async move { checker.consistency().await });
            let mut waits = Vec::new();
            while !check.is_finished() {
                let sent = now();
                if is_changing {
                    let id = format!("new-{:06}", waits.len());
                    let registered = orchestrator.execute(registration(&id)).await;
                    registered.expect("a registration");
                } else {
                    let unknown = RemoveInstance::new("nobody".into());
                    let rejected = orchestrator.execute(unknown).await;
                    assert!(rejected.is_err());
                }
                waits.push(now().duration_since(sent));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let found = check.await.expect("an end").expect("a result");
            println!(
                "consistency: {:?} in {:.2} s",
                found.verdict(),
                now().duration_since(began).as_secs_f64()
            );
            let what = if is_changing {
                "registrations"
            } else {
                "commands"
            };
            line(&format!("{what} during a check"), waits);
        }
    });
}

fn name(number: usize) -> String {
    format!("worker-{number:06}")
}

/// The least a classic worker sends.
fn heartbeat(number: usize) -> String {
    let body = format!(
        r#"{{"server_id":"{}","current_streams":10,"status":"active"}}"#,
        name(number)
    );
    format!(
        "POST /heartbeat HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// One answered heartbeat: when it was due since the beginning, and how long after that its answer
/// was there.
#[derive(Clone, Copy)]
struct Answered {
    due: Duration,
    latency: Duration,
}

/// Sends heartbeats in an open loop, and waits for all answers.
fn load(address: SocketAddr, instances: usize, during: Duration) -> Vec<Answered> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async move {
        let period = Duration::from_secs(1) * CONNECTIONS as u32 / HEARTBEATS_A_SECOND as u32;
        let began = now() + Duration::from_millis(100);
        let connections = (0..CONNECTIONS).map(|connection| async move {
            let stream = TcpStream::connect(address).await.expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            let offset = period * connection as u32 / CONNECTIONS as u32;
            let count = (during.as_nanos() / period.as_nanos()) as u32;
            let (reader, mut writer) = stream.into_split();
            let due = move |number: u32| offset + period * number;
            let write = async move {
                let mut ids = (connection..instances).step_by(CONNECTIONS).cycle();
                for number in 0..count {
                    tokio::time::sleep_until((began + due(number)).into()).await;
                    let request = heartbeat(ids.next().unwrap_or_default());
                    writer
                        .write_all(request.as_bytes())
                        .await
                        .expect("a request");
                }
                writer
            };
            let read = read_answers(reader, count, move |number| {
                let due = due(number);
                Answered {
                    due,
                    latency: now().saturating_duration_since(began + due),
                }
            });
            let (_writer, answered) = tokio::join!(write, read);
            answered
        });
        join_all(connections).await.concat()
    })
}

/// Reads answers one after the other; each is noted as its last byte is there.
async fn read_answers(
    mut reader: tokio::net::tcp::OwnedReadHalf,
    count: u32,
    note: impl Fn(u32) -> Answered,
) -> Vec<Answered> {
    let mut answered = Vec::with_capacity(count as usize);
    let mut buffer = Vec::new();
    let mut piece = [0; 16_384];
    while (answered.len() as u32) < count {
        let read = reader.read(&mut piece).await.expect("an answer");
        assert!(read > 0, "the server closed a connection");
        buffer.extend_from_slice(&piece[..read]);
        let mut begin = 0;
        while let Some(length) = answer_length(&buffer[begin..]) {
            begin += length;
            answered.push(note(answered.len() as u32));
        }
        buffer.drain(..begin);
    }
    answered
}

/// The length of the first answer of a buffer, if all of it is there.
fn answer_length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    assert!(
        buffer.starts_with(b"HTTP/1.1 200 OK"),
        "not answered with 200"
    );
    let text = std::str::from_utf8(&buffer[..head]).expect("a head of text");
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.eq_ignore_ascii_case("content-length")).then(|| value.trim().parse::<usize>().ok())?
    });
    let length = head + body.expect("a length");
    (buffer.len() >= length).then_some(length)
}

fn report(what: &str, during: Duration, answered: Vec<Answered>) {
    for window in 0..during.as_secs().div_ceil(WINDOW.as_secs()) {
        let window = window as u32;
        let lies_in = |due: Duration| due >= WINDOW * window && due < WINDOW * (window + 1);
        let part = answered.iter().filter(|answer| lies_in(answer.due));
        line(
            &format!("{what}, from {:>3} s", (WINDOW * window).as_secs()),
            part.map(|answer| answer.latency).collect(),
        );
    }
    let pauses = pauses(&answered);
    if !pauses.is_empty() {
        println!("{what}, pauses: {}", pauses.join(", "));
    }
    let rate = answered.len() as f64 / during.as_secs_f64();
    line(
        &format!("{what}, all, {rate:.0}/s"),
        answered.into_iter().map(|answer| answer.latency).collect(),
    );
}

/// When heartbeats waited for more than [`LONG`], and how long the first of them waited.
fn pauses(answered: &[Answered]) -> Vec<String> {
    let mut late: Vec<Answered> = (answered.iter().copied())
        .filter(|answer| answer.latency > LONG)
        .collect();
    late.sort_unstable_by_key(|answer| answer.due);
    let mut found: Vec<(Duration, Duration, Duration)> = Vec::new();
    for Answered { due, latency } in late {
        let end = due + latency;
        match found.last_mut() {
            Some((_, until, longest)) if due <= *until => {
                *until = end.max(*until);
                *longest = latency.max(*longest);
            }
            Some(_) | None => found.push((due, end, latency)),
        }
    }
    let shown = found.into_iter().map(|(due, _, longest)| {
        let (at, ms) = (due.as_secs_f64(), longest.as_millis());
        format!("{at:.2} s ({ms} ms)")
    });
    shown.collect()
}

fn line(what: &str, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let at = |share: f64| {
        let last = latencies.len().saturating_sub(1);
        let index = (last as f64 * share) as usize;
        latencies
            .get(index)
            .copied()
            .unwrap_or_default()
            .as_secs_f64()
            * 1e3
    };
    println!(
        "{what:<28} p50 {:>7.2} ms   p99 {:>7.2}   p99.9 {:>7.2}   longest {:>7.2}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// A line of this process's memory, in KiB.
fn status_kib(line: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|text| text.strip_prefix(line));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn resident() -> u64 {
    status_kib("VmRSS:")
}

/// A server in a system of its own, on a thread of its own, for as long as the process lives.
fn serve_echo() -> SocketAddr {
    let (ready, address) = mpsc::channel();
    thread::spawn(move || {
        actix::System::new().block_on(async move {
            let listener = http::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
            ready
                .send(listener.local_addr().expect("an address"))
                .expect("it is waited for");
            let app = || {
                let echo = |body: web::Bytes| async move {
                    assert!(!body.is_empty());
                    HttpResponse::Ok()
                        .content_type("application/json")
                        .body(r#"{"status":"heartbeat_updated"}"#)
                };
                App::new().route("/heartbeat", web::post().to(echo))
            };
            let server = HttpServer::new(app)
                .workers(2)
                .listen(listener)
                .expect("a server");
            server.run().await.expect("it serves");
        });
    });
    address.recv().expect("an address")
}

fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// The program itself, as `serve` starts it.
fn serve_orchestrator(file: &Path) -> (SocketAddr, Orchestrator) {
    let (ready, serving) = mpsc::channel();
    let url = url(file);
    thread::spawn(move || {
        actix::System::new().block_on(async move {
            let config = Config::from_pairs([
                ("DATABASE_URL", url.as_str()),
                ("BIND_ADDRESS", "127.0.0.1:0"),
            ])
            .expect("settings");
            let mut server = Server::start(&config).await.expect("it starts");
            let orchestrator = server.orchestrator().clone();
            ready
                .send((server.address(), orchestrator))
                .expect("it is waited for");
            let fatal = server.failed().await;
            println!("{fatal}");
        });
    });
    serving.recv().expect("a server")
}

fn registration(id: &str) -> RegisterInstance {
    RegisterInstance {
        id: id.into(),
        ip: "127.0.0.1".into(),
        port: 9_000,
        max_streams: 20,
        capacity: None,
        labels: BTreeMap::new(),
        heartbeat_interval: None,
        auto_assign: true,
    }
}

/// Registers the instances and saves the streams, which are assigned at once.
fn fill(file: &Path, instances: usize, streams: usize) {
    actix::System::new().block_on(async {
        let store = store::open(&url(file), Duration::from_secs(60), 2)
            .await
            .expect("a store");
        let loaded = Loaded::from_store(store).await.expect("an empty fleet");
        let arbiters: [actix::Arbiter; 3] = std::array::from_fn(|_| actix::Arbiter::new());
        let placement = Placement::Apart {
            heartbeats: arbiters[0].handle(),
            records: arbiters[1].handle(),
            fleet: arbiters[2].handle(),
        };
        let clock = Clock::real(Duration::ZERO);
        let telemetry = Telemetry::new(&mut Registry::default());
        let settings = SystemSettings {
            change_limit: Duration::from_secs(600),
            ..SystemSettings::default()
        };
        let (orchestrator, fatalities) = start(loaded, &settings, clock, telemetry, &placement);
        let orchestrator = Arc::new(orchestrator);
        let numbers: Vec<usize> = (0..instances).collect();
        for part in numbers.chunks(1_000) {
            let registrations =
                (part.iter()).map(|number| orchestrator.execute(registration(&name(*number))));
            for registered in join_all(registrations).await {
                registered.expect("a registration");
            }
        }
        for first in (0..streams).step_by(STREAMS_A_REQUEST) {
            let spec = |number| StreamSpec {
                name: Some(format!("stream-{number}").into()),
                ..StreamSpec::default()
            };
            let streams = (first..(first + STREAMS_A_REQUEST).min(streams)).map(spec);
            let streams = streams.collect();
            orchestrator
                .execute(SaveStreams { streams })
                .await
                .expect("streams");
        }
        orchestrator.drain().await;
        orchestrator.flush().await;
        drop(fatalities);
        for arbiter in &arbiters {
            arbiter.stop();
        }
        for arbiter in arbiters {
            let _ = arbiter.join();
        }
        orchestrator.close_store().await.expect("it closes");
    });
}
