//! Failures somebody reports, and instances that are forgotten.

use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::commands::Rejection;
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::instance::InstanceStatus;

use crate::faults::Fault;
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

async fn holder_and_heir() -> Rig {
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("a", 2).await;
    rig.ask_for("a", 2).await;
    rig.register("b", 2).await;
    rig
}

#[actix::test]
async fn a_beating_instance_reported_as_failed_loses_its_streams_and_returns_on_probation() {
    let rig = holder_and_heir().await;
    rig.keep_beating(&["a", "b"]);
    pass(1.0).await;
    let recovered = rig.orchestrator.report_failure("a".into()).await.unwrap();
    let moved: Vec<_> = recovered
        .evacuation
        .moved
        .iter()
        .map(|(stream, _)| *stream)
        .collect();
    assert_eq!(moved, [StreamId::new(1), StreamId::new(2)]);
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
    assert_eq!(rig.held("b").await, [1, 2]);
    pass(31.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Recovering);
    pass(121.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
}

#[actix::test]
async fn a_failed_instance_reported_again_has_nothing_left_to_recover() {
    let rig = holder_and_heir().await;
    rig.orchestrator.report_failure("a".into()).await.unwrap();
    let again = rig.orchestrator.report_failure("a".into()).await.unwrap();
    assert_eq!(again.incident, None);
    assert_eq!(rig.store.incident_rows().len(), 1);
    rig.beat("a").await;
    settle_down().await;
    assert_eq!(
        rig.status("a"),
        InstanceStatus::Recovering,
        "no fence is left over"
    );
}

#[actix::test]
async fn reports_that_come_together_share_one_recovery() {
    let rig = holder_and_heir().await;
    rig.store
        .script_saves([Fault::Slow(std::time::Duration::from_secs(1))]);
    let report = || rig.orchestrator.report_failure("a".into());
    let (first, second, third) = tokio::join!(report(), report(), report());
    let incident = first.unwrap().incident;
    assert!(incident.is_some());
    assert_eq!(second.unwrap().incident, incident);
    assert_eq!(third.unwrap().incident, incident);
    assert_eq!(rig.store.incident_rows().len(), 1);
}

#[actix::test]
async fn an_unknown_instance_cannot_fail() {
    let rig = Rig::start().await;
    let refusal = rig
        .orchestrator
        .report_failure("x".into())
        .await
        .unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Rejected(Rejection::UnknownInstance("x".into()))
    );
}

#[actix::test]
async fn the_end_of_an_older_lifes_recovery_is_no_answer_about_the_current_life() {
    let rig = holder_and_heir().await;
    let slow = Fault::Slow(std::time::Duration::from_secs(1));
    // While life 2 is being saved, life 1 is reported; its recovery is decided, and rejected, in
    // the next transaction, which takes until 2 s. Life 2 is reported in the meantime.
    rig.store.script_saves([slow, slow]);
    let (_, _, _, newer) = tokio::join!(
        rig.try_register("a", 2),
        rig.try_register("neighbour", 1),
        rig.orchestrator.report_failure("a".into()),
        async {
            pass(1.5).await;
            rig.orchestrator.report_failure("a".into()).await
        },
    );
    let newer = newer.expect("it is about the life that is led now");
    assert!(newer.incident.is_some());
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
    assert!(!rig.entry("a").is_fenced());
}

#[actix::test]
async fn failed_instances_without_streams_are_forgotten_after_their_retention() {
    expect_errors(&["alert system_health"]);
    let settings = SystemSettings {
        instance_retention: std::time::Duration::from_secs(3_600),
        ..SystemSettings::default()
    };
    let rig = Rig::with(settings).await;
    rig.register("a", 1).await;
    let actor = rig.actor("a").await.unwrap();
    pass(300.1 + 3_569.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
    pass(62.0).await;
    assert!(rig.orchestrator.registry().is_empty());
    assert!(rig.try_beat("a").await.is_err());
    assert!(!actor.connected(), "a leak");
    rig.memory_equals_store().await;
}
