//! Rolls are continued by their actor, with the verdict on the health of the system.

use std::time::Duration;

use resilient_orchestrator::domain::commands::{RollSelection, StartRoll};
use resilient_orchestrator::domain::health::SystemHealth;
use resilient_orchestrator::domain::ids::{InstanceId, RollId};
use resilient_orchestrator::domain::pace::MovePace;
use resilient_orchestrator::domain::planned::{Requester, Roll, RollState, RollStep, RollWait};
use resilient_orchestrator::domain::queries::RollDetail;

use crate::rig::{Rig, pass, settle_down};

/// A roll over `a`, which owns two streams, and `b`; `c` has room for everything.
async fn rolling() -> (Rig, RollId) {
    let rig = Rig::start().await;
    rig.streams(2).await;
    for id in ["a", "b", "c"] {
        rig.register(id, 4).await;
    }
    rig.ask_for("a", 2).await;
    let roll = StartRoll {
        selection: RollSelection::Instances(vec!["a".into(), "b".into()]),
        max_unavailable: 1,
        wait: RollWait::Healthy,
        drain_deadline: Duration::from_secs(3_600),
        by: Requester::Operator,
        reason: None,
        health: SystemHealth::Healthy,
        pace: MovePace {
            per_target: 10,
            in_all: 100,
        },
    };
    let roll = rig.orchestrator.execute(roll).await.unwrap();
    settle_down().await;
    (rig, roll.id)
}

async fn seen(rig: &Rig, id: RollId) -> Roll {
    rig.orchestrator
        .ask(RollDetail { id })
        .await
        .unwrap()
        .unwrap()
}

#[actix::test]
async fn a_roll_pauses_with_the_verdict_on_the_health_and_not_with_a_gauge() {
    let (rig, id) = rolling().await;
    rig.keep_beating(&["a", "b", "c"]);
    // The gauge is for scrapes: it may lag behind the verdict, or be ahead of it.
    let emergency = SystemHealth::Emergency as i64;
    rig.orchestrator.telemetry().system_health.set(emergency);
    pass(5.0).await;
    assert_eq!(seen(&rig, id).await.state, RollState::Running);
    let failed: InstanceId = "b".into();
    rig.orchestrator.report_failure(failed).await.unwrap();
    rig.orchestrator.telemetry().system_health.set(0);
    pass(2.0).await;
    let verdict = rig.orchestrator.system_health().await.unwrap().verdict;
    assert!(verdict.health > SystemHealth::Healthy);
    let paused = seen(&rig, id).await;
    assert_eq!(paused.state, RollState::Paused);
    let because = paused.because.unwrap_or_default();
    assert!(because.contains(verdict.health.as_str()), "{because}");
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_roll_goes_on_by_itself_until_it_is_done() {
    let (rig, id) = rolling().await;
    rig.keep_beating(&["a", "b", "c"]);
    for instance in ["a", "b"] {
        // Every worker shows that it knows its streams.
        for worker in ["a", "b", "c"] {
            rig.ask_for(worker, 0).await;
        }
        pass(3.0).await;
        let roll = seen(&rig, id).await;
        let step = roll
            .instances
            .iter()
            .find(|one| one.id.as_str() == instance);
        assert_eq!(
            step.map(|one| one.step),
            Some(RollStep::Drained),
            "{instance}"
        );
        rig.register(instance, 4).await;
        pass(3.0).await;
    }
    let roll = seen(&rig, id).await;
    assert_eq!(roll.state, RollState::Done);
    assert!(roll.instances.iter().all(|one| one.step == RollStep::Back));
    rig.memory_equals_store().await;
}
