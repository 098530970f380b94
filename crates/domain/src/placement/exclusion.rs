//! Why an instance cannot have a stream.

use super::need::{Need, Room};
use crate::instance::{Instance, InstanceStatus};
use crate::string_enum::string_enum;

string_enum! {
    /// The first hard rule by which an instance cannot have a stream.
    Exclusion {
        /// It owns as many streams as it may.
        NoRoom = "no_room",
        /// The sum of weights would be above its capacity.
        NoCapacity = "no_capacity",
        /// Its state does not allow it, or its lease is withdrawn.
        Status = "status",
        /// It is cordoned.
        Cordoned = "cordoned",
        /// It lacks a label that the stream requires.
        Requires = "requires",
        /// It owns the stream already.
        IsOwner = "is_owner",
        /// It gave the stream back.
        ReleasedIt = "released_it",
    }
}

impl Exclusion {
    /// Returns why an instance in its present state, with this room, cannot be given a stream with
    /// this need. Instances on probation can: they are chosen last.
    pub fn of(instance: &Instance, room: Room, need: &Need) -> Option<Self> {
        let is_open = match instance.status {
            InstanceStatus::Active | InstanceStatus::Recovering => instance.withdrawn.is_none(),
            InstanceStatus::Suspect
            | InstanceStatus::Failed
            | InstanceStatus::Draining
            | InstanceStatus::Maintenance
            | InstanceStatus::Inactive => false,
        };
        if !is_open {
            return Some(Self::Status);
        }
        if instance.cordon().is_some() {
            return Some(Self::Cordoned);
        }
        Self::by_need(instance, room, need)
    }

    /// Returns why an instance does not meet a need, whatever its state.
    pub fn by_need(instance: &Instance, room: Room, need: &Need) -> Option<Self> {
        if !need.is_met_by(&instance.labels) {
            Some(Self::Requires)
        } else if room.streams == 0 {
            Some(Self::NoRoom)
        } else if room.weight < need.weight {
            Some(Self::NoCapacity)
        } else {
            None
        }
    }

    /// Returns the rule as the reason in a sentence about an instance.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NoRoom => "owns as many streams as it may",
            Self::NoCapacity => "has no capacity left for the weight of the stream",
            Self::Status => "is in a state in which it gets no streams",
            Self::Cordoned => "is cordoned",
            Self::Requires => "lacks a label that the stream requires",
            Self::IsOwner => "owns the stream already",
            Self::ReleasedIt => "gave the stream back",
        }
    }
}
