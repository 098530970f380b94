//! How the whole system is, how it was, what failures have in common, and what to look at: as
//! classic clients and operators read it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, assert_begins_with, assert_has, pass, settle};
use serde_json::{Value, json};

/// Four instances, `a` with three streams; then `a` is reported as failed, and nobody has room for
/// more than one of them.
async fn after_a_failure() -> World {
    let world = World::start().await;
    world.streams(1..=3).await;
    world.register("a", 3).await;
    world.assign("a", 3).await;
    world.register("b", 1).await;
    pass(60).await;
    world.post("/instances/a/failure", json!({})).await.ok();
    pass(2).await;
    world
}

async fn fail_again(world: &World, id: &str) {
    world.beat(id).await.ok();
    settle().await;
    world
        .post(&format!("/instances/{id}/failure"), json!({}))
        .await
        .ok();
    settle().await;
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().unwrap()
}

#[actix_web::test]
async fn an_empty_fleet_is_healthy_and_told_word_for_word() {
    let world = World::start().await;
    let answer = world.get("/resilience/status").await;
    assert_begins_with(
        &answer.text,
        &[
            "system_health",
            "last_health_check",
            "monitoring_active",
            "heartbeat_config",
            "timeout_seconds",
            "warning_threshold_seconds",
            "check_interval_seconds",
            "emergency_threshold_seconds",
            "active_instances",
            "failed_instances",
            "critical_failures",
            "circuit_breaker_states",
            "instance_failure_counts",
            "failed_instance_details",
        ],
    );
    assert_has(
        &answer.ok(),
        &json!({"system_health": "healthy", "monitoring_active": true,
            "heartbeat_config": {"timeout_seconds": 300, "warning_threshold_seconds": 120,
                "check_interval_seconds": 30, "emergency_threshold_seconds": 600},
            "active_instances": 0, "failed_instances": 0, "critical_failures": 0,
            "circuit_breaker_states": {"store_reads": "closed", "store_writes": "closed"},
            "instance_failure_counts": {}, "failed_instance_details": [],
            "rules": [], "recovery_success_rate": null, "unresolved_emergencies": 0,
            "open_alerts": {}, "stalls": {"count": 0, "total_ms": 0}}),
    );
    let answer = world.get("/resilience/health").await;
    let classic = [
        "system_health",
        "last_health_check",
        "active_instances",
        "failed_instances",
        "critical_failures",
    ];
    assert_begins_with(&answer.text, &classic);
    assert_has(
        &answer.ok(),
        &json!({"system_health": "healthy", "rules": []}),
    );
}

