//! Several orchestrators on one PostgreSQL: one leads, the others wait, and a deposed one does no
//! harm.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::ground::{Ground, block_on, leads, process, wait_for_admission};
use crate::patience::{now, until};
use crate::support::process::expect_errors;
use crate::support::process::{Orchestrator, command};
use crate::support::proxy::Proxy;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

fn register(orchestrator: &Orchestrator, id: &str) -> Value {
    let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
    let (status, answer) = orchestrator.post("/register", &body);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn beat(orchestrator: &Orchestrator, id: &str, life: &Value, version: i64) -> (u16, Value) {
    let body = json!({
        "server_id": id, "current_streams": 1, "status": "active",
        "incarnation": life, "assignment_version": version,
    });
    orchestrator.post("/heartbeat", &body)
}

fn term(orchestrator: &Orchestrator) -> i64 {
    orchestrator.get("/cluster").1["term"].as_i64().unwrap()
}

#[test]
fn a_leader_cut_off_from_its_database_starts_denies_and_judges_nothing_after_a_take_over() {
    expect_errors(&["alert leader_unproven"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let cable = Proxy::in_front_of(ground.server.port());
    let slow = [("HEARTBEAT_TIMEOUT", "60s")];
    let mut old = process(folder.path(), &ground.through(&cable), "old", &slow);
    old.wait_for_line("ready on ");
    let streams = json!({"streams": [{"id": 1, "name": "s1"}]});
    assert_eq!(old.post("/streams", &streams).0, 200);
    let life = register(&old, "w1")["incarnation"].clone();
    let (_, first) = beat(&old, "w1", &life, 0);
    let lease = first["lease_seconds"].as_f64().unwrap();
    assert!(lease > 44.0 && lease <= 48.0, "{first}");
    let ask = json!({"server_id": "w1", "requested_count": 1, "incarnation": life});
    let (_, taken) = old.post("/streams/assign", &ask);
    assert_eq!(taken["assigned_streams"], json!([1]), "{taken}");
    let (_, beaten) = beat(&old, "w1", &life, 0);
    let version = beaten["assignment_version"].as_i64().unwrap();

    let mut new = process(folder.path(), &ground.database.url(), "new", &slow);
    new.wait_for_line("standby");
    wait_for_admission(&old, 1);
    cable.freeze();
    new.wait_for_line("ready on ");
    assert!(leads(&new));

    // The worker lets the stream go at the new leader, which gives it to another one.
    let release = json!({"server_id": "w1", "stream_ids": [1], "incarnation": life});
    let (status, released) = new.post("/streams/release", &release);
    assert_eq!(status, 200, "{released}");
    register(&new, "w2");
    let (_, second) = new.post(
        "/streams/assign",
        &json!({"server_id": "w2", "requested_count": 1}),
    );
    assert_eq!(second["assigned_streams"], json!([1]), "{second}");

    // The old one renews nothing that outlives its proof, and hands nothing out.
    let (status, renewed) = beat(&old, "w1", &life, version);
    assert_eq!(status, 200, "{renewed}");
    assert!(
        renewed["lease_seconds"].as_f64().unwrap() < 48.0,
        "{renewed}"
    );
    let (status, told) = beat(&old, "w1", &life, 0);
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["lease_seconds"], 0, "{told}");
    assert!(told["assign"].is_null() && told["full"].is_null(), "{told}");
    let (status, asked) = old.post("/streams/assign", &ask);
    assert_eq!(status, 503, "{asked}");
    // It denies nobody.
    let (status, denied) = old.post(
        "/heartbeat",
        &json!({"server_id": "w2", "current_streams": 1, "status": "active"}),
    );
    assert_eq!(status, 503, "{denied}");
    let older = json!(life.as_i64().unwrap() + 1);
    assert_eq!(beat(&old, "w1", &older, 0).0, 503);
    // It judges nothing.
    let claims = json!({"claims": [{"stream_id": 1, "epoch": 1}]});
    assert_eq!(old.post("/streams/verify", &claims).0, 503);
    assert_eq!(new.post("/streams/verify", &claims).0, 200);

    cable.thaw();
    old.wait_for_line("another orchestrator has taken over this database");
    becomes_a_standby_of(&mut old, &new);
    // Now it answers what the new leader says.
    until("the new leader answers through it", || {
        (old.try_post("/streams/verify", &claims)?.0 == 200).then_some(())
    });
}

/// Waits until an orchestrator that led stands by, in the same process, for the one that leads now.
fn becomes_a_standby_of(old: &mut Orchestrator, leader: &Orchestrator) {
    let (pid, run) = (old.process_id(), run_of(leader));
    old.wait_until_it_stands_by();
    until("it reaches the leader", || {
        (old.try_get("/ready")?.0 == 200).then_some(())
    });
    assert_eq!(old.process_id(), pid);
    let (_, seen) = old.get("/cluster");
    assert_eq!(seen["role"], "standby", "{seen}");
    assert_eq!(seen["leader"]["node"], leader.get("/cluster").1["node"]);
    let node = seen["node"].as_str().unwrap();
    until("the leader knows it under its new run", || {
        let (_, cluster) = leader.try_get("/cluster")?;
        let members = cluster["members"].as_array()?;
        let member = members.iter().find(|member| member["node"] == node)?;
        (member["run"] == seen["run"] && member["state"] == "ready").then_some(())
    });
    assert!(leads(leader) && !leads(old));
    assert_eq!(run_of(leader), run, "the leader is the same");
}

fn run_of(orchestrator: &Orchestrator) -> Value {
    orchestrator.get("/cluster").1["run"].clone()
}

#[test]
fn a_suspended_leader_that_wakes_after_a_take_over_goes_on_as_a_standby() {
    expect_errors(&["alert system_health"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let quick = [("HEARTBEAT_TIMEOUT", "3s")];
    let mut old = process(folder.path(), &url, "old", &quick);
    old.wait_for_line("ready on ");
    register(&old, "w1");
    let mut new = process(folder.path(), &url, "new", &quick);
    new.wait_for_line("standby");
    wait_for_admission(&old, 1);
    let before = term(&old);
    old.signal(Signal::STOP);
    new.wait_for_line("ready on ");
    assert!(term(&new) > before);
    old.signal(Signal::CONT);
    // It denies nobody. The new leader does, and only through the standby that it has become.
    let (agent, address) = old.client();
    let unknown = json!({"server_id": "unknown", "current_streams": 0, "status": "active"});
    let answer = agent
        .post(format!("{address}/heartbeat"))
        .send_json(&unknown);
    if let Ok(answer) = answer {
        let leader = answer.headers().get("orchestrator-leader");
        let is_carried = leader.is_some_and(|url| url == new.address());
        let status = answer.status().as_u16();
        assert!(status == 503 || status == 404 && is_carried, "{answer:?}");
    }
    becomes_a_standby_of(&mut old, &new);
    // It takes over again as any standby does.
    let after = term(&new);
    new.kill();
    old.wait_for_line("ready on ");
    assert_eq!(term(&old), after + 1);
}

#[test]
fn two_units_that_restart_by_themselves_do_not_depose_each_other() {
    expect_errors(&["alert system_health"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let quick = [("HEARTBEAT_TIMEOUT", "3s")];
    let mut first = process(folder.path(), &url, "a", &quick);
    first.wait_for_line("ready on ");
    let mut second = process(folder.path(), &url, "b", &quick);
    second.wait_for_line("standby");
    wait_for_admission(&first, 1);
    let before = term(&first);
    first.kill();
    second.wait_for_line("ready on ");
    let after = term(&second);
    assert_eq!(after, before + 1, "one take-over");
    let mut first = process(folder.path(), &url, "a", &quick);
    first.wait_for_line("standby");
    wait_for_admission(&second, 1);
    // A worker that ends is found although a second unit came and went.
    register(&second, "w1");
    until("the silent worker has failed", || {
        let (_, instance) = second.try_get("/instances/w1")?;
        let data = instance.get("data").unwrap_or(&instance);
        (data["status"] == "failed").then_some(())
    });
    assert_eq!(term(&second), after, "nobody was deposed");
    assert!(!leads(&first));
}

#[test]
fn a_standby_answers_everybody_by_proxy_and_says_who_leads() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = process(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    register(&leader, "w1");
    let mut standby = process(folder.path(), &url, "b", &[]);
    standby.wait_for_line("standby");
    assert_eq!(standby.get("/livez").0, 200);
    until("the standby reaches the leader", || {
        (standby.try_get("/ready")?.0 == 200).then_some(())
    });
    let (status, answer) = standby.get("/leader");
    assert_eq!(status, 503, "{answer}");
    for path in ["/ready", "/leader"] {
        let (_, answer) = standby.get(path);
        assert!(answer.to_string().contains("`a`"), "{path}: {answer}");
    }
    for (path, expected) in [
        ("/status", 200),
        ("/instances/w1", 200),
        ("/instances/nobody", 404),
    ] {
        let (status, answer) = standby.get(path);
        assert_eq!(status, expected, "{path}: {answer}");
    }
    for (path, expected) in [
        ("/heartbeat", 422),
        ("/register", 422),
        ("/streams/assign", 200),
        ("/no/such/route", 404),
    ] {
        let (status, answer) = standby.post(path, &json!({"server_id": "w1"}));
        assert_eq!(status, expected, "{path}: {answer}");
    }
    let (status, cluster) = standby.get("/cluster");
    assert_eq!(status, 200);
    assert_eq!(cluster["role"], "standby");
    assert_eq!(cluster["leader"]["node"], "a");
    let (status, seen) = leader.get("/leader");
    assert_eq!((status, &seen["node"]), (200, &json!("a")));
    // A clean stop gives the row up: nobody has to wait.
    leader.signal(Signal::TERM);
    let began = now();
    standby.wait_for_line("ready on ");
    assert!(now().duration_since(began) < Duration::from_secs(15));
    assert_eq!(leader.wait().status.code(), Some(0));
    assert!(leads(&standby));
}

#[test]
fn an_operator_orders_a_standby_to_take_over() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = process(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    let mut standby = process(folder.path(), &url, "b", &[]);
    standby.wait_for_line("standby");
    let said = command(folder.path(), &[])
        .args(["cluster", "take-over", "--url", standby.address()])
        .args(["--reason", "an exercise"])
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    standby.wait_for_line("ready on ");
    assert!(standby.has_seen("an exercise"));
    let told = until("the order is an event", || {
        event(&standby, "takeover_ordered")
    });
    assert_eq!(told["node"], "b", "{told}");
    assert_eq!(told["reason"], "an exercise", "{told}");
    let terms = (told["from_term"].as_i64(), told["to_term"].as_i64());
    assert_eq!(terms, (Some(term(&standby) - 1), Some(term(&standby))));
    assert_eq!(told["actor"], "operator", "{told}");
    assert_eq!(told["origin"]["address"], "127.0.0.1", "{told}");
    assert!(told["origin"]["request_id"].is_string(), "{told}");
    becomes_a_standby_of(&mut leader, &standby);
    // Without a reason nothing is ordered.
    let (status, refused) = standby.post("/cluster/take-over", &json!({}));
    assert_eq!(status, 422, "{refused}");
}

/// The newest event of that kind.
fn event(orchestrator: &Orchestrator, kind: &str) -> Option<Value> {
    let path = format!("/resilience/events?order=desc&limit=1&kind={kind}");
    let (_, page) = orchestrator.try_get(&path)?;
    page["events"].as_array()?.first().cloned()
}

fn metrics_of(orchestrator: &Orchestrator) -> String {
    let (agent, address) = orchestrator.client();
    let mut answer = agent.get(format!("{address}/metrics")).call().unwrap();
    answer.body_mut().read_to_string().unwrap()
}

/// The state of a member, as an orchestrator sees it.
fn state_of(orchestrator: &Orchestrator, node: &str) -> Option<String> {
    let (_, cluster) = orchestrator.try_get("/cluster")?;
    let members = cluster["members"].as_array()?;
    let member = members.iter().find(|member| member["node"] == node)?;
    member["state"].as_str().map(str::to_owned)
}

#[test]
fn a_leader_hands_over_to_a_named_standby_and_becomes_a_standby() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = process(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    let life = register(&leader, "w1")["incarnation"].clone();

    // No other one is there, the request is bad, the name is unknown: nothing changes.
    let reason = json!({"reason": "an exercise"});
    let (status, refused) = leader.post("/cluster/step-down", &reason);
    assert_eq!(status, 409, "{refused}");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("start a standby")
    );
    let (status, refused) = leader.post("/cluster/step-down", &json!({"to": 7}));
    assert_eq!(status, 422, "{refused}");
    let fields: Vec<&str> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|error| error["field"].as_str())
        .collect();
    assert_eq!(fields, ["to", "reason"], "{refused}");

    let mut standby = process(folder.path(), &url, "b", &[]);
    standby.wait_for_line("standby");
    until("the standby is ready", || {
        (state_of(&leader, "b")? == "ready").then_some(())
    });
    let unknown = json!({"to": "x", "reason": "an exercise"});
    let (status, refused) = leader.post("/cluster/step-down", &unknown);
    assert_eq!(status, 422, "{refused}");
    assert!(refused.to_string().contains("`x`") && refused.to_string().contains("`b`"));
    let before = term(&leader);
    assert!(leads(&leader));

    let said = command(folder.path(), &[])
        .args(["cluster", "step-down", "--to", "b", "--wait"])
        // The standby carries the order to the leader.
        .args(["--reason", "an exercise", "--url", standby.address()])
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    assert!(
        String::from_utf8_lossy(&said.stdout).contains("`b` leads"),
        "{said:?}"
    );
    assert!(leads(&standby));
    assert_eq!(term(&standby), before + 1);
    let told = until("the order is an event", || {
        event(&standby, "step_down_ordered")
    });
    let told_of = (&told["node"], &told["to"], &told["term"], &told["reason"]);
    let (a, b) = (json!("a"), json!("b"));
    assert_eq!(told_of, (&a, &b, &json!(before), &json!("an exercise")));
    assert_eq!(told["origin"]["address"], "127.0.0.1", "{told}");
    becomes_a_standby_of(&mut leader, &standby);
    assert!(leader.has_seen("an exercise"));
    for member in [&standby, &leader] {
        assert_eq!(beat(member, "w1", &life, 0).0, 200);
    }
}

#[test]
fn a_standby_that_is_away_is_an_alert_and_can_be_forgotten() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    // A member is away after ten thirds of this.
    let quick = [("HEARTBEAT_TIMEOUT", "3s")];
    let mut leader = process(folder.path(), &url, "a", &quick);
    leader.wait_for_line("ready on ");
    let other = [("HEARTBEAT_TIMEOUT", "3s"), ("LEASE_MARGIN", "200ms")];
    let mut standby = process(folder.path(), &url, "b", &other);
    standby.wait_for_line("standby");
    let open = |kind: &'static str| {
        let (_, alerts) = leader.try_get("/resilience/alerts?open=true")?;
        let alerts = alerts["alerts"].as_array()?.clone();
        alerts.into_iter().find(|alert| alert["kind"] == kind)
    };
    let differ = until("the settings are compared", || open("settings_differ"));
    assert_eq!(differ["subject"], "b");
    let detail = differ["detail"].as_str().unwrap();
    assert!(
        detail.contains("LEASE_MARGIN is 200ms there and 300ms here"),
        "{detail}"
    );

    until("the standby is ready", || {
        (state_of(&leader, "b")? == "ready").then_some(())
    });
    let forget = |node: &str| {
        command(folder.path(), &[])
            .args(["cluster", "forget", node, "--url", leader.address()])
            .output()
            .unwrap()
    };
    let refused = forget("b");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("`ready`"),
        "{refused:?}"
    );
    let refused = forget("x");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("`x`"),
        "{refused:?}"
    );
    let refused = forget("a");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("leads"),
        "{refused:?}"
    );

    standby.kill();
    let away = until("the standby is away", || open("member_away"));
    assert_eq!(away["subject"], "b");
    assert_eq!(state_of(&leader, "b").as_deref(), Some("away"));
    assert!(open("settings_differ").is_none());
    let metrics = metrics_of(&leader);
    assert!(metrics.contains("orchestrator_cluster_members{state=\"away\"} 1"));
    assert!(metrics.contains("orchestrator_cluster_role{role=\"leader\"} 1"));
    assert!(metrics.contains("orchestrator_cluster_takeovers_total{cause=\"released\"} 1"));
    let done = forget("b");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(state_of(&leader, "b"), None);
    let told = until("the order is an event", || {
        event(&leader, "member_forgotten")
    });
    assert_eq!(told["node"], "b", "{told}");
    assert_eq!(told["origin"]["address"], "127.0.0.1", "{told}");
    until("the alert is over", || {
        open("member_away").is_none().then_some(())
    });
}

