//! How long heartbeats wait when something happens to the leader of two orchestrators, or to their database: real
//! processes, a real PostgreSQL, a fleet of 10,000 instances and 100,000 streams. 100 measured clients send heartbeats by the
//! rules of a worker, of which two are classic; 100 workers of the library run streams beside them. All other instances
//! send a heartbeat often enough not to be late.
//!
//! `cargo bench --bench takeover -- MODE [ROUNDS] [INSTANCES] [STREAMS]`
//!
//! | mode | fault | timeout, instances |
//! | --- | --- | --- |
//! | `kill` | the leader gets SIGKILL | 300 s, 10,000 |
//! | `stop` | it gets SIGSTOP for longer than a lease, then SIGCONT | 15 s, 1,000 |
//! | `planned` | it gets SIGTERM | 300 s, 10,000 |
//! | `step-down` | it is ordered to hand over | 300 s, 10,000 |
//! | `database` | it is cut off from the database | 300 s, 10,000 |
//! | `workers` | it is cut off from workers: nothing changes but for those that turn to the standby | 300 s, 10,000 |
//! | `isolated` | it is cut off from workers and from the standby: it hands over for fitness; a round takes four minutes | 300 s, 10,000 |
//! | `gone` | it is cut off from all, and killed once another one leads | 300 s, 10,000 |
//! | `outage` | all members are cut off from the database, for 30 s | 15 s, 1,000 |
//! | `crash` | the database ends as by a crash, and is started after 30 s | 15 s, 1,000 |
//! | `worker` | a worker ends, and a second later the leader gets SIGKILL | 15 s, 1,000 |
//! | `promoted` | the primary of the database ends, and its standby, which has everything, is promoted | 300 s, 10,000 |
//! | `promoted-lost` | the same, and the standby lacks the last changes | 300 s, 10,000 |
//!
//! A cable that is cut holds back whatever is sent, for as long as it is cut; connections to it are accepted, and none ends.
//! In the modes without cables members and clients reach each other straight. Before each round one half of the clients
//! is sent to either member. After it the member that led is a standby again, as a new process if it has ended.
//!
//! | column | meaning |
//! | --- | --- |
//! | leads | from the fault until `GET /leader` is 200 at the other member; after a promotion, at a member with a later term |
//! | first answer | from the fault to the first 200 at the other member for a heartbeat that was sent after the fault; it may be an echo, or an answer of the leader before |
//! | first answer of the next leader | the same, with a later term and a lease |
//! | longest wait | the longest time between two answers of 200 of one client, of which a pause of 250 ms is its own. If the address of a member is silent, a worker waits for its request limit (4 s) before it turns to the other one |
//! | first saved change | from the moment the database takes writes again to the answer of 200 to a change |
//! | found beyond the timeout | from the last heartbeat of the worker that ended until all its streams have other owners, less the timeout |
//!
//! Clients, members and database share the machine.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a bench that cannot be prepared has nothing to measure"
)]

mod cables;
mod client;
mod clients;
mod databases;
mod faults;
mod fleet;
#[path = "../../examples/support/members.rs"]
mod members;
mod modes;
mod report;
mod rounds;
mod shared;
mod stage;
#[path = "../../tests/support/mod.rs"]
mod support;
mod workers;

use std::path::Path;

use clients::{FIRST_WORKER, WORKERS};
use databases::Databases;
use fleet::{Size, fill};
use members::{Failure, Program, logs, settings};
use modes::Mode;
use rounds::measure;
use stage::Stage;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let Some(mode) = words
        .first()
        .map_or(Some(Mode::Kill), |word| Mode::of(word))
    else {
        let modes = Mode::words();
        eprintln!("usage: takeover {modes} [ROUNDS] [INSTANCES] [STREAMS]");
        std::process::exit(2);
    };
    let number = |place: usize| words.get(place).and_then(|word| word.parse::<i64>().ok());
    let rounds = number(1).and_then(|rounds| usize::try_from(rounds).ok());
    let fewest = i64::try_from(FIRST_WORKER + WORKERS + 1).expect("a number");
    let instances = number(2).unwrap_or(mode.instances()).max(fewest);
    let each = (number(3).unwrap_or(instances * 10) / instances).max(1);
    let room = if mode.has_room() { 2 * each } else { each };
    let size = Size {
        instances,
        each,
        room: u32::try_from(room).expect("room"),
    };
    let folder = tempfile::tempdir().expect("a folder");
    if let Err(failure) = run(folder.path(), mode, size, rounds.unwrap_or(10)) {
        eprintln!("{failure}\n{}", logs(folder.path(), &["a", "b"]));
        std::process::exit(1);
    }
}

/// Prepares a fleet and two members, and measures.
fn run(folder: &Path, mode: Mode, size: Size, rounds: usize) -> Result<(), Failure> {
    let mut databases = Databases::new();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(fill(&databases.url_at(databases.port()), size));
    if mode.is_promotion() {
        databases.add_standby()?;
    }
    let timeout = format!("{}s", mode.timeout().as_secs());
    let program = Program {
        path: env!("CARGO_BIN_EXE_orchestrator").into(),
        variables: settings(&databases.url(), &[("HEARTBEAT_TIMEOUT", &timeout)]),
        folder: folder.to_owned(),
    };
    let mut stage = Stage::start(&program, databases, mode)?;
    measure(&mut stage, mode, size, rounds)
}
