//! An alert is one line of the log, at WARN or ERROR, however often it is noticed, and a command is one
//! line, however many streams it moves.

mod support_http;

use log::Level;
use serde_json::{Value, json};
use support_http::support_log::{expect_errors, said};
use support_http::{World, pass};

/// What is said about an instance, except that it registered and how it goes by leases.
fn said_of(id: &str) -> Vec<(Level, String)> {
    let lines = said();
    let is_about = |line: &str| line.split([' ', ':', ',']).any(|word| word == id);
    let is_start = |line: &str| line.contains("registered") || line.contains(" is leased");
    let lines = lines.into_iter();
    lines
        .filter(|(_, line)| is_about(line) && !is_start(line))
        .collect()
}

/// A leased worker's heartbeat, with the version it has.
async fn leased_beat(world: &World, id: &str, version: Option<i64>) {
    let data = world.get(&format!("/instances/{id}")).await.ok()["data"].take();
    let version = version.map_or_else(|| data["assignment_version"].clone(), Value::from);
    let body = json!({"server_id": id, "current_streams": 0,
        "incarnation": data["incarnation"], "assignment_version": version});
    world.post("/heartbeat", body).await.ok();
    pass(1).await;
}

#[actix_web::test]
async fn a_command_that_moves_many_streams_is_one_line() {
    expect_errors(&["alert system_health"]);
    let world = World::start().await;
    world.streams(1..=40).await;
    world.register("plain", 40).await;
    world.assign("plain", 20).await;
    world.register("bound", 20).await;
    world.assign("bound", 20).await;
    leased_beat(&world, "bound", None).await;
    world.register("goal", 100).await;
    let moves: Vec<Value> = (1..=40)
        .map(|id| json!({"stream_id": id, "to": "goal"}))
        .collect();
    world
        .post("/streams/move", json!({ "moves": moves }))
        .await
        .ok();
    pass(1).await;
    leased_beat(&world, "bound", None).await;
    let info = |line: &str| (Level::Info, line.to_owned());
    assert_eq!(
        said_of("goal"),
        [
            info("bound is to release 20 streams first, which move to goal on request"),
            info("moved 20 streams off plain to goal on request"),
            info("moved 20 streams off bound to goal on request"),
        ]
    );
    // Nobody has room, and then somebody has.
    world.post("/instances/plain/failure", json!({})).await.ok();
    world.post("/instances/bound/failure", json!({})).await.ok();
    world.post("/instances/goal/failure", json!({})).await.ok();
    world.register("late", 40).await;
    pass(1).await;
    let placed = said_of("late");
    assert_eq!(
        placed,
        [info("placed 40 streams that waited for room on late")]
    );
}

#[actix_web::test]
async fn a_move_that_is_given_up_is_one_line_and_an_alert() {
    let world = World::start().await;
    world.streams(1..=3).await;
    world.register("deaf", 3).await;
    world.assign("deaf", 3).await;
    leased_beat(&world, "deaf", None).await;
    world.register("other", 9).await;
    let version = world.get("/instances/deaf").await.ok()["data"]["assignment_version"].take();
    let moves: Vec<Value> = (1..=3)
        .map(|id| json!({"stream_id": id, "to": "other"}))
        .collect();
    world
        .post("/streams/move", json!({ "moves": moves }))
        .await
        .ok();
    for _ in 0..12 {
        pass(30).await;
        leased_beat(&world, "deaf", version.as_i64()).await;
        world.beat("other").await.ok();
    }
    pass(2).await;
    let warnings: Vec<String> = said_of("deaf")
        .into_iter()
        .filter(|(level, _)| *level == Level::Warn)
        .map(|(_, line)| line)
        .collect();
    let [given_up, alert] = warnings.try_into().unwrap();
    assert!(
        given_up.starts_with("gave up moving 3 streams off deaf"),
        "{given_up}"
    );
    assert!(alert.starts_with("alert handover_abandoned"), "{alert}");
}

#[actix_web::test]
async fn an_alert_is_one_line_when_it_opens_and_one_when_it_is_over() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let world = World::start().await;
    world.streams(1..=2).await;
    world.register("a", 2).await;
    world.assign("a", 2).await;
    world.post("/instances/a/failure", ().into()).await.ok();
    // Seen by every look meanwhile.
    pass(300).await;
    world.register("b", 2).await;
    pass(2).await;
    let lines = said();
    let of = |kind: &str| -> Vec<(Level, &str)> {
        let begin = format!("alert {kind}");
        let said = lines.iter().filter(|(_, line)| line.starts_with(&begin));
        said.map(|(level, line)| (*level, line.as_str())).collect()
    };
    let orphaned = of("streams_orphaned");
    assert_eq!(
        orphaned.iter().map(|(level, _)| *level).collect::<Vec<_>>(),
        [Level::Error, Level::Info],
        "{lines:?}"
    );
    assert!(
        orphaned[0].1.contains("2 streams run nowhere"),
        "{orphaned:?}"
    );
    assert!(orphaned[1].1.contains("is over after 30"), "{orphaned:?}");
}
