//! The verdict on the whole system, from rules that are data.
//!
//! ```text
//!   what was seen ─ measures ─▶ which rules hold ─ the worst of them ─▶ verdict
//! ```
//!
//! Each rule has two limits. It holds from the moment its measure passes the first, until the
//! measure is back behind the second, so a measure that wobbles around either changes nothing
//! ([`MARGIN`] lies between the two limits of a ratio). A measure of nothing (no instances, no
//! capacity) passes no limit: an empty fleet is healthy.
//!
//! *Which instances count.* All except those in maintenance, those that left, those that are being
//! drained, and those that have failed and were empty for over an hour. An operator's planned
//! action never makes the system unhealthy. *Active* instances are those in that state: a late one
//! and one on probation count as instances, not as active ones.

use std::collections::BTreeSet;

use super::rule::{HealthRule, SystemHealth};
use crate::settings::HealthLimits;

/// How far the two limits of a ratio are apart, in millionths: five percentage points.
pub const MARGIN: u32 = 50_000;

/// One, in millionths.
const WHOLE: u32 = 1_000_000;

/// Below this part of active instances the system is critical, whatever the settings.
const CRITICAL_ACTIVE: u32 = WHOLE / 2;

/// Whether a condition is present: on, on its way out, or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    #[default]
    Off,
    /// It is not over yet: a breaker that is being probed, a mass that is being recovered.
    Leaving,
    On,
}

/// The numbers by which the machine judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observation {
    /// Instances that count and are active.
    pub active: u32,
    /// Instances that count and have failed.
    pub failed: u32,
    /// Instances that count.
    pub total: u32,
    /// How many streams the serving instances may own.
    pub capacity: u64,
    /// How many streams they own.
    pub load: u64,
    /// Emergencies that are not over.
    pub emergencies: u32,
    /// The state of the mass-failure brake.
    pub mass_failure: Level,
    /// The worst state of the database's breakers.
    pub store: Level,
    /// Critical failures within `CRITICAL_FAILURE_RETENTION_HOURS`.
    pub critical_failures: u32,
}

/// A part of a whole.
#[derive(Debug, Clone, Copy)]
struct Measured {
    part: u64,
    whole: u64,
}

impl Measured {
    const fn ratio(part: u64, whole: u64) -> Self {
        Self { part, whole }
    }

    const fn count(count: u64) -> Self {
        Self::ratio(count, 1)
    }

    /// Compares it with a number of millionths; `None` if there is nothing to compare.
    fn compare(self, millionths: u32) -> Option<std::cmp::Ordering> {
        let part = u128::from(self.part) * u128::from(WHOLE);
        let limit = u128::from(self.whole) * u128::from(millionths);
        (self.whole > 0).then(|| part.cmp(&limit))
    }
}

/// On which side of its limits a measure is bad.
#[derive(Debug, Clone, Copy)]
enum Bad {
    Below,
    Above,
}

/// One rule.
struct Rule {
    name: HealthRule,
    causes: SystemHealth,
    measure: fn(&Observation) -> Measured,
    bad: Bad,
    /// The limit that makes it hold, in millionths.
    enter: fn(&HealthLimits) -> u32,
    /// How far behind that limit the rule stops holding.
    margin: u32,
}

