//! One failure of one instance, from its detection to its end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{Incarnation, IncidentId, InstanceId};
use super::string_enum::string_enum;
use super::time::WallTime;

string_enum! {
    /// Why an instance was declared failed.
    FailureCause {
        /// It was silent for longer than the heartbeat timeout.
        HeartbeatTimeout = "heartbeat_timeout",
        /// A caller reported it over HTTP.
        Reported = "reported",
        /// The sweep or a start found it failed, with streams.
        FoundFailed = "found_failed",
        /// It was silent past the emergency threshold and still owned streams.
        EmergencyThreshold = "emergency_threshold",
        /// An operator requested a recovery.
        Forced = "forced",
        /// An operator requested an emergency recovery.
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
        /// The instance came back, registered again or was removed before the recovery was carried
        /// out. Streams that its worker had released by then run elsewhere.
        Averted = "averted",
        /// The orchestrator ended before the recovery was carried out; after its next start the
        /// instance was judged anew.
        Interrupted = "interrupted",
        /// It was given up: the order cannot be carried out.
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
        /// A caller or the orchestrator noticed that the instance has failed.
        Detect = "detect",
        /// The saved state of the instance was read again.
        Refresh = "refresh",
        /// The actor of the instance looked for a heartbeat, and fenced the instance because there
        /// was none.
        Reconfirm = "reconfirm",
        /// Its lease was withdrawn, and no exclusive stream moves before the lease is over.
        AwaitLease = "await_lease",
        /// Each of its streams was given a new owner, or found to have none.
        Plan = "plan",
        /// Its state and the moves were saved.
        Apply = "apply",
        /// The saved state was compared with the plan.
        Verify = "verify",
        /// Emergency: the streams were taken from the instance.
        ForceRelease = "force_release",
        /// Emergency: the streams were given to others.
        Redistribute = "redistribute",
        /// Emergency: the invariants were checked in memory and store.
        VerifyConsistency = "verify_consistency",
        /// Emergency: the instance was put into its final state.
        ResetInstance = "reset_instance",
    }
}

string_enum! {
    /// The result of a step.
    StepResult {
        /// It succeeded.
        Done = "done",
        /// It failed; its detail says why.
        Failed = "failed",
        /// It depends on a step that failed, or had nothing to do.
        Skipped = "skipped",
    }
}

/// A step that was taken, as part of an [`Incident`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StepRecord {
    pub name: StepName,
    pub result: StepResult,
    /// The attempt it belongs to, from 1.
    pub attempt: u32,
    pub started_at: WallTime,
    /// In microseconds.
    pub duration_us: u64,
    /// A text for operators; may be empty.
    pub detail: String,
}

/// Why an operator ordered a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReason {
    /// The operator's text, or a stand-in.
    pub text: String,
    /// Whether the text is the operator's.
    pub is_given: bool,
}

impl OrderReason {
    /// Returns the reason of an order without one, as classic clients send it.
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
#[expect(missing_docs, reason = "the names say it")]
pub struct Incident {
    pub id: IncidentId,
    pub instance: InstanceId,
    pub incarnation: Incarnation,
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
    /// The steps that were taken, in order.
    pub steps: Vec<StepRecord>,
}

impl Incident {
    /// Returns how long the recovery took; `None` while it is under way.
    pub fn duration(&self) -> Option<Duration> {
        self.ended_at.map(|end| end.since(self.detected_at))
    }

    /// Returns whether it is over.
    pub fn state(&self) -> IncidentState {
        match self.ended_at {
            Some(_) => IncidentState::Ended,
            None => IncidentState::Open,
        }
    }
}

/// Selects incidents. The default selects all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Only incidents older than this one: the first of the next page follows it.
    pub before: Option<IncidentId>,
    /// Only incidents of this instance, in any incarnation.
    pub instance: Option<InstanceId>,
    /// Only incidents in this state.
    pub state: Option<IncidentState>,
    /// Only incidents detected at this moment or later.
    pub from: Option<WallTime>,
    /// Only incidents detected before this moment.
    pub to: Option<WallTime>,
}

impl IncidentFilter {
    /// Selects incidents older than this one; `None`: from the newest.
    pub fn before(id: Option<IncidentId>) -> Self {
        Self {
            before: id,
            ..Self::default()
        }
    }

    /// Returns whether an incident meets the conditions.
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

/// The end of an incident whose recovery moved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmoved {
    /// The instance is gone, or has a newer incarnation.
    Averted,
    /// The orchestrator ended before, and the instance was judged anew after the next start.
    Interrupted,
    /// The order cannot be carried out.
    Failed,
}
