//! Ten thousand workers wait for news: what each costs while it waits, and how long one plan that
//! concerns all of them takes to reach them all.
//!
//! In process, next to a bare oneshot channel for each: the profile of allocations shows the bytes.
//! Over loopback sockets, next to as many connections that wait for nothing: measured first, as
//! growth of this process, which is server and clients (as many as its open files allow).
//!
//! `cargo bench --bench long_poll`

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be prepared has nothing to measure"
)]

#[path = "../tests/support/commands.rs"]
mod orders;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use divan::{AllocProfiler, Bencher};
use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::long_poll::AssignmentPoll;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::commands::{SaveStreams, StreamSpec};
use resilient_orchestrator::domain::ids::{AssignmentVersion, InstanceId};
use resilient_orchestrator::http::{self, AppState, HttpSettings, Readiness};
use resilient_orchestrator::store;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::oneshot;

use orders::self_filling;

/// Only its totals are read, so it is there for the bytes and costs the times a little.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const WORKERS: usize = 10_000;

/// Longer than a bench takes.
const WAIT: Duration = Duration::from_secs(60);

fn main() {
    over_sockets();
    divan::main();
}

/// What was allocated for so many that wait is in the columns of the profile; it is divided by
/// ten thousand.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn ten_thousand_polls_begin_to_wait(bencher: Bencher<'_, '_>) {
    let runner = actix::System::new();
    let orchestrator = runner.block_on(system());
    bencher.bench_local(|| {
        runner.block_on(async {
            let mut polls: Vec<Pin<Box<dyn Future<Output = ()>>>> = (0..WORKERS)
                .map(|number| Box::pin(wait(orchestrator.clone(), number)) as Pin<Box<_>>)
                .collect();
            for poll in &mut polls {
                let waits = poll.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(waits.is_pending());
            }
            polls
        })
    });
    leave(runner);
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn yardstick_ten_thousand_oneshots_wait(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        let mut waiters: Vec<_> = (0..WORKERS)
            .map(|_| {
                let (sender, waiter) = oneshot::channel::<()>();
                let wait = async move { drop(waiter.await) };
                (sender, Box::pin(wait) as Pin<Box<dyn Future<Output = ()>>>)
            })
            .collect();
        for (_, waiter) in &mut waiters {
            let waits = waiter
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(waits.is_pending());
        }
        waiters
    });
}

/// From the command to the last answer: one stream for each of ten thousand workers.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn one_plan_wakes_ten_thousand_polls(bencher: Bencher<'_, '_>) {
    let runner = actix::System::new();
    let orchestrator = runner.block_on(system());
    bencher
        .with_inputs(|| {
            runner.block_on(async {
                let polls =
                    (0..WORKERS).map(|number| actix::spawn(wait(orchestrator.clone(), number)));
                let polls: Vec<_> = polls.collect();
                tokio::task::yield_now().await;
                polls
            })
        })
        .bench_local_values(|polls| {
            runner.block_on(async {
                orchestrator.execute(streams()).await.expect("streams");
                join_all(polls).await
            })
        });
    leave(runner);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn yardstick_the_same_plan_and_nobody_waits(bencher: Bencher<'_, '_>) {
    let runner = actix::System::new();
    let orchestrator = runner.block_on(system());
    bencher.bench_local(|| {
        runner
            .block_on(orchestrator.execute(streams()))
            .expect("streams");
    });
    leave(runner);
}

/// Ten thousand actors are not told one by one that it is over.
fn leave(runner: actix::SystemRunner) {
    std::mem::forget(runner);
}

/// Ten thousand instances that are filled by themselves, in memory.
async fn system() -> Arc<Orchestrator> {
    Arc::new(system_with_metrics(&mut Registry::default()).await)
}

async fn system_with_metrics(metrics: &mut Registry) -> Orchestrator {
    let store = store::open("memory:", WAIT, 2).await.expect("a store");
    let loaded = Loaded::from_store(store).await.expect("an empty fleet");
    let (orchestrator, _) = start(
        loaded,
        &SystemSettings::default(),
        Clock::real(Duration::ZERO),
        Telemetry::new(metrics),
        &Placement::Here,
    );
    let registrations =
        (0..WORKERS).map(|number| orchestrator.execute(self_filling(name(number), 1_000)));
    for registered in join_all(registrations).await {
        registered.expect("a registration");
    }
    orchestrator
}

