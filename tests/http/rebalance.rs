//! The calls of balance: the classic fields, dry runs, moves, and what stands in the way.

use serde_json::{Value, json};

use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_has, pass};

/// Three workers of 20 places with 30 streams: 20, 10 and 0.
async fn uneven() -> World {
    let world = World::start().await;
    world.streams(1..=30).await;
    for (id, count) in [("a", 20), ("b", 10), ("c", 0)] {
        world.register(id, 20).await;
        world.assign(id, count).await;
    }
    world
}

async fn order(world: &World, path: &str) -> Value {
    world.send("POST", path).await.ok()
}

async fn counts(world: &World) -> [usize; 3] {
    [
        world.held("a").await.len(),
        world.held("b").await.len(),
        world.held("c").await.len(),
    ]
}

/// A heartbeat of a leased worker that has followed everything new.
async fn follow(world: &World, id: &str) {
    let shown = world.get(&format!("/instances/{id}")).await.ok();
    let shown = &shown["data"];
    let beat = json!({"server_id": id, "current_streams": 0,
        "incarnation": shown["incarnation"], "assignment_version": shown["assignment_version"]});
    world.post("/heartbeat", beat).await.ok();
}

#[actix_web::test]
async fn a_check_says_which_instances_are_how_far_from_their_share() {
    let world = uneven().await;
    let answer = world.get("/rebalance/check").await.ok();
    assert_has(
        &answer,
        &json!({"status": "success", "consistent": true, "needs_rebalancing": true,
            "moves_under_way": 0}),
    );
    assert_eq!(
        answer["statistics"],
        json!({"total_instances": 3, "total_streams": 30, "average_streams_per_instance": 10.0,
            "max_streams_per_instance": 20, "min_streams_per_instance": 0,
            "stream_difference": 20, "max_load_factor": 1.0, "min_load_factor": 0.0,
            "load_imbalance": 1.0})
    );
    assert_eq!(
        answer["instances"][0],
        json!({"server_id": "a", "current_streams": 20, "max_streams": 20, "load_factor": 1.0,
            "performance_score": 0.0, "available_capacity": 0, "fair_share": 10.0})
    );
    assert_eq!(
        answer["reason"],
        "`a` holds 20, 10.0 above its fair share of 10.0; `c` holds 0, 10.0 below its fair share of \
         10.0. 8 streams would move."
    );
}

#[actix_web::test]
async fn a_dry_run_changes_nothing_and_an_order_makes_the_fewest_moves_once() {
    let world = uneven().await;
    let before = world.saved().await;
    let planned = order(&world, "/rebalance/smart?dry_run=true").await;
    assert_has(
        &planned,
        &json!({"status": "completed", "method": "smart", "reason": "manual", "dry_run": true,
            "streams_moved": 0, "instances_affected": 2, "migrations": 0, "error": null,
            "moves_under_way": 0, "message": "Dry run: 8 streams would move."}),
    );
    assert_eq!(
        planned["moves"][0],
        json!({"stream_id": 20, "from": "a", "to": "c", "reason": "above_fair_share",
            "progress": "planned"})
    );
    assert_eq!(world.saved().await, before);

    let done = order(&world, "/rebalance/smart?reason=load_imbalance").await;
    assert_has(
        &done,
        &json!({"streams_moved": 8, "migrations": 8, "reason": "load_imbalance",
            "moves_under_way": 0, "message": "8 streams began to move."}),
    );
    assert!(done.get("dry_run").is_none());
    assert_eq!(done["moves"][0]["progress"], "moved");
    assert_eq!(counts(&world).await, [12, 10, 8]);

    let again = order(&world, "/rebalance/smart").await;
    assert_eq!(again["streams_moved"], 0);
    assert_eq!(again["moves"], json!([]));
    assert_eq!(
        again["message"],
        "Nothing to do. Every instance is near enough to its fair share."
    );
    let stats = world.get("/rebalance/stats").await.ok();
    assert_eq!(stats["status"], "success");
    assert_has(
        &stats["statistics"],
        &json!({"total_rebalances": 1, "successful_rebalances": 1, "total_streams_moved": 8,
            "success_rate": 1.0, "moves_given_up": 0}),
    );
    assert!(stats["statistics"]["last_rebalance"].is_string());
    assert!(stats["statistics"]["average_execution_time_ms"].is_number());
    let events = world
        .get("/resilience/events?kind=rebalance_begun")
        .await
        .ok();
    assert_has(
        &events["events"][0],
        &json!({"method": "smart", "reason": "load_imbalance", "moves": 8, "instances": 2}),
    );
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains("orchestrator_streams_moved_total{reason=\"rebalance\"} 8"));
}

