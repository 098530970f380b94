//! Heartbeats beside 200 clients that follow events, at 50 events a second: 10,000 instances on the store in
//! memory, asked by 32 connections that send the next heartbeat when the last is answered.
//!
//! The yardsticks, in turns with it in the same run, are the same heartbeats alone, and the same heartbeats
//! beside the same events without a client that follows them. Clients and server share the machine, and
//! reading 10,000 frames a second costs the clients time as well, so only the ratios mean something, and
//! they are less than what the server alone would lose.
//!
//! With `consoles` the readers are open consoles at their busiest: each follows the figures and the heartbeats of an
//! instance too, and reads the table of all instances once a second.
//!
//! `cargo bench --bench live_readers [-- READERS SECONDS [consoles]]`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

mod closed_loop;
#[path = "../tests/support/commands.rs"]
mod orders;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::commands::{SaveStreams, StreamSpec};
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::http::{self, AppState, HttpSettings, Readiness};
use resilient_orchestrator::store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use orders::self_filling;

const INSTANCES: usize = 10_000;
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
const EVENTS_A_SECOND: u32 = 50;

/// What goes on beside the heartbeats.
#[derive(Debug, Clone, Copy)]
enum Beside {
    Nothing,
    Events,
    Readers(usize),
    Consoles(usize),
}

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let readers = numbers.next().unwrap_or(200);
    let during = Duration::from_secs(numbers.next().unwrap_or(4) as u64);
    let are_consoles = std::env::args().any(|argument| argument == "consoles");
    let readers = match are_consoles {
        true => Beside::Consoles(readers),
        false => Beside::Readers(readers),
    };
    let (address, orchestrator) = serve_orchestrator();
    // What is allocated on the first use is no part of the measurement.
    measure(address, &orchestrator, readers, during);
    let (mut of_alone, mut of_events) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let measured = |beside| measure(address, &orchestrator, beside, during);
        let (alone, _) = measured(Beside::Nothing);
        let (events, _) = measured(Beside::Events);
        let (followed, frames) = measured(readers);
        println!(
            "round {round}: alone {alone:>7.0}/s   beside events {events:>7.0}/s   followed by \
             {readers:?} {followed:>7.0}/s ({frames:.0} frames/s)"
        );
        of_alone.push(followed / alone);
        of_events.push(followed / events);
    }
    for (what, mut ratios) in [("alone", of_alone), ("beside the events alone", of_events)] {
        ratios.sort_by(f64::total_cmp);
        println!(
            "heartbeats keep {:.3} of their rate {what} (median of {ROUNDS}, {:.3} to {:.3})",
            ratios[ROUNDS / 2],
            ratios[0],
            ratios[ROUNDS - 1]
        );
    }
}

/// Heartbeats answered each second, and frames that the readers got each second.
fn measure(
    address: SocketAddr,
    orchestrator: &Orchestrator,
    beside: Beside,
    during: Duration,
) -> (f64, f64) {
    let (is_over, frames) = (AtomicBool::new(false), AtomicU64::new(0));
    let readers = match beside {
        Beside::Nothing | Beside::Events => 0,
        Beside::Readers(readers) | Beside::Consoles(readers) => readers,
    };
    let are_consoles = matches!(beside, Beside::Consoles(_));
    let has_events = !matches!(beside, Beside::Nothing);
    let mut beaten = 0.0;
    thread::scope(|scope| {
        let (connected, waiting) = mpsc::channel();
        let (is_over, frames) = (&is_over, &frames);
        scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let mut following = Vec::with_capacity(readers);
                for _ in 0..readers {
                    following.push(follow(address, are_consoles).await);
                }
                connected.send(()).expect("it is waited for");
                let read = following
                    .into_iter()
                    .map(|client| count(client, is_over, frames));
                let events = async {
                    if has_events {
                        write_events(orchestrator, is_over).await;
                    }
                };
                let tables = (0..if are_consoles { readers } else { 0 })
                    .map(|_| read_tables(address, is_over));
                tokio::join!(join_all(read), join_all(tables), events);
            });
        });
        waiting.recv().expect("the readers");
        let before = frames.load(Ordering::Relaxed);
        beaten = rate(address, during);
        frames.fetch_sub(before, Ordering::Relaxed);
        is_over.store(true, Ordering::Relaxed);
    });
    let frames = frames.load(Ordering::Relaxed) as f64 / during.as_secs_f64();
    (beaten, frames)
}

