//! A registered worker server: what is saved about it, and the states it can be in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{AssignmentVersion, Incarnation, InstanceId};
use super::planned::{Absence, Cordon, Drain, Planned};
use super::time::WallTime;
use super::withdrawal::{HandedOver, Withdrawal};

/// The state in which the orchestrator holds an instance. Saved; changed only by the `FleetActor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceStatus {
    /// It sends heartbeats in time; streams may be assigned to it.
    Active,
    /// It is late with its heartbeat; it keeps its streams, may request more, and is assigned none
    /// without a request.
    Suspect,
    /// It was silent for too long; it owns nothing.
    Failed,
    /// It sends heartbeats again after a failure, on probation; it is assigned streams only if no
    /// active instance has room.
    Recovering,
    /// It is being emptied by an operator, or is kept empty (`planned/mod.rs`).
    Draining,
    /// An operator took it out of use, or its silence is expected for a while.
    Maintenance,
    /// It left for good.
    Inactive,
}

impl InstanceStatus {
    /// Every state, in the order of the documents.
    pub const ALL: [Self; 7] = [
        Self::Active,
        Self::Suspect,
        Self::Failed,
        Self::Recovering,
        Self::Draining,
        Self::Maintenance,
        Self::Inactive,
    ];

    /// Returns the word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspect => "suspect",
            Self::Failed => "failed",
            Self::Recovering => "recovering",
            Self::Draining => "draining",
            Self::Maintenance => "maintenance",
            Self::Inactive => "inactive",
        }
    }

    /// Returns the state written as `word`, if there is one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Returns the states that may follow this one. This is the only list of legal transitions;
    /// every change of a status goes through it.
    pub const fn successors(self) -> &'static [Self] {
        match self {
            Self::Active => &[
                Self::Suspect,
                Self::Failed,
                Self::Draining,
                Self::Maintenance,
                Self::Inactive,
            ],
            Self::Suspect => &[
                Self::Active,
                Self::Failed,
                Self::Draining,
                Self::Maintenance,
                Self::Inactive,
            ],
            Self::Failed => &[Self::Recovering, Self::Maintenance],
            Self::Recovering => &[
                Self::Active,
                Self::Failed,
                Self::Draining,
                Self::Maintenance,
                Self::Inactive,
            ],
            Self::Draining => &[
                Self::Active,
                Self::Failed,
                Self::Maintenance,
                Self::Inactive,
            ],
            Self::Maintenance => &[Self::Active, Self::Recovering, Self::Inactive],
            Self::Inactive => &[Self::Active],
        }
    }

    /// Returns whether `next` may follow this state; staying is always allowed.
    pub fn may_become(self, next: Self) -> bool {
        self == next || self.successors().contains(&next)
    }

    /// Returns whether an instance in this state may request streams.
    pub const fn may_ask(self) -> bool {
        match self {
            Self::Active | Self::Suspect | Self::Recovering => true,
            Self::Failed | Self::Draining | Self::Maintenance | Self::Inactive => false,
        }
    }

    /// Returns whether an instance in this state may own streams, and is therefore watched for
    /// silence.
    pub const fn is_serving(self) -> bool {
        match self {
            Self::Active | Self::Suspect | Self::Recovering | Self::Draining => true,
            Self::Failed | Self::Maintenance | Self::Inactive => false,
        }
    }
}

