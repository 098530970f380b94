//! The levels of health, and the rules that say which it is.

use serde::{Deserialize, Serialize};

use crate::string_enum::string_enum;
use crate::time::WallTime;

string_enum! {
    /// How the whole system is, from good to bad.
    SystemHealth {
        /// Nothing to do.
        Healthy = "healthy",
        /// It works, with less to spare.
        Degraded = "degraded",
        /// It needs somebody.
        Critical = "critical",
        /// It needs somebody now.
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
        /// More of the instances have failed than may.
        InstanceFailureRate = "instance_failure_rate",
        /// More of the capacity is used than should be.
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

/// A point of the system's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthRecord {
    /// When.
    pub at: WallTime,
    /// How it was.
    pub health: SystemHealth,
    /// The rules that made it so, in their order.
    pub rules: Vec<HealthRule>,
    /// Instances that could be pushed streams.
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
