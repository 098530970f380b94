//! What alerts are about, and what one of them holds.

use serde::{Deserialize, Serialize};

use crate::ids::{AlertId, InstanceId, StreamId};
use crate::outbox::Keyed;
use crate::planned::Requester;
use crate::string_enum::string_enum;
use crate::time::WallTime;

/// The subject of an alert about a stream.
pub fn subject_of(stream: StreamId) -> String {
    format!("stream {stream}")
}

/// The subject of an alert that is about no single instance, stream or breaker.
pub const FLEET: &str = "fleet";

/// How many instances an alert lists.
pub const MAX_LISTED: usize = 1_000;

string_enum! {
    /// What an alert is about.
    AlertKind {
        /// So many instances fell silent at once that their recovery is held.
        MassFailure = "mass_failure",
        /// An instance has failed, or several that share something.
        InstanceFailed = "instance_failed",
        /// A recovery used up its attempts. It keeps retrying, at the longest delay.
        RecoveryExhausted = "recovery_exhausted",
        /// An emergency recovery is under way, or left something behind.
        EmergencyRecovery = "emergency_recovery",
        /// An instance fails again and again while on probation.
        Flapping = "flapping",
        /// The store does not answer.
        StoreUnavailable = "store_unavailable",
        /// A breaker is held open or closed by hand.
        BreakerForced = "breaker_forced",
        /// An instance's actor ended too often and is not created again for a while.
        InstanceQuarantined = "instance_quarantined",
        /// Two processes live under one name.
        DuplicateIdentity = "duplicate_identity",
        /// The machine's wall clock jumped.
        ClockStepped = "clock_stepped",
        /// The database has not confirmed lately that this orchestrator leads.
        LeaderUnproven = "leader_unproven",
        /// This orchestrator leads on without its database, for a limited time.
        Failsafe = "failsafe",
        /// Another orchestrator on the database is gone.
        MemberAway = "member_away",
        /// Another orchestrator would judge instances by other settings.
        SettingsDiffer = "settings_differ",
        /// Another orchestrator has run another release for longer than an upgrade takes.
        ReleasesDiffer = "releases_differ",
        /// Standbys of the database stream from it, and no COMMIT waits for them.
        ReplicationIsAsynchronous = "replication_is_asynchronous",
        /// The database lost acknowledged changes, or may have: no stream is started for a while.
        DatabaseWentBack = "database_went_back",
        /// A worker does not run its streams, although they were sent again.
        StreamsDiffer = "streams_differ",
        /// A worker reports streams that it should not run, and does not name the newest version.
        RunsWhatWasTaken = "runs_what_was_taken",
        /// A worker does not release what was taken from it.
        ReleaseRefused = "release_refused",
        /// A new owner does not report a stream, so its former owner runs it as well.
        OverlapUnfinished = "overlap_unfinished",
        /// A move was accepted and did not happen: the owner did not release its streams.
        HandoverAbandoned = "handover_abandoned",
        /// A stream is given back again and again before it runs steadily.
        StreamReturned = "stream_returned",
        /// The last owners of a stream failed: it is kept away from the fleet.
        StreamQuarantined = "stream_quarantined",
        /// Streams wait for room.
        StreamsOrphaned = "streams_orphaned",
        /// Streams are without an owner for a long time.
        StreamsWaitingLong = "streams_waiting_long",
        /// The loss of one instance would leave streams without an owner.
        NoRoomForFailure = "no_room_for_failure",
        /// An invariant of the fleet does not hold.
        InvariantBroken = "invariant_broken",
        /// The receiver of a webhook does not accept what it is sent.
        WebhookFailing = "webhook_failing",
        /// Many requests had a key that does not do.
        AuthFailures = "auth_failures",
        /// A certificate of the orchestrator, or of those that its clients are checked by, is about to expire.
        CertificateExpiring = "certificate_expiring",
        /// The whole system is critical or in an emergency, and no other alert has the reason.
        SystemHealth = "system_health",
    }
}

string_enum! {
    /// How urgent an alert is.
    Severity {
        /// Look at it during the day.
        Warning = "warning",
        /// Look at it now.
        Critical = "critical",
    }
}

/// An operator has seen an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Acknowledgement {
    pub at: WallTime,
    pub by: Requester,
    /// What the operator noted.
    pub note: Option<String>,
}

/// One alert. At most one of a kind and subject is open at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Alert {
    /// Its key.
    pub id: AlertId,
    /// What it is about.
    pub kind: AlertKind,
    /// How urgent it is.
    pub severity: Severity,
    /// Whom it is about ([`super::AlertKey`]).
    pub subject: String,
    /// The instances it is about, at most [`MAX_LISTED`]; none if it is about something else.
    pub instances: Vec<InstanceId>,
    /// How it is, in a sentence: while it is open the numbers in it are the newest.
    pub detail: String,
    pub opened_at: WallTime,
    /// Until when; none while it is open.
    pub closed_at: Option<WallTime>,
    /// How many reports joined it since it was opened: the same condition with other words, a
    /// consequence, another instance.
    pub repeats: u32,
    /// Who has seen it, since it was opened or became more urgent.
    pub acknowledged: Option<Acknowledgement>,
}

impl Keyed for Alert {
    type Key = AlertId;

    fn key(&self) -> AlertId {
        self.id
    }

    fn is_expendable(&self) -> bool {
        !self.is_open()
    }
}

impl Alert {
    /// Whether it is still to be looked at.
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }
}

/// Which alerts are wanted. The default wants all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Only those older than this one: what a page that follows it begins with.
    pub before: Option<AlertId>,
    /// Only those that are open, or only those that are not.
    pub open: Option<bool>,
    /// Only those of this kind.
    pub kind: Option<AlertKind>,
}

impl AlertFilter {
    /// Whether it wants this one.
    pub fn wants(&self, alert: &Alert) -> bool {
        self.before.is_none_or(|id| alert.id < id)
            && self.open.is_none_or(|open| alert.is_open() == open)
            && self.kind.is_none_or(|kind| alert.kind == kind)
    }
}
