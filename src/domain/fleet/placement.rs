//! Who gets what: the rules of pushing streams to instances.

use super::draft::Draft;
use super::plan::Plan;
use super::scores::Scoring;
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::stream::{AssignReason, OrphanReason, Place};

/// What became of the streams of an instance that lost them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evacuation {
    /// Streams that run elsewhere now, with their new owner, in the order they were placed.
    pub moved: Vec<(StreamId, InstanceId)>,
    /// Streams nobody had room for.
    pub orphaned: Vec<StreamId>,
}

/// Why an instance is emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvacuationCause {
    /// It failed.
    InstanceFailed,
    /// It was removed.
    InstanceRemoved,
    /// It was emptied in an emergency.
    Emergency,
}

impl EvacuationCause {
    pub(super) const fn assign_reason(self) -> AssignReason {
        match self {
            Self::Emergency => AssignReason::Emergency,
            Self::InstanceFailed => AssignReason::InstanceFailed,
            Self::InstanceRemoved => AssignReason::InstanceRemoved,
        }
    }

    pub(super) const fn orphan_reason(self) -> OrphanReason {
        match self {
            Self::Emergency => OrphanReason::Emergency,
            Self::InstanceFailed => OrphanReason::InstanceFailed,
            Self::InstanceRemoved => OrphanReason::InstanceRemoved,
        }
    }
}

/// Moves every stream of an instance to the lightest instances with room, higher priority first,
/// then ascending id; what finds no room is orphaned. The instance itself must not be in a state
/// that is pushed streams.
pub fn evacuate(
    draft: &mut Draft<'_>,
    id: &InstanceId,
    cause: EvacuationCause,
    scoring: &Scoring,
) -> Evacuation {
    // Who waits longest has the first claim on room (there is none while orphans wait, unless
    // this very command made it).
    place_orphans(draft);
    Plan::make(draft.fleet(), id, scoring).apply(draft, cause)
}

/// Pushes what waits to whoever has room: orphans first and to any eligible instance, then
/// unclaimed streams to instances that registered with `auto_assign`. Doing it twice changes
/// nothing more.
pub fn place_waiting(draft: &mut Draft<'_>) {
    place_orphans(draft);
    place_unclaimed(draft);
}

fn place_orphans(draft: &mut Draft<'_>) {
    while let Some(target) = draft.fleet().target_for_orphan().cloned() {
        let Some(stream) = draft.fleet().orphaned().next() else {
            return;
        };
        draft.assign(stream, &target, AssignReason::RoomAppeared);
    }
}

/// Walks only as far as there is somebody to push to: with nobody, or nothing, it costs nothing.
fn place_unclaimed(draft: &mut Draft<'_>) {
    let mut last = StreamId::default();
    while draft.fleet().target_for_unclaimed(None).is_some() {
        let fleet = draft.fleet();
        let Some(stream) = fleet.unclaimed_after(last).next() else {
            return;
        };
        last = stream;
        let released_by = match fleet.stream(stream).map(|slot| slot.place()) {
            Some(Place::Unclaimed { released_by, .. }) => released_by.as_ref(),
            Some(Place::Assigned(_) | Place::Orphaned { .. } | Place::Disabled) | None => continue,
        };
        if let Some(target) = fleet.target_for_unclaimed(released_by).cloned() {
            draft.assign(stream, &target, AssignReason::AutoAssigned);
        }
    }
}
