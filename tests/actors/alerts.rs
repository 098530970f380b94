//! Alerts: opened once, closed when it is over, kept whatever the store does.

use std::time::Duration;

use resilient_orchestrator::actors::alerts::{AlertPage, AskAlerts, REWORDING_INTERVAL};
use resilient_orchestrator::actors::recovery::OrderBrake;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, AlertKind, Severity};
use resilient_orchestrator::domain::brake::Order;
use resilient_orchestrator::domain::certificate::{CertificateUse, Expiry};
use resilient_orchestrator::domain::commands::{ReleaseStreams, RemoveInstance};
use resilient_orchestrator::domain::ids::StreamId;

use crate::faults::{Flaw, Outage};
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

async fn page(rig: &Rig, filter: AlertFilter) -> AlertPage {
    let ask = AskAlerts { filter, limit: 100 };
    rig.orchestrator.alert_page(ask).await.unwrap()
}

async fn of(rig: &Rig, kind: AlertKind) -> Vec<Alert> {
    let filter = AlertFilter {
        kind: Some(kind),
        ..AlertFilter::default()
    };
    page(rig, filter).await.alerts
}

async fn open(rig: &Rig) -> Vec<(AlertKind, String)> {
    let filter = AlertFilter {
        open: Some(true),
        ..AlertFilter::default()
    };
    let alerts = page(rig, filter).await.alerts;
    let mut open: Vec<_> = alerts
        .into_iter()
        .map(|alert| (alert.kind, alert.subject))
        .collect();
    open.sort();
    open
}

async fn silent(count: usize) -> Rig {
    let rig = Rig::start().await;
    for number in 0..count {
        rig.register(&format!("i{number}"), 5).await;
    }
    rig
}

#[actix::test]
async fn a_mass_failure_is_one_alert_for_as_long_as_it_is_held() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = silent(5).await;
    pass(300.1).await;
    let [alert] = of(&rig, AlertKind::MassFailure).await.try_into().unwrap();
    assert!(alert.is_open());
    assert_eq!(
        (alert.severity, alert.subject.as_str()),
        (Severity::Critical, "fleet")
    );
    assert!(
        alert.detail.starts_with("5 of 5 instances"),
        "{}",
        alert.detail
    );
    pass(29.0).await;
    assert_eq!(
        of(&rig, AlertKind::MassFailure).await,
        std::slice::from_ref(&alert)
    );
    pass(2.0).await;
    let [closed] = of(&rig, AlertKind::MassFailure).await.try_into().unwrap();
    assert_eq!(closed.id, alert.id);
    let lasted = closed.closed_at.unwrap().since(closed.opened_at);
    assert_eq!(lasted.as_secs(), 30);
}

#[actix::test]
async fn a_hold_that_is_prolonged_after_its_end_is_another_alert() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = silent(5).await;
    pass(331.0).await;
    let order = OrderBrake {
        order: Order::Prolong(Duration::from_secs(60)),
        reason: "not yet".to_owned(),
    };
    rig.orchestrator.order_brake(order).await.unwrap().unwrap();
    settle_down().await;
    let alerts = of(&rig, AlertKind::MassFailure).await;
    let open: Vec<bool> = alerts.iter().map(Alert::is_open).collect();
    assert_eq!(open, [true, false]);
}

#[actix::test]
async fn streams_without_room_are_an_alert_until_there_is_room() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let rig = silent(1).await;
    rig.streams(5).await;
    rig.ask_for("i0", 5).await;
    rig.orchestrator.report_failure("i0".into()).await.unwrap();
    pass(1.1).await;
    let [alert] = of(&rig, AlertKind::StreamsOrphaned)
        .await
        .try_into()
        .unwrap();
    assert!(alert.is_open() && alert.severity == Severity::Critical);
    assert!(alert.detail.starts_with("5 streams"), "{}", alert.detail);
    let all = open(&rig).await;
    assert_eq!(
        all,
        [
            (AlertKind::InstanceFailed, "i0".to_owned()),
            (AlertKind::StreamsOrphaned, "fleet".to_owned()),
        ]
    );
    rig.register("new", 10).await;
    pass(1.1).await;
    let [alert] = of(&rig, AlertKind::StreamsOrphaned)
        .await
        .try_into()
        .unwrap();
    assert!(!alert.is_open());
    assert_eq!(rig.store.alert_rows().len(), 2, "saved");
    assert!(rig.store.alert_rows().contains(&alert));
}

