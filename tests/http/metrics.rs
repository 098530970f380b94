//! `/metrics`: what is counted, its names, its formats, and that it does not grow with the fleet.
#![expect(clippy::unwrap_used, reason = "a test says what it found by failing")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support_http::faults::Outage;
use crate::support_http::support_log::expect_errors;
use crate::support_http::{World, pass, settle};
use regex::Regex;
use resilient_orchestrator::http::{HttpSettings, RequestLimits};
use serde_json::json;

/// Series by name and labels.
struct Scrape {
    text: String,
    values: BTreeMap<String, f64>,
}

impl Scrape {
    async fn of(world: &World) -> Self {
        let answer = world.get("/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let samples = answer.text.lines().filter(|line| !line.starts_with('#'));
        let values = samples
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(series, value)| (series.to_owned(), value.parse().unwrap()));
        Self {
            values: values.collect(),
            text: answer.text,
        }
    }

    /// The value of a series of `orchestrator_`.
    #[track_caller]
    fn value(&self, series: &str) -> f64 {
        let series = format!("orchestrator_{series}");
        let value = self.values.get(&series);
        *value.unwrap_or_else(|| panic!("no {series} in\n{}", self.text))
    }
}

/// The comment lines of one kind, by family.
fn described<'a>(text: &'a str, kind: &str) -> BTreeMap<&'a str, &'a str> {
    let begins = format!("# {kind} ");
    let lines = text.lines().filter_map(|line| line.strip_prefix(&begins));
    let pairs = lines.map(|line| line.split_once(' ').unwrap_or((line, "")));
    let found: Vec<_> = pairs.collect();
    let families: BTreeMap<_, _> = found.iter().copied().collect();
    assert_eq!(families.len(), found.len(), "{kind} is written once");
    families
}

/// Streams move, wait, are orphaned and claimed; a breaker opens; an instance fails.
async fn busy() -> World {
    expect_errors(&["alert streams_orphaned"]);
    let settings = HttpSettings {
        metrics_per_instance: true,
        ..HttpSettings::default()
    };
    let world = World::with(settings).await;
    world.streams(1..=4).await;
    world.register("a", 3).await;
    world.register("b", 1).await;
    world.assign("a", 3).await;
    world.beat("a").await.ok();
    world.send("POST", "/instances/a/failure").await.ok();
    let webhook = json!({"url": "https://203.0.113.9/hook", "enabled": false});
    let webhook = webhook.to_string().into_bytes();
    let saved = world.send_bytes("PUT", "/webhooks/ops", webhook).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    pass(1).await;
    world
}

const UNITS_OF_OTHERS: [&str; 10] = [
    "ms",
    "milliseconds",
    "micros",
    "minutes",
    "hours",
    "days",
    "percent",
    "kilobytes",
    "kib",
    "megabytes",
];

#[actix_web::test]
async fn every_family_has_help_and_a_name_by_the_rules_of_prometheus() {
    let scrape = Scrape::of(&busy().await).await;
    let (help, types) = (
        described(&scrape.text, "HELP"),
        described(&scrape.text, "TYPE"),
    );
    assert!(types.len() > 40, "{}", types.len());
    assert_eq!(
        help.keys().collect::<Vec<_>>(),
        types.keys().collect::<Vec<_>>()
    );
    for (family, kind) in &types {
        let help = help[family];
        assert!(help.len() > 5 && help.ends_with('.'), "{family}: {help}");
        assert!(
            family.starts_with("orchestrator_") || family.starts_with("process_"),
            "{family}"
        );
        let is_plain = |c: char| c == '_' || c.is_ascii_lowercase();
        assert!(family.chars().all(is_plain), "{family}");
        assert_eq!(family.ends_with("_total"), *kind == "counter", "{family}");
        for word in family.split('_') {
            assert!(!UNITS_OF_OTHERS.contains(&word), "{family}: a base unit");
            let types = ["counter", "gauge", "histogram", "summary"];
            assert!(!types.contains(&word), "{family}: no type in a name");
        }
        for ending in ["_bucket", "_sum", "_count", "_created", "_info"] {
            let is_build = *family == "orchestrator_build_info";
            assert!(!family.ends_with(ending) || is_build, "{family}");
        }
    }
    for series in scrape.values.keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let endings = ["", "_bucket", "_sum", "_count"];
        let is_declared = endings
            .iter()
            .filter_map(|ending| name.strip_suffix(ending))
            .any(|family| types.contains_key(family));
        assert!(is_declared, "{series} has no TYPE");
        // A scrape would rename them.
        for label in ["instance=", "job="] {
            let labels = labels.split(',');
            assert!(
                !labels.into_iter().any(|own| own.starts_with(label)),
                "{series}"
            );
        }
    }
}

