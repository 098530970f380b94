//! One behaviour, three stores: every case runs on memory, SQLite and PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the cases are tests, though the attribute is on what the macro makes of them"
)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use resilient_orchestrator::domain::alert::{
    Acknowledgement, Alert, AlertFilter, AlertKind, Matcher, Severity, Silence,
};
use resilient_orchestrator::domain::constraints::Constraints;
use resilient_orchestrator::domain::event_filter::{EventFilter, EventOrder};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::explain::{Candidate, Placed, Placing, ShownScore};
use resilient_orchestrator::domain::fleet::Snapshot;
use resilient_orchestrator::domain::handover::{AfterRelease, Handover, HandoverMode, MoveReason};
use resilient_orchestrator::domain::health::{HealthRecord, HealthRule, SystemHealth};
use resilient_orchestrator::domain::heartbeat::{LastBeat, MetricsRecord, SystemMetrics};
use resilient_orchestrator::domain::ids::{
    AlertId, AssignmentVersion, Epoch, Incarnation, IncidentId, InstanceId, RollId, SilenceId,
    StreamId, Term,
};
use resilient_orchestrator::domain::incident::{
    FailureCause, Incident, IncidentFilter, IncidentOutcome, OrderReason, StepName, StepRecord,
    StepResult,
};
use resilient_orchestrator::domain::instance::{Instance, InstanceStatus};
use resilient_orchestrator::domain::placement::{Exclusion, PlacementPolicy, Strain};
use resilient_orchestrator::domain::planned::{
    Absence, AbsenceEnd, Cordon, Drain, DrainState, Planned, RemovalOrder, Requester, Roll,
    RollInstance, RollState, RollStep, RollWait,
};
use resilient_orchestrator::domain::quarantine::{OwnerFailure, OwnerFault, Quarantine, Suspicion};
use resilient_orchestrator::domain::returns::Returns;
use resilient_orchestrator::domain::series::{Resolution, SeriesPoint};
use resilient_orchestrator::domain::stream::{
    AssignReason, Assignment, OrphanReason, Place, Stream,
};
use resilient_orchestrator::domain::time::{Timestamp, WallTime};
use resilient_orchestrator::domain::timeline::{Recent, Timeline};
use resilient_orchestrator::domain::withdrawal::HandedOver;
use resilient_orchestrator::store::{Expiry, Guard, Settlement, Store, StoreError, StoredEvent};

use crate::support::fleets::{Draft, assigned, at, heard, instance, stream, unclaimed};

/// Turns each case into one test a store.
macro_rules! conformance {
    ($($case:ident,)+) => {
        conformance!(@on memory: $($case,)+);
        conformance!(@on sqlite: $($case,)+);
        conformance!(@on postgres: $($case,)+);
    };
    (@on $kind:ident: $($case:ident,)+) => {
        mod $kind {
            $(
                #[tokio::test]
                async fn $case() {
                    let test = crate::support::stores::$kind().await;
                    super::$case(test.store.clone()).await;
                }
            )+
        }
    };
}

pub(crate) use conformance;

conformance! {
    a_fresh_store_is_empty,
    a_new_term_deposes_the_old_one,
    another_version_than_expected_is_refused,
    a_save_moves_version_and_counter,
    what_was_saved_is_loaded,
    extreme_and_odd_values_survive,
    rolls_are_kept_replaced_and_deleted,
    every_word_of_the_domain_can_be_kept,
    a_later_row_replaces_an_earlier_one,
    a_later_row_replaces_every_column,
    a_name_may_pass_from_one_stream_to_another_within_a_transaction,
    deleting_takes_everything_along,
    a_stream_without_a_place_is_disabled,
    one_refused_row_sinks_the_whole_transaction,
    an_instance_that_owns_something_cannot_be_deleted,
    settling_finds_a_committed_transaction,
    settling_defeats_one_that_never_came,
    settling_is_refused_to_the_deposed,
    settling_something_much_older_is_refused,
    ten_thousand_rows_fit_in_one_transaction,
    events_come_in_order,
    events_are_found_in_both_orders,
    events_are_found_page_by_page,
    incidents_come_newest_first_and_are_updated,
    incidents_are_filtered,
    one_incident_is_found_by_its_id,
    what_is_loaded_belongs_to_its_guard,
    the_last_of_several_beats_counts,
    a_later_beat_with_an_earlier_time_counts,
    last_beats_go_with_their_instance,
    ended_incidents_go_when_they_are_old,
    pruning_spares_every_recent_span,
    numbers_that_are_none_are_unknown,
    many_beats_at_once,
    beats_are_complete_up_to_their_watermark,
    an_older_term_overwrites_no_beats,
    metrics_come_newest_first,
    a_metrics_record_is_kept_once,
    pruning_takes_the_old_in_steps,
    the_reasons_of_a_placement_are_kept_while_an_assignment_lasts,
    alerts_are_kept_until_they_are_closed_and_old,
    silences_are_kept_until_their_end_is_old,
    the_health_history_is_bounded_by_time_and_rows,
    a_point_of_a_series_replaces_the_one_of_its_place,
    the_census_counts,
    it_answers,
}

type AnyStore = Arc<dyn Store>;

/// Saves a draft and returns the guard for the next.
async fn save(store: &AnyStore, guard: Guard, draft: Draft) -> Guard {
    let counter = guard.version.get() + 100;
    store.save(guard, draft.decided(30, counter)).await.unwrap();
    guard.after_save()
}

fn created(id: i64) -> Event {
    Event::StreamCreated {
        stream: StreamId::new(id),
    }
}

async fn a_fresh_store_is_empty(store: AnyStore) {
    assert_eq!(store.load().await.unwrap(), Snapshot::default());
    assert_eq!(store.events(0, 10).await.unwrap(), []);
    assert_eq!(store.incidents(&all(), 10).await.unwrap(), []);
    let census = store.census().await.unwrap();
    assert_eq!((census.instances, census.streams), (0, 0));
    assert_eq!(census.owned, []);
}

async fn a_new_term_deposes_the_old_one(store: AnyStore) {
    let old = store.begin_term().await.unwrap();
    let new = store.begin_term().await.unwrap();
    assert!(new.term > old.term);
    assert_eq!(new.version, old.version);
    let draft = Draft::default().instance(instance("a"));
    let error = store
        .save(old, draft.decided(1, 1))
        .await
        .expect_err("an old term must not write");
    assert_eq!(
        error,
        StoreError::Deposed {
            ours: old.term,
            current: new.term
        }
    );
    assert_eq!(store.load().await.unwrap(), Snapshot::default());
    save(&store, new, Draft::default().instance(instance("a"))).await;
    assert_eq!(store.load().await.unwrap().instances, [instance("a")]);
}

async fn another_version_than_expected_is_refused(store: AnyStore) {
    let first = store.begin_term().await.unwrap();
    let second = save(&store, first, Draft::default().instance(instance("a"))).await;
    let ahead = second.after_save();
    for wrong in [first, ahead] {
        let draft = Draft::default().instance(instance("b"));
        let error = store.save(wrong, draft.decided(1, 1)).await.unwrap_err();
        assert_eq!(
            error,
            StoreError::VersionMismatch {
                expected: wrong.version,
                found: second.version
            }
        );
    }
    assert_eq!(store.load().await.unwrap().instances, [instance("a")]);
    assert_eq!(store.census().await.unwrap().guard, second);
}

async fn a_save_moves_version_and_counter(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    store
        .save(guard, Draft::default().decided(1, 77))
        .await
        .unwrap();
    let census = store.census().await.unwrap();
    assert_eq!(census.guard, guard.after_save());
    assert_eq!(census.counter, Epoch::new(77));
    assert_eq!(store.load().await.unwrap().counter, Epoch::new(77));
    let next = store.begin_term().await.unwrap();
    assert_eq!(next.version, guard.after_save().version);
}

