//! How long a heartbeat waits while thousands of streams move, and how long a command waits while
//! the moves are planned.
//!
//! Half of 10,000 instances hold 200,000 streams, in a SQLite file; the other half joins. All of them
//! are leased and do what they are told with their next heartbeat: 10,000 a second in all, in an
//! open loop (`open_loop`). The yardsticks, in the same run, are the echo and the same heartbeats
//! while nothing moves. Then a rebalance moves every second stream, 10,000 at a time.
//!
//! `cargo bench --bench moves [-- INSTANCES STREAMS SECONDS]`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

mod open_loop;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use resilient_orchestrator::actors::balance::{OrderRebalance, Rebalanced};
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::domain::commands::RemoveInstance;
use resilient_orchestrator::domain::reason::{RebalanceMethod, RebalanceReason};
use tokio::runtime::Runtime;

use open_loop::fleet::{fill, register, serve_orchestrator};
use open_loop::{
    CONNECTIONS, Classic, Workers, heartbeat, line, load, name, now, report, serve_echo,
};

const SETTINGS: &[(&str, &str)] = &[
    ("MAX_CONCURRENT_MOVES", "10000"),
    ("MAX_MOVES_PER_TARGET", "10"),
    ("REBALANCE", "off"),
];
const WARM_UP: Duration = Duration::from_secs(3);

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let instances = numbers.next().unwrap_or(10_000);
    let streams = numbers.next().unwrap_or(200_000);
    let during = Duration::from_secs(numbers.next().unwrap_or(15) as u64);
    let half = instances / 2;
    let max_streams = u32::try_from(streams.div_ceil(half)).expect("few");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("fleet.db");
    thread::scope(|scope| {
        scope.spawn(|| fill(&file, half, streams, max_streams));
    });
    let echo = serve_echo();
    let classic = |connection| Classic::new(connection, instances);
    load(echo, WARM_UP, classic);
    report("echo", during, load(echo, during, classic));

    let (address, orchestrator) = serve_orchestrator(&file, SETTINGS);
    let runtime = runtime();
    runtime.block_on(register(&orchestrator, half..instances, max_streams));
    // Each instance beats at least once a second, so that all are leased when the plan is made.
    let leased = |connection| Leased::new(connection, instances);
    load(address, WARM_UP, leased);
    report("nothing moves", during, load(address, during, leased));

    runtime.block_on(plan(&orchestrator));
    let watcher = runtime.spawn(watch(orchestrator.clone(), during));
    report("streams move", during, load(address, during, leased));
    runtime.block_on(async { println!("{}", watcher.await.expect("it ends")) });
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

async fn rebalance(orchestrator: &Orchestrator, is_dry_run: bool) -> Rebalanced {
    let order = OrderRebalance {
        method: RebalanceMethod::Smart,
        reason: RebalanceReason::Manual,
        is_dry_run,
    };
    orchestrator
        .rebalance(order)
        .await
        .unwrap_or_else(|_| unreachable!("it is not blocked"))
}

/// Plans without a move, and sends commands that are rejected meanwhile.
async fn plan(orchestrator: &Orchestrator) {
    let planner = orchestrator.clone();
    let began = now();
    let planned = tokio::spawn(async move { rebalance(&planner, true).await });
    let mut waits = Vec::new();
    while !planned.is_finished() {
        let sent = now();
        let rejected = orchestrator
            .execute(RemoveInstance::new("nobody".into()))
            .await;
        assert!(rejected.is_err());
        waits.push(now().duration_since(sent));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let planned = planned.await.expect("an end");
    println!(
        "a plan of {} moves took {} ms",
        planned.moves.len(),
        now().duration_since(began).as_millis()
    );
    line("commands during the plan", waits);
}

/// Orders the rebalance, and returns what moved while heartbeats were measured.
async fn watch(orchestrator: Orchestrator, during: Duration) -> String {
    let end = now() + during;
    let done = rebalance(&orchestrator, false).await;
    let mut under_way = Vec::new();
    while now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let totals = orchestrator.totals().await.expect("totals");
        under_way.push(totals.moves.under_way());
    }
    let busy = under_way.iter().filter(|moves| **moves > 0).count();
    under_way.sort_unstable();
    format!(
        "{} moves began at once; {} were under way at the most, {} in the middle; some were for {:.1} s",
        done.begun,
        under_way.last().copied().unwrap_or_default(),
        under_way
            .get(under_way.len() / 2)
            .copied()
            .unwrap_or_default(),
        busy as f64 / 10.0
    )
}

/// Leased workers that have followed each update by their next heartbeat.
struct Leased {
    numbers: Vec<usize>,
    /// The life of each, once it is known, and the version of the streams that it follows.
    followed: Vec<Cell<(Option<u64>, u64)>>,
    next: Cell<usize>,
    asked: RefCell<VecDeque<usize>>,
}

impl Leased {
    fn new(connection: usize, instances: usize) -> Self {
        let numbers: Vec<usize> = (connection..instances).step_by(CONNECTIONS).collect();
        Self {
            followed: numbers.iter().map(|_| Cell::new((None, 0))).collect(),
            numbers,
            next: Cell::new(0),
            asked: RefCell::new(VecDeque::new()),
        }
    }
}

impl Workers for Leased {
    fn request(&self) -> String {
        let index = self.next.get();
        self.next.set((index + 1) % self.numbers.len());
        self.asked.borrow_mut().push_back(index);
        let (life, version) = self.followed[index].get();
        let life = life.map_or_else(String::new, |life| format!(r#","incarnation":{life}"#));
        let body = format!(
            r#"{{"server_id":"{}","current_streams":10,"status":"active","assignment_version":{version}{life}}}"#,
            name(self.numbers[index]),
        );
        heartbeat(&body)
    }

    fn answered(&self, answer: &[u8]) {
        let index = self.asked.borrow_mut().pop_front().expect("it was asked");
        let text = std::str::from_utf8(answer).expect("text");
        let version = number(text, "assignment_version").expect("each answer has a version");
        self.followed[index].set((number(text, "incarnation"), version));
    }
}

/// The first number of this name in a text of JSON.
fn number(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(&format!(r#""{name}":"#))?;
    let end = rest.find(|next: char| !next.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}