#[actix_web::test]
async fn no_series_is_added_by_an_instance_or_a_stream_unless_it_is_wanted() {
    async fn series(instances: i64, settings: HttpSettings) -> BTreeSet<String> {
        let world = World::on(World::empty_store(), settings).await;
        world.streams(1..=instances * 2).await;
        for number in 0..instances {
            let id = format!("w{number}");
            world.register(&id, 2).await;
            world.assign(&id, 2).await;
            world.beat(&id).await.ok();
        }
        world.get("/metrics").await;
        Scrape::of(&world).await.values.into_keys().collect()
    }
    tokio::time::pause();
    let off = HttpSettings::default();
    assert_eq!(series(1, off).await, series(9, off).await);
    let on = HttpSettings {
        metrics_per_instance: true,
        ..off
    };
    let added: BTreeSet<_> = &series(2, on).await - &series(2, off).await;
    let expected = ["w0", "w1"].into_iter().flat_map(|id| {
        ["serving", "streams", "silence_seconds"]
            .map(|what| format!("orchestrator_instance_{what}{{server_id=\"{id}\"}}"))
    });
    assert_eq!(added, expected.collect());
}

#[actix_web::test]
async fn series_of_instances_show_each_instance() {
    expect_errors(&["alert streams_orphaned"]);
    let world = busy().await;
    world.beat("b").await.ok();
    pass(7).await;
    let scrape = Scrape::of(&world).await;
    assert_eq!(scrape.value("instance_serving{server_id=\"a\"}"), 0.0);
    assert_eq!(scrape.value("instance_serving{server_id=\"b\"}"), 1.0);
    assert_eq!(scrape.value("instance_streams{server_id=\"b\"}"), 1.0);
    let silence = scrape.value("instance_silence_seconds{server_id=\"b\"}");
    assert!((7.0..8.0).contains(&silence), "{silence}");
}

#[actix_web::test]
async fn the_format_is_the_one_that_is_accepted() {
    let world = World::start().await;
    let classic = world.get("/metrics").await;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(classic.header("content-type"), Some(kind));
    assert!(!classic.text.contains("# EOF"));
    let total = "# TYPE orchestrator_heartbeats_total counter";
    assert!(classic.text.lines().any(|line| line == total));

    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
    let open = world
        .send_with("GET", "/metrics", &accept, Vec::new())
        .await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), Some(kind));
    assert!(open.text.ends_with("# EOF\n"));
    let total = "# TYPE orchestrator_heartbeats counter";
    assert!(open.text.lines().any(|line| line == total));
}

#[actix_web::test]
async fn heartbeats_are_counted_by_result_and_by_the_silence_before() {
    let world = World::start().await;
    world.register("a", 3).await;
    world.register("a", 3).await;
    let before = Scrape::of(&world)
        .await
        .value("heartbeat_silence_seconds_sum");
    world.beat("a").await.ok();
    pass(12).await;
    world.beat("a").await.ok();
    world.beat("ghost").await.problem(404);
    let older = json!({"server_id": "a", "incarnation": 1, "current_streams": 0});
    world.post("/heartbeat", older).await.problem(409);
    world
        .post("/heartbeat", json!({"server_id": 7}))
        .await
        .problem(422);
    settle().await;
    let scrape = Scrape::of(&world).await;
    for (result, count) in [
        ("accepted", 2.0),
        ("unknown_instance", 1.0),
        ("other_incarnation", 1.0),
        ("malformed", 1.0),
    ] {
        let series = format!("heartbeats_total{{result=\"{result}\"}}");
        assert_eq!(scrape.value(&series), count, "{series}");
    }
    let silence = scrape.value("heartbeat_silence_seconds_sum") - before;
    assert!((12.0..12.1).contains(&silence), "{silence}");
    assert_eq!(scrape.value("heartbeat_silence_seconds_count"), 2.0);
    assert_eq!(
        scrape.value("heartbeat_silence_seconds_bucket{le=\"10\"}"),
        1.0
    );
    assert_eq!(
        scrape.value("queue_length{queue=\"heartbeat_mailbox\"}"),
        0.0
    );
}

