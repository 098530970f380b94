//! How long a heartbeat waits in a large fleet, from the start on: pauses, rate and memory.
//!
//! 100,000 instances and 1,000,000 streams are written to a SQLite file, and the orchestrator is
//! started on it. A generator then sends 10,000 heartbeats a second over 64 connections
//! (`open_loop`). The yardstick, right before it in the same run, is the echo. Generator and servers
//! share the machine, so only the comparison means something.
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

mod open_loop;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::domain::commands::RemoveInstance;

use open_loop::fleet::{fill, registration, serve_orchestrator};
use open_loop::{Classic, line, load, now, report, serve_echo};

const MAX_STREAMS: u32 = 20;
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
            scope.spawn(|| fill(&file, instances, streams, MAX_STREAMS));
        });
        println!(
            "{instances} instances and {streams} streams written in {:.1} s",
            now().duration_since(began).as_secs_f64()
        );
    }
    let idle = resident();

    let echo = serve_echo();
    let workers = |connection| Classic::new(connection, instances);
    load(echo, Duration::from_secs(2), workers);
    report("echo", ECHO_FOR, load(echo, ECHO_FOR, workers));

    let began = now();
    let (address, orchestrator) = serve_orchestrator(&file, &[]);
    println!(
        "ready {:.2} s after its start; {} MiB resident more than before, {} MiB at the most in all",
        now().duration_since(began).as_secs_f64(),
        status_kib("VmRSS:").saturating_sub(idle) / 1_024,
        status_kib("VmHWM:") / 1_024,
    );
    report("heartbeats", during, load(address, during, workers));
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
                    let registered = orchestrator.execute(registration(&id, MAX_STREAMS)).await;
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
