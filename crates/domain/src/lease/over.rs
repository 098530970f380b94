//! When a lease is over: whether a worker may still run the exclusive streams of an instance.
//!
//! ```text
//!   Granted until T ──beat──▶ Granted until T' ...
//!        │ failure, emergency, removal
//!        ▼
//!   Withdrawn (no renewal, the worker is to run nothing) ──T + margin, or released──▶ Over
//! ```
//!
//! T is on running time, which is never faster than the worker's clock: while the orchestrator
//! stands still, leases only get longer in its eyes. After a start the last grant is unknown; it
//! was before the start, so T is the start plus one lease.

use std::time::Duration;

use crate::fleet::{InstanceSlot, Standing};
use crate::instance::InstanceStatus;
use crate::time::Timestamp;

/// Shows that no worker runs the exclusive streams of an instance under a lease any more. Constructed by
/// [`lease`], or from the worker's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseOver(Ground);

/// How it is known that no worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// The last lease has run out, or the worker said so.
    Ended,
    /// There was none, or nothing it could bind. That may have changed since.
    NothingBound,
}

/// Whether a worker may still run the exclusive streams of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// No worker runs them.
    Over(LeaseOver),
    /// Its worker may, until then; the margin is included.
    Runs {
        /// On running time.
        until: Timestamp,
    },
}

impl LeaseOver {
    /// The worker itself says that it runs nothing any more.
    pub const fn said_by_worker() -> Self {
        Self(Ground::Ended)
    }

    /// Whether it holds still for an instance that is about to lose its streams: between judging
    /// and deciding it may have been given a first lease, or its first exclusive stream.
    pub fn holds_for(&self, slot: &InstanceSlot) -> bool {
        match self.0 {
            Ground::Ended => true,
            Ground::NothingBound => !(slot.instance().is_leased() && slot.exclusive() > 0),
        }
    }
}

impl Lease {
    /// Returns the proof that no worker runs them, if so.
    pub const fn over(self) -> Option<LeaseOver> {
        match self {
            Self::Over(over) => Some(over),
            Self::Runs { .. } => None,
        }
    }
}

/// Whether the streams an instance owns run, as far as the orchestrator can know: a leased one runs
/// them while its lease does, a classic one until it fails. The margin of a lease is for drifting
/// clocks; no worker is entitled to run a stream in it.
pub fn runs(
    status: InstanceStatus,
    is_leased: bool,
    granted_until: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let is_granted = granted_until.is_some_and(|until| now < until);
    status.is_serving() && (!is_leased || is_granted)
}

/// Judges the lease of an instance whose last grant lasts until `granted_until`; none: it never had
/// one. Whether it goes by leases *now* does not matter: a worker that was granted one may run under
/// it whatever its later heartbeats leave out.
pub fn lease(
    standing: &Standing,
    granted_until: Option<Timestamp>,
    margin: Duration,
    now: Timestamp,
) -> Lease {
    let until = granted_until.map(|granted| granted + margin);
    match until.filter(|until| now < *until) {
        // Only exclusive streams that were not released are bound by the lease.
        Some(until) if standing.exclusive > 0 => Lease::Runs { until },
        Some(_) => Lease::Over(LeaseOver(Ground::NothingBound)),
        None if standing.leased => Lease::Over(LeaseOver(Ground::Ended)),
        None => Lease::Over(LeaseOver(Ground::NothingBound)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn standing(leased: bool, exclusive: usize) -> Standing {
        Standing {
            leased,
            held: exclusive + 1,
            to_run: exclusive + 1,
            exclusive,
            ..sample::standing()
        }
    }

    #[test]
    fn a_lease_binds_what_is_exclusive_until_its_margin_is_over() {
        let (granted, margin) = (Timestamp::from_micros(100), Duration::from_micros(10));
        let judge = |standing, now| {
            lease(
                &standing,
                Some(granted),
                margin,
                Timestamp::from_micros(now),
            )
        };
        let over = Lease::Over(LeaseOver(Ground::Ended));
        let unbound = Lease::Over(LeaseOver(Ground::NothingBound));
        let until = Timestamp::from_micros(110);
        assert_eq!(judge(standing(true, 1), 99), Lease::Runs { until });
        assert_eq!(judge(standing(true, 1), 109), Lease::Runs { until });
        assert_eq!(judge(standing(true, 1), 110), over);
        let nothing_exclusive = standing(true, 0);
        assert_eq!(judge(nothing_exclusive, 50), unbound);
        let forgets_its_incarnation = standing(false, 9);
        assert_eq!(judge(forgets_its_incarnation, 50), Lease::Runs { until });
        assert_eq!(judge(standing(false, 9), 110), unbound);
        let now = Timestamp::from_micros(0);
        let classic = lease(&standing(false, 9), None, margin, now);
        assert_eq!(classic, unbound);
    }

    #[test]
    fn a_leased_owner_runs_its_streams_while_its_lease_does_and_a_classic_one_until_it_fails() {
        use InstanceStatus::{Active, Draining, Failed, Maintenance, Recovering, Suspect};
        let at = |micros| Some(Timestamp::from_micros(micros));
        let now = Timestamp::from_micros(100);
        // leased, state, last grant, whether its streams run
        let table = [
            (false, Active, None, true),
            (false, Suspect, None, true),
            (false, Recovering, None, true),
            (false, Draining, None, true),
            (false, Failed, None, false),
            (false, Maintenance, None, false),
            (false, Active, at(99), true),
            (true, Active, at(101), true),
            (true, Active, at(100), false),
            (true, Active, at(99), false),
            (true, Active, None, false),
            (true, Suspect, at(101), true),
            (true, Failed, at(101), false),
        ];
        for (leased, status, granted, expected) in table {
            let found = runs(status, leased, granted, now);
            assert_eq!(
                found, expected,
                "{status}, leased: {leased}, until {granted:?}"
            );
        }
    }
}