#[actix_web::test]
async fn a_silent_instance_is_counted_with_its_detection_its_recovery_and_the_moves() {
    expect_errors(&["alert streams_orphaned"]);
    let world = World::start().await;
    world.streams(1..=3).await;
    world.register("silent", 3).await;
    world.assign("silent", 3).await;
    world.register("other", 2).await;
    for _ in 0..32 {
        pass(10).await;
        world.beat("other").await.ok();
    }
    let scrape = Scrape::of(&world).await;
    for (series, count) in [
        ("failures_total{cause=\"heartbeat_timeout\"}", 1.0),
        ("failures_total{cause=\"reported\"}", 0.0),
        ("recoveries_total{outcome=\"recovered_partially\"}", 1.0),
        ("recovery_seconds_count", 1.0),
        ("detection_delay_seconds_count", 1.0),
        ("streams_moved_total{reason=\"instance_failed\"}", 2.0),
        ("streams_orphaned_total{reason=\"instance_failed\"}", 1.0),
        ("streams_waiting{reason=\"orphaned\"}", 1.0),
        ("events_total{kind=\"instance_failed\"}", 1.0),
    ] {
        assert_eq!(scrape.value(series), count, "{series}");
    }
    let delay = scrape.value("detection_delay_seconds_sum");
    assert!((300.0..301.0).contains(&delay), "{delay}");
}

#[actix_web::test]
async fn the_hold_of_a_mass_failure_is_no_part_of_the_detection() {
    expect_errors(&["alert mass_failure"]);
    let world = World::start().await;
    for id in ["a", "b", "c", "d"] {
        world.register(id, 3).await;
    }
    pass(400).await;
    let scrape = Scrape::of(&world).await;
    assert_eq!(scrape.value("brake_engagements_total"), 1.0);
    assert_eq!(scrape.value("detection_delay_seconds_count"), 4.0);
    let delay = scrape.value("detection_delay_seconds_sum") / 4.0;
    assert!((300.0..301.0).contains(&delay), "{delay}");
}

#[actix_web::test]
async fn time_without_an_owner_is_added_up_over_the_streams() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let world = World::start().await;
    let unclaimed = "unowned_stream_seconds_total{state=\"unclaimed\"}";
    assert_eq!(Scrape::of(&world).await.value(unclaimed), 0.0);
    world.streams(1..=3).await;
    pass(10).await;
    let waited = Scrape::of(&world).await.value(unclaimed);
    assert!((30.0..30.1).contains(&waited), "{waited}");
    world.register("a", 2).await;
    world.assign("a", 2).await;
    pass(5).await;
    let waited = Scrape::of(&world).await.value(unclaimed);
    assert!((35.0..35.2).contains(&waited), "{waited}");
    world.send("POST", "/instances/a/failure").await.ok();
    pass(4).await;
    let scrape = Scrape::of(&world).await;
    let orphaned = scrape.value("unowned_stream_seconds_total{state=\"orphaned\"}");
    assert!((8.0..8.1).contains(&orphaned), "{orphaned}");
    for (reason, count) in [("unclaimed", 1.0), ("orphaned", 2.0), ("paused", 0.0)] {
        let series = format!("streams_waiting{{reason=\"{reason}\"}}");
        assert_eq!(scrape.value(&series), count, "{series}");
    }
}

#[actix_web::test]
async fn a_stream_that_is_given_back_again_and_again_waits_because_it_is_paused() {
    let world = World::start().await;
    world.streams([1]).await;
    world.register("a", 1).await;
    while Scrape::of(&world)
        .await
        .value("streams_waiting{reason=\"paused\"}")
        == 0.0
    {
        assert_eq!(world.assign("a", 1).await["assigned_streams"], json!([1]));
        let body = json!({"server_id": "a", "stream_ids": [1], "reason": "no picture"});
        world.post("/streams/release", body).await.ok();
    }
    let scrape = Scrape::of(&world).await;
    assert_eq!(scrape.value("streams_waiting{reason=\"unclaimed\"}"), 0.0);
    assert_eq!(scrape.value("streams{state=\"unclaimed\"}"), 1.0);
}

