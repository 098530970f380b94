//! A failover, start to end, over real HTTP: the real server in this process, ten workers, a
//! thousand streams, two workers die, and every stream must end up on exactly one living worker.
//!
//! ```text
//! cargo run --release --example failover
//! DATABASE_URL=postgres://user:password@localhost/empty cargo run --release --example failover
//! ```
//!
//! Without `DATABASE_URL` it keeps the fleet in a temporary SQLite file. A database that is given
//! must hold no fleet yet, and is left empty again.

#![expect(clippy::print_stdout, reason = "telling the story is what it is for")]

#[path = "support/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use resilient_orchestrator::domain::events::Event;
use serde_json::{Value, json};

use world::{Api, Embedded, Events, Failure};

const WORKERS: usize = 10;
const STREAMS: usize = 1_000;
const DEAD: usize = 2;
const ROOM: usize = 150;
const BEAT: Duration = Duration::from_millis(250);

fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let sqlite = format!("sqlite://{}", folder.path().join("failover.db").display());
    let url = database_url().unwrap_or(sqlite);
    let server = Embedded::start(&[("DATABASE_URL", &url), ("HEARTBEAT_TIMEOUT", "3")])?;
    let outcome = story(&server);
    server.stop()?;
    outcome
}

fn story(server: &Embedded) -> Result<(), Failure> {
    let api = Api::new(&server.address);
    let before = api.get("/status")?;
    if before["instances"]["total"] != 0 || before["streams"]["total"] != 0 {
        return Err("this database holds a fleet already; the example needs an empty one".into());
    }
    let names: Vec<Value> = (1..=STREAMS)
        .map(|id| json!({"id": id, "name": format!("channel {id}")}))
        .collect();
    api.post("/streams", &json!({ "streams": names }))?;

    let mut workers = Vec::new();
    for number in 0..WORKERS {
        workers.push(Worker::start(&server.address, format!("worker-{number}"))?);
    }
    println!("{STREAMS} streams on {WORKERS} workers:");
    show(&api.owners()?);

    println!("\n{DEAD} workers die. Their silence is noticed after 3 s …");
    let events = server.events.resubscribe();
    let dead: BTreeSet<String> = workers
        .drain(..DEAD)
        .map(Worker::die)
        .collect::<Result<_, _>>()?;
    wait_for_recoveries(events, &dead)?;

    let mut lists = BTreeMap::new();
    for worker in workers {
        let (id, streams) = worker.leave()?;
        lists.insert(id, streams);
    }
    let owners = api.owners()?;
    println!("\n{STREAMS} streams on {} workers:", WORKERS - DEAD);
    show(&owners);
    check(&owners, &lists, &dead)?;
    println!("\nEvery stream is on exactly one living worker, and that worker knows it.");
    clean_up(&api)
}

/// Each stream exactly once, on a living worker, which has been told of exactly those.
fn check(
    owners: &BTreeMap<String, BTreeSet<i64>>,
    lists: &BTreeMap<String, BTreeSet<i64>>,
    dead: &BTreeSet<String>,
) -> Result<(), Failure> {
    let count: usize = owners.values().map(BTreeSet::len).sum();
    let distinct: BTreeSet<i64> = owners.values().flatten().copied().collect();
    if distinct.len() != STREAMS {
        return Err(format!("{} streams are lost", STREAMS - distinct.len()).into());
    }
    if count != STREAMS {
        return Err(format!("{} streams are doubled", count - STREAMS).into());
    }
    if let Some(owner) = owners.keys().find(|owner| dead.contains(*owner)) {
        return Err(format!("{owner} is dead and owns streams").into());
    }
    for (id, list) in lists {
        if owners.get(id) != Some(list) {
            return Err(format!("{id} runs other streams than it should").into());
        }
    }
    Ok(())
}

fn wait_for_recoveries(mut events: Events, dead: &BTreeSet<String>) -> Result<(), Failure> {
    let mut open = dead.clone();
    while !open.is_empty() {
        for dated in events.blocking_recv()?.iter() {
            if let Event::RecoveryEnded {
                instance,
                moved,
                orphaned,
                ..
            } = &dated.event
                && open.remove(instance.as_str())
            {
                println!("  {instance}: {moved} streams moved, {orphaned} wait for room");
            }
        }
    }
    Ok(())
}

fn show(owners: &BTreeMap<String, BTreeSet<i64>>) {
    for (owner, streams) in owners {
        println!("  {owner:<10} {:>4} streams", streams.len());
    }
}

/// Leaves the database as it was found.
fn clean_up(api: &Api) -> Result<(), Failure> {
    for number in 0..WORKERS {
        api.delete(&format!("/instances/worker-{number}"))?;
    }
    for id in 1..=STREAMS {
        api.delete(&format!("/streams/{id}"))?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the example's only setting")]
fn database_url() -> Option<String> {
    std::env::var("DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

/// A worker as it is in the field: registers, asks for streams, beats, learns of new ones by
/// asking.
struct Worker {
    id: String,
    /// Dropped when the worker dies; told when it is to leave in order.
    leave: Sender<()>,
    thread: JoinHandle<Result<BTreeSet<i64>, Failure>>,
}

impl Worker {
    fn start(address: &str, id: String) -> Result<Self, Failure> {
        let api = Api::new(address);
        let mut streams = BTreeSet::new();
        api.post(
            "/register",
            &json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": ROOM}),
        )?;
        ask(&api, &id, STREAMS / WORKERS, &mut streams)?;
        let (leave, left) = mpsc::channel();
        let name = id.clone();
        let thread = thread::spawn(move || {
            loop {
                match left.recv_timeout(BEAT) {
                    Err(RecvTimeoutError::Timeout) => {}
                    // Dead: nothing is said any more.
                    Err(RecvTimeoutError::Disconnected) => return Ok(streams),
                    Ok(()) => {
                        ask(&api, &name, 0, &mut streams)?;
                        return Ok(streams);
                    }
                }
                let beat = json!({"server_id": name, "current_streams": streams.len()});
                api.post("/heartbeat", &beat)?;
                ask(&api, &name, 0, &mut streams)?;
            }
        });
        Ok(Self { id, leave, thread })
    }

    fn die(self) -> Result<String, Failure> {
        drop(self.leave);
        self.thread.join().map_err(|_| "a worker panicked")??;
        Ok(self.id)
    }

    fn leave(self) -> Result<(String, BTreeSet<i64>), Failure> {
        let _ = self.leave.send(());
        let streams = self.thread.join().map_err(|_| "a worker panicked")??;
        Ok((self.id, streams))
    }
}

fn ask(api: &Api, id: &str, count: usize, streams: &mut BTreeSet<i64>) -> Result<(), Failure> {
    let request = json!({"server_id": id, "requested_count": count});
    let answer = api.post("/streams/assign", &request)?;
    for stream in answer["assigned_streams"].as_array().ok_or("no list")? {
        streams.insert(stream.as_i64().ok_or("not an id")?);
    }
    Ok(())
}
