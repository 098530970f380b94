//! The levels of health, and the rules that decide them.

use serde::{Deserialize, Serialize};

use crate::string_enum::string_enum;
use crate::time::WallTime;

string_enum! {
    /// The health of the whole system, from good to bad.
    SystemHealth {
        /// No rule holds.
        Healthy = "healthy",
        /// The system works, with less to spare.
        Degraded = "degraded",
        /// The system needs an operator.
        Critical = "critical",
        /// The system needs an operator now.
        Emergency = "emergency",
    }
}

string_enum! {
    /// A rule that makes the system less than healthy.
    HealthRule {
        /// Fewer active instances than the critical ratio.
        ActiveRatioCritical = "active_ratio_critical",
        /// Fewer active instances than the degraded ratio.
        ActiveRatioDegraded = "active_ratio_degraded",
        /// More of the instances have failed than `MAX_INSTANCE_FAILURE_RATE`.
        InstanceFailureRate = "instance_failure_rate",
        /// More of the capacity is used than `MAX_CAPACITY_UTILIZATION`.
        CapacityUtilization = "capacity_utilization",
        /// An emergency recovery is not over.
        EmergencyUnresolved = "emergency_unresolved",
        /// The mass-failure brake holds recovery back.
        MassFailureHeld = "mass_failure_held",
        /// A breaker of the database is open.
        StoreUnavailable = "store_unavailable",
        /// There were critical failures not long ago.
        RecentCriticalFailures = "recent_critical_failures",
    }
}

/// An entry of the health history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct HealthRecord {
    pub at: WallTime,
    pub health: SystemHealth,
    /// The rules that made it so, in their order.
    pub rules: Vec<HealthRule>,
    /// Instances to which streams could be assigned.
    pub active_instances: u32,
    /// Instances that had failed.
    pub failed_instances: u32,
    /// All instances that count.
    pub total_instances: u32,
    /// How many streams the serving instances may own.
    pub capacity: u64,
    /// How many streams had an owner.
    pub assigned_streams: u64,
    /// How many streams waited for room after they lost their instance.
    pub orphaned_streams: u64,
}
