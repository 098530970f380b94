//! Sums a batch of events up for the log: one sentence for all the streams that a command moved,
//! placed or left where they were, instead of one for each.
//!
//! Streams that leave an instance because it failed, is taken out of use or is removed are summed
//! up by the event that ends this (`RecoveryEnded`, `InstanceRemoved`) and have no sentence here.
//! Neither have the streams that a worker requests or gives back itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::events::{DatedEvent, Event};
use super::handover::AbandonReason;
use super::ids::{InstanceId, StreamId};
use super::stream::{AssignReason, OrphanReason};
use super::wording::counted;

/// How many streams a sentence names.
pub const NAMED_STREAMS: usize = 5;

/// What happened to streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Their owner must release them first: they move on request.
    ReleasingOnRequest,
    /// Their owner must release them first: they move so that each instance has its share.
    ReleasingForBalance,
    /// Their owner must release them first: it does not run them.
    ReleasingNotRun,
    /// They were moved on request.
    MovedOnRequest,
    /// They were moved so that each instance has its share.
    MovedForBalance,
    /// They were moved because their owner did not run them.
    MovedNotRun,
    /// They waited for room, and were placed.
    PlacedOrphans,
    /// They were unclaimed, and were assigned to instances with `auto_assign`.
    GivenUnclaimed,
    /// Their owner did not release them: their move is given up.
    GivenUp,
    /// Their move was called off.
    CalledOff,
    /// They left their owner on request, and no instance had room any more.
    LeftWithoutRoom,
    /// Their owner did not run them, and no other instance had room.
    NotRunWithoutRoom,
    /// Their owner registered with less room.
    ShedWithoutRoom,
}

impl Act {
    /// Returns whether an operator should know of it.
    pub const fn is_warning(self) -> bool {
        match self {
            Self::GivenUp
            | Self::LeftWithoutRoom
            | Self::NotRunWithoutRoom
            | Self::ShedWithoutRoom => true,
            Self::ReleasingOnRequest
            | Self::ReleasingForBalance
            | Self::ReleasingNotRun
            | Self::MovedOnRequest
            | Self::MovedForBalance
            | Self::MovedNotRun
            | Self::PlacedOrphans
            | Self::GivenUnclaimed
            | Self::CalledOff => false,
        }
    }
}

/// One act on the streams of one instance, or of none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Movement {
    pub act: Act,
    /// The instance that owns or owned the streams.
    pub from: Option<InstanceId>,
    pub streams: BTreeSet<StreamId>,
    /// The instances that have the streams now, or will have them.
    pub to: BTreeSet<InstanceId>,
}

/// Sums up a batch, in the order of the acts and then of the instances.
pub fn movements(events: &[DatedEvent]) -> Vec<Movement> {
    let mut found: BTreeMap<(Act, Option<&InstanceId>), Movement> = BTreeMap::new();
    for (act, from, stream, to) in events.iter().filter_map(|dated| part(&dated.event)) {
        let movement = found.entry((act, from)).or_insert_with(|| Movement {
            act,
            from: from.cloned(),
            streams: BTreeSet::new(),
            to: BTreeSet::new(),
        });
        movement.streams.insert(stream);
        movement.to.extend(to.cloned());
    }
    found.into_values().collect()
}

