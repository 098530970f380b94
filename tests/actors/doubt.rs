//! Transactions whose outcome is unknown are settled, whichever way they went.

use std::time::Duration;

use resilient_orchestrator::actors::fatal::Fatal;
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::domain::fleet::Rows;
use resilient_orchestrator::store::{Save, Store};

use crate::faults::Fault;
use crate::rig::{Rig, pass, registration};
use crate::support_log::expect_errors;

async fn after(fault: Fault) -> (Rig, Result<(), Refusal>) {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 3).await;
    rig.store.script_saves([fault]);
    let answer = rig.try_register("doubtful", 2).await.map(|_| ());
    (rig, answer)
}

async fn goes_on(rig: &Rig) {
    rig.memory_equals_store().await;
    rig.register("later", 1).await;
    rig.ask_for("a", 2).await;
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_write_that_happened_is_told_as_done() {
    let (rig, answer) = after(Fault::WrittenInDoubt).await;
    assert_eq!(answer, Ok(()));
    assert_eq!(rig.fleet().await.instance_count(), 2);
    goes_on(&rig).await;
}

#[actix::test]
async fn a_write_that_did_not_happen_is_undone_and_refused() {
    let (rig, answer) = after(Fault::LostInDoubt).await;
    assert_eq!(answer, Err(Refusal::StoreUnavailable));
    assert_eq!(rig.fleet().await.instance_count(), 1);
    goes_on(&rig).await;
}

#[actix::test]
async fn a_write_that_would_come_later_is_defeated() {
    let (rig, answer) = after(Fault::LateInDoubt(Duration::from_secs(2))).await;
    assert_eq!(answer, Err(Refusal::StoreUnavailable));
    pass(3.0).await;
    assert_eq!(rig.fleet().await.instance_count(), 1);
    goes_on(&rig).await;
}

async fn settled_late(fault: Fault) -> usize {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 3).await;
    rig.store.script_saves([fault]);
    rig.store
        .script_settlements([Fault::Unavailable, Fault::LostInDoubt]);
    let answer = rig.try_register("doubtful", 2).await.unwrap_err();
    assert_eq!(answer, Refusal::OutcomeUnknown);
    let known = rig.fleet().await.instance_count();
    assert_eq!(known, 1, "nothing unsaved is shown");
    pass(5.0).await;
    let settled = rig.fleet().await.instance_count();
    goes_on(&rig).await;
    settled
}

#[actix::test]
async fn what_happened_is_found_even_if_the_first_settlements_fail() {
    assert_eq!(settled_late(Fault::WrittenInDoubt).await, 2);
}

#[actix::test]
async fn what_never_happened_is_undone_even_if_the_first_settlements_fail() {
    assert_eq!(settled_late(Fault::LostInDoubt).await, 1);
}

#[actix::test]
async fn what_happens_before_it_is_settled_counts() {
    assert_eq!(
        settled_late(Fault::LateInDoubt(Duration::from_secs(1))).await,
        2
    );
}

#[actix::test]
async fn a_settlement_whose_own_outcome_is_unknown_is_repeated() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 3).await;
    rig.store.script_saves([Fault::LostInDoubt]);
    rig.store.script_settlements([Fault::WrittenInDoubt]);
    let answer = rig.try_register("doubtful", 2).await.unwrap_err();
    assert_eq!(answer, Refusal::OutcomeUnknown);
    pass(5.0).await;
    assert_eq!(rig.fleet().await.instance_count(), 1);
    goes_on(&rig).await;
}

#[actix::test]
async fn a_deposed_orchestrator_ends_and_writes_nothing_more() {
    let mut rig = Rig::start().await;
    rig.register("a", 1).await;
    rig.store.begin_term().await.unwrap();
    let rows = rig.store.rows();
    assert_eq!(
        rig.try_register("b", 1).await.unwrap_err(),
        Refusal::ShuttingDown
    );
    assert_eq!(rig.fatal.recv().await, Some(Fatal::Deposed));
    assert_eq!(
        rig.try_register("c", 1).await.unwrap_err(),
        Refusal::ShuttingDown
    );
    rig.beat("a").await;
    pass(400.0).await;
    let later = rig.store.rows();
    assert_eq!(
        (later.instances, later.streams),
        (rows.instances, rows.streams)
    );
}

#[actix::test]
async fn an_idle_orchestrator_notices_at_the_sweep_that_it_was_deposed() {
    let mut rig = Rig::start().await;
    rig.store.begin_term().await.unwrap();
    pass(31.0).await;
    assert_eq!(rig.fatal.try_recv(), Ok(Fatal::Deposed));
}

#[actix::test]
async fn an_orchestrator_whose_store_moved_under_it_ends() {
    expect_errors(&["the store is at version"]);
    let mut rig = Rig::start().await;
    rig.register("a", 1).await;
    let foreign = Save {
        at: rig.clock.wall(),
        counter: rig.fleet().await.counter(),
        rows: Rows::default(),
        events: Vec::new(),
        origins: Vec::new(),
    };
    rig.store
        .save(rig.store.guard(), foreign.into())
        .await
        .unwrap();
    let answer = rig.orchestrator.execute(registration("b", 1)).await;
    assert_eq!(answer.unwrap_err(), Refusal::ShuttingDown);
    assert_eq!(rig.fatal.recv().await, Some(Fatal::PartedWays));
    assert_eq!(rig.fleet().await.instance_count(), 1);
}
