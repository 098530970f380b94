//! Leases: what is exclusive is given away only when nobody can run it any more.

use std::time::Duration;

use resilient_orchestrator::actors::recovery::{Departure, Forced, Remove};
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::commands::{
    AssignOutcome, AssignStreams, Recovered, ReleaseStreams, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::ids::{AssignmentVersion, InstanceId, StreamId};
use resilient_orchestrator::domain::incident::{
    FailureCause, Incident, IncidentOutcome, StepName, StepResult,
};
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::queries::{ChangesSince, SetUpdate};
use resilient_orchestrator::domain::settings::{LivenessThresholds, WorkerLimits};
use resilient_orchestrator::domain::stream::StreamState;
use resilient_orchestrator::domain::withdrawal::WithdrawalCause;

use crate::faults::{Fault, Outage};
use crate::rig::{Rig, pass, report, settle_down, spec};
use crate::support_log::expect_errors;

/// The default lease and its margin.
const LEASE: f64 = 240.0;
const MARGIN: f64 = 30.0;

/// `a` is leased and runs streams 1 to 3; `b` is classic and has room.
async fn fleet() -> Rig {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 3).await;
    rig.ask_for("a", 3).await;
    rig.register("b", 9).await;
    rig.keep_beating(&["b"]);
    assert!(beat(&rig, "a", None).await, "a lease is granted");
    rig
}

/// A heartbeat that names its life, with the version the worker has; whether it got a lease.
async fn beat(rig: &Rig, id: &str, version: Option<AssignmentVersion>) -> bool {
    let mut heartbeat = report(id);
    heartbeat.incarnation = Some(rig.entry(id).standing().incarnation);
    heartbeat.version = version;
    let answer = rig.orchestrator.heartbeat(heartbeat).await.unwrap();
    settle_down().await;
    answer.granted.is_some()
}

/// The version of its set that an instance would have if it followed.
fn newest(rig: &Rig, id: &str) -> AssignmentVersion {
    rig.entry(id).standing().assignment_version
}

/// Tells the worker of an instance all that is new, and hears that it followed.
async fn follow(rig: &Rig, id: &str) -> bool {
    beat(rig, id, Some(newest(rig, id))).await
}

/// What the worker of an instance is told to run.
async fn told(rig: &Rig, id: &str) -> Vec<i64> {
    let question = ChangesSince {
        id: id.into(),
        incarnation: None,
        version: AssignmentVersion::new(0),
    };
    match rig
        .orchestrator
        .ask(question)
        .await
        .unwrap()
        .unwrap()
        .update
    {
        SetUpdate::Full { assign } => assign.iter().map(|(stream, _)| stream.id.get()).collect(),
        other => panic!("{other:?}"),
    }
}

async fn fail(rig: &Rig) -> Recovered {
    rig.orchestrator.report_failure("a".into()).await.unwrap()
}

async fn remove(rig: &Rig) -> Departure {
    rig.orchestrator
        .remove(Remove::by_operator("a".into()))
        .await
        .unwrap()
}

/// Nothing of `a` is anybody else's.
async fn nothing_moved(rig: &Rig) {
    assert_eq!(rig.held("a").await, [1, 2, 3]);
    assert_eq!(rig.held("b").await, [0; 0]);
    rig.invariants_hold().await;
}

