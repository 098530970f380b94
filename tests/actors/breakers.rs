//! The circuit breakers of the store: what opens them, what goes on meanwhile, how they close.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use resilient_orchestrator::actors::db_breaker::{
    BreakerChanged, BreakerReport, ForceBreaker, ListenToBreakers,
};
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::breaker::{BreakerName, BreakerState, Force};
use resilient_orchestrator::domain::commands::AssignOutcome;
use resilient_orchestrator::domain::incident::IncidentFilter;
use resilient_orchestrator::domain::instance::InstanceStatus;

use crate::faults::{Fault, Outage, Side};
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

const READS: BreakerName = BreakerName::STORE_READS;
const WRITES: BreakerName = BreakerName::STORE_WRITES;

async fn report(rig: &Rig, name: BreakerName) -> BreakerReport {
    let reports = rig.orchestrator.breakers().await.unwrap();
    reports.into_iter().find(|one| one.name == name).unwrap()
}

async fn state(rig: &Rig, name: BreakerName) -> BreakerState {
    report(rig, name).await.state
}

async fn force(rig: &Rig, name: BreakerName, force: Option<Force>) {
    let order = ForceBreaker {
        name,
        force,
        reason: "because".to_owned(),
    };
    assert!(
        rig.orchestrator
            .force_breaker(order)
            .await
            .unwrap()
            .is_some()
    );
}

/// Registers until the breaker of writes is open.
async fn open_writes(rig: &Rig) {
    for number in 1..=5 {
        assert!(rig.orchestrator.store_gate().writes().lets_through());
        assert_eq!(
            rig.try_register("new", 1).await.unwrap_err(),
            Refusal::StoreUnavailable
        );
        assert_eq!(report(rig, WRITES).await.failures, number);
    }
    assert!(!rig.orchestrator.store_gate().writes().lets_through());
}

/// Asks for events until the breaker of reads is open.
async fn open_reads(rig: &Rig) {
    for _ in 0..5 {
        assert!(rig.orchestrator.store_gate().reads().lets_through());
        let answer = rig.orchestrator.archive().events(0, 1).await;
        assert_eq!(answer.unwrap_err(), Refusal::StoreUnavailable);
        settle_down().await;
    }
    assert!(!rig.orchestrator.store_gate().reads().lets_through());
}

async fn refused_at_once(rig: &Rig) {
    let (before, attempts) = (rig.clock.now(), rig.store.attempt_count());
    assert_eq!(
        rig.try_register("new", 1).await.unwrap_err(),
        Refusal::StoreUnavailable
    );
    assert_eq!(
        rig.orchestrator
            .report_failure("a".into())
            .await
            .unwrap_err(),
        Refusal::StoreUnavailable
    );
    assert_eq!(rig.clock.now(), before);
    assert_eq!(
        rig.store.attempt_count(),
        attempts,
        "the store is left alone"
    );
}

/// `a` holds streams 1 and 2, `b` has room for them.
async fn two_instances() -> Rig {
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("a", 2).await;
    rig.ask_for("a", 2).await;
    rig.register("b", 2).await;
    rig
}

#[actix::test]
async fn writes_are_refused_at_once_after_the_threshold_and_heartbeats_go_on() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    rig.store.set_outage(Some(Outage::Refusing));
    open_writes(&rig).await;
    assert_eq!(rig.store.attempt_count(), 4 + 5);
    refused_at_once(&rig).await;
    assert!(rig.beat("a").await.is_trusted);
    assert_eq!(rig.held("a").await, [1, 2]);
    assert_eq!(rig.place(1).await.as_str(), "assigned");
}

#[actix::test]
async fn a_command_that_changes_nothing_is_still_answered() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    rig.store.set_outage(Some(Outage::Refusing));
    open_writes(&rig).await;
    assert_eq!(rig.ask_for("b", 1).await, AssignOutcome::NoneWaiting);
    let full = rig.ask_for("a", 1).await;
    assert_eq!(full, AssignOutcome::Full { max_streams: 2 });
}

#[actix::test]
async fn a_store_that_hangs_is_refused_as_soon_as_its_breaker_is_open() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    rig.store.set_outage(Some(Outage::Hanging));
    let first = rig.try_register("new", 1).await.unwrap_err();
    assert_eq!(first, Refusal::OutcomeUnknown);
    pass(40.0).await;
    for _ in 0..100 {
        refused_at_once(&rig).await;
        assert!(rig.beat("a").await.is_trusted);
        pass(1.0).await;
    }
    rig.store.set_outage(None);
    pass(61.0).await;
    rig.register("later", 1).await;
    rig.memory_equals_store().await;
}