async fn what_was_saved_is_loaded(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let orphaned = Place::Orphaned {
        reason: OrphanReason::InstanceFailed,
        from: "gone".into(),
        since: at(7),
    };
    let released = Place::Unclaimed {
        released_by: Some("b".into()),
        since: at(8),
    };
    let draft = Draft::default()
        .instance(instance("b"))
        .instance(instance("a"))
        .stream(stream(3), orphaned.clone())
        .stream(stream(1), assigned("a", 41))
        .stream(stream(4), Place::Disabled)
        .stream(stream(2), released.clone());
    save(&store, guard, draft).await;
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.instances, [instance("a"), instance("b")]);
    assert_eq!(
        loaded.streams,
        [
            (stream(1), assigned("a", 41)),
            (stream(2), released),
            (stream(3), orphaned),
            (stream(4), Place::Disabled),
        ]
    );
}

/// Everything that can be planned for an instance.
fn planned_in_full(text: &str) -> Planned {
    Planned {
        cordon: Some(Cordon {
            since: at(i64::MIN),
            until: Some(at(i64::MAX)),
            by: Requester::Roll,
            reason: Some(text.to_owned()),
        }),
        drain: Some(Drain {
            state: DrainState::Expired,
            started_at: at(1),
            deadline_at: at(i64::MAX),
            ended_at: Some(at(2)),
            by: Requester::Program,
            reason: None,
            force: true,
            streams: u32::MAX,
            moved: 1,
            orphaned: 2,
            moving: [StreamId::new(1), StreamId::new(i64::MAX)].into(),
            followed: [StreamId::new(2)].into(),
            is_overdue: true,
            in_force: true,
            then_absent_until: Some(at(3)),
        }),
        absence: Some(Absence {
            since: at(0),
            until: at(1),
            by: Requester::Worker,
            reason: Some(String::new()),
            end: AbsenceEnd::Removed,
        }),
        removal: Some(RemovalOrder {
            by: Requester::Operator,
            reason: Some(text.to_owned()),
        }),
    }
}

async fn rolls_are_kept_replaced_and_deleted(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let roll = |id, state| Roll {
        id: RollId::new(id),
        state,
        because: Some("日本 \"q\" \\".to_owned()),
        instances: vec![RollInstance {
            id: "a".into(),
            step: RollStep::Draining,
            because: None,
        }],
        max_unavailable: u32::MAX,
        wait: RollWait::Drained,
        drain_deadline: Duration::from_micros(i64::MAX as u64),
        started_at: at(i64::MIN),
        ended_at: Some(at(i64::MAX)),
        health: SystemHealth::Emergency,
        by: Requester::Operator,
        reason: None,
    };
    let first = Draft::default()
        .roll(roll(1, RollState::Running))
        .roll(roll(i64::MAX, RollState::Paused));
    store.save(guard, first.decided(0, 1)).await.unwrap();
    let loaded = store.load().await.unwrap().rolls;
    let both = [
        roll(1, RollState::Running),
        roll(i64::MAX, RollState::Paused),
    ];
    assert_eq!(loaded, both);
    let second = Draft::default()
        .roll(roll(1, RollState::Done))
        .without_roll(i64::MAX);
    let guard = guard.after_save();
    store.save(guard, second.decided(0, 2)).await.unwrap();
    let loaded = store.load().await.unwrap().rolls;
    assert_eq!(loaded, [roll(1, RollState::Done)]);
    let limit = Duration::from_secs(60);
    let fleet = store
        .load_fleet(limit, Box::new(|_| ControlFlow::Continue(())))
        .await
        .unwrap()
        .fleet;
    assert_eq!(fleet.rolls().count(), 1);
}

async fn extreme_and_odd_values_survive(store: AnyStore) {
    const ODD: &str = "O'Neill \"q\" \\ $1 ?1 %s; DROP TABLE streams; -- \t\n 日本 🦀 e\u{301}";
    let guard = store.begin_term().await.unwrap();
    let long = "ä".repeat(200_000);
    let extreme = Instance {
        incarnation: Incarnation::new(i64::MAX),
        status_since: at(i64::MIN),
        ip: ODD.to_owned(),
        port: u16::MAX,
        max_streams: u32::MAX,
        labels: BTreeMap::from([
            (ODD.to_owned(), "\0 and \u{1}".to_owned()),
            Default::default(),
        ]),
        heartbeat_interval: Some(Duration::from_micros(i64::MAX as u64)),
        auto_assign: false,
        assignment_version: AssignmentVersion::new(i64::MIN),
        registered_at: at(i64::MAX),
        flaps: u32::MAX,
        capacity: Some(u32::MAX),
        planned: Some(Box::new(planned_in_full(ODD))),
        handed_over: Some(HandedOver {
            incarnation: Incarnation::new(i64::MIN),
            moved: u32::MAX,
            orphaned: 1,
        }),
        ..instance(ODD)
    };
    let least = Instance {
        port: 0,
        max_streams: 0,
        capacity: Some(1),
        heartbeat_interval: None,
        labels: BTreeMap::new(),
        ..instance(" ")
    };
    let wide = Stream {
        id: StreamId::new(i64::MAX),
        name: ODD.into(),
        url: Some(long.as_str().into()),
        labels: BTreeMap::from([("k".to_owned(), long.clone())]),
        priority: i32::MAX,
        weight: 1_000,
        constraints: Constraints {
            requires: BTreeMap::from([(ODD.to_owned(), long.clone())]),
            group: Some(long.as_str().into()),
            pinned: Some(ODD.into()),
        }
        .boxed(),
        enabled: false,
        handoff: HandoverMode::Overlap,
        created_at: at(i64::MIN),
        deleted: true,
        returns: Some(Box::new(Returns {
            count: u32::MAX,
            workers: vec![ODD.into(), long.as_str().into()],
            reason: Some(ODD.into()),
            last_at: at(i64::MIN),
            retry_at: Some(at(i64::MAX)),
        })),
        suspicion: Some(Box::new(Suspicion {
            failures: vec![
                OwnerFailure {
                    server_id: ODD.into(),
                    at: at(i64::MIN),
                    what: OwnerFault::GaveBack,
                    owned_ms: u64::MAX,
                    reason: Some(ODD.into()),
                },
                OwnerFailure {
                    server_id: long.as_str().into(),
                    at: at(i64::MAX),
                    what: OwnerFault::Failed,
                    owned_ms: 0,
                    reason: None,
                },
            ],
            quarantine: Some(Quarantine {
                since: at(i64::MIN),
                retries: u32::MAX,
                retry_at: Some(at(i64::MAX)),
            }),
        })),
    };
    let narrow = Stream {
        id: StreamId::new(i64::MIN),
        name: long.as_str().into(),
        url: None,
        priority: i32::MIN,
        constraints: Constraints {
            group: Some(ODD.into()),
            ..Constraints::default()
        }
        .boxed(),
        returns: Some(Box::new(Returns {
            count: 1,
            workers: Vec::new(),
            reason: None,
            last_at: at(0),
            retry_at: None,
        })),
        suspicion: Some(Box::new(Suspicion {
            failures: Vec::new(),
            quarantine: Some(Quarantine {
                since: at(0),
                retries: 0,
                retry_at: None,
            }),
        })),
        ..wide.clone()
    };
    let empty = Stream {
        id: StreamId::new(0),
        name: "".into(),
        url: Some("".into()),
        ..stream(0)
    };
    let releasing = |epoch: i64, then: AfterRelease| {
        Place::Assigned(Assignment {
            instance: ODD.into(),
            epoch: Epoch::new(epoch),
            reason: AssignReason::RoomAppeared,
            delivered: None,
            version: AssignmentVersion::new(i64::MAX),
            assigned_at: at(i64::MIN),
            handover: Some(Handover::Releasing {
                then,
                version: AssignmentVersion::new(i64::MAX),
                since: at(-3),
            }),
        })
    };
    let place = releasing(i64::MAX, AfterRelease::Forget);
    let leaving = Stream {
        id: StreamId::new(i64::MAX - 2),
        name: "leaving".into(),
        ..stream(1)
    };
    let then = AfterRelease::MoveTo {
        to: Some("other".into()),
        reason: MoveReason::NotRun,
    };
    let left = releasing(i64::MAX - 2, then);
    // Its move was given up: its owner keeps it.
    let stuck = Stream {
        id: StreamId::new(i64::MAX - 1),
        name: "stuck".into(),
        ..stream(1)
    };
    let kept = match &place {
        Place::Assigned(assignment) => Place::Assigned(Assignment {
            epoch: Epoch::new(i64::MAX - 1),
            handover: Some(Handover::GivenUp { since: at(-4) }),
            ..assignment.clone()
        }),
        other => other.clone(),
    };
    let draft = Draft::default()
        .instance(extreme.clone())
        .instance(least.clone())
        .stream(wide.clone(), place.clone())
        .stream(narrow.clone(), Place::Disabled)
        .stream(stuck.clone(), kept.clone())
        .stream(leaving.clone(), left.clone())
        .stream(empty.clone(), unclaimed())
        .event(Event::InstanceSuspected {
            instance: ODD.into(),
            incarnation: Incarnation::new(i64::MIN),
        });
    store
        .save(guard, draft.decided(i64::MIN, i64::MAX))
        .await
        .unwrap();
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.counter, Epoch::new(i64::MAX));
    assert_eq!(loaded.instances, [least, extreme]);
    assert_eq!(
        loaded.streams,
        [
            (narrow, Place::Disabled),
            (empty, unclaimed()),
            (leaving, left),
            (stuck, kept),
            (wide, place)
        ]
    );
    let events = store.events(i64::MIN, u32::MAX).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event.at, at(i64::MIN));
    assert_eq!(events[0].event.event.instance().unwrap().as_str(), ODD);
}

