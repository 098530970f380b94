//! One cause makes one alert.
//!
//! What follows from a cause joins its alert, whose sentence says so, and opens none of its own:
//!
//! | cause | alert | what joins it |
//! | --- | --- | --- |
//! | the database does not answer | `store_unavailable` of `database` | the breakers of reads and of writes, health rule `store_unavailable` |
//! | many instances fell silent at once | `mass_failure` | health rules `mass_failure_held`, `active_ratio_critical`, `instance_failure_rate` |
//! | a recovery used up its attempts | `recovery_exhausted` of the instance | `emergency_recovery` of it, health rule `emergency_unresolved` |
//! | an emergency recovery | `emergency_recovery` of the instance | health rule `emergency_unresolved` |
//! | a rack, a network or the fleet is lost | `instance_failed` of it (`lost.rs`) | the failures of its instances |
//! | instances have failed | `instance_failed` | health rules `active_ratio_critical`, `instance_failure_rate` |
//!
//! Which kind follows from which is a column of the rules (`rule.rs`). `system_health` is left for causes without another alert.

use super::kind::AlertKind;
use crate::health::HealthRule;

/// The subject of the alert about the database, whichever of its breakers is open.
pub const DATABASE: &str = "database";

/// The alert that the actor opens which detects the cause of a rule, if there is one. Rules that only
/// degrade the system open no alert at all. Each failed instance is in an alert.
const fn told_by(rule: HealthRule, has_failed: bool) -> Option<AlertKind> {
    match rule {
        HealthRule::EmergencyUnresolved => Some(AlertKind::EmergencyRecovery),
        HealthRule::MassFailureHeld => Some(AlertKind::MassFailure),
        HealthRule::StoreUnavailable => Some(AlertKind::StoreUnavailable),
        HealthRule::ActiveRatioCritical | HealthRule::InstanceFailureRate => match has_failed {
            true => Some(AlertKind::InstanceFailed),
            false => None,
        },
        HealthRule::ActiveRatioDegraded
        | HealthRule::CapacityUtilization
        | HealthRule::RecentCriticalFailures => None,
    }
}

/// Whether a rule follows from another one that holds.
fn follows(rule: HealthRule, holding: &[HealthRule]) -> bool {
    match rule {
        HealthRule::ActiveRatioCritical | HealthRule::InstanceFailureRate => {
            holding.contains(&HealthRule::MassFailureHeld)
        }
        HealthRule::ActiveRatioDegraded
        | HealthRule::CapacityUtilization
        | HealthRule::EmergencyUnresolved
        | HealthRule::MassFailureHeld
        | HealthRule::StoreUnavailable
        | HealthRule::RecentCriticalFailures => false,
    }
}

/// The rules among those that hold which have no other alert. `has_failed`: whether an instance is failed
/// now.
pub fn untold(holding: &[HealthRule], has_failed: bool) -> impl Iterator<Item = HealthRule> {
    let rules = holding.iter().copied();
    rules.filter(move |rule| told_by(*rule, has_failed).is_none() && !follows(*rule, holding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_other_alert_tells_of_is_left_for_the_system() {
        use HealthRule::{
            ActiveRatioCritical, CapacityUtilization, EmergencyUnresolved, InstanceFailureRate,
            MassFailureHeld, RecentCriticalFailures, StoreUnavailable,
        };
        let table: [(&[HealthRule], &[HealthRule]); 7] = [
            (&[], &[]),
            (&[StoreUnavailable], &[]),
            (&[EmergencyUnresolved], &[]),
            (
                &[ActiveRatioCritical, InstanceFailureRate, MassFailureHeld],
                &[],
            ),
            (
                &[ActiveRatioCritical, InstanceFailureRate],
                &[ActiveRatioCritical, InstanceFailureRate],
            ),
            (
                &[ActiveRatioCritical, StoreUnavailable],
                &[ActiveRatioCritical],
            ),
            (
                &[CapacityUtilization, RecentCriticalFailures],
                &[CapacityUtilization, RecentCriticalFailures],
            ),
        ];
        for (holding, left) in table {
            let untold = |has_failed| untold(holding, has_failed).collect::<Vec<_>>();
            assert_eq!(untold(false), left, "{holding:?}");
            let mut left = left.to_vec();
            left.retain(|rule| ![ActiveRatioCritical, InstanceFailureRate].contains(rule));
            assert_eq!(untold(true), left, "{holding:?}, and instances have failed");
        }
    }

    #[test]
    fn no_cause_follows_from_what_follows_from_it() {
        for kind in AlertKind::ALL.iter().copied() {
            let mut causes =
                std::iter::successors(Some(kind), |kind| kind.rule().follows_from).skip(1);
            assert!(causes.all(|cause| cause != kind), "{kind}");
        }
    }
}