async fn all_moved(rig: &Rig) {
    assert_eq!(rig.held("b").await, [1, 2, 3]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_reported_failure_waits_for_the_lease_and_its_margin() {
    let rig = fleet().await;
    let granted = rig.clock.wall();
    pass(5.0).await;
    let recovered = fail(&rig).await;
    let until = recovered.waiting_until.unwrap();
    let lease = until.since(granted).as_secs_f64();
    assert!((lease - LEASE - MARGIN).abs() < 0.1, "{lease}");
    assert_eq!(told(&rig, "a").await, [0; 0], "its worker is to stop");
    assert!(!beat(&rig, "a", None).await, "nothing is granted any more");
    let asked = rig.ask_for("a", 3).await;
    assert!(matches!(asked, AssignOutcome::Withdrawn), "{asked:?}");

    let again = fail(&rig).await;
    assert_eq!(again.incident, recovered.incident, "who comes later joins");
    pass(LEASE + MARGIN - 6.0).await;
    nothing_moved(&rig).await;
    pass(1.5).await;
    all_moved(&rig).await;
    let incidents = rig.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].attempts, 1, "waiting is no attempt");
    let waited = incidents[0].steps.iter();
    let waited = waited.filter(|step| step.name == StepName::AwaitLease);
    assert_eq!(waited.count(), 1);
    assert!(incidents[0].ended_at.is_some());
}

#[actix::test]
async fn a_worker_that_lets_go_ends_the_wait() {
    let rig = fleet().await;
    fail(&rig).await;
    follow(&rig, "a").await;
    all_moved(&rig).await;
    settle_down().await;
    assert!(!rig.status("a").is_serving() || rig.status("a") == InstanceStatus::Recovering);
    assert!(rig.incidents()[0].ended_at.is_some());
}

#[actix::test]
async fn what_is_released_by_hand_moves_at_once_and_the_rest_with_the_lease() {
    let rig = fleet().await;
    fail(&rig).await;
    let release = ReleaseStreams {
        epochs: None,
        id: "a".into(),
        incarnation: Some(rig.entry("a").standing().incarnation),
        streams: vec![StreamId::new(2)],
        reason: None,
    };
    rig.orchestrator.execute(release).await.unwrap();
    assert_eq!(rig.held("b").await, [2]);
    assert_eq!(rig.held("a").await, [1, 3]);
    pass(LEASE + MARGIN + 1.0).await;
    all_moved(&rig).await;
}

#[actix::test]
async fn a_silence_needs_no_wait() {
    let rig = fleet().await;
    pass(299.0).await;
    nothing_moved(&rig).await;
    pass(2.0).await;
    all_moved(&rig).await;
    let steps = rig.incidents()[0].steps.clone();
    assert!(steps.iter().all(|step| step.name != StepName::AwaitLease));
}

#[actix::test]
async fn a_classic_instance_is_moved_at_once() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 3).await;
    rig.ask_for("a", 3).await;
    rig.register("b", 9).await;
    rig.beat("a").await;
    assert_eq!(fail(&rig).await.waiting_until, None);
    all_moved(&rig).await;
}

#[actix::test]
async fn what_may_be_run_twice_does_not_wait() {
    let rig = fleet().await;
    let overlap = SaveStreams {
        streams: vec![StreamSpec {
            handoff: Some(HandoverMode::Overlap),
            ..spec(2)
        }],
    };
    rig.orchestrator.execute(overlap).await.unwrap();
    let recovered = fail(&rig).await;
    let moved = vec![(StreamId::new(2), InstanceId::from("b"))];
    assert_eq!(recovered.evacuation.moved, moved);
    assert!(recovered.waiting_until.is_some());
    assert_eq!(rig.held("b").await, [2]);
    pass(LEASE + MARGIN + 1.0).await;
    all_moved(&rig).await;
}

