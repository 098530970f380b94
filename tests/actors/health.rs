//! The health of the whole system: judged soon after anything happens, kept and told.

use std::time::Duration;

use resilient_orchestrator::actors::clean_up::Retention;
use resilient_orchestrator::actors::health::{AskHealthHistory, HealthPage, HealthReport};
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::health::{HealthRecord, HealthRule, SystemHealth};
use resilient_orchestrator::domain::ids::InstanceId;

use crate::faults::Outage;
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

async fn report(rig: &Rig) -> HealthReport {
    rig.orchestrator.system_health().await.unwrap()
}

async fn history(rig: &Rig) -> HealthPage {
    let ask = AskHealthHistory {
        before: None,
        limit: 1_000,
    };
    rig.orchestrator.health_history(ask).await.unwrap()
}

fn healths(page: &HealthPage) -> Vec<SystemHealth> {
    page.records.iter().map(|record| record.health).collect()
}

/// `count` instances, of which the first `beating` beat until the runtime ends.
async fn fleet(count: usize, beating: usize) -> Rig {
    let rig = Rig::start().await;
    let names: Vec<String> = (0..count).map(|number| format!("i{number}")).collect();
    for name in &names {
        rig.register(name, 10).await;
    }
    let alive: Vec<&str> = names[..beating].iter().map(String::as_str).collect();
    rig.keep_beating(&alive);
    rig
}

#[actix::test]
async fn an_empty_fleet_is_healthy() {
    let rig = Rig::start().await;
    let found = report(&rig).await;
    assert_eq!(found.verdict.health, SystemHealth::Healthy);
    assert_eq!(found.verdict.rules, []);
    assert_eq!(found.vitals.total, 0);
}

#[actix::test]
async fn a_failure_degrades_the_system_until_the_instance_no_longer_counts() {
    let rig = fleet(4, 3).await;
    pass(1.5).await;
    assert_eq!(healths(&history(&rig).await), [SystemHealth::Healthy]);
    // Late, then failed: three of four are active either way.
    pass(120.0).await;
    let degraded = report(&rig).await.verdict;
    assert_eq!(degraded.health, SystemHealth::Degraded);
    assert_eq!(degraded.rules, [HealthRule::ActiveRatioDegraded]);
    pass(180.0).await;
    let found = report(&rig).await;
    assert_eq!(found.verdict, degraded);
    assert_eq!((found.vitals.failed, found.vitals.all_failed), (1, 1));
    assert_eq!(found.critical_failures, 0, "it left nothing behind");
    // Failed and empty for more than an hour. Nobody asks: it is found by the next look.
    pass(3_661.0).await;
    assert_eq!(healths(&history(&rig).await)[0], SystemHealth::Healthy);
    let found = report(&rig).await;
    assert_eq!((found.vitals.failed, found.vitals.all_failed), (0, 1));
}

#[actix::test]
async fn what_changes_is_judged_within_a_second_and_kept() {
    let rig = fleet(2, 2).await;
    pass(1.5).await;
    rig.orchestrator.report_failure("i0".into()).await.unwrap();
    pass(1.1).await;
    let page = history(&rig).await;
    assert_eq!(
        healths(&page),
        [SystemHealth::Degraded, SystemHealth::Healthy]
    );
    assert_eq!(page.records[0].rules, [HealthRule::ActiveRatioDegraded]);
    assert_eq!(page.records[0].active_instances, 1);
    assert_eq!(page.records[0].total_instances, 2);
    assert_eq!(page.stale_since, None);
    assert_eq!(rig.store.health_rows(), page.records, "saved");
    assert_eq!(rig.orchestrator.telemetry().system_health.get(), 1);
}

#[actix::test]
async fn orphans_are_a_critical_failure_for_a_day() {
    let rig = fleet(2, 2).await;
    rig.streams(20).await;
    rig.ask_for("i0", 10).await;
    rig.ask_for("i1", 10).await;
    assert_eq!(
        report(&rig).await.verdict.rules,
        [HealthRule::CapacityUtilization]
    );
    rig.orchestrator.report_failure("i0".into()).await.unwrap();
    rig.register("i2", 100).await;
    rig.keep_beating(&["i2"]);
    pass(1.1).await;
    let found = report(&rig).await;
    assert_eq!(found.vitals.orphaned, 0, "the new one took them");
    assert_eq!(found.critical_failures, 1);
    assert!(
        found
            .verdict
            .rules
            .contains(&HealthRule::RecentCriticalFailures)
    );
    pass(24.0 * 3_600.0).await;
    let found = report(&rig).await;
    assert_eq!(found.critical_failures, 0);
    assert_eq!(found.verdict.health, SystemHealth::Healthy);
}

