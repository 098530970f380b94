//! Three orchestrators on one PostgreSQL, and what their workers notice when they end: the leader is killed, then
//! all three are restarted in turn.
//!
//! ```text
//! cargo run --release --example cluster
//! ```
//!
//! It starts a PostgreSQL of its own from the server's binaries on this machine, and ends everything that it started.
//! With `TEST_DATABASE_URL` the database is made on that server instead.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "telling the story is what it is for"
)]

#[path = "support/members.rs"]
mod members;
#[path = "../tests/support/postgres.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    reason = "what tests need, of which this is a part"
)]
mod postgres;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use orchestrator_client::{Notice, Permit, Runner, StopReason, StreamAssignment, Worker};
use rustix::process::Signal;

use members::{Failure, Member, Program, leader, logs, now, owners, settings, until};
use postgres::Database;

const NODES: [&str; 3] = ["a", "b", "c"];
const WORKERS: usize = 12;
const STREAMS: usize = 60;

/// Between two heartbeats of a worker.
const BEAT: Duration = Duration::from_millis(500);

/// Set for a process of this program that is an orchestrator.
const MEMBER: &str = "CLUSTER_EXAMPLE_MEMBER";

#[expect(
    clippy::disallowed_methods,
    reason = "this program starts itself as a member"
)]
fn is_member() -> bool {
    std::env::var_os(MEMBER).is_some()
}

