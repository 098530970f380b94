//! The numbers of leadership, and what they must satisfy.
//!
//! Only the last two inequalities carry safety. The others say how soon an orchestrator is
//! replaced and that nothing stops meanwhile: a take-over that comes too early costs a load, never
//! a stream.

use std::fmt;
use std::time::Duration;

use crate::settings::{LivenessThresholds, WorkerLimits};

/// The shortest and the longest time that is derived for a take-over.
const TAKE_OVER_RANGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));

/// Within this time after the end of a leader another one leads.
pub const TAKE_OVER_PROMISE: Duration = Duration::from_secs(5);

/// The error of a clock's rate, in hundredths, that leases have to bear. Clocks of computers are
/// wrong by far less than one hundredth.
pub const CLOCK_ERROR_PERCENT: u32 = 3;

/// When an orchestrator proves its term, and when it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadershipLimits {
    /// How long the row must be unchanged before another orchestrator takes over. A leader with an
    /// older proof counts as unproven.
    pub take_over_after: Duration,
    /// How often the leader renews the row, and how often the others look at it.
    pub renewal_interval: Duration,
    /// How long one statement on the row may take.
    pub statement_limit: Duration,
}

impl LeadershipLimits {
    /// A twentieth of the timeout, at least 1 s and at most 3 s.
    pub fn from_timeout(timeout: Duration) -> Self {
        let (shortest, longest) = TAKE_OVER_RANGE;
        Self::from_take_over((timeout / 20).clamp(shortest, longest))
    }

    /// A sixth of it between two renewals, a third of it for one statement.
    pub fn from_take_over(take_over_after: Duration) -> Self {
        Self {
            take_over_after,
            renewal_interval: take_over_after / 6,
            statement_limit: take_over_after / 3,
        }
    }

    /// How long a row is unchanged once no orchestrator leads for sure: one that may take over would have
    /// done it.
    pub fn leaderless_after(&self) -> Duration {
        self.take_over_after * 2
    }

    /// The inequalities that do not hold. `load` is how long a take-over needs to read the fleet.
    pub fn check(
        &self,
        thresholds: &LivenessThresholds,
        workers: &WorkerLimits,
        load: Duration,
    ) -> Vec<BrokenLimit> {
        let lost_renewal = self.renewal_interval * 2 + self.statement_limit;
        let replaced = self.take_over_after + load + self.renewal_interval * 2;
        let heard =
            self.take_over_after + load + workers.heartbeat_interval + workers.request_timeout;
        let held = workers.lease + workers.lease_margin;
        let slow = slow_lease(workers.lease);
        let candidates = [
            (
                lost_renewal > self.take_over_after,
                BrokenLimit::LostRenewal {
                    needed: lost_renewal,
                    take_over_after: self.take_over_after,
                },
            ),
            (
                replaced >= TAKE_OVER_PROMISE,
                BrokenLimit::SlowTakeOver { needed: replaced },
            ),
            (
                heard >= workers.worker_stop,
                BrokenLimit::StopsMeanwhile {
                    needed: heard,
                    worker_stop: workers.worker_stop,
                },
            ),
            (
                thresholds.warning >= thresholds.timeout,
                BrokenLimit::NoTimeToListen {
                    warning: thresholds.warning,
                    timeout: thresholds.timeout,
                },
            ),
            (slow > held, BrokenLimit::ShortMargin { needed: slow, held }),
            (
                held > thresholds.timeout,
                BrokenLimit::LongLease {
                    held,
                    timeout: thresholds.timeout,
                },
            ),
        ];
        let broken = candidates.into_iter().filter(|(is_broken, _)| *is_broken);
        broken.map(|(_, limit)| limit).collect()
    }
}

/// How long a lease lasts at most, measured by the fast clock of a new leader, if the worker's
/// clock is slow: the lease times (1 + error) / (1 - error).
fn slow_lease(lease: Duration) -> Duration {
    lease * (100 + CLOCK_ERROR_PERCENT) / (100 - CLOCK_ERROR_PERCENT)
}