async fn every_word_of_the_domain_can_be_kept(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let mut draft = Draft::default().instance(instance("owner"));
    let mut instances = vec![];
    for status in InstanceStatus::ALL {
        let row = Instance {
            status,
            ..instance(status.as_str())
        };
        instances.push(row.clone());
        draft = draft.instance(row);
    }
    let mut places = vec![];
    for reason in AssignReason::ALL.iter().copied() {
        let Place::Assigned(assignment) = assigned("owner", 1) else {
            unreachable!("`assigned` gives an assignment");
        };
        places.push(Place::Assigned(Assignment {
            reason,
            ..assignment
        }));
    }
    for reason in OrphanReason::ALL.iter().copied() {
        places.push(Place::Orphaned {
            reason,
            from: "owner".into(),
            since: at(1),
        });
    }
    for (id, place) in (1..).zip(&places) {
        draft = draft.stream(stream(id), place.clone());
    }
    let mut incidents = vec![];
    for cause in FailureCause::ALL.iter().copied() {
        for outcome in IncidentOutcome::ALL.iter().copied() {
            let id = i64::try_from(incidents.len()).unwrap();
            incidents.push(Incident {
                cause,
                outcome: Some(outcome),
                ..incident(id)
            });
        }
    }
    save(
        &store,
        guard,
        draft.with(|rows| rows.incidents = incidents.clone()),
    )
    .await;
    let loaded = store.load().await.unwrap();
    for row in instances {
        assert!(loaded.instances.contains(&row), "{}", row.status);
    }
    let loaded: Vec<Place> = loaded.streams.into_iter().map(|(_, place)| place).collect();
    assert_eq!(loaded, places);
    incidents.reverse();
    assert_eq!(store.incidents(&all(), 100).await.unwrap(), incidents);
}

async fn a_later_row_replaces_an_earlier_one(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default()
        .instance(instance("a"))
        .instance(instance("b"))
        .stream(stream(1), assigned("a", 1));
    let guard = save(&store, guard, draft).await;
    let changed = Instance {
        status: InstanceStatus::Failed,
        labels: BTreeMap::new(),
        heartbeat_interval: None,
        ..instance("a")
    };
    let renamed = Stream {
        name: "renamed".into(),
        url: None,
        ..stream(1)
    };
    let draft = Draft::default()
        .instance(changed.clone())
        .stream(renamed.clone(), assigned("b", 2));
    let guard = save(&store, guard, draft).await;
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.instances, [changed, instance("b")]);
    assert_eq!(loaded.streams, [(renamed.clone(), assigned("b", 2))]);

    // From assigned to unclaimed, every column of the assignment must go.
    save(&store, guard, Draft::default().place(1, unclaimed())).await;
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.streams, [(renamed, unclaimed())]);
}

async fn a_later_row_replaces_every_column(store: AnyStore) {
    let mut guard = store.begin_term().await.unwrap();
    let counted = Instance {
        handed_over: Some(HandedOver {
            incarnation: Incarnation::new(1),
            moved: 2,
            orphaned: 3,
        }),
        ..instance("a")
    };
    let given_up = |handover| match assigned("a", 1) {
        Place::Assigned(assignment) => Place::Assigned(Assignment {
            handover,
            ..assignment
        }),
        other => other,
    };
    let stuck = given_up(Some(Handover::GivenUp { since: at(4) }));
    let releasing = given_up(Some(Handover::Releasing {
        then: AfterRelease::planned_move(None),
        version: AssignmentVersion::new(5),
        since: at(6),
    }));
    let balanced = match given_up(Some(Handover::Releasing {
        then: AfterRelease::MoveTo {
            to: Some("b".into()),
            reason: MoveReason::Balance,
        },
        version: AssignmentVersion::new(5),
        since: at(6),
    })) {
        Place::Assigned(assignment) => Place::Assigned(Assignment {
            reason: AssignReason::Rebalance,
            ..assignment
        }),
        other => other,
    };
    let rounds = [
        (instance("a"), assigned("a", 1)),
        (counted, stuck),
        (instance("a"), releasing),
        (instance("a"), balanced),
    ];
    for (row, place) in rounds {
        let draft = Draft::default()
            .instance(row.clone())
            .stream(stream(1), place.clone());
        guard = save(&store, guard, draft).await;
        let loaded = store.load().await.unwrap();
        assert_eq!(loaded.instances, [row]);
        assert_eq!(loaded.streams, [(stream(1), place)]);
    }
}

async fn a_name_may_pass_from_one_stream_to_another_within_a_transaction(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let named = |id, name: &str| Stream {
        name: name.into(),
        ..stream(id)
    };
    let draft = Draft::default()
        .stream(named(1, "one"), unclaimed())
        .stream(named(2, "two"), unclaimed());
    let guard = save(&store, guard, draft).await;
    let draft = Draft::default()
        .stream(named(1, "two"), unclaimed())
        .stream(named(2, "one"), unclaimed());
    save(&store, guard, draft).await;
    let names: Vec<_> = store.load().await.unwrap().streams;
    let names: Vec<&str> = names.iter().map(|(stream, _)| &*stream.name).collect();
    assert_eq!(names, ["two", "one"]);
}

