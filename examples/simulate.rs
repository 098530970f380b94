//! Thousands of seeded worlds: `cargo run --release --example simulate -- --seeds 10000`.
//!
//! Each is the world of `tests/simulation/main.rs`: real actors and real workers' machines, and
//! everything else goes wrong. One line per seed with `--lines`; at the end, how long two workers
//! ran a stream and how long none did. A seed that fails is told with what broke, and fails again
//! in exactly the same way with `--first SEED --seeds 1`.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for developers, whose output is its purpose"
)]

#[path = "../tests/simulation/checks.rs"]
mod checks;
#[path = "../tests/simulation/drained.rs"]
mod drained;
#[path = "../tests/faults/mod.rs"]
mod faults;
#[path = "../tests/simulation/history.rs"]
mod history;
#[path = "../tests/simulation/leased.rs"]
mod leased;
#[path = "../tests/simulation/life.rs"]
mod life;
#[path = "../tests/simulation/nature.rs"]
mod nature;
#[path = "../tests/simulation/network.rs"]
mod network;
#[path = "../tests/simulation/operator.rs"]
mod operator;
#[path = "../tests/support/commands.rs"]
mod orders;
#[path = "../tests/simulation/planned.rs"]
mod planned;
#[path = "../tests/simulation/quarantined.rs"]
mod quarantined;
#[path = "../tests/simulation/report.rs"]
mod report;
#[path = "../tests/simulation/returned.rs"]
mod returned;
#[path = "../tests/simulation/run.rs"]
mod run;
#[path = "../tests/simulation/scene.rs"]
#[expect(dead_code, reason = "only the tests break rules")]
mod scene;
#[path = "../tests/simulation/standstill.rs"]
mod standstill;
#[path = "../tests/simulation/watch.rs"]
mod watch;
#[path = "../tests/simulation/wire.rs"]
mod wire;
#[path = "../tests/simulation/worker.rs"]
mod worker;
#[path = "../tests/simulation/world.rs"]
mod world;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;

use report::Report;
use run::{Outcome, simulate};
use scene::Scene;

/// Simulates worlds in which everything goes wrong, and looks whether the program keeps its word.
#[derive(Debug, Clone, Parser)]
struct Options {
    /// How many worlds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How long things go wrong in each, in simulated minutes.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// How many worlds at a time; by default one per processor.
    #[arg(long)]
    threads: Option<usize>,
    /// Prints a line for each seed.
    #[arg(long)]
    lines: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.unwrap_or(processors).max(1);
    let next = AtomicU64::new(options.first);
    let report = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&options, &next, &report));
        }
    });
    let report = report.into_inner().unwrap();
    eprintln!();
    println!("{report}");
    if report.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn work(options: &Options, next: &AtomicU64, report: &Mutex<Report>) {
    let end = options.first + options.seeds;
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let scene = Scene::usual(seed, Duration::from_secs(options.minutes * 60));
        let outcome = simulate(scene);
        let mut report = report.lock().unwrap();
        if options.lines
            && let Ok(outcome) = &outcome
        {
            let Outcome { summary, hash, .. } = outcome;
            println!("seed {seed}: {summary}, history {hash:016x}, ok");
        }
        report.add(seed, outcome);
        let (done, failed) = (report.worlds, report.failures.len());
        // A line that is written over and over is for eyes, not for files.
        if std::io::stderr().is_terminal() {
            eprint!("\r{done} of {} worlds, {failed} failed", options.seeds);
        } else if done % 100 == 0 {
            eprintln!("{done} of {} worlds, {failed} failed", options.seeds);
        }
    }
}
