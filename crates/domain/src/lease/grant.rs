//! Which lease a heartbeat is granted, and whether the answer tells it.

use std::time::Duration;

use crate::fleet::Standing;
use crate::ids::Incarnation;
use crate::settings::WorkerLimits;

/// A granted lease. Both times count from the moment at which the worker sent its heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How long the worker may run its exclusive streams.
    pub lease: Duration,
    /// When the worker stops them by itself, unless its lease was renewed.
    pub stop_after: Duration,
}

/// What a worker has of its set of streams once it has followed the answer to its heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerSet {
    /// The newest set, or whatever it had if it goes by no versions.
    Current,
    /// An outdated set: the changes could not be read in time and are withheld.
    Outdated,
}

/// The lease that a heartbeat is granted; none if it is granted none.
///
/// A lease is granted to the current life only, because another process may have registered while
/// the heartbeat was on its way. It is never longer than what is saved, because the next
/// orchestrator goes by that. `is_trusted` says that the heartbeat counts as a sign of life: no
/// recovery of the instance has begun.
pub fn grant(
    standing: &Standing,
    named: Option<Incarnation>,
    is_trusted: bool,
    limits: &WorkerLimits,
) -> Option<Grant> {
    let is_granted = named == Some(standing.incarnation)
        && standing.leased
        && standing.lease >= limits.lease
        && standing.withdrawn.is_none()
        && is_trusted;
    is_granted.then_some(Grant {
        lease: limits.lease,
        stop_after: limits.worker_stop,
    })
}

/// The lease that the answer tells the worker. A worker whose set stays outdated is told none:
/// otherwise it could restart streams that have been reassigned.
pub fn told(granted: Option<Grant>, set: WorkerSet) -> Option<Grant> {
    match set {
        WorkerSet::Current => granted,
        WorkerSet::Outdated => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use crate::withdrawal::WithdrawalCause;

    #[test]
    fn a_lease_is_granted_to_the_current_leased_and_trusted_life_only() {
        let limits = sample::limits();
        let life = Incarnation::new(3);
        let leased = Standing {
            incarnation: life,
            leased: true,
            lease: limits.lease,
            ..sample::standing()
        };
        let (lease, stop_after) = (limits.lease, limits.worker_stop);
        let granted = Some(Grant { lease, stop_after });
        let longer = Standing {
            lease: limits.lease * 2,
            ..leased
        };
        let shorter = Standing {
            lease: limits.lease / 2,
            ..leased
        };
        let classic = Standing {
            leased: false,
            ..leased
        };
        let withdrawn = Standing {
            withdrawn: Some(WithdrawalCause::Failure),
            ..leased
        };
        // what shows it, standing, named incarnation, trusted, granted
        let table = [
            ("as agreed", leased, Some(life), true, granted),
            ("more is saved", longer, Some(life), true, granted),
            ("less is saved", shorter, Some(life), true, None),
            ("classic", classic, Some(life), true, None),
            ("withdrawn", withdrawn, Some(life), true, None),
            ("fenced", leased, Some(life), false, None),
            ("names no life", leased, None, true, None),
            (
                "an older life",
                leased,
                Some(Incarnation::new(2)),
                true,
                None,
            ),
        ];
        for (shows, standing, named, is_trusted, expected) in table {
            let found = grant(&standing, named, is_trusted, &limits);
            assert_eq!(found, expected, "{shows}");
        }
    }

    #[test]
    fn a_worker_whose_changes_are_withheld_is_told_no_lease() {
        let granted = Some(Grant {
            lease: Duration::from_secs(240),
            stop_after: Duration::from_secs(216),
        });
        for (granted, set, expected) in [
            (granted, WorkerSet::Current, granted),
            (granted, WorkerSet::Outdated, None),
            (None, WorkerSet::Current, None),
            (None, WorkerSet::Outdated, None),
        ] {
            assert_eq!(told(granted, set), expected, "{granted:?}, {set:?}");
        }
    }
}
