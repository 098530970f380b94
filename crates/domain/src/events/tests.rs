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
        incident: None,
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
fn an_event_about_one_stream_is_a_detail_with_a_sentence() {
    let event = Event::StreamCreated {
        stream: StreamId::new(4),
    };
    assert_eq!(event.severity(), EventSeverity::Debug);
    assert_eq!(event.sentence(), "stream 4 was created");
    let registered = |reregistration| Event::InstanceRegistered {
        instance: InstanceId::from("a"),
        incarnation: Incarnation::new(1),
        max_streams: 3,
        reregistration,
    };
    assert_eq!(registered(false).sentence(), "instance a registered");
    assert_eq!(registered(true).sentence(), "instance a registered again");
}

/// One event of each kind that a log line does not show, as it is stored.
const DETAILS: &[(&str, &str)] = &[
    (
        r#"{"kind":"stream_assigned","stream":4,"instance":"b","epoch":9,"reason":"instance_failed","from":"a","from_epoch":7,"incident":5}"#,
        "stream 4 moved from a (epoch 7) to b under epoch 9 (instance_failed)",
    ),
    (
        r#"{"kind":"stream_assigned","stream":4,"instance":"b","epoch":9,"reason":"requested"}"#,
        "stream 4 was given to b under epoch 9 (requested)",
    ),
    (
        r#"{"kind":"stream_orphaned","stream":4,"from":"a","reason":"instance_failed"}"#,
        "stream 4 lost a and waits for room (instance_failed)",
    ),
    (
        r#"{"kind":"stream_released","stream":4,"instance":"a","epoch":7,"reason":"no memory"}"#,
        "a released stream 4 (epoch 7): no memory",
    ),
    (
        r#"{"kind":"stream_releasing","stream":4,"instance":"a","epoch":7,"to":"b"}"#,
        "a is asked to release stream 4 (epoch 7), for b",
    ),
    (
        r#"{"kind":"streams_delivered","instance":"a","incarnation":2,"streams":[1,2,3,4,5,6,7],"epochs":[1,2,3,4,5,6,7]}"#,
        "the worker of a knows of its streams 1 (epoch 1), 2 (epoch 2), 3 (epoch 3), 4 (epoch 4), 5 (epoch 5) and 2 more",
    ),
    (
        r#"{"kind":"streams_differ","instance":"a","incarnation":2,"surplus":3}"#,
        "the worker of a does not run some of its streams and runs 3 that it should not",
    ),
    (
        r#"{"kind":"brake_ordered","action":"release","until":1700000000000000,"reason":"seen","ordered_at":1}"#,
        "an operator gave the mass-failure brake the order `release`, with the hold until 2023-11-14T22:13:20.000000Z: seen",
    ),
    (
        r#"{"kind":"leader_handed_over","from":"a","to":"b","hears":9,"leader_hears":1,"serving":10,"at":1}"#,
        "`a` handed the leadership over to `b`, which hears 9 of 10 instances; `a` heard 1",
    ),
    (
        r#"{"kind":"alert_acknowledged","alert":5,"alert_kind":"flapping","subject":"a","by":"operator","note":"mine","ordered_at":1}"#,
        "an operator acknowledged alert 5 (flapping of a): mine",
    ),
    (
        r#"{"kind":"silence_added","silence":6,"matchers":["kind=flapping","label:rack=~r."],"until":1700000000000000,"by":"operator","reason":"work","ordered_at":1}"#,
        "an operator silenced alerts with kind=flapping and label:rack=~r. until 2023-11-14T22:13:20.000000Z (silence 6): work",
    ),
    (
        r#"{"kind":"silence_ended","silence":6,"by":"program","ended_at":1}"#,
        "the orchestrator ended silence 6",
    ),
];

#[test]
fn each_detail_reads_as_a_sentence() {
    for (text, sentence) in DETAILS {
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(event.sentence(), *sentence, "{text}");
        assert_ne!(event.sentence(), event.kind());
    }
}

#[test]
fn an_event_names_its_incident_its_actor_and_its_cause() {
    for (text, incident, actor, cause) in [
        (DETAILS[0].0, Some(5), "program", "incident 5"),
        (DETAILS[1].0, None, "worker", "requested"),
        (DETAILS[2].0, None, "program", "instance_failed"),
        (DETAILS[3].0, None, "worker", "worker"),
        (
            r#"{"kind":"recovery_ended","incident":8,"instance":"a","outcome":"recovered","moved":1,"orphaned":0}"#,
            Some(8),
            "program",
            "incident 8",
        ),
        (
            r#"{"kind":"instance_failed","instance":"a","incarnation":1,"cause":"reported","streams":1,"incident":8}"#,
            Some(8),
            "operator",
            "reported",
        ),
        (
            r#"{"kind":"roll_changed","roll":3,"state":"running","by":"operator","instances":2}"#,
            None,
            "operator",
            "roll 3",
        ),
        (
            r#"{"kind":"stream_created","stream":1}"#,
            None,
            "operator",
            "operator",
        ),
    ] {
        let event: Event = serde_json::from_str(text).unwrap();
        let found = event.incident().map(crate::ids::IncidentId::get);
        assert_eq!((found, event.actor().as_str()), (incident, actor), "{text}");
        assert_eq!(event.cause(), cause, "{text}");
    }
}

#[test]
fn the_fields_that_are_moments_are_known_by_name() {
    let text = DETAILS[7].0;
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    let moments: Vec<&str> = (object.keys().map(String::as_str))
        .filter(|name| Event::MOMENTS.contains(name))
        .collect();
    assert_eq!(moments, ["ordered_at", "until"]);
}