/// All rules, in the order of [`HealthRule`].
const RULES: [Rule; 8] = [
    Rule {
        name: HealthRule::ActiveRatioCritical,
        causes: SystemHealth::Critical,
        measure: |seen| Measured::ratio(seen.active.into(), seen.total.into()),
        bad: Bad::Below,
        enter: |_| CRITICAL_ACTIVE,
        margin: MARGIN,
    },
    Rule {
        name: HealthRule::ActiveRatioDegraded,
        causes: SystemHealth::Degraded,
        measure: |seen| Measured::ratio(seen.active.into(), seen.total.into()),
        bad: Bad::Below,
        enter: |limits| limits.min_active.millionths(),
        margin: MARGIN,
    },
    Rule {
        name: HealthRule::InstanceFailureRate,
        causes: SystemHealth::Critical,
        measure: |seen| Measured::ratio(seen.failed.into(), seen.total.into()),
        bad: Bad::Above,
        enter: |limits| limits.max_failed.millionths(),
        margin: MARGIN,
    },
    Rule {
        name: HealthRule::CapacityUtilization,
        causes: SystemHealth::Degraded,
        measure: |seen| Measured::ratio(seen.load, seen.capacity),
        bad: Bad::Above,
        enter: |limits| limits.max_utilization.millionths(),
        margin: MARGIN,
    },
    Rule {
        name: HealthRule::EmergencyUnresolved,
        causes: SystemHealth::Emergency,
        measure: |seen| Measured::count(seen.emergencies.into()),
        bad: Bad::Above,
        enter: |_| 0,
        margin: 0,
    },
    // Engaged is 2, over is 0: the rule stops holding when the last instance of the mass is
    // recovered.
    Rule {
        name: HealthRule::MassFailureHeld,
        causes: SystemHealth::Emergency,
        measure: |seen| Measured::count(seen.mass_failure as u64),
        bad: Bad::Above,
        enter: |_| WHOLE,
        margin: WHOLE,
    },
    // Open is 2, closed is 0: a probe that is under way opens and closes nothing.
    Rule {
        name: HealthRule::StoreUnavailable,
        causes: SystemHealth::Critical,
        measure: |seen| Measured::count(seen.store as u64),
        bad: Bad::Above,
        enter: |_| WHOLE,
        margin: WHOLE,
    },
    // Its second limit is time: a failure counts for `CRITICAL_FAILURE_RETENTION_HOURS`.
    Rule {
        name: HealthRule::RecentCriticalFailures,
        causes: SystemHealth::Degraded,
        measure: |seen| Measured::count(seen.critical_failures.into()),
        bad: Bad::Above,
        enter: |_| 0,
        margin: 0,
    },
];

impl Rule {
    fn holds(&self, seen: &Observation, limits: &HealthLimits, held: bool) -> bool {
        let enter = (self.enter)(limits);
        let measured = (self.measure)(seen);
        let limit = match (held, self.bad) {
            (false, _) => enter,
            (true, Bad::Above) => enter.saturating_sub(self.margin),
            (true, Bad::Below) => (enter + self.margin).min(WHOLE),
        };
        match self.bad {
            Bad::Below => measured.compare(limit).is_some_and(|order| order.is_lt()),
            Bad::Above => measured.compare(limit).is_some_and(|order| order.is_gt()),
        }
    }
}

/// The health of the system, and the rules behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The worst severity of a rule that holds; healthy if none holds.
    pub health: SystemHealth,
    /// The rules that hold, in their order.
    pub rules: Vec<HealthRule>,
}

/// Returns the severity of a rule.
pub fn severity_of(rule: HealthRule) -> SystemHealth {
    RULES
        .iter()
        .find(|known| known.name == rule)
        .map_or(SystemHealth::Healthy, |known| known.causes)
}

/// Judges the health, and remembers which rules hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthMachine {
    limits: HealthLimits,
    held: BTreeSet<HealthRule>,
}

impl HealthMachine {
    /// Creates a machine for which no rule holds yet.
    pub const fn new(limits: HealthLimits) -> Self {
        Self {
            limits,
            held: BTreeSet::new(),
        }
    }

    /// Returns the limits by which it judges.
    pub const fn limits(&self) -> &HealthLimits {
        &self.limits
    }

    /// Judges by other limits from now on. A rule that holds goes on until its measure is back behind its
    /// new second limit.
    pub const fn set_limits(&mut self, limits: HealthLimits) {
        self.limits = limits;
    }

    /// Judges an observation. Judging the same observation again changes nothing.
    pub fn judge(&mut self, seen: &Observation) -> Verdict {
        let holding = RULES
            .iter()
            .filter(|rule| rule.holds(seen, &self.limits, self.held.contains(&rule.name)));
        let rules: Vec<HealthRule> = holding.map(|rule| rule.name).collect();
        self.held = rules.iter().copied().collect();
        Verdict {
            health: rules
                .iter()
                .map(|rule| severity_of(*rule))
                .max()
                .unwrap_or(SystemHealth::Healthy),
            rules,
        }
    }
}

#[cfg(test)]
mod tests;
