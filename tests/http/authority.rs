//! What an orchestrator that cannot prove that it leads does not answer.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use std::sync::Arc;
use std::time::Duration;

use crate::cable::Cable;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, pass};
use resilient_orchestrator::actors::leadership::{ClusterView, Identity, Office};
use resilient_orchestrator::actors::start::Loaded;
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::leadership::{
    Authority, Claim, ClaimRight, JudgingSettings, LeadersWord, LeadershipLimits, MemberSecret,
    Needed, NodeName, Reach, RunId, SchemaVersion, SteadyTime, Verdict,
};
use resilient_orchestrator::http::{HttpSettings, route_table};
use resilient_orchestrator::store::{Leadership, Member, MemoryStore, TakeOver};
use serde_json::{Value, json};

const NODE: &str = "a";
const RUN: RunId = RunId::new(7);

fn member(node: &str, run: RunId) -> Member {
    Member {
        node: NodeName::new(node),
        run,
        address: format!("{node}:1"),
        public_url: String::new(),
        release: "1".to_owned(),
        schema: SchemaVersion::default(),
        settings: JudgingSettings::default(),
        prepared: None,
        reach: Reach::default(),
        protocol: 1,
        seen_at: crate::support_http::NEW_YEAR,
    }
}

/// A system whose leader has a standby, and the cable to its row.
async fn led() -> (World, Arc<Cable>) {
    tokio::time::pause();
    let cable = Arc::new(Cable::to(MemoryStore::new()));
    cable.join(&member(NODE, RUN)).await.unwrap();
    let row = cable.look().await.unwrap().unwrap().row;
    let claim = Claim {
        node: NodeName::new(NODE),
        run: RUN,
        address: String::new(),
        public_url: String::new(),
        secret: MemberSecret::default(),
        since: crate::support_http::NEW_YEAR,
        seen_term: row.term,
        seen_beat: row.beat,
        right: ClaimRight::Tables,
        word: LeadersWord::Nothing,
        known: row.version,
    };
    let TakeOver::Won(taken) = cable.take_over(&claim).await.unwrap() else {
        panic!("a free row is taken");
    };
    let me = Identity {
        node: NodeName::new(NODE),
        run: RUN,
        address: String::new(),
        public_url: String::new(),
        secret: MemberSecret::default(),
    };
    let clock = VirtualTime::starting_at(crate::support_http::NEW_YEAR).clock();
    let view = ClusterView::new(me, Duration::from_secs(3_600), clock);
    let limits = LeadershipLimits::from_take_over(Duration::from_secs(3));
    let office = Office::held(
        cable.clone(),
        taken.guard.term,
        limits,
        SteadyTime::default(),
        view,
    );
    let store = World::empty_store();
    let loaded = Loaded::from_store(Arc::new(store.clone())).await.unwrap();
    let loaded = loaded.led_by(office, Duration::ZERO);
    let world = World::on_loaded(store, loaded, HttpSettings::default()).await;
    // A standby that beats is admitted: from then on this leader is not alone.
    for _ in 0..10 {
        cable.join(&member("b", RunId::new(8))).await.unwrap();
        pass(1).await;
    }
    let members = cable.members().await.unwrap();
    assert!(
        members.iter().all(|member| member.is_admitted),
        "{members:?}"
    );
    (world, cable)
}

/// The path of a route with names that are not there.
fn concrete(path: &str) -> String {
    path.replace("{server_id}", "nobody")
        .replace("{id}", "77")
        .replace("{name}", "none")
}

#[actix_web::test]
async fn without_a_proof_no_route_denies_confirms_or_judges() {
    expect_errors(&["alert leader_unproven"]);
    let (world, cable) = led().await;
    cable.cut(true);
    pass(5).await;
    // No answer waits for something to happen.
    world.orchestrator.end_polls();
    for route in route_table() {
        let bodies = [
            json!({}),
            json!({"server_id": "nobody", "current_streams": 0}),
        ];
        for body in bodies {
            let path = concrete(route.path);
            let bytes = serde_json::to_vec(&body).unwrap();
            let answer = world.send_bytes(route.method.as_str(), &path, bytes).await;
            let verdict = match answer.status {
                200..300 => Verdict::Granted,
                404 | 409 => Verdict::Denied,
                _ => Verdict::Failed,
            };
            let needed = route.authority.needs(verdict);
            assert_eq!(needed, Needed::Nothing, "{route:?}: {answer:?}");
        }
    }
}

