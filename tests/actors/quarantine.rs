//! A stream that kills each worker that runs it: at most three die of it before it is kept away, the
//! others run on, and it is tried alone, ever less often.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, AlertKind, Severity};
use resilient_orchestrator::domain::commands::{
    MoveStreams, ReleaseQuarantine, Relocation, RemoveInstance,
};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::quarantine::Suspicion;
use resilient_orchestrator::domain::stream::StreamState;

use crate::faults::Outage;
use crate::restart::life;
use crate::rig::{Rig, pass, report, self_filling, settle_down};
use crate::support_log::expect_errors;

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Workers that beat every ten seconds until they run a poisonous stream.
#[derive(Debug, Clone, Default)]
struct Workers {
    poisonous: Rc<RefCell<BTreeSet<i64>>>,
    dead: Rc<RefCell<Vec<String>>>,
}

impl Workers {
    fn poisoned_by(streams: &[i64]) -> Self {
        let workers = Self::default();
        workers.poisonous.borrow_mut().extend(streams);
        workers
    }

    fn cure(&self) {
        self.poisonous.borrow_mut().clear();
    }

    fn dead(&self) -> Vec<String> {
        self.dead.borrow().clone()
    }

    /// Lets them work until the runtime ends.
    fn work(&self, rig: &Rig, names: &[&'static str]) {
        for (name, number) in names.iter().copied().zip(0_u64..) {
            let (workers, orchestrator) = (self.clone(), rig.orchestrator.clone());
            actix::spawn(async move {
                tokio::time::sleep(Duration::from_millis(100 * number + 50)).await;
                loop {
                    let fleet = orchestrator.ask(crate::rig::Whole).await.unwrap();
                    let slot = fleet.instance(&name.into());
                    let held = slot.map(|slot| slot.held().clone()).unwrap_or_default();
                    let poisonous = workers.poisonous.borrow().clone();
                    let _ = orchestrator.heartbeat(report(name)).await;
                    if held.iter().any(|id| poisonous.contains(&id.get())) {
                        workers.dead.borrow_mut().push(name.to_owned());
                        return;
                    }
                    tokio::time::sleep(Duration::from_secs(10)).await;
                }
            });
        }
    }
}

/// Self-filling instances, and a stream for each of them.
async fn fleet(rig: Rig, names: &[&'static str]) -> Rig {
    pass(1.0).await;
    for name in names {
        let register = self_filling(*name, 9);
        rig.orchestrator.execute(register).await.unwrap();
    }
    rig.streams(i64::try_from(names.len()).unwrap()).await;
    rig
}

async fn suspicion(rig: &Rig, stream: i64) -> Option<Suspicion> {
    let fleet = rig.fleet().await;
    let slot = fleet.stream(StreamId::new(stream)).unwrap();
    slot.stream().suspicion.as_deref().cloned()
}

async fn state(rig: &Rig, stream: i64) -> StreamState {
    let fleet = rig.fleet().await;
    let slot = fleet.stream(StreamId::new(stream)).unwrap();
    slot.stream().state_at(slot.place())
}

async fn alerts(rig: &Rig) -> Vec<Alert> {
    let filter = AlertFilter {
        kind: Some(AlertKind::StreamQuarantined),
        ..AlertFilter::default()
    };
    let ask = AskAlerts { filter, limit: 100 };
    rig.orchestrator.alert_page(ask).await.unwrap().alerts
}

/// Waits until the stream is quarantined, for so many seconds at most.
async fn until_quarantined(rig: &Rig, stream: i64, most: u32) {
    for _ in 0..most {
        if state(rig, stream).await == StreamState::Quarantined {
            return;
        }
        pass(1.0).await;
    }
    panic!("stream {stream} is {}", state(rig, stream).await);
}

#[actix::test]
async fn three_workers_die_of_a_poisonous_stream_and_the_others_run_on() {
    expect_errors(&["alert stream_quarantined", "alert system_health"]);
    let rig = fleet(Rig::start().await, &NAMES).await;
    let workers = Workers::poisoned_by(&[1]);
    workers.work(&rig, &NAMES);
    until_quarantined(&rig, 1, 1_100).await;
    assert_eq!(workers.dead().len(), 3, "{:?}", workers.dead());
    let failures = suspicion(&rig, 1).await.unwrap().failures;
    let named: Vec<&str> = failures.iter().map(|one| one.server_id.as_str()).collect();
    assert_eq!(named, workers.dead());
    settle_down().await;
    let [alert] = alerts(&rig).await.try_into().unwrap();
    assert!(alert.is_open() && alert.severity == Severity::Critical);
    for part in ["Stream 1 (`stream-1`)", "release-quarantine"]
        .into_iter()
        .chain(named)
    {
        assert!(alert.detail.contains(part), "`{part}`: {}", alert.detail);
    }
    for stream in 2..=8 {
        assert_eq!(state(&rig, stream).await, StreamState::Assigned, "{stream}");
    }
    rig.invariants_hold().await;
    // Tried after 300 s, 600 s, 1,200 s and 2,400 s: each costs a worker, and no neighbour.
    pass(299.0).await;
    assert_eq!(workers.dead().len(), 3);
    for (wait, dead) in [(15.0, 4), (1_000.0, 5), (1_600.0, 6)] {
        pass(wait).await;
        assert_eq!(workers.dead().len(), dead);
    }
    until_quarantined(&rig, 1, 400).await;
    for stream in 2..=8 {
        assert_eq!(state(&rig, stream).await, StreamState::Assigned, "{stream}");
        assert_eq!(suspicion(&rig, stream).await, None, "{stream}");
    }
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_cured_stream_leaves_after_its_trial_and_the_alert_closes() {
    expect_errors(&["alert stream_quarantined"]);
    let rig = fleet(Rig::start().await, &NAMES).await;
    let workers = Workers::poisoned_by(&[1]);
    workers.work(&rig, &NAMES);
    until_quarantined(&rig, 1, 1_100).await;
    workers.cure();
    pass(301.0).await;
    assert_eq!(state(&rig, 1).await, StreamState::Assigned);
    assert!(suspicion(&rig, 1).await.is_some(), "on trial");
    assert!(alerts(&rig).await[0].is_open());
    pass(601.0).await;
    assert_eq!(suspicion(&rig, 1).await, None);
    assert!(!alerts(&rig).await[0].is_open());
    rig.invariants_hold().await;
}

#[actix::test]
async fn an_operator_releases_it_at_once() {
    expect_errors(&["alert stream_quarantined"]);
    let rig = fleet(Rig::start().await, &NAMES).await;
    let workers = Workers::poisoned_by(&[1]);
    workers.work(&rig, &NAMES);
    until_quarantined(&rig, 1, 1_100).await;
    workers.cure();
    let stream = StreamId::new(1);
    let release = ReleaseQuarantine {
        stream,
        reason: Some("camera replaced".into()),
    };
    rig.orchestrator.execute(release).await.unwrap();
    settle_down().await;
    assert_eq!(state(&rig, 1).await, StreamState::Assigned);
    assert!(!alerts(&rig).await[0].is_open());
    let is_told = rig.events().iter().any(|event| {
        matches!(event, Event::QuarantineOver { reason: Some(reason), .. }
            if reason.as_ref() == "camera replaced")
    });
    assert!(is_told, "the audit trail has the reason");
}

#[actix::test]
async fn of_two_that_died_with_their_owners_the_innocent_goes_on() {
    expect_errors(&["alert stream_quarantined", "alert system_health"]);
    // One instance at a time, so that both streams always go together.
    let rig = Rig::start().await;
    pass(1.0).await;
    let register = |name: &'static str| self_filling(name, 9);
    rig.orchestrator.execute(register("a")).await.unwrap();
    rig.streams(2).await;
    let workers = Workers::poisoned_by(&[2]);
    workers.work(&rig, &NAMES);
    for name in ["b", "c", "d"] {
        pass(60.0).await;
        rig.orchestrator.execute(register(name)).await.unwrap();
        pass(270.0).await;
    }
    until_quarantined(&rig, 2, 400).await;
    assert_eq!(workers.dead(), ["a", "b", "c"]);
    assert_eq!(
        state(&rig, 1).await,
        StreamState::Quarantined,
        "a suspect too"
    );
    rig.orchestrator.execute(register("e")).await.unwrap();
    rig.orchestrator.execute(register("f")).await.unwrap();
    // The first is tried for 600 s and is innocent; the second dies with its worker again.
    pass(301.0 + 601.0).await;
    assert_eq!(suspicion(&rig, 1).await, None);
    pass(30.0).await;
    assert_eq!(workers.dead().len(), 4);
    pass(310.0).await;
    assert_eq!(state(&rig, 2).await, StreamState::Quarantined);
    assert_eq!(state(&rig, 1).await, StreamState::Assigned);
    assert_eq!(workers.dead().len(), 4);
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_mass_failure_is_no_evidence() {
    expect_errors(&["alert mass_failure", "alert system_health"]);
    let rig = fleet(Rig::start().await, &NAMES).await;
    pass(1.0).await;
    for name in NAMES {
        rig.beat(name).await;
    }
    rig.keep_beating(&["g", "h"]);
    pass(400.0).await;
    assert_eq!(rig.held("g").await.len() + rig.held("h").await.len(), 8);
    for stream in 1..=8 {
        assert_eq!(suspicion(&rig, stream).await, None, "{stream}");
    }
    let is_held = |event: &Event| matches!(event, Event::MassFailureHeld { .. });
    assert!(rig.events().iter().any(is_held));
}

#[actix::test]
async fn a_removal_and_a_planned_move_are_no_evidence() {
    let rig = fleet(Rig::start().await, &["a", "b", "c"]).await;
    rig.keep_beating(&["a", "b", "c"]);
    let to = Some("b".into());
    let stream = StreamId::new(1);
    let moves = vec![Relocation { stream, to }];
    rig.orchestrator
        .execute(MoveStreams { moves })
        .await
        .unwrap();
    rig.orchestrator
        .execute(RemoveInstance::new("b".into()))
        .await
        .unwrap();
    assert_eq!(suspicion(&rig, 1).await, None);
}

#[test]
fn it_stays_quarantined_across_a_restart_and_a_silence_across_it_is_no_evidence() {
    expect_errors(&["alert stream_quarantined"]);
    let first = life(
        async |_| {
            let rig = Rig::in_paused_time(SystemSettings::default()).await;
            let rig = fleet(rig, &NAMES).await;
            let workers = Workers::poisoned_by(&[1]);
            workers.work(&rig, &NAMES);
            until_quarantined(&rig, 1, 1_100).await;
            pass(100.0).await;
            rig
        },
        None,
    );
    life(
        async |before| {
            let rig = before.unwrap().again(SystemSettings::default()).await;
            rig.keep_beating(&["d", "e", "f", "g"]);
            assert_eq!(state(&rig, 1).await, StreamState::Quarantined);
            assert!(alerts(&rig).await[0].is_open());
            pass(150.0).await;
            assert_eq!(state(&rig, 1).await, StreamState::Quarantined);
            // `h` has not beaten since before the start.
            let held = rig.held("h").await;
            assert!(!held.is_empty());
            pass(160.0).await;
            assert_eq!(state(&rig, 1).await, StreamState::Assigned, "on trial");
            for stream in held {
                assert_eq!(suspicion(&rig, stream).await, None, "{stream}");
            }
            rig.invariants_hold().await;
            rig
        },
        Some(first),
    );
}

#[actix::test]
async fn a_retry_that_cannot_be_saved_is_repeated() {
    expect_errors(&[
        "alert store_unavailable",
        "alert stream_quarantined",
        "the store is out",
    ]);
    let rig = fleet(Rig::start().await, &NAMES).await;
    let workers = Workers::poisoned_by(&[1]);
    workers.work(&rig, &NAMES);
    until_quarantined(&rig, 1, 1_100).await;
    workers.cure();
    rig.store.set_outage(Some(Outage::Refusing));
    pass(400.0).await;
    assert_eq!(state(&rig, 1).await, StreamState::Quarantined);
    rig.store.set_outage(None);
    pass(120.0).await;
    assert_eq!(state(&rig, 1).await, StreamState::Assigned);
    rig.invariants_hold().await;
}
