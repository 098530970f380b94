//! The figures of a large fleet: `/status`, `/resilience/health` and `/resilience/status` with 100,000 instances
//! and 1,000,000 streams.
//!
//! First the question that the FleetActor answers, beside a walk over all instances that counts the same, as
//! the program did before. Then the routes of the program itself on SQLite, idle and beside 10,000 heartbeats a
//! second in an open loop.
//!
//! `cargo bench --bench figures [-- INSTANCES STREAMS [FILE]]`; a FILE that an earlier run left is not filled
//! again.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

#[expect(dead_code, reason = "only a part of it is needed")]
mod open_loop;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use resilient_orchestrator::domain::fleet::{Fleet, Standing};
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};
use resilient_orchestrator::domain::lease::{LeaseBoard, Leases, Seat, runs};
use resilient_orchestrator::domain::queries::{FleetTotals, Query};
use resilient_orchestrator::domain::time::Timestamp;
use resilient_orchestrator::store;

use open_loop::fleet::{fill, serve_orchestrator};
use open_loop::{Classic, line, load, now};

const MAX_STREAMS: u32 = 20;
const ROUTES: [&str; 3] = ["/status", "/resilience/health", "/resilience/status"];
const BESIDE: Duration = Duration::from_secs(20);

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let instances = numbers.next().unwrap_or(100_000);
    let streams = numbers.next().unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let kept = std::env::args().find(|argument| argument.ends_with(".db"));
    let file = kept.map_or_else(|| folder.path().join("fleet.db"), PathBuf::from);
    if !file.exists() {
        thread::scope(|scope| {
            scope.spawn(|| fill(&file, instances, streams, MAX_STREAMS));
        });
    }
    println!("{instances} instances, {streams} streams");
    questions(&loaded(&file));

    let (address, _orchestrator) = serve_orchestrator(&file, &[]);
    for route in ROUTES {
        get(address, route);
    }
    for route in ROUTES {
        let times = (0..200).map(|_| get(address, route)).collect();
        line(&format!("{route}, idle"), times);
    }
    for route in ROUTES {
        let is_over = AtomicBool::new(false);
        let times = thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut times = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    times.push(get(address, route));
                    thread::park_timeout(Duration::from_millis(50));
                }
                times
            });
            let workers = |connection| Classic::new(connection, instances);
            let beats = load(address, BESIDE, workers);
            is_over.store(true, Ordering::Relaxed);
            drop(beats);
            asking.join().expect("answers")
        });
        line(&format!("{route}, beside heartbeats"), times);
    }
}

/// The fleet of a file, in this process.
fn loaded(file: &std::path::Path) -> Fleet {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let url = format!("sqlite://{}", file.display());
        let limit = Duration::from_secs(600);
        let store = store::open(&url, limit, 1).await.expect("a store");
        let rows = store.load().await.expect("rows");
        let fleet = Fleet::from_rows(rows).expect("a fleet");
        store.close().await.expect("it closes");
        fleet
    })
}

/// What a walk counts.
#[derive(Debug, Default)]
struct Walked {
    by_status: BTreeMap<&'static str, usize>,
    capacity: u64,
    load: u64,
    owned: usize,
    running: usize,
    moves: usize,
}

/// Counts as the program did before: a list of all leases, and three walks.
fn walk(fleet: &Fleet, seats: &BTreeMap<InstanceId, Seat>, at: Timestamp) -> Walked {
    let granted = seats
        .iter()
        .filter_map(|(id, seat)| Some((id.clone(), seat.granted_until()?)));
    let granted: BTreeMap<InstanceId, Timestamp> = granted.collect();
    let mut walked = Walked::default();
    for slot in fleet.instances() {
        let instance = slot.instance();
        *walked
            .by_status
            .entry(instance.status.as_str())
            .or_default() += 1;
        if instance.status.is_serving() {
            walked.capacity += u64::from(instance.max_streams);
            walked.load += slot.held().len() as u64;
        }
    }
    for slot in fleet.instances() {
        let instance = slot.instance();
        walked.owned += slot.owned();
        let until = granted.get(&instance.id).copied();
        if runs(instance.status, instance.is_leased(), until, at) {
            walked.running += slot.owned();
        }
    }
    for slot in fleet.instances() {
        let is_listed = |id: &&StreamId| fleet.listed(**id).is_some();
        walked.moves += slot.releasing().iter().filter(is_listed).count();
        walked.moves += slot.lingering().len() + slot.given_up().len();
    }
    walked
}

fn questions(fleet: &Fleet) {
    let board = Arc::new(LeaseBoard::default());
    let at = Timestamp::from_micros(1_000);
    let seats = fleet.instances().map(|slot| {
        let (seat, leased) = (board.seat(), true);
        seat.show(&Standing {
            leased,
            ..Standing::of(slot)
        });
        seat.grant_until(Timestamp::from_micros(2_000));
        (slot.instance().id.clone(), seat)
    });
    let seats: BTreeMap<InstanceId, Seat> = seats.collect();
    let timed = |what: &dyn Fn()| -> Vec<Duration> {
        let times = (0..50).map(|_| {
            let began = now();
            what();
            now().duration_since(began)
        });
        times.collect()
    };
    let walked = timed(&|| {
        black_box(walk(fleet, &seats, at));
    });
    line("totals by a walk", walked);
    let leases = Leases::new(at, board);
    let asked = timed(&|| {
        let leases = leases.clone();
        black_box(FleetTotals { leases }.answer(fleet));
    });
    line("totals as they are kept", asked);
}

/// Asks once; returns the time until the last byte of the answer.
fn get(address: SocketAddr, route: &str) -> Duration {
    let mut client = TcpStream::connect(address).expect("a connection");
    let request = format!("GET {route} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
    let began = now();
    client.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    now().duration_since(began)
}