/// An inequality that does not hold, with both of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenLimit {
    /// One lost renewal would look like a lost leader.
    LostRenewal {
        /// Two renewal intervals and one statement.
        needed: Duration,
        /// How long the row must be unchanged.
        take_over_after: Duration,
    },
    /// The promise of a take-over is not kept.
    SlowTakeOver {
        /// The wait, the load and two renewal intervals.
        needed: Duration,
    },
    /// Workers stop exclusive streams before they reach the new leader.
    StopsMeanwhile {
        /// The wait, the load, one heartbeat interval and one request.
        needed: Duration,
        /// The worker's own stop.
        worker_stop: Duration,
    },
    /// A new leader could judge instances before it had time to hear them.
    NoTimeToListen {
        /// The warning threshold.
        warning: Duration,
        /// The timeout.
        timeout: Duration,
    },
    /// A worker with a slow clock could run a stream that a new leader gives away.
    ShortMargin {
        /// The longest duration of a lease, as the new leader sees it.
        needed: Duration,
        /// Lease and margin.
        held: Duration,
    },
    /// Streams of an instance that has failed would wait for its lease.
    LongLease {
        /// Lease and margin.
        held: Duration,
        /// The timeout.
        timeout: Duration,
    },
}

impl BrokenLimit {
    /// Whether two workers could run one stream, or a living instance could fail; the other
    /// inequalities say how soon an orchestrator is replaced.
    pub const fn is_about_safety(&self) -> bool {
        match self {
            Self::NoTimeToListen { .. } | Self::ShortMargin { .. } | Self::LongLease { .. } => true,
            Self::LostRenewal { .. } | Self::SlowTakeOver { .. } | Self::StopsMeanwhile { .. } => {
                false
            }
        }
    }
}