impl fmt::Display for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The saved row of an instance. Which streams it owns is in [`super::stream::Place`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Instance {
    /// The `server_id` it registered with.
    pub id: InstanceId,
    pub incarnation: Incarnation,
    pub status: InstanceStatus,
    pub status_since: WallTime,
    /// Its address, as the worker reported it; shown, never dialled.
    pub ip: String,
    /// The port that the worker reported, 1 to 65,535.
    pub port: u16,
    /// How many streams it may own at most, 1 to 100,000.
    pub max_streams: u32,
    /// The sum of the weights of the streams it may own at most, at least 1; none: only their number
    /// is limited.
    pub capacity: Option<u32>,
    /// Free-form labels.
    pub labels: BTreeMap<String, String>,
    /// The interval at which the worker says it sends heartbeats, if it said so.
    pub heartbeat_interval: Option<Duration>,
    /// Whether unclaimed streams are assigned to it without a request.
    pub auto_assign: bool,
    /// Counts the transactions that touched its set of streams.
    pub assignment_version: AssignmentVersion,
    /// When its current incarnation began.
    pub registered_at: WallTime,
    /// How often it failed while on probation, less the flaps that were removed for steady time:
    /// each one doubles its next probation.
    pub flaps: u32,
    /// The longest lease it may have been granted, see `lease/grant.rs`: settings may change between two
    /// starts of the orchestrator. Zero for one that is classic: it does not beat with its
    /// incarnation.
    pub lease: Duration,
    /// Whether its leases end, and why: it is assigned no streams and notified to run none.
    pub withdrawn: Option<Withdrawal>,
    /// The streams that left it since its lease was withdrawn, until an incident takes the numbers.
    pub handed_over: Option<HandedOver>,
    /// What is planned for it; `None` for most.
    #[serde(default)]
    pub planned: Option<Box<Planned>>,
}

impl Instance {
    /// Returns whether it holds leases.
    pub const fn is_leased(&self) -> bool {
        !self.lease.is_zero()
    }

    /// Returns the limit by which its load is compared with that of other instances: its capacity, or
    /// else the number of streams it may own.
    pub const fn limit(&self) -> u32 {
        match self.capacity {
            Some(capacity) => capacity,
            None => self.max_streams,
        }
    }

    /// Returns the cordon that keeps it from getting streams.
    pub fn cordon(&self) -> Option<&Cordon> {
        self.planned.as_ref()?.cordon.as_ref()
    }

    /// Returns its last drain, also after that is over.
    pub fn drain(&self) -> Option<&Drain> {
        self.planned.as_ref()?.drain.as_ref()
    }

    /// Returns its planned absence.
    pub fn absence(&self) -> Option<&Absence> {
        self.planned.as_ref()?.absence.as_ref()
    }

    /// Returns whether it may be given streams that it does not own, as far as its state, its cordon and
    /// its lease go.
    pub fn is_schedulable(&self) -> bool {
        self.cordon().is_none() && self.withdrawn.is_none() && self.status.may_ask()
    }

    /// Returns whether streams of other instances may be moved to it.
    pub fn takes_moves(&self) -> bool {
        self.status == InstanceStatus::Active && self.is_schedulable()
    }

    /// Returns its drain, if that keeps streams away from it.
    pub fn drain_in_force(&self) -> Option<&Drain> {
        self.drain().filter(|drain| drain.in_force)
    }

    /// Returns whether its silence is expected: it has drained and is kept empty, or is absent.
    pub fn is_silence_expected(&self) -> bool {
        let is_kept_empty = self.drain().is_some_and(Drain::is_kept_empty);
        (is_kept_empty && self.status == InstanceStatus::Draining) || self.absence().is_some()
    }

    /// Returns whether something is planned for it that explains its silence.
    pub fn is_planned(&self) -> bool {
        self.drain_in_force().is_some() || self.absence().is_some()
    }

    /// Returns whether its streams are reserved although no worker runs them.
    pub fn is_reserved(&self) -> bool {
        self.absence().is_some_and(Absence::is_reservation)
    }

    /// Changes what is planned for it.
    pub fn plan(&mut self, change: impl FnOnce(&mut Planned)) {
        let mut planned = self.planned.take().unwrap_or_default();
        change(&mut planned);
        self.planned = Some(planned).filter(|planned| !planned.is_nothing());
    }
}

#[cfg(test)]
mod tests {
    use super::InstanceStatus::{
        Active, Draining, Failed, Inactive, Maintenance, Recovering, Suspect,
    };
    use super::*;

    /// Written out a second time, as a picture, so that an edit of one list alone is noticed.
    /// Rows are the state left, columns the state entered, both in the order of `ALL`.
    const PICTURE: [(InstanceStatus, [u8; 7]); 7] = [
        //            A  S  F  R  D  M  I
        (Active, [1, 1, 1, 0, 1, 1, 1]),
        (Suspect, [1, 1, 1, 0, 1, 1, 1]),
        (Failed, [0, 0, 1, 1, 0, 1, 0]),
        (Recovering, [1, 0, 1, 1, 1, 1, 1]),
        (Draining, [1, 0, 1, 0, 1, 1, 1]),
        (Maintenance, [1, 0, 0, 1, 0, 1, 1]),
        (Inactive, [1, 0, 0, 0, 0, 0, 1]),
    ];

    #[test]
    fn every_pair_of_states_agrees_with_the_picture() {
        for (from, row) in PICTURE {
            for (to, allowed) in InstanceStatus::ALL.into_iter().zip(row) {
                assert_eq!(from.may_become(to), allowed == 1, "{from} -> {to}");
            }
        }
    }

    #[test]
    fn words_lead_back_to_their_state() {
        for status in InstanceStatus::ALL {
            assert_eq!(InstanceStatus::from_word(status.as_str()), Some(status));
        }
        assert_eq!(InstanceStatus::from_word("Active"), None);
    }

    #[test]
    fn only_serving_instances_may_ask() {
        for status in InstanceStatus::ALL {
            assert!(
                !status.may_ask() || status.is_serving(),
                "{status} may ask but not own"
            );
        }
    }
}