#[actix_web::test]
async fn basic_counts_streams_and_smart_weighs_them() {
    let world = World::start().await;
    let heavy = json!({"streams": [
        {"id": 1, "name": "h", "weight": 10}, {"id": 2, "name": "i", "weight": 10},
    ]});
    world.post("/streams", heavy).await.ok();
    world.streams(3..=12).await;
    world.register("a", 100).await;
    world.assign("a", 2).await;
    world.register("b", 100).await;
    world.assign("b", 10).await;
    // Weights: 20 and 10. Counts: 2 and 10.
    let smart = order(&world, "/rebalance/smart?dry_run=true").await;
    assert_eq!(smart["moves"], json!([]), "within the heaviest weight");
    let basic = order(&world, "/rebalance/basic").await;
    assert_has(
        &basic,
        &json!({"status": "completed", "method": "basic", "streams_moved": 2}),
    );
    assert!(basic["message"].is_string());
    assert_eq!(world.held("a").await.len(), 4);
}

#[actix_web::test]
async fn a_leased_owner_releases_first_and_only_what_is_missing_is_planned_meanwhile() {
    let world = uneven().await;
    for id in ["a", "b", "c"] {
        follow(&world, id).await;
    }
    let begun = order(&world, "/rebalance/smart").await;
    assert_has(&begun, &json!({"streams_moved": 8, "moves_under_way": 8}));
    assert_eq!(begun["moves"][0]["progress"], "releasing");
    assert_eq!(counts(&world).await, [12, 10, 0], "what they are to run");
    let again = order(&world, "/rebalance/smart").await;
    assert_has(
        &again,
        &json!({"streams_moved": 0, "moves_under_way": 8, "moves": []}),
    );
    follow(&world, "a").await;
    follow(&world, "c").await;
    assert_eq!(counts(&world).await, [12, 10, 8]);
    let check = world.get("/rebalance/check").await.ok();
    assert_has(
        &check,
        &json!({"needs_rebalancing": false, "moves_under_way": 0}),
    );
}

#[actix_web::test]
async fn an_order_while_a_mass_failure_is_held_is_refused_with_the_state() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let world = uneven().await;
    pass(300).await;
    for path in ["/rebalance/smart", "/rebalance/basic"] {
        let problem = world.send("POST", path).await.problem(409);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("mass failure"), "{detail}");
        assert!(detail.contains("GET /resilience/brake"), "{detail}");
    }
}

#[actix_web::test]
async fn an_unknown_reason_is_refused_with_those_there_are() {
    let world = World::start().await;
    let answer = world.send("POST", "/rebalance/smart?reason=boredom").await;
    let problem = answer.problem(422);
    assert_eq!(
        problem["errors"],
        json!([{"field": "reason", "reason": "must be one of manual, new_instance, \
            instance_failure, load_imbalance, performance_degradation"}])
    );
    let answer = world.send("POST", "/rebalance/basic?dry_run=perhaps").await;
    assert_eq!(answer.problem(422)["errors"][0]["field"], "dry_run");
}

#[actix_web::test]
async fn an_empty_fleet_is_balanced() {
    let world = World::start().await;
    let answer = world.get("/rebalance/check").await.ok();
    assert_has(
        &answer,
        &json!({"needs_rebalancing": false, "instances": []}),
    );
    let done = order(&world, "/rebalance/smart").await;
    assert_has(
        &done,
        &json!({"streams_moved": 0, "instances_affected": 0, "moves": []}),
    );
}