#[actix::test]
async fn probes_are_empty_transactions_that_come_ever_more_slowly() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    rig.store.set_outage(Some(Outage::Refusing));
    open_writes(&rig).await;
    let before = rig.store.attempt_count();
    // A little before and a little after each probe.
    pass(0.9).await;
    for (wait, probes) in [
        (0.2, 1),
        (1.8, 1),
        (0.2, 2),
        (3.8, 2),
        (0.2, 3),
        (7.8, 3),
        (0.2, 4),
    ] {
        pass(wait).await;
        assert_eq!(rig.store.attempt_count() - before, probes);
    }
    for probe in &rig.store.attempts()[before..] {
        assert!(probe.events.is_empty());
        assert_eq!(probe.rows, Default::default());
    }
    rig.store.set_outage(None);
    pass(40.0).await;
    assert_eq!(state(&rig, WRITES).await, BreakerState::Closed);
    rig.memory_equals_store().await;
    rig.register("later", 1).await;
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_long_outage_with_much_to_do_does_not_hammer_the_store() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    rig.keep_beating(&["b"]);
    pass(250.0).await;
    let before = rig.store.attempt_count();
    rig.store.set_outage(Some(Outage::Refusing));
    pass(3_600.0).await;
    assert!(rig.entry("a").is_fenced());
    let probes = rig.store.attempt_count() - before;
    assert!(probes <= 5 + 6 + 60, "{probes} attempts in an hour");
}

#[actix::test]
async fn a_worker_that_died_meanwhile_is_recovered_as_soon_as_writes_close() {
    expect_errors(&[
        "alert emergency_recovery",
        "alert store_unavailable",
        "the store is out",
    ]);
    let rig = two_instances().await;
    rig.keep_beating(&["b"]);
    pass(290.0).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(400.0).await;
    assert_eq!(state(&rig, WRITES).await, BreakerState::Open);
    assert_ne!(rig.status("a"), InstanceStatus::Failed, "it is not saved");
    assert!(rig.entry("a").is_fenced());
    rig.store.set_outage(None);
    while !rig.orchestrator.store_gate().writes().lets_through() {
        pass(0.01).await;
    }
    settle_down().await;
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
    assert_eq!(rig.held("b").await, [1, 2]);
    assert_eq!(rig.store.incident_rows().len(), 1);
}

#[actix::test]
async fn writes_may_be_out_while_reads_answer() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    rig.store
        .set_outage_of(Side::Writes, Some(Outage::Refusing));
    open_writes(&rig).await;
    pass(10.0).await;
    assert_eq!(state(&rig, READS).await, BreakerState::Closed);
    assert_eq!(report(&rig, READS).await.failures, 0);
    assert!(rig.orchestrator.archive().events(0, 1).await.is_ok());
    let gate = rig.orchestrator.store_gate();
    assert_eq!(gate.stale_since(), None);
    assert!(!gate.is_up());
}

#[actix::test]
async fn reads_may_be_out_while_writes_are_saved() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    rig.store.set_outage_of(Side::Reads, Some(Outage::Refusing));
    let first_failure = rig.clock.wall();
    open_reads(&rig).await;
    rig.register("new", 1).await;
    assert_eq!(state(&rig, WRITES).await, BreakerState::Closed);
    let gate = rig.orchestrator.store_gate();
    assert_eq!(gate.stale_since(), Some(first_failure));
    assert!(!gate.is_up());

    rig.store.set_outage_of(Side::Reads, None);
    let answer = rig.orchestrator.archive().events(0, 1).await;
    assert_eq!(answer.unwrap_err(), Refusal::StoreUnavailable, "not asked");
    pass(2.0).await;
    assert_eq!(state(&rig, READS).await, BreakerState::Closed);
    assert_eq!(gate.stale_since(), None);
    assert!(gate.is_up());
    assert!(rig.orchestrator.archive().events(0, 1).await.is_ok());
}

