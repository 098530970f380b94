//! The corrections of the safety sweep: where the last heartbeats and the saved state do not fit.
//!
//! Ordinarily the instances' actors notice everything at its exact time and the sweep finds
//! nothing. It finds what got lost: a message, an actor in quarantine, a command that was refused.

use super::incident::FailureCause;
use super::instance::InstanceStatus;
use super::liveness::Silence;

/// The facts about one instance that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Belief {
    /// The saved state.
    pub status: InstanceStatus,
    /// How many streams it owns.
    pub held: usize,
    /// Whether its lease was withdrawn for a recovery.
    pub is_condemned: bool,
    /// The stage of its silence.
    pub silence: Silence,
    /// Whether it has sent a heartbeat since that state was saved, or since the start. The grace of
    /// a start is no heartbeat.
    pub has_beaten: bool,
}

/// A correction. Each is safe to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// Begin its recovery; one that is under way goes on.
    Recover(FailureCause),
    /// Make it suspect: it is late.
    Suspect,
    /// End the suspicion: it is on time again.
    ClearSuspicion,
    /// Begin its probation: it failed and sends heartbeats again.
    Return,
}

/// Returns the correction, if the facts do not fit.
pub fn correction(belief: &Belief) -> Option<Correction> {
    // The recovery that withdrew its lease should be under way. If it was lost, it begins again.
    if belief.is_condemned {
        return Some(Correction::Recover(FailureCause::FoundFailed));
    }
    match (belief.status, belief.silence) {
        (
            InstanceStatus::Active
            | InstanceStatus::Suspect
            | InstanceStatus::Recovering
            | InstanceStatus::Draining,
            Silence::Silent | Silence::Emergency,
        ) => Some(Correction::Recover(FailureCause::HeartbeatTimeout)),
        (InstanceStatus::Active, Silence::Late) => Some(Correction::Suspect),
        (InstanceStatus::Suspect, Silence::OnTime) => {
            belief.has_beaten.then_some(Correction::ClearSuspicion)
        }
        (InstanceStatus::Failed, silence) => {
            if belief.held > 0 {
                Some(Correction::Recover(FailureCause::FoundFailed))
            } else {
                (belief.has_beaten && silence == Silence::OnTime).then_some(Correction::Return)
            }
        }
        (InstanceStatus::Active, Silence::OnTime)
        | (InstanceStatus::Suspect, Silence::Late)
        | (
            InstanceStatus::Recovering | InstanceStatus::Draining,
            Silence::OnTime | Silence::Late,
        )
        | (
            InstanceStatus::Maintenance | InstanceStatus::Inactive,
            Silence::OnTime | Silence::Late | Silence::Silent | Silence::Emergency,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(status: InstanceStatus, silence: Silence) -> Option<Correction> {
        correction(&Belief {
            status,
            held: 0,
            is_condemned: false,
            silence,
            has_beaten: true,
        })
    }

    #[test]
    fn silence_nobody_acted_on_is_recovered_whoever_may_own_streams() {
        for status in InstanceStatus::ALL {
            let recovers = find(status, Silence::Silent)
                == Some(Correction::Recover(FailureCause::HeartbeatTimeout));
            assert_eq!(recovers, status.is_serving(), "{status}");
        }
    }

    #[test]
    fn the_grace_of_a_start_is_no_heartbeat() {
        let suspect = Belief {
            status: InstanceStatus::Suspect,
            held: 1,
            is_condemned: false,
            silence: Silence::OnTime,
            has_beaten: false,
        };
        assert_eq!(correction(&suspect), None);
        let failed = Belief {
            status: InstanceStatus::Failed,
            held: 0,
            ..suspect
        };
        assert_eq!(correction(&failed), None);
    }

    #[test]
    fn what_beats_again_is_welcome() {
        assert_eq!(
            find(InstanceStatus::Suspect, Silence::OnTime),
            Some(Correction::ClearSuspicion)
        );
        assert_eq!(
            find(InstanceStatus::Failed, Silence::OnTime),
            Some(Correction::Return)
        );
        assert_eq!(find(InstanceStatus::Failed, Silence::Late), None);
    }

    #[test]
    fn a_lease_that_was_withdrawn_leads_to_a_recovery() {
        let belief = Belief {
            status: InstanceStatus::Active,
            held: 0,
            is_condemned: true,
            silence: Silence::OnTime,
            has_beaten: true,
        };
        assert_eq!(
            correction(&belief),
            Some(Correction::Recover(FailureCause::FoundFailed))
        );
    }

    #[test]
    fn a_failed_instance_that_owns_streams_loses_them_first() {
        let belief = Belief {
            status: InstanceStatus::Failed,
            held: 1,
            is_condemned: false,
            silence: Silence::OnTime,
            has_beaten: true,
        };
        assert_eq!(
            correction(&belief),
            Some(Correction::Recover(FailureCause::FoundFailed))
        );
    }
}