#[actix_web::test]
async fn a_claim_to_a_stream_of_another_owner_is_a_duplicate() {
    let world = World::start().await;
    world.streams(1..=2).await;
    world.register("a", 2).await;
    let assigned = world.assign("a", 2).await;
    let epoch = assigned["assignments"][0]["epoch"].as_i64().unwrap();
    let claims = json!({"claims": [{"stream_id": 1, "epoch": epoch},
        {"stream_id": 2, "epoch": 1}, {"stream_id": 9, "epoch": 1}]});
    world.post("/streams/verify", claims).await.ok();
    let scrape = Scrape::of(&world).await;
    // Stream 9 is unknown: no other worker has it.
    assert_eq!(scrape.value("duplicate_claims_total{kind=\"stale\"}"), 1.0);
    assert_eq!(
        scrape.value("duplicate_claims_total{kind=\"instance\"}"),
        0.0
    );
}

#[actix_web::test]
async fn two_processes_under_one_name_are_a_duplicate_claim() {
    let world = World::start().await;
    let first = world.register("a", 3).await["incarnation"].clone();
    let second = world.register("a", 3).await["incarnation"].clone();
    for _ in 0..40 {
        for incarnation in [&first, &second] {
            let beat = json!({"server_id": "a", "incarnation": incarnation, "current_streams": 0});
            world.post("/heartbeat", beat).await;
        }
        pass(5).await;
    }
    let scrape = Scrape::of(&world).await;
    assert_eq!(
        scrape.value("duplicate_claims_total{kind=\"instance\"}"),
        1.0
    );
}

#[actix_web::test]
async fn an_outage_is_seen_in_calls_transactions_breakers_and_answers() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let world = World::start().await;
    world.register("a", 3).await;
    world.store.set_outage(Some(Outage::Refusing));
    let mut refused = 0.0;
    while world.orchestrator.store_gate().writes().lets_through() {
        let body = json!({"server_id": "new", "ip": "h", "port": 1});
        world.post("/register", body).await.problem(503);
        refused += 1.0;
        settle().await;
    }
    let scrape = Scrape::of(&world).await;
    let calls = "store_calls_total{operation=\"save_fleet\",outcome";
    assert_eq!(scrape.value(&format!("{calls}=\"ok\"}}")), 1.0);
    assert_eq!(scrape.value(&format!("{calls}=\"unavailable\"}}")), refused);
    let took = "store_call_seconds_count{operation=\"save_fleet\"}";
    assert_eq!(scrape.value(took), 1.0 + refused);
    assert_eq!(
        scrape.value("saves_total{outcome=\"unavailable\"}"),
        refused
    );
    assert_eq!(scrape.value("batch_commands_count"), 1.0 + refused);
    let writes = "{breaker=\"store_writes\",state=\"open\"}";
    assert_eq!(scrape.value(&format!("breaker_state{writes}")), 1.0);
    assert_eq!(
        scrape.value(&format!("breaker_transitions_total{writes}")),
        1.0
    );
    let answers = "http_requests_total{method=\"POST\",route=\"/register\",status";
    assert_eq!(scrape.value(&format!("{answers}=\"503\"}}")), refused);
    assert_eq!(scrape.value("store_up"), 0.0);
}

#[actix_web::test]
async fn a_scrape_is_answered_however_many_requests_are_under_way() {
    let settings = HttpSettings {
        limits: RequestLimits {
            reads: 0,
            lists: 0,
            ..RequestLimits::default()
        },
        ..HttpSettings::default()
    };
    let world = World::with(settings).await;
    world.get("/status").await.problem(503);
    let scrape = Scrape::of(&world).await;
    assert_eq!(scrape.value("metrics_complete"), 1.0);
    assert_eq!(scrape.value("instances{status=\"active\"}"), 0.0);
}

