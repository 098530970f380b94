//! Heartbeats over HTTP, and their memory: 10,000 instances and 100,000 streams on the store in
//! memory, asked by 32 connections that send the next heartbeat when the last is answered.
//!
//! The yardstick, in turns with it in the same run, is an echo: the same HTTP server, the same
//! requests, read and answered with two dozen bytes by a handler that knows nothing. Clients and
//! servers share the machine, so only the ratio means something.
//!
//! Each round is made without scrapes and with one of `/metrics` each second, which is fifteen times as
//! often as Prometheus scrapes. The scrapes are timed, also on an idle server and with series of each
//! instance; what the counting of one heartbeat takes is timed alone.
//!
//! A second address of the same orchestrator asks for a key, one of a thousand. It is measured in turns with the first one,
//! so the ratio is what the check of a key costs; the check is timed alone, too. So is the look at the proof that this
//! orchestrator leads, which each heartbeat takes.
//!
//! `cargo bench --bench heartbeat`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

mod closed_loop;
#[path = "../tests/support/commands.rs"]
mod orders;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::access::{KeyDemand, Keyring, hash_of, new_secret};
use resilient_orchestrator::actors::leadership::Prover;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::{AnswerLabel, BeatResult, Telemetry};
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::access::{AccessKey, KeySecret, Role, ServerIdPattern};
use resilient_orchestrator::domain::commands::{SaveStreams, StreamSpec};
use resilient_orchestrator::domain::ids::KeyId;
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::http::{self, Access, AppState, Gate, HttpSettings, Phase, Readiness};
use resilient_orchestrator::store::{self, StoredKey};

use orders::self_filling;

const INSTANCES: usize = 10_000;
const STREAMS: usize = 100_000;
const STREAMS_A_REQUEST: usize = 10_000;
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);

fn main() {
    let key = new_secret().expose();
    let echo = serve_echo();
    let ([orchestrator, per_instance, guarded], prover) = serve_orchestrator(&key);
    let header = format!("Authorization: Bearer {key}\r\n");
    // What is allocated on the first use is no part of the measurement.
    for (address, header) in [(echo, ""), (orchestrator, ""), (guarded, &header)] {
        rate(address, Duration::from_secs(1), header);
    }
    let mut ratios = Vec::with_capacity(ROUNDS);
    let (mut kept, mut scrapes) = (Vec::with_capacity(ROUNDS), Vec::new());
    let mut with_key = Vec::with_capacity(ROUNDS);
    for round in 1..=ROUNDS {
        let (echoed, beaten) = (rate(echo, ROUND, ""), rate(orchestrator, ROUND, ""));
        let checked = rate(guarded, ROUND, &header);
        let scraped = rate_with_scrapes(orchestrator, &mut scrapes);
        println!(
            "round {round}: echo {echoed:>8.0}/s   heartbeats {beaten:>8.0}/s, with scrapes \
             {scraped:>8.0}/s, with a key {checked:>8.0}/s"
        );
        with_key.push(checked / beaten);
        ratios.push(beaten / echoed);
        kept.push(scraped / beaten);
    }
    ratios.sort_by(f64::total_cmp);
    kept.sort_by(f64::total_cmp);
    println!(
        "with scrapes {:.3} of the heartbeats without (median of {ROUNDS}, {:.3} to {:.3})",
        kept[ROUNDS / 2],
        kept[0],
        kept[ROUNDS - 1],
    );
    show_scrapes("under these heartbeats", scrapes);
    for (what, address) in [
        ("idle", orchestrator),
        ("idle, of each instance", per_instance),
    ] {
        show_scrapes(what, (0..50).map(|_| scrape(address)).collect());
    }
    show_counting();
    show_check(&key);
    show_proof(&prover);
    with_key.sort_by(f64::total_cmp);
    println!(
        "with a key {:.3} of the heartbeats without (median of {ROUNDS}, {:.3} to {:.3})",
        with_key[ROUNDS / 2],
        with_key[0],
        with_key[ROUNDS - 1],
    );
    println!(
        "heartbeats are {:.3} of the echo (median of {ROUNDS}, {:.3} to {:.3}); {} MiB resident",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1],
        resident() / 1_024,
    );
}

fn name(number: usize) -> String {
    format!("worker-{number:05}")
}

/// What every worker sends, leased ones included.
fn heartbeat(number: usize, header: &str) -> String {
    let body = format!(
        r#"{{"server_id":"{}","current_streams":10,"status":"active","system_metrics":{{"cpu_percent":41.5,"memory_percent":63.2,"memory_used_gb":10.1,"memory_total_gb":16.0,"disk_percent":71.0,"disk_free_gb":120.5,"disk_total_gb":480.0,"load_average":[0.5,0.4,0.3],"uptime_seconds":86400}}}}"#,
        name(number)
    );
    format!(
        "POST /heartbeat HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{header}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// Requests answered each second, each with a further header.
fn rate(address: SocketAddr, during: Duration, header: &str) -> f64 {
    let request = |number| heartbeat(number, header);
    closed_loop::rate(address, CONNECTIONS, INSTANCES, during, request)
}

/// The same, while `/metrics` is scraped each second.
fn rate_with_scrapes(address: SocketAddr, scrapes: &mut Vec<(Duration, usize)>) -> f64 {
    let (over, is_over) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let scraping = scope.spawn(move || {
            let mut taken = vec![scrape(address)];
            while is_over.recv_timeout(Duration::from_secs(1)).is_err() {
                taken.push(scrape(address));
            }
            taken
        });
        let beaten = rate(address, ROUND, "");
        over.send(()).expect("it scrapes");
        scrapes.extend(scraping.join().expect("scrapes"));
        beaten
    })
}

