//! Two processes under one name: noticed, reported once, and only the newest is served.

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, AlertKind, Severity};
use resilient_orchestrator::domain::commands::{Rejection, RemoveInstance};
use resilient_orchestrator::domain::heartbeat::Heartbeat;
use resilient_orchestrator::domain::ids::Incarnation;

use crate::faults::Outage;
use crate::rig::{Rig, pass, registration, report, settle_down};
use crate::support_log::expect_errors;

/// The interval workers are told to keep.
const INTERVAL: f64 = 30.0;

async fn alerts(rig: &Rig) -> Vec<Alert> {
    let filter = AlertFilter {
        kind: Some(AlertKind::DuplicateIdentity),
        ..AlertFilter::default()
    };
    let ask = AskAlerts { filter, limit: 100 };
    settle_down().await;
    rig.orchestrator.alert_page(ask).await.unwrap().alerts
}

async fn register(rig: &Rig) -> Incarnation {
    let registered = rig.register("a", 5).await;
    settle_down().await;
    registered.instance.incarnation
}

/// A heartbeat of one of the processes; whether it is served.
async fn beat(rig: &Rig, life: Incarnation) -> bool {
    let beat = Heartbeat {
        incarnation: Some(life),
        ..report("a")
    };
    match rig.orchestrator.heartbeat(beat).await {
        Ok(_) => true,
        Err(Rejection::OtherIncarnation { given, .. }) => {
            assert_eq!(given, life);
            false
        }
        Err(other) => panic!("{other}"),
    }
}

/// Both processes beat on.
async fn both_beat(rig: &Rig, older: Incarnation, newest: Incarnation, times: usize) {
    for _ in 0..times {
        assert!(!beat(rig, older).await);
        assert!(beat(rig, newest).await);
        pass(INTERVAL).await;
    }
}

#[actix::test]
async fn a_process_that_goes_on_under_an_older_life_is_one_alert_and_one_event() {
    expect_errors(&["alert system_health"]);
    let rig = Rig::start().await;
    let older = register(&rig).await;
    assert!(beat(&rig, older).await);
    let newest = register(&rig).await;
    assert!(beat(&rig, newest).await);
    both_beat(&rig, older, newest, 10).await;
    let open = alerts(&rig).await;
    let [alert] = &open[..] else {
        panic!("{open:?}");
    };
    assert!(alert.is_open());
    assert_eq!(
        (alert.severity, alert.subject.as_str()),
        (Severity::Warning, "a")
    );
    let lives = [older, newest].map(|life| life.to_string());
    assert!(
        lives.iter().all(|life| alert.detail.contains(life)),
        "{}",
        alert.detail
    );
    let told = rig.kinds_about("a");
    let events = told.iter().filter(|kind| **kind == "duplicate_identity");
    assert_eq!(events.count(), 1, "{told:?}");
    let shown = rig.entry("a").duplicate().unwrap();
    assert_eq!(shown.older, older);
    assert!(shown.last_seen > shown.since);

    // The last refused heartbeat was one interval ago.
    pass(300.0 - INTERVAL - 1.0).await;
    assert!(alerts(&rig).await[0].is_open());
    pass(2.0).await;
    assert!(!alerts(&rig).await[0].is_open(), "silent for a timeout");
    assert_eq!(rig.entry("a").duplicate(), None);

    beat(&rig, newest).await;
    both_beat(&rig, older, newest, 3).await;
    assert_eq!(alerts(&rig).await.len(), 2, "another episode");
}

#[actix::test]
async fn late_packets_and_a_process_that_ends_when_it_is_refused_are_no_alert() {
    let rig = Rig::start().await;
    let older = register(&rig).await;
    let newest = register(&rig).await;
    // Before the newest has spoken, whatever is left of the one before it may come.
    assert!(!beat(&rig, older).await);
    pass(INTERVAL).await;
    assert!(!beat(&rig, older).await);
    assert!(beat(&rig, newest).await);
    // Refused once; and the same request once more, from a network that doubles.
    assert!(!beat(&rig, older).await);
    assert!(!beat(&rig, older).await);
    for _ in 0..20 {
        pass(INTERVAL).await;
        assert!(beat(&rig, newest).await);
    }
    assert!(!beat(&rig, older).await, "a minute's sleep and ten");
    assert_eq!(alerts(&rig).await, []);
    let future = Incarnation::new(newest.get() + 1);
    assert!(!beat(&rig, future).await);
    pass(INTERVAL).await;
    assert!(beat(&rig, newest).await);
    assert!(!beat(&rig, future).await, "nobody's life");
    assert_eq!(alerts(&rig).await, []);
}

