//! While the store is out, recoveries wait; when it is back, they run by themselves.

use std::time::Duration;

use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::instance::InstanceStatus;

use crate::faults::{Fault, Outage, Side};
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

#[actix::test]
async fn a_change_that_waits_for_the_queue_the_store_and_its_settling_has_one_limit() {
    let rig = Rig::start().await;
    let busy = Fault::Slow(Duration::from_millis(2_900));
    rig.store.script_saves([busy, Fault::Hang]);
    rig.store.script_settlements([Fault::Hang]);
    let began = rig.clock.now();
    let in_time = async {
        settle_down().await;
        let answer = rig.try_register("waits", 1).await;
        (answer, rig.clock.now().since(began))
    };
    let (first, (second, waited)) = tokio::join!(rig.try_register("first", 1), in_time);
    first.unwrap();
    assert_eq!(second.unwrap_err(), Refusal::OutcomeUnknown);
    let limit = SystemSettings::default().change_limit;
    assert!(waited <= limit + Duration::from_millis(10), "{waited:?}");
    // What became of it is found out all the same.
    pass(30.0).await;
    rig.register("later", 1).await;
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_reported_failure_whose_recovery_hangs_is_answered_within_one_limit() {
    let rig = Rig::start().await;
    rig.streams(1).await;
    rig.register("a", 1).await;
    rig.ask_for("a", 1).await;
    // Each of its transactions would have a limit of its own.
    rig.store
        .script_saves([Fault::Slow(Duration::from_millis(4_900)), Fault::Hang]);
    let began = rig.clock.now();
    let answer = rig.orchestrator.report_failure("a".into()).await;
    let waited = rig.clock.now().since(began);
    assert_eq!(answer.unwrap_err(), Refusal::OutcomeUnknown);
    let limit = SystemSettings::default().change_limit;
    assert!(waited <= limit + Duration::from_millis(10), "{waited:?}");
    // It turns out not to be saved, and nothing is done later that nobody waits for.
    pass(60.0).await;
    assert_eq!(rig.place(1).await.as_str(), "assigned");
    rig.memory_equals_store().await;
}

async fn silent_during(outage: Outage) -> Rig {
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("a", 2).await;
    rig.ask_for("a", 2).await;
    rig.register("b", 2).await;
    rig.keep_beating(&["b"]);
    pass(290.0).await;
    rig.store.set_outage(Some(outage));
    pass(60.0).await;
    rig
}

async fn recovery_waits_for_the_store(outage: Outage) {
    let rig = silent_during(outage).await;
    pass(600.0).await;
    assert_eq!(rig.held("a").await, [1, 2]);
    assert!(rig.entry("a").is_fenced());
    assert!(!rig.orchestrator.store_gate().is_up());
    assert!(!rig.beat("a").await.is_trusted, "still fenced");
    assert!(rig.beat("b").await.is_trusted);
    rig.store.set_outage(None);
    pass(60.0).await;
    assert_eq!(
        rig.held("b").await,
        [1, 2],
        "within 60 s of the store's return"
    );
    assert_eq!(rig.status("a"), InstanceStatus::Recovering);
    assert!(!rig.entry("a").is_fenced());
    assert!(rig.orchestrator.store_gate().is_up());
    let incidents = rig.store.incident_rows();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].cause, FailureCause::HeartbeatTimeout);
    assert!(incidents[0].attempts > 1);
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_recovery_waits_for_a_store_that_refuses_and_runs_when_it_is_back() {
    expect_errors(&[
        "alert emergency_recovery",
        "alert store_unavailable",
        "the store is out",
    ]);
    recovery_waits_for_the_store(Outage::Refusing).await;
}

#[actix::test]
async fn a_recovery_waits_for_a_store_that_hangs_and_runs_when_it_is_back() {
    expect_errors(&[
        "alert emergency_recovery",
        "alert store_unavailable",
        "the store is out",
    ]);
    recovery_waits_for_the_store(Outage::Hanging).await;
}

#[actix::test]
async fn the_stores_return_wakes_the_recovery_before_its_own_retry() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = silent_during(Outage::Refusing).await;
    while rig.orchestrator.store_gate().is_up() {
        pass(0.1).await;
    }
    rig.store.set_outage(None);
    while !rig.orchestrator.store_gate().is_up() {
        pass(0.01).await;
    }
    settle_down().await;
    assert_eq!(rig.held("b").await, [1, 2]);
}

#[actix::test]
async fn a_failure_reported_during_an_outage_is_refused_and_the_fence_lifted() {
    let rig = Rig::start().await;
    rig.streams(1).await;
    rig.register("a", 1).await;
    rig.ask_for("a", 1).await;
    rig.keep_beating(&["a"]);
    rig.store.set_outage(Some(Outage::Refusing));
    let refusal = rig
        .orchestrator
        .report_failure("a".into())
        .await
        .unwrap_err();
    assert_eq!(refusal, Refusal::StoreUnavailable);
    settle_down().await;
    assert!(!rig.entry("a").is_fenced());
    assert!(rig.beat("a").await.is_trusted);
    rig.store.set_outage(None);
    pass(120.0).await;
    assert_eq!(rig.held("a").await, [1], "nothing of it is done later");
}

/// Some commands that fail open the breaker of writes.
async fn writes_go_out(rig: &Rig, outage: Outage) {
    rig.store.set_outage_of(Side::Writes, Some(outage));
    while rig.orchestrator.store_gate().writes().lets_through() {
        let _ = rig.try_streams([99]).await;
        pass(0.1).await;
    }
}

/// Whatever is lost while writes are out is in no queue: the sweep that follows sees it again.
async fn suspicion_is_seen_again(outage: Outage) {
    let rig = Rig::start().await;
    let began = rig.clock.now();
    rig.register("a", 1).await;
    rig.register("b", 1).await;
    rig.keep_beating(&["b"]);
    pass(80.0).await;
    writes_go_out(&rig, outage).await;
    pass(140.0 - rig.clock.now().since(began).as_secs_f64()).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active, "late, not saved");
    rig.store.set_outage_of(Side::Writes, None);
    while !rig.orchestrator.store_gate().writes().lets_through() {
        assert_eq!(rig.status("a"), InstanceStatus::Active);
        pass(0.01).await;
    }
    settle_down().await;
    assert_eq!(rig.status("a"), InstanceStatus::Suspect);

    // The same with its end.
    writes_go_out(&rig, outage).await;
    rig.beat("a").await;
    pass(1.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Suspect, "not saved");
    rig.store.set_outage_of(Side::Writes, None);
    while !rig.orchestrator.store_gate().writes().lets_through() {
        pass(0.01).await;
    }
    settle_down().await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_suspicion_lost_to_a_store_that_refuses_is_seen_again_when_it_is_back() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    suspicion_is_seen_again(Outage::Refusing).await;
}

#[actix::test]
async fn a_suspicion_lost_to_a_store_that_hangs_is_seen_again_when_it_is_back() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    suspicion_is_seen_again(Outage::Hanging).await;
}
