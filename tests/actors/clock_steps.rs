//! The wall clock of the machine jumps: nothing that goes by running time follows it.

use std::time::Duration;

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::clean_up::Retention;
use resilient_orchestrator::actors::heartbeat_log::AskHistory;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, AlertKind};
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::settings::HealthLimits;

use crate::rig::{Rig, pass};
use crate::support_log::expect_errors;

const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;
const YEAR: f64 = 365.0 * DAY;

/// Sets the wall clock by so many seconds, and lets the next reading see it.
async fn step(rig: &Rig, seconds: f64) {
    rig.clock.set_wall_by((seconds * 1e6) as i64);
    pass(0.2).await;
}

/// Of the first hour the timeouts of an instance that never beats are a part.
fn forgetting_after_two_hours() -> SystemSettings {
    SystemSettings {
        instance_retention: Duration::from_secs(7_200),
        ..SystemSettings::default()
    }
}

async fn stepped(rig: &Rig) -> Vec<Alert> {
    let ask = AskAlerts {
        filter: AlertFilter {
            kind: Some(AlertKind::ClockStepped),
            ..AlertFilter::default()
        },
        limit: 10,
    };
    rig.orchestrator.alert_page(ask).await.unwrap().alerts
}

async fn metrics(rig: &Rig, id: &str, within: Duration) -> usize {
    let ask = AskHistory {
        instance: id.into(),
        within,
        limit: 1_000,
    };
    rig.orchestrator.history(ask).await.unwrap().records.len()
}

#[actix::test]
async fn the_last_heartbeat_is_the_last_whatever_the_clock_shows() {
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    for seconds in [DAY, -YEAR, 10.0 * YEAR, -9.0 * YEAR - DAY] {
        step(&rig, seconds).await;
        rig.beat("a").await;
        let now = rig.clock.wall();
        assert_eq!(rig.entry("a").last_beat_wall(), now);
        pass(7.0).await;
        assert_eq!(rig.entry("a").silence(&rig.clock).as_secs(), 7);
        let saved = rig.store.rows().last_beats;
        assert_eq!(saved, [("a".into(), now)], "saved, too");
    }
}

#[actix::test]
async fn a_clock_that_jumps_fails_and_moves_nothing() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 3).await;
    rig.keep_beating(&["a"]);
    rig.ask_for("a", 3).await;
    for seconds in [DAY, -YEAR, 74.0 * YEAR] {
        step(&rig, seconds).await;
        pass(400.0).await;
        assert_eq!(rig.status("a"), InstanceStatus::Active);
        assert_eq!(rig.held("a").await, [1, 2, 3]);
    }
}

#[actix::test]
async fn a_failed_instance_is_kept_when_the_clock_jumps_a_year_ahead() {
    let rig = Rig::with(forgetting_after_two_hours()).await;
    rig.register("old", 1).await;
    rig.register("a", 1).await;
    rig.keep_beating(&["a"]);
    pass(HOUR).await;
    assert_eq!(rig.status("old"), InstanceStatus::Failed);
    step(&rig, YEAR).await;
    pass(0.9 * HOUR).await;
    assert_eq!(rig.status("old"), InstanceStatus::Failed, "failed lately");
    pass(0.3 * HOUR).await;
    assert!(rig.orchestrator.registry().get(&"old".into()).is_none());
}

#[actix::test]
async fn a_failed_instance_is_forgotten_in_time_when_the_clock_jumps_back() {
    let rig = Rig::with(forgetting_after_two_hours()).await;
    rig.register("old", 1).await;
    rig.register("a", 1).await;
    rig.keep_beating(&["a"]);
    pass(HOUR).await;
    step(&rig, -10.0 * YEAR).await;
    pass(0.9 * HOUR).await;
    assert_eq!(rig.status("old"), InstanceStatus::Failed);
    pass(0.3 * HOUR).await;
    assert!(rig.orchestrator.registry().get(&"old".into()).is_none());
}

#[actix::test]
async fn the_clean_up_goes_by_running_time_when_the_clock_jumps() {
    let defaults = SystemSettings::default();
    let hours = |hours: f64| Duration::from_secs_f64(hours * HOUR);
    let retention = Retention {
        metrics: hours(1.0),
        events: hours(2.0),
        ..defaults.retention
    };
    let rig = Rig::with(SystemSettings {
        retention,
        ..defaults
    })
    .await;
    rig.register("a", 1).await;
    rig.keep_beating(&["a"]);
    let mut expected = 1;
    for seconds in [0.0, YEAR, -20.0 * YEAR, 80.0 * YEAR, -61.0 * YEAR] {
        step(&rig, seconds).await;
        pass(HOUR / 6.0).await;
        let shown = metrics(&rig, "a", hours(12.0)).await;
        assert!(shown > expected + 15, "{shown} after {seconds}");
        expected = shown;
        let lately = metrics(&rig, "a", hours(0.1)).await;
        assert!(
            (10..=14).contains(&lately),
            "six minutes at two a minute: {lately}"
        );
        assert!(!rig.events().is_empty());
    }
    pass(3.0 * HOUR).await;
    let shown = metrics(&rig, "a", hours(24.0)).await;
    assert!((120..=245).contains(&shown), "{shown} of one or two hours");
    assert_eq!(rig.events(), [], "nothing happened in the last two hours");
}

#[actix::test]
async fn a_clock_that_jumps_is_one_alert_that_closes_after_an_hour() {
    let rig = Rig::start().await;
    pass(1.0).await;
    assert_eq!(stepped(&rig).await, []);
    step(&rig, -2.0 * DAY).await;
    let [alert] = stepped(&rig).await.try_into().unwrap();
    assert!(alert.is_open());
    assert_eq!(alert.subject, "fleet");
    assert!(
        alert.detail.contains("back by 172800 s"),
        "{}",
        alert.detail
    );
    pass(HOUR / 2.0).await;
    step(&rig, 2.0 * DAY).await;
    pass(HOUR - 10.0).await;
    let [alert] = stepped(&rig).await.try_into().unwrap();
    assert!(alert.is_open(), "an hour after the last jump");
    pass(20.0).await;
    let [alert] = stepped(&rig).await.try_into().unwrap();
    assert!(!alert.is_open());
}

#[actix::test]
async fn small_corrections_and_standstills_are_no_alert() {
    let rig = Rig::start().await;
    for seconds in [0.4, -1.5, 1.0] {
        step(&rig, seconds).await;
        pass(60.0).await;
    }
    rig.clock.stand_still(Duration::from_secs(100));
    pass(200.0).await;
    assert_eq!(stepped(&rig).await, []);
}

#[actix::test]
async fn a_critical_failure_is_remembered_for_its_time_when_the_clock_jumps() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let defaults = SystemSettings::default();
    let health = HealthLimits {
        failure_retention: Duration::from_secs(3_600),
        ..defaults.health
    };
    let rig = Rig::with(SystemSettings { health, ..defaults }).await;
    rig.streams(1).await;
    rig.register("a", 1).await;
    rig.ask_for("a", 1).await;
    rig.orchestrator.report_failure("a".into()).await.unwrap();
    pass(2.0).await;
    step(&rig, YEAR).await;
    let health = rig.orchestrator.system_health().await.unwrap();
    assert_eq!(
        health.critical_failures, 1,
        "it left a stream without an instance"
    );
    pass(HOUR).await;
    let health = rig.orchestrator.system_health().await.unwrap();
    assert_eq!(health.critical_failures, 0);
}
