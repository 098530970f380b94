//! A histogram of durations that is updated without a lock and without an allocation.
//!
//! The histogram of the library has a lock, and heartbeats of all connections would share it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The most bounds of a histogram.
const MOST_BOUNDS: usize = 12;

/// Upper bounds of the classes of a histogram, in seconds, ascending; one more class has no bound.
pub type Bounds = &'static [f64];

/// Calls of the store: from a write in memory to the longest call that `DATABASE_TIMEOUT` allows by default.
pub const STORE_BOUNDS: Bounds = &[0.001, 0.004, 0.016, 0.064, 0.256, 1.024, 4.096];

/// Requests: from a heartbeat to the longest poll.
pub const REQUEST_BOUNDS: Bounds = &[0.0005, 0.002, 0.008, 0.032, 0.128, 0.512, 2.0, 8.0, 60.0];

/// The silence of instances: from a second to more than the default timeout.
pub const SILENCE_BOUNDS: Bounds = &[
    1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 180.0, 300.0, 600.0,
];

/// The detection of a silent instance: close to the default timeout, which is what the delay adds to.
pub const DETECTION_BOUNDS: Bounds = &[
    5.0, 15.0, 30.0, 60.0, 120.0, 240.0, 300.0, 301.0, 305.0, 315.0, 330.0, 600.0,
];

/// Recoveries: from one transaction to one that waits for a lease and retries.
pub const RECOVERY_BOUNDS: Bounds = &[
    0.005, 0.02, 0.08, 0.32, 1.0, 5.0, 20.0, 60.0, 180.0, 300.0, 900.0,
];

/// A histogram of durations. Clones are the same one.
#[derive(Clone)]
pub struct Timings(Arc<Classes>);

struct Classes {
    bounds: Bounds,
    counts: [AtomicU64; MOST_BOUNDS + 1],
    total_micros: AtomicU64,
}

impl fmt::Debug for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:?}", self.count(), self.total())
    }
}

impl Timings {
    /// An empty histogram. Bounds above the most that are kept are left out.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Classes {
            bounds: &bounds[..bounds.len().min(MOST_BOUNDS)],
            counts: std::array::from_fn(|_| AtomicU64::default()),
            total_micros: AtomicU64::default(),
        }))
    }

    /// Adds a duration.
    pub fn observe(&self, took: Duration) {
        let classes = &*self.0;
        let seconds = took.as_secs_f64();
        let class = classes.bounds.iter().take_while(|bound| seconds > **bound);
        classes.counts[class.count()].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        classes.total_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Returns how many durations were added.
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(load).sum()
    }

    /// Returns the sum of the durations.
    pub fn total(&self) -> Duration {
        Duration::from_micros(load(&self.0.total_micros))
    }

    /// Returns how many durations are in each class; the last class has no bound.
    pub fn classes(&self) -> Vec<u64> {
        let used = self.0.bounds.len() + 1;
        self.0.counts[..used].iter().map(load).collect()
    }
}

fn load(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

impl TypedMetric for Timings {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Timings {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let bounds = self.0.bounds.iter().copied().chain([f64::INFINITY]);
        let classes: Vec<(f64, u64)> = bounds.zip(self.classes()).collect();
        // Not read again: the count is that of the classes, also while durations are added.
        let count = classes.iter().map(|(_, count)| count).sum();
        let total = self.total().as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(total, count, &classes, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_class_of_its_bound() {
        let timings = Timings::new(&[0.001, 0.004]);
        for ms in [1, 2, 4, 5, 9_000] {
            timings.observe(Duration::from_millis(ms));
        }
        assert_eq!(timings.classes(), [1, 2, 2]);
        assert_eq!(timings.count(), 5);
        assert_eq!(timings.total(), Duration::from_millis(9_012));
    }

    #[test]
    fn bounds_ascend_and_are_all_kept() {
        for bounds in [
            STORE_BOUNDS,
            REQUEST_BOUNDS,
            SILENCE_BOUNDS,
            DETECTION_BOUNDS,
            RECOVERY_BOUNDS,
        ] {
            assert!(bounds.is_sorted() && bounds.len() <= MOST_BOUNDS);
        }
    }
}
