//! A leader that another one replaces goes on as a standby, in the same process and at the same port.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::ground::{Calling, Ground, leads, process, wait_until_ready};
use crate::patience::{now, until};
use crate::support::process::Orchestrator;
use rustix::process::Signal;
use serde_json::{Value, json};

/// How often each of two processes gives the term to the other.
const CHANGES: usize = 5;

/// No instance fails while a test goes on.
const TIMEOUT: (&str, &str) = ("HEARTBEAT_TIMEOUT", "300s");

/// Two orchestrators, of which the first leads and the second is ready to. A worker is registered.
fn pair(ground: &Ground) -> [Orchestrator; 2] {
    let mut leader = ground.process("a", &[TIMEOUT]);
    leader.wait_for_line("ready on ");
    let body = json!({"server_id": "w", "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
    assert_eq!(leader.post("/register", &body).0, 200);
    let standby = ground.process("b", &[TIMEOUT]);
    wait_until_ready(&leader, "b");
    [leader, standby]
}

fn beat(_: u64) -> Value {
    json!({"server_id": "w", "current_streams": 0, "status": "active"})
}

fn step_down(leader: &Orchestrator) {
    let (status, answer) = leader.post("/cluster/step-down", &json!({"reason": "an exercise"}));
    assert_eq!(status, 200, "{answer}");
}

/// Has the one lead and the other stand by, once the other is ready.
fn change(leader: &mut Orchestrator, next: &mut Orchestrator, node: &str) {
    wait_until_ready(leader, node);
    step_down(leader);
    next.wait_for_line("ready on ");
    leader.wait_until_it_stands_by();
    until("the standby reaches the next leader", || {
        (leader.try_get("/ready")?.0 == 200).then_some(())
    });
}

fn last_heartbeat(process: &Orchestrator) -> Option<String> {
    let (_, instance) = process.try_get("/instances/w")?;
    let data = instance.get("data").unwrap_or(&instance);
    data["last_heartbeat"].as_str().map(str::to_owned)
}

#[test]
fn a_leader_that_steps_down_carries_heartbeats_as_a_standby_and_leads_again() {
    let ground = Ground::new();
    let [mut first, mut second] = pair(&ground);
    let (pid, run) = (first.process_id(), first.get("/cluster").1["run"].clone());
    change(&mut first, &mut second, "b");
    assert!(first.runs() && first.process_id() == pid);
    let (_, seen) = first.get("/cluster");
    assert_eq!(
        (&seen["role"], &seen["node"]),
        (&json!("standby"), &json!("a"))
    );
    assert_ne!(seen["run"], run, "another run");
    assert_eq!(seen["leader"]["node"], "b", "{seen}");
    // A heartbeat reaches the leader through it.
    let before = last_heartbeat(&second);
    until("the leader has heard it", || {
        assert_eq!(first.post("/heartbeat", &beat(0)).0, 200);
        (last_heartbeat(&second) > before).then_some(())
    });
    assert_eq!(first.get("/instances/w").0, 200);
    let term = seen["term"].as_i64().unwrap();
    change(&mut second, &mut first, "a");
    assert!(leads(&first));
    let (_, seen) = first.get("/cluster");
    assert_eq!(seen["term"], term + 1, "{seen}");
    assert_eq!(second.post("/heartbeat", &beat(0)).0, 200);
}

/// Opens connections again and again; returns those that were not opened.
struct Connecting {
    is_over: Arc<AtomicBool>,
    task: thread::JoinHandle<Vec<String>>,
}

impl Connecting {
    fn begin(process: &Orchestrator) -> Self {
        let address = process.address().trim_start_matches("http://");
        let address: SocketAddr = address.parse().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        let task = thread::spawn(move || {
            let mut refused = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let opened = TcpStream::connect(address);
                refused.extend(opened.err().map(|error| error.to_string()));
                thread::park_timeout(Duration::from_millis(5));
            }
            refused
        });
        Self { is_over, task }
    }

    fn end(self) -> Vec<String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.join().unwrap()
    }
}

