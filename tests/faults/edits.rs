//! What a store that is wrong, or somebody who edits it by hand, makes of its rows.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::fleet::{Rows, Snapshot};
use resilient_orchestrator::domain::ids::{Epoch, StreamId};
use resilient_orchestrator::domain::incident::IncidentState;
use resilient_orchestrator::domain::instance::{Instance, InstanceStatus};
use resilient_orchestrator::domain::stream::{AssignReason, Place, Stream};
use resilient_orchestrator::store::{Save, Store};

use super::{FaultyStore, Rot};

/// The events of a recovery, and one that tells of a stream it has nothing to do with.
pub(super) fn with_invented_move(save: Arc<Save>) -> Arc<Save> {
    let of_recovery = save.events.iter().find_map(|event| match event {
        Event::InstanceFailed { instance, .. } => Some(instance.clone()),
        _ => None,
    });
    let Some(instance) = of_recovery else {
        return save;
    };
    let mut spoilt = Save::clone(&save);
    spoilt.events.push(Event::StreamAssigned {
        stream: StreamId::new(1_000_000),
        instance,
        epoch: Epoch::new(i64::MAX),
        reason: AssignReason::InstanceFailed,
        from: None,
        from_epoch: None,
        incident: None,
    });
    Arc::new(spoilt)
}

/// No incident ends.
pub(super) fn without_ends(save: &Save) -> Arc<Save> {
    let mut spoilt = save.clone();
    let is_open = |state| state == IncidentState::Open;
    spoilt
        .rows
        .incidents
        .retain(|incident| is_open(incident.state()));
    spoilt
        .events
        .retain(|event| !matches!(event, Event::RecoveryEnded { .. }));
    Arc::new(spoilt)
}

impl FaultyStore {
    /// Edits the rows while no orchestrator looks.
    pub(crate) fn edit(&self, rot: Rot) {
        let rows = self.rows();
        let (counter, rows) = edited(&rows, rot);
        let guard = self.inner.begin_term().now_or_never();
        let guard = guard
            .and_then(Result::ok)
            .expect("the memory store answers");
        let save = Save {
            at: self.state().clock.wall(),
            counter,
            rows,
            events: Vec::new(),
            origins: Vec::new(),
        };
        let saved = self.inner.save(guard, Arc::new(save)).now_or_never();
        saved.and_then(Result::ok).expect("the memory store saves");
    }
}

fn edited(snapshot: &Snapshot, rot: Rot) -> (Epoch, Rows) {
    let mut rows = Rows::default();
    if rot == Rot::ForgetsLeases {
        let forgotten = snapshot.instances.iter().map(|instance| Instance {
            lease: Duration::ZERO,
            ..instance.clone()
        });
        rows.instances = forgotten
            .map(|instance| (instance.id.clone(), Some(Arc::new(instance))))
            .collect();
        return (snapshot.counter, rows);
    }
    if rot == Rot::ForgetsReturns {
        let forgotten = snapshot.streams.iter().map(|(stream, _)| Stream {
            returns: None,
            ..stream.clone()
        });
        rows.streams = forgotten
            .map(|stream| (stream.id, Some(Arc::new(stream))))
            .collect();
        return (snapshot.counter, rows);
    }
    let mut assigned = snapshot
        .streams
        .iter()
        .filter_map(|(stream, place)| Some((stream, place.assignment()?)));
    let Some((stream, assignment)) = assigned.next() else {
        return (snapshot.counter, rows);
    };
    let mut instances = snapshot.instances.iter();
    let owner = instances.find(|owner| owner.id == assignment.instance);
    let mut owner = owner.expect("an owner is registered").clone();
    match rot {
        Rot::ForgetsLeases | Rot::ForgetsReturns => {}
        Rot::RewindsEpochs => return (Epoch::new(assignment.epoch.get() - 1), rows),
        Rot::HidesStream => {
            rows.places.insert(stream.id, Some(Place::Disabled));
        }
        Rot::TakesRoom => {
            owner.max_streams = 0;
            rows.instances
                .insert(owner.id.clone(), Some(Arc::new(owner)));
        }
        Rot::FailsOwner => {
            owner.status = InstanceStatus::Failed;
            rows.instances
                .insert(owner.id.clone(), Some(Arc::new(owner)));
        }
    }
    (snapshot.counter, rows)
}
