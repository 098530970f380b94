//! Why a stream is with its owner, or without one.

use super::string_enum::string_enum;

string_enum! {
    /// Why a stream is where it is.
    AssignReason {
        /// The instance asked for streams.
        Requested = "requested",
        /// The instance registered with `auto_assign`.
        AutoAssigned = "auto_assigned",
        /// Moved off an instance that failed.
        InstanceFailed = "instance_failed",
        /// Moved off an instance that was removed.
        InstanceRemoved = "instance_removed",
        /// Taken off an instance in an emergency recovery.
        Emergency = "emergency",
        /// It had been orphaned, and room appeared.
        RoomAppeared = "room_appeared",
        /// Moved on purpose.
        PlannedMove = "planned_move",
        /// Moved off an instance that did not run it although it was told to.
        NotRun = "not_run",
    }
}

string_enum! {
    /// Why a stream lost its instance and found no other at once.
    OrphanReason {
        /// Its instance failed, and nobody had room.
        InstanceFailed = "instance_failed",
        /// Its instance was removed, and nobody had room.
        InstanceRemoved = "instance_removed",
        /// It was taken off its instance in an emergency, and nobody had room.
        Emergency = "emergency",
        /// Its instance registered again with less room.
        RoomReduced = "room_reduced",
        /// It was moved on purpose, and nobody had room any more.
        PlannedMove = "planned_move",
        /// Its instance did not run it, and nobody else had room.
        NotRun = "not_run",
    }
}
