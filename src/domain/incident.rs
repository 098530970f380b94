//! One failure of one instance, from its detection to its end.

use std::fmt;

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
