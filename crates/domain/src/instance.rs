//! A registered worker server: what is saved about it, and the states it can be in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{AssignmentVersion, Incarnation, InstanceId};
use super::time::WallTime;
use super::withdrawal::{HandedOver, Withdrawal};

/// What the orchestrator holds an instance to be. Saved; changed only by the `FleetActor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceStatus {
    /// Beats on time; may be pushed streams.
    Active,
    /// Late with its heartbeat; keeps its streams, may ask for more, is pushed none.
    Suspect,
    /// Silent for too long; owns nothing.
    Failed,
    /// Beats again after a failure, on probation; pushed streams only if nobody else has room.
    Recovering,
    /// Being emptied on purpose. No command sets it yet; the contract reserves the word.
    Draining,
    /// Taken out of use by an operator.
    Maintenance,
    /// Left on purpose.
    Inactive,
}

impl InstanceStatus {
    /// Every state, in the order the documents list them.
    pub const ALL: [Self; 7] = [
        Self::Active,
        Self::Suspect,
        Self::Failed,
        Self::Recovering,
        Self::Draining,
        Self::Maintenance,
        Self::Inactive,
    ];

    /// The word on the wire and in the database.
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

    /// The state written as `word`, if there is one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The states this one may be left for. The only list of legal transitions; everything that
    /// changes a status goes through it.
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

    /// Whether the state may be left for `next`; staying is always allowed.
    pub fn may_become(self, next: Self) -> bool {
        self == next || self.successors().contains(&next)
    }

    /// Whether an instance in this state may ask for streams.
    pub const fn may_ask(self) -> bool {
        match self {
            Self::Active | Self::Suspect | Self::Recovering => true,
            Self::Failed | Self::Draining | Self::Maintenance | Self::Inactive => false,
        }
    }

    /// Whether an instance in this state may own streams, and is therefore watched for silence.
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

/// Everything saved about an instance itself. Who runs what is in [`super::stream::Place`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The name it registered with.
    pub id: InstanceId,
    /// Its current life.
    pub incarnation: Incarnation,
    /// What the orchestrator holds it to be.
    pub status: InstanceStatus,
    /// When the status last changed.
    pub status_since: WallTime,
    /// Where it says it is; shown, never dialled.
    pub ip: String,
    /// The port it says it listens on, 1 to 65,535.
    pub port: u16,
    /// How many streams it may own at the most, 1 to 100,000.
    pub max_streams: u32,
    /// Free-form labels.
    pub labels: BTreeMap<String, String>,
    /// How often it says it will beat, if it said so.
    pub heartbeat_interval: Option<Duration>,
    /// Whether unclaimed streams are pushed to it without being asked for.
    pub auto_assign: bool,
    /// Counts the transactions that touched its set of streams.
    pub assignment_version: AssignmentVersion,
    /// When its current life began.
    pub registered_at: WallTime,
    /// How often it failed while on probation and has not yet paid back: each one doubles its
    /// next probation.
    pub flaps: u32,
    /// The longest lease it may have been granted, see `lease/grant.rs`: settings may change between two
    /// starts of the orchestrator. Zero for one that is classic: it does not beat with its
    /// incarnation.
    pub lease: Duration,
    /// Whether its leases end, and why: it is given no streams and told to run none.
    pub withdrawn: Option<Withdrawal>,
    /// What left it since its lease was withdrawn, until an incident takes the numbers.
    pub handed_over: Option<HandedOver>,
}

impl Instance {
    /// Whether it holds leases.
    pub const fn is_leased(&self) -> bool {
        !self.lease.is_zero()
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