#[actix::test]
async fn two_that_take_the_name_from_each_other_are_found() {
    let rig = Rig::start().await;
    let mut one = register(&rig).await;
    assert!(beat(&rig, one).await);
    pass(7.0).await;
    let mut other = register(&rig).await;
    assert!(beat(&rig, other).await);
    // Each ends when it is refused, and whoever runs it starts it again.
    for _ in 0..3 {
        pass(10.0).await;
        assert!(!beat(&rig, one).await);
        one = register(&rig).await;
        assert!(beat(&rig, one).await);
        pass(10.0).await;
        assert!(!beat(&rig, other).await);
        other = register(&rig).await;
        assert!(beat(&rig, other).await);
    }
    let found = alerts(&rig).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].is_open());
}

#[actix::test]
async fn classic_workers_never_are_duplicates() {
    let rig = Rig::start().await;
    for _ in 0..10 {
        register(&rig).await;
        for _ in 0..3 {
            rig.beat("a").await;
            pass(INTERVAL).await;
        }
    }
    assert_eq!(alerts(&rig).await, []);
    assert_eq!(rig.entry("a").last_named(), None);
}

#[actix::test]
async fn it_is_reported_while_the_store_is_out_and_written_down_when_it_is_back() {
    expect_errors(&[
        "alert store_unavailable",
        "alert system_health",
        "the store is out",
    ]);
    let rig = Rig::start().await;
    let older = register(&rig).await;
    let newest = register(&rig).await;
    assert!(beat(&rig, newest).await);
    rig.store.set_outage(Some(Outage::Refusing));
    both_beat(&rig, older, newest, 3).await;
    assert!(alerts(&rig).await[0].is_open());
    assert!(!rig.kinds_about("a").contains(&"duplicate_identity"));
    rig.store.set_outage(None);
    // The breaker of writes probes, the journal tries again.
    pass(180.0).await;
    assert!(rig.kinds_about("a").contains(&"duplicate_identity"));
}

#[actix::test]
async fn removal_and_restart_end_the_alert_and_who_is_still_there_is_found_again() {
    let rig = Rig::start().await;
    let older = register(&rig).await;
    let newest = register(&rig).await;
    beat(&rig, newest).await;
    both_beat(&rig, older, newest, 3).await;
    assert!(alerts(&rig).await[0].is_open());
    let removal = RemoveInstance::new("a".into());
    rig.orchestrator.execute(removal).await.unwrap();
    assert!(!alerts(&rig).await[0].is_open());
    let again = register(&rig).await;
    beat(&rig, again).await;
    both_beat(&rig, newest, again, 2).await;
    assert!(alerts(&rig).await[0].is_open(), "it is there still");

    let rig = rig.again(SystemSettings::default()).await;
    let kept = alerts(&rig).await;
    assert!(kept.iter().all(|alert| !alert.is_open()));
    beat(&rig, again).await;
    both_beat(&rig, newest, again, 3).await;
    assert_eq!(alerts(&rig).await.len(), kept.len() + 1);
}

/// A registration of a classic worker at this address.
async fn register_at(rig: &Rig, ip: &str, port: u16) {
    let mut registration = registration("a", 5);
    (registration.ip, registration.port) = (ip.to_owned(), port);
    rig.orchestrator.register(registration).await.unwrap();
    settle_down().await;
}

