//! A standby answers by proxy: what a worker sees of a leader that it never calls itself.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::ground::{Ground, leads, process, wait_for_admission};
use crate::patience::{now, until};
use crate::support::process::{Orchestrator, expect_errors};
use crate::support::proxy::Proxy;
use crate::support::worker::{Kind, WorkerProcess};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A leader and a standby that it has admitted and that reaches it.
fn pair(ground: &Ground, more: &[(&str, &str)]) -> (Orchestrator, Orchestrator) {
    let mut leader = ground.process("a", more);
    leader.wait_for_line("ready on ");
    let standby = ground.process("b", more);
    wait_until_ready(&standby);
    wait_for_admission(&leader, 1);
    (leader, standby)
}

fn wait_until_ready(process: &Orchestrator) {
    until("the process is ready", || {
        let (status, _) = process.try_get("/ready")?;
        (status == 200).then_some(())
    });
}

fn register(process: &Orchestrator, id: &str) -> Value {
    let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
    let (status, answer) = process.post("/register", &body);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn leased_beat(id: &str, life: &Value, version: i64) -> Value {
    json!({
        "server_id": id, "current_streams": 1, "status": "active",
        "incarnation": life, "assignment_version": version,
    })
}

fn classic_beat(id: &str) -> Value {
    json!({"server_id": id, "current_streams": 1, "status": "active"})
}

fn save_streams(process: &Orchestrator, count: i64) {
    let streams: Vec<Value> = (1..=count)
        .map(|id| json!({"id": id, "name": format!("s{id}")}))
        .collect();
    let (status, answer) = process.post("/streams", &json!({ "streams": streams }));
    assert_eq!(status, 200, "{answer}");
}

fn ask(process: &Orchestrator, id: &str, life: Option<&Value>) -> Value {
    let body = json!({"server_id": id, "requested_count": 1, "incarnation": life});
    let (status, answer) = process.post("/streams/assign", &body);
    assert_eq!(status, 200, "{answer}");
    answer["assigned_streams"].clone()
}

/// The owner and the epoch of each stream, by the book of who answers.
fn owners(process: &Orchestrator) -> Vec<(i64, String, i64)> {
    let (status, answer) = process.get("/streams/assignments");
    assert_eq!(status, 200, "{answer}");
    let mut owners: Vec<_> = answer["assignments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let id = line["stream_id"].as_i64().unwrap();
            let owner = line["server_id"].as_str().unwrap().to_owned();
            (id, owner, line["epoch"].as_i64().unwrap())
        })
        .collect();
    owners.sort();
    owners
}

/// A worker that sends heartbeats without a pause, and counts the answers by their status.
struct Beating {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicUsize>,
    task: JoinHandle<Vec<String>>,
}

impl Beating {
    /// To the addresses that `pick` names before each heartbeat.
    fn begin(agent: ureq::Agent, address: String, body: Value) -> Self {
        Self::picking(agent, move || vec![address.clone()], body)
    }

    /// As a load balancer does it: to the first address that answers `/ready`, of those that `pick` names.
    fn picking(
        agent: ureq::Agent,
        pick: impl Fn() -> Vec<String> + Send + 'static,
        body: Value,
    ) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (ends, count): (_, Arc<AtomicUsize>) = (stop.clone(), Arc::clone(&good));
        let task = thread::spawn(move || {
            let mut bad = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                for address in pick() {
                    let url = format!("{address}/heartbeat");
                    match agent.post(&url).send_json(&body) {
                        Ok(mut answer) if answer.status() == 200 => {
                            let _ = answer.body_mut().read_to_string();
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(mut answer) => {
                            let status = answer.status();
                            let text = answer.body_mut().read_to_string();
                            bad.push(format!("{status}: {}", text.unwrap_or_default()));
                        }
                        Err(error) => bad.push(error.to_string()),
                    }
                }
                thread::park_timeout(Duration::from_millis(20));
            }
            bad
        });
        Self { stop, good, task }
    }

    fn good(&self) -> usize {
        self.good.load(Ordering::Relaxed)
    }

    /// Returns the answers that were not 200.
    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.join().unwrap()
    }
}

