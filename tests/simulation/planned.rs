//! An operator who plans: cordons, drains, maintenance and rolls among the disasters.

use std::time::Duration;

use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::domain::commands::{
    Command, CordonInstance, DrainInstance, OrderRoll, PlanMaintenance, Rejection, RollOrder,
    RollSelection, StartRoll, UncordonInstance,
};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::fleet::{Draft, InstanceSlot, let_go};
use resilient_orchestrator::domain::health::SystemHealth;
use resilient_orchestrator::domain::ids::InstanceId;
use resilient_orchestrator::domain::instance::{Instance, InstanceStatus};
use resilient_orchestrator::domain::pace::MovePace;
use resilient_orchestrator::domain::planned::{Drain, DrainState, Requester, RollWait};
use resilient_orchestrator::domain::queries::RollList;

use crate::scene::Mutation;
use crate::world::World;

const PACE: MovePace = MovePace {
    per_target: 2,
    in_all: 5,
};

/// One second of an operator who plans; when everything calms down, all of it is called off.
pub(crate) fn plan(world: &mut World, orchestrator: &Orchestrator, id: InstanceId) {
    let orchestrator = orchestrator.clone();
    if world.is_calm {
        if world.rng.u8(0..3) == 0 {
            actix::spawn(call_off(orchestrator, id));
        }
        return;
    }
    let drains_often = world.scene.drains_often;
    if !world.chance(if drains_often { 4 } else { 20 }) {
        return;
    }
    world.counters.moves += 1;
    let seconds = world.seconds(5..90);
    match world.rng.u8(0..8) {
        0..=2 if drains_often => drop(actix::spawn(call_off(orchestrator, id))),
        0 => drop(actix::spawn(cordon(orchestrator, id, seconds))),
        1 => drop(actix::spawn(maintain(orchestrator, id, seconds))),
        2 => drop(actix::spawn(roll(orchestrator, seconds))),
        3 => drop(actix::spawn(call_off(orchestrator, id))),
        number => {
            let mutation = world.scene.mutation;
            let id = if drains_often { busy(world, id) } else { id };
            drop(actix::spawn(drain(
                orchestrator,
                id,
                seconds,
                number == 4,
                mutation,
            )));
        }
    }
}

/// Returns an instance whose drain would move streams, if there is one.
fn busy(world: &World, otherwise: InstanceId) -> InstanceId {
    let mut instances = world.fleet.instances();
    let busy = instances.find(|slot| {
        let is_active = slot.instance().status == InstanceStatus::Active;
        let others = world.fleet.instances();
        let others = others.filter(|other| other.instance().id != slot.instance().id);
        let room = others.filter(|other| other.instance().takes_moves());
        is_active && !slot.held().is_empty() && room.map(InstanceSlot::free_room).sum::<usize>() > 0
    });
    busy.map_or(otherwise, |slot| slot.instance().id.clone())
}

/// A drain whose streams are taken at once, as if the worker had released them.
#[derive(Debug)]
struct TakingDrain(DrainInstance);

impl Command for TakingDrain {
    type Reply = ();

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        self.0.decide(draft)?;
        let slot = draft.fleet().instance(&self.0.id);
        let releasing = slot.map(|slot| slot.releasing().clone());
        for stream in releasing.into_iter().flatten() {
            let_go(draft, stream);
        }
        Ok(())
    }
}

/// A drain that is called drained as soon as it has begun.
#[derive(Debug)]
struct HastyDrain(DrainInstance);

impl Command for HastyDrain {
    type Reply = ();

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        self.0.decide(draft)?;
        let slot = draft.fleet().instance(&self.0.id);
        let Some((mut instance, left)) =
            slot.map(|slot| (Instance::clone(slot.instance()), slot.held().len()))
        else {
            return Ok(());
        };
        let Some(drain) = instance
            .drain()
            .filter(|drain| drain.is_under_way())
            .cloned()
        else {
            return Ok(());
        };
        draft.tell(Event::DrainEnded {
            instance: self.0.id.clone(),
            incarnation: instance.incarnation,
            state: DrainState::Drained,
            by: Requester::Program,
            moved: drain.moved,
            left: u32::try_from(left).unwrap_or(u32::MAX),
            takes_streams: false,
            reason: None,
        });
        instance.plan(|planned| {
            planned.drain = Some(Drain {
                state: DrainState::Drained,
                ..drain
            });
        });
        draft.put_instance(instance);
        Ok(())
    }
}

async fn drain(
    orchestrator: Orchestrator,
    id: InstanceId,
    within: Duration,
    force: bool,
    mutation: Option<Mutation>,
) {
    let command = DrainInstance {
        id,
        deadline_at: orchestrator.clock().wall() + within,
        by: Requester::Operator,
        reason: None,
        force,
        then_absent_until: None,
        pace: PACE,
    };
    match mutation {
        Some(Mutation::TakesBeforeRelease) => {
            // Without the limits of a sound drain, all streams go at once.
            let command = DrainInstance {
                force: true,
                pace: MovePace {
                    per_target: 100,
                    in_all: 100,
                },
                ..command
            };
            let _ = orchestrator.execute(TakingDrain(command)).await;
        }
        Some(Mutation::DrainedTooEarly) => {
            let _ = orchestrator.execute(HastyDrain(command)).await;
        }
        Some(_) | None => {
            let _ = orchestrator.execute(command).await;
        }
    }
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
