//! One failure of one instance, from its detection to its end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{Incarnation, IncidentId, InstanceId};
use super::string_enum::string_enum;
use super::time::WallTime;

string_enum! {
    /// What made an instance a failed one.
    FailureCause {
        /// It was silent for longer than the heartbeat timeout.
        HeartbeatTimeout = "heartbeat_timeout",
        /// Somebody reported it over HTTP.
        Reported = "reported",
        /// It was found failed, with streams, by the sweep or after a start.
        FoundFailed = "found_failed",
        /// It was silent past the emergency threshold and still owned streams.
        EmergencyThreshold = "emergency_threshold",
        /// An operator asked for a recovery.
        Forced = "forced",
        /// An operator asked for an emergency recovery.
        Emergency = "emergency",
    }
}

string_enum! {
    /// How an incident ended.
    IncidentOutcome {
        /// Every stream runs elsewhere.
        Recovered = "recovered",
        /// Some streams found no room and wait as orphans.
        RecoveredPartially = "recovered_partially",
        /// It came back, registered again or was removed before the recovery was carried out. What its
        /// worker had released by then runs elsewhere.
        Averted = "averted",
        /// The orchestrator ended before it was carried out; at its next start the instance was
        /// given full grace again.
        Interrupted = "interrupted",
        /// It was given up: what was asked for cannot be done.
        Failed = "failed",
    }
}

string_enum! {
    /// Whether an incident is over.
    IncidentState {
        /// Its recovery is under way.
        Open = "open",
        /// Its recovery has ended.
        Ended = "ended",
    }
}

string_enum! {
    /// A step of a recovery.
    StepName {
        /// Something noticed, or somebody said, that the instance has failed.
        Detect = "detect",
        /// What is known about the instance was looked up anew.
        Refresh = "refresh",
        /// The instance was asked for a sign of life, and fenced because there was none.
        Reconfirm = "reconfirm",
        /// Its lease was withdrawn, and nothing exclusive moves before it is over.
        AwaitLease = "await_lease",
        /// Each of its streams was given a new owner, or found to have none.
        Plan = "plan",
        /// Its state and the moves were saved.
        Apply = "apply",
        /// What is saved was compared with what was to be done.
        Verify = "verify",
        /// Emergency: the streams were taken from the instance.
        ForceRelease = "force_release",
        /// Emergency: the streams were given to others.
        Redistribute = "redistribute",
        /// Emergency: the invariants were checked over memory and store.
        VerifyConsistency = "verify_consistency",
        /// Emergency: the instance was put into the state it ends in.
        ResetInstance = "reset_instance",
    }
}

string_enum! {
    /// How a step went.
    StepResult {
        /// It did what it is for.
        Done = "done",
        /// It did not; its detail says why.
        Failed = "failed",
        /// It depends on one that failed, or there was nothing for it to do.
        Skipped = "skipped",
    }
}

/// A step that was taken, as part of an [`Incident`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which step.
    pub name: StepName,
    /// How it went.
    pub result: StepResult,
    /// In which attempt, from 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: WallTime,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// What a person wants to know about it; may be empty.
    pub detail: String,
}

/// Why an operator ordered a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReason {
    /// What the operator said, or a stand-in.
    pub text: String,
    /// Whether the operator said it.
    pub is_given: bool,
}

impl OrderReason {
    /// The reason of an order that came without one, as classic clients send it.
    pub fn missing() -> Self {
        Self {
            text: "Manual trigger".to_owned(),
            is_given: false,
        }
    }
}

impl From<String> for OrderReason {
    fn from(text: String) -> Self {
        Self {
            text,
            is_given: true,
        }
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
    /// How many streams the instance owned, those its worker released meanwhile included.
    pub streams_affected: u32,
    /// How many of them run elsewhere.
    pub streams_moved: u32,
    /// How many of them found no room.
    pub streams_orphaned: u32,
    /// How many attempts it took.
    pub attempts: u32,
    /// Why an operator ordered it, if one did.
    pub reason: Option<OrderReason>,
    /// When its attempts were used up and it became an emergency.
    pub escalated_at: Option<WallTime>,
    /// What was done, in order.
    pub steps: Vec<StepRecord>,
}

impl Incident {
    /// How long the recovery took; none while it is under way.
    pub fn duration(&self) -> Option<Duration> {
        self.ended_at.map(|end| end.since(self.detected_at))
    }

    /// Whether it is over.
    pub fn state(&self) -> IncidentState {
        match self.ended_at {
            Some(_) => IncidentState::Ended,
            None => IncidentState::Open,
        }
    }
}

/// Which incidents are wanted. The default wants all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Only those older than this one: what a page that follows it begins with.
    pub before: Option<IncidentId>,
    /// Only those of this instance, in whatever life.
    pub instance: Option<InstanceId>,
    /// Only those that are over, or only those that are not.
    pub state: Option<IncidentState>,
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
            && self.state.is_none_or(|state| incident.state() == state)
            && self.from.is_none_or(|from| incident.detected_at >= from)
            && self.to.is_none_or(|to| incident.detected_at < to)
    }
}

/// How an incident ends whose recovery moved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmoved {
    /// The instance is gone, or leads another life.
    Averted,
    /// The orchestrator ended before, and gave the instance full grace again.
    Interrupted,
    /// What was asked for cannot be done.
    Failed,
}