#[actix_web::test]
async fn each_route_that_changes_something_says_what_its_answers_do() {
    for route in route_table() {
        // These are about the process and its caller.
        let own = ["/cluster/take-over", "/session"];
        if route.method != "GET" && !own.contains(&route.path) {
            let is_shown = matches!(route.authority, Authority::Own | Authority::Shown);
            assert!(!is_shown, "{route:?}");
        }
    }
}

#[actix_web::test]
async fn a_leader_cut_off_from_its_row_renews_and_tells_nothing() {
    expect_errors(&["alert leader_unproven"]);
    let (world, cable) = led().await;
    world.streams(1..=2).await;
    let life = world.register("w", 5).await["incarnation"].clone();
    let beat = |version: Value| {
        json!({"server_id": "w", "current_streams": 0, "incarnation": life,
            "assignment_version": version})
    };
    world.post("/heartbeat", beat(json!(0))).await.ok();
    world.assign("w", 2).await;
    let told = world.post("/heartbeat", beat(json!(0))).await.ok();
    assert_eq!(told["assign"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told["proven"], true);
    let version = told["assignment_version"].clone();

    cable.cut(true);
    pass(10).await;
    let renewed = world.post("/heartbeat", beat(version.clone())).await.ok();
    let lease = renewed["lease_seconds"].as_f64().unwrap();
    assert!(
        lease > 0.0 && lease < 231.0,
        "counted from the proof: {renewed}"
    );
    assert_eq!(renewed["proven"], false, "{renewed}");
    let withheld = world.post("/heartbeat", beat(json!(0))).await.ok();
    assert_eq!(withheld["lease_seconds"], 0, "{withheld}");
    assert_eq!(withheld["assignment_version"], 0, "{withheld}");
    assert!(withheld["assign"].is_null(), "{withheld}");
    let mut resuming = beat(version.clone());
    resuming["resuming"] = json!(true);
    let withheld = world.post("/heartbeat", resuming).await.ok();
    assert_eq!(withheld["lease_seconds"], 0, "{withheld}");
    let mut wiser = beat(version.clone());
    wiser["term"] = json!(told["term"].as_i64().unwrap() + 1);
    let withheld = world.post("/heartbeat", wiser).await.ok();
    assert_eq!(withheld["lease_seconds"], 0, "{withheld}");
    // What is owed already is handed out from memory, without a transaction: not now.
    let ask = json!({"server_id": "w", "requested_count": 0});
    world
        .post("/streams/assign", ask.clone())
        .await
        .problem(503);
    let claims = json!({"claims": [{"stream_id": 1, "epoch": 1}]});
    world
        .post("/streams/verify", claims.clone())
        .await
        .problem(503);
    world.get("/leader").await.ok_or_status(503);
    let shown = world.get("/instances/w").await.ok();
    assert!(shown["stale_since"].is_string(), "{shown}");

    cable.cut(false);
    pass(1).await;
    world.post("/streams/assign", ask).await.ok();
    world.post("/streams/verify", claims).await.ok();
    let told = world.post("/heartbeat", beat(json!(0))).await.ok();
    assert_eq!(told["proven"], true);
    assert!(told["lease_seconds"].as_f64().unwrap() > 238.0, "{told}");
    let shown = world.get("/instances/w").await.ok();
    assert!(shown["stale_since"].is_null(), "{shown}");
}

#[actix_web::test]
async fn half_of_the_time_to_a_stop_after_the_last_proof_no_lease_is_told() {
    expect_errors(&["alert leader_unproven"]);
    let (world, cable) = led().await;
    let life = world.register("w", 5).await["incarnation"].clone();
    let beat = json!({"server_id": "w", "current_streams": 0, "incarnation": life,
        "assignment_version": 1});
    world.post("/heartbeat", beat.clone()).await.ok();
    cable.cut(true);
    let mut ends = Vec::new();
    for _ in 0..10 {
        pass(10).await;
        let told = world.post("/heartbeat", beat.clone()).await.ok();
        ends.push(told["lease_seconds"].as_f64().unwrap());
    }
    assert!(
        ends.windows(2).all(|two| two[1] < two[0] - 9.0),
        "one end: {ends:?}"
    );
    pass(10).await;
    let told = world.post("/heartbeat", beat).await.ok();
    assert_eq!(told["lease_seconds"], 0, "{told}");
}
