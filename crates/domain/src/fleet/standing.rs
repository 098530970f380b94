//! The facts about one instance that a heartbeat needs.

use std::num::NonZeroU32;
use std::time::Duration;

use super::model::InstanceSlot;
use crate::digest::StreamsDigest;
use crate::ids::{AssignmentVersion, Incarnation};
use crate::instance::InstanceStatus;
use crate::liveness::Saved;
use crate::withdrawal::WithdrawalCause;

/// The label by which a worker says how many processors its machine has. A load average says nothing
/// without that number.
const PROCESSORS_LABEL: &str = "cpus";

/// The facts about one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Standing {
    pub incarnation: Incarnation,
    pub status: InstanceStatus,
    /// How often it failed on probation, less the flaps that were removed for steady time.
    pub flaps: u32,
    /// The version of its set of streams.
    pub assignment_version: AssignmentVersion,
    /// How many streams it owns.
    pub held: usize,
    /// How many of them are in the catalogue: a deleted one is held until it is released.
    pub owned: usize,
    /// How many of them it was never notified of.
    pub undelivered: usize,
    /// How many of them it was not notified of in its current incarnation. While this is 0 a
    /// heartbeat has nothing to confirm, and needs no command.
    pub unconfirmed: usize,
    /// Whether it holds leases.
    pub leased: bool,
    /// The longest lease it may have been granted.
    pub lease: Duration,
    /// Whether its silence is expected, because of planned work.
    pub silence_expected: bool,
    /// Why its leases are withdrawn, if they are.
    pub withdrawn: Option<WithdrawalCause>,
    /// How many of its streams it must release. While this is 0 a heartbeat releases nothing, and
    /// needs no command.
    pub releasing: usize,
    /// How many streams it runs beside their new owner until that one does.
    pub lingering: usize,
    /// How many of its streams no other instance may run meanwhile.
    pub exclusive: usize,
    /// How many streams its worker should run.
    pub to_run: usize,
    /// The digest of those streams; a worker's own digest is compared with it.
    pub digest: StreamsDigest,
    /// How many processors its machine has, by its label `cpus`.
    pub processors: Option<NonZeroU32>,
}

impl Standing {
    /// Collects the facts.
    pub fn of(slot: &InstanceSlot) -> Self {
        let instance = slot.instance();
        Self {
            incarnation: instance.incarnation,
            status: instance.status,
            flaps: instance.flaps,
            assignment_version: instance.assignment_version,
            held: slot.held().len(),
            owned: slot.owned(),
            undelivered: slot.undelivered().len(),
            unconfirmed: slot.unconfirmed().len(),
            leased: instance.is_leased(),
            lease: instance.lease,
            silence_expected: instance.is_silence_expected(),
            withdrawn: instance.withdrawn.map(|withdrawal| withdrawal.cause),
            releasing: slot.releasing().len(),
            lingering: slot.lingering().len(),
            exclusive: slot.exclusive(),
            to_run: slot.to_run_count(),
            digest: slot.digest(),
            processors: (instance.labels.get(PROCESSORS_LABEL))
                .and_then(|count| count.parse().ok()),
        }
    }

    /// Returns the part that the liveness machine needs.
    pub fn saved(&self) -> Saved {
        Saved {
            incarnation: self.incarnation,
            status: self.watched_as(),
            flaps: self.flaps,
        }
    }

    /// Returns the state by which its silence is judged: an instance that has drained is as little
    /// expected to send heartbeats as one in maintenance.
    pub fn watched_as(&self) -> InstanceStatus {
        if self.status == InstanceStatus::Draining && self.silence_expected {
            InstanceStatus::Maintenance
        } else {
            self.status
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::RemoveInstance;
    use crate::sample;

    #[test]
    fn what_was_told_in_an_earlier_life_is_delivered_but_not_confirmed() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=5));
        sample::run(&mut ledger, sample::register("gone", 5));
        sample::run(&mut ledger, sample::ask("gone", 2));
        sample::run(&mut ledger, sample::register("a", 5));
        sample::run(&mut ledger, sample::ask("a", 2));
        let standing = |ledger: &crate::ledger::Ledger| {
            let standing = Standing::of(ledger.saved().instance(&"a".into()).unwrap());
            (standing.held, standing.undelivered, standing.unconfirmed)
        };
        assert_eq!(standing(&ledger), (2, 0, 0));
        sample::run(&mut ledger, RemoveInstance::new("gone".into()));
        assert_eq!(standing(&ledger), (4, 2, 2));
        sample::run(&mut ledger, sample::register("a", 5));
        assert_eq!(standing(&ledger), (4, 2, 4));
        sample::run(&mut ledger, sample::ask("a", 5));
        assert_eq!(standing(&ledger), (5, 0, 0));
    }
}
