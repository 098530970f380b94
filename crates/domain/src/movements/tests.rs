//! What is told of streams that move.

use super::*;
use crate::ids::Epoch;
use crate::time::WallTime;

fn dated(event: Event) -> DatedEvent {
    DatedEvent {
        origin: None,
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
        incident: None,
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
        incident: None,
    })
}

fn orphaned(stream: i64, reason: OrphanReason) -> DatedEvent {
    dated(Event::StreamOrphaned {
        stream: StreamId::new(stream),
        from: "a".into(),
        epoch: None,
        reason,
        incident: None,
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
