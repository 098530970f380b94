//! One failure of one instance, from its detection to its end.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{Incarnation, IncidentId, InstanceId};
use super::stream::words;
use super::time::WallTime;

words! {
    /// What made an instance a failed one.
    FailureCause {
        /// It was silent for longer than the heartbeat timeout.
        HeartbeatTimeout = "heartbeat_timeout",
        /// Somebody reported it over HTTP.
        Reported = "reported",
        /// It was found failed, with streams, by the sweep or after a start.
        FoundFailed = "found_failed",
    }
}

words! {
    /// How an incident ended.
    IncidentOutcome {
        /// Every stream runs elsewhere.
        Recovered = "recovered",
        /// Some streams found no room and wait as orphans.
        RecoveredPartially = "recovered_partially",
    }
}

/// The record of one recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its key.
    pub id: IncidentId,
    /// Who failed.
    pub instance: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// Why it was held to have failed.
    pub cause: FailureCause,
    /// When the failure was noticed.
    pub detected_at: WallTime,
    /// When the recovery was over; none while it is under way.
    pub ended_at: Option<WallTime>,
    /// How it ended; none while it is under way.
    pub outcome: Option<IncidentOutcome>,
    /// How many streams the instance owned.
    pub streams_affected: u32,
    /// How many of them run elsewhere.
    pub streams_moved: u32,
    /// How many of them found no room.
    pub streams_orphaned: u32,
    /// How many attempts it took.
    pub attempts: u32,
}

impl Incident {
    /// How long the recovery took; none while it is under way.
    pub fn duration(&self) -> Option<Duration> {
        self.ended_at.map(|end| end.since(self.detected_at))
    }
}

/// Which incidents are wanted. The default wants all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Only those older than this one: what a page that follows it begins with.
    pub before: Option<IncidentId>,
    /// Only those of this instance, in whatever life.
    pub instance: Option<InstanceId>,
    /// Only those detected then or later.
    pub from: Option<WallTime>,
    /// Only those detected earlier.
    pub to: Option<WallTime>,
}

impl IncidentFilter {
    /// Those older than one incident; none: from the newest.
    pub fn before(id: Option<IncidentId>) -> Self {
        Self {
            before: id,
            ..Self::default()
        }
    }

    /// Whether it wants this one.
    pub fn wants(&self, incident: &Incident) -> bool {
        self.before.is_none_or(|id| incident.id < id)
            && self
                .instance
                .as_ref()
                .is_none_or(|id| incident.instance == *id)
            && self.from.is_none_or(|from| incident.detected_at >= from)
            && self.to.is_none_or(|to| incident.detected_at < to)
    }
}
