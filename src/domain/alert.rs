//! What an operator should look at: opened once, closed when it is over.
//!
//! `book` opens and closes them.

mod book;
mod news;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::AlertId;
use super::stream::words;
use super::time::WallTime;

pub use book::{AlertBook, MAX_CLOSED, Raised};
pub use news::{News, news};

/// The subject of an alert that is about no single instance and no breaker.
pub const FLEET: &str = "fleet";

words! {
    /// What an alert is about.
    AlertKind {
        /// So many instances fell silent at once that their recovery is held.
        MassFailure = "mass_failure",
        /// A recovery used up its attempts; it is tried on.
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
        /// Two processes live under one name; only the newest is served.
        DuplicateIdentity = "duplicate_identity",
        /// The machine's wall clock jumped.
        ClockStepped = "clock_stepped",
        /// A worker does not run what it is to run, although it was told again.
        StreamsDiffer = "streams_differ",
        /// Streams wait for room.
        StreamsOrphaned = "streams_orphaned",
        /// An invariant of the fleet does not hold.
        InvariantBroken = "invariant_broken",
        /// The whole system is critical or in an emergency.
        SystemHealth = "system_health",
    }
}

words! {
    /// How urgent an alert is.
    Severity {
        /// Look at it during the day.
        Warning = "warning",
        /// Look at it now.
        Critical = "critical",
    }
}

impl AlertKind {
    /// Whether what it tells of is over when the process that noticed it has ended: the next one
    /// starts with an open brake, closed breakers, actors nobody has seen end and workers that have not
    /// said yet what they run.
    pub const fn ends_with_the_process(self) -> bool {
        match self {
            Self::MassFailure
            | Self::StoreUnavailable
            | Self::BreakerForced
            | Self::InstanceQuarantined
            | Self::DuplicateIdentity
            | Self::ClockStepped
            | Self::StreamsDiffer => true,
            Self::RecoveryExhausted
            | Self::EmergencyRecovery
            | Self::Flapping
            | Self::StreamsOrphaned
            | Self::InvariantBroken
            | Self::SystemHealth => false,
        }
    }

    /// Whether its subject is an instance.
    pub const fn is_of_instance(self) -> bool {
        match self {
            Self::RecoveryExhausted
            | Self::EmergencyRecovery
            | Self::Flapping
            | Self::InstanceQuarantined
            | Self::DuplicateIdentity
            | Self::StreamsDiffer => true,
            Self::MassFailure
            | Self::StoreUnavailable
            | Self::BreakerForced
            | Self::ClockStepped
            | Self::StreamsOrphaned
            | Self::InvariantBroken
            | Self::SystemHealth => false,
        }
    }
}

/// One alert. At most one of a kind and subject is open at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its key.
    pub id: AlertId,
    /// What it is about.
    pub kind: AlertKind,
    /// How urgent it is.
    pub severity: Severity,
    /// Whom it is about: an instance, a breaker, or `fleet`.
    pub subject: String,
    /// What happened, in a sentence.
    pub detail: String,
    /// Since when.
    pub opened_at: WallTime,
    /// Until when; none while it is open.
    pub closed_at: Option<WallTime>,
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
