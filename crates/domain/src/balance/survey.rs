//! Makes the snapshot of a plan from the fleet.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::input::{BalanceInput, BalanceInstance, BalanceRole, BalanceStream};
use crate::fleet::{Fleet, InstanceSlot};
use crate::handover::Handover;
use crate::ids::StreamId;
use crate::stream::{Assignment, Stream};

/// Whose streams may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalanceScope {
    /// Those of every owner: an operator ordered it.
    All,
    /// Those of leased owners. A classic owner cannot confirm a release, so a stream of it would run
    /// twice until the worker looks at its list.
    Leased,
}

/// Returns the snapshot of a fleet. Moves that are under way count as done; the streams that are
/// held back stay where they are, and so do those that were given back or whose owners failed lately.
pub fn survey(fleet: &Fleet, scope: BalanceScope, held_back: &BTreeSet<StreamId>) -> BalanceInput {
    let mut input = BalanceInput::default();
    for slot in fleet.instances() {
        let instance = slot.instance();
        let is_taking = instance.takes_moves();
        let gives = is_taking && (scope == BalanceScope::All || instance.is_leased());
        let mut surveyed = BalanceInstance {
            id: instance.id.clone(),
            role: match is_taking {
                true => BalanceRole::Shares,
                false => BalanceRole::Keeps,
            },
            max_streams: instance.max_streams,
            capacity: instance.capacity,
            labels: Arc::new(instance.labels.clone()),
            streams: Vec::with_capacity(slot.held().len() + slot.promised().len()),
            leaving_streams: 0,
            leaving_weight: 0,
        };
        add_held(&mut input, &mut surveyed, fleet, slot, |id| {
            gives && !held_back.contains(&id)
        });
        for id in slot.promised() {
            if let Some(stream) = fleet.stream(*id) {
                let stream = numbered(&mut input, stream.stream(), false);
                surveyed.streams.push(stream);
            }
        }
        for id in slot.lingering().keys() {
            let stream = fleet.stream(*id);
            surveyed.leaving_streams += 1;
            surveyed.leaving_weight += stream.map_or(0, |stream| u64::from(stream.stream().weight));
        }
        input.push(surveyed);
    }
    input
}

/// Adds the streams that an instance owns: those that leave it only take room.
fn add_held(
    input: &mut BalanceInput,
    surveyed: &mut BalanceInstance,
    fleet: &Fleet,
    slot: &InstanceSlot,
    may_move: impl Fn(StreamId) -> bool,
) {
    for id in slot.held() {
        let Some(held) = fleet.stream(*id) else {
            continue;
        };
        let stream = held.stream();
        let assignment = held.place().assignment();
        if assignment.is_some_and(Assignment::is_releasing) {
            surveyed.leaving_streams += 1;
            surveyed.leaving_weight += u64::from(stream.weight);
            continue;
        }
        let handover = assignment.and_then(|assignment| assignment.handover.as_ref());
        let is_settled = !handover.is_some_and(Handover::is_under_way)
            && stream.returns.is_none()
            && stream.suspicion.is_none()
            && stream.pinned() != Some(&surveyed.id);
        let stream = numbered(input, stream, is_settled && may_move(*id));
        surveyed.streams.push(stream);
    }
}

fn numbered(input: &mut BalanceInput, stream: &Stream, is_movable: bool) -> BalanceStream {
    BalanceStream {
        id: stream.id,
        weight: stream.weight,
        requires: stream
            .requires()
            .map_or(0, |labels| input.requirement(labels)),
        group: stream.group().map_or(0, |group| input.group(group)),
        is_movable,
    }
}
