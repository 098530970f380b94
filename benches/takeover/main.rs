//! How long heartbeats wait when the leader of two orchestrators ends: real processes, a real PostgreSQL, a fleet of
//! 10,000 instances and 100,000 streams, and 100 clients that send heartbeats by the rules of a worker, of which two
//! are classic. All other instances send one often enough not to be late.
//!
//! `cargo bench --bench takeover -- MODE [ROUNDS] [INSTANCES] [STREAMS]`
//!
//! | mode | the leader |
//! | --- | --- |
//! | `kill` | gets SIGKILL |
//! | `stop` | gets SIGSTOP for longer than a lease, then SIGCONT; with a timeout of 15 s, and 1,000 instances if no other number is given |
//! | `planned` | gets SIGTERM |
//! | `step-down` | is ordered to hand over |
//!
//! After each round the one that ended is started again as the standby. *First answer* is the time from the fault to
//! the first 200 at the other member for a heartbeat that was sent after the fault; *of a leader* leaves echoes out. *Longest
//! wait* is the longest time between two answers of 200 of one client, of which a pause of 250 ms is its own. Clients and servers share
//! the machine.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench that cannot be prepared has nothing to measure, and prints what it did"
)]

mod clients;
#[path = "../../examples/support/members.rs"]
mod members;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use resilient_orchestrator::domain::instance::Instance;
use resilient_orchestrator::store;
use rustix::process::Signal;
use serde_json::json;

use clients::{Clients, Round};
use members::{Failure, Member, Program, leader, logs, now, owners, pause, settings, until};
use support::fleets::{Draft, assigned, instance, stream};
use support::postgres::Database;

/// How many streams one transaction of the preparation writes.
const BATCH: i64 = 20_000;

const LIMIT: Duration = Duration::from_secs(600);

/// How the leader ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Kill,
    Stop,
    Planned,
    StepDown,
}