/// The version of the newest migration that this release knows, as the database keeps it.
fn newest_migration() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let newest = names.max().unwrap();
    let (version, _) = newest.split_once('_').unwrap();
    version.replace('-', "")
}

#[test]
fn a_release_that_does_not_know_the_newest_migration_does_not_take_over() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = process(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    let mut standby = process(folder.path(), &url, "b", &[]);
    standby.wait_for_line("standby");
    wait_for_admission(&leader, 1);
    block_on(async {
        let client = ground.database.connect().await;
        let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')";
        client.batch_execute(newer).await.unwrap();
    });
    let own = newest_migration();
    let line = standby.wait_for_line("does not take over");
    assert!(
        line.contains("20990101000000") && line.contains(&own),
        "{line}"
    );
    let (status, refused) = standby.post("/cluster/take-over?reason=an%20exercise", &json!({}));
    assert_eq!(status, 409, "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("20990101000000") && detail.contains(&own),
        "{detail}"
    );
    // The leader ends, and the standby says that none leads.
    leader.kill();
    standby.wait_for_line("no orchestrator leads");
    let (_, cluster) = standby.get("/cluster");
    assert_eq!(cluster["no_leader"], true, "{cluster}");
    assert!(
        cluster["barred"]
            .as_str()
            .unwrap()
            .contains("20990101000000")
    );
    assert!(!leads(&standby));
}