fn main() -> ExitCode {
    if is_member() {
        return resilient_orchestrator::cli::main();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let database = runtime.block_on(Database::new());
    let folder = tempfile::tempdir()?;
    // A worker has a minute, so a silent leader is replaced after 3 s.
    let mut variables = settings(&database.url(), &[("HEARTBEAT_TIMEOUT", "60s")]);
    variables.push((MEMBER.to_owned(), "1".to_owned()));
    let program = Program {
        path: std::env::current_exe()?,
        variables,
        folder: folder.path().to_owned(),
    };
    story(&program).map_err(|failure| {
        let logs = logs(folder.path(), &NODES);
        format!("{failure}\n{logs}").into()
    })
}

fn story(program: &Program) -> Result<(), Failure> {
    println!("Three orchestrators on one PostgreSQL …");
    let mut members = vec![Member::start(program, NODES[0])?];
    let first = leader(&members)?;
    for node in &NODES[1..] {
        members.push(Member::start(program, node)?);
    }
    for member in &members[1..] {
        members[first].waits_until_ready(member)?;
    }
    println!("  `{}` leads, two stand by.", members[first].node);

    let heard = Arc::new(Mutex::new(Heard::default()));
    let workers = workers(&members, &heard)?;
    until("all workers are registered", || {
        let (_, status) = members[first].get("/status").ok()?;
        (status["instances"]["by_status"]["active"] == WORKERS).then_some(())
    })?;
    members[first].save_streams(STREAMS)?;
    until("each stream is run, and none moves", || {
        let (_, status) = members[first].get("/status").ok()?;
        let moves = status["moves"].as_object()?;
        let is_calm = moves.values().all(|count| count == 0);
        (is_calm && locked(&heard).running.len() == STREAMS).then_some(())
    })?;
    *locked(&heard) = Heard::default();
    println!("  {WORKERS} workers, which know all three, run {STREAMS} exclusive streams.");
    let before = owners(&members[first])?;

    println!("\nThe leader is killed (SIGKILL) …");
    let report = fault(&mut members, first, Signal::KILL, &heard)?;
    println!("{report}");
    checked(&members, &before, &heard)?;

    println!("\nAll three are restarted in turn (SIGTERM), the leader last …");
    let last = leader(&members)?;
    let standbys = (0..NODES.len()).filter(|place| *place != last);
    for place in standbys.chain([last]) {
        let node = members[place].node.clone();
        let report = fault(&mut members, place, Signal::TERM, &heard)?;
        println!("`{node}` is restarted:\n{report}");
    }
    checked(&members, &before, &heard)?;

    for worker in workers {
        worker.leave()?;
    }
    for member in &members {
        member.signal(Signal::TERM)?;
    }
    for member in &mut members {
        member.wait()?;
    }
    println!("\nAll of them have ended in order.");
    Ok(())
}

/// Ends a member, waits until all workers are answered again, and starts it again as a standby.
fn fault(
    members: &mut [Member],
    place: usize,
    signal: Signal,
    heard: &Mutex<Heard>,
) -> Result<String, Failure> {
    let led = members[place].leads();
    let (began, began_at) = (now(), wall_time());
    members[place].signal(signal)?;
    let mut report = String::new();
    let next = if led {
        let others = members.iter().enumerate().filter(|(it, _)| *it != place);
        let others: Vec<(usize, &Member)> = others.collect();
        let next = until("another one leads", || {
            let mut leading = others.iter().filter(|(_, member)| member.leads());
            leading.next().map(|(next, _)| *next)
        })?;
        report.push_str(&format!(
            "  `{}` leads after {:.1} s.\n",
            members[next].node,
            began.elapsed().as_secs_f64()
        ));
        next
    } else {
        leader(members)?
    };
    until("all workers are heard", || {
        let (_, answer) = members[next].get("/instances").ok()?;
        let instances = answer["instances"].as_array()?;
        let is_heard = |at: &str| at > began_at.as_str();
        let all = instances
            .iter()
            .all(|one| one["last_heartbeat"].as_str().is_some_and(is_heard));
        (all && instances.len() == WORKERS).then_some(())
    })?;
    report.push_str(&format!(
        "  Each worker is answered after {:.1} s at the latest.",
        began.elapsed().as_secs_f64()
    ));
    members[place].start_again()?;
    members[next].waits_until_ready(&members[place])?;
    report.push_str(&format!(
        "\n  The member is a standby again after {:.1} s; a worker turned to another member {} times.",
        began.elapsed().as_secs_f64(),
        std::mem::take(&mut locked(heard).unreachable)
    ));
    Ok(report)
}

/// Nothing has moved, no instance has failed, and no worker has stopped a stream.
fn checked(
    members: &[Member],
    before: &[(i64, String, i64)],
    heard: &Mutex<Heard>,
) -> Result<(), Failure> {
    let leader = &members[leader(members)?];
    if owners(leader)? != before {
        return Err("streams have moved".into());
    }
    let (_, status) = leader.get("/status")?;
    if status["instances"]["by_status"]["active"] != WORKERS {
        return Err(format!("not all workers are active: {status}").into());
    }
    let stops = locked(heard).stops;
    if stops > 0 {
        return Err(format!("workers stopped streams {stops} times").into());
    }
    println!("  0 streams moved, 0 workers failed, 0 streams were stopped.");
    Ok(())
}

/// The workers; each asks another member first.
fn workers(members: &[Member], heard: &Arc<Mutex<Heard>>) -> Result<Vec<Worker>, Failure> {
    let urls: Vec<&str> = members.iter().map(|member| member.url.as_str()).collect();
    (0..WORKERS)
        .map(|number| {
            let mut urls = urls.clone();
            urls.rotate_left(number % NODES.len());
            let worker = Worker::builder(urls.join(","), format!("worker-{number}"))
                .max_streams(u32::try_from(STREAMS)?)
                .heartbeat_interval(BEAT);
            Ok(worker.start(Streams(heard.clone()))?)
        })
        .collect()
}

/// What the workers did.
#[derive(Debug, Default)]
struct Heard {
    running: BTreeSet<i64>,
    stops: usize,
    unreachable: usize,
}

/// The streams of a worker, which are no work here.
struct Streams(Arc<Mutex<Heard>>);

impl Runner for Streams {
    fn start(&mut self, stream: &StreamAssignment, _: Permit) -> Result<(), Failure> {
        locked(&self.0).running.insert(stream.id);
        Ok(())
    }

    fn stop(&mut self, stream: &StreamAssignment, reason: StopReason) {
        let mut heard = locked(&self.0);
        heard.running.remove(&stream.id);
        heard.stops += usize::from(reason != StopReason::Leaving);
    }

    fn notice(&mut self, notice: &Notice) {
        if let Notice::Unreachable(_) = notice {
            locked(&self.0).unreachable += 1;
        }
    }
}

fn locked(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wall's time, as the orchestrators on this machine write it.
#[expect(
    clippy::disallowed_methods,
    reason = "an example looks at the program from outside"
)]
fn wall_time() -> String {
    humantime::format_rfc3339_micros(SystemTime::now()).to_string()
}
