//! PostgreSQL is away for all orchestrators: the leader goes on while its standby confirms that it has not taken over.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::time::Duration;

use crate::ground::{Ground, leads, wait_for_admission};
use crate::patience::{now, until};
use crate::support::process::{Orchestrator, expect_errors};
use crate::support::worker::{Kind, WorkerProcess};
use rustix::process::Signal;
use serde_json::{Value, json};

/// With it a worker stops its exclusive streams 10.8 s after the last proof.
const TIMEOUT: (&str, &str) = ("HEARTBEAT_TIMEOUT", "15s");

/// Longer than that.
const OUTAGE: Duration = Duration::from_secs(13);

/// A leader and a standby that it has admitted.
fn pair(ground: &Ground) -> (Orchestrator, Orchestrator) {
    let mut leader = ground.process("a", &[TIMEOUT]);
    leader.wait_for_line("ready on ");
    let mut standby = ground.process("b", &[TIMEOUT]);
    standby.wait_for_line("standby");
    wait_for_admission(&leader, 1);
    (leader, standby)
}

fn failsafe(orchestrator: &Orchestrator) -> Value {
    orchestrator.get("/cluster").1["failsafe"].clone()
}

fn open_alert(orchestrator: &Orchestrator, kind: &str) -> Option<Value> {
    let (_, alerts) = orchestrator.try_get("/resilience/alerts?open=true")?;
    let alerts = alerts["alerts"].as_array()?.clone();
    alerts.into_iter().find(|alert| alert["kind"] == kind)
}

fn shows(orchestrator: &Orchestrator, line: &str) -> bool {
    let (agent, address) = orchestrator.client();
    let mut answer = agent.get(format!("{address}/metrics")).call().unwrap();
    let metrics = answer.body_mut().read_to_string().unwrap();
    metrics.lines().any(|shown| shown.starts_with(line))
}

#[test]
fn an_outage_with_a_standby_stops_no_exclusive_stream_and_changes_no_leader() {
    expect_errors(&["the store is out", "alert system_health"]);
    let ground = Ground::new();
    let (mut leader, standby) = pair(&ground);
    let streams = json!({"streams": [{"id": 1, "name": "s1"}]});
    assert_eq!(leader.post("/streams", &streams).0, 200);
    let mut worker = WorkerProcess::registered(Kind::Rust, leader.address(), "w1");
    worker.expect(vec!["start 1".to_owned()]);
    let term = leader.get("/cluster").1["term"].clone();
    assert!(shows(&leader, "orchestrator_cluster_failsafe_active 0"));
    assert_eq!(failsafe(&leader)["active"], false);

    ground.server.stop_immediate();
    let began = now();
    leader.wait_for_line("failsafe: the database has not answered for");
    let line = failsafe(&leader);
    assert_eq!(line["active"], true, "{line}");
    assert!(
        line["since"].is_string() && line["until"].is_string(),
        "{line}"
    );
    assert!(shows(&leader, "orchestrator_cluster_failsafe_active 1"));
    let alert = until("the alert is open", || open_alert(&leader, "failsafe"));
    assert_eq!(alert["severity"], "warning", "{alert}");
    assert!(alert["detail"].as_str().unwrap().contains("`b`"), "{alert}");
    // Its term could not be released.
    let reason = json!({"reason": "an exercise"});
    let (status, refused) = leader.post("/cluster/step-down", &reason);
    assert_eq!(status, 409, "{refused}");
    let mut proofs = 0;
    until("the outage is longer than the worker's own stop", || {
        proofs += u32::from(leads(&leader));
        assert!(!leads(&standby), "the standby leads");
        (now().duration_since(began) > OUTAGE).then_some(())
    });
    assert!(proofs > 0);
    assert!(leads(&leader), "the standby still confirms it");
    assert_eq!(worker.unexpected(), Vec::<String>::new());

    ground.server.start_again();
    leader.wait_for_line("failsafe is over");
    assert_eq!(failsafe(&leader)["active"], false);
    until("the alert is over", || {
        open_alert(&leader, "failsafe").is_none().then_some(())
    });
    until("changes are saved again", || {
        let more = json!({"streams": [{"id": 2, "name": "s2"}]});
        (leader.try_post("/streams", &more)?.0 == 200).then_some(())
    });
    assert!(leads(&leader) && !leads(&standby));
    assert_eq!(leader.get("/cluster").1["term"], term);
    worker.expect(vec!["start 2".to_owned()]);
    assert_eq!(worker.unexpected(), Vec::<String>::new());
}