fn name(number: usize) -> InstanceId {
    InstanceId::new(format!("worker-{number:05}"))
}

fn streams() -> SaveStreams {
    let name = |number| format!("stream-{}-{number}", fastrand::u64(..));
    let spec = |number| StreamSpec {
        name: Some(name(number).into()),
        ..StreamSpec::default()
    };
    SaveStreams {
        streams: (0..WORKERS).map(spec).collect(),
    }
}

/// Waits for what comes after the version the instance has now.
async fn wait(orchestrator: Arc<Orchestrator>, number: usize) {
    let id = name(number);
    let entry = orchestrator.registry().get(&id).expect("it is registered");
    let version = entry.standing().assignment_version;
    drop(entry);
    let poll = AssignmentPoll {
        id,
        incarnation: None,
        version,
        wait: WAIT,
    };
    let update = orchestrator.await_changes(poll).await.expect("an answer");
    let told = update.standing.assignment_version;
    assert!(told > version && told > AssignmentVersion::default());
}

// Over sockets

/// Both ends of a connection are open files of this process.
fn affordable_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Refused: then those there are have to do.
    let _ = setrlimit(Resource::Nofile, raised);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    (files.saturating_sub(200) / 2).min(WORKERS)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// Resident memory, in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn over_sockets() {
    let connections = affordable_connections();
    let runner = actix::System::new();
    let report = runner.block_on(async move {
        let mut metrics = Registry::default();
        let orchestrator = system_with_metrics(&mut metrics).await;
        let readiness = Readiness::new();
        readiness.set(true);
        let settings = HttpSettings::default();
        let state = AppState::new(orchestrator.clone(), settings, readiness, metrics);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = http::bind(any).expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = http::serve(listener, state).expect("a server");
        let handle = server.handle();
        actix::spawn(server);
        let asked = actix_web::web::block(move || connect_and_wait(address, connections));
        let (clients, idle, waiting) = asked.await.expect("clients");
        let began = now();
        let heard = actix_web::web::block(move || {
            clients.into_iter().for_each(hear);
            began.elapsed()
        });
        orchestrator.execute(streams()).await.expect("streams");
        let took = heard.await.expect("answers");
        handle.stop(false).await;
        let each = |kib: u64| kib as f64 / connections as f64;
        format!(
            "over loopback, {connections} connections, both ends in this process:\n  \
             idle connection            {:6.2} KiB\n  \
             and a poll waiting on it   {:6.2} KiB more\n  \
             one plan, until all are answered  {:.0} ms\n\n",
            each(idle),
            each(waiting),
            took.as_secs_f64() * 1e3
        )
    });
    leave(runner);
    let _ = std::io::stdout().write_all(report.as_bytes());
}

/// Connects, and then asks on every connection; the growth of memory by each.
fn connect_and_wait(address: SocketAddr, connections: usize) -> (Vec<TcpStream>, u64, u64) {
    let before = resident();
    let mut clients: Vec<TcpStream> = (0..connections)
        .map(|_| TcpStream::connect(address).expect("a connection"))
        .collect();
    waiting(address);
    let idle = resident();
    for (number, client) in clients.iter_mut().enumerate() {
        let id = name(number);
        write!(
            client,
            "GET /instances/{id}/assignments?version=1&wait=60 HTTP/1.1\r\nHost: bench\r\n\r\n"
        )
        .expect("a request");
    }
    while waiting(address) < connections {}
    let all = resident();
    (
        clients,
        idle.saturating_sub(before),
        all.saturating_sub(idle),
    )
}

/// How many polls wait, as the server says; it has read all that came before, too.
fn waiting(address: SocketAddr) -> usize {
    let mut client = TcpStream::connect(address).expect("a connection");
    let request = "GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).expect("a request");
    let mut text = String::new();
    client.read_to_string(&mut text).expect("an answer");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("orchestrator_polls_waiting "));
    line.and_then(|number| number.parse().ok())
        .expect("a number")
}

/// Reads the answer, which must be news.
fn hear(mut client: TcpStream) {
    let mut answer = [0; 15];
    client.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}