#[actix::test]
async fn reads_are_found_out_by_themselves_once_writes_are_out() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    tokio::time::pause();
    for (outage, seconds) in [(Outage::Refusing, 6.0), (Outage::Hanging, 40.0)] {
        let rig = Rig::in_paused_time(SystemSettings::default()).await;
        rig.register("a", 2).await;
        rig.store.set_outage(Some(outage));
        while rig.orchestrator.store_gate().writes().lets_through() {
            rig.beat("a").await;
            pass(1.0).await;
        }
        pass(seconds).await;
        assert!(rig.orchestrator.store_gate().stale_since().is_some());
        rig.store.set_outage(None);
        pass(61.0).await;
        assert!(rig.orchestrator.store_gate().is_up());
    }
}

#[actix::test]
async fn one_failed_read_is_forgiven_as_soon_as_a_look_succeeds() {
    let rig = Rig::start().await;
    rig.store.set_outage_of(Side::Reads, Some(Outage::Refusing));
    assert!(rig.orchestrator.archive().events(0, 1).await.is_err());
    rig.store.set_outage_of(Side::Reads, None);
    settle_down().await;
    assert!(!rig.orchestrator.store_gate().is_up());
    pass(1.1).await;
    assert!(rig.orchestrator.store_gate().is_up());
}

#[actix::test]
async fn incidents_are_answered_from_memory_while_reads_are_out() {
    expect_errors(&["alert store_unavailable"]);
    let rig = two_instances().await;
    rig.orchestrator.report_failure("a".into()).await.unwrap();
    let archive = rig.orchestrator.archive().clone();
    let all = IncidentFilter::default();
    let stored = archive.incident_page(&all, 10).await.unwrap();
    rig.store.set_outage_of(Side::Reads, Some(Outage::Hanging));
    force(&rig, READS, Some(Force::Open)).await;
    let began = rig.clock.now();
    assert_eq!(archive.incident_page(&all, 10).await.unwrap(), stored);
    let id = stored.incidents[0].id;
    assert!(archive.incident(id).await.unwrap().is_some());
    rig.register("a", 2).await;
    rig.orchestrator.report_failure("b".into()).await.unwrap();
    let first = archive.incident_page(&all, 1).await.unwrap();
    assert!(first.more);
    assert_eq!(first.incidents[0].instance, "b".into());
    let rest = IncidentFilter::before(Some(first.incidents[0].id));
    assert_eq!(archive.incident_page(&rest, 9).await.unwrap(), stored);
    assert!(archive.events(0, 1).await.is_err());
    assert!(rig.orchestrator.consistency().await.unwrap().store.is_err());
    assert_eq!(rig.clock.now(), began, "nobody waited for the store");
}

#[actix::test]
async fn a_probe_that_is_never_answered_has_failed_at_its_limit() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    rig.store.set_outage(Some(Outage::Refusing));
    open_writes(&rig).await;
    rig.store.script_saves([Fault::HaltBefore]);
    pass(1.1).await;
    assert_eq!(state(&rig, WRITES).await, BreakerState::HalfOpen);
    refused_at_once(&rig).await;
    assert_eq!(rig.ask_for("b", 1).await, AssignOutcome::NoneWaiting);
    pass(6.0).await;
    let report = report(&rig, WRITES).await;
    assert_eq!(report.state, BreakerState::Open);
    assert_eq!(report.failures, 6);
    assert!(
        report
            .next_probe
            .is_some_and(|wait| wait > Duration::from_secs(1))
    );
}

#[actix::test]
async fn a_permit_that_is_dropped_counts_as_a_failure() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = Rig::start().await;
    rig.store.panic_in_events(true);
    open_reads(&rig).await;
    rig.store.panic_in_events(false);
    pass(2.0).await;
    assert!(rig.orchestrator.archive().events(0, 1).await.is_ok());
}

#[actix::test]
async fn content_that_is_refused_is_no_outage() {
    let rig = Rig::start().await;
    rig.store.refuse_content_about(Some("a".into()));
    for _ in 0..20 {
        let refusal = rig.try_register("a", 1).await.unwrap_err();
        assert_eq!(refusal, Refusal::RefusedByStore);
    }
    assert_eq!(report(&rig, WRITES).await.failures, 0);
    rig.register("b", 1).await;
}

