//! An operator who plans: cordons, drains, maintenance and rolls among the disasters.

use std::time::Duration;

use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::domain::commands::{
    CordonInstance, DrainInstance, OrderRoll, PlanMaintenance, RollOrder, RollSelection, StartRoll,
    UncordonInstance,
};
use resilient_orchestrator::domain::health::SystemHealth;
use resilient_orchestrator::domain::ids::InstanceId;
use resilient_orchestrator::domain::pace::MovePace;
use resilient_orchestrator::domain::planned::{Requester, RollWait};
use resilient_orchestrator::domain::queries::RollList;

use crate::world::World;

const PACE: MovePace = MovePace {
    per_target: 2,
    in_all: 5,
};

/// One second of an operator who plans; when everything calms down, all of it is called off.
pub(crate) fn plan(world: &mut World, orchestrator: &Orchestrator, id: InstanceId) {
    let orchestrator = orchestrator.clone();
    if world.is_calm {
        if world.chance(3) {
            actix::spawn(call_off(orchestrator, id));
        }
        return;
    }
    if !world.chance(20) {
        return;
    }
    world.counters.moves += 1;
    let seconds = world.seconds(5..90);
    match world.rng.u8(0..8) {
        0 => drop(actix::spawn(cordon(orchestrator, id, seconds))),
        1 => drop(actix::spawn(maintain(orchestrator, id, seconds))),
        2 => drop(actix::spawn(roll(orchestrator, seconds))),
        3 => drop(actix::spawn(call_off(orchestrator, id))),
        number => drop(actix::spawn(drain(orchestrator, id, seconds, number == 4))),
    }
}

async fn drain(orchestrator: Orchestrator, id: InstanceId, within: Duration, force: bool) {
    let command = DrainInstance {
        id,
        deadline_at: orchestrator.clock().wall() + within,
        by: Requester::Operator,
        reason: None,
        force,
        then_absent_until: None,
        pace: PACE,
    };
    let _ = orchestrator.execute(command).await;
}

async fn cordon(orchestrator: Orchestrator, id: InstanceId, within: Duration) {
    let command = CordonInstance {
        id,
        until: Some(orchestrator.clock().wall() + within),
        by: Requester::Operator,
        reason: None,
    };
    let _ = orchestrator.execute(command).await;
}

async fn maintain(orchestrator: Orchestrator, id: InstanceId, within: Duration) {
    let command = PlanMaintenance {
        id,
        until: orchestrator.clock().wall() + within,
        by: Requester::Operator,
        reason: None,
        pace: PACE,
    };
    let _ = orchestrator.execute(command).await;
}

async fn roll(orchestrator: Orchestrator, within: Duration) {
    let command = StartRoll {
        selection: RollSelection::All,
        max_unavailable: 1,
        wait: RollWait::Drained,
        drain_deadline: within,
        by: Requester::Operator,
        reason: None,
        health: SystemHealth::Emergency,
        pace: PACE,
    };
    let _ = orchestrator.execute(command).await;
}

/// Ends the rolls, and whatever keeps an instance from its streams.
async fn call_off(orchestrator: Orchestrator, id: InstanceId) {
    let newest = RollList {
        before: None,
        limit: 100,
    };
    let rolls = orchestrator.ask(newest).await.unwrap_or_default();
    for roll in rolls.iter().filter(|roll| roll.is_open()) {
        let command = OrderRoll {
            id: roll.id,
            order: RollOrder::Cancel,
            by: Requester::Operator,
            reason: None,
            health: SystemHealth::Healthy,
            pace: PACE,
        };
        let _ = orchestrator.execute(command).await;
    }
    let command = UncordonInstance {
        id,
        by: Requester::Operator,
        reason: None,
    };
    let _ = orchestrator.execute(command).await;
}
