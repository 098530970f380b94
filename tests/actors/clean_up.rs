//! What is past its time goes, and what was forgotten is in no answer.

use std::time::Duration;

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::clean_up::Retention;
use resilient_orchestrator::actors::recovery::Remove;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{AlertFilter, AlertKind};
use resilient_orchestrator::domain::incident::IncidentFilter;

use crate::faults::Outage;
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

const HOUR: f64 = 3_600.0;

fn keeping(hours: u64) -> SystemSettings {
    let defaults = SystemSettings::default();
    let kept = Duration::from_secs(hours * 3_600);
    SystemSettings {
        retention: Retention {
            metrics: kept,
            events: kept,
            incidents: kept,
            health: kept,
            ..defaults.retention
        },
        ..defaults
    }
}

async fn incidents(rig: &Rig) -> usize {
    let archive = rig.orchestrator.archive();
    let found = archive.incidents(&IncidentFilter::default(), 100).await;
    found.unwrap().len()
}

/// An instance that failed and was removed, and another that goes on.
async fn after_a_removal(settings: SystemSettings) -> Rig {
    let rig = Rig::with(settings).await;
    rig.register("gone", 1).await;
    rig.register("a", 1).await;
    rig.keep_beating(&["a"]);
    rig.beat("gone").await;
    pass(6.0).await;
    rig.orchestrator
        .report_failure("gone".into())
        .await
        .unwrap();
    rig.orchestrator
        .remove(Remove::by_operator("gone".into()))
        .await
        .unwrap();
    settle_down().await;
    rig
}

#[actix::test]
async fn the_first_clean_up_comes_within_a_minute_of_the_start() {
    let rig = after_a_removal(keeping(2)).await;
    assert_eq!(rig.store.rows().last_beats.len(), 2);
    pass(54.0).await;
    let left = rig.store.rows().last_beats;
    let left: Vec<&str> = left.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(left, ["a"], "the last heartbeat goes with its instance");
}

#[actix::test]
async fn a_restarted_orchestrator_cleans_up_what_grew_old_meanwhile() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = after_a_removal(keeping(2)).await;
    assert!(!rig.events().is_empty());
    // The life before this one is over: nobody cleans up.
    rig.store.set_outage(Some(Outage::Refusing));
    pass(3.0 * HOUR).await;
    rig.store.set_outage(None);
    let rig = rig.again(keeping(2)).await;
    pass(60.0).await;
    let kinds: Vec<&str> = rig.events().iter().map(|event| event.kind()).collect();
    assert!(!kinds.contains(&"instance_registered"), "{kinds:?}");
}

#[actix::test]
async fn an_ended_incident_goes_after_its_retention_and_is_in_no_answer() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = after_a_removal(keeping(2)).await;
    assert_eq!(incidents(&rig).await, 1);
    pass(1.5 * HOUR).await;
    assert_eq!(incidents(&rig).await, 1);
    pass(2.0 * HOUR).await;
    assert_eq!(rig.store.incident_rows(), []);
    assert_eq!(incidents(&rig).await, 0);
    rig.store.set_outage(Some(Outage::Refusing));
    pass(600.0).await;
    assert_eq!(incidents(&rig).await, 0, "not from memory either");
    assert_eq!(
        rig.orchestrator.failures().await.unwrap().success_rate,
        None
    );
}

#[actix::test]
async fn a_closed_alert_goes_after_its_retention_and_an_open_one_stays() {
    let rig = Rig::with(keeping(2)).await;
    for subject in ["closed", "open"] {
        let kind = AlertKind::Flapping;
        let alerts = rig.orchestrator.alerts();
        alerts.raise(kind, subject, "for a test");
    }
    settle_down().await;
    rig.orchestrator
        .alerts()
        .clear(AlertKind::Flapping, "closed");
    pass(4.0 * HOUR).await;
    let ask = AskAlerts {
        filter: AlertFilter::default(),
        limit: 100,
    };
    let page = rig.orchestrator.alert_page(ask).await.unwrap();
    let subjects: Vec<&str> = page.alerts.iter().map(|one| one.subject.as_str()).collect();
    assert_eq!(subjects, ["open"]);
}

#[actix::test]
async fn a_removed_instance_is_named_in_no_count_and_no_pattern() {
    let rig = after_a_removal(SystemSettings::default()).await;
    let failures = rig.orchestrator.failures().await.unwrap();
    assert!(failures.counts.is_empty(), "{:?}", failures.counts);
    assert!(failures.failed.is_empty());
    let day = Duration::from_secs(86_400);
    let (patterns, looked_at) = rig.orchestrator.patterns(day).await.unwrap();
    assert_eq!((patterns.len(), looked_at), (0, 0));
    assert_eq!(incidents(&rig).await, 1, "the history has its own time");
}

#[actix::test]
async fn a_clean_up_that_met_an_outage_comes_again_soon() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = after_a_removal(keeping(2)).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(120.0).await;
    rig.store.set_outage(None);
    pass(180.0).await;
    assert_eq!(rig.store.rows().last_beats.len(), 1);
}
