//! Group commit: what waits while a transaction is under way is saved together.

use std::time::Duration;

use futures_util::future::join_all;
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::domain::commands::{Rejection, RemoveInstance};

use crate::faults::{Fault, Outage};
use crate::rig::{Rig, pass, settle_down};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("i{number:03}")).collect()
}

#[actix::test]
async fn commands_that_arrive_during_a_slow_save_go_into_one_transaction() {
    let rig = Rig::start().await;
    rig.store
        .script_saves([Fault::Slow(Duration::from_secs(1))]);
    let names = names(500);
    let answers = join_all(names.iter().map(|id| rig.try_register(id, 3))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(
        rig.store.attempt_count(),
        2,
        "the first alone, the others together"
    );
    rig.memory_equals_store().await;
}

#[actix::test]
async fn each_command_of_a_batch_sees_the_ones_before_it() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.store
        .script_saves([Fault::Slow(Duration::from_secs(1))]);
    let (first, second, third, ask) = tokio::join!(
        rig.try_register("first", 1),
        rig.try_register("a", 2),
        rig.try_register("a", 3),
        rig.ask_for("a", 3),
    );
    assert!(first.is_ok());
    let (second, third) = (second.unwrap(), third.unwrap());
    assert!(!second.reregistration && third.reregistration);
    assert!(third.instance.incarnation > second.instance.incarnation);
    assert!(format!("{ask:?}").starts_with("Assigned"), "{ask:?}");
    assert_eq!(rig.held("a").await, [1, 2, 3]);
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_command_the_store_refuses_is_refused_alone() {
    let rig = Rig::start().await;
    rig.store.refuse_content_about(Some("i050".into()));
    rig.store
        .script_saves([Fault::Slow(Duration::from_secs(1))]);
    let names = names(100);
    let answers = join_all(names.iter().map(|id| rig.try_register(id, 3))).await;
    for (id, answer) in names.iter().zip(&answers) {
        if id == "i050" {
            assert_eq!(answer.as_ref().unwrap_err(), &Refusal::RefusedByStore);
        } else {
            assert!(answer.is_ok(), "{id}: {answer:?}");
        }
    }
    assert!(rig.orchestrator.registry().get(&"i050".into()).is_none());
    rig.memory_equals_store().await;
}

#[actix::test]
async fn commands_tried_one_by_one_wait_no_longer_than_any_other() {
    let rig = Rig::start().await;
    rig.store.refuse_content_about(Some("i005".into()));
    // The first is saved; the others are refused together, then tried alone while the store hangs.
    let slow = Fault::Slow(Duration::from_secs(1));
    rig.store
        .script_saves([slow].into_iter().chain([Fault::Hang; 3]));
    let began = rig.clock.now();
    let names = names(10);
    let _ = join_all(names.iter().map(|id| rig.try_register(id, 3))).await;
    let took = rig.clock.now().since(began);
    // One second for the first, five for the one that hangs; three is what the others wait.
    assert!(took < Duration::from_secs(7), "{took:?}");
    pass(10.0).await;
    rig.memory_equals_store().await;
}

#[actix::test]
async fn a_rejected_command_is_answered_without_a_transaction_and_harms_no_neighbour() {
    let rig = Rig::start().await;
    let remove = RemoveInstance::new("nobody".into());
    let answer = rig.orchestrator.execute(remove).await.unwrap_err();
    assert_eq!(
        answer,
        Refusal::Rejected(Rejection::UnknownInstance("nobody".into()))
    );
    assert_eq!(rig.store.attempt_count(), 0);
}

#[actix::test]
async fn a_certain_failure_undoes_the_whole_batch() {
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("kept", 2).await;
    rig.ask_for("kept", 1).await;
    let before = rig.fleet().await;
    rig.store
        .script_saves([Fault::Slow(Duration::from_secs(1)), Fault::Unavailable]);
    let names = names(20);
    let (first, others) = tokio::join!(
        rig.try_register("kept", 2),
        join_all(names.iter().map(|id| rig.try_register(id, 3))),
    );
    assert!(first.is_ok());
    for other in others {
        assert_eq!(other.unwrap_err(), Refusal::StoreUnavailable);
    }
    let after = rig.fleet().await;
    assert_eq!(after.instance_count(), 1);
    assert_eq!(after.stream_count(), before.stream_count());
    assert_eq!(rig.orchestrator.registry().len(), 1);
    rig.memory_equals_store().await;
    rig.register("i000", 3).await;
    rig.memory_equals_store().await;
}

#[actix::test]
async fn what_waits_behind_a_hanging_save_is_refused_after_three_seconds_and_reads_go_on() {
    let rig = Rig::start().await;
    rig.register("known", 2).await;
    rig.store.set_outage(Some(Outage::Hanging));
    let orchestrator = rig.orchestrator.clone();
    let hanging = actix::spawn(async move {
        orchestrator
            .execute(crate::rig::registration("hanging", 1))
            .await
    });
    settle_down().await;
    let began = rig.clock.now();
    let waited = rig.try_register("waits", 1).await.unwrap_err();
    assert_eq!(
        waited,
        Refusal::StoreUnavailable,
        "it is not that many wait"
    );
    let took = rig.clock.now().since(began);
    assert!(
        took >= Duration::from_secs(3) && took < Duration::from_millis(3_010),
        "{took:?}"
    );
    // Meanwhile and afterwards only what is saved is shown.
    assert_eq!(rig.fleet().await.instance_count(), 1);
    assert!(rig.beat("known").await.is_trusted);
    let refusal = hanging.await.unwrap().unwrap_err();
    assert_eq!(refusal, Refusal::OutcomeUnknown);
    rig.store.set_outage(None);
    pass(10.0).await;
    rig.register("later", 1).await;
    assert_eq!(rig.fleet().await.instance_count(), 2);
    rig.memory_equals_store().await;
}
