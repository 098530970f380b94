//! How often each operation of the store is called, how that ends and how long it takes.
//!
//! Plain counters in place: a call neither waits for a lock nor allocates for them. A call that is given up
//! without an answer is not counted here; the breakers hear of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::batch::Saved;
use crate::store::StoreError;

/// An operation of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOp {
    /// A transaction of the fleet.
    SaveFleet,
    /// What became of a transaction in doubt.
    SettleFleet,
    /// The whole fleet, for the consistency check.
    LoadFleet,
    /// Counts of the fleet, for the sweep.
    CountFleet,
    /// Last heartbeats and metrics.
    SaveHeartbeats,
    /// Metrics of an instance.
    ReadMetrics,
    /// Changed alerts.
    SaveAlerts,
    /// A page of alerts.
    ReadAlerts,
    /// Points of the system's history.
    SaveHealth,
    /// A page of the system's history.
    ReadHealth,
    /// A page of incidents, or one.
    ReadIncidents,
    /// A page of events.
    ReadEvents,
    /// The reasons of a placement.
    ReadPlacing,
    /// Deletion of what is past its retention.
    Prune,
}

impl StoreOp {
    /// Every operation.
    pub const ALL: [Self; 14] = [
        Self::SaveFleet,
        Self::SettleFleet,
        Self::LoadFleet,
        Self::CountFleet,
        Self::SaveHeartbeats,
        Self::ReadMetrics,
        Self::SaveAlerts,
        Self::ReadAlerts,
        Self::SaveHealth,
        Self::ReadHealth,
        Self::ReadIncidents,
        Self::ReadEvents,
        Self::ReadPlacing,
        Self::Prune,
    ];

    /// The name under which it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SaveFleet => "save_fleet",
            Self::SettleFleet => "settle_fleet",
            Self::LoadFleet => "load_fleet",
            Self::CountFleet => "count_fleet",
            Self::SaveHeartbeats => "save_heartbeats",
            Self::ReadMetrics => "read_metrics",
            Self::SaveAlerts => "save_alerts",
            Self::ReadAlerts => "read_alerts",
            Self::SaveHealth => "save_health",
            Self::ReadHealth => "read_health",
            Self::ReadIncidents => "read_incidents",
            Self::ReadEvents => "read_events",
            Self::ReadPlacing => "read_placing",
            Self::Prune => "prune",
        }
    }
}

/// The kinds of errors that are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Nothing was written.
    Unavailable,
    /// The outcome of a write is unknown.
    InDoubt,
    /// The content was refused.
    Refused,
    /// Another orchestrator has taken over, or store and memory have parted ways.
    Deposed,
    /// The store cannot be used until an operator does something.
    Unusable,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 5] = [
        Self::Unavailable,
        Self::InDoubt,
        Self::Refused,
        Self::Deposed,
        Self::Unusable,
    ];

    /// The name under which it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::InDoubt => "in_doubt",
            Self::Refused => "refused",
            Self::Deposed => "deposed",
            Self::Unusable => "unusable",
        }
    }

    const fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable,
            StoreError::InDoubt(_) => Self::InDoubt,
            StoreError::Refused(_) => Self::Refused,
            StoreError::Deposed { .. } | StoreError::VersionMismatch { .. } => Self::Deposed,
            StoreError::Unusable(_) | StoreError::InUse(_) | StoreError::FileReplaced(_) => {
                Self::Unusable
            }
        }
    }
}

/// What a call to the store brought.
pub(super) trait Answer {
    /// Why the store is to blame, if it is.
    fn error(&self) -> Option<&StoreError>;
}

impl<T> Answer for Result<T, StoreError> {
    fn error(&self) -> Option<&StoreError> {
        self.as_ref().err()
    }
}

impl<T> Answer for Saved<T> {
    fn error(&self) -> Option<&StoreError> {
        self.result.error()
    }
}

impl<A: Answer, B: Answer> Answer for (A, B) {
    fn error(&self) -> Option<&StoreError> {
        self.0.error().or_else(|| self.1.error())
    }
}

/// Upper bounds of the classes of latency, in milliseconds; the last class has none.
pub const LATENCY_BOUNDS_MS: [u64; 7] = [1, 4, 16, 64, 256, 1_024, 4_096];

/// The counters of one operation.
#[derive(Debug, Default)]
pub struct CallCounts {
    calls: AtomicU64,
    errors: [AtomicU64; ErrorClass::ALL.len()],
    total_micros: AtomicU64,
    latencies: [AtomicU64; LATENCY_BOUNDS_MS.len() + 1],
}

impl CallCounts {
    /// Calls that were answered.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Those of them that brought an error of a class.
    pub fn errors(&self, class: ErrorClass) -> u64 {
        self.errors[class as usize].load(Ordering::Relaxed)
    }

    /// How long all of them took together.
    pub fn total(&self) -> Duration {
        Duration::from_micros(self.total_micros.load(Ordering::Relaxed))
    }

    /// How many calls were in each class of latency.
    pub fn latencies(&self) -> impl Iterator<Item = u64> {
        let classes = self.latencies.iter();
        classes.map(|calls| calls.load(Ordering::Relaxed))
    }
}

/// The counters of all operations.
#[derive(Debug, Default)]
pub struct StoreCalls([CallCounts; StoreOp::ALL.len()]);

impl StoreCalls {
    /// The counters of an operation.
    pub const fn of(&self, op: StoreOp) -> &CallCounts {
        &self.0[op as usize]
    }

    /// Counts a call that was answered after so long.
    pub(super) fn count(&self, op: StoreOp, took: Duration, error: Option<&StoreError>) {
        let counts = self.of(op);
        let bounds = LATENCY_BOUNDS_MS.iter();
        let class = bounds
            .take_while(|bound| took > Duration::from_millis(**bound))
            .count();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counts.calls.fetch_add(1, Ordering::Relaxed);
        counts.total_micros.fetch_add(micros, Ordering::Relaxed);
        counts.latencies[class].fetch_add(1, Ordering::Relaxed);
        if let Some(error) = error {
            let class = ErrorClass::of(error);
            counts.errors[class as usize].fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_operation_has_a_place_and_a_name_of_its_own() {
        for (place, op) in StoreOp::ALL.into_iter().enumerate() {
            assert_eq!(op as usize, place);
        }
        for (place, class) in ErrorClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, place);
        }
        let names: BTreeSet<&str> = StoreOp::ALL.into_iter().map(StoreOp::as_str).collect();
        assert_eq!(names.len(), StoreOp::ALL.len());
        for name in names {
            assert!(name.chars().all(|c| c == '_' || c.is_ascii_lowercase()));
        }
    }

    #[test]
    fn a_call_is_counted_with_its_latency_and_its_error() {
        let calls = StoreCalls::default();
        let (refused, ms) = (StoreError::Refused("bad".to_owned()), Duration::from_millis);
        calls.count(StoreOp::Prune, ms(1), None);
        calls.count(StoreOp::Prune, ms(5), Some(&refused));
        calls.count(StoreOp::Prune, ms(9_000), None);
        let counts = calls.of(StoreOp::Prune);
        assert_eq!((counts.calls(), counts.total()), (3, ms(9_006)));
        assert_eq!(counts.errors(ErrorClass::Refused), 1);
        assert_eq!(counts.errors(ErrorClass::Unavailable), 0);
        let latencies: Vec<u64> = counts.latencies().collect();
        assert_eq!(latencies, [1, 0, 1, 0, 0, 0, 0, 1]);
        assert_eq!(calls.of(StoreOp::SaveFleet).calls(), 0);
    }
}
