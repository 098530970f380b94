//! The numbers by which streams are quarantined.

use std::time::Duration;

use crate::settings::{LivenessThresholds, QuarantineSettings};

/// No wait for a retry is longer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// The most failures that can be required, and are kept of one stream.
pub const MOST_FAILURES: u32 = 10;

/// Decides when a stream is quarantined, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantinePolicy {
    /// How many owners in a row must fail, at most [`MOST_FAILURES`]; 0: no stream is quarantined.
    pub after: u32,
    /// An owner that has kept a stream for so long runs it steadily.
    pub window: Duration,
    /// How long a stream waits for its first retry.
    pub first_wait: Duration,
}

impl QuarantinePolicy {
    /// Derives the policy: the first wait is the heartbeat timeout.
    pub const fn from_settings(
        settings: &QuarantineSettings,
        thresholds: &LivenessThresholds,
    ) -> Self {
        Self {
            after: settings.after,
            window: settings.window,
            first_wait: thresholds.timeout,
        }
    }

    /// Returns how long a stream waits after so many retries that failed.
    pub fn wait(&self, retries: u32) -> Duration {
        self.first_wait
            .saturating_mul(1 << retries.min(24))
            .min(LONGEST_WAIT)
    }
}

/// That of the default settings, until a fleet is given another one.
impl Default for QuarantinePolicy {
    fn default() -> Self {
        Self {
            after: 3,
            window: Duration::from_secs(600),
            first_wait: Duration::from_secs(300),
        }
    }
}
