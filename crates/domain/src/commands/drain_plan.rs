//! Where the streams of an instance that drains would go.

use std::collections::BTreeMap;

use super::command::Rejection;
use crate::fleet::{Fleet, Plan, Scoring};
use crate::ids::{InstanceId, StreamId};
use crate::instance::{Instance, InstanceStatus};
use crate::planned::DrainState;
use crate::stream::{Assignment, Place};

/// How far the move of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainProgress {
    /// It begins when others are over.
    Waiting,
    /// Its owner is to release it.
    Releasing,
    /// Both its owners run it.
    Overlapping,
    /// It is assigned to its new owner.
    Moved,
}

/// The move of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DrainMove {
    pub stream: StreamId,
    pub to: InstanceId,
    pub progress: DrainProgress,
}

/// The plan for the streams of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DrainPlan {
    pub id: InstanceId,
    /// How many streams it owns.
    pub streams: usize,
    /// The moves, in their order.
    pub moves: Vec<DrainMove>,
    /// The streams for which no active instance has room.
    pub would_not_fit: Vec<StreamId>,
    /// The state of the instance once it has begun.
    pub status: InstanceStatus,
}

impl DrainPlan {
    /// Returns what a drain of an instance would do.
    ///
    /// # Errors
    /// If it cannot be drained: by its state, or because streams fit nowhere and it is not forced.
    pub fn of(fleet: &Fleet, id: &InstanceId, force: bool) -> Result<Self, Rejection> {
        let slot = fleet.instance(id);
        let slot = slot.ok_or_else(|| Rejection::UnknownInstance(id.clone()))?;
        check(slot.instance())?;
        let plan = Self::make(fleet, id);
        if !force && !plan.would_not_fit.is_empty() {
            return Err(Rejection::WouldNotFit {
                instance: id.clone(),
                streams: plan.would_not_fit,
            });
        }
        Ok(plan)
    }

    /// Returns the plan of an instance that owns nothing.
    pub(super) const fn nothing(id: InstanceId) -> Self {
        Self {
            id,
            streams: 0,
            moves: Vec::new(),
            would_not_fit: Vec::new(),
            status: InstanceStatus::Maintenance,
        }
    }

    /// Plans for every enabled stream of an instance.
    fn make(fleet: &Fleet, id: &InstanceId) -> Self {
        let is_enabled = |fleet: &Fleet, stream| {
            let slot = fleet.stream(stream);
            slot.is_some_and(|slot| slot.stream().enabled && !slot.stream().deleted)
        };
        let slot = fleet.instance(id);
        let (moves, would_not_fit) = place(fleet, id, is_enabled);
        let waiting = |(stream, to)| DrainMove {
            stream,
            to,
            progress: DrainProgress::Waiting,
        };
        Self {
            id: id.clone(),
            streams: slot.map_or(0, |slot| slot.held().len()),
            moves: moves.into_iter().map(waiting).collect(),
            would_not_fit,
            status: InstanceStatus::Draining,
        }
    }

    /// Notes which of the moves have begun.
    pub(super) fn note_progress(&mut self, fleet: &Fleet) {
        if let Some(slot) = fleet.instance(&self.id) {
            self.status = slot.instance().status;
        }
        for planned in &mut self.moves {
            let slot = fleet.stream(planned.stream);
            let Some(Place::Assigned(assignment)) = slot.map(|slot| slot.place()) else {
                continue;
            };
            planned.progress = progress(assignment, &self.id);
            if planned.progress != DrainProgress::Waiting {
                let to = assignment.promised_to().unwrap_or(&assignment.instance);
                planned.to = to.clone();
            }
        }
    }
}

fn progress(assignment: &Assignment, from: &InstanceId) -> DrainProgress {
    if assignment.former().is_some() {
        DrainProgress::Overlapping
    } else if assignment.instance != *from {
        DrainProgress::Moved
    } else if assignment.promised_to().is_some() {
        DrainProgress::Releasing
    } else {
        DrainProgress::Waiting
    }
}

/// Streams with their targets, and those that fit nowhere.
pub(super) type Placed = (Vec<(StreamId, InstanceId)>, Vec<StreamId>);

/// Places the chosen streams of an instance by the rules of every placement. A planned move takes
/// free room of active instances only: no reserved room, and none of an instance on probation.
pub(super) fn place(
    fleet: &Fleet,
    id: &InstanceId,
    is_chosen: impl Fn(&Fleet, StreamId) -> bool,
) -> Placed {
    let plan = Plan::make_for(fleet, id, &Scoring::default(), is_chosen);
    let mut free: BTreeMap<InstanceId, usize> = BTreeMap::new();
    let (mut moves, mut homeless) = (Vec::new(), Vec::new());
    for planned in plan.moves() {
        let Some(to) = &planned.to else {
            homeless.push(planned.stream);
            continue;
        };
        let room = free
            .entry(to.clone())
            .or_insert_with(|| room_for_moves(fleet, to));
        if *room == 0 && !is_promised(fleet, planned.stream, to) {
            homeless.push(planned.stream);
            continue;
        }
        *room = room.saturating_sub(1);
        moves.push((planned.stream, to.clone()));
    }
    (moves, homeless)
}

/// Returns how many planned moves an instance has room for.
fn room_for_moves(fleet: &Fleet, id: &InstanceId) -> usize {
    let slot = fleet.instance(id);
    let active = slot.filter(|slot| slot.instance().status == InstanceStatus::Active);
    active.map_or(0, |slot| slot.free_room())
}

fn is_promised(fleet: &Fleet, stream: StreamId, to: &InstanceId) -> bool {
    let slot = fleet.stream(stream);
    let assignment = slot.and_then(|slot| slot.place().assignment());
    assignment.and_then(Assignment::promised_to) == Some(to)
}

/// Returns why an instance cannot be drained, if it cannot.
fn check(instance: &Instance) -> Result<(), Rejection> {
    let drain = instance.drain_in_force();
    let is_open = match instance.status {
        InstanceStatus::Active | InstanceStatus::Suspect | InstanceStatus::Recovering => true,
        // One that has expired may be tried again.
        InstanceStatus::Draining => drain.is_some_and(|drain| drain.state == DrainState::Expired),
        InstanceStatus::Failed | InstanceStatus::Maintenance | InstanceStatus::Inactive => false,
    };
    if is_open && instance.withdrawn.is_none() {
        return Ok(());
    }
    Err(Rejection::NotDrainable {
        instance: instance.id.clone(),
        status: instance.status,
        drain: drain.map(|drain| drain.state),
    })
}