fn metric(process: &Orchestrator, series: &str) -> f64 {
    let (agent, address) = process.client();
    let mut answer = agent.get(format!("{address}/metrics")).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let line = text.lines().find(|line| line.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("no `{series}` in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// How long a request waits for a leader: half of what a worker's request may take at a timeout of 60 s.
const LONGEST_HOLD: Duration = Duration::from_millis(1_500);

#[test]
fn workers_live_through_a_standby_and_the_end_of_their_leader() {
    expect_errors(&["alert system_health"]);
    let ground = Ground::new();
    let (leader, mut standby) = pair(&ground, &[("HEARTBEAT_TIMEOUT", "60s")]);
    save_streams(&standby, 3);
    // A leased and a classic worker, which know the standby only.
    let life = register(&standby, "leased")["incarnation"].clone();
    register(&standby, "classic");
    assert_eq!(
        standby
            .post("/heartbeat", &leased_beat("leased", &life, 0))
            .0,
        200
    );
    assert_eq!(ask(&standby, "leased", Some(&life)), json!([1]));
    assert_eq!(ask(&standby, "classic", None), json!([2]));
    let (status, beaten) = standby.post("/heartbeat", &leased_beat("leased", &life, 0));
    assert_eq!(status, 200, "{beaten}");
    let lease = beaten["lease_seconds"].as_f64().unwrap();
    assert!(lease > 44.0 && lease <= 48.0, "{beaten}");
    let version = beaten["assignment_version"].as_i64().unwrap();
    // A stream is released, and one is moved by order.
    let release = json!({"server_id": "classic", "stream_ids": [2]});
    assert_eq!(standby.post("/streams/release", &release).0, 200);
    assert_eq!(ask(&standby, "classic", None), json!([3]));
    let (status, moved) = standby.post(
        "/streams/move",
        &json!({"moves": [{"stream_id": 3, "to": "leased"}]}),
    );
    assert_eq!(status, 200, "{moved}");
    let before = owners(&standby);
    assert_eq!(owners(&leader), before);
    assert_eq!(before.len(), 2, "{before:?}");

    let (agent, address) = standby.client();
    let beats = [
        leased_beat("leased", &life, version),
        classic_beat("classic"),
    ];
    let beating = beats.map(|beat| Beating::begin(agent.clone(), address.clone(), beat));
    until("heartbeats flow", || {
        beating.iter().all(|beats| beats.good() > 10).then_some(())
    });
    let held = standby.client();
    leader.kill();
    // A read waits for the next leader, too: until it leads, or, on a busy machine, for as long as it may wait.
    until("a read is answered by the next leader", || {
        let sent = now();
        let (status, answer) = get(&held, "/streams/assignments");
        if status != 200 {
            let waited = now().duration_since(sent);
            assert_eq!(status, 503, "{answer}");
            assert!(waited >= LONGEST_HOLD, "refused after {waited:?}: {answer}");
        }
        (status == 200).then_some(())
    });
    standby.wait_for_line("ready on ");
    let so_far = beating.each_ref().map(Beating::good);
    until("heartbeats flow again", || {
        let went_on = beating
            .iter()
            .zip(so_far)
            .all(|(beats, before)| beats.good() > before + 10);
        went_on.then_some(())
    });
    for beats in beating {
        let bad = beats.end();
        assert!(bad.is_empty(), "{bad:?}");
    }
    assert_eq!(owners(&standby), before, "nothing moved");
    let (_, totals) = standby.get("/status");
    assert_eq!(
        totals["instances"]["by_status"]["failed"],
        json!(0),
        "{totals}"
    );
    let (_, found) = standby.get("/resilience/consistency");
    assert_ne!(found["consistent"], json!(false), "{found}");
}

fn get((agent, address): &(ureq::Agent, String), path: &str) -> (u16, String) {
    let mut answer = agent.get(format!("{address}{path}")).call().unwrap();
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(64 * 1024 * 1024);
    (status, body.read_to_string().unwrap())
}

#[test]
fn real_workers_that_know_only_the_standby_keep_their_streams() {
    expect_errors(&["alert system_health"]);
    let ground = Ground::new();
    let (leader, mut standby) = pair(&ground, &[]);
    let mut workers = [Kind::Rust, Kind::Python].map(|kind| {
        let name = format!("{kind:?}").to_lowercase();
        (kind != Kind::Python || crate::support::worker::has_python())
            .then(|| WorkerProcess::registered(kind, standby.address(), &name))
    });
    let there = workers.iter().flatten().count() as i64;
    save_streams(&standby, there * 2);
    until("the streams are assigned", || {
        (owners(&standby).len() as i64 == there * 2).then_some(())
    });
    let before = owners(&standby);
    leader.kill();
    standby.wait_for_line("ready on ");
    assert_eq!(owners(&standby), before);
    for worker in workers.iter_mut().flatten() {
        for line in worker.unexpected() {
            assert!(line.starts_with("start "), "{line}");
        }
    }
    for worker in workers.into_iter().flatten() {
        let ended = worker.leave();
        assert!(ended.status.success(), "{}", ended.error);
    }
}

#[test]
fn two_members_are_restarted_in_turn_without_a_lost_heartbeat() {
    let ground = Ground::new();
    let (mut leader, mut standby) = pair(&ground, &[("HEARTBEAT_TIMEOUT", "60s")]);
    let life = register(&standby, "w")["incarnation"].clone();
    save_streams(&standby, 1);
    assert_eq!(
        standby.post("/heartbeat", &leased_beat("w", &life, 0)).0,
        200
    );
    assert_eq!(ask(&standby, "w", Some(&life)), json!([1]));
    let before = owners(&standby);
    for round in ["first", "second", "third", "fourth"] {
        let (agent, address) = standby.client();
        let beats = Beating::begin(agent, address, leased_beat("w", &life, 0));
        until("heartbeats flow", || (beats.good() > 5).then_some(()));
        leader.signal(Signal::TERM);
        standby.wait_for_line("ready on ");
        let so_far = beats.good();
        until("heartbeats flow again", || {
            (beats.good() > so_far + 5).then_some(())
        });
        let bad = beats.end();
        assert!(bad.is_empty(), "{round}: {bad:?}");
        let node = leader.wait();
        assert_eq!(node.status.code(), Some(0), "{}", node.log);
        // The one that ended comes back as the standby of the other.
        let name = if round == "first" || round == "third" {
            "a"
        } else {
            "b"
        };
        let again = ground.process(name, &[("HEARTBEAT_TIMEOUT", "60s")]);
        wait_until_ready(&again);
        wait_for_admission(&standby, 1);
        leader = standby;
        standby = again;
        assert_eq!(owners(&standby), before, "{round}");
    }
}

#[test]
fn a_heartbeat_is_echoed_while_the_leader_hangs_and_the_next_leader_hears_of_it() {
    expect_errors(&["alert system_health"]);
    let ground = Ground::new();
    // Requests may take 0.6 s here, and the leader is replaced after 1 s.
    let quick = [("HEARTBEAT_TIMEOUT", "12s")];
    let (mut leader, mut standby) = pair(&ground, &quick);
    let life = register(&standby, "w")["incarnation"].clone();
    let (_, beaten) = standby.post("/heartbeat", &leased_beat("w", &life, 0));
    assert!(!beaten["term"].is_null(), "{beaten}");
    leader.signal(Signal::STOP);
    let (status, echo) = standby.post("/heartbeat", &leased_beat("w", &life, 0));
    assert_eq!(status, 200, "{echo}");
    let expected = json!({
        "status": "heartbeat_updated", "incarnation": life, "lease_seconds": 0,
        "assignment_version": 0,
    });
    assert_eq!(echo, expected);
    // Without a version an echo would make the library forget what it has.
    let bare =
        json!({"server_id": "w", "current_streams": 0, "status": "active", "incarnation": life});
    let (status, refused) = standby.post("/heartbeat", &bare);
    assert!(
        status == 503 || refused["term"].is_i64(),
        "{status}: {refused}"
    );
    if !leads(&standby) {
        assert!(metric(&standby, "orchestrator_echoes_total") >= 1.0);
        assert_eq!(standby.get("/health").0, 200);
    }
    standby.wait_for_line("ready on ");
    until("the echoed heartbeat is known", || {
        let (_, instance) = standby.get("/instances/w");
        let data = instance.get("data").unwrap_or(&instance);
        (data["status"] == "active").then_some(())
    });
    leader.signal(Signal::CONT);
    leader.wait_until_it_stands_by();
    until("the heartbeat is answered through the one that led", || {
        let beat = leased_beat("w", &life, 0);
        (leader.try_post("/heartbeat", &beat)?.0 == 200).then_some(())
    });
}

#[test]
fn a_standby_that_reaches_nothing_says_so() {
    expect_errors(&["alert "]);
    let ground = Ground::new();
    let database = Proxy::in_front_of(ground.server.port());
    let direct = format!("127.0.0.1:{}", ground.server.port());
    let through = format!("127.0.0.1:{}", database.port());
    let url = ground.database.url().replace(&direct, &through);
    let mut leader = ground.process("a", &[("HEARTBEAT_TIMEOUT", "60s")]);
    leader.wait_for_line("ready on ");
    let standby = process(
        ground.folder.path(),
        &url,
        "b",
        &[("HEARTBEAT_TIMEOUT", "60s")],
    );
    wait_until_ready(&standby);
    let life = register(&standby, "w")["incarnation"].clone();
    database.freeze();
    // Cut off from the database only, it carries on.
    let beat = leased_beat("w", &life, 0);
    assert_eq!(standby.post("/heartbeat", &beat).0, 200);
    leader.kill();
    let (status, echo) = standby.post("/heartbeat", &beat);
    assert_eq!((status, &echo["lease_seconds"]), (200, &json!(0)), "{echo}");
    until("heartbeats are refused", || {
        let (status, answer) = standby.post("/heartbeat", &beat);
        assert!(status == 200 || status == 503, "{answer}");
        (status == 503).then_some(())
    });
    assert_eq!(standby.get("/health").0, 503);
    assert_eq!(standby.get("/ready").0, 503);
    assert_eq!(standby.get("/livez").0, 200);
}

#[test]
fn forged_headers_change_nothing() {
    let ground = Ground::new();
    let (leader, standby) = pair(&ground, &[("HEARTBEAT_TIMEOUT", "60s")]);
    register(&leader, "w");
    let secret = ground.secret();
    assert_eq!(secret.len(), 32);
    for process in [&leader, &standby] {
        let (agent, address) = process.client();
        let mut answers = Vec::new();
        for given in ["", "0123456789abcdef0123456789abcdef"] {
            let answer = agent
                .post(format!("{address}/heartbeat"))
                .header("orchestrator-forwarded", "b 1")
                .header("orchestrator-age-ms", "59000")
                .header("orchestrator-moment", "1 1")
                .header("orchestrator-secret", given)
                .send_json(classic_beat("w"))
                .unwrap();
            answers.push(answer.status().as_u16());
        }
        assert_eq!(answers, [200, 200]);
        let (_, instance) = process.get("/instances/w");
        let data = instance.get("data").unwrap_or(&instance);
        assert_eq!(
            data["status"], "active",
            "the forged age made it late: {instance}"
        );
        let unknown = agent
            .post(format!("{address}/cluster/v1/heard"))
            .send_json(json!([]))
            .unwrap();
        assert_eq!(unknown.status().as_u16(), 404);
    }
    // No member tells the secret.
    for path in ["/cluster", "/leader", "/settings", "/logs", "/metrics"] {
        for process in [&leader, &standby] {
            let (_, text) = get(&process.client(), path);
            assert!(!text.contains(&secret), "{path}");
        }
    }
}

#[test]
fn a_request_is_carried_once_and_never_in_a_circle() {
    let ground = Ground::new();
    let (leader, standby) = pair(&ground, &[("HEARTBEAT_TIMEOUT", "60s")]);
    register(&leader, "w");
    let secret = ground.secret();
    let forwarded = |process: &Orchestrator, moment: &str| {
        let (agent, address) = process.client();
        let mut request = agent
            .post(format!("{address}/register"))
            .header("orchestrator-forwarded", "c 1")
            .header("orchestrator-secret", &secret);
        if !moment.is_empty() {
            request = request.header("orchestrator-moment", moment);
        }
        let body = json!({"server_id": "w", "ip": "127.0.0.1", "port": 9000});
        let mut answer = request.send_json(body).unwrap();
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_to_string().unwrap())
    };
    let (status, refused) = forwarded(&standby, "");
    assert_eq!(status, 503, "{refused}");
    assert!(refused.contains("`a` leads"), "{refused}");
    // The leader takes what is young, and refuses what was on its way for longer than a worker waits.
    let (_, cluster) = leader.get("/cluster");
    let run = cluster["run"].as_i64().unwrap();
    let (status, taken) = forwarded(&leader, &format!("{run} {}", i64::MAX));
    assert_eq!(status, 200, "{taken}");
    for late in [
        format!("{run} -3600000"),
        format!("{} {}", run ^ 1, i64::MAX),
    ] {
        let (status, refused) = forwarded(&leader, &late);
        assert_eq!(status, 503, "{late}: {refused}");
    }
}

#[test]
fn standbys_that_take_each_other_for_the_leader_answer_503() {
    expect_errors(&["alert system_health"]);
    let ground = Ground::new();
    // The leader is reached through a proxy, which leads to a standby once the leader has ended.
    let mut first = ground.process("a", &[("CLUSTER_ADDRESS", "127.0.0.1:1")]);
    first.wait_for_line("ready on ");
    let address = first.address().trim_start_matches("http://").to_owned();
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    let circle = Proxy::in_front_of(port);
    first.kill();
    let through = format!("127.0.0.1:{}", circle.port());
    let horizon = ("CLUSTER_FAILSAFE", "1h");
    let mut leader = ground.process("a", &[("CLUSTER_ADDRESS", &through), horizon]);
    leader.wait_for_line("ready on ");
    let port_of = |process: &Orchestrator| -> u16 {
        process
            .address()
            .rsplit(':')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    circle.redirect(port_of(&leader));
    let standby = ground.process("b", &[horizon]);
    wait_until_ready(&standby);
    circle.redirect(port_of(&standby));
    leader.signal(Signal::STOP);
    leader.kill();
    let (status, refused) = standby.post("/register", &json!({"server_id": "w"}));
    let took_over = leads(&standby);
    assert!(status == 503 || took_over, "{status}: {refused}");
    let (agent, address) = standby.client();
    let mut answer = agent.get(format!("{address}/status")).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let status = answer.status().as_u16();
    assert!(status == 503 || leads(&standby), "{status}: {text}");
}

#[test]
fn an_event_stream_and_a_long_poll_pass_through_a_standby() {
    let ground = Ground::new();
    let (leader, standby) = pair(&ground, &[("HEARTBEAT_TIMEOUT", "60s")]);
    let address = standby.address().trim_start_matches("http://").to_owned();
    let mut events = TcpStream::connect(&address).unwrap();
    events
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let question = "GET /resilience/events/stream HTTP/1.1\r\nhost: x\r\n\r\n";
    events.write_all(question.as_bytes()).unwrap();
    let mut lines = BufReader::new(events.try_clone().unwrap());
    let mut head = String::new();
    lines.read_line(&mut head).unwrap();
    assert!(head.contains("200"), "{head}");
    let life = register(&leader, "w")["incarnation"].clone();
    let mut line = String::new();
    while !line.contains("instance_registered") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the stream ended");
    }
    // A long poll hears of a stream that is assigned meanwhile.
    let (_, beaten) = leader.post("/heartbeat", &leased_beat("w", &life, 0));
    let version = beaten["assignment_version"].as_i64().unwrap();
    let held = standby.client();
    let path = format!("/instances/w/assignments?version={version}&wait=30s&incarnation={life}");
    let poll = thread::spawn(move || get(&held, &path));
    until("the poll waits at the leader", || {
        (metric(&leader, "orchestrator_polls_waiting") >= 1.0).then_some(())
    });
    save_streams(&leader, 1);
    assert_eq!(ask(&leader, "w", Some(&life)), json!([1]));
    let (status, told) = poll.join().unwrap();
    assert_eq!(status, 200, "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(
        told["assignment_version"].as_i64().unwrap() > version,
        "{told}"
    );
}

#[test]
fn ten_megabytes_pass_both_ways_through_a_standby() {
    let ground = Ground::new();
    let (leader, standby) = pair(&ground, &[("HEARTBEAT_TIMEOUT", "60s")]);
    let note = "x".repeat(500);
    for batch in 0..2 {
        let streams: Vec<Value> = (0..9_000)
            .map(|number| {
                let id = batch * 9_000 + number + 1;
                let url = format!("http://source/{id}/{note}{note}");
                json!({"id": id, "name": format!("s{id}"), "url": url})
            })
            .collect();
        let body = json!({ "streams": streams });
        assert!(body.to_string().len() > 9_000_000);
        let (status, answer) = standby.post("/streams", &body);
        assert_eq!(
            status,
            200,
            "{}",
            answer.to_string().get(..500).unwrap_or_default()
        );
    }
    let path = "/streams?limit=10000&urls=full";
    let (status, through) = get(&standby.client(), path);
    assert_eq!(status, 200);
    assert!(through.len() > 9_000_000, "{}", through.len());
    assert_eq!(get(&leader.client(), path), (200, through));
    // A body that is too large is refused by the leader, and the standby lives.
    let huge = json!({"streams": [], "more": "x".repeat(17 * 1024 * 1024)});
    assert_eq!(standby.post("/streams", &huge).0, 413);
    assert_eq!(standby.get("/status").0, 200);
}

#[test]
fn a_standby_carries_whatever_the_leader_answers() {
    let ground = Ground::new();
    let (leader, standby) = pair(&ground, &[("HEARTBEAT_TIMEOUT", "60s")]);
    register(&leader, "w");
    for path in [
        "/status",
        "/instances",
        "/instances/w",
        "/instances/nobody",
        "/no/such/route",
    ] {
        let ((status, _), (carried, answer)) = (leader.get(path), standby.get(path));
        assert_eq!(status, carried, "{path}: {answer}");
    }
    let (agent, address) = standby.client();
    let answer = agent
        .get(format!("{address}/instances/w"))
        .header("x-request-id", "id-1")
        .call()
        .unwrap();
    assert_eq!(answer.headers()["orchestrator-leader"], leader.address());
    assert_eq!(answer.headers()["x-request-id"], "id-1");
    let head = agent.head(format!("{address}/instances")).call().unwrap();
    assert_eq!(head.status().as_u16(), 200);
    assert!(head.headers().contains_key("content-length"));
    let bad = standby.post("/register", &json!({"server_id": 7}));
    assert_eq!(bad.0, 422, "{}", bad.1);
    // The pages about a process are its own.
    for path in ["/cluster", "/leader"] {
        assert_eq!(standby.get(path).1["node"], "b", "{path}");
    }
    assert_eq!(standby.get("/leader").0, 503);
    assert_eq!(standby.get("/health").0, 200);
    assert!(
        metric(
            &standby,
            "orchestrator_proxied_requests_total{outcome=\"answered\"}"
        ) > 5.0
    );
    let mut silent = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    silent
        .write_all(b"POST /heartbeat HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        .unwrap();
    drop(silent);
    let mut old = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    old.write_all(b"GET /status HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    old.read_to_string(&mut text).unwrap();
    assert!(
        text.starts_with("HTTP/1.0 200") || text.starts_with("HTTP/1.1 200"),
        "{text}"
    );
}