#[actix::test]
async fn an_open_alert_tells_the_newest_number_and_is_saved_once_an_interval() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let rig = silent(1).await;
    rig.streams(5).await;
    rig.ask_for("i0", 5).await;
    rig.orchestrator.report_failure("i0".into()).await.unwrap();
    pass(1.1).await;
    let [opened] = of(&rig, AlertKind::StreamsOrphaned)
        .await
        .try_into()
        .unwrap();
    let stored = || -> String {
        let rows = rig.store.alert_rows();
        let mut rows = rows.into_iter();
        rows.find(|row| row.id == opened.id).unwrap().detail
    };
    assert!(stored().starts_with("5 streams"));
    for (name, left) in [("one", "4 streams run"), ("two", "3 streams run")] {
        rig.register(name, 1).await;
        pass(2.0).await;
        let [now] = of(&rig, AlertKind::StreamsOrphaned)
            .await
            .try_into()
            .unwrap();
        assert!(now.detail.starts_with(left), "{}", now.detail);
        assert_eq!((now.id, now.opened_at), (opened.id, opened.opened_at));
        assert!(stored().starts_with("5 streams"), "{}", stored());
    }
    pass(REWORDING_INTERVAL.as_secs_f64()).await;
    assert!(stored().starts_with("3 streams"), "{}", stored());
    rig.register("three", 2).await;
    pass(2.0).await;
    let [now] = of(&rig, AlertKind::StreamsOrphaned)
        .await
        .try_into()
        .unwrap();
    assert!(now.detail.starts_with("1 stream runs"), "{}", now.detail);
    rig.register("four", 1).await;
    pass(2.0).await;
    assert!(
        stored().starts_with("1 stream runs"),
        "closed with its newest sentence"
    );
}

#[actix::test]
async fn a_mass_failure_tells_who_is_silent_now() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = silent(6).await;
    pass(300.1).await;
    let [opened] = of(&rig, AlertKind::MassFailure).await.try_into().unwrap();
    assert!(opened.detail.starts_with("6 of 6 instances fell silent"));
    assert!(opened.detail.contains("6 are silent"), "{}", opened.detail);
    rig.beat("i0").await;
    rig.beat("i1").await;
    pass(5.0).await;
    let [now] = of(&rig, AlertKind::MassFailure).await.try_into().unwrap();
    assert!(now.detail.contains("4 are silent"), "{}", now.detail);
    assert_eq!(now.id, opened.id);
    let order = OrderBrake {
        order: Order::Prolong(Duration::from_secs(60)),
        reason: "not yet".to_owned(),
    };
    rig.orchestrator.order_brake(order).await.unwrap().unwrap();
    settle_down().await;
    let [now] = of(&rig, AlertKind::MassFailure).await.try_into().unwrap();
    assert!(
        now.detail.contains("for 90 s, as an operator prolonged it"),
        "{}",
        now.detail
    );
}

#[actix::test]
async fn a_mass_failure_and_what_follows_from_it_are_one_alert() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = silent(6).await;
    pass(310.0).await;
    let rules = rig
        .orchestrator
        .system_health()
        .await
        .unwrap()
        .verdict
        .rules;
    assert!(rules.len() > 1, "{rules:?}");
    settle_down().await;
    let mass = (AlertKind::MassFailure, "fleet".to_owned());
    assert_eq!(open(&rig).await, [mass]);
}

#[actix::test]
async fn what_outlasts_its_cause_has_an_alert_of_its_own() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = silent(6).await;
    pass(310.0).await;
    let failed = (AlertKind::InstanceFailed, "fleet".to_owned());
    assert!(!open(&rig).await.contains(&failed));
    pass(60.0).await;
    assert_eq!(open(&rig).await, [failed], "all have failed: one alert");
    let alerts = of(&rig, AlertKind::InstanceFailed).await;
    let [alert] = &alerts[..] else {
        panic!("{alerts:?}");
    };
    assert_eq!(
        (alert.severity, alert.instances.len()),
        (Severity::Critical, 6)
    );
}