/// The selectors of a text: the name of each family, with the conditions on its labels.
fn selectors(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let text = text.replace("\\\"", "\"");
    let selector = Regex::new(r"(orchestrator_[a-z_]+)\{([^}]*)\}").unwrap();
    let condition = Regex::new("([a-z_]+)(?:=~|!~|!=|=)\"([^\"]*)\"").unwrap();
    let found = selector.captures_iter(&text).map(|found| {
        let conditions = condition.captures_iter(&found[2]);
        let conditions = conditions.map(|one| (one[1].to_owned(), one[2].to_owned()));
        (found[1].to_owned(), conditions.collect())
    });
    found.collect()
}

#[actix_web::test]
async fn the_values_of_labels_in_rules_and_dashboard_are_those_of_the_program() {
    let world = busy().await;
    let scrape = Scrape::of(&world).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let (mut compared, mut families) = (0, BTreeSet::new());
    for file in [
        "prometheus/orchestrator.rules.yml",
        "grafana/orchestrator.json",
    ] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        for (family, conditions) in selectors(&text) {
            for (label, wanted) in conditions {
                // Prometheus adds these to what it scrapes.
                if ["job", "instance"].contains(&label.as_str()) {
                    continue;
                }
                for value in wanted.split('|') {
                    let value =
                        Regex::new(&format!("^orchestrator_.*[{{,]{label}=\"{value}\"")).unwrap();
                    let mut series = scrape.values.keys().filter(|key| key.starts_with(&family));
                    assert!(
                        series.any(|series| value.is_match(series)),
                        "{file}: no series of {family} has {label}=~\"{wanted}\""
                    );
                    compared += 1;
                    families.insert(family.clone());
                }
            }
        }
    }
    assert!(
        compared >= 12 && families.len() >= 7,
        "{compared}: {families:?}"
    );
}

#[actix_web::test]
async fn each_outcome_of_a_transaction_begins_at_zero() {
    let scrape = Scrape::of(&World::start().await).await;
    for outcome in [
        "saved",
        "unavailable",
        "in_doubt",
        "refused",
        "deposed",
        "unusable",
    ] {
        let series = format!("saves_total{{outcome=\"{outcome}\"}}");
        assert_eq!(scrape.value(&series), 0.0, "{outcome}");
    }
}

#[actix_web::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let world = World::start().await;
    world.register("a", 3).await;
    world.beat("a").await.ok();
    world.get("/instances/a").await.ok();
    world.get("/instances/b").await.problem(404);
    world.get("/nowhere/1").await.problem(404);
    world.send("PUT", "/streams").await.problem(405);
    world.send("BREW", "/nowhere/2").await.problem(404);
    let scrape = Scrape::of(&world).await;
    for (method, route, status) in [
        ("POST", "/register", 200),
        ("POST", "/heartbeat", 200),
        ("GET", "/instances/{server_id}", 200),
        ("GET", "/instances/{server_id}", 404),
        ("GET", "unknown", 404),
        ("PUT", "/streams", 405),
        ("unknown", "unknown", 404),
    ] {
        let labels = format!("method=\"{method}\",route=\"{route}\"");
        let series = format!("http_requests_total{{{labels},status=\"{status}\"}}");
        assert_eq!(scrape.value(&series), 1.0, "{series}");
        let timed = format!("http_request_seconds_count{{{labels}}}");
        assert!(scrape.value(&timed) >= 1.0, "{timed}");
    }
}

#[actix_web::test]
async fn the_process_is_shown_with_its_version_and_its_readiness() {
    let world = World::start().await;
    let scrape = Scrape::of(&world).await;
    assert_eq!(scrape.value("ready"), 1.0);
    let version = format!(
        "build_info{{version=\"{}\",revision=\"",
        env!("CARGO_PKG_VERSION")
    );
    let begins = format!("orchestrator_{version}");
    let build: Vec<&String> = scrape
        .values
        .keys()
        .filter(|key| key.starts_with(&begins))
        .collect();
    let [build] = build[..] else {
        panic!("{build:?}");
    };
    assert!(!build.ends_with("revision=\"\"}"), "{build}");
    for figure in [
        "cpu_seconds_total",
        "resident_memory_bytes",
        "virtual_memory_bytes",
        "open_fds",
        "max_fds",
        "start_time_seconds",
        "threads",
    ] {
        assert!(
            scrape.values.contains_key(&format!("process_{figure}")),
            "{figure}"
        );
    }
    world.state.readiness().set(false);
    assert_eq!(Scrape::of(&world).await.value("ready"), 0.0);
}