type Part<'e> = (
    Act,
    Option<&'e InstanceId>,
    StreamId,
    Option<&'e InstanceId>,
);

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most events are about no stream, or have a sentence elsewhere"
)]
fn part(event: &Event) -> Option<Part<'_>> {
    match event {
        Event::StreamAssigned {
            stream,
            instance,
            reason,
            from,
            ..
        } => {
            // Placed streams have no common owner, so all that were placed together are one
            // sentence.
            let (act, from) = match reason {
                AssignReason::PlannedMove => (Act::MovedOnRequest, from.as_ref()),
                AssignReason::Rebalance => (Act::MovedForBalance, from.as_ref()),
                AssignReason::NotRun => (Act::MovedNotRun, from.as_ref()),
                AssignReason::RoomAppeared => (Act::PlacedOrphans, None),
                AssignReason::AutoAssigned => (Act::GivenUnclaimed, None),
                AssignReason::Requested
                | AssignReason::InstanceFailed
                | AssignReason::InstanceRemoved
                | AssignReason::Emergency => return None,
            };
            Some((act, from, *stream, Some(instance)))
        }
        // A release without a new owner is a withdrawal, which has a sentence of its own.
        Event::StreamReleasing {
            stream,
            instance,
            to: to @ Some(_),
            reason,
            ..
        } => {
            let act = match reason {
                Some(AssignReason::NotRun) => Act::ReleasingNotRun,
                Some(AssignReason::Rebalance) => Act::ReleasingForBalance,
                _ => Act::ReleasingOnRequest,
            };
            Some((act, Some(instance), *stream, to.as_ref()))
        }
        Event::HandoverAbandoned {
            stream,
            instance,
            reason,
            ..
        } => {
            let act = match reason {
                AbandonReason::NotReleased => Act::GivenUp,
                AbandonReason::CalledOff => Act::CalledOff,
            };
            Some((act, Some(instance), *stream, None))
        }
        Event::StreamOrphaned {
            stream,
            from,
            reason,
            ..
        } => {
            let act = match reason {
                OrphanReason::PlannedMove => Act::LeftWithoutRoom,
                OrphanReason::NotRun => Act::NotRunWithoutRoom,
                OrphanReason::RoomReduced => Act::ShedWithoutRoom,
                OrphanReason::InstanceFailed
                | OrphanReason::InstanceRemoved
                | OrphanReason::Emergency => return None,
            };
            Some((act, Some(from), *stream, None))
        }
        _ => None,
    }
}

/// Returns `stream 4`, `streams 4, 5 and 6` or `streams 1, 2, 3, 4, 5 and 7 more`.
pub fn named(streams: &BTreeSet<StreamId>) -> String {
    let ids: Vec<String> = streams.iter().map(StreamId::to_string).collect();
    let (first, rest) = ids.split_at(ids.len().min(NAMED_STREAMS));
    match (first, rest.len()) {
        ([only], 0) => format!("stream {only}"),
        ([head @ .., last], 0) => format!("streams {} and {last}", head.join(", ")),
        (named, more) => format!("streams {} and {more} more", named.join(", ")),
    }
}

impl fmt::Display for Movement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = counted(self.streams.len());
        let from = self.from.as_ref().map_or("no instance", InstanceId::as_str);
        let to = match (self.to.first(), self.to.len()) {
            (Some(only), 1) => only.to_string(),
            (_, many) => format!("{many} instances"),
        };
        match self.act {
            Act::ReleasingOnRequest => write!(
                f,
                "{from} is to release {streams} first, which move to {to} on request"
            ),
            Act::ReleasingForBalance => write!(
                f,
                "{from} is to release {streams} first, which move to {to} for balance"
            ),
            Act::MovedForBalance => write!(f, "moved {streams} off {from} to {to} for balance"),
            Act::ReleasingNotRun => write!(
                f,
                "{from} is to release {streams} first, which it does not run and which move to {to}"
            ),
            Act::MovedOnRequest if self.from.is_none() => {
                write!(f, "placed {streams} on {to} on request")
            }
            Act::MovedOnRequest => write!(f, "moved {streams} off {from} to {to} on request"),
            Act::MovedNotRun => write!(
                f,
                "moved {streams} off {from}, which did not run them, to {to}"
            ),
            Act::PlacedOrphans => write!(f, "placed {streams} that waited for room on {to}"),
            Act::GivenUnclaimed => write!(f, "assigned {streams} that had no owner to {to}"),
            Act::GivenUp => write!(
                f,
                "gave up moving {streams} off {from}: its worker beats and does not release them, \
                 and keeps {}",
                named(&self.streams)
            ),
            Act::CalledOff => write!(
                f,
                "called off moving {streams} off {from}, which keeps them"
            ),
            Act::LeftWithoutRoom => write!(
                f,
                "{streams} moved off {from} on request wait for room: no instance has any left"
            ),
            Act::NotRunWithoutRoom => write!(
                f,
                "{streams} moved off {from}, which did not run them, wait for room: no instance has \
                 any left"
            ),
            Act::ShedWithoutRoom => write!(
                f,
                "{streams} of {from} lost their place: it registered with less room than it had"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