#[actix::test]
async fn a_recovery_that_is_exhausted_counts_on_and_its_emergency_joins_it() {
    expect_errors(&["alert recovery_exhausted", "is an emergency after"]);
    let rig = silent(1).await;
    rig.streams(2).await;
    rig.ask_for("i0", 2).await;
    rig.register("b", 5).await;
    rig.keep_beating(&["b"]);
    rig.store.refuse_content_about(Some("i0".into()));
    pass(420.0).await;
    let [first] = of(&rig, AlertKind::RecoveryExhausted)
        .await
        .try_into()
        .unwrap();
    pass(300.0).await;
    let [later] = of(&rig, AlertKind::RecoveryExhausted)
        .await
        .try_into()
        .unwrap();
    assert_eq!(later.id, first.id);
    assert_ne!(later.detail, first.detail, "it counts on");
    let exhausted = (AlertKind::RecoveryExhausted, "i0".to_owned());
    assert_eq!(open(&rig).await, [exhausted], "one cause, one alert");
    rig.store.refuse_content_about(None);
    pass(300.0).await;
    let failed = (AlertKind::InstanceFailed, "i0".to_owned());
    assert_eq!(open(&rig).await, [failed], "it is recovered, and failed");
}

#[actix::test]
async fn while_the_store_is_out_alerts_are_told_from_memory_and_saved_later() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = silent(1).await;
    rig.keep_beating(&["i0"]);
    pass(1.5).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(120.0).await;
    let filter = AlertFilter {
        kind: Some(AlertKind::StoreUnavailable),
        ..AlertFilter::default()
    };
    let found = page(&rig, filter.clone()).await;
    assert!(found.stale_since.is_some());
    assert!(found.alerts.iter().all(Alert::is_open));
    let subjects: Vec<&str> = found
        .alerts
        .iter()
        .map(|one| one.subject.as_str())
        .collect();
    assert_eq!(subjects, ["database"]);
    assert_eq!(rig.store.alert_rows(), []);
    let outage = (AlertKind::StoreUnavailable, "database".to_owned());
    assert_eq!(open(&rig).await, [outage], "one cause, one alert");
    rig.store.set_outage(None);
    pass(90.0).await;
    assert_eq!(open(&rig).await, []);
    let found = page(&rig, AlertFilter::default()).await;
    assert_eq!(found.stale_since, None);
    assert_eq!(rig.store.alert_rows(), found.alerts);
    let opened = rig.orchestrator.telemetry().alerts_opened.clone();
    let kind = resilient_orchestrator::actors::telemetry::KindLabel {
        kind: "store_unavailable",
    };
    assert_eq!(opened.get_or_create(&kind).get(), subjects.len() as u64);
}

#[actix::test]
async fn an_actor_that_keeps_ending_is_an_alert_until_it_is_tried_again_or_gone() {
    expect_errors(&["keeps ending"]);
    let rig = silent(2).await;
    rig.keep_beating(&["i0", "i1"]);
    for id in ["i0", "i1"] {
        for _ in 0..6 {
            rig.boom(id).await;
            pass(1.0).await;
        }
    }
    let quarantined = |id: &str| (AlertKind::InstanceQuarantined, id.to_owned());
    assert_eq!(open(&rig).await, [quarantined("i0"), quarantined("i1")]);
    let gone = RemoveInstance::new("i1".into());
    rig.orchestrator.execute(gone).await.unwrap();
    settle_down().await;
    assert_eq!(open(&rig).await, [quarantined("i0")]);
    pass(400.0).await;
    assert_eq!(open(&rig).await, []);
}

#[actix::test]
async fn a_restart_keeps_what_is_still_true_and_closes_the_rest() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = silent(5).await;
    rig.streams(5).await;
    rig.ask_for("i0", 5).await;
    let alerts = rig.orchestrator.alerts();
    alerts.raise(AlertKind::Flapping, "i4", "again and again");
    pass(301.0).await;
    assert_eq!(open(&rig).await.len(), 2, "flapping, mass failure");
    let before = page(&rig, AlertFilter::default()).await.alerts;
    let rig = rig.again(SystemSettings::default()).await;
    settle_down().await;
    let now = open(&rig).await;
    assert!(
        now.contains(&(AlertKind::Flapping, "i4".to_owned())),
        "{now:?}"
    );
    assert!(
        !now.contains(&(AlertKind::MassFailure, "fleet".to_owned())),
        "{now:?}"
    );
    rig.orchestrator
        .alerts()
        .raise(AlertKind::Flapping, "i3", "again");
    settle_down().await;
    let after = page(&rig, AlertFilter::default()).await.alerts;
    // All are late still, and what the mass failure told of has no other alert now.
    assert!(now.contains(&(AlertKind::SystemHealth, "fleet".to_owned())));
    assert_eq!(after.len(), before.len() + 2, "nothing was opened twice");
    assert!(after[0].id > before[0].id);
}

