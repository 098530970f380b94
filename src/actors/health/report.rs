//! How the system was at a look.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::actors::db_breaker::BreakerReport;
use crate::actors::recovery::BrakeReport;
use crate::domain::alert::AlertKind;
use crate::domain::health::Verdict;
use crate::domain::queries::Vitals;
use crate::domain::time::WallTime;

/// How the system was at a look.
#[derive(Debug, Clone)]
pub struct HealthReport {
    /// The verdict.
    pub verdict: Verdict,
    /// When it was made.
    pub checked_at: WallTime,
    /// The fleet it was made of.
    pub vitals: Vitals,
    /// Critical failures that are not forgotten yet.
    pub critical_failures: u32,
    /// Emergencies that are not over.
    pub emergencies: u32,
    /// The mass-failure brake.
    pub brake: BrakeReport,
    /// The breakers.
    pub breakers: Vec<BreakerReport>,
    /// How many alerts of each kind are open.
    pub open_alerts: BTreeMap<AlertKind, usize>,
    /// How often the process stood still.
    pub stalls: u64,
    /// For how long, altogether.
    pub stalled: Duration,
}