#[actix::test]
async fn a_held_mass_is_an_emergency_until_it_is_over() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(5, 0).await;
    pass(301.0).await;
    let page = history(&rig).await;
    assert_eq!(healths(&page)[0], SystemHealth::Emergency);
    assert!(page.records[0].rules.contains(&HealthRule::MassFailureHeld));
    // The hold and the recoveries it delayed are over.
    pass(50.0).await;
    let found = report(&rig).await.verdict;
    assert!(!found.rules.contains(&HealthRule::MassFailureHeld));
    assert_eq!(found.health, SystemHealth::Critical, "all have failed");
}

#[actix::test]
async fn what_happened_while_the_store_was_out_is_kept_and_saved_later() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = fleet(2, 2).await;
    pass(1.5).await;
    let before = rig.store.health_rows();
    rig.store.set_outage(Some(Outage::Refusing));
    pass(600.0).await;
    let page = history(&rig).await;
    assert!(page.stale_since.is_some());
    assert!(
        page.records[0]
            .rules
            .contains(&HealthRule::StoreUnavailable)
    );
    assert!(page.records.len() >= before.len() + 2, "{page:?}");
    assert_eq!(rig.store.health_rows(), before);
    rig.store.set_outage(None);
    pass(90.0).await;
    let page = history(&rig).await;
    assert_eq!(page.stale_since, None);
    assert_eq!(healths(&page)[0], SystemHealth::Healthy);
    assert_eq!(rig.store.health_rows(), page.records, "nothing was lost");
}

#[actix::test]
async fn a_point_is_kept_every_five_minutes_if_nothing_happens() {
    let rig = fleet(1, 1).await;
    pass(3_601.0).await;
    let records = history(&rig).await.records;
    let ages: Vec<u64> = records
        .windows(2)
        .map(|pair| pair[0].at.since(pair[1].at).as_secs())
        .collect();
    assert!((10..=14).contains(&records.len()), "{ages:?}");
    assert!(ages.iter().all(|age| *age <= 360), "{ages:?}");
}

#[actix::test]
async fn pages_of_the_history_follow_each_other() {
    let rig = fleet(1, 1).await;
    // Between two points, so that none is added while they are read.
    pass(7_250.0).await;
    let whole = history(&rig).await.records;
    let mut paged: Vec<HealthRecord> = Vec::new();
    loop {
        let ask = AskHealthHistory {
            before: paged.last().map(|record| record.at),
            limit: 3,
        };
        let page = rig.orchestrator.health_history(ask).await.unwrap();
        if page.records.is_empty() {
            break;
        }
        paged.extend(page.records);
    }
    assert_eq!(paged, whole);
}

#[actix::test]
async fn failures_are_remembered_across_a_restart() {
    let rig = fleet(2, 2).await;
    rig.streams(3).await;
    rig.ask_for("i0", 3).await;
    rig.orchestrator.report_failure("i0".into()).await.unwrap();
    settle_down().await;
    let before = rig.orchestrator.failures().await.unwrap();
    assert_eq!(before.success_rate, Some(1.0));
    assert_eq!(before.counts[&InstanceId::from("i0")], 1);
    let [failed] = before.failed.as_slice() else {
        panic!("{before:?}");
    };
    assert_eq!((failed.id.as_str(), failed.streams_affected), ("i0", 3));
    assert_eq!(failed.attempts, 1);
    assert!(failed.last_attempt.is_some());
    let rig = rig.again(SystemSettings::default()).await;
    assert_eq!(rig.orchestrator.failures().await.unwrap(), before);
}

/// How old the oldest point is that is kept, and how many there are.
async fn kept(most_health_rows: u32, hours: u64) -> (Duration, usize) {
    let defaults = SystemSettings::default();
    let settings = SystemSettings {
        retention: Retention {
            health: Duration::from_secs(hours * 3_600),
            most_health_rows,
            ..defaults.retention
        },
        ..defaults
    };
    let rig = Rig::with(settings).await;
    rig.register("i0", 1).await;
    rig.keep_beating(&["i0"]);
    // Cleaned soon after the start and every hour since; just after the last time.
    pass(5.0 * 3_600.0 + 30.0).await;
    let rows = rig.store.health_rows();
    let oldest = rows.iter().map(|row| row.at).min().unwrap();
    (rig.clock.wall().since(oldest), rows.len())
}

#[actix::test]
async fn what_is_older_than_its_retention_leaves_the_history_by_itself() {
    let (age, rows) = kept(1_000, 2).await;
    assert!(age <= Duration::from_secs(2 * 3_600 + 10), "{age:?}");
    assert!((20..=26).contains(&rows), "one every five minutes: {rows}");
}

#[actix::test]
async fn no_more_rows_than_wanted_stay_in_the_history() {
    let (_, rows) = kept(7, 24).await;
    assert!((7..=8).contains(&rows), "one may be newer: {rows}");
}