#[actix::test]
async fn an_emergency_is_known_from_its_alert() {
    expect_errors(&["alert recovery_exhausted"]);
    let rig = silent(1).await;
    let alerts = rig.orchestrator.alerts();
    let kind = AlertKind::RecoveryExhausted;
    alerts.raise(kind, "i0", "three attempts failed");
    pass(1.1).await;
    let report = rig.orchestrator.system_health().await.unwrap();
    assert_eq!(report.emergencies, 1);
    assert_eq!(report.verdict.health.as_str(), "emergency");
    assert_eq!(report.open_alerts[&kind], 1);
    rig.orchestrator.alerts().clear(kind, "i0");
    pass(1.1).await;
    let report = rig.orchestrator.system_health().await.unwrap();
    assert_eq!(report.emergencies, 0);
    assert_eq!(open(&rig).await, []);
}

#[actix::test]
async fn a_broken_invariant_is_an_alert_until_a_later_check_holds() {
    expect_errors(&["alert invariant_broken", "memory and store disagree"]);
    let rig = silent(1).await;
    rig.keep_beating(&["i0"]);
    rig.streams(2).await;
    rig.store.set_flaw(Flaw::LosesPlaces);
    rig.ask_for("i0", 2).await;
    assert_eq!(open(&rig).await, []);
    pass(31.0).await;
    let [alert] = of(&rig, AlertKind::InvariantBroken)
        .await
        .try_into()
        .unwrap();
    assert!(alert.is_open(), "the sweep counted, and had all checked");
    assert_eq!(
        (alert.severity, alert.subject.as_str()),
        (Severity::Critical, "I7")
    );
    assert!(
        alert.detail.contains("Memory and database agree"),
        "{}",
        alert.detail
    );
    pass(300.0).await;
    assert_eq!(
        of(&rig, AlertKind::InvariantBroken).await,
        std::slice::from_ref(&alert),
        "once"
    );
    // What is written anew agrees again.
    let release = ReleaseStreams {
        epochs: None,
        id: "i0".into(),
        incarnation: None,
        streams: vec![StreamId::new(1), StreamId::new(2)],
        reason: None,
    };
    rig.orchestrator.execute(release).await.unwrap();
    pass(31.0).await;
    let [closed] = of(&rig, AlertKind::InvariantBroken)
        .await
        .try_into()
        .unwrap();
    assert_eq!((closed.id, closed.is_open()), (alert.id, false));
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_check_that_somebody_asks_for_opens_and_closes_the_alert_too() {
    expect_errors(&["alert invariant_broken"]);
    let rig = silent(1).await;
    rig.keep_beating(&["i0"]);
    rig.streams(1).await;
    rig.store.set_flaw(Flaw::LosesPlaces);
    rig.ask_for("i0", 1).await;
    let broken = (AlertKind::InvariantBroken, "I7".to_owned());
    rig.orchestrator.consistency().await.unwrap();
    assert_eq!(open(&rig).await, std::slice::from_ref(&broken));
    // What could not be looked at is not known to hold.
    rig.store.set_outage(Some(Outage::Refusing));
    rig.orchestrator.consistency().await.unwrap();
    assert!(open(&rig).await.contains(&broken));
    rig.store.set_outage(None);
    let release = ReleaseStreams {
        epochs: None,
        id: "i0".into(),
        incarnation: None,
        streams: vec![StreamId::new(1)],
        reason: None,
    };
    rig.orchestrator.execute(release).await.unwrap();
    rig.orchestrator.consistency().await.unwrap();
    assert_eq!(open(&rig).await, []);
}

#[actix::test]
async fn streams_that_wait_for_long_are_an_alert_with_the_reasons_until_they_have_an_owner() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    pass(599.0).await;
    assert_eq!(open(&rig).await, []);
    pass(32.0).await;
    let [alert] = of(&rig, AlertKind::StreamsWaitingLong)
        .await
        .try_into()
        .unwrap();
    assert_eq!(
        (alert.severity, alert.subject.as_str()),
        (Severity::Warning, "fleet")
    );
    let begins = "3 streams have had no owner for more than 600 s (3 unclaimed, 0 orphaned). 1 (`";
    assert!(alert.detail.starts_with(begins), "{}", alert.detail);
    assert!(
        alert.detail.ends_with("There is no instance."),
        "{}",
        alert.detail
    );
    rig.register("a", 2).await;
    rig.keep_beating(&["a"]);
    rig.ask_for("a", 2).await;
    pass(31.0).await;
    let [now] = of(&rig, AlertKind::StreamsWaitingLong)
        .await
        .try_into()
        .unwrap();
    assert!(now.is_open() && now.id == alert.id);
    assert!(
        now.detail.starts_with("1 stream has had no owner"),
        "{}",
        now.detail
    );
    assert!(
        now.detail.contains("excluded are 1 by `no_room`"),
        "{}",
        now.detail
    );
    rig.register("b", 2).await;
    rig.keep_beating(&["b"]);
    rig.ask_for("b", 2).await;
    pass(31.0).await;
    let [closed] = of(&rig, AlertKind::StreamsWaitingLong)
        .await
        .try_into()
        .unwrap();
    assert!(!closed.is_open());
}