async fn deleting_takes_everything_along(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default()
        .instance(instance("a"))
        .instance(instance("b"))
        .stream(stream(1), assigned("a", 1))
        .stream(stream(2), assigned("a", 2));
    let guard = save(&store, guard, draft).await;
    // The owner goes in the same transaction as what it owned is moved or deleted.
    let draft = Draft::default()
        .without_instance("a")
        .without_stream(1)
        .place(2, assigned("b", 3))
        .without_stream(99)
        .without_instance("never there");
    save(&store, guard, draft).await;
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.instances, [instance("b")]);
    assert_eq!(loaded.streams, [(stream(2), assigned("b", 3))]);
}

async fn a_stream_without_a_place_is_disabled(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let guard = save(
        &store,
        guard,
        Draft::default().stream(stream(1), unclaimed()),
    )
    .await;
    let draft = Draft::default().with(|rows| {
        rows.places.insert(StreamId::new(1), None);
    });
    save(&store, guard, draft).await;
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.streams, [(stream(1), Place::Disabled)]);
}

async fn one_refused_row_sinks_the_whole_transaction(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let before = Draft::default()
        .instance(instance("a"))
        .stream(stream(1), unclaimed());
    let guard = save(&store, guard, before).await;
    let draft = Draft::default()
        .instance(instance("b"))
        .stream(stream(1), assigned("a", 5))
        .stream(stream(2), assigned("nobody", 6))
        .event(created(2));
    let error = store.save(guard, draft.decided(40, 500)).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");

    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.instances, [instance("a")]);
    assert_eq!(loaded.streams, [(stream(1), unclaimed())]);
    assert_eq!(store.events(0, 10).await.unwrap(), []);
    let census = store.census().await.unwrap();
    assert_eq!(census.guard, guard, "the version must not move");
    assert_eq!(census.counter, loaded.counter);
    // The same guard is good for the next transaction.
    save(&store, guard, Draft::default().instance(instance("b"))).await;
    assert_eq!(store.load().await.unwrap().instances.len(), 2);
}