#[actix::test]
async fn room_of_one_that_is_to_let_go_is_no_room() {
    let rig = fleet().await;
    rig.orchestrator
        .remove(Remove::by_operator("b".into()))
        .await
        .unwrap();
    let overlap = SaveStreams {
        streams: vec![StreamSpec {
            handoff: Some(HandoverMode::Overlap),
            ..spec(2)
        }],
    };
    rig.orchestrator.execute(overlap).await.unwrap();
    remove(&rig).await;
    assert_eq!(rig.place(2).await, StreamState::Orphaned, "not pushed back");
    assert_eq!(rig.held("a").await, [1, 3]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn no_lease_is_granted_before_it_is_saved_that_there_are_any() {
    let rig = Rig::start().await;
    rig.register("a", 3).await;
    rig.store.set_outage(Some(Outage::Refusing));
    assert!(!beat(&rig, "a", None).await);
    assert!(!rig.entry("a").standing().leased);
    rig.store.set_outage(Some(Outage::Hanging));
    assert!(
        !beat(&rig, "a", None).await,
        "and the heartbeat is answered"
    );
    rig.store.set_outage(None);
    pass(20.0).await;
    assert!(beat(&rig, "a", None).await);
    assert!(rig.entry("a").standing().leased);
}

#[actix::test]
async fn one_that_beats_without_its_life_is_leased_until_its_lease_is_over() {
    let rig = fleet().await;
    rig.beat("a").await;
    assert!(
        rig.entry("a").standing().leased,
        "somebody may run under it"
    );
    for _ in 0..9 {
        pass(30.0).await;
        rig.beat("a").await;
    }
    settle_down().await;
    assert!(!rig.entry("a").standing().leased);
    assert_eq!(fail(&rig).await.waiting_until, None);
    all_moved(&rig).await;
}

#[actix::test]
async fn an_instance_that_leaves_is_forgotten_when_its_lease_is_over() {
    let rig = fleet().await;
    let departure = remove(&rig).await;
    assert!(departure.waiting_until.is_some());
    assert_eq!(
        rig.entry("a").standing().withdrawn,
        Some(WithdrawalCause::Removal)
    );
    pass(LEASE + MARGIN - 1.0).await;
    nothing_moved(&rig).await;
    assert!(
        remove(&rig).await.waiting_until.is_some(),
        "twice is harmless"
    );
    pass(2.0).await;
    all_moved(&rig).await;
    assert!(rig.orchestrator.registry().get(&"a".into()).is_none());
    assert!(rig.incidents().is_empty(), "leaving is no incident");
}

#[actix::test]
async fn an_instance_that_leaves_and_lets_go_is_forgotten_at_once() {
    let rig = fleet().await;
    remove(&rig).await;
    follow(&rig, "a").await;
    all_moved(&rig).await;
    settle_down().await;
    assert!(rig.orchestrator.registry().get(&"a".into()).is_none());
}

#[actix::test]
async fn registering_again_ends_the_removal() {
    let rig = fleet().await;
    remove(&rig).await;
    rig.register("a", 3).await;
    settle_down().await;
    assert_eq!(told(&rig, "a").await, [1, 2, 3]);
    rig.keep_beating(&["a"]);
    pass(600.0).await;
    nothing_moved(&rig).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
}

/// What was promised goes on after a restart, and the lease is taken to have been granted then.
async fn survives_a_restart(is_removed: bool) {
    let rig = fleet().await;
    if is_removed {
        remove(&rig).await;
    } else {
        fail(&rig).await;
    }
    pass(100.0).await;
    let rig = rig.again(SystemSettings::default()).await;
    rig.keep_beating(&["b"]);
    settle_down().await;
    assert!(!beat(&rig, "a", None).await, "nothing is granted");
    pass(LEASE + MARGIN - 1.0).await;
    nothing_moved(&rig).await;
    pass(2.0).await;
    all_moved(&rig).await;
    let is_known = rig.orchestrator.registry().get(&"a".into()).is_some();
    assert_eq!(is_known, !is_removed);
}

#[actix::test]
async fn a_removal_survives_a_restart() {
    survives_a_restart(true).await;
}

#[actix::test]
async fn a_failure_that_waits_survives_a_restart() {
    survives_a_restart(false).await;
}

#[actix::test]
async fn an_emergency_ends_in_maintenance_when_the_lease_is_over() {
    expect_errors(&["alert emergency_recovery"]);
    ends_in_maintenance(false).await;
}

#[actix::test]
async fn an_emergency_that_waits_survives_a_restart() {
    expect_errors(&["alert emergency_recovery"]);
    ends_in_maintenance(true).await;
}

async fn ends_in_maintenance(restarts: bool) {
    let mut rig = fleet().await;
    let reason = "it hears nothing".to_owned();
    let ordered = rig.orchestrator.emergency("a".into(), reason.clone());
    let ordered = ordered.await.unwrap();
    assert!(ordered.is_success());
    assert!(ordered.recovered.waiting_until.is_some());
    let results: Vec<_> = ordered.steps.iter().map(|step| step.result).collect();
    let (done, skipped) = (StepResult::Done, StepResult::Skipped);
    assert_eq!(results, [done, skipped, skipped, skipped]);
    nothing_moved(&rig).await;
    if restarts {
        rig = rig.again(SystemSettings::default()).await;
        rig.keep_beating(&["b"]);
    }
    pass(LEASE + MARGIN + 1.0).await;
    all_moved(&rig).await;
    assert_eq!(rig.status("a"), InstanceStatus::Maintenance);
    let incidents = rig.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].cause, FailureCause::Emergency);
    assert_eq!(incidents[0].reason, Some(reason.into()));
    let forced = rig.orchestrator.force_recovery("a".into()).await.unwrap();
    assert!(matches!(forced, Forced::Released(_)), "{forced:?}");
}

