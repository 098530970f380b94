//! When the streams of an instance may be given to others.
//!
//! An instance that beats with its incarnation is *leased*: each heartbeat that is answered with
//! a lease lets its worker run its exclusive streams for a while, measured by the worker from the
//! moment it sent it. Nothing exclusive is given away before the last lease granted and a margin
//! for drifting clocks have run out, unless the worker has let go. All other instances are
//! *classic*: nothing is known of what they do, and their streams are moved at once.
//!
//! ```text
//!   Granted until T ──beat──▶ Granted until T' ...
//!        │ failure, emergency, removal
//!        ▼
//!   Withdrawn (no renewal, the worker is told to run nothing) ──T + margin, or let go──▶ Over
//! ```
//!
//! T is on running time, which is never faster than the worker's clock: while the orchestrator
//! stands still, leases only get longer in its eyes. After a start the last grant is unknown; it
//! was before the start, so T is the start plus one lease.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::queries::Standing;
use super::stream::words;
use super::time::{Timestamp, WallTime};

words! {
    /// Why the lease of an instance is not renewed any more.
    WithdrawalCause {
        /// It is held to have failed.
        Failure = "failure",
        /// It is taken out of use.
        Emergency = "emergency",
        /// It leaves for good.
        Removal = "removal",
    }
}

/// The end of an instance's leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Why.
    pub cause: WithdrawalCause,
    /// Since when.
    pub since: WallTime,
}

/// Shows that nobody runs the exclusive streams of an instance under a lease any more. Made by
/// [`lease`], or on the word of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseOver(());

/// Whether somebody may still run the exclusive streams of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// Nobody does.
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
        Self(())
    }
}

impl Lease {
    /// The proof that nobody does, if so.
    pub const fn over(self) -> Option<LeaseOver> {
        match self {
            Self::Over(over) => Some(over),
            Self::Runs { .. } => None,
        }
    }
}

/// Judges the lease of an instance whose last grant lasts until `granted_until`.
pub fn lease(
    standing: &Standing,
    granted_until: Timestamp,
    margin: Duration,
    now: Timestamp,
) -> Lease {
    let until = granted_until + margin;
    // Only what is exclusive and was not let go of is bound by the lease.
    if standing.leased && standing.exclusive > 0 && now < until {
        Lease::Runs { until }
    } else {
        Lease::Over(LeaseOver(()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::digest::StreamsDigest;
    use super::super::ids::{AssignmentVersion, Incarnation};
    use super::super::instance::InstanceStatus;
    use super::*;

    fn standing(leased: bool, exclusive: usize) -> Standing {
        Standing {
            incarnation: Incarnation::new(1),
            status: InstanceStatus::Active,
            flaps: 0,
            assignment_version: AssignmentVersion::new(1),
            held: exclusive + 1,
            undelivered: 0,
            unconfirmed: 0,
            leased,
            lease: Duration::ZERO,
            withdrawn: None,
            releasing: 0,
            exclusive,
            to_run: exclusive + 1,
            digest: StreamsDigest::default(),
        }
    }

    #[test]
    fn a_lease_binds_what_is_exclusive_until_its_margin_is_over() {
        let (granted, margin) = (Timestamp::from_micros(100), Duration::from_micros(10));
        let judge = |standing, now| lease(&standing, granted, margin, Timestamp::from_micros(now));
        let over = Lease::Over(LeaseOver(()));
        let until = Timestamp::from_micros(110);
        assert_eq!(judge(standing(true, 1), 99), Lease::Runs { until });
        assert_eq!(judge(standing(true, 1), 109), Lease::Runs { until });
        assert_eq!(judge(standing(true, 1), 110), over);
        assert_eq!(judge(standing(true, 0), 50), over, "nothing is exclusive");
        assert_eq!(judge(standing(false, 9), 50), over, "classic");
    }
}
