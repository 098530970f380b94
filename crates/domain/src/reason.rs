//! The reasons why a stream is assigned to its owner, or has none, and why a fleet is rebalanced.

use super::string_enum::string_enum;

string_enum! {
    /// Why a stream was assigned to its owner.
    AssignReason {
        /// The instance requested streams.
        Requested = "requested",
        /// The instance registered with `auto_assign`.
        AutoAssigned = "auto_assigned",
        /// Moved off an instance that failed.
        InstanceFailed = "instance_failed",
        /// Moved off an instance that was removed.
        InstanceRemoved = "instance_removed",
        /// Taken off an instance in an emergency recovery.
        Emergency = "emergency",
        /// The stream was orphaned, and an instance had room again.
        RoomAppeared = "room_appeared",
        /// An operator moved it.
        PlannedMove = "planned_move",
        /// Moved off an instance that did not run it although it was notified.
        NotRun = "not_run",
        /// It moved so that each instance has its fair share.
        Rebalance = "rebalance",
    }
}

string_enum! {
    /// Why a stream lost its instance and found no other at once.
    OrphanReason {
        /// Its instance failed, and no other had room.
        InstanceFailed = "instance_failed",
        /// Its instance was removed, and no other had room.
        InstanceRemoved = "instance_removed",
        /// It was taken off its instance in an emergency, and no other had room.
        Emergency = "emergency",
        /// Its instance registered again with less room.
        RoomReduced = "room_reduced",
        /// It was being moved by an operator, and no instance had room any more; or it was on trial,
        /// and its worker said goodbye for a while.
        PlannedMove = "planned_move",
        /// Its instance did not run it, and no other instance had room.
        NotRun = "not_run",
    }
}

string_enum! {
    /// What counts when a fleet is balanced.
    RebalanceMethod {
        /// The weights of the streams.
        Smart = "smart",
        /// Their number.
        Basic = "basic",
    }
}

string_enum! {
    /// Why a fleet is balanced.
    RebalanceReason {
        /// An operator ordered it.
        Manual = "manual",
        /// An instance joined or returned.
        NewInstance = "new_instance",
        /// An instance failed.
        InstanceFailure = "instance_failure",
        /// The loads differ.
        LoadImbalance = "load_imbalance",
        /// An instance is slow.
        PerformanceDegradation = "performance_degradation",
    }
}
