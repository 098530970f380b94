//! How events are stored, and how they read.

use super::*;
use crate::ids::{Epoch, Incarnation, InstanceId, StreamId};
use crate::incident::IncidentOutcome;
use crate::instance::InstanceStatus;
use crate::planned::{DrainState, Requester};
use crate::reason::AssignReason;

#[test]
fn the_kind_in_the_json_is_the_kind_that_is_counted() {
    let event = Event::StreamAssigned {
        stream: StreamId::new(4),
        instance: "a".into(),
        epoch: Epoch::new(9),
        reason: AssignReason::Requested,
        from: None,
        from_epoch: None,
    };
    let json = serde_json::to_value(&event).unwrap();
    assert_eq!(json["kind"], event.kind());
    assert_eq!(json["epoch"], 9);
    assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    assert_eq!(event.stream(), Some(StreamId::new(4)));
    assert_eq!(event.instance().unwrap().as_str(), "a");
}

#[test]
fn every_kind_of_event_can_be_asked_for() {
    let error = serde_json::from_str::<Event>(r#"{"kind":"nothing"}"#).unwrap_err();
    let error = error.to_string();
    let mut expected: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    let mut kinds = Event::KINDS.to_vec();
    expected.sort_unstable();
    kinds.sort_unstable();
    assert_eq!(kinds, expected, "Event::KINDS has every kind, once");
}

#[test]
fn events_of_old_versions_are_read_without_the_epochs_they_lack() {
    let read = |text: &str| serde_json::from_str::<Event>(text).unwrap();
    let orphaned =
        read(r#"{"kind":"stream_orphaned","stream":4,"from":"a","reason":"instance_failed"}"#);
    assert!(matches!(
        orphaned,
        Event::StreamOrphaned { epoch: None, .. }
    ));
    let delivered =
        read(r#"{"kind":"streams_delivered","instance":"a","incarnation":2,"streams":[4]}"#);
    assert!(matches!(&delivered, Event::StreamsDelivered { epochs, .. } if epochs.is_empty()));
    let assigned = read(
        r#"{"kind":"stream_assigned","stream":4,"instance":"b","epoch":9,"from":"a",
            "reason":"instance_failed"}"#,
    );
    assert!(matches!(
        assigned,
        Event::StreamAssigned {
            from_epoch: None,
            ..
        }
    ));
}

fn removed(moved: u32, orphaned: u32) -> Event {
    Event::InstanceRemoved {
        instance: "a".into(),
        reason: RemovalReason::Requested,
        moved,
        orphaned,
        by: None,
        note: None,
    }
}

#[test]
fn events_of_planned_work_of_old_versions_are_read_without_a_requester() {
    let read = |text: &str| serde_json::from_str::<Event>(text).unwrap();
    for text in [
        r#"{"kind":"maintenance_ended","instance":"a","incarnation":1,"status":"active"}"#,
        r#"{"kind":"quarantine_over","stream":4,"because":"by_hand"}"#,
        r#"{"kind":"lease_withdrawn","instance":"a","incarnation":1,"cause":"removal","streams":2}"#,
        r#"{"kind":"instance_removed","instance":"a","reason":"requested"}"#,
    ] {
        let event = serde_json::to_value(read(text)).unwrap();
        assert_eq!(event.get("by"), None, "{text}");
    }
}

#[test]
fn a_sentence_ends_with_the_reason_that_was_given() {
    let ended = Event::MaintenanceEnded {
        instance: "a".into(),
        incarnation: Incarnation::new(1),
        status: InstanceStatus::Active,
        by: Some(Requester::Operator),
        reason: Some("done early".to_owned()),
    };
    assert_eq!(
        ended.sentence(),
        "the maintenance of a has ended (operator), it is active: done early"
    );
}

#[test]
fn the_end_of_a_drain_and_the_end_of_its_hold_read_differently() {
    let ended = |takes_streams| Event::DrainEnded {
        instance: "a".into(),
        incarnation: Incarnation::new(1),
        state: DrainState::Drained,
        by: Requester::Operator,
        moved: 3,
        left: 0,
        takes_streams,
        reason: Some("updated".to_owned()),
    };
    assert_eq!(
        ended(false).sentence(),
        "the drain of a is drained (operator): moved 3 streams, 0 are left: updated"
    );
    assert_eq!(
        ended(true).sentence(),
        "instance a takes streams again after its drain (operator): updated"
    );
}

#[test]
fn streams_without_room_make_an_event_a_warning() {
    for (event, severity, sentence) in [
        (
            removed(0, 0),
            EventSeverity::Info,
            "instance a was removed (requested)",
        ),
        (
            removed(2, 0),
            EventSeverity::Info,
            "instance a was removed (requested); moved 2 streams off it",
        ),
        (
            removed(2, 3),
            EventSeverity::Warning,
            "instance a was removed (requested); moved 2 streams off it, 3 wait for room",
        ),
    ] {
        assert_eq!((event.severity(), &*event.sentence()), (severity, sentence));
    }
    let ended = |outcome, moved, orphaned| Event::RecoveryEnded {
        incident: crate::ids::IncidentId::new(1),
        instance: "a".into(),
        outcome,
        moved,
        orphaned,
    };
    for (event, severity) in [
        (ended(IncidentOutcome::Recovered, 2, 0), EventSeverity::Info),
        (
            ended(IncidentOutcome::RecoveredPartially, 2, 1),
            EventSeverity::Warning,
        ),
        (ended(IncidentOutcome::Averted, 0, 0), EventSeverity::Info),
        (
            ended(IncidentOutcome::Interrupted, 1, 0),
            EventSeverity::Warning,
        ),
        (ended(IncidentOutcome::Failed, 0, 0), EventSeverity::Warning),
    ] {
        assert_eq!(event.severity(), severity, "{event:?}");
    }
}

#[test]
fn an_event_about_one_stream_is_a_detail_under_its_kind() {
    let event = Event::StreamCreated {
        stream: StreamId::new(4),
    };
    assert_eq!(event.severity(), EventSeverity::Debug);
    assert_eq!(event.sentence(), event.kind());
    let registered = |reregistration| Event::InstanceRegistered {
        instance: InstanceId::from("a"),
        incarnation: Incarnation::new(1),
        max_streams: 3,
        reregistration,
    };
    assert_eq!(registered(false).sentence(), "instance a registered");
    assert_eq!(registered(true).sentence(), "instance a registered again");
}
