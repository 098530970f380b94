//! Heartbeats through a standby, and straight to the leader, in turns in one run: 1,000 instances, 32
//! connections that send the next heartbeat when the last is answered, and one connection for the latency.
//!
//! Clients, leader and standby share the machine, so only the ratio means something.
//!
//! `cargo bench --bench proxy`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

mod closed_loop;
#[path = "../tests/support/commands.rs"]
mod orders;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::leadership::{ClusterView, Identity, Office};
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::ids::{Term, Version};
use resilient_orchestrator::domain::leadership::{
    LeadershipRow, MemberSecret, NodeName, ReleaseCause, RowState, RunId,
};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::http::{self, AppState, Gate, HttpSettings, Phase, Readiness};
use resilient_orchestrator::store;

use orders::self_filling;

const INSTANCES: usize = 1_000;
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(3);
const HORIZON: Duration = Duration::from_secs(3_600);

fn main() {
    let leader = serve(move |ready| async move { serve_leader(listener(), ready).await });
    let standby = serve(move |ready| async move { serve_standby(listener(), leader, ready).await });
    while !answers(standby) {
        thread::park_timeout(Duration::from_millis(10));
    }
    for address in [leader, standby] {
        rate(address, CONNECTIONS, Duration::from_secs(1));
    }
    let (mut ratios, mut latencies) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let [direct, proxied] = [leader, standby].map(|address| rate(address, CONNECTIONS, ROUND));
        let [one, other] = [leader, standby].map(|address| 1e6 / rate(address, 1, ROUND / 3));
        ratios.push(proxied / direct);
        latencies.push(other - one);
        println!(
            "round {round}: {direct:.0} heartbeats/s direct, {proxied:.0} through the standby, ratio {:.2}; \
             one at a time {one:.0} µs and {other:.0} µs",
            proxied / direct
        );
    }
    for measured in [&mut ratios, &mut latencies] {
        measured.sort_by(f64::total_cmp);
    }
    println!(
        "median: ratio {:.2}, one hop {:.0} µs",
        ratios[ROUNDS / 2],
        latencies[ROUNDS / 2]
    );
    std::process::exit(0);
}

/// Needs a runtime.
fn listener() -> TcpListener {
    http::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port")
}

fn heartbeat(number: usize) -> String {
    let body =
        format!("{{\"server_id\":\"w{number}\",\"current_streams\":0,\"status\":\"active\"}}");
    format!(
        "POST /heartbeat HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn answers(address: SocketAddr) -> bool {
    let mut client = TcpStream::connect(address).expect("a connection");
    client
        .write_all(heartbeat(0).as_bytes())
        .expect("a request");
    let mut buffer = [0; 4_096];
    let length = client.read(&mut buffer).expect("an answer");
    buffer[..length].starts_with(b"HTTP/1.1 200 OK")
}

/// Heartbeats a second.
fn rate(address: SocketAddr, connections: usize, during: Duration) -> f64 {
    closed_loop::rate(address, connections, INSTANCES, during, heartbeat)
}

/// A server in a system of its own, on a thread of its own, for as long as the process lives.
fn serve<F>(begin: impl FnOnce(mpsc::Sender<SocketAddr>) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()>,
{
    let (ready, address) = mpsc::channel();
    thread::spawn(move || actix::System::new().block_on(begin(ready)));
    address.recv().expect("an address")
}

fn identity(node: &str, run: i64, address: SocketAddr) -> Identity {
    Identity {
        node: NodeName::new(node),
        run: RunId::new(run),
        address: address.to_string(),
        public_url: format!("http://{address}"),
        secret: MemberSecret::of_bits(7),
    }
}

/// The row of the leader at an address.
fn row(leader: SocketAddr) -> LeadershipRow {
    let me = identity("leader", 1, leader);
    LeadershipRow {
        term: Term::new(1),
        node: me.node,
        run: me.run,
        beat: 0,
        state: RowState::Held,
        successor: None,
        release_cause: ReleaseCause::Ended,
        address: me.address,
        public_url: me.public_url,
        secret: me.secret,
        since: WallTime::default(),
        after_loss: None,
        version: Version::default(),
    }
}

async fn serve_leader(listener: TcpListener, ready: mpsc::Sender<SocketAddr>) {
    let address = listener.local_addr().expect("an address");
    let store = store::open("memory:", Duration::from_secs(60), 2).await;
    let store = store.expect("a store");
    let clock = Clock::real(Duration::ZERO);
    let view = ClusterView::new(identity("leader", 1, address), HORIZON, clock.clone());
    view.saw(row(address));
    let guard = store.begin_term().await.expect("a term");
    let loaded = Loaded::under(store, guard, HORIZON)
        .await
        .expect("an empty fleet");
    let loaded = loaded.led_by(Office::sole(guard.term, view), Duration::ZERO);
    let arbiters: [actix::Arbiter; 3] = std::array::from_fn(|_| actix::Arbiter::new());
    let placement = Placement::Apart {
        heartbeats: arbiters[0].handle(),
        records: arbiters[1].handle(),
        fleet: arbiters[2].handle(),
    };
    let mut metrics = Registry::default();
    let telemetry = Telemetry::new(&mut metrics);
    let settings = SystemSettings::default();
    let (orchestrator, fatalities) = start(loaded, &settings, clock, telemetry, &placement);
    // Both live as long as the process.
    std::mem::forget((arbiters, fatalities));
    for number in 0..INSTANCES {
        let registration = self_filling(format!("w{number}").as_str(), 20);
        orchestrator
            .execute(registration)
            .await
            .expect("registered");
    }
    let readiness = Readiness::new();
    readiness.set(true);
    let state = AppState::new(orchestrator, HttpSettings::default(), readiness, metrics);
    let server = http::serve(listener, state).expect("a server");
    ready.send(address).expect("it is waited for");
    server.await.expect("it serves");
}

async fn serve_standby(listener: TcpListener, leader: SocketAddr, ready: mpsc::Sender<SocketAddr>) {
    let address = listener.local_addr().expect("an address");
    let clock = Clock::real(Duration::ZERO);
    let view = ClusterView::new(identity("standby", 2, address), HORIZON, clock);
    view.saw(row(leader));
    let gate = Gate::new(view, Phase::Standby);
    actix::spawn(http::accompany(gate.clone()));
    let server = http::serve(listener, gate).expect("a server");
    ready.send(address).expect("it is waited for");
    server.await.expect("it serves");
}
