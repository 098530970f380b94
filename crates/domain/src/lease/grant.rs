//! Which lease a heartbeat is granted, and whether the answer reports it.

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

/// Returns the lease that the answer reports, `proof_age` after the newest proof that this
/// orchestrator leads was sent. A worker whose set stays outdated gets none: otherwise it could
/// restart streams that have been reassigned.
pub fn told(granted: Option<Grant>, set: WorkerSet, proof_age: Duration) -> Option<Grant> {
    match set {
        WorkerSet::Current => granted.and_then(|grant| grant.counted_from_proof(proof_age)),
        WorkerSet::Outdated => None,
    }
}

impl Grant {
    /// The same lease, counted from the proof instead of from the heartbeat, so that every lease of a
    /// term is over one whole lease after the term was last proven. If another orchestrator took
    /// over, then it did so after that proof, and it waits that long before it gives the worker's
    /// exclusive streams away.
    ///
    /// None once half of the time to the stop is gone: later heartbeats add nothing to the moment at
    /// which the worker stops, and workers that beat three times a lease would beat ever faster.
    fn counted_from_proof(self, age: Duration) -> Option<Self> {
        if age > self.stop_after / 2 {
            return None;
        }
        Some(Self {
            lease: whole_millis(self.lease.saturating_sub(age)),
            stop_after: whole_millis(self.stop_after.saturating_sub(age)),
        })
    }
}

/// Rounded down: a lease must not be reported longer than it is.
const fn whole_millis(time: Duration) -> Duration {
    time.saturating_sub(Duration::from_nanos(
        (time.subsec_nanos() % 1_000_000) as u64,
    ))
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
            let found = told(granted, set, Duration::ZERO);
            assert_eq!(found, expected, "{granted:?}, {set:?}");
        }
    }

    #[test]
    fn a_lease_is_shorter_by_the_age_of_the_proof() {
        let granted = Some(Grant {
            lease: Duration::from_secs(240),
            stop_after: Duration::from_secs(216),
        });
        let millis = |age_millis: u64, nanos: u64| {
            let age = Duration::from_millis(age_millis) + Duration::from_nanos(nanos);
            let told = told(granted, WorkerSet::Current, age);
            told.map(|told| (told.lease.as_millis(), told.stop_after.as_millis()))
        };
        assert_eq!(millis(0, 0), Some((240_000, 216_000)));
        assert_eq!(millis(300, 0), Some((239_700, 215_700)));
        assert_eq!(millis(300, 1), Some((239_699, 215_699)), "rounded down");
        assert_eq!(millis(108_000, 0), Some((132_000, 108_000)));
        assert_eq!(
            millis(108_000, 1),
            None,
            "half of the time to the stop is gone"
        );
        assert_eq!(millis(1_000_000, 0), None);
    }
}
