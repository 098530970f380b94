//! Whoever adds, disables and deletes streams, removes instances and reports failures; and what
//! follows from the answers.

use resilient_orchestrator::actors::db_breaker::ForceBreaker;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::recovery::{OrderBrake, Remove};
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::domain::brake::Order;
use resilient_orchestrator::domain::breaker::{BreakerName, Force};
use resilient_orchestrator::domain::commands::{
    DeleteStream, MoveStreams, Relocation, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};

use crate::watch::handoff_of;
use crate::world::{Expected, Shared};

/// Whether nothing was changed for certain.
fn is_certain(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Rejected(_)
        | Refusal::RefusedByStore
        | Refusal::StoreUnavailable
        | Refusal::DatabaseReplaced
        | Refusal::Overloaded => true,
        Refusal::OutcomeUnknown | Refusal::ShuttingDown => false,
    }
}

/// Notes that a stream is being changed; what it was is returned if it is known to be true still
/// when the change is refused.
fn begin(world: &Shared, id: i64) -> Option<Expected> {
    let mut world = world.borrow_mut();
    let known = world.streams.entry(id).or_insert(Expected {
        exists: Some(false),
        ..Expected::default()
    });
    if known.is_changing {
        return None;
    }
    let before = *known;
    *known = Expected {
        is_changing: true,
        ..Expected::default()
    };
    Some(before)
}

fn end<T>(world: &Shared, id: i64, before: Expected, answer: &Result<T, Refusal>, after: Expected) {
    let now = match answer {
        Ok(_) => after,
        Err(refusal) if is_certain(refusal) => before,
        Err(_) => Expected::default(),
    };
    world.borrow_mut().streams.insert(id, now);
}

pub(crate) async fn save_stream(world: Shared, orchestrator: Orchestrator, id: i64, enabled: bool) {
    let Some(before) = begin(&world, id) else {
        return;
    };
    let spec = StreamSpec {
        id: Some(StreamId::new(id)),
        name: Some(format!("stream-{id}").into()),
        enabled: Some(enabled),
        handoff: Some(handoff_of(id)),
        ..StreamSpec::default()
    };
    let command = SaveStreams {
        streams: vec![spec],
    };
    let answer = orchestrator.execute(command).await;
    let after = Expected {
        exists: Some(true),
        enabled: Some(enabled),
        is_changing: false,
    };
    end(&world, id, before, &answer, after);
}

pub(crate) async fn delete_stream(world: Shared, orchestrator: Orchestrator, id: i64) {
    let Some(before) = begin(&world, id) else {
        return;
    };
    let command = DeleteStream {
        id: StreamId::new(id),
    };
    let answer = orchestrator.execute(command).await;
    let after = Expected {
        exists: Some(false),
        ..Expected::default()
    };
    end(&world, id, before, &answer, after);
}

pub(crate) async fn remove(orchestrator: Orchestrator, id: InstanceId) {
    let _ = orchestrator.remove(Remove::by_operator(id)).await;
}

/// Often it cannot be moved there.
pub(crate) async fn move_stream(orchestrator: Orchestrator, stream: i64, to: Option<String>) {
    let moves = vec![Relocation {
        stream: StreamId::new(stream),
        to: to.map(InstanceId::new),
    }];
    let _ = orchestrator.execute(MoveStreams { moves }).await;
}

pub(crate) async fn report_failure(orchestrator: Orchestrator, id: InstanceId) {
    let _ = orchestrator.report_failure(id).await;
}

/// Mostly there is nothing to order.
pub(crate) async fn order_brake(orchestrator: Orchestrator, order: Order) {
    let reason = "because".to_owned();
    let _ = orchestrator.order_brake(OrderBrake { order, reason }).await;
}

/// Nothing is as it should be any more until somebody releases it, or the orchestrator ends.
pub(crate) async fn force_breaker(
    orchestrator: Orchestrator,
    name: BreakerName,
    force: Option<Force>,
) {
    let reason = "because".to_owned();
    let order = ForceBreaker {
        name,
        force,
        reason,
    };
    let _ = orchestrator.force_breaker(order).await;
}

pub(crate) async fn take_out(orchestrator: Orchestrator, id: InstanceId) {
    let _ = orchestrator.emergency(id, "it looks odd".to_owned()).await;
}

pub(crate) async fn force(orchestrator: Orchestrator, id: InstanceId) {
    let _ = orchestrator.force_recovery(id).await;
}
