//! The orchestrators do not reach each other: what a standby hears goes through the database.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use serde_json::{Value, json};

use crate::ground::{Ground, leads, wait_for_admission};
use crate::patience::until;
use crate::support::process::{Orchestrator, expect_errors};
use crate::support::proxy::Proxy;

fn port_of(process: &Orchestrator) -> u16 {
    let (_, port) = process.address().rsplit_once(':').unwrap();
    port.parse().unwrap()
}

/// A leader that is reached through a cable, and a standby that it has admitted.
fn pair(ground: &Ground, more: &[(&str, &str)]) -> (Orchestrator, Orchestrator, Proxy) {
    let cable = Proxy::in_front_of(1);
    let address = format!("127.0.0.1:{}", cable.port());
    let mut settings = vec![("CLUSTER_ADDRESS", address.as_str())];
    settings.extend_from_slice(more);
    let mut leader = ground.process("a", &settings);
    leader.wait_for_line("ready on ");
    cable.redirect(port_of(&leader));
    let standby = ground.process("b", more);
    until("the standby reaches its leader", || {
        let (status, _) = standby.try_get("/ready")?;
        (status == 200).then_some(())
    });
    wait_for_admission(&leader, 1);
    (leader, standby, cable)
}

fn metric(process: &Orchestrator, series: &str) -> f64 {
    let (agent, address) = process.client();
    let mut answer = agent.get(format!("{address}/metrics")).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let line = text.lines().find(|line| line.starts_with(series));
    line.map_or(0.0, |line| {
        line.rsplit(' ').next().unwrap().parse().unwrap()
    })
}

fn status_of(process: &Orchestrator, id: &str) -> String {
    let (_, instance) = process.get(&format!("/instances/{id}"));
    let data = instance.get("data").unwrap_or(&instance);
    data["status"].as_str().unwrap_or_default().to_owned()
}

fn beat(id: &str) -> Value {
    json!({"server_id": id, "current_streams": 0, "status": "active"})
}

/// Sends a heartbeat and returns its answer; null if it became older here than a worker waits, which lasts 0.3 s in
/// these tests.
fn answer_to_beat(process: &Orchestrator, id: &str) -> Value {
    let (status, answer) = process.post("/heartbeat", &beat(id));
    let detail = answer["detail"].as_str().unwrap_or_default();
    if status == 503 && detail.contains("longer than a worker's request may take") {
        return Value::Null;
    }
    assert_eq!(status, 200, "{answer}");
    answer
}

#[test]
fn an_instance_that_only_a_standby_hears_does_not_fail() {
    expect_errors(&["alert "]);
    let ground = Ground::new();
    let (leader, standby, cable) = pair(&ground, &[("HEARTBEAT_TIMEOUT", "6s")]);
    for id in ["heard", "silent", "near"] {
        let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
        assert_eq!(leader.post("/register", &body).0, 200);
    }
    cable.cut();
    until("the standby notices it", || {
        let (status, _) = standby.try_get("/ready")?;
        (status == 503).then_some(())
    });
    // One instance beats at the standby, which answers by itself; one at the leader, and one is gone.
    until("the leader has judged both", || {
        let echo = answer_to_beat(&standby, "heard");
        assert!(echo.is_null() || echo["lease_seconds"] == 0, "{echo}");
        assert_eq!(leader.post("/heartbeat", &beat("near")).0, 200);
        assert_ne!(status_of(&leader, "heard"), "failed");
        let spared = metric(&leader, "orchestrator_cluster_witnesses_used_total");
        (spared >= 1.0 && status_of(&leader, "silent") == "failed").then_some(())
    });
    assert_eq!(standby.get("/health").0, 200, "it hears for the leader");
    let echoes = metric(&standby, "orchestrator_echoes_total");
    assert!(echoes >= 1.0, "{echoes}");
    // The leader cannot notify the instance, so it is late until it is heard again.
    assert_eq!(status_of(&leader, "heard"), "suspect");
    cable.redirect(port_of(&leader));
    until("the leader hears of it directly", || {
        let _ = standby.post("/heartbeat", &beat("heard"));
        let _ = leader.post("/heartbeat", &beat("near"));
        (status_of(&leader, "heard") == "active").then_some(())
    });
}

#[test]
fn a_leader_cut_off_from_workers_and_members_hands_over_to_the_standby_that_hears_them() {
    expect_errors(&["alert "]);
    let ground = Ground::new();
    let (mut leader, mut standby, cable) = pair(&ground, &[("HEARTBEAT_TIMEOUT", "6s")]);
    let ids = ["w1", "w2", "w3"];
    for id in ids {
        let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
        assert_eq!(leader.post("/register", &body).0, 200);
    }
    cable.cut();
    // From here on only the standby hears the instances. It answers whatever happens to the leader.
    until("the standby leads", || {
        for id in ids {
            answer_to_beat(&standby, id);
        }
        leads(&standby).then_some(())
    });
    standby.wait_for_line("ready on ");
    leader.wait_until_it_stands_by();
    leader.line_seen("handing over to it");
    let (_, seen) = leader.get("/cluster");
    assert_eq!(seen["role"], "standby", "{seen}");
    let cause = "orchestrator_cluster_takeovers_total{cause=\"fitness\"}";
    assert!(metric(&standby, cause) >= 1.0);
    for id in ids {
        assert_ne!(status_of(&standby, id), "failed");
    }
    let (status, events) = standby.get("/resilience/events?kind=leader_handed_over");
    assert_eq!(status, 200, "{events}");
    assert!(events.to_string().contains("`a` handed"), "{events}");
    let (status, failures) = standby.get("/resilience/events?kind=instance_failed");
    assert_eq!(status, 200, "{failures}");
    assert!(!failures.to_string().contains("\"w1\""), "{failures}");
}