#[actix_web::test]
async fn a_failure_is_told_with_its_reason_its_streams_and_what_became_of_them() {
    expect_errors(&["alert streams_orphaned"]);
    let world = after_a_failure().await;
    let answer = world.get("/resilience/status").await.ok();
    assert_has(
        &answer,
        &json!({"system_health": "degraded", "active_instances": 1, "failed_instances": 1,
            "critical_failures": 1, "instance_failure_counts": {"a": 1},
            "recovery_success_rate": 1.0, "counted": {"total": 2, "active": 1, "failed": 1},
            "streams": {"total": 3, "assigned": 1, "running": 1, "unclaimed": 0, "orphaned": 2,
                "disabled": 0, "capacity": 1, "load": 1},
            "open_alerts": {"instance_failed": 1, "streams_orphaned": 1}}),
    );
    let [failed] = list(&answer, "failed_instance_details") else {
        panic!("{answer}");
    };
    assert_has(
        failed,
        &json!({"server_id": "a", "failure_reason": "reported", "streams_affected": 3,
            "recovery_attempts": 1}),
    );
    for time in ["failure_time", "last_recovery_attempt"] {
        let shown = failed[time].as_str().unwrap();
        assert!(shown.starts_with("2026-01-01T00:01:00"), "{time}: {shown}");
    }
    let rules: Vec<(&str, &str)> = list(&answer, "rules")
        .iter()
        .map(|rule| {
            (
                rule["rule"].as_str().unwrap(),
                rule["causes"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        rules,
        [
            ("active_ratio_degraded", "degraded"),
            ("capacity_utilization", "degraded"),
            ("recent_critical_failures", "degraded"),
        ]
    );
    assert_eq!(
        world.get("/resilience/health").await.ok()["rules"],
        answer["rules"]
    );
}

#[actix_web::test]
async fn what_is_told_while_the_database_is_out_says_since_when_it_is_stale() {
    expect_errors(&[
        "alert store_unavailable",
        "alert streams_orphaned",
        "the store is out",
    ]);
    let world = after_a_failure().await;
    world.store.set_outage(Some(Outage::Refusing));
    for _ in 0..6 {
        world
            .post("/streams", json!({"streams": [{"name": "new"}]}))
            .await
            .problem(503);
    }
    // Reads are found out by themselves.
    pass(20).await;
    for path in ["status", "health", "brake", "breakers", "history", "alerts"] {
        let answer = world.get(&format!("/resilience/{path}")).await.ok();
        let since = answer["stale_since"].as_str();
        assert!(
            since.is_some_and(|since| since.starts_with("2026-01-01T00:01:")),
            "{path}: {answer}"
        );
    }
    let answer = world.get("/resilience/status").await.ok();
    assert_eq!(answer["system_health"], "critical");
    assert_eq!(answer["circuit_breaker_states"]["store_writes"], "open");
}

#[actix_web::test]
async fn the_history_is_read_newest_first_and_in_pages() {
    expect_errors(&["alert streams_orphaned"]);
    let world = after_a_failure().await;
    let whole = world.get("/resilience/history").await.ok();
    assert_eq!(whole.get("next"), None);
    let points = list(&whole, "history");
    let healths: Vec<&str> = points
        .iter()
        .map(|point| point["system_health"].as_str().unwrap())
        .collect();
    assert_eq!(healths.first(), Some(&"degraded"), "{whole}");
    assert_eq!(healths.last(), Some(&"healthy"), "{whole}");
    assert_has(
        &points[0],
        &json!({"active_instances": 1, "failed_instances": 1, "total_instances": 2,
            "capacity": 1, "assigned_streams": 1, "orphaned_streams": 2,
            "rules": ["active_ratio_degraded", "capacity_utilization",
                "recent_critical_failures"]}),
    );
    let mut paged = Vec::new();
    let mut path = "/resilience/history?limit=1".to_owned();
    loop {
        let page = world.get(&path).await.ok();
        paged.extend_from_slice(list(&page, "history"));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/resilience/history?limit=1&after={next}");
    }
    assert_eq!(paged, points);
}

#[actix_web::test]
async fn an_instance_that_keeps_failing_is_a_pattern_with_its_evidence() {
    expect_errors(&[
        "alert stream_quarantined",
        "alert streams_orphaned",
        "alert system_health",
    ]);
    let world = after_a_failure().await;
    let none = world.get("/resilience/patterns").await.ok();
    assert_has(&none, &json!({"patterns": [], "incidents_looked_at": 1}));
    for _ in 0..2 {
        fail_again(&world, "b").await;
        pass(600).await;
    }
    fail_again(&world, "b").await;
    let answer = world.get("/resilience/patterns?days=1").await.ok();
    let pattern = list(&answer, "patterns")
        .iter()
        .find(|pattern| pattern["kind"] == "same_instance")
        .unwrap_or_else(|| panic!("{answer}"));
    assert_has(pattern, &json!({"server_id": "b", "instances": ["b"]}));
    assert_eq!(pattern["summary"], "Instance b failed 3 times.");
    let evidence = list(pattern, "incidents");
    assert_eq!(evidence.len(), 3);
    for id in evidence {
        let incident = world.get(&format!("/resilience/incidents/{id}")).await.ok();
        assert_eq!(incident["data"]["server_id"], "b");
    }
    assert!(pattern["first_seen"].as_str() < pattern["last_seen"].as_str());
}

#[actix_web::test]
async fn alerts_are_listed_filtered_counted_and_closed() {
    expect_errors(&["alert streams_orphaned"]);
    let world = after_a_failure().await;
    let open = world.get("/resilience/alerts?open=true").await.ok();
    let [alert, failed] = list(&open, "alerts") else {
        panic!("{open}");
    };
    assert_has(
        failed,
        &json!({"kind": "instance_failed", "severity": "warning", "subject": "a"}),
    );
    assert_has(
        alert,
        &json!({"kind": "streams_orphaned", "severity": "critical", "subject": "fleet",
            "open": true, "closed_at": null}),
    );
    assert!(alert["detail"].as_str().unwrap().starts_with("2 streams"));
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains("orchestrator_alerts_open{kind=\"streams_orphaned\"} 1"));
    world.register("c", 5).await;
    pass(2).await;
    let closed = world
        .get("/resilience/alerts?open=false&kind=streams_orphaned")
        .await
        .ok();
    let [same] = list(&closed, "alerts") else {
        panic!("{closed}");
    };
    assert_eq!(same["id"], alert["id"]);
    assert!(same["closed_at"].as_str() > same["opened_at"].as_str());
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains("orchestrator_alerts_open{kind=\"streams_orphaned\"} 0"));
    assert!(metrics.contains("orchestrator_alerts_opened_total{kind=\"streams_orphaned\"} 1"));
    let other = world.get("/resilience/alerts?kind=flapping").await.ok();
    assert_eq!(other["alerts"], json!([]));
}

#[actix_web::test]
async fn bad_questions_name_their_fields() {
    let world = World::start().await;
    for (path, fields) in [
        (
            "history?limit=0&before=yesterday",
            &["limit", "before"] as &[_],
        ),
        ("history?after=1", &["after"]),
        ("patterns?days=0", &["days"]),
        ("patterns?days=x", &["days"]),
        (
            "alerts?limit=-1&open=maybe&kind=nonsense",
            &["limit", "open", "kind"],
        ),
        ("alerts?after=x", &["after"]),
    ] {
        let mut named = world.get(&format!("/resilience/{path}")).await.bad_fields();
        let mut expected: Vec<String> = fields.iter().map(|name| (*name).to_owned()).collect();
        named.sort();
        expected.sort();
        assert_eq!(named, expected, "{path}");
    }
}

/// A leased worker's heartbeat that has followed everything, or nothing newer than a version.
async fn leased_beat(world: &World, id: &str, version: Option<i64>) {
    let data = world.get(&format!("/instances/{id}")).await.ok()["data"].take();
    let version = version.map_or_else(|| data["assignment_version"].clone(), Value::from);
    let body = json!({"server_id": id, "current_streams": 0,
        "incarnation": data["incarnation"], "assignment_version": version});
    world.post("/heartbeat", body).await.ok();
    settle().await;
}

fn number(answer: &Value, name: &str) -> u64 {
    answer[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no `{name}` in {answer}"))
}

fn sum(list: &[Value], name: &str) -> u64 {
    list.iter().map(|one| number(one, name)).sum()
}

fn sum_of_all(counts: &Value) -> u64 {
    let counts = counts.as_object().unwrap().values();
    counts.map(|count| count.as_u64().unwrap()).sum()
}

/// One line of the metrics.
fn measured(metrics: &str, name: &str) -> u64 {
    let mut lines = metrics.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found
        .unwrap_or_else(|| panic!("no `{name}` in {metrics}"))
        .parse()
        .unwrap()
}

/// Compares every answer that has counts with every other one. Returns how many streams are owned,
/// run, and wait.
async fn add_up(world: &World, when: &str) -> (u64, u64, u64) {
    let status = world.get("/status").await.ok();
    let (streams, instances) = (&status["streams"], &status["instances"]);
    let of = |name| number(streams, name);
    let (total, disabled, running) = (of("total"), of("disabled"), of("running"));
    let by_state = &streams["by_state"];
    let state = |name| number(by_state, name);
    assert_eq!(total, of("owned") + of("waiting"), "{when}: {status}");
    assert_eq!(of("owned"), of("assigned"), "{when}: {status}");
    assert_eq!(of("waiting"), of("available"), "{when}: {status}");
    assert_eq!(of("assigned"), state("assigned"), "{when}: {status}");
    assert_eq!(
        of("waiting"),
        state("unclaimed") + state("orphaned"),
        "{when}: {status}"
    );
    assert_eq!(disabled, state("disabled"), "{when}: {status}");
    assert_eq!(total + disabled, sum_of_all(by_state), "{when}: {status}");
    assert!(running <= of("owned"), "{when}: {status}");
    assert_eq!(
        number(instances, "total"),
        sum_of_all(&instances["by_status"]),
        "{when}"
    );
    assert_eq!(
        number(instances, "active"),
        number(&instances["by_status"], "active"),
        "{when}"
    );
    let moves = &status["moves"];
    let under_way = number(moves, "releasing") + number(moves, "overlapping");
    assert_eq!(number(moves, "under_way"), under_way, "{when}: {status}");

    let answer = world.get("/streams?limit=10000").await.ok();
    let all = list(&answer, "streams");
    assert_eq!(all.len() as u64, total + disabled, "{when}");
    let with =
        |wanted: &dyn Fn(&Value) -> bool| all.iter().filter(|one| wanted(one)).count() as u64;
    for (name, count) in by_state.as_object().unwrap() {
        let listed = world
            .get(&format!("/streams?limit=10000&state={name}"))
            .await
            .ok();
        assert_eq!(
            list(&listed, "streams").len() as u64,
            count.as_u64().unwrap(),
            "{when}: {name}"
        );
    }
    assert_eq!(with(&|one| one["running"] == true), running, "{when}");
    let is_given_up = |one: &Value| one["handover"]["state"] == "given_up";
    assert_eq!(with(&is_given_up), number(moves, "given_up"), "{when}");
    let assignments = world.get("/streams/assignments").await.ok();
    let enabled = with(&|one| one["state"] == "assigned" && one["enabled"] == true);
    assert_eq!(
        list(&assignments, "assignments").len() as u64,
        enabled,
        "{when}"
    );

    let answer = world.get("/instances").await.ok();
    let lines = list(&answer, "instances");
    assert_eq!(lines.len() as u64, number(instances, "total"), "{when}");
    assert_eq!(sum(lines, "owned"), of("owned"), "{when}: {answer}");
    assert_eq!(sum(lines, "running"), running, "{when}: {answer}");
    for line in lines {
        let id = line["server_id"].as_str().unwrap();
        let detail = world.get(&format!("/instances/{id}")).await.ok()["data"].take();
        for name in ["current_streams", "owned", "running"] {
            assert_eq!(detail[name], line[name], "{when}: {name} of {id}");
        }
        let told = list(&detail, "assigned_streams").len() as u64;
        assert_eq!(number(&detail, "current_streams"), told, "{when}: {id}");
        let body = json!({"server_id": id, "local_streams": [], "local_stream_count": 0});
        let diagnostic = world.post("/diagnostic", body).await.ok();
        let state = &diagnostic["orchestrator_state"];
        assert_eq!(
            number(state, "stream_count"),
            list(state, "streams").len() as u64,
            "{when}"
        );
    }

    let resilience = world.get("/resilience/status").await.ok();
    let told = &resilience["streams"];
    for name in ["total", "assigned", "running", "disabled"] {
        assert_eq!(told[name], streams[name], "{when}: {name}");
    }
    for name in ["unclaimed", "orphaned"] {
        assert_eq!(told[name], by_state[name], "{when}: {name}");
    }
    assert_eq!(told["load"], instances["current_load"], "{when}");
    assert_eq!(told["capacity"], instances["total_capacity"], "{when}");
    let health = world.get("/resilience/health").await.ok();
    for name in ["active_instances", "failed_instances", "critical_failures"] {
        assert_eq!(health[name], resilience[name], "{when}: {name}");
    }
    settle().await;
    let alerts = world.get("/resilience/alerts?open=true").await.ok();
    for alert in list(&alerts, "alerts") {
        let detail = alert["detail"].as_str().unwrap();
        if alert["kind"] == "streams_orphaned" {
            let orphaned = format!("{} stream", state("orphaned"));
            assert!(detail.starts_with(&orphaned), "{when}: {detail}");
        }
    }

    let metrics = world.get("/metrics").await.text;
    for (name, count) in by_state.as_object().unwrap() {
        let gauge = format!("orchestrator_streams{{state=\"{name}\"}}");
        assert_eq!(
            measured(&metrics, &gauge),
            count.as_u64().unwrap(),
            "{when}: {gauge}"
        );
    }
    assert_eq!(
        measured(&metrics, "orchestrator_streams_running"),
        running,
        "{when}"
    );
    for name in ["releasing", "overlapping", "given_up"] {
        let gauge = format!("orchestrator_moves{{state=\"{name}\"}}");
        assert_eq!(
            measured(&metrics, &gauge),
            number(moves, name),
            "{when}: {gauge}"
        );
    }
    (of("owned"), running, of("waiting"))
}

#[actix_web::test]
async fn the_numbers_of_every_answer_add_up() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let world = World::start().await;
    assert_eq!(add_up(&world, "empty").await, (0, 0, 0));
    world.streams(1..=12).await;
    let off = json!({"streams": [{"id": 12, "enabled": false}]});
    world.post("/streams", off).await.ok();
    world.register("leased", 4).await;
    world.assign("leased", 4).await;
    leased_beat(&world, "leased", None).await;
    world.register("classic", 3).await;
    world.assign("classic", 3).await;
    world.register("lost", 2).await;
    world.assign("lost", 2).await;
    assert_eq!(add_up(&world, "all is well").await, (9, 9, 2));

    world.post("/instances/lost/failure", json!({})).await.ok();
    pass(2).await;
    assert_eq!(add_up(&world, "two lost their instance").await, (7, 7, 4));
    for _ in 0..5 {
        pass(50).await;
        world.beat("classic").await.ok();
    }
    assert_eq!(add_up(&world, "a lease is over").await, (7, 3, 4));

    // One that is disabled is its worker's until that has let go, one that is deleted is no stream.
    leased_beat(&world, "leased", None).await;
    let off = json!({"streams": [{"id": 1, "enabled": false}]});
    world.post("/streams", off).await.ok();
    world.delete("/streams/2").await.ok();
    assert_eq!(
        add_up(&world, "one is disabled, one deleted").await,
        (6, 6, 4)
    );
    let version = world.get("/instances/leased").await.ok()["data"]["assignment_version"].take();
    let old = version.as_i64().unwrap() - 1;
    leased_beat(&world, "leased", None).await;
    assert_eq!(
        add_up(&world, "both are let go of").await,
        (7, 7, 2),
        "room appeared"
    );

    world.register("roomy", 9).await;
    settle().await;
    let to_roomy = json!({"moves": [{"stream_id": 3, "to": "roomy"}]});
    world.post("/streams/move", to_roomy).await.ok();
    let (owned, running, _) = add_up(&world, "a move is under way").await;
    assert_eq!((owned, running), (7, 7));
    for _ in 0..12 {
        pass(30).await;
        leased_beat(&world, "leased", Some(old)).await;
        world.beat("classic").await.ok();
        world.beat("roomy").await.ok();
    }
    let moves = world.get("/status").await.ok()["moves"].take();
    assert_has(&moves, &json!({"under_way": 0, "given_up": 1}));
    add_up(&world, "a move is given up").await;
}
