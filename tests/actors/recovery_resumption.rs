//! The orchestrator is stopped between every two steps of a recovery; the next one ends what was
//! begun, or carries it on (I8).

use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::incident::{
    FailureCause, Incident, IncidentOutcome, IncidentState,
};
use resilient_orchestrator::domain::instance::InstanceStatus;

use crate::faults::Fault;
use crate::restart::life;
use crate::rig::{Rig, pass};
use crate::support_log::expect_errors;

/// What begins a recovery of `a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Timeout,
    Report,
    TakenOut,
}

/// At which transaction of the recovery the orchestrator dies, and whether it was written.
const STOPS: [(usize, Fault); 6] = [
    (0, Fault::HaltBefore),
    (0, Fault::HaltAfter),
    (1, Fault::HaltBefore),
    (1, Fault::HaltAfter),
    (2, Fault::HaltBefore),
    (2, Fault::HaltAfter),
];

/// `a` holds four streams and falls silent, `b` has room for three and beats. The orchestrator
/// dies at the stop.
async fn stopped(trigger: Trigger, (saves, fault): (usize, Fault)) -> Rig {
    let rig = Rig::in_paused_time(SystemSettings::default()).await;
    rig.streams(4).await;
    rig.register("a", 4).await;
    rig.ask_for("a", 4).await;
    rig.register("b", 3).await;
    rig.keep_beating(&["b"]);
    pass(299.0).await;
    let script = std::iter::repeat_n(Fault::Fine, saves).chain([fault]);
    rig.store.script_saves(script);
    let orchestrator = rig.orchestrator.clone();
    actix::spawn(async move {
        match trigger {
            Trigger::Timeout => {}
            Trigger::Report => {
                let _ = orchestrator.report_failure("a".into()).await;
            }
            Trigger::TakenOut => {
                let reason = "it does nothing".to_owned();
                let _ = orchestrator.emergency("a".into(), reason).await;
            }
        }
    });
    pass(5.0).await;
    assert!(rig.store.is_halted(), "{trigger:?} {saves} {fault:?}");
    rig
}

fn no_incident_is_open(rig: &Rig) {
    let incidents = rig.incidents();
    let open = incidents
        .iter()
        .find(|incident| incident.state() == IncidentState::Open);
    assert_eq!(open, None);
}

/// Runs the two lives; returns the incidents and who held what a few seconds after the second
/// start.
fn survive(trigger: Trigger, stop: (usize, Fault)) -> (Vec<Incident>, usize, InstanceStatus) {
    let first = life(async |_| stopped(trigger, stop).await, None);
    let mut seen = None;
    life(
        async |before| {
            let rig = before.unwrap().again(SystemSettings::default()).await;
            rig.keep_beating(&["b"]);
            pass(5.0).await;
            no_incident_is_open(&rig);
            rig.invariants_hold().await;
            let held = rig.held("a").await.len();
            seen = Some((rig.incidents(), held, rig.status("a")));
            pass(400.0).await;
            no_incident_is_open(&rig);
            rig.invariants_hold().await;
            assert_eq!(rig.held("a").await, Vec::<i64>::new() as Vec<i64>);
            assert_eq!(rig.held("b").await, [1, 2, 3], "nothing moved twice");
            let moved = rig.incidents();
            let moved: u32 = moved.iter().map(|incident| incident.streams_moved).sum();
            let orphaned = rig.incidents();
            let orphaned: u32 = orphaned
                .iter()
                .map(|incident| incident.streams_orphaned)
                .sum();
            assert_eq!((moved, orphaned), (3, 1), "I4: recorded once");
            rig
        },
        Some(first),
    );
    seen.unwrap()
}

#[test]
fn a_timeout_that_was_not_acted_on_is_judged_anew_with_full_grace() {
    expect_errors(&["alert streams_orphaned"]);
    for stop in [STOPS[0], STOPS[1], STOPS[2]] {
        let (incidents, held, status) = survive(Trigger::Timeout, stop);
        assert_eq!((held, status), (4, InstanceStatus::Suspect), "{stop:?}");
        if stop == STOPS[0] {
            assert_eq!(incidents, []);
        } else {
            let [incident] = incidents.as_slice() else {
                panic!("{incidents:?}");
            };
            assert_eq!(incident.outcome, Some(IncidentOutcome::Interrupted));
            assert_eq!(incident.cause, FailureCause::HeartbeatTimeout);
        }
    }
}

#[test]
fn moves_that_were_saved_are_verified_and_their_incident_ends() {
    expect_errors(&["alert streams_orphaned"]);
    for trigger in [Trigger::Timeout, Trigger::Report, Trigger::TakenOut] {
        for stop in [STOPS[3], STOPS[4], STOPS[5]] {
            let (incidents, held, status) = survive(trigger, stop);
            let expected = match trigger {
                Trigger::Timeout | Trigger::Report => InstanceStatus::Failed,
                Trigger::TakenOut => InstanceStatus::Maintenance,
            };
            assert_eq!((held, status), (0, expected), "{trigger:?} {stop:?}");
            let [incident] = incidents.as_slice() else {
                panic!("{incidents:?}");
            };
            let partially = Some(IncidentOutcome::RecoveredPartially);
            assert_eq!(incident.outcome, partially, "{trigger:?} {stop:?}");
            assert_eq!((incident.streams_moved, incident.attempts), (3, 1));
        }
    }
}

#[test]
fn what_a_person_asked_for_is_carried_on() {
    expect_errors(&["alert streams_orphaned"]);
    for trigger in [Trigger::Report, Trigger::TakenOut] {
        for stop in [STOPS[1], STOPS[2]] {
            let (incidents, held, status) = survive(trigger, stop);
            let (expected, cause, reason) = match trigger {
                Trigger::Report | Trigger::Timeout => {
                    (InstanceStatus::Failed, FailureCause::Reported, None)
                }
                Trigger::TakenOut => (
                    InstanceStatus::Maintenance,
                    FailureCause::Emergency,
                    Some("it does nothing"),
                ),
            };
            assert_eq!((held, status), (0, expected), "{trigger:?} {stop:?}");
            let [incident] = incidents.as_slice() else {
                panic!("{incidents:?}");
            };
            assert_eq!(incident.cause, cause);
            let reason = reason.map(|reason: &str| reason.to_owned().into());
            assert_eq!(incident.reason, reason);
            assert_eq!(incident.attempts, 2);
            let attempts: Vec<u32> = incident.steps.iter().map(|step| step.attempt).collect();
            assert!(attempts.is_sorted(), "{:?}", incident.steps);
            assert_eq!((attempts.first(), attempts.last()), (Some(&1), Some(&2)));
        }
    }
}

#[test]
fn an_instance_that_registered_again_before_the_next_start_is_left_alone() {
    let first = life(async |_| stopped(Trigger::Report, STOPS[2]).await, None);
    // Its registration is the first that is saved, before anything is resumed, in a life that
    // dies at once.
    let second = life(
        async |before| {
            let rig = before.unwrap().again(SystemSettings::default()).await;
            rig.store.script_saves([Fault::Fine, Fault::HaltBefore]);
            let _ = tokio::join!(rig.try_register("a", 4), pass(1.0));
            rig
        },
        Some(first),
    );
    life(
        async |before| {
            let rig = before.unwrap().again(SystemSettings::default()).await;
            rig.keep_beating(&["a", "b"]);
            pass(400.0).await;
            no_incident_is_open(&rig);
            rig.invariants_hold().await;
            rig
        },
        Some(second),
    );
}