/// The names of the threads of a process, and the number of its open files.
fn held(process: &Orchestrator) -> (Vec<String>, usize) {
    let folder = format!("/proc/{}", process.process_id());
    let threads = fs::read_dir(format!("{folder}/task")).unwrap();
    let names = threads.filter_map(|thread| {
        let name = fs::read_to_string(thread.ok()?.path().join("comm")).ok()?;
        Some(name.trim().to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    let files = fs::read_dir(format!("{folder}/fd")).unwrap();
    (names, files.count())
}

#[test]
fn ten_changes_in_turn_lose_no_heartbeat_refuse_no_connection_and_leave_nothing_behind() {
    let ground = Ground::new();
    let [mut first, mut second] = pair(&ground);
    // The first changes are the measure for the threads and files of a standby and a leader.
    change(&mut first, &mut second, "b");
    change(&mut second, &mut first, "a");
    let measure = [held(&first), held(&second)];
    let beats = [&first, &second].map(|process| Calling::begin(process, "/heartbeat", beat));
    let connections = [&first, &second].map(Connecting::begin);
    for _ in 0..CHANGES {
        change(&mut first, &mut second, "b");
        change(&mut second, &mut first, "a");
    }
    for calls in beats {
        let bad = calls.end();
        assert!(bad.is_empty(), "{bad:?}");
    }
    for connecting in connections {
        let refused = connecting.end();
        assert!(refused.is_empty(), "{refused:?}");
    }
    // Threads that wait for work come and go by the pool's own rules; what each change leaves behind adds up.
    for (process, (threads, files)) in [&first, &second].into_iter().zip(measure) {
        until("no change has left threads or files behind", || {
            let now = held(process);
            (now.0.len() < threads.len() + CHANGES && now.1 < files + CHANGES).then_some(())
        });
    }
    assert!(first.runs() && second.runs());
    assert_eq!(first.get("/resilience/consistency").1["consistent"], true);
}

#[test]
fn a_signal_in_the_middle_of_the_change_ends_the_process_in_order() {
    let ground = Ground::new();
    let [mut leader, mut standby] = pair(&ground);
    // The successor does not answer, so the leader waits for it.
    standby.signal(Signal::STOP);
    step_down(&leader);
    leader.wait_for_line("POST /cluster/step-down was answered 200");
    let began = now();
    leader.signal(Signal::TERM);
    let ended = leader.wait();
    let took = now().duration_since(began);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(took < Duration::from_secs(11), "{took:?}");
    for line in ["shutting down", "gave up the leadership of this database"] {
        assert!(ended.log.contains(line), "{line} in {}", ended.log);
    }
    assert!(!ended.log.contains("goes on as a standby"), "{}", ended.log);
    standby.signal(Signal::CONT);
    standby.wait_for_line("ready on ");
}

#[test]
fn a_signal_once_the_process_is_a_standby_ends_it_in_order() {
    let ground = Ground::new();
    let [mut leader, mut standby] = pair(&ground);
    step_down(&leader);
    leader.wait_until_it_stands_by();
    leader.signal(Signal::TERM);
    let ended = leader.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    standby.wait_for_line("ready on ");
    assert!(leads(&standby));
}

#[test]
fn settings_that_are_read_during_the_change_are_in_force_afterwards() {
    let ground = Ground::new();
    let folder = tempfile::tempdir().unwrap();
    let write = |most: &str| {
        let line = format!("MAX_CAPACITY_UTILIZATION={most}\n");
        fs::write(folder.path().join(".env"), line).unwrap();
    };
    write("0.8");
    let url = ground.database.url();
    let mut leader = process(folder.path(), &url, "a", &[TIMEOUT]);
    leader.wait_for_line("ready on ");
    let mut standby = ground.process("b", &[TIMEOUT]);
    wait_until_ready(&leader, "b");
    standby.signal(Signal::STOP);
    step_down(&leader);
    leader.wait_for_line("POST /cluster/step-down was answered 200");
    write("0.4");
    leader.signal(Signal::HUP);
    leader.wait_for_line("SIGHUP: MAX_CAPACITY_UTILIZATION is 0.4 now");
    standby.signal(Signal::CONT);
    leader.wait_until_it_stands_by();
    standby.wait_for_line("ready on ");
    let in_force = |process: &Orchestrator| {
        let (status, shown) = process.get("/settings");
        assert_eq!(status, 200, "{shown}");
        let settings = shown["settings"].as_array().unwrap().clone();
        let mut found = settings.into_iter();
        let found = found.find(|one| one["name"] == "MAX_CAPACITY_UTILIZATION");
        found.unwrap()["value"].clone()
    };
    assert_eq!(in_force(&leader), "0.4");
    // The next reload reaches the standby, and the leader that it becomes.
    write("0.5");
    leader.signal(Signal::HUP);
    leader.wait_for_line("SIGHUP: MAX_CAPACITY_UTILIZATION is 0.5 now");
    until("the standby shows it", || {
        (in_force(&leader) == "0.5").then_some(())
    });
    change(&mut standby, &mut leader, "a");
    assert_eq!(in_force(&leader), "0.5");
}
