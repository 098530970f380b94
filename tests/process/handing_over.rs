//! A planned change of the leader, with real processes on one PostgreSQL: the successor has the fleet before it leads, and
//! whatever fails on the way, one of the orchestrators leads in the end.

use crate::ground::{Calling, Ground, wait_until_ready};
use crate::support::process::Orchestrator;
use rustix::process::Signal;
use serde_json::{Value, json};

/// No instance fails while a test goes on.
const TIMEOUT: (&str, &str) = ("HEARTBEAT_TIMEOUT", "60s");

/// A leader, and standbys that are ready to take over. There is a stream, and a worker that runs it.
fn lead<const N: usize>(ground: &Ground, standbys: [&str; N]) -> (Orchestrator, [Orchestrator; N]) {
    let mut leader = ground.process("a", &[TIMEOUT]);
    leader.wait_for_line("ready on ");
    let streams = json!({"streams": [{"id": 1, "name": "s1"}]});
    assert_eq!(leader.post("/streams", &streams).0, 200);
    let body = json!({"server_id": "w", "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
    assert_eq!(leader.post("/register", &body).0, 200);
    let ask = json!({"server_id": "w", "requested_count": 1});
    assert_eq!(leader.post("/streams/assign", &ask).0, 200);
    let started = standbys.map(|node| ground.process(node, &[TIMEOUT]));
    for node in standbys {
        wait_until_ready(&leader, node);
    }
    (leader, started)
}

fn owner(process: &Orchestrator) -> (Value, Value) {
    let (status, answer) = process.get("/streams/assignments");
    assert_eq!(status, 200, "{answer}");
    let line = &answer["assignments"][0];
    (line["server_id"].clone(), line["epoch"].clone())
}

fn step_down(leader: &Orchestrator) {
    let (status, answer) = leader.post("/cluster/step-down", &json!({"reason": "an exercise"}));
    assert_eq!(status, 200, "{answer}");
}

/// Heartbeats and orders at the standby go on, and the successor uses what it read before. Returns the processes.
fn hands_over_with_a_copy(
    ground: &Ground,
    order: impl Fn(&Orchestrator),
    finish: impl Fn(&mut Orchestrator),
) -> [Orchestrator; 2] {
    let (mut leader, [mut standby]) = lead(ground, ["b"]);
    let before = owner(&leader);
    // Who does not know the secret is carried to the leader, which has no such route.
    for path in ["/cluster/v1/prepare", "/cluster/v1/released"] {
        let body = json!({"term": 1, "version": 1});
        assert_eq!(standby.post(path, &body).0, 404);
    }
    let beats = Calling::begin(
        &standby,
        "/heartbeat",
        |_| json!({"server_id": "w", "current_streams": 1, "status": "active"}),
    );
    // The fleet changes all the time, so that the first copy is of no use.
    let changes = Calling::begin(
        &standby,
        "/streams",
        |count| json!({"streams": [{"id": 2, "name": format!("renamed {count}")}]}),
    );
    order(&leader);
    standby.wait_for_line("the leader is about to hand over: reading the fleet ahead");
    standby.wait_for_line("taking over: the term is free");
    standby.wait_for_line("the fleet was read ahead (");
    standby.wait_for_line("ready on ");
    finish(&mut leader);
    for line in [
        "`b` has read the fleet ahead (",
        "takes no more changes, at version ",
    ] {
        leader.line_seen(line);
    }
    for calls in [beats, changes] {
        let bad = calls.end();
        assert!(bad.is_empty(), "{bad:?}");
    }
    assert_eq!(owner(&standby), before);
    let (_, found) = standby.get("/resilience/consistency");
    assert_ne!(found["consistent"], json!(false), "{found}");
    [leader, standby]
}

#[test]
fn a_leader_that_steps_down_hands_over_to_a_standby_that_has_the_fleet() {
    let ground = Ground::new();
    let stands_by = |leader: &mut Orchestrator| {
        let line = leader.wait_until_it_stands_by();
        assert!(line.contains("node `b` leads with term "), "{line}");
    };
    let [old, new] = hands_over_with_a_copy(&ground, step_down, stands_by);
    wait_until_ready(&new, "a");
    assert_eq!(owner(&old), owner(&new), "it answers by proxy");
}

#[test]
fn a_leader_that_is_stopped_hands_over_to_a_standby_that_has_the_fleet() {
    let ground = Ground::new();
    let ends = |leader: &mut Orchestrator| {
        let status = leader.wait_for_its_end();
        assert_eq!(status.code(), Some(0));
    };
    hands_over_with_a_copy(&ground, |leader| leader.signal(Signal::TERM), ends);
}

#[test]
fn a_leader_whose_successor_ends_meanwhile_leaves_its_term_to_another_standby() {
    let ground = Ground::new();
    let (mut leader, [first, mut second]) = lead(&ground, ["b", "c"]);
    let before = owner(&leader);
    // The successor does not answer, and then it ends.
    first.signal(Signal::STOP);
    let (status, answer) = leader.post(
        "/cluster/step-down",
        &json!({"to": "b", "reason": "an exercise"}),
    );
    assert_eq!(status, 200, "{answer}");
    first.kill();
    second.wait_for_line("ready on ");
    leader.wait_until_it_stands_by();
    leader.line_seen("`b` has not read the fleet ahead");
    assert_eq!(owner(&second), before);
    wait_until_ready(&second, "a");
}

#[test]
fn a_leader_whose_successor_never_answers_ends_in_time_and_releases_its_term() {
    let ground = Ground::new();
    let (leader, [mut standby]) = lead(&ground, ["b"]);
    let before = owner(&leader);
    standby.signal(Signal::STOP);
    leader.signal(Signal::TERM);
    let ended = leader.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(
        ended.log.contains("has not read the fleet ahead in time"),
        "{}",
        ended.log
    );
    assert!(
        ended.log.contains("gave up the leadership"),
        "{}",
        ended.log
    );
    standby.signal(Signal::CONT);
    standby.wait_for_line("ready on ");
    assert_eq!(owner(&standby), before);
}

#[test]
fn a_leader_that_is_killed_while_it_hands_over_is_replaced() {
    let ground = Ground::new();
    let (leader, [mut standby]) = lead(&ground, ["b"]);
    let before = owner(&leader);
    standby.signal(Signal::STOP);
    step_down(&leader);
    leader.kill();
    standby.signal(Signal::CONT);
    standby.wait_for_line("ready on ");
    assert_eq!(owner(&standby), before);
}
