//! How often each operation of the store is called, how that ends and how long it takes.
//!
//! Plain counters in place: a call neither waits for a lock nor allocates for them. A call that is given up
//! without an answer is not counted here; the breakers hear of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::batch::Saved;
use super::timings::{STORE_BOUNDS, Timings};
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
    /// A silence that was added or ended.
    SaveSilence,
    /// Points of the system's history.
    SaveHealth,
    /// A page of the system's history.
    ReadHealth,
    /// Points of the recent past.
    SaveSeries,
    /// A page of incidents, or one.
    ReadIncidents,
    /// A page of events.
    ReadEvents,
    /// The reasons of a placement.
    ReadPlacing,
    /// Webhooks, their deliveries and cursors.
    SaveWebhooks,
    /// Deliveries of a webhook.
    ReadWebhooks,
    /// Keys of callers, and their last uses.
    SaveKeys,
    /// Deletion of what is past its retention.
    Prune,
}

impl StoreOp {
    /// Every operation.
    pub const ALL: [Self; 19] = [
        Self::SaveFleet,
        Self::SettleFleet,
        Self::LoadFleet,
        Self::CountFleet,
        Self::SaveHeartbeats,
        Self::ReadMetrics,
        Self::SaveAlerts,
        Self::ReadAlerts,
        Self::SaveSilence,
        Self::SaveHealth,
        Self::ReadHealth,
        Self::SaveSeries,
        Self::ReadIncidents,
        Self::ReadEvents,
        Self::ReadPlacing,
        Self::SaveWebhooks,
        Self::ReadWebhooks,
        Self::SaveKeys,
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
            Self::SaveSilence => "save_silence",
            Self::SaveHealth => "save_health",
            Self::ReadHealth => "read_health",
            Self::SaveSeries => "save_series",
            Self::ReadIncidents => "read_incidents",
            Self::ReadEvents => "read_events",
            Self::ReadPlacing => "read_placing",
            Self::SaveWebhooks => "save_webhooks",
            Self::ReadWebhooks => "read_webhooks",
            Self::SaveKeys => "save_keys",
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

/// The counters of one operation.
#[derive(Debug)]
pub struct CallCounts {
    done: AtomicU64,
    errors: [AtomicU64; ErrorClass::ALL.len()],
    took: Timings,
}

impl Default for CallCounts {
    fn default() -> Self {
        Self {
            done: AtomicU64::default(),
            errors: std::array::from_fn(|_| AtomicU64::default()),
            took: Timings::new(STORE_BOUNDS),
        }
    }
}

impl CallCounts {
    /// Returns the number of calls that were answered.
    pub fn calls(&self) -> u64 {
        self.took.count()
    }

    /// Returns the number of calls that brought an error of a class.
    pub fn errors(&self, class: ErrorClass) -> u64 {
        self.errors[class as usize].load(Ordering::Relaxed)
    }

    /// Returns how long the calls took.
    pub const fn took(&self) -> &Timings {
        &self.took
    }

    /// Returns the number of calls by outcome.
    fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let errors = ErrorClass::ALL.map(|class| (class.as_str(), self.errors(class)));
        let done = self.done.load(Ordering::Relaxed);
        [("ok", done)].into_iter().chain(errors)
    }
}

/// The counters of all operations. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct StoreCalls(Arc<[CallCounts; StoreOp::ALL.len()]>);

impl StoreCalls {
    /// The counters of an operation.
    pub fn of(&self, op: StoreOp) -> &CallCounts {
        &self.0[op as usize]
    }

    /// Counts a call that was answered after so long.
    pub(super) fn count(&self, op: StoreOp, took: Duration, error: Option<&StoreError>) {
        let counts = self.of(op);
        counts.took.observe(took);
        let outcome = match error {
            None => &counts.done,
            Some(error) => &counts.errors[ErrorClass::of(error) as usize],
        };
        outcome.fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for StoreCalls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut calls = encoder.encode_descriptor(
            "store_calls",
            "Calls of the store that were answered, by operation and outcome.",
            None,
            MetricType::Counter,
        )?;
        for op in StoreOp::ALL {
            for (outcome, count) in self.of(op).outcomes() {
                let labels = [("operation", op.as_str()), ("outcome", outcome)];
                calls
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
            }
        }
        let mut took = encoder.encode_descriptor(
            "store_call_seconds",
            "Time until a call of the store was answered, by operation.",
            None,
            MetricType::Histogram,
        )?;
        for op in StoreOp::ALL {
            let labels = [("operation", op.as_str())];
            self.of(op).took.encode(took.encode_family(&labels)?)?;
        }
        Ok(())
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
        assert_eq!((counts.calls(), counts.took().total()), (3, ms(9_006)));
        assert_eq!(counts.errors(ErrorClass::Refused), 1);
        assert_eq!(counts.errors(ErrorClass::Unavailable), 0);
        assert_eq!(counts.took().classes(), [1, 0, 1, 0, 0, 0, 0, 1]);
        let outcomes: Vec<_> = counts.outcomes().filter(|(_, calls)| *calls > 0).collect();
        assert_eq!(outcomes, [("ok", 2), ("refused", 1)]);
        assert_eq!(calls.of(StoreOp::SaveFleet).calls(), 0);
    }

    #[test]
    fn the_calls_that_went_well_never_become_fewer() {
        let calls = StoreCalls::default();
        calls.count(StoreOp::Prune, Duration::from_millis(1), None);
        let ok = || {
            let outcomes = calls.of(StoreOp::Prune).outcomes();
            outcomes.into_iter().next().unwrap()
        };
        assert_eq!(ok(), ("ok", 1));
        // A scrape between the two steps of counting a call that failed.
        calls
            .of(StoreOp::Prune)
            .took
            .observe(Duration::from_millis(1));
        assert_eq!(ok(), ("ok", 1));
        calls.of(StoreOp::Prune).errors[0].fetch_add(1, Ordering::Relaxed);
        assert_eq!(ok(), ("ok", 1));
    }
}