/// Opens an answer that goes on; its head and first frame are there.
async fn follow(address: SocketAddr, is_console: bool) -> tokio::net::TcpStream {
    let mut client = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let query = match is_console {
        true => "?figures=true&beats=worker-00001",
        false => "",
    };
    let request = format!("GET /resilience/events/stream{query} HTTP/1.1\r\nHost: bench\r\n\r\n");
    client
        .write_all(request.as_bytes())
        .await
        .expect("a request");
    let mut head = [0; 4_096];
    let length = client.read(&mut head).await.expect("a head");
    assert!(head[..length].starts_with(b"HTTP/1.1 200 OK"));
    client
}

/// Reads the table of all instances once a second, as a console does while much happens.
async fn read_tables(address: SocketAddr, is_over: &AtomicBool) {
    let request =
        "GET /fleet HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while !is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let mut client = tokio::net::TcpStream::connect(address)
            .await
            .expect("a connection");
        client
            .write_all(request.as_bytes())
            .await
            .expect("a request");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    }
}

/// Counts the frames of an answer. A frame has one line with an event's data.
async fn count(mut client: tokio::net::TcpStream, is_over: &AtomicBool, frames: &AtomicU64) {
    let mut piece = [0; 16_384];
    while !is_over.load(Ordering::Relaxed) {
        let read = tokio::time::timeout(Duration::from_millis(100), client.read(&mut piece)).await;
        let Ok(read) = read else { continue };
        let read = read.expect("an answer");
        assert!(read > 0, "the server closed a connection");
        let data = piece[..read].windows(6).filter(|six| *six == b"\ndata:");
        frames.fetch_add(data.count() as u64, Ordering::Relaxed);
    }
}

/// Changes a stream again and again: one event each.
async fn write_events(orchestrator: &Orchestrator, is_over: &AtomicBool) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / EVENTS_A_SECOND);
    let mut number = 0_u64;
    while !is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        number += 1;
        let stream = StreamSpec {
            id: Some(StreamId::new(1)),
            name: Some(format!("stream {number}").into()),
            ..StreamSpec::default()
        };
        let streams = vec![stream];
        let saved = orchestrator.execute(SaveStreams { streams }).await;
        saved.expect("a change");
    }
}

fn name(number: usize) -> String {
    format!("worker-{number:05}")
}

fn heartbeat(number: usize) -> String {
    let body = format!(
        r#"{{"server_id":"{}","current_streams":0,"status":"active"}}"#,
        name(number)
    );
    format!(
        "POST /heartbeat HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Heartbeats answered each second.
fn rate(address: SocketAddr, during: Duration) -> f64 {
    closed_loop::rate(address, CONNECTIONS, INSTANCES, during, heartbeat)
}

/// A server in a system of its own, on a thread of its own, for as long as the process lives.
fn serve_orchestrator() -> (SocketAddr, Orchestrator) {
    let (ready, serving) = mpsc::channel();
    thread::spawn(move || {
        actix::System::new().block_on(async move {
            let mut metrics = Registry::default();
            let orchestrator = fleet(&mut metrics).await;
            let readiness = Readiness::new();
            readiness.set(true);
            let settings = HttpSettings::default();
            let state = AppState::new(orchestrator.clone(), settings, readiness, metrics);
            let listener = http::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
            let bound = listener.local_addr().expect("an address");
            let server = http::serve(listener, state).expect("a server");
            ready.send((bound, orchestrator)).expect("it is waited for");
            server.await.expect("it serves");
        });
    });
    serving.recv().expect("an address")
}

/// Placed as in production: heartbeats and the fleet on arbiters of their own.
async fn fleet(metrics: &mut Registry) -> Orchestrator {
    let store = store::open("memory:", Duration::from_secs(60), 2)
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
    let telemetry = Telemetry::new(metrics);
    let settings = SystemSettings::default();
    let (orchestrator, fatalities) = start(loaded, &settings, clock, telemetry, &placement);
    // Both live as long as the process.
    std::mem::forget((arbiters, fatalities));
    let registrations =
        (0..INSTANCES).map(|number| orchestrator.execute(self_filling(name(number).as_str(), 20)));
    for registered in join_all(registrations).await {
        registered.expect("a registration");
    }
    orchestrator
}