#[test]
fn a_standby_that_does_not_answer_leaves_the_leader_unproven_until_it_does() {
    expect_errors(&["alert leader_unproven", "alert system_health"]);
    let ground = Ground::new();
    let (mut leader, standby) = pair(&ground);
    standby.signal(Signal::STOP);
    ground.server.stop_immediate();
    let line = leader.wait_for_line("no failsafe: ");
    assert!(line.contains("`b` did not answer in time"), "{line}");
    assert!(!leads(&leader));
    assert_eq!(failsafe(&leader)["active"], false);
    standby.signal(Signal::CONT);
    leader.wait_for_line("failsafe: the database has not answered for");
    assert!(leads(&leader));
    until("the alert is over", || {
        open_alert(&leader, "leader_unproven")
            .is_none()
            .then_some(())
    });
    standby.kill();
    leader.wait_for_line("failsafe is over before the database answers");
    until("the leader is unproven again", || {
        (!leads(&leader)).then_some(())
    });
}

/// Asks as a member does that knows this secret.
fn ask(orchestrator: &Orchestrator, secret: &str, body: &Value) -> (u16, Value) {
    let (agent, address) = orchestrator.client();
    let mut answer = agent
        .post(format!("{address}/cluster/v1/failsafe"))
        .header("orchestrator-forwarded", "a 1")
        .header("orchestrator-handed-on", "true")
        .header("orchestrator-secret", secret)
        .send_json(body)
        .unwrap();
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(json!(text)))
}

#[test]
fn only_a_member_can_ask_and_each_process_answers_for_itself() {
    let ground = Ground::new();
    let (leader, standby) = pair(&ground);
    let secret = ground.secret();
    let (_, cluster) = leader.get("/cluster");
    let question = json!({"term": cluster["term"], "node": "a", "run": cluster["run"]});
    until("the standby reaches the leader", || {
        (standby.try_get("/ready")?.0 == 200).then_some(())
    });
    for process in [&leader, &standby] {
        // For a client there is no such path, whatever it claims to know.
        for forged in ["", "0", "00000000000000000000000000000000"] {
            let (status, answer) = ask(process, forged, &question);
            assert_eq!(status, 404, "{answer}");
        }
        let (status, answer) = process.post("/cluster/v1/failsafe", &question);
        assert_eq!(status, 404, "{answer}");
        let (status, answer) = ask(process, &secret, &json!({"node": "a", "run": 1}));
        assert_eq!(status, 400, "{answer}");
        assert!(answer.to_string().contains("term"), "{answer}");
    }
    let (_, own) = standby.get("/cluster");
    let (status, answer) = ask(&standby, &secret, &question);
    assert_eq!(status, 200, "{answer}");
    let expected = json!({
        "node": "b", "run": own["run"], "confirms": false, "reason": "reaches_database"
    });
    assert_eq!(answer, expected);
    let older = json!({"term": 1, "node": "a", "run": cluster["run"]});
    let (_, answer) = ask(&standby, &secret, &older);
    assert_eq!(answer["reason"], "higher_term", "{answer}");
    assert_eq!(answer["term"], cluster["term"], "{answer}");
    // The leader confirms none.
    let (status, answer) = ask(&leader, &secret, &question);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["confirms"], false, "{answer}");
}