impl fmt::Display for BrokenLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LostRenewal {
                needed,
                take_over_after,
            } => write!(
                f,
                "Two renewal intervals and one statement take {needed:?}, and a take-over follows \
                 after {take_over_after:?}, so one lost renewal would replace a healthy leader. \
                 Shorten the renewal interval, or raise the time before a take-over to at least \
                 {needed:?}."
            ),
            Self::SlowTakeOver { needed } => write!(
                f,
                "A take-over would take {needed:?}; it is promised within {TAKE_OVER_PROMISE:?}. \
                 Shorten the time before a take-over."
            ),
            Self::StopsMeanwhile {
                needed,
                worker_stop,
            } => write!(
                f,
                "Workers reach a new leader after {needed:?} at the latest, and stop exclusive \
                 streams after {worker_stop:?} without a lease. Shorten the time before a \
                 take-over or the heartbeat interval, or raise the workers' stop above {needed:?}."
            ),
            Self::NoTimeToListen { warning, timeout } => write!(
                f,
                "The warning threshold is {warning:?} and the timeout {timeout:?}. A new leader \
                 listens for one warning threshold before an instance fails: set it below the \
                 timeout."
            ),
            Self::ShortMargin { needed, held } => write!(
                f,
                "A lease can last {needed:?} if clocks differ by {CLOCK_ERROR_PERCENT} % each, and \
                 streams are given away after {held:?} (lease and margin). Raise the margin by at \
                 least {:?}.",
                needed.saturating_sub(*held)
            ),
            Self::LongLease { held, timeout } => write!(
                f,
                "Lease and margin are {held:?}, and the timeout is {timeout:?}. Shorten them to at \
                 most the timeout, so that the streams of a failed instance wait for no lease."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    struct Fleet {
        thresholds: LivenessThresholds,
        workers: WorkerLimits,
    }

    fn fleet(timeout_ms: u64) -> Fleet {
        let thresholds = LivenessThresholds::from_timeout(ms(timeout_ms));
        Fleet {
            thresholds,
            workers: WorkerLimits::from_thresholds(&thresholds),
        }
    }

    fn check(limits: LeadershipLimits, fleet: &Fleet, load_ms: u64) -> Vec<BrokenLimit> {
        limits.check(&fleet.thresholds, &fleet.workers, ms(load_ms))
    }

    #[test]
    fn the_time_before_a_take_over_is_a_twentieth_of_the_timeout_within_a_range() {
        // timeout, take-over, renewal, statement
        let table = [
            (300_000, 3_000, 500, 1_000),
            (60_000, 3_000, 500, 1_000),
            (30_000, 1_500, 250, 500),
            (3_000, 1_000, 166, 333),
        ];
        for (timeout, take_over, renewal, statement) in table {
            let limits = LeadershipLimits::from_timeout(ms(timeout));
            assert_eq!(limits.take_over_after, ms(take_over));
            assert_eq!(limits.renewal_interval.as_millis(), renewal);
            assert_eq!(limits.statement_limit.as_millis(), statement);
        }
    }

    #[test]
    fn the_defaults_hold() {
        let limits = LeadershipLimits::from_timeout(ms(300_000));
        assert_eq!(check(limits, &fleet(300_000), 700), []);
        let limits = LeadershipLimits::from_timeout(ms(3_000));
        assert_eq!(check(limits, &fleet(3_000), 500), [], "a timeout of 3 s");
    }

    #[test]
    fn each_inequality_is_found_by_its_own_breach() {
        let good = LeadershipLimits::from_timeout(ms(300_000));
        let slow_statement = LeadershipLimits {
            statement_limit: ms(2_001),
            ..good
        };
        assert_eq!(
            check(slow_statement, &fleet(300_000), 700),
            [BrokenLimit::LostRenewal {
                needed: ms(3_001),
                take_over_after: ms(3_000)
            }]
        );
        assert_eq!(
            check(good, &fleet(300_000), 1_000),
            [BrokenLimit::SlowTakeOver { needed: ms(5_000) }]
        );
        let mut quick = fleet(300_000);
        quick.workers.worker_stop = ms(48_700);
        assert_eq!(
            check(good, &quick, 700),
            [BrokenLimit::StopsMeanwhile {
                needed: ms(48_700),
                worker_stop: ms(48_700)
            }]
        );
        let mut hasty = fleet(300_000);
        hasty.thresholds.warning = ms(300_000);
        assert_eq!(
            check(good, &hasty, 700),
            [BrokenLimit::NoTimeToListen {
                warning: ms(300_000),
                timeout: ms(300_000)
            }]
        );
        let mut bare = fleet(300_000);
        bare.workers.lease_margin = ms(14_000);
        assert!(matches!(
            check(good, &bare, 700).as_slice(),
            [BrokenLimit::ShortMargin { .. }]
        ));
        let mut long = fleet(300_000);
        long.workers.lease_margin = ms(60_001);
        assert_eq!(
            check(good, &long, 700),
            [BrokenLimit::LongLease {
                held: ms(300_001),
                timeout: ms(300_000)
            }]
        );
    }

    #[test]
    fn a_sentence_has_both_values_and_what_to_do() {
        let broken = BrokenLimit::ShortMargin {
            needed: ms(255),
            held: ms(250),
        };
        assert_eq!(
            broken.to_string(),
            "A lease can last 255ms if clocks differ by 3 % each, and streams are given away \
             after 250ms (lease and margin). Raise the margin by at least 5ms."
        );
        let broken = BrokenLimit::LostRenewal {
            needed: ms(3_001),
            take_over_after: ms(3_000),
        };
        let text = broken.to_string();
        assert!(
            text.contains("3.001s") && text.contains("after 3s"),
            "{text}"
        );
    }

    proptest! {
        /// Whatever the timeout is, the derived numbers satisfy the inequalities of safety.
        #[test]
        fn derived_numbers_are_safe(timeout in 3_000_u64..3_600_000) {
            let limits = LeadershipLimits::from_timeout(ms(timeout));
            prop_assert_eq!(check(limits, &fleet(timeout), 500), []);
        }
    }
}