async fn an_instance_that_owns_something_cannot_be_deleted(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default()
        .instance(instance("a"))
        .stream(stream(1), assigned("a", 1));
    let guard = save(&store, guard, draft).await;
    let draft = Draft::default().without_instance("a");
    let error = store.save(guard, draft.decided(1, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert_eq!(store.load().await.unwrap().instances, [instance("a")]);
}

async fn settling_finds_a_committed_transaction(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    save(&store, guard, Draft::default().instance(instance("a"))).await;
    for _ in 0..3 {
        assert_eq!(store.settle(guard).await.unwrap(), Settlement::Committed);
    }
    assert_eq!(store.census().await.unwrap().guard, guard.after_save());
    let next = guard.after_save();
    save(&store, next, Draft::default().instance(instance("b"))).await;
}

async fn settling_defeats_one_that_never_came(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    for _ in 0..3 {
        assert_eq!(store.settle(guard).await.unwrap(), Settlement::Defeated);
    }
    assert_eq!(store.census().await.unwrap().guard, guard.after_defeat());
    // The defeated transaction comes late, and finds its version gone.
    let late = Draft::default().instance(instance("late")).decided(1, 1);
    let error = store.save(guard, late).await.unwrap_err();
    assert!(
        matches!(error, StoreError::VersionMismatch { .. }),
        "{error:?}"
    );
    save(
        &store,
        guard.after_defeat(),
        Draft::default().instance(instance("next")),
    )
    .await;
    assert_eq!(store.load().await.unwrap().instances, [instance("next")]);
}

async fn settling_is_refused_to_the_deposed(store: AnyStore) {
    let old = store.begin_term().await.unwrap();
    let new = store.begin_term().await.unwrap();
    let error = store.settle(old).await.unwrap_err();
    assert_eq!(
        error,
        StoreError::Deposed {
            ours: old.term,
            current: new.term
        }
    );
    assert_eq!(store.census().await.unwrap().guard, new);
}

async fn settling_something_much_older_is_refused(store: AnyStore) {
    let first = store.begin_term().await.unwrap();
    let mut guard = first;
    for id in ["a", "b", "c"] {
        guard = save(&store, guard, Draft::default().instance(instance(id))).await;
    }
    let error = store.settle(first).await.unwrap_err();
    assert_eq!(
        error,
        StoreError::VersionMismatch {
            expected: first.version,
            found: guard.version
        }
    );
}

async fn ten_thousand_rows_fit_in_one_transaction(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let mut draft = Draft::default()
        .instance(instance("a"))
        .instance(instance("b"));
    let mut moved = Draft::default();
    for id in 1..=10_000 {
        draft = draft
            .stream(stream(id), assigned("a", id))
            .event(created(id));
        moved = moved.place(id, assigned("b", 10_000 + id));
    }
    let guard = save(&store, guard, draft).await;
    let guard = save(&store, guard, moved).await;
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.streams.len(), 10_000);
    for ((found, place), id) in loaded.streams.iter().zip(1..) {
        assert_eq!(found.id, StreamId::new(id));
        assert_eq!(*place, assigned("b", 10_000 + id));
    }
    let events = store.events(0, u32::MAX).await.unwrap();
    let told: Vec<Event> = events.into_iter().map(|event| event.event.event).collect();
    assert_eq!(told, (1..=10_000).map(created).collect::<Vec<_>>());

    let mut gone = Draft::default();
    for id in 1..=10_000 {
        gone = gone.without_stream(id);
    }
    save(&store, guard, gone).await;
    assert_eq!(store.load().await.unwrap().streams, []);
}

async fn events_come_in_order(store: AnyStore) {
    let mut guard = store.begin_term().await.unwrap();
    for moment in [30, 20, 10] {
        let draft = Draft::default()
            .event(created(moment))
            .event(created(moment + 1));
        store.save(guard, draft.decided(moment, 1)).await.unwrap();
        guard = guard.after_save();
    }
    let events = store.events(0, 100).await.unwrap();
    let told: Vec<(i64, i64)> = events
        .iter()
        .map(|event| {
            (
                event.event.at.as_micros(),
                event.event.event.stream().unwrap().get(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [(30, 30), (30, 31), (20, 20), (20, 21), (10, 10), (10, 11)],
        "the order is that of writing, not of the clock"
    );
    assert!(events.is_sorted_by(|a, b| a.sequence < b.sequence));
    let third = events[2].sequence;
    assert_eq!(store.events(third, 2).await.unwrap(), events[3..5]);
    assert_eq!(store.events(i64::MAX, 2).await.unwrap(), []);
    assert_eq!(store.events(0, 0).await.unwrap(), []);
}

fn given(stream: i64, instance: &str) -> Event {
    Event::StreamAssigned {
        stream: StreamId::new(stream),
        instance: instance.into(),
        epoch: Epoch::new(1),
        reason: AssignReason::Requested,
        from: None,
        from_epoch: None,
        incident: None,
    }
}

/// A move that belongs to an incident.
fn moved(stream: i64, incident: i64) -> Event {
    Event::StreamAssigned {
        stream: StreamId::new(stream),
        instance: "b".into(),
        epoch: Epoch::new(2),
        reason: AssignReason::InstanceFailed,
        from: Some("a".into()),
        from_epoch: Some(Epoch::new(1)),
        incident: Some(IncidentId::new(incident)),
    }
}

fn cordoned(instance: &str) -> Event {
    Event::InstanceCordoned {
        instance: instance.into(),
        incarnation: Incarnation::new(1),
        by: Requester::Operator,
        until: None,
        reason: None,
    }
}

fn let_go(stream: i64, instance: &str) -> Event {
    Event::StreamReleased {
        stream: StreamId::new(stream),
        instance: instance.into(),
        epoch: Epoch::new(1),
        reason: None,
    }
}

/// Some of everything; the clock was set back once.
async fn with_events(store: &AnyStore) -> Vec<StoredEvent> {
    let mut guard = store.begin_term().await.unwrap();
    for (moment, events) in [
        (10, vec![created(1), created(2), given(1, "a")]),
        (40, vec![given(2, "b"), let_go(1, "a")]),
        (20, vec![given(1, "b"), created(3)]),
        (30, vec![let_go(1, "b"), let_go(2, "b"), given(3, "a")]),
        (35, vec![moved(1, 7), moved(2, 8), cordoned("a")]),
    ] {
        let draft = events.into_iter().fold(Draft::default(), Draft::event);
        store.save(guard, draft.decided(moment, 1)).await.unwrap();
        guard = guard.after_save();
    }
    store.events(0, 100).await.unwrap()
}

/// Filters of every sort.
fn event_filters() -> Vec<EventFilter> {
    let times = [None, Some(20), Some(40)];
    let mut filters = Vec::new();
    for order in EventOrder::ALL {
        for instance in [None, Some("a"), Some("b")] {
            for stream in [None, Some(1), Some(3)] {
                for kinds in [
                    &[] as &[&'static str],
                    &["stream_released"],
                    &["stream_created", "stream_assigned"],
                    &["instance_failed"],
                ] {
                    for (from, to) in times.iter().flat_map(|from| times.map(|to| (*from, to))) {
                        filters.push(EventFilter {
                            order: *order,
                            after: None,
                            instance: instance.map(InstanceId::from),
                            stream: stream.map(StreamId::new),
                            incident: None,
                            actor: None,
                            kinds: kinds.to_vec(),
                            from: from.map(at),
                            to: to.map(at),
                        });
                    }
                }
            }
        }
    }
    let (worker, operator) = (Some(Requester::Worker), Some(Requester::Operator));
    let program = Some(Requester::Program);
    let origins = [
        (Some(7), None),
        (Some(9), None),
        (None, worker),
        (None, operator),
        (None, program),
        (Some(8), program),
        (Some(8), worker),
    ];
    let plain = filters.clone();
    let of_origins = origins.iter().flat_map(|(incident, actor)| {
        let with = |filter: &EventFilter| EventFilter {
            incident: incident.map(IncidentId::new),
            actor: *actor,
            ..filter.clone()
        };
        plain.iter().map(with).collect::<Vec<_>>()
    });
    filters.extend(of_origins);
    filters
}

/// What a filter wants of all events, in its order.
fn wanted(all: &[StoredEvent], filter: &EventFilter) -> Vec<StoredEvent> {
    let wants = |event: &&StoredEvent| filter.wants(event.sequence, &event.event);
    let mut found: Vec<StoredEvent> = all.iter().filter(wants).cloned().collect();
    if filter.order == EventOrder::Descending {
        found.reverse();
    }
    found
}

async fn events_are_found_in_both_orders(store: AnyStore) {
    let all = with_events(&store).await;
    assert_eq!(all.len(), 13);
    for filter in event_filters() {
        let found = store.find_events(&filter, 100).await.unwrap();
        assert_eq!(found, wanted(&all, &filter), "{filter:?}");
    }
}

async fn events_are_found_page_by_page(store: AnyStore) {
    let all = with_events(&store).await;
    // Those that find more than one.
    let filters = event_filters().into_iter();
    for mut filter in filters.filter(|filter| wanted(&all, filter).len() > 1) {
        let expected = wanted(&all, &filter);
        for limit in [1, 2] {
            let mut found = Vec::new();
            filter.after = None;
            loop {
                let page = store.find_events(&filter, limit).await.unwrap();
                let Some(last) = page.last() else { break };
                filter.after = Some(last.sequence);
                assert!(page.len() <= limit as usize);
                found.extend(page);
            }
            assert_eq!(found, expected, "{limit} at a time: {filter:?}");
        }
    }
}

fn incident(id: i64) -> Incident {
    Incident {
        id: IncidentId::new(id),
        instance: "a".into(),
        incarnation: Incarnation::new(3),
        cause: FailureCause::HeartbeatTimeout,
        detected_at: at(100),
        ended_at: Some(at(200)),
        outcome: Some(IncidentOutcome::Recovered),
        streams_affected: 5,
        streams_moved: 4,
        streams_orphaned: 1,
        attempts: 2,
        reason: Some(match id % 2 {
            0 => OrderReason::missing(),
            _ => "it smells".to_owned().into(),
        }),
        escalated_at: Some(at(150)),
        steps: vec![step(StepName::Detect), step(StepName::Plan)],
    }
}

fn step(name: StepName) -> StepRecord {
    StepRecord {
        name,
        result: StepResult::Done,
        attempt: 2,
        started_at: at(120),
        duration_us: u64::MAX,
        detail: "\"quoted\" — Ünïcödé".to_owned(),
    }
}

async fn incidents_come_newest_first_and_are_updated(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let open = |id| Incident {
        ended_at: None,
        outcome: None,
        streams_affected: u32::MAX,
        ..incident(id)
    };
    let draft = Draft::default().with(|rows| {
        // The same incident twice in one transaction: the last word counts.
        rows.incidents = vec![open(2), open(9), incident(5), incident(2)];
    });
    let guard = save(&store, guard, draft).await;
    assert_eq!(
        store.incidents(&all(), 10).await.unwrap(),
        [open(9), incident(5), incident(2)]
    );
    let before = IncidentFilter::before(Some(IncidentId::new(9)));
    assert_eq!(store.incidents(&before, 1).await.unwrap(), [incident(5)]);
    let draft = Draft::default().with(|rows| rows.incidents = vec![incident(9)]);
    save(&store, guard, draft).await;
    assert_eq!(store.incidents(&all(), 1).await.unwrap(), [incident(9)]);
}

fn all() -> IncidentFilter {
    IncidentFilter::default()
}

async fn incidents_are_filtered(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let one = |id, instance: &str, moment| Incident {
        instance: instance.into(),
        detected_at: at(moment),
        ..incident(id)
    };
    let rows = [
        one(1, "a", 10),
        one(2, "b", 20),
        one(3, "a", 20),
        one(4, "A", 30),
        one(5, "a", 30),
    ];
    let draft = Draft::default().with(|save| save.incidents = rows.to_vec());
    save(&store, guard, draft).await;
    let of_a = IncidentFilter {
        instance: Some("a".into()),
        ..all()
    };
    let (from, to) = (Some(at(20)), Some(at(30)));
    let table: Vec<(IncidentFilter, &[i64])> = vec![
        (all(), &[5, 4, 3, 2, 1]),
        (of_a.clone(), &[5, 3, 1]),
        (
            IncidentFilter {
                instance: Some("nobody".into()),
                ..all()
            },
            &[],
        ),
        (IncidentFilter { from, ..all() }, &[5, 4, 3, 2]),
        (IncidentFilter { to, ..all() }, &[3, 2, 1]),
        (IncidentFilter { from, to, ..all() }, &[3, 2]),
        (
            IncidentFilter {
                from: to,
                to: from,
                ..all()
            },
            &[],
        ),
        (
            IncidentFilter {
                before: Some(IncidentId::new(5)),
                from,
                ..of_a
            },
            &[3],
        ),
    ];
    for (filter, expected) in table {
        let found = store.incidents(&filter, 10).await.unwrap();
        let ids: Vec<i64> = found.iter().map(|incident| incident.id.get()).collect();
        assert_eq!(ids, expected, "{filter:?}");
        let first = store.incidents(&filter, 1).await.unwrap();
        assert_eq!(first.first(), found.first(), "{filter:?}");
        assert_eq!(store.incidents(&filter, 0).await.unwrap(), []);
    }
}

async fn one_incident_is_found_by_its_id(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default().with(|rows| rows.incidents = vec![incident(2), incident(3)]);
    save(&store, guard, draft).await;
    let find = async |id| store.incident(IncidentId::new(id)).await.unwrap();
    assert_eq!(find(3).await, Some(incident(3)));
    for id in [0, 1, 4, -3, i64::MAX] {
        assert_eq!(find(id).await, None, "{id}");
    }
}

async fn what_is_loaded_belongs_to_its_guard(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    assert_eq!(
        store.load_guarded().await.unwrap(),
        (guard, Snapshot::default())
    );
    let draft = Draft::default().with(|rows| {
        rows.streams
            .insert(StreamId::new(1), Some(Arc::new(stream(1))));
    });
    let after = save(&store, guard, draft).await;
    let (found, snapshot) = store.load_guarded().await.unwrap();
    assert_eq!((found, snapshot.streams.len()), (after, 1));
    assert_eq!(store.load().await.unwrap(), snapshot);
}

fn beat(id: &str, moment: i64) -> LastBeat {
    LastBeat {
        instance: id.into(),
        at: at(moment),
        reported_status: "running".to_owned(),
        reported_streams: 3,
    }
}

async fn the_last_of_several_beats_counts(store: AnyStore) {
    store.save_beats(&[], heard(0, 0)).await.unwrap();
    let batch = [beat("b", 5), beat("a", 1), beat("b", 7)];
    store.save_beats(&batch, heard(0, 0)).await.unwrap();
    store.save_beats(&batch, heard(0, 0)).await.unwrap();
    store
        .save_beats(&[beat("a", 9)], heard(0, 0))
        .await
        .unwrap();
    let odd = LastBeat {
        reported_status: "\0".to_owned(),
        ..beat("c", 4)
    };
    store.save_beats(&[odd], heard(0, 0)).await.unwrap();
    assert_eq!(
        store.load().await.unwrap().last_beats,
        [
            ("a".into(), at(9)),
            ("b".into(), at(7)),
            ("c".into(), at(4))
        ]
    );
    the_ages_are_those_of_the_fleet(&store).await;
}

async fn the_ages_are_those_of_the_fleet(store: &AnyStore) {
    let (fleet, ages) = (
        store.load().await.unwrap(),
        store.saved_ages().await.unwrap(),
    );
    assert_eq!(
        (ages.last_beats, ages.watermark),
        (fleet.last_beats, fleet.watermark)
    );
}

async fn many_beats_at_once(store: AnyStore) {
    let batch = |moment| -> Vec<LastBeat> {
        (0..20_000)
            .map(|n| beat(&format!("w-{n:05}"), moment))
            .collect()
    };
    store.save_beats(&batch(1), heard(0, 0)).await.unwrap();
    store.save_beats(&batch(2), heard(0, 0)).await.unwrap();
    let beats = store.load().await.unwrap().last_beats;
    assert_eq!(beats.len(), 20_000);
    assert!(beats.iter().all(|(_, moment)| *moment == at(2)));
}

fn reading(id: &str, moment: i64) -> MetricsRecord {
    MetricsRecord {
        instance: id.into(),
        recorded_at: at(moment),
        metrics: SystemMetrics {
            cpu_percent: Some(0.1 + 0.2),
            memory_percent: Some(f64::MIN_POSITIVE),
            memory_used_gb: Some(f64::MAX),
            memory_total_gb: None,
            disk_percent: Some(-0.5),
            disk_free_gb: Some(1e-300),
            disk_total_gb: Some(0.0),
            load_average: Some([1.5, 2.5, 3.5]),
            uptime_seconds: Some(1e15),
        },
    }
}

async fn beats_are_complete_up_to_their_watermark(store: AnyStore) {
    assert_eq!(store.load().await.unwrap().watermark, None);
    // The clock of a term may be set back, and a quiet time is known of, too.
    for (beats, watermark) in [
        (vec![beat("a", 5)], heard(1, 4)),
        (vec![], heard(1, 9)),
        (vec![beat("a", 2)], heard(1, 1)),
        (vec![beat("a", 8), beat("b", 8)], heard(i64::MAX, i64::MIN)),
    ] {
        for _ in 0..2 {
            store.save_beats(&beats, watermark).await.unwrap();
            let loaded = store.load().await.unwrap();
            assert_eq!(loaded.watermark, Some(watermark));
            let saved = beats.iter().map(|beat| (beat.instance.clone(), beat.at));
            assert!(saved.clone().all(|beat| loaded.last_beats.contains(&beat)));
        }
    }
}

async fn an_older_term_overwrites_no_beats(store: AnyStore) {
    let newer = [beat("a", 50)];
    store.save_beats(&newer, heard(2, 40)).await.unwrap();
    let older = [beat("a", 60), beat("b", 60)];
    let error = store.save_beats(&older, heard(1, 55)).await.unwrap_err();
    let deposed = StoreError::Deposed {
        ours: Term::new(1),
        current: Term::new(2),
    };
    assert_eq!(error, deposed);
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.last_beats, [("a".into(), at(50))]);
    assert_eq!(loaded.watermark, Some(heard(2, 40)));
    store.save_beats(&older, heard(2, 55)).await.unwrap();
    assert_eq!(store.load().await.unwrap().last_beats.len(), 2);
}

async fn metrics_come_newest_first(store: AnyStore) {
    let unknown = MetricsRecord {
        metrics: SystemMetrics::default(),
        ..reading("a", 40)
    };
    let records = [
        reading("a", 20),
        reading("b", 25),
        unknown.clone(),
        reading("a", 10),
        reading("a", 30),
    ];
    store.save_metrics(&records).await.unwrap();
    let found = store.metrics(&"a".into(), at(20), 10).await.unwrap();
    assert_eq!(found, [unknown.clone(), reading("a", 30), reading("a", 20)]);
    let newest = store.metrics(&"a".into(), at(i64::MIN), 1).await.unwrap();
    assert_eq!(newest, [unknown]);
    assert_eq!(store.metrics(&"x".into(), at(0), 10).await.unwrap(), []);
}

async fn a_metrics_record_is_kept_once(store: AnyStore) {
    let records = [reading("a", 10), reading("a", 10), reading("a", 11)];
    store.save_metrics(&records).await.unwrap();
    store.save_metrics(&records).await.unwrap();
    let found = store.metrics(&"a".into(), at(0), 10).await.unwrap();
    assert_eq!(found, [reading("a", 11), reading("a", 10)]);
}

async fn a_later_beat_with_an_earlier_time_counts(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default().instance(instance("a"));
    save(&store, guard, draft).await;
    for moment in [1_000, -5, 7] {
        let beat = LastBeat {
            instance: "a".into(),
            at: at(moment),
            reported_status: "active".to_owned(),
            reported_streams: 0,
        };
        store.save_beats(&[beat], heard(0, 0)).await.unwrap();
        let beats = store.load().await.unwrap().last_beats;
        assert_eq!(beats, [("a".into(), at(moment))]);
    }
}

async fn last_beats_go_with_their_instance(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default()
        .instance(instance("a"))
        .instance(instance("b"));
    let guard = save(&store, guard, draft).await;
    let beat = |id: &str| LastBeat {
        instance: id.into(),
        at: at(5),
        reported_status: "active".to_owned(),
        reported_streams: 0,
    };
    store
        .save_beats(&[beat("a"), beat("b")], heard(0, 0))
        .await
        .unwrap();
    assert_eq!(prune_all(&store, &expiry(0, 0)).await, [0_u64; 0]);
    save(&store, guard, Draft::default().without_instance("a")).await;
    assert_eq!(prune_all(&store, &expiry(0, 0)).await, [1]);
    let beats = store.load().await.unwrap().last_beats;
    assert_eq!(beats, [("b".into(), at(5))]);
}

async fn ended_incidents_go_when_they_are_old(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let ended = |id, end: Option<i64>| Incident {
        ended_at: end.map(at),
        outcome: end.and(incident(id).outcome),
        ..incident(id)
    };
    let draft = Draft::default().with(|rows| {
        rows.incidents = vec![ended(1, Some(50)), ended(2, Some(60)), ended(3, None)];
    });
    save(&store, guard, draft).await;
    let old = Expiry {
        incidents: Recent::since(at(60)),
        ..expiry(0, 0)
    };
    assert_eq!(prune_all(&store, &old).await, [1]);
    let left = store.incidents(&all(), 9).await.unwrap();
    let left: Vec<i64> = left.iter().map(|one| one.id.get()).collect();
    assert_eq!(left, [3, 2]);
}

/// After jumps of the wall clock, what is recent is more than one span.
async fn pruning_spares_every_recent_span(store: AnyStore) {
    let seconds = |seconds: i64| WallTime::from_micros(seconds * 1_000_000);
    let running = |seconds: u64| Timestamp::from_micros(seconds * 1_000_000);
    let mut timeline = Timeline::starting_at(running(0), seconds(10_000));
    // Half an hour ahead by a year, then as before.
    for (now, wall) in [
        (600, 10_600),
        (660, 40_000),
        (1_200, 40_540),
        (1_260, 11_260),
    ] {
        timeline.note(running(now), seconds(wall));
    }
    timeline.note(running(2_000), seconds(12_000));
    let metrics = timeline.recent(Duration::from_secs(1_000), running(2_000));
    let reading = |moment| MetricsRecord {
        recorded_at: seconds(moment),
        ..reading("a", 1)
    };
    let moments = [
        9_000, 10_500, 11_300, 11_900, 39_000, 40_200, 40_500, 99_000,
    ];
    let records: Vec<MetricsRecord> = moments.into_iter().map(reading).collect();
    store.save_metrics(&records).await.unwrap();
    let expiry = Expiry {
        metrics,
        ..expiry(0, 0)
    };
    prune_all(&store, &expiry).await;
    let left = store.metrics(&"a".into(), at(0), 99).await.unwrap();
    let left: Vec<i64> = left
        .iter()
        .map(|one| one.recorded_at.as_micros() / 1_000_000)
        .collect();
    assert_eq!(left, [40_500, 11_900, 11_300]);
}

async fn numbers_that_are_none_are_unknown(store: AnyStore) {
    let mut odd = reading("a", 10);
    odd.metrics.cpu_percent = Some(f64::NAN);
    odd.metrics.memory_percent = Some(f64::INFINITY);
    odd.metrics.disk_percent = Some(f64::MAX);
    odd.metrics.load_average = Some([1.0, f64::NEG_INFINITY, 3.0]);
    store.save_metrics(&[odd]).await.unwrap();
    let found = store.metrics(&"a".into(), at(0), 10).await.unwrap();
    let metrics = found[0].metrics;
    assert_eq!((metrics.cpu_percent, metrics.memory_percent), (None, None));
    assert_eq!(metrics.disk_percent, Some(f64::MAX));
    assert_eq!(metrics.load_average, None);
}

async fn pruning_takes_the_old_in_steps(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let mut draft = Draft::default();
    for id in 0..50 {
        draft = draft.event(created(id));
    }
    store.save(guard, draft.decided(100, 1)).await.unwrap();
    let draft = Draft::default().event(created(1000));
    store
        .save(guard.after_save(), draft.decided(200, 1))
        .await
        .unwrap();
    let records: Vec<MetricsRecord> = (0..10_050).map(|n| reading("a", n)).collect();
    store.save_metrics(&records).await.unwrap();

    let steps = prune_all(&store, &expiry(10_040, 200)).await;
    assert_eq!(steps.iter().sum::<u64>(), 10_040 + 50);
    assert!(
        steps.iter().all(|step| *step <= 1_000),
        "a step has a limit"
    );
    let left = store.metrics(&"a".into(), at(0), 100).await.unwrap();
    assert_eq!(left.len(), 10);
    assert_eq!(left[9].recorded_at, at(10_040), "what is as old stays");
    let events = store.events(0, 100).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event.event, created(1000));
}

/// Prunes until nothing is left to prune; returns how much went with each step.
async fn prune_all(store: &AnyStore, expiry: &Expiry) -> Vec<u64> {
    let mut steps = vec![];
    loop {
        match store.prune(expiry).await.unwrap() {
            0 => return steps,
            gone => steps.push(gone),
        }
    }
}

/// Nothing but metrics and events is past its time.
fn expiry(metrics_since: i64, events_since: i64) -> Expiry {
    let everything = || Recent::since(at(0));
    Expiry {
        metrics: Recent::since(at(metrics_since)),
        events: Recent::since(at(events_since)),
        alerts: everything(),
        incidents: everything(),
        health: everything(),
        most_health_rows: 1_000,
    }
}

/// Why `a` got streams under these epochs.
fn placing(first: i64, last: i64) -> Placing {
    let candidate = |id: &str, rank: Option<u32>, excluded_by| Candidate {
        server_id: id.into(),
        chosen: rank == Some(1),
        rank,
        score: Some(ShownScore {
            held: u32::MAX,
            limit: 1,
            streams: 0,
            strain: Strain::Busy,
            policy: Some(PlacementPolicy::LoadAware),
        }),
        excluded_by,
    };
    Placing {
        instance: "a".into(),
        first: Epoch::new(first),
        last: Epoch::new(last),
        placed: Placed {
            at: at(first),
            reason: AssignReason::InstanceFailed,
            candidates: vec![
                candidate("a", Some(1), None),
                candidate("b \u{fc}", None, Some(Exclusion::NoRoom)),
            ],
        },
    }
}

async fn the_reasons_of_a_placement_are_kept_while_an_assignment_lasts(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let placings = vec![placing(2, 4), placing(7, 7), placing(9, 12)];
    let draft = Draft::default()
        .instance(instance("a"))
        .stream(stream(1), assigned("a", 3))
        .stream(stream(2), assigned("a", 9))
        .with(|rows| rows.placings.clone_from(&placings));
    store.save(guard, draft.decided(1, 12)).await.unwrap();
    let read = async |instance: &str, epoch| {
        let found = store.placing(&instance.into(), Epoch::new(epoch)).await;
        found.unwrap().map(|placing| placing.first.get())
    };
    assert_eq!(
        store.placing(&"a".into(), Epoch::new(3)).await.unwrap(),
        Some(placings[0].clone())
    );
    for (epoch, first) in [
        (1, None),
        (2, Some(2)),
        (4, Some(2)),
        (5, None),
        (7, Some(7)),
        (8, None),
        (12, Some(9)),
        (13, None),
    ] {
        assert_eq!(read("a", epoch).await, first, "{epoch}");
    }
    assert_eq!(read("b", 3).await, None, "another instance");
    let old = Expiry {
        events: Recent::since(at(8)),
        ..expiry(0, 0)
    };
    assert_eq!(store.prune(&old).await.unwrap(), 1, "nobody has epoch 7");
    assert_eq!(store.prune(&old).await.unwrap(), 0);
    assert_eq!(read("a", 7).await, None);
    assert_eq!(read("a", 3).await, Some(2), "it lasts");
}

fn alert(id: i64, kind: AlertKind, closed_at: Option<i64>) -> Alert {
    Alert {
        id: AlertId::new(id),
        kind,
        severity: Severity::Critical,
        subject: "a\u{7f}ü".to_owned(),
        detail: "what happened".to_owned(),
        opened_at: at(id),
        closed_at: closed_at.map(at),
        instances: vec!["a".into(), "b\u{7f}ü".into()],
        repeats: 7,
        acknowledged: closed_at.map(|moment| Acknowledgement {
            at: at(moment),
            by: Requester::Operator,
            note: (moment % 20 == 0).then(|| "seen".to_owned()),
        }),
    }
}

async fn silences_are_kept_until_their_end_is_old(store: AnyStore) {
    let silence = |id, until| Silence {
        id: SilenceId::new(id),
        matchers: vec![
            Matcher {
                name: "kind".to_owned(),
                value: "flapping".to_owned(),
                is_regex: false,
            },
            Matcher {
                name: "label:rack".to_owned(),
                value: "r\\d \"ü".to_owned(),
                is_regex: true,
            },
        ],
        created_at: at(id),
        by: Requester::Operator,
        until: at(until),
        reason: "the rack is moved".to_owned(),
    };
    let (old, young, ended) = (silence(1, 50), silence(2, 70), silence(3, 90));
    for one in [&old, &young, &ended] {
        store.save_silence(one).await.unwrap();
    }
    let after = async |moment| store.silences(at(moment)).await.unwrap();
    assert_eq!(after(0).await, [old, young.clone(), ended.clone()]);
    assert_eq!(
        after(70).await,
        std::slice::from_ref(&ended),
        "its end is not after it"
    );
    let ended = silence(3, 60);
    store.save_silence(&ended).await.unwrap();
    assert_eq!(
        after(50).await,
        [young.clone(), ended.clone()],
        "it was ended"
    );
    let before_60 = Expiry {
        events: Recent::since(at(60)),
        ..expiry(0, 0)
    };
    assert_eq!(store.prune(&before_60).await.unwrap(), 1);
    assert_eq!(after(0).await, [young, ended]);
}

async fn alerts_are_kept_until_they_are_closed_and_old(store: AnyStore) {
    let mass = alert(1, AlertKind::MassFailure, None);
    let old = alert(2, AlertKind::Flapping, Some(50));
    let young = alert(3, AlertKind::Flapping, Some(60));
    store
        .save_alerts(&[mass.clone(), old.clone(), young.clone()])
        .await
        .unwrap();
    let read = async |filter: AlertFilter, limit| store.alerts(&filter, limit).await.unwrap();
    let all = AlertFilter::default();
    assert_eq!(
        read(all.clone(), 9).await,
        [young.clone(), old.clone(), mass.clone()]
    );
    assert_eq!(read(all.clone(), 1).await, std::slice::from_ref(&young));
    let open = |open| AlertFilter {
        open: Some(open),
        ..AlertFilter::default()
    };
    assert_eq!(read(open(true), 9).await, std::slice::from_ref(&mass));
    assert_eq!(read(open(false), 9).await, [young.clone(), old.clone()]);
    let flapping_before_3 = AlertFilter {
        before: Some(young.id),
        kind: Some(AlertKind::Flapping),
        open: None,
    };
    assert_eq!(read(flapping_before_3, 9).await, std::slice::from_ref(&old));

    let closed = alert(1, AlertKind::MassFailure, Some(70));
    // The same alert twice in one call: the last word counts.
    store.save_alerts(&[mass, closed.clone()]).await.unwrap();
    assert_eq!(read(open(true), 9).await, []);
    let before_60 = Expiry {
        alerts: Recent::since(at(60)),
        ..expiry(0, 0)
    };
    assert_eq!(store.prune(&before_60).await.unwrap(), 1);
    assert_eq!(read(all, 9).await, [young, closed]);
}

async fn the_health_history_is_bounded_by_time_and_rows(store: AnyStore) {
    let point = |moment| HealthRecord {
        at: at(moment),
        health: SystemHealth::Critical,
        rules: vec![HealthRule::StoreUnavailable, HealthRule::MassFailureHeld],
        active_instances: 1,
        failed_instances: u32::MAX,
        total_instances: 3,
        capacity: 4,
        assigned_streams: 5,
        orphaned_streams: 6,
    };
    let points: Vec<_> = (1..=9).map(point).collect();
    store.save_health(&points).await.unwrap();
    store.save_health(&points[..2]).await.unwrap();
    let moments = async |before: Option<i64>, limit| -> Vec<i64> {
        let found = store.health(before.map(at), limit).await.unwrap();
        found.iter().map(|point| point.at.as_micros()).collect()
    };
    let micros = |moments: &[i64]| -> Vec<i64> {
        moments
            .iter()
            .map(|moment| at(*moment).as_micros())
            .collect()
    };
    assert_eq!(store.health(None, 1).await.unwrap(), [point(9)]);
    assert_eq!(moments(Some(4), 2).await, micros(&[3, 2]));

    let old = Expiry {
        health: Recent::since(at(3)),
        ..expiry(0, 0)
    };
    assert_eq!(store.prune(&old).await.unwrap(), 2);
    assert_eq!(moments(None, 99).await, micros(&[9, 8, 7, 6, 5, 4, 3]));
    let many = Expiry {
        most_health_rows: 3,
        ..expiry(0, 0)
    };
    assert_eq!(store.prune(&many).await.unwrap(), 4);
    assert_eq!(store.prune(&many).await.unwrap(), 0);
    assert_eq!(moments(None, 99).await, micros(&[9, 8, 7]));
}

async fn a_point_of_a_series_replaces_the_one_of_its_place(store: AnyStore) {
    let point = |resolution, slot, load| SeriesPoint {
        resolution,
        slot,
        samples: 1,
        heartbeats: 2,
        failures: 3,
        moves: 4,
        waiting: 5,
        instances: 6,
        load,
    };
    let places = i64::try_from(Resolution::Fine.places()).unwrap();
    assert_eq!(store.series().await.unwrap(), []);
    let first = point(Resolution::Fine, 7, 1);
    let others = [
        point(Resolution::Fine, 8, i64::MAX.unsigned_abs()),
        point(Resolution::Coarse, 7, 0),
        point(Resolution::Coarse, -1, 0),
    ];
    store.save_series(&[first]).await.unwrap();
    store.save_series(&others).await.unwrap();
    let grown = SeriesPoint {
        samples: 2,
        ..first
    };
    store.save_series(&[grown]).await.unwrap();
    let all = async || {
        let mut found = store.series().await.unwrap();
        found.sort_by_key(|point| (point.resolution, point.slot));
        found
    };
    let [second, coarse, early] = others;
    assert_eq!(all().await, [grown, second, early, coarse]);
    let later = point(Resolution::Fine, 7 + places, 9);
    store.save_series(&[later]).await.unwrap();
    assert_eq!(all().await, [second, later, early, coarse]);
    let many: Vec<_> = (0..places)
        .map(|slot| point(Resolution::Fine, slot, 0))
        .collect();
    store.save_series(&many).await.unwrap();
    assert_eq!(all().await.len(), many.len() + 2);
}

async fn the_census_counts(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    // Byte order, which a collation of words would not give.
    let draft = Draft::default()
        .instance(instance("b"))
        .instance(instance("A"))
        .instance(instance("a-1"))
        .instance(instance("a1"))
        .instance(instance("Z"))
        .stream(stream(1), assigned("b", 1))
        .stream(stream(2), assigned("A", 2))
        .stream(stream(3), assigned("b", 3))
        .stream(stream(4), assigned("a-1", 4))
        .stream(stream(5), assigned("a1", 5))
        .stream(stream(6), unclaimed());
    store.save(guard, draft.decided(1, 5)).await.unwrap();
    let census = store.census().await.unwrap();
    assert_eq!(census.guard, guard.after_save());
    assert_eq!(census.counter, Epoch::new(5));
    assert_eq!((census.instances, census.streams), (5, 6));
    assert_eq!(
        census.owned,
        [
            ("A".into(), 1),
            ("a-1".into(), 1),
            ("a1".into(), 1),
            ("b".into(), 2)
        ]
    );
}

async fn it_answers(store: AnyStore) {
    store.ping().await.unwrap();
}