impl Mode {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "kill" => Self::Kill,
            "stop" => Self::Stop,
            "planned" => Self::Planned,
            "step-down" => Self::StepDown,
            _ => return None,
        })
    }

    /// A lease of 12 s can be waited for.
    const fn timeout(self) -> Duration {
        match self {
            Self::Stop => Duration::from_secs(15),
            Self::Kill | Self::Planned | Self::StepDown => Duration::from_secs(300),
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let Some(mode) = words
        .first()
        .map_or(Some(Mode::Kill), |word| Mode::of(word))
    else {
        eprintln!("usage: takeover kill|stop|planned|step-down [ROUNDS] [INSTANCES] [STREAMS]");
        std::process::exit(2);
    };
    let number = |place: usize| words.get(place).and_then(|word| word.parse::<i64>().ok());
    let rounds = number(1).unwrap_or(10);
    let usual = if mode == Mode::Stop { 1_000 } else { 10_000 };
    let instances = number(2).unwrap_or(usual).max(200);
    let streams = number(3).unwrap_or(instances * 10);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let database = runtime.block_on(Database::new());
    runtime.block_on(fill(&database.url(), instances, streams));
    let folder = tempfile::tempdir().expect("a folder");
    let timeout = format!("{}s", mode.timeout().as_secs());
    let program = Program {
        path: env!("CARGO_BIN_EXE_orchestrator").into(),
        variables: settings(&database.url(), &[("HEARTBEAT_TIMEOUT", &timeout)]),
        folder: folder.path().to_owned(),
    };
    if let Err(failure) = measure(&program, mode, rounds, instances) {
        eprintln!("{failure}\n{}", logs(folder.path(), &["a", "b"]));
        std::process::exit(1);
    }
}

/// Writes the fleet: each instance runs the same number of streams.
async fn fill(url: &str, instances: i64, streams: i64) {
    let store = store::open(url, LIMIT, 1).await.expect("a store");
    let mut guard = store.begin_term().await.expect("a term");
    let each = (streams / instances).max(1);
    let mut draft = Draft::default();
    for number in 0..instances {
        draft = draft.instance(Instance {
            max_streams: u32::try_from(each).expect("room"),
            ..instance(&name(number))
        });
    }
    let last = each * instances;
    for first in (1..=last).step_by(usize::try_from(BATCH).expect("a batch")) {
        for id in first..(first + BATCH).min(last + 1) {
            draft = draft.stream(stream(id), assigned(&name((id - 1) / each), id));
        }
        let save = std::mem::take(&mut draft).decided(1, last);
        store.save(guard, save).await.expect("it is saved");
        guard = guard.after_save();
    }
    store.close().await.expect("an end");
}

fn name(number: i64) -> String {
    format!("worker-{number:06}")
}

fn measure(program: &Program, mode: Mode, rounds: i64, instances: i64) -> Result<(), Failure> {
    let mut members = vec![Member::start(program, "a")?];
    let mut leading = leader(&members)?;
    members.push(Member::start(program, "b")?);
    members[leading].waits_until_ready(&members[1])?;
    let urls = members.iter().map(|member| member.url.clone()).collect();
    let clients = Clients::start(urls, instances, mode.timeout());
    let started = now();
    until("all clients are answered", || {
        clients.are_answered(started).then_some(())
    })?;
    let before = owners(&members[leading])?;
    println!(
        "{mode:?}: {rounds} rounds, {instances} instances, {} streams, two members",
        before.len()
    );
    let (mut first, mut of_a_leader, mut longest, mut leads) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut failed, mut moved) = (0, 0);
    for round in 1..=rounds {
        let other = 1 - leading;
        // The clients have settled, and the copy of the fleet is given back.
        pause(Duration::from_secs(6));
        clients.begin_round(other);
        let began = now();
        match mode {
            Mode::Kill => members[leading].signal(Signal::KILL)?,
            Mode::Planned => members[leading].signal(Signal::TERM)?,
            Mode::Stop => members[leading].signal(Signal::STOP)?,
            Mode::StepDown => {
                let ordered =
                    members[leading].post("/cluster/step-down", &json!({"reason": "measured"}));
                // The order may be obeyed before a renewal proves its answer.
                let is_withheld =
                    |failure: &Failure| failure.to_string().contains("leadership-unproven");
                ordered
                    .err()
                    .filter(|failure| !is_withheld(failure))
                    .map_or(Ok(()), Err)?;
            }
        }
        until("the other one leads", || {
            members[other].leads().then_some(())
        })?;
        leads.push(began.elapsed());
        if mode == Mode::Stop {
            // Four fifths of the timeout are the lease.
            pause(mode.timeout().saturating_sub(began.elapsed()));
            members[leading].signal(Signal::CONT)?;
        }
        let settled = now();
        until("all clients are answered", || {
            clients.are_answered(settled).then_some(())
        })?;
        let Round {
            first: one,
            first_of_a_leader,
            longest_wait,
        } = clients.end_round(began);
        println!(
            "  round {round}: leads after {:.0} ms, first answer {:.0} ms, of a leader {:.0} ms, longest wait {:.0} ms",
            milliseconds(leads[leads.len() - 1]),
            milliseconds(one),
            milliseconds(first_of_a_leader),
            milliseconds(longest_wait)
        );
        first.push(one);
        of_a_leader.push(first_of_a_leader);
        longest.push(longest_wait);
        let after = owners(&members[other])?;
        moved += after
            .iter()
            .zip(&before)
            .filter(|(now, then)| now != then)
            .count();
        moved += after.len().abs_diff(before.len());
        let (_, status) = members[other].get("/status")?;
        failed += status["instances"]["by_status"]["failed"]
            .as_u64()
            .unwrap_or(0);
        members[leading].start_again()?;
        let (back, ahead) = (&members[leading], &members[other]);
        ahead.waits_until_ready(back)?;
        leading = other;
    }
    for (what, times) in [
        ("leads", &mut leads),
        ("first answer", &mut first),
        ("first answer of a leader", &mut of_a_leader),
        ("longest wait", &mut longest),
    ] {
        times.sort();
        println!(
            "{what}: p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms",
            milliseconds(percentile(times, 50)),
            milliseconds(percentile(times, 99)),
            milliseconds(percentile(times, 100))
        );
    }
    println!(
        "instances failed: {failed}; streams moved: {moved}; exclusive streams that leased clients had to stop: {}; \
         answers that were not 200: {}",
        clients.stopped(),
        clients.refused()
    );
    Ok(())
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(place).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
