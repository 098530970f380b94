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

/// How many streams a sentence names.
pub const NAMED_STREAMS: usize = 5;

/// What happened to streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Their owner must release them first: they move on request.
    ReleasingOnRequest,
    /// Their owner must release them first: it does not run them.
    ReleasingNotRun,
    /// They were moved on request.
    MovedOnRequest,
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
            | Self::ReleasingNotRun
            | Self::MovedOnRequest
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

/// Returns `1 stream` or `12 streams`.
pub fn counted(streams: usize) -> String {
    match streams {
        1 => "1 stream".to_owned(),
        many => format!("{many} streams"),
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
mod tests {
    use super::*;
    use crate::ids::Epoch;
    use crate::time::WallTime;

    fn dated(event: Event) -> DatedEvent {
        DatedEvent {
            at: WallTime::from_micros(1),
            event,
        }
    }

    fn assigned(stream: i64, to: &str, reason: AssignReason, from: Option<&str>) -> DatedEvent {
        dated(Event::StreamAssigned {
            stream: StreamId::new(stream),
            instance: to.into(),
            epoch: Epoch::new(stream),
            reason,
            from: from.map(InstanceId::from),
            from_epoch: None,
        })
    }

    fn abandoned(stream: i64, reason: AbandonReason) -> DatedEvent {
        dated(Event::HandoverAbandoned {
            stream: StreamId::new(stream),
            instance: "a".into(),
            epoch: Epoch::new(1),
            reason,
        })
    }

    fn releasing(stream: i64, to: Option<&str>, reason: AssignReason) -> DatedEvent {
        dated(Event::StreamReleasing {
            stream: StreamId::new(stream),
            instance: "a".into(),
            epoch: Epoch::new(1),
            to: to.map(InstanceId::from),
            reason: Some(reason),
        })
    }

    fn orphaned(stream: i64, reason: OrphanReason) -> DatedEvent {
        dated(Event::StreamOrphaned {
            stream: StreamId::new(stream),
            from: "a".into(),
            epoch: None,
            reason,
        })
    }

    fn sentences(events: &[DatedEvent]) -> Vec<String> {
        movements(events).iter().map(Movement::to_string).collect()
    }

    #[test]
    fn a_command_that_moves_many_streams_is_one_sentence() {
        use AssignReason::{NotRun, PlannedMove, RoomAppeared};
        let mut events: Vec<DatedEvent> = (1..=120)
            .map(|id| assigned(id, "b", PlannedMove, Some("a")))
            .collect();
        assert_eq!(
            sentences(&events),
            ["moved 120 streams off a to b on request"]
        );
        events.push(assigned(121, "c", PlannedMove, Some("a")));
        events.push(assigned(122, "c", PlannedMove, Some("x")));
        events.push(assigned(123, "c", NotRun, Some("x")));
        events.push(assigned(124, "b", RoomAppeared, None));
        events.push(assigned(125, "c", RoomAppeared, None));
        assert_eq!(
            sentences(&events),
            [
                "moved 121 streams off a to 2 instances on request",
                "moved 1 stream off x to c on request",
                "moved 1 stream off x, which did not run them, to c",
                "placed 2 streams that waited for room on 2 instances",
            ]
        );
    }

    #[test]
    fn every_act_has_a_sentence_and_a_level() {
        use AssignReason::{AutoAssigned, NotRun, PlannedMove, RoomAppeared};
        let table = [
            (
                releasing(4, Some("b"), PlannedMove),
                false,
                "a is to release 1 stream first, which move to b on request",
            ),
            (
                releasing(4, Some("b"), NotRun),
                false,
                "a is to release 1 stream first, which it does not run and which move to b",
            ),
            (
                assigned(4, "b", PlannedMove, None),
                false,
                "placed 1 stream on b on request",
            ),
            (
                assigned(4, "b", RoomAppeared, None),
                false,
                "placed 1 stream that waited for room on b",
            ),
            (
                assigned(4, "b", AutoAssigned, None),
                false,
                "assigned 1 stream that had no owner to b",
            ),
            (
                abandoned(4, AbandonReason::NotReleased),
                true,
                "gave up moving 1 stream off a: its worker beats and does not release them, and \
                 keeps stream 4",
            ),
            (
                abandoned(4, AbandonReason::CalledOff),
                false,
                "called off moving 1 stream off a, which keeps them",
            ),
            (
                orphaned(4, OrphanReason::PlannedMove),
                true,
                "1 stream moved off a on request wait for room: no instance has any left",
            ),
            (
                orphaned(4, OrphanReason::NotRun),
                true,
                "1 stream moved off a, which did not run them, wait for room: no instance has any left",
            ),
            (
                orphaned(4, OrphanReason::RoomReduced),
                true,
                "1 stream of a lost their place: it registered with less room than it had",
            ),
        ];
        for (event, warns, sentence) in table {
            let found = movements(&[event]);
            assert_eq!(found.len(), 1, "{sentence}");
            assert_eq!(found[0].to_string(), sentence);
            assert_eq!(found[0].act.is_warning(), warns, "{sentence}");
        }
    }

    #[test]
    fn what_has_a_sentence_elsewhere_has_none_here() {
        use AssignReason::{Emergency, InstanceFailed, InstanceRemoved, Requested};
        let mut events: Vec<DatedEvent> = [Emergency, InstanceFailed, InstanceRemoved, Requested]
            .into_iter()
            .map(|reason| assigned(1, "b", reason, Some("a")))
            .collect();
        events.push(releasing(2, None, AssignReason::PlannedMove));
        events.push(orphaned(3, OrphanReason::InstanceFailed));
        assert_eq!(sentences(&events), [""; 0]);
    }

    #[test]
    fn a_list_of_streams_is_cut() {
        let named = |ids: &[i64]| named(&ids.iter().copied().map(StreamId::new).collect());
        assert_eq!(named(&[4]), "stream 4");
        assert_eq!(named(&[4, 5]), "streams 4 and 5");
        assert_eq!(named(&[1, 2, 3, 4, 5]), "streams 1, 2, 3, 4 and 5");
        assert_eq!(
            named(&[1, 2, 3, 4, 5, 6, 7]),
            "streams 1, 2, 3, 4, 5 and 2 more"
        );
    }
}