#[test]
fn a_suspended_leader_is_replaced_by_a_standby_that_has_read_the_fleet_ahead() {
    expect_errors(&["alert system_health"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut old = process(folder.path(), &url, "old", &[]);
    old.wait_for_line("ready on ");
    let streams: Vec<Value> = (1..=200)
        .map(|id| json!({"id": id, "name": format!("s{id}")}))
        .collect();
    let streams = json!({"streams": streams});
    until("the streams are saved", || {
        (old.try_post("/streams", &streams)?.0 == 200).then_some(())
    });
    let mut new = process(folder.path(), &url, "new", &[]);
    new.wait_for_line("standby");
    wait_for_admission(&old, 1);
    old.signal(Signal::STOP);
    new.wait_for_line("read the fleet ahead, at version");
    new.wait_for_line("taking over");
    new.wait_for_line("the fleet was read ahead (timeline 1, term 4294967297, version ");
    new.wait_for_line("ready on ");
    let (status, shown) = new.get("/status");
    assert_eq!(status, 200, "{shown}");
    let registered = register(&new, "w1");
    assert!(
        registered["incarnation"].as_i64().unwrap() > 1 << 40,
        "{registered}"
    );
    let metrics = metrics_of(&new);
    assert!(metrics.contains("orchestrator_cluster_takeovers_total{cause=\"unchanged\"} 1"));
    old.signal(Signal::CONT);
    becomes_a_standby_of(&mut old, &new);
}

#[test]
fn a_fleet_that_changed_since_it_was_read_ahead_is_loaded_again() {
    expect_errors(&["alert leader_unproven"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut old = process(folder.path(), &url, "old", &[]);
    old.wait_for_line("ready on ");
    let mut new = process(folder.path(), &url, "new", &[]);
    new.wait_for_line("standby");
    wait_for_admission(&old, 1);
    old.signal(Signal::STOP);
    new.wait_for_line("read the fleet ahead, at version");
    // A leader that could still write moves the version before the standby takes over.
    block_on(async {
        let client = ground.database.connect().await;
        let moved = "UPDATE fleet_state SET version = version + 1";
        client.batch_execute(moved).await.unwrap();
    });
    new.wait_for_line("taking over");
    new.wait_for_line("loaded 0 instances and 0 streams");
    new.wait_for_line("ready on ");
    assert!(!new.has_seen("the fleet was read ahead ("));
    assert_eq!(
        new.post("/streams", &json!({"streams": [{"id": 1, "name": "s1"}]}))
            .0,
        200
    );
    old.signal(Signal::CONT);
    becomes_a_standby_of(&mut old, &new);
}

#[test]
fn of_two_living_processes_of_one_node_the_newer_ends() {
    the_newer_of_two_ends(&[]);
}

/// Orchestrators have no key for each other.
#[test]
fn of_two_living_processes_of_one_node_the_newer_ends_where_callers_need_a_key() {
    the_newer_of_two_ends(&[("AUTH", "on")]);
}

fn the_newer_of_two_ends(settings: &[(&str, &str)]) {
    expect_errors(&["another orchestrator called"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut first = process(folder.path(), &url, "a", settings);
    first.wait_for_line("ready on ");
    let second = process(folder.path(), &url, "a", settings);
    let ended = second.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    assert!(ended.log.contains("CLUSTER_NODE"), "{}", ended.log);
    assert!(leads(&first));
}

#[test]
fn a_restarted_leader_of_the_same_node_leads_again_at_once() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut first = process(folder.path(), &url, "a", &[]);
    first.wait_for_line("ready on ");
    let before = term(&first);
    first.kill();
    let began = now();
    let mut again = process(folder.path(), &url, "a", &[]);
    again.wait_for_line("ready on ");
    // Well below the three seconds after which a standby takes over.
    assert!(now().duration_since(began) < Duration::from_secs(3));
    assert_eq!(term(&again), before + 1);
}

#[test]
fn a_database_that_lost_a_term_is_not_called_another_orchestrator() {
    expect_errors(&["the database went back"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = process(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    leader.kill();
    let mut leader = process(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    block_on(async {
        let client = ground.database.connect().await;
        let lost = "BEGIN; UPDATE leadership SET term = term - 1; \
                    UPDATE fleet_state SET term = term - 1; COMMIT";
        client.batch_execute(lost).await.unwrap();
    });
    let ended = leader.wait();
    assert!(ended.log.contains("went back"), "{}", ended.log);
    assert!(!ended.log.contains("taken over"), "{}", ended.log);
}

#[test]
fn an_outage_of_the_database_leaves_one_leader_and_moves_nothing() {
    expect_errors(&["alert leader_unproven"]);
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = process(folder.path(), &url, "a", &[]);
    leader.wait_for_line("ready on ");
    let mut standby = process(folder.path(), &url, "b", &[]);
    standby.wait_for_line("standby");
    wait_for_admission(&leader, 1);
    let before = term(&leader);
    // Otherwise it confirms the leader.
    standby.signal(Signal::STOP);
    ground.server.stop_immediate();
    until("the leader is unproven", || (!leads(&leader)).then_some(()));
    let (status, beaten) = leader.post(
        "/heartbeat",
        &json!({"server_id": "unknown", "current_streams": 0, "status": "active"}),
    );
    assert_eq!(status, 503, "{beaten}");
    ground.server.start_again();
    standby.signal(Signal::CONT);
    until("the leader is proven again", || {
        leads(&leader).then_some(())
    });
    assert_eq!(term(&leader), before);
    assert!(!leads(&standby));
}

#[test]
fn a_sole_orchestrator_goes_on_without_its_database() {
    let (ground, folder) = (Ground::new(), tempdir().unwrap());
    let url = ground.database.url();
    let mut leader = process(folder.path(), &url, "a", &[("HEARTBEAT_TIMEOUT", "60s")]);
    leader.wait_for_line("ready on ");
    let life = register(&leader, "w1")["incarnation"].clone();
    beat(&leader, "w1", &life, 0);
    ground.server.stop_immediate();
    until("the outage is noticed", || {
        (leader.try_get("/cluster")?.1["failsafe"]["active"] == true).then_some(())
    });
    let (status, beaten) = beat(&leader, "w1", &life, 1);
    assert_eq!(status, 200, "{beaten}");
    assert!(beaten["lease_seconds"].as_f64().unwrap() > 46.0, "{beaten}");
    assert!(leads(&leader));
}