#[actix::test]
async fn an_emergency_joins_the_failure_that_waits() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    fail(&rig).await;
    let order = rig.orchestrator.emergency("a".into(), "worse".to_owned());
    assert!(order.await.unwrap().recovered.waiting_until.is_some());
    pass(LEASE + MARGIN + 1.0).await;
    all_moved(&rig).await;
    assert_eq!(rig.status("a"), InstanceStatus::Maintenance);
    assert_eq!(rig.incidents().len(), 1);
    assert_eq!(rig.incidents()[0].reason, Some("worse".to_owned().into()));
}

/// The end of the lease comes while the store is out: what was promised is done when it is back,
/// and somebody who asks meanwhile and is refused does not undo it.
#[actix::test]
async fn what_was_promised_is_kept_through_an_outage() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = fleet().await;
    fail(&rig).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(LEASE + MARGIN + 10.0).await;
    assert!(rig.orchestrator.report_failure("a".into()).await.is_err());
    nothing_moved(&rig).await;
    rig.store.set_outage(None);
    pass(70.0).await;
    all_moved(&rig).await;
}

#[actix::test]
async fn a_removal_that_cannot_be_saved_leaves_the_instance_as_it_was() {
    let rig = fleet().await;
    rig.store.script_saves([Fault::Unavailable]);
    assert!(
        rig.orchestrator
            .remove(Remove::by_operator("a".into()))
            .await
            .is_err()
    );
    settle_down().await;
    assert!(beat(&rig, "a", None).await, "the fence is down");
    nothing_moved(&rig).await;
}

/// A worker may ask for what it is owed, but not for what is being taken from it.
#[actix::test]
async fn what_is_being_taken_is_not_handed_out_again() {
    let rig = fleet().await;
    remove(&rig).await;
    let ask = AssignStreams {
        id: "a".into(),
        incarnation: None,
        requested: 3,
    };
    let outcome = rig.orchestrator.execute(ask).await.unwrap();
    assert!(matches!(outcome, AssignOutcome::Withdrawn), "{outcome:?}");
    rig.try_streams(4..=9).await.unwrap();
    pass(Duration::from_secs(5).as_secs_f64()).await;
    assert_eq!(rig.held("a").await, [1, 2, 3]);
}

/// A lease outlives the settings it was granted under.
#[actix::test]
async fn a_shorter_timeout_after_a_restart_does_not_cut_a_lease_short() {
    let rig = fleet().await;
    let thresholds = LivenessThresholds::from_timeout(Duration::from_secs(60));
    let shorter = SystemSettings {
        thresholds,
        worker_limits: WorkerLimits::from_thresholds(&thresholds),
        ..SystemSettings::default()
    };
    let rig = rig.again(shorter).await;
    fail(&rig).await;
    rig.keep_beating(&["b"]);
    pass(LEASE - 1.0).await;
    assert_eq!(rig.held("b").await, [0; 0]);
    pass(10.0).await;
    all_moved(&rig).await;
}