#[actix::test]
async fn forced_open_leaves_the_store_alone_until_it_is_released() {
    expect_errors(&["alert emergency_recovery", "alert store_unavailable"]);
    let rig = two_instances().await;
    rig.keep_beating(&["b"]);
    pass(250.0).await;
    force(&rig, WRITES, Some(Force::Open)).await;
    let shown = report(&rig, WRITES).await;
    assert_eq!(shown.state, BreakerState::Open);
    assert_eq!(shown.forced.unwrap().reason, "because");
    assert_eq!(shown.next_probe, None);
    refused_at_once(&rig).await;
    let attempts = rig.store.attempt_count();
    pass(1_000.0).await;
    assert_eq!(rig.store.attempt_count(), attempts, "not probed");
    assert!(rig.entry("a").is_fenced(), "its silence is known");
    assert_eq!(rig.held("a").await, [1, 2]);
    force(&rig, WRITES, None).await;
    settle_down().await;
    assert_eq!(rig.held("b").await, [1, 2], "its recovery was woken");
    assert_eq!(report(&rig, WRITES).await.forced, None);
}

#[actix::test]
async fn forced_closed_lets_everything_through_whatever_fails() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    rig.store.set_outage(Some(Outage::Refusing));
    force(&rig, WRITES, Some(Force::Closed)).await;
    let before = rig.store.attempt_count();
    for _ in 0..20 {
        let refusal = rig.try_register("new", 1).await.unwrap_err();
        assert_eq!(refusal, Refusal::StoreUnavailable);
    }
    assert_eq!(rig.store.attempt_count() - before, 20);
    assert_eq!(state(&rig, WRITES).await, BreakerState::Closed);
    force(&rig, WRITES, None).await;
    assert_eq!(state(&rig, WRITES).await, BreakerState::Open);
    rig.store.set_outage(None);
    pass(2.0).await;
    rig.register("new", 1).await;
}

#[actix::test]
async fn what_is_in_doubt_when_writes_open_is_settled_by_the_probes() {
    expect_errors(&[
        "alert store_unavailable",
        "alert system_health",
        "the store is out",
    ]);
    tokio::time::pause();
    for (fault, settled) in [(Fault::WrittenInDoubt, 3), (Fault::LostInDoubt, 2)] {
        let rig = Rig::in_paused_time(SystemSettings::default()).await;
        rig.register("a", 2).await;
        rig.register("b", 2).await;
        rig.store.script_saves([fault]);
        rig.store.set_outage(Some(Outage::Refusing));
        assert_eq!(
            rig.try_register("doubtful", 1).await.unwrap_err(),
            Refusal::OutcomeUnknown
        );
        pass(100.0).await;
        refused_at_once(&rig).await;
        assert_eq!(rig.fleet().await.instance_count(), 2, "not known");
        rig.store.set_outage(None);
        pass(61.0).await;
        assert_eq!(rig.fleet().await.instance_count(), settled, "{fault:?}");
        rig.memory_equals_store().await;
        rig.register("later", 1).await;
        rig.memory_equals_store().await;
    }
}

/// Remembers what it is told.
struct Listener(Arc<Mutex<Vec<BreakerChanged>>>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<BreakerChanged> for Listener {
    type Result = ();

    fn handle(&mut self, changed: BreakerChanged, _: &mut Self::Context) {
        self.0.lock().unwrap().push(changed);
    }
}

#[actix::test]
async fn every_change_is_told_to_who_listens() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = two_instances().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Listener(told.clone()).start().recipient();
    let breakers = rig.orchestrator.breaker();
    breakers.send(ListenToBreakers(listener)).await.unwrap();
    rig.store
        .set_outage_of(Side::Writes, Some(Outage::Refusing));
    open_writes(&rig).await;
    rig.store.set_outage_of(Side::Writes, None);
    pass(2.0).await;
    force(&rig, READS, Some(Force::Open)).await;
    force(&rig, READS, None).await;
    settle_down().await;
    let told = std::mem::take(&mut *told.lock().unwrap());
    let told: Vec<_> = told
        .into_iter()
        .map(|one| (one.name, one.state, one.forced, one.reason))
        .collect();
    let because = || Some("because".to_owned());
    assert_eq!(
        told,
        [
            (WRITES, BreakerState::Open, None, None),
            (WRITES, BreakerState::HalfOpen, None, None),
            (WRITES, BreakerState::Closed, None, None),
            (READS, BreakerState::Open, Some(Force::Open), because()),
            (READS, BreakerState::Closed, None, None),
        ]
    );
}