/// How long a scrape took, and how many bytes its answer had.
fn scrape(address: SocketAddr) -> (Duration, usize) {
    let began = now();
    let mut client = TcpStream::connect(address).expect("a connection");
    let request = "GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    (now().duration_since(began), answer.len())
}

fn show_scrapes(what: &str, mut scrapes: Vec<(Duration, usize)>) {
    scrapes.sort();
    let (median, most) = (scrapes[scrapes.len() / 2], scrapes[scrapes.len() - 1]);
    println!(
        "scrapes {what}: {:?} (median of {}), {:?} at most; {} KiB",
        median.0,
        scrapes.len(),
        most.0,
        most.1 / 1_024,
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
    println!(
        "counting a heartbeat takes {:?}",
        now().duration_since(began) / TIMES
    );
}

/// What the check of a key takes, on one thread.
fn show_check(key: &str) {
    const TIMES: u32 = 1_000_000;
    let ring = keyring(key);
    let began = now();
    for _ in 0..TIMES {
        assert!(std::hint::black_box(ring.check(std::hint::black_box(key))).is_ok());
    }
    println!(
        "checking a key takes {:?}",
        now().duration_since(began) / TIMES
    );
}

/// What a heartbeat that starts and stops nothing asks of the proof that this orchestrator leads.
fn show_proof(prover: &Prover) {
    const TIMES: u32 = 1_000_000;
    let began = now();
    for _ in 0..TIMES {
        assert!(std::hint::black_box(prover).is_proven());
    }
    println!(
        "looking at the proof takes {:?}",
        now().duration_since(began) / TIMES
    );
}

/// A thousand keys, with this one among them.
fn keyring(key: &str) -> Keyring {
    let ring = Keyring::new(Clock::real(Duration::ZERO), KeyDemand::Required);
    let given = KeySecret::parse(key).expect("a key");
    let secrets = (0..1_000).map(|_| new_secret()).chain([given]);
    let keys = secrets.zip(1_i64..).map(|(secret, number)| StoredKey {
        key: AccessKey {
            id: KeyId::new(number),
            name: format!("key-{number}"),
            role: Role::Worker,
            server_ids: vec![ServerIdPattern::parse("worker-*").expect("a pattern")],
            created_at: WallTime::from_micros(0),
            expires_at: Some(WallTime::from_micros(i64::MAX)),
            revoked_at: None,
            last_used_at: None,
        },
        hash: hash_of(&secret),
    });
    ring.replace(keys.collect());
    ring
}

/// Resident memory, in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
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

/// Serves one orchestrator at three addresses; the second one shows series of each instance, the third one asks for a
/// key.
fn serve_orchestrator(key: &str) -> ([SocketAddr; 3], Prover) {
    let (ready, address) = mpsc::channel();
    let key = key.to_owned();
    thread::spawn(move || {
        actix::System::new().block_on(async move {
            let mut metrics = Registry::default();
            let orchestrator = fleet(&mut metrics).await;
            let readiness = Readiness::new();
            readiness.set(true);
            let settings = HttpSettings::default();
            let on = HttpSettings {
                metrics_per_instance: true,
                ..settings
            };
            let states = [(settings, metrics), (on, Registry::default())];
            let servers = states.map(|(settings, metrics)| {
                let (orchestrator, readiness) = (orchestrator.clone(), readiness.clone());
                let state = AppState::new(orchestrator, settings, readiness, metrics);
                let listener = http::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
                let bound = listener.local_addr().expect("an address");
                (bound, http::serve(listener, state).expect("a server"))
            });
            let [(first, serving), (second, also)] = servers;
            let state = AppState::new(
                orchestrator.clone(),
                settings,
                readiness.clone(),
                Registry::default(),
            );
            let access = Access::new(keyring(&key), Vec::new(), Vec::new());
            let cluster = orchestrator.cluster().clone();
            let gate = Gate::guarded(cluster, Phase::Serving(state), access);
            let listener = http::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
            let third = listener.local_addr().expect("an address");
            let guarded = http::serve(listener, gate).expect("a server");
            ready
                .send(([first, second, third], orchestrator.prover().clone()))
                .expect("it is waited for");
            let served = futures_util::future::join3(serving, also, guarded).await;
            served.0.and(served.1).and(served.2).expect("they serve");
        });
    });
    address.recv().expect("an address")
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
    let orchestrator = Arc::new(orchestrator);
    let registrations =
        (0..INSTANCES).map(|number| orchestrator.execute(self_filling(name(number).as_str(), 20)));
    for registered in join_all(registrations).await {
        registered.expect("a registration");
    }
    for first in (0..STREAMS).step_by(STREAMS_A_REQUEST) {
        let spec = |number| StreamSpec {
            name: Some(format!("stream-{number}").into()),
            ..StreamSpec::default()
        };
        let streams = (first..first + STREAMS_A_REQUEST).map(spec).collect();
        orchestrator
            .execute(SaveStreams { streams })
            .await
            .expect("streams");
    }
    orchestrator.as_ref().clone()
}