#[actix::test]
async fn a_longer_lease_is_saved_before_it_is_granted() {
    let rig = fleet().await;
    let thresholds = LivenessThresholds::from_timeout(Duration::from_secs(3_000));
    let longer = SystemSettings {
        thresholds,
        worker_limits: WorkerLimits::from_thresholds(&thresholds),
        ..SystemSettings::default()
    };
    let rig = rig.again(longer).await;
    rig.store.set_outage(Some(Outage::Refusing));
    assert!(!beat(&rig, "a", None).await, "it cannot be saved");
    rig.store.set_outage(None);
    pass(20.0).await;
    assert!(beat(&rig, "a", None).await);
    assert_eq!(rig.entry("a").standing().lease, Duration::from_secs(2_400));
}

#[actix::test]
async fn a_report_about_a_new_life_is_not_answered_by_the_recovery_of_the_old_one() {
    let rig = fleet().await;
    fail(&rig).await;
    rig.register("a", 3).await;
    assert!(beat(&rig, "a", None).await, "the new life is leased, too");
    let recovered = fail(&rig).await;
    assert!(recovered.waiting_until.is_some(), "{recovered:?}");
    assert!(!beat(&rig, "a", None).await, "nothing is granted any more");
    pass(LEASE + MARGIN + 1.0).await;
    all_moved(&rig).await;
}

#[actix::test]
async fn who_stops_naming_its_life_is_still_bound_by_the_margin_of_its_last_lease() {
    let rig = fleet().await;
    for _ in 0..3 {
        pass((LEASE + 0.5 * MARGIN) / 3.0).await;
        rig.beat("a").await;
    }
    let recovered = fail(&rig).await;
    assert!(recovered.waiting_until.is_some(), "{recovered:?}");
    nothing_moved(&rig).await;
    pass(0.5 * MARGIN).await;
    all_moved(&rig).await;
}

async fn take_out(rig: &Rig) {
    let reason = "kernel update".to_owned();
    let ordered = rig.orchestrator.emergency("a".into(), reason).await;
    assert!(ordered.unwrap().is_success());
}

/// The worker of `a` gives one stream back by itself.
async fn release(rig: &Rig, stream: i64) {
    let release = ReleaseStreams {
        epochs: None,
        id: "a".into(),
        incarnation: Some(rig.entry("a").standing().incarnation),
        streams: vec![StreamId::new(stream)],
        reason: None,
    };
    rig.orchestrator.execute(release).await.unwrap();
    settle_down().await;
}

fn counts(rig: &Rig) -> Vec<(u32, u32, u32)> {
    let incidents = rig.incidents();
    let counts = incidents.iter().map(|incident| {
        let Incident {
            streams_affected,
            streams_moved,
            streams_orphaned,
            ..
        } = incident;
        (*streams_affected, *streams_moved, *streams_orphaned)
    });
    counts.collect()
}

#[actix::test]
async fn an_emergency_of_an_obedient_worker_counts_what_it_handed_over() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    take_out(&rig).await;
    follow(&rig, "a").await;
    settle_down().await;
    all_moved(&rig).await;
    assert_eq!(rig.status("a"), InstanceStatus::Maintenance);
    assert_eq!(counts(&rig), [(3, 3, 0)]);
    assert_eq!(rig.incidents()[0].outcome, Some(IncidentOutcome::Recovered));
    let events = rig.events();
    let taken = events.iter().find_map(|event| match event {
        Event::EmergencyRecovered { streams, .. } => Some(*streams),
        _ => None,
    });
    assert_eq!(taken, Some(3));
    let ended = events.iter().find_map(|event| match event {
        Event::RecoveryEnded { moved, .. } => Some(*moved),
        _ => None,
    });
    assert_eq!(ended, Some(3));
    let steps = &rig.incidents()[0].steps;
    let step = |name| steps.iter().find(|step| step.name == name).unwrap();
    assert_eq!(
        step(StepName::ForceRelease).detail,
        "3 taken from the instance; 3 of them its worker handed over"
    );
}

