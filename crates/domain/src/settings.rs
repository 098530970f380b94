//! The numbers by which the rules decide.
//!
//! Plain data: `config/` reads and checks it, and has the defaults; the machines take what they need
//! as an argument.

use std::time::Duration;

use super::pace::MovePace;

/// When silence becomes lateness, failure and emergency, measured from the last heartbeat on
/// running time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LivenessThresholds {
    /// Silence after which an instance is late (`suspect`): it is assigned no streams without a
    /// request, and loses none.
    pub warning: Duration,
    /// Silence after which an instance has failed and its streams are moved.
    pub timeout: Duration,
    /// Silence after which an instance that still owns streams is an emergency.
    pub emergency: Duration,
    /// How long a returned instance must send steady heartbeats before it is trusted again.
    pub probation: Duration,
}

impl LivenessThresholds {
    /// Derives the other thresholds: warning = 0.4 × timeout, emergency = 2 × timeout, probation =
    /// warning (the ratios of 120, 300 and 600 s).
    pub fn from_timeout(timeout: Duration) -> Self {
        let warning = timeout.mul_f64(0.4);
        Self {
            warning,
            timeout,
            emergency: timeout * 2,
            probation: warning,
        }
    }
}

/// The limits that workers are given, derived from the thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerLimits {
    /// How often a worker should send a heartbeat.
    pub heartbeat_interval: Duration,
    /// How long one heartbeat request may take at the worker.
    pub request_timeout: Duration,
    /// How long a granted lease lasts, from the moment the heartbeat was sent.
    pub lease: Duration,
    /// Time added to a lease before its streams are assigned to others, for drifting clocks.
    pub lease_margin: Duration,
    /// When a worker that cannot renew its lease stops its exclusive streams by itself.
    pub worker_stop: Duration,
}

impl WorkerLimits {
    /// Derives the limits: interval = warning / 4, request limit = interval / 2, lease = 0.8 ×
    /// timeout, margin = 0.1 × timeout, worker's stop = 0.9 × lease.
    pub fn from_thresholds(thresholds: &LivenessThresholds) -> Self {
        let heartbeat_interval = Self::interval_for_warning(thresholds.warning);
        let lease = Self::lease_for_timeout(thresholds.timeout);
        Self {
            heartbeat_interval,
            request_timeout: Self::request_timeout_for_interval(heartbeat_interval),
            lease,
            lease_margin: Self::margin_for_timeout(thresholds.timeout),
            worker_stop: Self::stop_for_lease(lease),
        }
    }

    /// Returns a quarter of the warning threshold: three heartbeats may be lost before an instance
    /// is late.
    pub fn interval_for_warning(warning: Duration) -> Duration {
        warning / 4
    }

    /// Returns half the interval: one heartbeat has ended before the next is due.
    pub fn request_timeout_for_interval(heartbeat_interval: Duration) -> Duration {
        heartbeat_interval / 2
    }

    /// Returns 0.8 × timeout: with the margin the lease is over before the timeout.
    pub fn lease_for_timeout(timeout: Duration) -> Duration {
        timeout.mul_f64(0.8)
    }

    /// Returns 0.1 × timeout.
    pub fn margin_for_timeout(timeout: Duration) -> Duration {
        timeout.mul_f64(0.1)
    }

    /// Returns 0.9 × lease: the last tenth is for stopping.
    pub fn stop_for_lease(lease: Duration) -> Duration {
        lease.mul_f64(0.9)
    }
}

/// How often, and after which delays, a recovery that could not be carried out is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Failed attempts after which a recovery raises a critical alert. It keeps retrying, at the
    /// longest delay.
    pub max_attempts: u32,
    /// Wait before the first retry.
    pub delay: Duration,
    /// Whether each wait is twice as long as the one before.
    pub exponential: bool,
}

/// When a circuit breaker opens, and the longest wait between its probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open the breaker.
    pub threshold: u32,
    /// The longest wait between two probes.
    pub max_probe_interval: Duration,
    /// A probe without a result after this time has failed: longer than any call may take.
    pub probe_limit: Duration,
}

impl BreakerSettings {
    /// Returns the limit of a probe of something whose calls may take so long.
    pub fn probe_limit_for_calls(call_limit: Duration) -> Duration {
        call_limit + Duration::from_secs(1)
    }
}

/// A part of a whole, exact to a millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fraction {
    millionths: u32,
}

impl Fraction {
    /// One half.
    pub const HALF: Self = Self {
        millionths: 500_000,
    };

    /// Converts a number from 0 to 1, rounded to a millionth; `None` for any other.
    pub fn new(number: f64) -> Option<Self> {
        (0.0..=1.0).contains(&number).then(|| Self {
            millionths: (number * 1e6).round() as u32,
        })
    }

    /// Returns the fraction in millionths.
    pub const fn millionths(self) -> u32 {
        self.millionths
    }

    /// Returns it as a number from 0 to 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.millionths) / 1e6
    }

    /// Returns whether `part` of `whole` is more than this.
    pub fn is_exceeded_by(self, part: usize, whole: usize) -> bool {
        let (part, whole) = (part as u128, whole as u128);
        part * 1_000_000 > whole * u128::from(self.millionths)
    }
}

/// When simultaneous silences are held back, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MassFailureSettings {
    /// The fewest late instances that are a mass, at least 1.
    pub min: u32,
    /// The part of the active instances that must be exceeded; with 1 nothing is ever held.
    pub ratio: Fraction,
    /// How long recovery is held.
    pub hold: Duration,
}

/// When a stream whose owners fail is kept away from the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantineSettings {
    /// How many owners in a row must fail; 0: no stream is quarantined.
    pub after: u32,
    /// How soon after getting the stream each must fail; an owner that keeps it for longer runs it
    /// steadily.
    pub window: Duration,
}

/// When the whole system is less than healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthLimits {
    /// Fewer of the instances active than this: degraded.
    pub min_active: Fraction,
    /// More of the instances failed than this: critical.
    pub max_failed: Fraction,
    /// More of the capacity used than this: degraded.
    pub max_utilization: Fraction,
    /// How long a critical failure keeps the system degraded.
    pub failure_retention: Duration,
}

/// How planned work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedSettings {
    /// How long a drain may take if its request does not say.
    pub drain_deadline: Duration,
    /// How many moves may be under way.
    pub pace: MovePace,
}
