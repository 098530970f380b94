//! How an incident goes on that an earlier run of the program left open.

use crate::fleet::Standing;
use crate::incident::{FailureCause, Incident, Unmoved};
use crate::instance::InstanceStatus;

use super::pipeline::Applied;

/// The decision about an open incident after a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resumption {
    /// Its moves are saved: they are verified, and it ends.
    Verify(Box<Applied>),
    /// No stream was moved, and none will be: it ends.
    End(Unmoved),
    /// Its recovery goes on; the instance is read again first.
    Resume,
}

/// Decides about an open incident and its instance as it was loaded; `None`: the instance is not
/// registered.
///
/// The silence of a start is the orchestrator's own: an instance that was about to fail for its
/// silence is judged anew, at the earliest after the warning threshold (I6). An operator's order is carried out nevertheless.
pub fn resumption(incident: &Incident, now: Option<&Standing>) -> Resumption {
    if let Some(applied) = Applied::recorded(incident.clone()) {
        return Resumption::Verify(Box::new(applied));
    }
    let standing = match now {
        Some(standing) if standing.incarnation == incident.incarnation => standing,
        Some(_) | None => return Resumption::End(Unmoved::Averted),
    };
    let is_taken_out = incident.cause == FailureCause::Emergency;
    match standing.status {
        InstanceStatus::Active
        | InstanceStatus::Suspect
        | InstanceStatus::Recovering
        | InstanceStatus::Draining => match incident.cause {
            FailureCause::HeartbeatTimeout
            | FailureCause::EmergencyThreshold
            | FailureCause::FoundFailed => Resumption::End(Unmoved::Interrupted),
            FailureCause::Reported | FailureCause::Forced | FailureCause::Emergency => {
                Resumption::Resume
            }
        },
        InstanceStatus::Failed if standing.held > 0 || is_taken_out => Resumption::Resume,
        InstanceStatus::Failed => Applied::found_done(incident.clone(), standing)
            .map_or(Resumption::Resume, |done| {
                Resumption::Verify(Box::new(done))
            }),
        InstanceStatus::Maintenance if is_taken_out => Resumption::Resume,
        InstanceStatus::Maintenance | InstanceStatus::Inactive => Resumption::End(Unmoved::Averted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::StreamsDigest;
    use crate::ids::{AssignmentVersion, Incarnation, IncidentId};
    use crate::incident::{StepName, StepRecord, StepResult};
    use crate::time::WallTime;

    fn incident(cause: FailureCause) -> Incident {
        Incident {
            id: IncidentId::new(9),
            instance: "a".into(),
            incarnation: Incarnation::new(1),
            cause,
            detected_at: WallTime::from_micros(1),
            ended_at: None,
            outcome: None,
            streams_affected: 0,
            streams_moved: 0,
            streams_orphaned: 0,
            attempts: 1,
            reason: None,
            escalated_at: None,
            steps: Vec::new(),
        }
    }

    fn standing(status: InstanceStatus, held: usize) -> Standing {
        Standing {
            incarnation: Incarnation::new(1),
            status,
            assignment_version: AssignmentVersion::new(1),
            held,
            owned: held,
            undelivered: 0,
            unconfirmed: 0,
            leased: false,
            lease: std::time::Duration::ZERO,
            withdrawn: None,
            releasing: 0,
            lingering: 0,
            exclusive: 0,
            to_run: held,
            digest: StreamsDigest::default(),
            flaps: 0,
            silence_expected: false,
            processors: None,
        }
    }

    #[test]
    fn every_open_incident_ends_or_goes_on() {
        use FailureCause::{
            Emergency, EmergencyThreshold, Forced, FoundFailed, HeartbeatTimeout, Reported,
        };
        use InstanceStatus::{Active, Failed, Maintenance};
        let kind = |found: Resumption| match found {
            Resumption::Verify(_) => "verify",
            Resumption::End(Unmoved::Interrupted) => "interrupted",
            Resumption::End(Unmoved::Averted) => "averted",
            Resumption::End(Unmoved::Failed) => "failed",
            Resumption::Resume => "resume",
        };
        let (interrupted, averted, verify, resume) = ("interrupted", "averted", "verify", "resume");
        //          cause, active, failed with streams, failed and empty, in maintenance
        let table = [
            (HeartbeatTimeout, [interrupted, resume, verify, averted]),
            (EmergencyThreshold, [interrupted, resume, verify, averted]),
            (FoundFailed, [interrupted, resume, verify, averted]),
            (Reported, [resume, resume, verify, averted]),
            (Forced, [resume, resume, verify, averted]),
            (Emergency, [resume; 4]),
        ];
        for (cause, expected) in table {
            let states = [(Active, 1), (Failed, 1), (Failed, 0), (Maintenance, 0)];
            for ((status, held), expected) in states.into_iter().zip(expected) {
                let found = resumption(&incident(cause), Some(&standing(status, held)));
                assert_eq!(
                    kind(found),
                    expected,
                    "{cause} of one that is {status} with {held}"
                );
            }
            assert_eq!(kind(resumption(&incident(cause), None)), averted);
            let mut later = standing(Active, 1);
            later.incarnation = Incarnation::new(2);
            assert_eq!(kind(resumption(&incident(cause), Some(&later))), averted);
        }
    }

    #[test]
    fn saved_moves_are_verified_whatever_the_instance_does_now() {
        let mut applied = incident(FailureCause::HeartbeatTimeout);
        applied.steps.push(StepRecord {
            name: StepName::Apply,
            result: StepResult::Failed,
            attempt: 1,
            started_at: WallTime::from_micros(1),
            duration_us: 0,
            detail: String::new(),
        });
        let verifies = |incident: &Incident, now: Option<&Standing>| {
            matches!(resumption(incident, now), Resumption::Verify(_))
        };
        assert!(!verifies(&applied, None));
        for name in [StepName::Apply, StepName::Redistribute] {
            applied.steps[0].name = name;
            applied.steps[0].result = StepResult::Done;
            assert!(verifies(&applied, None));
            let back = standing(InstanceStatus::Recovering, 3);
            assert!(verifies(&applied, Some(&back)));
        }
    }
}