#[actix::test]
async fn an_order_that_succeeded_is_no_critical_failure() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    take_out(&rig).await;
    pass(2.0).await;
    let during = rig.orchestrator.system_health().await.unwrap();
    assert_eq!(during.emergencies, 1, "it is under way");
    follow(&rig, "a").await;
    pass(2.0).await;
    let after = rig.orchestrator.system_health().await.unwrap();
    assert_eq!((after.critical_failures, after.emergencies), (0, 0));
    assert_eq!(after.verdict.rules, []);
}

#[actix::test]
async fn an_order_that_leaves_streams_without_an_instance_is_a_critical_failure() {
    expect_errors(&["alert emergency_recovery", "alert streams_orphaned"]);
    let rig = fleet().await;
    rig.orchestrator
        .remove(Remove::by_operator("b".into()))
        .await
        .unwrap();
    take_out(&rig).await;
    follow(&rig, "a").await;
    pass(2.0).await;
    assert_eq!(counts(&rig), [(3, 0, 3)]);
    let health = rig.orchestrator.system_health().await.unwrap();
    assert_eq!(health.critical_failures, 1);
}

#[actix::test]
async fn a_reported_failure_counts_what_was_handed_over_and_what_was_not() {
    let rig = fleet().await;
    fail(&rig).await;
    release(&rig, 2).await;
    assert_eq!(rig.held("b").await, [2]);
    pass(LEASE + MARGIN + 1.0).await;
    all_moved(&rig).await;
    assert_eq!(counts(&rig), [(3, 3, 0)]);
    let events = rig.events();
    let failed = events.iter().find_map(|event| match event {
        Event::InstanceFailed { streams, .. } => Some(*streams),
        _ => None,
    });
    assert_eq!(failed, Some(3));
}

#[actix::test]
async fn what_was_handed_over_before_a_restart_is_counted() {
    expect_errors(&["alert emergency_recovery"]);
    let rig = fleet().await;
    take_out(&rig).await;
    release(&rig, 2).await;
    let rig = rig.again(SystemSettings::default()).await;
    settle_down().await;
    follow(&rig, "a").await;
    settle_down().await;
    all_moved(&rig).await;
    assert_eq!(counts(&rig), [(3, 3, 0)]);
}

#[actix::test]
async fn what_left_before_the_worker_began_another_life_is_counted_once() {
    let rig = fleet().await;
    fail(&rig).await;
    release(&rig, 2).await;
    rig.register("a", 3).await;
    pass(LEASE + MARGIN + 1.0).await;
    assert_eq!(rig.held("b").await[..1], [2]);
    let averted = &rig.incidents()[0];
    assert_eq!(averted.outcome, Some(IncidentOutcome::Averted));
    assert_eq!(counts(&rig)[0], (3, 1, 0));
    rig.register("a", 3).await;
    fail(&rig).await;
    pass(LEASE + MARGIN + 1.0).await;
    let counted = counts(&rig);
    let later: u32 = counted[1..].iter().map(|(_, moved, _)| *moved).sum();
    assert!(later <= 2, "stream 2 is counted again: {counted:?}");
}

#[actix::test]
async fn a_removal_tells_how_many_streams_left() {
    let rig = fleet().await;
    remove(&rig).await;
    release(&rig, 2).await;
    follow(&rig, "a").await;
    settle_down().await;
    all_moved(&rig).await;
    let removed = rig.events().into_iter().find_map(|event| match event {
        Event::InstanceRemoved {
            moved, orphaned, ..
        } => Some((moved, orphaned)),
        _ => None,
    });
    assert_eq!(removed, Some((3, 0)));
}