#[actix::test]
async fn classic_registrations_that_alternate_between_addresses_are_one_alert() {
    let rig = Rig::start().await;
    rig.keep_beating(&["a"]);
    register_at(&rig, "one", 80).await;
    pass(4_000.0).await;
    register_at(&rig, "other", 80).await;
    assert_eq!(alerts(&rig).await, [], "it may have moved");
    pass(60.0).await;
    for _ in 0..3 {
        register_at(&rig, "one", 80).await;
        register_at(&rig, "other", 80).await;
    }
    let open = alerts(&rig).await;
    let [alert] = &open[..] else {
        panic!("{open:?}");
    };
    assert!(alert.is_open() && alert.subject == "a");
    assert!(
        alert.detail.contains("one:80 and other:80"),
        "{}",
        alert.detail
    );
    let kinds = rig.kinds_about("a");
    let events = kinds.iter().filter(|kind| **kind == "duplicate_identity");
    assert_eq!(events.count(), 1, "{kinds:?}");
    assert!(rig.entry("a").duplicate().is_some());

    pass(3_590.0).await;
    assert!(alerts(&rig).await[0].is_open());
    pass(20.0).await;
    assert!(
        !alerts(&rig).await[0].is_open(),
        "an hour without a change back"
    );
    assert_eq!(rig.entry("a").duplicate(), None);
}

#[actix::test]
async fn a_classic_worker_that_restarts_on_other_ports_or_moves_is_no_duplicate() {
    let rig = Rig::start().await;
    rig.keep_beating(&["a"]);
    for port in 8_000..8_020 {
        register_at(&rig, "one", port).await;
        register_at(&rig, "one", port).await;
        pass(30.0).await;
    }
    register_at(&rig, "other", 80).await;
    register_at(&rig, "other", 80).await;
    pass(3_700.0).await;
    register_at(&rig, "one", 8_019).await;
    assert_eq!(alerts(&rig).await, [], "moved back after an hour");
    rig.orchestrator
        .execute(RemoveInstance::new("a".into()))
        .await
        .unwrap();
    register_at(&rig, "other", 80).await;
    assert_eq!(alerts(&rig).await, [], "a name that was free");
}

#[actix::test]
async fn a_name_found_in_both_ways_has_one_alert_until_both_are_over() {
    let rig = Rig::start().await;
    let older = register(&rig).await;
    register_at(&rig, "other", 80).await;
    let newest = rig.entry("a").standing().incarnation;
    assert!(beat(&rig, newest).await);
    both_beat(&rig, older, newest, 3).await;
    assert!(alerts(&rig).await[0].is_open());
    register_at(&rig, "192.0.2.1", 9_000).await;
    rig.keep_beating(&["a"]);
    pass(400.0).await;
    let found = alerts(&rig).await;
    assert_eq!(found.len(), 1);
    assert!(
        found[0].is_open(),
        "the older life is silent, the address came back"
    );
    pass(3_300.0).await;
    assert!(!alerts(&rig).await[0].is_open());
}

/// One event the store will never take must not keep the others from being written down.
#[actix::test]
async fn an_event_the_store_refuses_is_left_out_alone() {
    expect_errors(&[
        "alert store_unavailable",
        "alert system_health",
        "the store is out",
        "will not be written down",
    ]);
    let rig = Rig::start().await;
    let mut lives = Vec::new();
    for id in ["a", "b"] {
        let older = rig.register(id, 5).await.instance.incarnation;
        let newest = rig.register(id, 5).await.instance.incarnation;
        lives.push((id, older, newest));
    }
    let beat = async |id: &str, life| {
        let beat = Heartbeat {
            incarnation: Some(life),
            ..report(id)
        };
        let _ = rig.orchestrator.heartbeat(beat).await;
    };
    rig.store.refuse_records_of(Some("a".into()));
    rig.store.set_outage(Some(Outage::Refusing));
    for _ in 0..6 {
        for (id, older, newest) in &lives {
            beat(id, *older).await;
            beat(id, *newest).await;
        }
        pass(INTERVAL).await;
    }
    assert_eq!(alerts(&rig).await.len(), 2);
    rig.store.set_outage(None);
    pass(120.0).await;
    assert!(!rig.kinds_about("a").contains(&"duplicate_identity"));
    assert!(rig.kinds_about("b").contains(&"duplicate_identity"));
}