#[actix::test]
async fn a_failing_webhook_is_an_alert_of_its_target() {
    let rig = Rig::start().await;
    let alerts = rig.orchestrator.alerts();
    for target in ["pager", "chat", "pager"] {
        alerts.raise(AlertKind::WebhookFailing, target, "connection refused");
    }
    settle_down().await;
    let webhook = |target: &str| (AlertKind::WebhookFailing, target.to_owned());
    assert_eq!(open(&rig).await, [webhook("chat"), webhook("pager")]);
    alerts.clear(AlertKind::WebhookFailing, "pager");
    settle_down().await;
    assert_eq!(open(&rig).await, [webhook("chat")]);
}

#[actix::test]
async fn a_certificate_that_is_about_to_expire_is_an_alert_that_becomes_urgent_and_closes() {
    expect_errors(&["alert certificate_expiring"]);
    let day = Duration::from_secs(24 * 3_600);
    let rig = Rig::start().await;
    let of = CertificateUse::Server;
    let expiry = |left| Expiry {
        of,
        subject: "CN=o.example".to_owned(),
        not_after: rig.clock.clock().wall() + left,
    };
    let soon = Duration::from_secs(30);
    rig.orchestrator
        .show_certificates(vec![expiry(day * 21 + soon)]);
    settle_down().await;
    assert_eq!(open(&rig).await, []);
    pass(61.0).await;
    let kind = AlertKind::CertificateExpiring;
    let [alert] = self::of(&rig, kind).await.try_into().unwrap();
    assert_eq!(
        (alert.severity, alert.subject.as_str()),
        (Severity::Warning, "TLS_CERT")
    );
    rig.orchestrator
        .show_certificates(vec![expiry(day * 3 + soon)]);
    settle_down().await;
    let [same] = self::of(&rig, kind).await.try_into().unwrap();
    assert_eq!((same.id, same.severity), (alert.id, Severity::Warning));
    pass(61.0).await;
    let [urgent] = self::of(&rig, kind).await.try_into().unwrap();
    assert_eq!((urgent.id, urgent.severity), (alert.id, Severity::Critical));
    rig.orchestrator.show_certificates(vec![expiry(day * 90)]);
    settle_down().await;
    assert_eq!(open(&rig).await, []);
    let [closed] = self::of(&rig, kind).await.try_into().unwrap();
    assert!(!closed.is_open() && closed.id == alert.id);
    rig.orchestrator
        .show_certificates(vec![expiry(Duration::ZERO)]);
    settle_down().await;
    assert_eq!(open(&rig).await, [(kind, "TLS_CERT".to_owned())]);
    // Without TLS there is nothing to replace.
    rig.orchestrator.show_certificates(vec![]);
    settle_down().await;
    assert_eq!(open(&rig).await, []);
}
